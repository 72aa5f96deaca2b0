/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration files made ready for libConfuse.
 *
 * libConfuse lets much pass that people do not mean, counts lines wrong behind
 * C comments and leaves off at its first error.  So it does not see the files:
 * they are read here, word by word (tokens.h), and written anew, one key a
 * line, with
 *   - comments gone, included files in their place (relative to the file that
 *     includes them), single quotes made literal;
 *   - what the table does not know, a key or section given twice, and other
 *     words that cannot be meant, reported and left out, so that the rest can
 *     be judged in the same run;
 *   - an empty list as {''}, which libConfuse would not tell us of.
 * Each line of the new text knows its place in the files.  What libConfuse then
 * still finds wrong (a list where one value belongs, a section without its
 * name) is reported with that place.
 *
 * source_start → source_read, then libConfuse over the script → source_read another
 * (connections_dir), libConfuse again … → source_end, which wipes the text. */
#pragma once

#include "config/option.h"
#include "config/report.h"
#include "config/script.h"

enum { SOURCE_FILE_MAX = 16 << 20, SOURCE_FILES_MAX = 10000, SOURCE_INCLUDES_MAX = 10, SOURCE_NESTING_MAX = 16 };

struct title {			/* of a section that was read */
	struct title *next;
	const struct option *section;
	struct span text;
	struct where where;
};

struct source {
	struct arena *arena;		/* for what lasts as long as the reading, */
	struct arena *names;		/* and for names of files, which settings keep */
	struct report *report;
	struct script script;
	const struct option *rows;	/* of the top level */
	struct where *seen;		/* which of them were set */
	struct title *titles;
	unsigned files, includes, nesting;
};

void source_start(struct source *s, const struct option *rows, struct arena *a, struct arena *names, struct report *r);
/* False: an error of syntax (reported); the script is of no use.  `from` is
 * where the path was named, if anywhere. */
[[nodiscard]] bool source_read(struct source *s, const char *path, struct where from);
void source_end(struct source *s);
