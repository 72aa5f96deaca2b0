/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/token.h"

#include <assert.h>

enum { MEMORY_MIN = 64 };

enum state {
	BETWEEN,	/* tokens */
	ATOM, SECTION, SECTION_END,
	QUOTED, ESCAPE,
	TILDE, SIZE, SIZE_CR, SIZE_LF,
	LITERAL,
	TEXT,
	LINE_CR, LINE_DUE,
};

/* What the rest of a line is made of. */
enum rest { DATA, STATUS, CODE, WORDS };

void tokens_start(struct tokens *t, char *memory, size_t size)
{
	assert(memory && size >= MEMORY_MIN);
	*t = (struct tokens){ 0 };
	buf_lend(&t->held, memory, size);
}

static void bad(struct token *tok, const char *why)
{
	tok->kind = TOKEN_BAD;
	tok->why = why;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool control(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

/* ---- atoms */

/* What the first words of a line say of its rest. */
static void placed(struct tokens *t, struct span atom)
{
	static const char *const statuses[] = { "OK", "NO", "BAD", "BYE", "PREAUTH" };

	if (t->place == 0 && span_equal(atom, SPAN("+")))
		t->rest = WORDS;
	if (t->place == 1 && span_equal_nocase(atom, SPAN("FLAGS")))
		t->rest = WORDS;
	for (size_t i = 0; t->place == 1 && i < COUNT(statuses); i++)
		if (span_equal_nocase(atom, span_of(statuses[i])))
			t->rest = STATUS;
	if (t->place < 2)
		t->place++;
}

static void give_atom(struct tokens *t, struct token *tok)
{
	tok->kind = TOKEN_ATOM;
	tok->text = buf_span(&t->held);
	tok->cut = t->cut;
	t->given = t->held.len;
	t->state = BETWEEN;
	if (t->rest == DATA && !t->depth)
		placed(t, tok->text);
}

/* The memory is full: the parts of a set can go. */
static void give_part(struct tokens *t, struct token *tok)
{
	size_t n = t->held.len;

	while (n && t->held.at[n - 1] != ',')
		n--;
	if (n < 2) {
		bad(tok, "a word is too long");
		return;
	}
	tok->kind = TOKEN_ATOM;
	tok->more = true;
	tok->text = (struct span){ t->held.at, n - 1 };
	t->given = n;
}

/* True when the octet is taken; else a part is handed out first, or it is bad. */
static bool hold(struct tokens *t, char c, struct token *tok)
{
	if (buf_add_byte(&t->held, c))
		return true;
	if (t->rest != DATA) {
		t->cut = true;
		return true;
	}
	give_part(t, tok);
	return false;
}

static bool has_section(struct span name)
{
	static const char *const names[] = { "BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK", "BINARY.SIZE" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (span_equal_nocase(name, span_of(names[i])))
			return true;
	return false;
}

static bool ends_atom(const struct tokens *t, char c)
{
	if (t->rest == CODE && c == ']')
		return true;
	if (t->state == SECTION)
		return c == '\r' || c == '\n';
	if (t->state == SECTION_END && c != '<' && c != '>' && c != '.' && (c < '0' || c > '9'))
		return true;
	return blank(c) || c == '(' || c == ')' || c == '\r' || c == '\n';
}

static void atom_octet(struct tokens *t, struct span *in, struct token *tok)
{
	char c = *in->at;

	if (ends_atom(t, c)) {
		give_atom(t, tok);
		return;
	}
	if (control(c)) {
		bad(tok, "a control octet inside a word");
		return;
	}
	if (!hold(t, c, tok))
		return;
	*in = span_from(*in, 1);
	if (c == '[' && t->state == ATOM && t->rest == DATA && has_section((struct span){ t->held.at, t->held.len - 1 }))
		t->state = SECTION;
	else if (c == ']' && t->state == SECTION)
		t->state = SECTION_END;
}

/* ---- strings */

static void quoted_octets(struct tokens *t, struct span *in, struct token *tok)
{
	size_t n = 0;

	while (n < in->len && in->at[n] != '"' && in->at[n] != '\\' && in->at[n] != '\r' && in->at[n] != '\n')
		n++;
	if (n) {
		tok->kind = TOKEN_PIECE;
		tok->text = (struct span){ in->at, n };
		*in = span_from(*in, n);
		return;
	}
	if (*in->at == '\\') {
		t->state = ESCAPE;
	} else if (*in->at == '"') {
		t->state = BETWEEN;
		tok->kind = TOKEN_STRING_END;
	} else {
		bad(tok, "a quoted string is cut by the end of its line");
		return;
	}
	*in = span_from(*in, 1);
}

static void escaped_octet(struct tokens *t, struct span *in, struct token *tok)
{
	if (*in->at == '\r' || *in->at == '\n') {
		bad(tok, "a quoted string is cut by the end of its line");
		return;
	}
	tok->kind = TOKEN_PIECE;
	tok->text = (struct span){ in->at, 1 };
	*in = span_from(*in, 1);
	t->state = QUOTED;
}

static void literal_begins(struct tokens *t, struct token *tok)
{
	tok->kind = TOKEN_STRING;
	tok->literal = true;
	tok->size = t->left;
	t->state = LITERAL;
}

static bool size_digit(struct tokens *t, char c)
{
	uint64_t digit = (uint64_t)(c - '0');

	if (c < '0' || c > '9' || t->plus || t->left > ((uint64_t)INT64_MAX - digit) / 10)
		return false;
	t->left = t->left * 10 + digit;
	t->digits = true;
	return true;
}

/* Between { and the first octet of the literal. */
static void size_octet(struct tokens *t, struct span *in, struct token *tok)
{
	char c = *in->at;

	*in = span_from(*in, 1);
	if (t->state == SIZE && c == '}' && t->digits)
		t->state = SIZE_CR;
	else if (t->state == SIZE && c == '+' && t->digits && !t->plus)
		t->plus = true;
	else if (t->state == SIZE_CR && c == '\r')
		t->state = SIZE_LF;
	else if (t->state != SIZE && c == '\n')
		literal_begins(t, tok);
	else if (t->state != SIZE || !size_digit(t, c))
		bad(tok, "the size of a literal is no number below 2^63 with a line end behind it (RFC 3501 section 4.3)");
}

static void literal_octets(struct tokens *t, struct span *in, struct token *tok)
{
	size_t n = in->len < t->left ? in->len : (size_t)t->left;

	tok->kind = TOKEN_PIECE;
	tok->text = (struct span){ in->at, n };
	*in = span_from(*in, n);
	t->left -= n;
}

/* ---- lists, codes, lines */

static void open_list(struct tokens *t, struct token *tok)
{
	tok->kind = TOKEN_OPEN;
	if (++t->depth > TOKEN_DEPTH_MAX)
		bad(tok, "lists are nested more than 32 deep");
}

/* Servers send codes with one bracket too many: there it is passed over. */
static void close_list(struct tokens *t, struct token *tok)
{
	if (t->depth) {
		tok->kind = TOKEN_CLOSE;
		t->depth--;
	} else if (t->rest != CODE) {
		bad(tok, "a list ends that did not begin");
	}
}

static void end_code(struct tokens *t, struct token *tok)
{
	tok->kind = TOKEN_CODE_END;
	t->depth = 0;
	t->rest = WORDS;
}

/* Behind a status and behind "+" a TEXT is due even when nothing is there. */
static void end_line(struct tokens *t, struct span *in, struct token *tok)
{
	if (t->rest == CODE) {
		end_code(t, tok);
		return;
	}
	if (t->rest != DATA) {
		t->state = TEXT;
		t->left = 0;
		return;
	}
	if (t->depth) {
		bad(tok, "a list is cut by the end of its line");
		return;
	}
	t->state = *in->at == '\r' ? LINE_CR : LINE_DUE;
	*in = span_from(*in, 1);
}

static void begin_status(struct tokens *t, struct span *in, struct token *tok)
{
	t->rest = *in->at == '[' ? CODE : WORDS;
	if (t->rest == WORDS)
		return;
	tok->kind = TOKEN_CODE;
	*in = span_from(*in, 1);
}

static void begin_data(struct tokens *t, struct span *in, struct token *tok)
{
	char c = *in->at;

	t->digits = t->plus = false;
	t->left = 0;
	t->state = ATOM;
	if (t->rest == CODE)
		return;
	if (c == '"') {
		t->state = QUOTED;
		tok->kind = TOKEN_STRING;
	} else if (c == '{') {
		t->state = SIZE;
	} else if (c == '~') {
		t->state = TILDE;
	}
	if (t->state != ATOM)
		*in = span_from(*in, 1);
}

static void between(struct tokens *t, struct span *in, struct token *tok)
{
	char c = *in->at;

	if (c == '\r' || c == '\n') {
		end_line(t, in, tok);
	} else if (blank(c)) {
		*in = span_from(*in, 1);
	} else if (t->rest == STATUS) {
		begin_status(t, in, tok);
	} else if (t->rest == WORDS) {
		t->state = TEXT;
		t->left = 0;
	} else if (c == '(' || c == ')') {
		*in = span_from(*in, 1);
		if (c == '(')
			open_list(t, tok);
		else
			close_list(t, tok);
	} else if (c == ']' && t->rest == CODE) {
		*in = span_from(*in, 1);
		end_code(t, tok);
	} else {
		begin_data(t, in, tok);
	}
}

/* "~" begins a literal, or is a word's first octet ("~peter"). */
static void after_tilde(struct tokens *t, struct span *in, struct token *tok)
{
	if (*in->at == '{') {
		t->state = SIZE;
		*in = span_from(*in, 1);
	} else if (hold(t, '~', tok)) {
		t->state = ATOM;
	}
}

static void text_octets(struct tokens *t, struct span *in, struct token *tok)
{
	size_t lf = span_find(*in, '\n');
	struct span part = { in->at, lf };
	bool ended = lf < in->len;
	size_t room = t->held.max - t->held.len;

	t->left += part.len;
	if (t->left > TOKEN_TEXT_MAX) {
		bad(tok, "a line without end (more than 1048576 octets of text)");
		return;
	}
	t->cut |= part.len > room;
	part.len = part.len < room ? part.len : room;
	if (!buf_add(&t->held, part))
		t->cut = true;
	*in = span_from(*in, lf + ended);
	if (!ended)
		return;
	tok->kind = TOKEN_TEXT;
	tok->text = buf_span(&t->held);
	if (tok->text.len && tok->text.at[tok->text.len - 1] == '\r')
		tok->text.len--;
	tok->cut = t->cut;
	t->given = t->held.len;
	t->state = LINE_DUE;
}

static void give_line(struct tokens *t, struct token *tok)
{
	tok->kind = TOKEN_LINE;
	t->state = BETWEEN;
	t->rest = DATA;
	t->place = 0;
}

static void line_lf(struct tokens *t, struct span *in, struct token *tok)
{
	if (*in->at != '\n') {
		bad(tok, "a CR without LF");
		return;
	}
	*in = span_from(*in, 1);
	t->state = LINE_DUE;
}

static void octet(struct tokens *t, struct span *in, struct token *tok)
{
	switch ((enum state)t->state) {
	case BETWEEN:
		between(t, in, tok);
		return;
	case ATOM:
	case SECTION:
	case SECTION_END:
		atom_octet(t, in, tok);
		return;
	case QUOTED:
		quoted_octets(t, in, tok);
		return;
	case ESCAPE:
		escaped_octet(t, in, tok);
		return;
	case TILDE:
		after_tilde(t, in, tok);
		return;
	case SIZE:
	case SIZE_CR:
	case SIZE_LF:
		size_octet(t, in, tok);
		return;
	case LITERAL:
		literal_octets(t, in, tok);
		return;
	case TEXT:
		text_octets(t, in, tok);
		return;
	case LINE_CR:
		line_lf(t, in, tok);
		return;
	case LINE_DUE:
		break;
	}
	assert(0);
}

enum token_kind tokens_next(struct tokens *t, struct span *in, struct token *tok)
{
	*tok = (struct token){ 0 };
	if (t->given) {
		buf_drop(&t->held, t->given);
		t->given = 0;
	}
	if (t->state == BETWEEN)
		t->cut = false;
	while (!tok->kind) {
		if (t->state == LINE_DUE) {
			give_line(t, tok);
		} else if (t->state == LITERAL && !t->left) {
			tok->kind = TOKEN_STRING_END;
			t->state = BETWEEN;
		} else if (in->len) {
			octet(t, in, tok);
		} else {
			break;
		}
	}
	return tok->kind;
}

bool tokens_between(const struct tokens *t)
{
	return t->state == BETWEEN && t->rest == DATA && !t->place && !t->depth && t->held.len == t->given;
}

bool token_nil(const struct token *tok)
{
	return token_is(tok, "NIL");
}

bool token_number(const struct token *tok, uint64_t max, uint64_t *value)
{
	return tok->kind == TOKEN_ATOM && !tok->more && !tok->cut && span_number(tok->text, max, value);
}

bool token_is(const struct token *tok, const char *word)
{
	return tok->kind == TOKEN_ATOM && !tok->more && !tok->cut && span_equal_nocase(tok->text, span_of(word));
}
