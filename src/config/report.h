/* SPDX-License-Identifier: Apache-2.0
 *
 * What is to be said about a configuration: errors and warnings with their places.
 *
 * Everything found in one run is kept and written in order of files (as they
 * were opened) and lines.  Each entry says place, what, and what to write
 * instead; its control octets become '?'.  Who reports a value shows at most
 * VALUE_SHOWN octets of it (value.h), and nothing of a secret.  Entries live in the
 * arena. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"

enum { REPORT_ENTRIES_MAX = 1024 };

struct report_entry {
	const char *text;	/* with its place */
	uint32_t file, line;	/* the file by its number; 0 = none */
	uint32_t number;	/* what was said first stays first */
	bool warning;
};

struct report {
	struct arena *arena;
	struct report_entry *entries;
	size_t count, cap;
	const char **files;
	size_t file_count, file_cap;
	bool wrong;		/* there was an error */
};

void report_start(struct report *r, struct arena *arena);
void report_end(struct report *r);
/* A file, by the pointer that its places will have, is opened. */
void report_file(struct report *r, const char *path);
void report_error(struct report *r, struct where where, const char *format, ...) __attribute__((format(printf, 3, 4)));
void report_warning(struct report *r, struct where where, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Errors to `out`, a line each, as far as there is room; warnings to the settings. */
void report_errors(struct report *r, struct buf *out);
void report_warnings(struct report *r, struct settings *s);
