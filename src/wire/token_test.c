/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "wire/token.h"

/* A story has a word a token: an atom as it is, a string in quotes (a literal's
 * size in front), ( ) [ ] for lists and codes, <text>, `;` for a line's end,
 * `!` for what is bad; an atom's part ends with +, what is cut with ~. */
enum { MEMORY = 64 };

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define X70 X60 X10

static const struct row {
	const char *name;
	struct span in;
	const char *want;
} rows[] = {
	/* ---- lines */
	{ "nothing", SPAN(""), "" },
	{ "an empty line", SPAN("\r\n"), ";" },
	{ "a line without its end", SPAN("* 1 EXISTS"), "* 1 " },
	{ "words", SPAN("* 1 EXISTS\r\n"), "* 1 EXISTS ;" },
	{ "LF alone ends it", SPAN("* 1 EXISTS\n"), "* 1 EXISTS ;" },
	{ "blanks", SPAN("  *   1 \t EXISTS  \r\n"), "* 1 EXISTS ;" },
	{ "CR inside", SPAN("* 1\rEXISTS\r\n"), "* 1 !" },
	{ "NUL inside", SPAN("* 1\0 EXISTS\r\n"), "* !" },
	{ "octets above 127 are a word's", SPAN("* LIST \xc3\xa9\r\n"), "* LIST \xc3\xa9 ;" },
	{ "a word too long", SPAN("* LIST " X70 "\r\n"), "* LIST !" },
	{ "a tag too long", SPAN(X70), "!" },

	/* ---- status lines and codes */
	{ "greeting", SPAN("* OK ready {3}\r\n"), "* OK <ready {3}> ;" },
	{ "no text", SPAN("P1 OK\r\n"), "P1 OK <> ;" },
	{ "blanks for text", SPAN("P1 NO  \r\n"), "P1 NO <> ;" },
	{ "code", SPAN("* OK [UIDVALIDITY 12] fine [x]\r\n"), "* OK [ UIDVALIDITY 12 ] <fine [x]> ;" },
	{ "code glued to its text", SPAN("* ok [ALERT]now\r\n"), "* ok [ ALERT ] <now> ;" },
	{ "empty code", SPAN("* OK []\r\n"), "* OK [ ] <> ;" },
	{ "flags of any letters", SPAN("* FLAGS (\\Seen a(b c] \"d)\r\n* flags\r\n* 1 FETCH (FLAGS (x))\r\n"), "* FLAGS <(\\Seen a(b c] \"d)> ;* flags <> ;* 1 FETCH ( FLAGS ( x ) ) ;" },
	{ "code with a list", SPAN("* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n"), "* OK [ PERMANENTFLAGS ( \\Seen \\* ) ] <x> ;" },
	{ "code, list not closed", SPAN("* OK [PERMANENTFLAGS (\\Seen \\*] x\r\n* 1 EXISTS\r\n"),
	  "* OK [ PERMANENTFLAGS ( \\Seen \\* ] <x> ;* 1 EXISTS ;" },
	{ "code, one bracket too many", SPAN("* OK [PERMANENTFLAGS \\Seen)] x\r\n"), "* OK [ PERMANENTFLAGS \\Seen ] <x> ;" },
	{ "code not closed", SPAN("* OK [ALERT x\r\n* 1 EXISTS\r\n"), "* OK [ ALERT x ] <> ;* 1 EXISTS ;" },
	{ "code with quotes", SPAN("* NO [BADCHARSET (\"UTF-8\" {3})] x\r\n"), "* NO [ BADCHARSET ( \"UTF-8\" {3} ) ] <x> ;" },
	{ "a very long code", SPAN("* OK [" X70 " " X70 "] " X70 "\r\n"), "* OK [ " X60 "xxxx~ " X60 "xxxx~ ] <" X60 "xxxx~> ;" },
	{ "sets in a code are cut, too", SPAN("* OK [1,2,3," X70 "]\r\n"), "* OK [ 1,2,3," X10 X10 X10 X10 X10 "xxxxxxxx~ ] <> ;" },
	{ "a status word elsewhere", SPAN("* 1 OK (NO BAD)\r\n"), "* 1 OK ( NO BAD ) ;" },
	{ "continuation", SPAN("+ cGxl=\r\n+\r\n+ \r\n+ [x] \"\r\n"), "+ <cGxl=> ;+ <> ;+ <> ;+ <[x] \"> ;" },
	{ "a status word in a list", SPAN("*(OK a)\r\n"), "* ( OK a ) ;" },
	{ "POP3", SPAN("+OK (hi\r\n"), "+OK ( hi !" },

	/* ---- strings */
	{ "quoted", SPAN("* LIST () \"/\" \"a b\"\r\n"), "* LIST ( ) \"/\" \"a b\" ;" },
	{ "escapes", SPAN("* X \"a\\\"b\\\\c\" \"\\\\\"\r\n"), "* X \"a\"b\\c\" \"\\\" ;" },
	{ "empty quoted", SPAN("* X \"\"\"\"\r\n"), "* X \"\" \"\" ;" },
	{ "quoted cut by its line", SPAN("* X \"a\r\n"), "* X \"a!" },
	{ "escape cut by its line", SPAN("* X \"a\\\r\n"), "* X \"a!" },
	{ "quoted longer than the memory", SPAN("* X \"" X70 X70 "\"\r\n"), "* X \"" X70 X70 "\" ;" },
	{ "NUL in a quoted", SPAN("* X \"a\0b\"\r\n"), "* X \"a.b\" ;" },
	{ "literal", SPAN("* X {3}\r\nabc\r\n"), "* X 3\"abc\" ;" },
	{ "its octets are no protocol", SPAN("* X {12}\r\n\r\nP1 NO \"({)\r\n"), "* X 12\"\r\nP1 NO \"({)\" ;" },
	{ "empty literal", SPAN("* X {0}\r\n)\r\n"), "* X 0\"\" !" },
	{ "empty literal in a list", SPAN("* X ({0}\r\n)\r\n"), "* X ( 0\"\" ) ;" },
	{ "literal+", SPAN("* X {1+}\r\na\r\n"), "* X 1\"a\" ;" },
	{ "literal8", SPAN("* X ~{2}\r\na\0\r\n"), "* X 2\"a.\" ;" },
	{ "literal behind LF", SPAN("* X {1}\na\n"), "* X 1\"a\" ;" },
	{ "tilde in a word", SPAN("* LIST ~peter a~{3}\r\n"), "* LIST ~peter a~{3} ;" },
	{ "tilde alone", SPAN("* LIST ~\r\n"), "* LIST ~ ;" },
	{ "leading zeros", SPAN("* X {0001}\r\na\r\n"), "* X 1\"a\" ;" },
	{ "the largest literal", SPAN("* X {9223372036854775807}\r\nab"), "* X 9223372036854775807\"ab" },
	{ "larger than that", SPAN("* X {9223372036854775808}\r\n"), "* X !" },
	{ "2^64 + 1", SPAN("* X {18446744073709551617}\r\n"), "* X !" },
	{ "no size", SPAN("* X {}\r\n"), "* X !" },
	{ "only +", SPAN("* X {+}\r\n"), "* X !" },
	{ "a negative size", SPAN("* X {-1}\r\n"), "* X !" },
	{ "blank in a size", SPAN("* X {1 }\r\n"), "* X !" },
	{ "digit behind +", SPAN("* X {1+1}\r\n"), "* X !" },
	{ "no line end behind a size", SPAN("* X {1} a\r\n"), "* X !" },
	{ "CR without LF behind a size", SPAN("* X {1}\ra"), "* X !" },

	/* ---- FETCH */
	{ "body", SPAN("* 1 FETCH (UID 7 BODY[] {3}\r\nabc FLAGS (\\Seen))\r\n"), "* 1 FETCH ( UID 7 BODY[] 3\"abc\" FLAGS ( \\Seen ) ) ;" },
	{ "section with blanks", SPAN("* 1 FETCH (BODY[HEADER.FIELDS (A \"B\")]<0> {1}\r\na)\r\n"),
	  "* 1 FETCH ( BODY[HEADER.FIELDS (A \"B\")]<0> 1\"a\" ) ;" },
	{ "no blank behind a section", SPAN("* 1 FETCH (body[]{1}\r\na BODY[]\"b\" BODY[]NIL BODY[]<5>\"\")\r\n"),
	  "* 1 FETCH ( body[] 1\"a\" BODY[] \"b\" BODY[] NIL BODY[]<5> \"\" ) ;" },
	{ "section cut by its line", SPAN("* 1 FETCH (BODY[\r\n"), "* 1 FETCH ( BODY[ !" },
	{ "brackets elsewhere", SPAN("* LIST () NIL [Gmail]/x a[b\r\n"), "* LIST ( ) NIL [Gmail]/x a[b ;" },
	{ "glued lists", SPAN("* X (a(b)(c)d)e\r\n"), "* X ( a ( b ) ( c ) d ) e ;" },
	{ "a list cut by its line", SPAN("* X (a\r\n"), "* X ( a !" },
	{ "a list that did not begin", SPAN("* X a)\r\n"), "* X a !" },
	{ "32 deep", SPAN("* X ((((((((((((((((((((((((((((((((a"), "* X ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( " },
	{ "33 deep", SPAN("* X ((((((((((((((((((((((((((((((((("),
	  "* X ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( ( !" },
	{ "a long set in parts", SPAN("* ESEARCH UID ALL 1000000000:1000000001,1000000003:1000000004,1000000006:1000000007,9\r\n"),
	  "* ESEARCH UID ALL 1000000000:1000000001,1000000003:1000000004+ 1000000006:1000000007,9 ;" },
	{ "a part too long", SPAN("* X ," X70 "\r\n"), "* X !" },
};

