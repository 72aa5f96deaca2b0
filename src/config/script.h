/* SPDX-License-Identifier: Apache-2.0
 *
 * The text that libConfuse gets, and the place of each of its lines.
 *
 * source.c writes it, a key a line: script_key, then tokens and signs, and
 * script_section_end behind a section's last key.  While `mute` is not 0
 * nothing is written.  The text may hold passwords: it leaves no copies when
 * it grows and is wiped at the end.  script_again begins another text; places
 * stay valid until script_end. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"
#include "config/tokens.h"

enum { SCRIPT_MAX = 64 << 20 };

struct place {			/* of one line */
	struct where where;
	bool exposed;		/* others can read its file */
	bool expands;		/* its value comes from the environment */
};

struct script {
	struct buf text;
	struct place *places;	/* of each line ever written; those of `text` begin at base */
	size_t place_count, place_cap, base;
	uint32_t *sections;	/* the line of each section in `text`, in the order of their ends */
	size_t section_count, section_cap;
	unsigned mute;
	bool full;		/* it came to more than SCRIPT_MAX */
};

void script_start(struct script *s);
void script_again(struct script *s);
void script_end(struct script *s);
void script_put(struct script *s, struct span words);
void script_token(struct script *s, const struct token *token);
/* Begins a line; returns its number. */
uint32_t script_key(struct script *s, const struct token *key, struct place place);
/* The value of the last key comes from the environment. */
void script_expands(struct script *s);
/* `line`: of the section's key. */
void script_section_end(struct script *s, uint32_t line);
/* The place of line 1, 2, … of `text`; NULL: it has no lines. */
const struct place *script_place(const struct script *s, int line);
