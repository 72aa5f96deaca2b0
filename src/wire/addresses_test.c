/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "wire/addresses.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Each address as {local|domain}, or {local} when it has none. */
static const struct row {
	const char *name;
	struct span list;
	const char *story;
} rows[] = {
	{ "nothing",                  SPAN(""),                                "" },
	{ "blanks",                   SPAN(" \r\n\t "),                        "" },
	{ "one",                      SPAN("anna@example.org"),                "{anna|example.org}" },
	{ "two",                      SPAN("a@b.c,d@e.f"),                     "{a|b.c}{d|e.f}" },
	{ "empty ones",               SPAN(",, a@b , ,c@d,"),                  "{a|b}{c|d}" },
	{ "case stays",               SPAN("Anna@Example.ORG"),                "{Anna|Example.ORG}" },
	{ "atoms",                    SPAN("!#$%&'*+-/=?^_`{|}~@b"),           "{!#$%&'*+-/=?^_`{|}~|b}" },
	{ "in angles",                SPAN("<a@b>"),                           "{a|b}" },
	{ "a name",                   SPAN("Anna K <a@b>, Bob <c@d>"),         "{a|b}{c|d}" },
	{ "a name with dots",         SPAN("J. R. Smith <j@b>"),               "{j|b}" },
	{ "a quoted name",            SPAN("\"K, Anna; <x@y>\" <a@b>"),        "{a|b}" },
	{ "quotes in quotes",         SPAN("\"a \\\" , <x@y>\" <a@b>"),        "{a|b}" },
	{ "an address as a name",     SPAN("x@y <a@b>, \"x@y\" <c@d>"),        "{a|b}{c|d}" },
	{ "a bracketed name",         SPAN("[List] A <a@b>"),                  "{a|b}" },
	{ "an encoded name",          SPAN("=?utf-8?q?a=2Cb?= <a@b>"),         "{a|b}" },
	{ "8-bit",                    SPAN("\xc3\xa9@\xc3\xa4.de, \xe9 <a@b>"), "{\xc3\xa9|\xc3\xa4.de}{a|b}" },
	{ "a comment",                SPAN("a@b (Anna), (x, y@z) c@d"),        "{a|b}{c|d}" },
	{ "comments in comments",     SPAN("a@b (A (B) \\( C), c@d"),          "{a|b}{c|d}" },
	{ "comments between",         SPAN("a(1) . (2)b (3)@ c (4). d"),       "{a.b|c.d}" },
	{ "folds",                    SPAN("Anna\r\n <a@b>,\r\n\tc@d,\n e\n @f"), "{a|b}{c|d}{e|f}" },
	{ "obsolete blanks",          SPAN("anna . k @ example . org"),        "{anna.k|example.org}" },
	{ "a quoted local part",      SPAN("\"a k\"@b, \"c\".d@e"),            "{a k|b}{c.d|e}" },
	{ "'@' in quotes",            SPAN("\"a@b\"@c"),                       "{a@b|c}" },
	{ "a quoted octet",           SPAN("\"a\\\"\\\\\"@b"),                 "{a\"\\|b}" },
	{ "a fold in quotes",         SPAN("\"a\r\n b\"@c, \"d\n e\"@f"),      "{a b|c}{d e|f}" },
	{ "an empty quoted part",     SPAN("\"\"@b, \"\", <\"\"@c>"),          "" },
	{ "a literal",                SPAN("a@[192.0.2.1], b@[IPv6:2001:db8::1]"), "{a|[192.0.2.1]}{b|[IPv6:2001:db8::1]}" },
	{ "a bad literal",            SPAN("a@[, b@[], c@[@], d@[x]y, e@f[x], g@h"), "{g|h}" },
	{ "a group",                  SPAN("Team: a@b, C <c@d>; e@f"),         "{a|b}{c|d}{e|f}" },
	{ "an empty group",           SPAN("undisclosed-recipients:;, a@b"),   "{a|b}" },
	{ "a group's quoted name",    SPAN("\"A: b\" c: a@b;"),                "{a|b}" },
	{ "semicolons",               SPAN("a@b; c@d;"),                       "{a|b}{c|d}" },
	{ "a URL's scheme",           SPAN("mailto:a@b"),                      "{a|b}" },
	{ "a route",                  SPAN("<@x,@y.z:a@b>, C <@x:c@d>"),       "{a|b}{c|d}" },
	{ "a route of nothing",       SPAN("<@x,@y>, <@x:>, e@f"), "{e|f}" },
	{ "an unclosed route",        SPAN("<@x,@y, a@b"),                     "" },
	{ "a port",                   SPAN("a@b:25, c@d"),                     "{c|d}" },
	{ "words alone",              SPAN("anna, <bob>, k.l, \"m n\""),       "{anna}{bob}{k.l}{m n}" },
	{ "two words",                SPAN("anna k, a b@c, a@b c, d@e"),       "{d|e}" },
	{ "dots",                     SPAN("a..b@c, a.@c, .a@c, a@.c, a@c., a@c..d, a., ."), "{a..b|c}{a.|c}" },
	{ "no local part",            SPAN("@b, <@b>, <>, @, < @ >"),          "" },
	{ "no domain",                SPAN("a@, <a@>, b@c"),                   "{b|c}" },
	{ "two '@'",                  SPAN("a@b@c, d@e"),                      "{d|e}" },
	{ "a quoted domain",          SPAN("a@\"b\", c@d"),                    "{c|d}" },
	{ "behind the angles",        SPAN("<a@b> Anna, <c@d> (x), <e@f> \"x, y\", <g@h> i.j: [k]"), "{a|b}{c|d}{e|f}{g|h}" },
	{ "two in angles",            SPAN("<a@b> <c@d>, <<e@f>>, <<e@f>, <a@b <c@d>, <a@b> <, <g@h> i@j, k@l"), "{k|l}" },
	{ "open angles",              SPAN("<a@b, c@d>, e@f, <g@h"),           "{e|f}" },
	{ "closed angles",            SPAN("a@b>, c@d"),                       "{c|d}" },
	{ "an open quote",            SPAN("a@b, \"c, d@e"),                   "{a|b}" },
	{ "an open quote at its end", SPAN("a@b, \"c\\"),                      "{a|b}" },
	{ "an open quote behind",     SPAN("a@b, <c@d> \"x, e@f"),             "{a|b}" },
	{ "an open comment",          SPAN("a@b, c@d (, e@f"),                 "{a|b}" },
	{ "an open comment at its end", SPAN("a@b, c@d (\\"),                  "{a|b}" },
	{ "a closed comment",         SPAN("a@b), c@d"),                       "{c|d}" },
	{ "a backslash",              SPAN("a\\b@c, d@e"),                     "{d|e}" },
	{ "controls",                 SPAN("a\0b@c, d\x01@e, f\x7f@g, \"h\0\"@i, \"j\\\0\"@k, l@m\x1b, n@o"), "{n|o}" },
	{ "controls in a name",       SPAN("A\0 <a@b>, \"B\0\" <c@d>"),        "{a|b}{c|d}" },
	{ "a lone CR in quotes",      SPAN("\"a\rb\"@c, \"a\\\r\nb\"@c, d@e"), "{d|e}" },
	{ "as long as may be",        SPAN(A64 "@" A64 "." A64 "." A64 ".bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
		"{" A64 "|" A64 "." A64 "." A64 ".bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb}" },
	{ "longer",                   SPAN(A64 "@" A64 "." A64 "." A64 "." A64 "bb, c@d"), "{c|d}" },
	{ "a long name",              SPAN(A64 " " A64 " " A64 " " A64 " " A64 " " A64 " <a@b>"), "{a|b}" },
};

static void tell(struct buf *story, struct span list)
{
	struct address a;

	while (addresses_next(&list, &a)) {
		assert_true(a.len == strlen(a.text) && a.len <= ADDRESS_MAX && a.local && a.local <= a.len);
		assert_true(address_has_domain(&a) == (a.local < a.len));
		if (address_has_domain(&a))
			assert_true(a.text[a.local] == '@' && a.local + 1 < a.len);
		assert_true(buf_printf(story, address_has_domain(&a) ? "{%.*s|%s}" : "{%.*s}", (int)a.local, a.text, a.text + a.local + 1));
	}
	assert_true(list.len == 0 && buf_terminate(story));
}

static void lists_are_taken_apart(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char *copy = malloc(r->list.len + 1), memory[1024];
		struct buf story;

		assert_non_null(copy);
		memcpy(copy, r->list.at, r->list.len);
		buf_lend(&story, memory, sizeof memory);
		tell(&story, (struct span){ copy, r->list.len });
		free(copy);
		if (strcmp(memory, r->story) != 0)
			fail_msg("%s: %s, not %s", r->name, memory, r->story);
	}
}

