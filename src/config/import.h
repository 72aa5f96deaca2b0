/* SPDX-License-Identifier: Apache-2.0
 *
 * Importers: the configuration of another tool, as one of ours (PRODUCT 1, `import`).
 *
 *     import_format_of("mpop", &f) → import_read(f, "mpoprc", text, &out, &e)
 * What comes out is a whole postrider.conf that `check` takes, with a comment
 * "FILE:LINE: word: why" for everything that could not be carried over (draft.h);
 * `file` is only named, never opened: readers are computation over `text`.  Errors
 * are those of syntax, with file and line: where the other tool would give up.
 *
 * Below that line: what the readers share.  Each of them has a table of the words of its
 * format, one row a word, that says what becomes of it; a word that is in no
 * row is a comment.  How a reader works: it cuts the text into objects (accounts, entries), each a
 * list of import_items as written; defaults and inheritance put lists one behind another; then
 * import_apply turns item by item into keys of a section, where the later one wins, and
 * leaves to the reader the rows of kind IMPORT_OWN. */
#pragma once

#include "config/draft.h"

enum { IMPORT_FILE_MAX = 1 << 20, IMPORT_OUT_MAX = 64 << 20, IMPORT_OBJECTS_MAX = 5000, IMPORT_ITEMS_MAX = 200000 };

enum import_format { IMPORT_FETCHMAIL, IMPORT_GETMAIL, IMPORT_MPOP, IMPORT_MBSYNC, IMPORT_BS2000, IMPORT_FORMATS };

bool import_format_of(const char *name, enum import_format *format);
[[nodiscard]] bool import_read(enum import_format format, const char *file, struct span text, struct buf *out, struct err *e);

/* --- for the readers --- */

struct import {
	struct arena *arena;
	struct draft draft;
	const char *file;
	unsigned objects, items;
};

typedef bool import_reader(struct import *in, struct span text, struct err *e);
import_reader import_fetchmail, import_getmail, import_mpop, import_mbsync, import_bs2000;

enum import_takes { IMPORT_NOTHING, IMPORT_ONE, IMPORT_MANY };	/* values behind the word, where its grammar must know */

enum import_kind {		/* what becomes of a word; `key` is ours */
	IMPORT_TEXT,		/* key = its text; an empty one takes the key away */
	IMPORT_SECONDS,		/* key = its number, in seconds; 0 takes it away */
	IMPORT_NUMBER,		/* key = its number; 0 takes it away */
	IMPORT_OCTETS,		/* the same, a size */
	IMPORT_LIST,		/* key = its values */
	IMPORT_FIXED,		/* key = `becomes` */
	IMPORT_SAME,		/* nothing: it is so anyway; `becomes` says why */
	IMPORT_LOST,		/* a comment: `becomes` says why */
	IMPORT_OWN,		/* the reader's own doing, by `own`; `becomes` tells it to people */
};

struct import_row {
	const char *word;
	enum import_kind kind;
	const char *key, *becomes;
	int own;
	enum import_takes takes;
};

struct import_item {
	struct import_item *next;
	const struct import_row *row;
	struct texts values;	/* at least one text, "" when there was none */
	uint32_t line;
};

struct import_items {
	struct import_item *first, *last;
};

/* ERR_CONFIG with "FILE:LINE: " in front; returns false. */
bool import_wrong(const struct import *in, uint32_t line, struct err *e, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* One more connection, account or section; false when there are too many. */
[[nodiscard]] bool import_count(struct import *in, uint32_t line, struct err *e);
/* NULL when no row (they end with one without a word) has this word; letters in either case if `nocase`. */
const struct import_row *import_row(const struct import_row *rows, struct span word, bool nocase);
/* Beyond IMPORT_ITEMS_MAX of all together nothing is added, and import_read says so. */
void import_item(struct import *in, struct import_items *to, const struct import_row *row, struct texts values, uint32_t line);
void import_append(struct import *in, struct import_items *to, const struct import_items *from);
/* The last item of a row's `own`; NULL when there is none. */
const struct import_item *import_last(const struct import_items *items, int own);
/* True when it is done; false for IMPORT_OWN. */
bool import_apply(struct import *in, struct draft_section *s, const struct import_item *item);
const char *import_print(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct texts import_texts(struct arena *a, struct span first);
void import_unknown(struct import *in, struct draft_section *s, uint32_t line, struct span word);
/* yes, true, on, 1, or nothing; no, false, off, 0.  False when it is neither. */
bool import_truth(const char *text, bool *truth);
/* A whole file as lines: false at its end.  Without line ends; a NUL in it is an error before that (import_read). */
bool import_line(struct span *text, struct span *line);
/* A password itself, whatever it looks like; an empty one is none. */
void import_password(struct import *in, struct draft_section *s, const char *text, uint32_t line);
/* Clear-text passwords go where the other tool lets them go. */
void import_in_clear(struct import *in, struct draft_section *s, uint32_t line);
/* No certificate is checked. */
void import_unverified(struct import *in, struct draft_section *s, uint32_t line);
