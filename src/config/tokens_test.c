/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "config/tokens.h"

/* Tokens as KIND:TEXT@LINE; kinds w, s, d, m; an error as !LINE what. */
static const struct row {
	const char *name;
	struct span text;
	const char *story;
} rows[] = {
	{ "nothing",              SPAN(""),                       "" },
	{ "blanks",               SPAN(" \t\r\n\f\v\n"),        "" },
	{ "a key",                SPAN("a = b\n"),                "w:a@1 m:=@1 w:b@1 " },
	{ "without blanks",       SPAN("a=b{c,d}"),               "w:a@1 m:=@1 w:b@1 m:{@1 w:c@1 m:,@1 w:d@1 m:}@1 " },
	{ "appended",             SPAN("a+=b"),                   "w:a@1 m:+=@1 w:b@1 " },
	{ "a plus",               SPAN("+a b+c"),                 "w:+a@1 w:b+c@1 " },
	{ "a call",               SPAN("include(x)"),             "w:include@1 m:(@1 w:x@1 m:)@1 " },
	{ "lines",                SPAN("a\nb\n\nc"),              "w:a@1 w:b@2 w:c@4 " },
	{ "a mark of bytes",      SPAN("\xef\xbb\xbf" "a"),       "w:a@1 " },
	{ "line comments",        SPAN("a # b\nc // d\n# e"),     "w:a@1 w:c@2 " },
	{ "a comment ends words", SPAN("a#b"),                    "w:a@1 " },
	{ "slashes in words",     SPAN("a//b c/*d /e"),           "w:a//b@1 w:c/*d@1 w:/e@1 " },
	{ "C comments",           SPAN("a/* \n* / */b /**/ c /*\n*/ d"), "w:a/*@1 w:*@2 w:/@2 w:*/b@2 w:c@2 w:d@3 " },
	{ "an open comment",      SPAN("a\n/* b\nc"),             "w:a@1 !2 this comment is not closed; write */ at its end" },
	{ "a comment's beginning", SPAN("/*/"),                   "!1 this comment is not closed; write */ at its end" },
	{ "single quotes",        SPAN("'a \"b\\' c"),            "s:a \"b\\@1 w:c@1 " },
	{ "empty quotes",         SPAN("''\"\""),                 "s:@1 d:@1 " },
	{ "double quotes",        SPAN("\"a'b\\\"c\" d"),        "d:a'b\\\"c@1 w:d@1 " },
	{ "signs in quotes",      SPAN("'{}=,#/*' \"//(\""),      "s:{}=,#/*@1 d://(@1 " },
	{ "a joined line",        SPAN("\"a\\\nb\" c"),          "d:a\\\nb@1 w:c@2 " },
	{ "a variable",           SPAN("\"${A}${B:-c}\""),        "d:${A}${B:-c}@1 " },
	{ "a dollar",             SPAN("\"$ $a \\${\" $a $"),     "d:$ $a \\${@1 w:$a@1 w:$@1 " },
	{ "an open single quote", SPAN("\n'a\nb'"),               "!2 this text in quotes has no end on its line; write the closing '" },
	{ "an open double quote", SPAN("\"a\nb\""),              "!1 this text in quotes has no end on its line; write the closing \"" },
	{ "a quote at the end",   SPAN("a '"),                    "w:a@1 !1 this text in quotes has no end on its line; write the closing '" },
	{ "an escape at the end", SPAN("\"a\\"),                "!1 this text in quotes has no end on its line; write the closing \"" },
	{ "an open variable",     SPAN("\"${a\" }"),              "!1 ${ has no } behind it; write ${VAR}, or \\${ for the two characters" },
	{ "a variable over lines", SPAN("\"${a\n}\""),           "!1 ${ has no } behind it; write ${VAR}, or \\${ for the two characters" },
	{ "a bare variable",      SPAN("x${a}"),                  "!1 ${VAR} is expanded in double quotes only; write \"${VAR}\"" },
	{ "a NUL",                SPAN("a\0b"),                   "!1 an octet 0 cannot stand in a configuration" },
	{ "a NUL in quotes",      SPAN("'a\0b'"),                 "!1 an octet 0 cannot stand in a configuration" },
	{ "a NUL escaped",        SPAN("\"\\\0\""),             "!1 this escape makes an octet 0, which no value can hold" },
	{ "escapes",              SPAN("\"\\x41\\101\\n\\xg\\8\""), "d:\\x41\\101\\n\\xg\\8@1 " },
	{ "octal NUL",            SPAN("\"\\000\""),            "!1 this escape makes an octet 0, which no value can hold" },
	{ "hexadecimal NUL",      SPAN("\"\\x0\""),             "!1 this escape makes an octet 0, which no value can hold" },
};

static void tell(struct span text, char *out, size_t size)
{
	static const char kinds[] = "?wsdm";
	struct tokens t;
	struct token token;
	struct err e;
	size_t used = 0;

	out[0] = '\0';
	for (conf_tokens_start(&t, text); ; used = strlen(out)) {
		if (!conf_tokens_next(&t, &token, &e)) {
			(void)snprintf(out + used, size - used, "!%u %s", t.line, e.text);
			return;
		}
		if (token.kind == TOKEN_END)
			return;
		(void)snprintf(out + used, size - used, "%c:%.*s@%u ", kinds[token.kind], (int)token.text.len, token.text.at, token.line);
	}
}

static void stories(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char told[500];

		tell(r->text, told, sizeof told);
		assert_string_equal(told, r->story);
	}
}

/* No text, however cut, makes it read on or stand still. */
static void every_cut_comes_to_an_end(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		for (size_t cut = 0; cut <= r->text.len; cut++) {
			char *copy = cut ? test_malloc(cut) : NULL, told[500];

			if (cut)
				memcpy(copy, r->text.at, cut);
			tell((struct span){ copy, cut }, told, sizeof told);
			if (cut)
				test_free(copy);
		}
	}
}

static void kinds_of_tokens(void **state)
{
	struct token mark = { TOKEN_MARK, SPAN("{"), 1 }, word = { TOKEN_WORD, SPAN("{"), 1 };

	(void)state;
	assert_true(conf_token_is(&mark, "{"));
	assert_false(conf_token_is(&mark, "}"));
	assert_false(conf_token_is(&word, "{"));
	assert_true(token_is_text(&word));
	assert_false(token_is_text(&mark));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stories),
		cmocka_unit_test(every_cut_comes_to_an_end),
		cmocka_unit_test(kinds_of_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
