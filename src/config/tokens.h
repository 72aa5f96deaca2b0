/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of a configuration file, as libConfuse would cut them, strictly.
 *
 * Comments are # and // to the end of the line and C's.  A text in single
 * quotes is literal: no octet of it means anything but itself.  In double
 * quotes a backslash escapes and ${VAR} or ${VAR:-ELSE} stands for the
 * environment's; a backslash at the end of a line joins it with the next.
 * Else a word ends at a blank or one of { } ( ) = , # ' ".
 * What libConfuse lets pass is an error here, because it ends in values that
 * nobody wrote: a quote that does not close on its line, a comment that does
 * not close, an octet 0 (in the file or by escape), ${ without } or outside of
 * double quotes.
 * Tokens borrow the text. */
#pragma once

#include "base/err.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_SINGLE, TOKEN_DOUBLE, TOKEN_MARK };

struct token {
	enum token_kind kind;
	struct span text;	/* without its quotes; a mark is one of { } ( ) = += , */
	uint32_t line;
};

struct tokens {
	struct span rest;
	uint32_t line;		/* of rest; after an error that of the fault */
};

void conf_tokens_start(struct tokens *t, struct span text);
/* At the end of the text TOKEN_END, again and again. */
[[nodiscard]] bool conf_tokens_next(struct tokens *t, struct token *token, struct err *e);
bool conf_token_is(const struct token *token, const char *mark);
/* A word or a text in quotes. */
bool token_is_text(const struct token *token);