static void tell(struct buf *told, const struct token *tok)
{
	bool good = true;

	switch (tok->kind) {
	case TOKEN_ATOM:
		good = buf_add(told, tok->text) && buf_add(told, tok->more ? SPAN("+ ") : tok->cut ? SPAN("~ ") : SPAN(" "));
		break;
	case TOKEN_STRING:
		good = !tok->literal || buf_printf(told, "%llu", (unsigned long long)tok->size);
		good = good && buf_add(told, SPAN("\""));
		break;
	case TOKEN_PIECE:
		assert_true(tok->text.len);
		for (size_t i = 0; i < tok->text.len; i++)
			good = good && buf_add_byte(told, tok->text.at[i] ? tok->text.at[i] : '.');
		break;
	case TOKEN_STRING_END: good = buf_add(told, SPAN("\" ")); break;
	case TOKEN_OPEN: good = buf_add(told, SPAN("( ")); break;
	case TOKEN_CLOSE: good = buf_add(told, SPAN(") ")); break;
	case TOKEN_CODE: good = buf_add(told, SPAN("[ ")); break;
	case TOKEN_CODE_END: good = buf_add(told, SPAN("] ")); break;
	case TOKEN_TEXT:
		good = buf_add(told, SPAN("<")) && buf_add(told, tok->text) && buf_add(told, tok->cut ? SPAN("~> ") : SPAN("> "));
		break;
	case TOKEN_LINE: good = buf_add(told, SPAN(";")); break;
	case TOKEN_BAD:
		assert_non_null(tok->why);
		good = buf_add(told, SPAN("!"));
		break;
	case TOKEN_MORE: break;
	}
	assert_true(good);
}