/* Whatever a list is cut to, what stood whole before the cut is found as before. */
static void cut_anywhere(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t n = 0; n <= r->list.len; n++) {
			char *copy = malloc(n ? n : 1), memory[1024];
			struct buf story;

			assert_non_null(copy);
			memcpy(copy, r->list.at, n);
			buf_lend(&story, memory, sizeof memory);
			tell(&story, (struct span){ copy, n });
			free(copy);
		}
}

/* Were the work more than linear, these would take minutes. */
static void long_lists_take_no_time(void **state)
{
	static const char *const units[] = { "(", "\"", "<", "a@b,", "a:", "\\", "(\\", "<@", "[", "a.", "a ", "@", "<@a,", ";", "\"a\" ", "()" };
	enum { OCTETS = 4 << 20 };
	char *list = malloc(OCTETS);

	(void)state;
	assert_non_null(list);
	for (size_t u = 0; u < COUNT(units); u++) {
		struct span left = { list, OCTETS };
		struct address a;
		size_t found = 0;

		for (size_t n = 0; n < OCTETS; n++)
			list[n] = units[u][n % strlen(units[u])];
		while (addresses_next(&left, &a))
			found++;
		assert_int_equal(found, strcmp(units[u], "a@b,") == 0 ? OCTETS / 4 : 0);
	}
	free(list);
}

/* What is skipped is told of, and what is nothing is not. */
static void what_is_no_address_is_told_of(void **state)
{
	static const struct {
		struct span list;
		size_t good, bad;
	} of[] = {
		{ SPAN(""), 0, 0 }, { SPAN(" , ,;(c)\r\n ,"), 0, 0 }, { SPAN("two words:;, a:b@c;"), 1, 0 }, { SPAN("a, <b>, c@d e, f g, h@i"), 3, 2 },
		{ SPAN("<>, ., @, \"\", a@, (b"), 0, 6 }, { SPAN("a@b, \"c, d@e"), 1, 1 }, { SPAN("<a@b> <c@d>, e:f@g:"), 0, 2 },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(of); n++) {
		struct span left = of[n].list;
		struct address a;
		size_t counts[3] = { 0 };
		enum addresses_what what;

		while ((what = addresses_any(&left, &a)) != ADDRESSES_END)
			counts[what]++;
		assert_int_equal(counts[ADDRESSES_ONE], of[n].good);
		assert_int_equal(counts[ADDRESSES_BAD], of[n].bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_taken_apart),
		cmocka_unit_test(what_is_no_address_is_told_of),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(long_lists_take_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
