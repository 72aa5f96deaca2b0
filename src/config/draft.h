/* SPDX-License-Identifier: Apache-2.0
 *
 * A draft: a configuration of ours that is being written from somebody else's.
 *
 * Who reads another tool's file (import.h) makes sections here and sets keys of
 * the tables of option.h in them; draft_write then writes text that settings_read
 * takes.  That is the draft's promise, and it keeps it by itself:
 *   - each value is judged by its row at once; what the reader would refuse
 *     becomes a note, and the key stays as it was;
 *   - what cannot stand beside another key goes, with a note;
 *   - names are made legal and unique, texts are quoted so that they are
 *     themselves, defaults are left out;
 *   - a connection without host, user or protocol is not written, one that
 *     nobody would deliver from is disabled and gets a place: both with a note.
 * Files that a key names (a certificate) are not looked for: `check` does that.
 *
 * A note is a comment "FILE:LINE: word: what became of it", above its section or,
 * of none, at the top; the same said twice in a row is one.  Beyond DRAFT_NOTES_MAX
 * one more says that there were more.  Everything lives in the arena, secrets too: who
 * ends it wipes them first (draft_wipe). */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "config/option.h"

enum { DRAFT_LIST_MAX = 1000, DRAFT_NOTES_MAX = 100000 };	/* values of one key; notes of all sections together */

struct draft_key {
	struct draft_key *next;
	struct given given;	/* its name, row and values */
	uint32_t line;
};

struct draft_note {
	struct draft_note *next;
	uint32_t line;
	const char *text;
};

struct draft_notes {
	struct draft_note *first, *last;
};

struct draft_section {
	struct draft_section *next;
	const char *what, *name;	/* "connection", "target" */
	const char *base;	/* the name, but for the number that tells it from others; */
	uint32_t number;	/* 0 = none */
	uint32_t line;
	struct draft_key *keys;
	struct draft_notes notes;
	bool left_out;
	bool alone;		/* a target that is not shared */
	bool always;		/* a target that is written though nothing delivers to it */
};

struct draft {
	struct arena *arena;
	const char *tool, *file;
	struct draft_section *sections, *last;
	struct draft_notes notes;
	unsigned note_count;
};

void draft_start(struct draft *d, struct arena *a, const char *tool, const char *file);
/* `line` is where the other file speaks of it. */
struct draft_section *draft_connection(struct draft *d, const char *name, uint32_t line);
struct draft_section *draft_target(struct draft *d, const char *name, uint32_t line);
/* Sets a key ("tls.min") in place of what it had.  False: noted, why not. */
bool draft_set(struct draft *d, struct draft_section *s, const char *key, const char *value, uint32_t line);
/* One more value of a list; one that is there already changes nothing. */
bool draft_add(struct draft *d, struct draft_section *s, const char *key, const char *value, uint32_t line);
/* The first value of a key; NULL when it is not set. */
const char *draft_get(const struct draft_section *s, const char *key);
void draft_unset(struct draft_section *s, const char *key);
/* A list keeps its first `count` values. */
void draft_cut(struct draft_section *s, const char *key, size_t count);
/* `s` NULL: of the whole file.  line 0: of no line. */
void draft_note(struct draft *d, struct draft_section *s, uint32_t line, const char *word, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A target that is like an earlier one in all keys is left out; returns the one to name. */
const struct draft_section *draft_shared(struct draft *d, struct draft_section *target);
/* False when it does not fit into `out`. */
[[nodiscard]] bool draft_write(struct draft *d, struct buf *out);
void draft_wipe(struct draft *d);
