/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of the configuration: one row a key.
 *
 * A row says everything about its key: what it may hold, its default, its
 * limits, the field it fills and what to write when it is wrong.  The parser
 * (read.c), the command line (url.c), the defaults and the errors all come
 * from it; what one key means beside another is in check.c.
 * Rows end with one without a name.  Texts that an option keeps live in the
 * arena or in the values it was given. */
#pragma once

#include "config/settings.h"
#include "config/value.h"

enum option_type {		/* and the type of its field */
	OPTION_SECTION,		/* the struct of its own rows */
	OPTION_TEXT,		/* const char *; limit: characters */
	OPTION_PATH,		/* const char *, absolute */
	OPTION_FILE,		/* the same; it has to be there and readable */
	OPTION_BOOL,		/* bool */
	OPTION_UINT,		/* uint16_t, uint32_t or uint64_t */
	OPTION_CHOICE,		/* an enum: the position in names */
	OPTION_WORD,		/* const char *: one of names */
	OPTION_VERSION,		/* uint32_t: enum version */
	OPTION_MS,		/* uint32_t or uint64_t */
	OPTION_SECONDS,		/* uint32_t or uint64_t */
	OPTION_SIZE,		/* uint64_t */
	OPTION_SECRET,		/* struct secret */
	OPTION_TEXTS,		/* struct texts: a list */
	OPTION_FLAGS,		/* a bool for each of names; a list */
	OPTION_AUTH,		/* a struct auth_keys, or the three such fields of a connection; a list */
	OPTION_AFTER,		/* after and move_folder of struct connection */
};

enum {
	OPTION_TITLED = 1,	/* a section with a name, as often as one likes */
	OPTION_UNBUILT = 2,	/* accepted, and warned of */
	OPTION_FILLED = 4,	/* a list that must not be empty */
	OPTION_EMPTY = 8,	/* a list whose elements may be empty (an argv) */
};

struct option {
	const char *name;
	enum option_type type;
	uint16_t at, size;	/* its field; size 0: checked, but nobody keeps it yet */
	const char *dflt;	/* as one would write it; NULL = nothing: the field is zero */
	uint64_t min, max;	/* max 0 = no limit but the field's */
	const char *const *names;	/* ended by NULL */
	const struct option *inner;
	value_form *form;
	uint8_t flags;
	uint8_t types;		/* of targets that have it: bits 1 << enum target_type */
	const char *help;	/* what to write: "a port number, 995 for pop3s" */
};

extern const struct option settings_rows[], connection_rows[], target_rows[], pop3_rows[], listen_rows[];

/* One key that somebody set. */
struct given {
	const struct option *option;
	const char *name;	/* "port", "tls.min" */
	size_t at;		/* of its field in the outermost struct that is kept */
	bool kept;		/* false: it, or a section around it, has no field */
	bool exposed;		/* it stands in a file that others can read */
	struct where where;	/* file NULL: the command line */
	struct texts values;	/* one, unless it is a list */
};

/* A row by its name, by "tls.min" inside of sections: fills option, at and
 * kept of *g.  False when there is none. */
bool option_find(const struct option *rows, struct span name, struct given *g);
bool option_is_list(const struct option *o);
/* The values of a text that is not from a file: of a list they stand between commas. */
struct texts option_split(const struct option *o, const char *text, struct arena *a);
/* Fills every field that has a default. */
void option_defaults(const struct option *rows, void *base, struct arena *a);
/* Puts what was given into its field of `base`; ERR_CONFIG says what is wrong
 * with it, and the field is as before.  What is not kept is only looked at, and
 * a secret of that kind wiped. */
[[nodiscard]] bool option_set(const struct given *g, void *base, struct arena *a, struct err *e);
