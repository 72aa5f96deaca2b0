/* SPDX-License-Identifier: Apache-2.0
 *
 * One section as it was written: its keys with their values and places.
 *
 * It stands between the two ways to write (a file, the command line) and what
 * comes of it: section_apply fills a struct by the table, check.c then asks
 * which keys were set, and where.  Messages name the section, the key and what
 * to write. */
#pragma once

#include "config/option.h"
#include "config/report.h"

struct section {
	const char *what;	/* "connection", "target"; NULL: the top level */
	const char *title;
	struct where where;
	struct given *given;	/* keys of inner sections too, by "tls.min", behind their section */
	size_t count;
};

/* NULL when the key was not set. */
const struct given *section_given(const struct section *s, const char *key);
/* Where the key was set, else where the section begins. */
struct where section_where(const struct section *s, const char *key);
/* Errors and warnings of a key (NULL: of the whole section):
 * "connection support: port: …", on the command line "--port: …". */
void section_error(const struct section *s, struct report *r, const char *key, const char *format, ...) __attribute__((format(printf, 4, 5)));
void section_warning(const struct section *s, struct report *r, const char *key, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Defaults, then what was given; reports values that are wrong and features that are not built. */
void section_apply(const struct section *s, const struct option *rows, void *base, struct report *r);