/* True when all was read; what is bad ends the story. */
static bool feed(struct tokens *t, struct span in, struct buf *told)
{
	char *copy = malloc(in.len + !in.len);	/* so that a sanitizer sees a step over the end */
	struct span left = { copy, in.len };
	struct token tok = { 0 };

	memcpy(copy, in.at, in.len);
	while (tok.kind != TOKEN_BAD && tokens_next(t, &left, &tok) != TOKEN_MORE)
		tell(told, &tok);
	free(copy);
	return tok.kind == TOKEN_MORE;
}

static void run(const struct row *r, size_t cut, size_t step)
{
	char *memory = malloc(MEMORY);
	struct tokens t;
	struct buf told;
	bool good = true;

	buf_start(&told, 1 << 16);
	tokens_start(&t, memory, MEMORY);
	for (size_t at = 0, n = cut; good && at < r->in.len; at += n, n = step) {
		n = n < r->in.len - at ? n : r->in.len - at;
		good = feed(&t, (struct span){ r->in.at + at, n }, &told);
	}
	if (!span_equal(buf_span(&told), span_of(r->want)))
		fail_msg("%s (cut %zu): \"%.*s\"\nis not \"%s\"", r->name, cut, (int)told.len, told.at, r->want);
	buf_end(&told);
	free(memory);
}

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		for (size_t cut = 0; cut <= r->in.len; cut++)
			run(r, cut, r->in.len);
		run(r, 1, 1);
	}
}

static void atoms_as_values(void **state)
{
	struct token atom = { .kind = TOKEN_ATOM, .text = SPAN("9223372036854775807") };
	uint64_t n = 0;

	(void)state;
	assert_true(token_number(&atom, INT64_MAX, &n) && n == INT64_MAX);
	atom.text = SPAN("9223372036854775808");
	assert_false(token_number(&atom, INT64_MAX, &n));
	atom.text = SPAN("1x");
	assert_false(token_number(&atom, 100, &n));
	atom.text = SPAN("nil");
	assert_true(token_nil(&atom) && token_is(&atom, "NIL") && !token_is(&atom, "NILS"));
	atom.cut = true;
	assert_false(token_nil(&atom));
	assert_false(token_nil(&(struct token){ .kind = TOKEN_PIECE, .text = SPAN("NIL") }));
}

/* After each octet: may what follows be read by tokens that begin anew? */
static void between_two_responses(void **state)
{
	static const struct { const char *text, *between; } all[] = {
		{ "* A\r\n* B\n \t* C", "00001" "0001" "11" "000" },
		{ "\r\n+\n", "01" "01" },
		{ "* OK [A b] c\r\n", "0000000000000" "1" },
		{ "* 1 F (A {2}\r\nab)\r\n", "00000000000000000" "01" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		char memory[64];
		struct tokens t;
		struct token tok;

		tokens_start(&t, memory, sizeof memory);
		assert_true(tokens_between(&t));
		for (size_t n = 0; all[i].text[n]; n++) {
			struct span in = { all[i].text + n, 1 };

			while (tokens_next(&t, &in, &tok) != TOKEN_MORE)
				;
			if (tokens_between(&t) != (all[i].between[n] == '1'))
				fail_msg("row %zu, octet %zu", i, n);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_tells_the_same_story),
		cmocka_unit_test(between_two_responses),
		cmocka_unit_test(atoms_as_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
