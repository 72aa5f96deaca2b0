/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tokens.h"

#include <ctype.h>

void conf_tokens_start(struct tokens *t, struct span text)
{
	if (span_starts(text, SPAN("\xef\xbb\xbf")))	/* some editors put a byte order mark there */
		text = span_from(text, 3);
	*t = (struct tokens){ text, 1 };
}

bool conf_token_is(const struct token *token, const char *mark)
{
	return token->kind == TOKEN_MARK && span_equal(token->text, span_of(mark));
}

bool token_is_text(const struct token *token)
{
	return token->kind == TOKEN_WORD || token->kind == TOKEN_SINGLE || token->kind == TOKEN_DOUBLE;
}

static void skip_line(struct tokens *t)
{
	t->rest = span_from(t->rest, span_find(t->rest, '\n'));
}

static bool skip_comment(struct tokens *t, struct err *e)
{
	uint32_t opened = t->line;

	for (t->rest = span_from(t->rest, 2); t->rest.len; t->rest = span_from(t->rest, 1)) {
		if (span_starts(t->rest, SPAN("*/"))) {
			t->rest = span_from(t->rest, 2);
			return true;
		}
		t->line += t->rest.at[0] == '\n';
	}
	t->line = opened;
	return err_set(e, ERR_CONFIG, "this comment is not closed; write */ at its end");
}

static bool skip_blanks(struct tokens *t, struct err *e)
{
	while (t->rest.len) {
		if (t->rest.at[0] == '\n') {
			t->line++;
			t->rest = span_from(t->rest, 1);
		} else if (strchr(" \t\r\f\v", t->rest.at[0]) && t->rest.at[0]) {
			t->rest = span_from(t->rest, 1);
		} else if (t->rest.at[0] == '#' || span_starts(t->rest, SPAN("//"))) {
			skip_line(t);
		} else if (!span_starts(t->rest, SPAN("/*"))) {
			return true;
		} else if (!skip_comment(t, e)) {
			return false;
		}
	}
	return true;
}

/* How many octets the escape has; 0: it makes an octet 0, which would end the text. */
static size_t escape(struct span s)
{
	size_t n = 1;
	unsigned value = 0;

	if (s.len < 2)
		return s.len;
	if (!s.at[1])
		return 0;
	if (s.at[1] == 'x') {
		for (n = 2; n < s.len && n < 4 && isxdigit((unsigned char)s.at[n]); n++)
			value |= (unsigned)(s.at[n] != '0');
		return n == 2 || value ? n : 0;
	}
	for (; n < s.len && n < 4 && s.at[n] >= '0' && s.at[n] <= '7'; n++)
		value |= (unsigned)(s.at[n] != '0');
	if (n == 1)
		return 2;
	return value ? n : 0;
}

static bool bad(struct err *e, const char *what)
{
	return err_set(e, ERR_CONFIG, "%s", what);
}

/* At ${ inside double quotes: the octets up to its }, 0 = there is none. */
static size_t variable(struct span s)
{
	for (size_t n = 2; n < s.len && s.at[n] && s.at[n] != '\n' && s.at[n] != '"'; n++)
		if (s.at[n] == '}')
			return n + 1;
	return 0;
}

/* How far the text in quotes goes, both of them included. */
static bool quoted(struct tokens *t, size_t *len, uint32_t *lines, struct err *e)
{
	struct span s = t->rest;
	char quote = s.at[0];
	size_t n = 1, step;

	while (n < s.len && s.at[n] != quote) {
		step = 1;
		if (s.at[n] == '\n')
			break;
		if (!s.at[n])
			return bad(e, "an octet 0 cannot stand in a configuration");
		if (quote == '"' && s.at[n] == '\\') {
			step = escape(span_from(s, n));
			if (!step)
				return bad(e, "this escape makes an octet 0, which no value can hold");
			*lines += step == 2 && s.at[n + 1] == '\n';
		} else if (quote == '"' && span_starts(span_from(s, n), SPAN("${"))) {
			step = variable(span_from(s, n));
			if (!step)
				return bad(e, "${ has no } behind it; write ${VAR}, or \\${ for the two characters");
		}
		n += step;
	}
	if (n >= s.len || s.at[n] != quote)
		return bad(e, quote == '"' ? "this text in quotes has no end on its line; write the closing \""
			: "this text in quotes has no end on its line; write the closing '");
	*len = n + 1;
	return true;
}

static bool word(struct tokens *t, size_t *len, struct err *e)
{
	size_t n = 0;

	while (n < t->rest.len && t->rest.at[n] && !strchr(" \t\r\f\v\n{}()=,#'\"", t->rest.at[n]) &&
	       !span_starts(span_from(t->rest, n), SPAN("+=")))
		n++;
	if (n < t->rest.len && !t->rest.at[n])
		return bad(e, "an octet 0 cannot stand in a configuration");
	if (n && span_starts(span_from(t->rest, n - 1), SPAN("${")))
		return bad(e, "${VAR} is expanded in double quotes only; write \"${VAR}\"");
	*len = n;
	return true;
}

bool conf_tokens_next(struct tokens *t, struct token *token, struct err *e)
{
	uint32_t lines = 0;
	size_t len = 0;

	if (!skip_blanks(t, e))
		return false;
	*token = (struct token){ .kind = TOKEN_END, .line = t->line };
	if (!t->rest.len)
		return true;
	if (t->rest.at[0] == '"' || t->rest.at[0] == '\'') {
		if (!quoted(t, &len, &lines, e))
			return false;
		token->kind = t->rest.at[0] == '"' ? TOKEN_DOUBLE : TOKEN_SINGLE;
		token->text = (struct span){ t->rest.at + 1, len - 2 };
	} else {
		if (!word(t, &len, e))
			return false;
		token->kind = len ? TOKEN_WORD : TOKEN_MARK;
		if (!len)
			len = span_starts(t->rest, SPAN("+=")) ? 2 : 1;
		token->text = (struct span){ t->rest.at, len };
	}
	t->line += lines;
	t->rest = span_from(t->rest, len);
	return true;
}
