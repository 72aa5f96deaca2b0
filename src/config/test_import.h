/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: another tool's configuration, told as what comes of it.
 *
 * import_told imports a text as the file "rc" and gives what is written, each run of
 * blanks and line ends as one blank, or the error. What is written must be taken by settings_read, but
 * for files that are not there: that is checked every time, in the scratch folder.
 * A row's `want` has parts with | between them: each must stand in the story, behind the one
 * before; a part that begins with ! must not stand in it at all. */
#pragma once

#include "config/import.h"
#include "config/scratch.h"

struct import_row_told {
	const char *name, *text, *want;
};

static char import_story[1 << 16];

static inline void import_taken(struct span conf)
{
	static char memory[1 << 16];
	struct settings s;
	struct buf report;
	char *line, *rest;

	scratch_write("imported.conf", conf, 0600);
	buf_lend(&report, memory, sizeof memory);
	if (settings_read("imported.conf", &s, &report)) {
		settings_end(&s);
		return;
	}
	assert_true(buf_terminate(&report));
	for (line = strtok_r(memory, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!strstr(line, "cannot be read"))
			fail_msg("%s\n%.*s", line, (int)conf.len, conf.at);
}

static inline const char *import_told(enum import_format format, struct span text)
{
	struct buf out, story;
	struct err e;

	buf_start(&out, IMPORT_OUT_MAX);
	buf_lend(&story, import_story, sizeof import_story);
	if (!import_read(format, "rc", text, &out, &e)) {
		assert_int_equal(e.kind, ERR_CONFIG);
		assert_true(buf_printf(&story, "wrong: %s", e.text));
	} else {
		import_taken(buf_span(&out));
		for (size_t n = span_find(buf_span(&out), '\n'); n < out.len; n++) {
			bool blank = strchr(" \t\n", out.at[n]);

			if (!blank || !story.len || story.at[story.len - 1] != ' ')
				assert_true(buf_add_byte(&story, blank ? ' ' : out.at[n]));
		}
	}
	assert_true(buf_terminate(&story));
	buf_end(&out);
	return import_story;
}

static inline void import_rows(enum import_format format, const struct import_row_told *rows, size_t count)
{
	unsigned wrong = 0;

	for (const struct import_row_told *r = rows; r < rows + count; r++) {
		const char *story = import_told(format, span_of(r->text)), *at = story;
		char want[2048], *rest = want, *part;

		assert_true(snprintf(want, sizeof want, "%s", r->want) < (int)sizeof want);
		while ((part = strsep(&rest, "|"))) {
			const char *found = strstr(part[0] == '!' ? story : at, part + (part[0] == '!'));

			if (!found != (part[0] == '!')) {
				print_error("%s: %s\nin: %s\n", r->name, part, story);
				wrong++;
				break;
			}
			at = part[0] == '!' ? at : found + strlen(part);
		}
	}
	assert_int_equal(wrong, 0);
}
