/* SPDX-License-Identifier: Apache-2.0
 *
 * What an IMAP server says, as tokens, at any split (RFC 3501, 9051, 7888).
 *
 * tokens_next takes from *in and hands out the next token, or TOKEN_MORE when
 * *in is used up.  A response is its tokens up to TOKEN_LINE:
 *     * 1 FETCH (UID 7 BODY[] {3}␍␊abc)   ATOM ATOM ATOM OPEN ATOM ATOM ATOM
 *                                         STRING PIECE STRING_END CLOSE LINE
 *     P1 OK [COPYUID 9 1:2 5:6] done      ATOM ATOM CODE ATOM… CODE_END TEXT LINE
 *     + cGxlYXNl                          ATOM TEXT LINE
 * A string (quoted, {n}, {n+}, ~{n}) comes as STRING, its octets in PIECEs that
 * are never empty, borrow *in and are never buffered, and STRING_END: so of no
 * length.  Only the count of a literal frames it.  NIL and numbers are ATOMs
 * (token_nil, token_number); BODY[HEADER (A B)]<0> is one ATOM.  Behind OK, NO,
 * BAD, BYE, PREAUTH and behind + the rest of the line is TEXT, always there,
 * perhaps empty; behind "* FLAGS" too, for servers keep keywords with brackets.  A code in brackets there is taken as it comes: what is not
 * closed in it ends with it, or with the line; a list cut so has no CLOSE.
 * Any number of blanks parts tokens; an empty line is a lone LINE.
 *
 * Atoms and texts live in the lent memory and die with the next call.  An atom
 * longer than it is handed out up to a comma, with `more`: each part of a
 * number set is one; the rest follows as the next ATOM.  Without a comma it is
 * TOKEN_BAD, but in a code, and as TEXT, it is cut short, with `cut`.
 * Lists nest TOKEN_DEPTH_MAX deep; a text has at most TOKEN_TEXT_MAX octets; a literal has less than 2^63 octets, a line
 * ends with CRLF or LF.  TOKEN_BAD says in `why` which rule was broken; where
 * the next response begins is unknown then: the tokens must not be used after it. */
#pragma once

#include "base/buf.h"

enum { TOKEN_DEPTH_MAX = 32, TOKEN_TEXT_MAX = 1 << 20 };

enum token_kind {
	TOKEN_MORE, TOKEN_ATOM, TOKEN_STRING, TOKEN_PIECE, TOKEN_STRING_END, TOKEN_OPEN, TOKEN_CLOSE,
	TOKEN_CODE, TOKEN_CODE_END, TOKEN_TEXT, TOKEN_LINE, TOKEN_BAD
};

struct token {
	enum token_kind kind;
	struct span text;	/* ATOM, PIECE, TEXT */
	uint64_t size;		/* STRING: of a literal */
	bool literal;		/* STRING: its size is known */
	bool more;		/* ATOM: in parts, this is not the last */
	bool cut;		/* ATOM in a code, TEXT: longer than the memory */
	const char *why;	/* BAD */
};

struct tokens {
	struct buf held;	/* of an atom or text */
	uint64_t left;		/* of a literal: its size while it is read, then octets to come; of a text: octets that came */
	size_t given;		/* of `held`, handed out and to be dropped */
	uint8_t state, rest, depth, place;
	bool cut, digits, plus;
};

/* `memory` (lent, `size` octets, 64 at least) bounds an atom. */
void tokens_start(struct tokens *t, char *memory, size_t size);
enum token_kind tokens_next(struct tokens *t, struct span *in, struct token *tok);

/* Nothing of a response was read yet, but blanks: what begins anew here reads on. */
bool tokens_between(const struct tokens *t);

/* The atom NIL, in any case. */
bool token_nil(const struct token *tok);
/* Strict: an atom of digits only, at most `max`. */
[[nodiscard]] bool token_number(const struct token *tok, uint64_t max, uint64_t *value);
/* An atom that says `word`, in any case. */
bool token_is(const struct token *tok, const char *word);
