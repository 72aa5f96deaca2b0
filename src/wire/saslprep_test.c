/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "wire/saslprep.h"

#define SPAN_NONE ((struct span){ NULL, 0 })

static const struct { const char *name; struct span given, want; } rows[] = {
	{ "RFC 4013: a soft hyphen",  SPAN("I\xc2\xadX"),                SPAN("IX") },
	{ "RFC 4013: as it is",       SPAN("user"),                      SPAN("user") },
	{ "RFC 4013: case stays",     SPAN("USER"),                      SPAN("USER") },
	{ "RFC 4013: NFKC",           SPAN("\xc2\xaa"),                  SPAN("a") },
	{ "RFC 4013: NFKC of a sign", SPAN("\xe2\x85\xa8"),              SPAN("IX") },
	{ "RFC 4013: a control",      SPAN("\x07"),                      SPAN_NONE },
	{ "RFC 4013: directions",     SPAN("\xd8\xa7" "1"),              SPAN_NONE },
	{ "composed",                 SPAN("\xc3\xa9t\xc3\xa9"),         SPAN("\xc3\xa9t\xc3\xa9") },
	{ "not composed",             SPAN("e\xcc\x81te\xcc\x81"),       SPAN("\xc3\xa9t\xc3\xa9") },
	{ "Hangul",                   SPAN("\xe1\x84\x80\xe1\x85\xa1"),  SPAN("\xea\xb0\x80") },
	{ "a blank of its own",       SPAN("a\xe3\x80\x80" "b"),         SPAN("a b") },
	{ "emoji",                    SPAN("\xf0\x9f\x98\x80!"),         SPAN("\xf0\x9f\x98\x80!") },
	{ "after Unicode 3.2",        SPAN("\xf0\x9f\x84\xb0"),          SPAN("\xf0\x9f\x84\xb0") },
	{ "Latin-1",                  SPAN("\xe9t\xe9"),                 SPAN_NONE },
	{ "a surrogate",              SPAN("\xed\xa0\x80"),              SPAN_NONE },
	{ "a NUL",                    SPAN("a\0b"),                      SPAN_NONE },
	{ "a tab",                    SPAN("a\tb"),                      SPAN_NONE },
	{ "a private one",            SPAN("\xee\x80\x80"),              SPAN_NONE },
	{ "breaks off",               SPAN("\xc3\xa9\xc3"),              SPAN_NONE },
	{ "nothing is left",          SPAN("\xc2\xad"),                  SPAN("") },
	{ "nothing",                  SPAN(""),                          SPAN("") },
};

static void texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char memory[SASLPREP_MAX], again[SASLPREP_MAX], password[SASLPREP_MAX];
		struct buf b, twice;
		bool good;

		buf_lend(&b, memory, sizeof memory);
		good = saslprep(rows[i].given, &b);
		if (good != (rows[i].want.at != NULL) || (good && !span_equal(buf_span(&b), rows[i].want)))
			fail_msg("%s: %d %.*s", rows[i].name, good, (int)b.len, memory);
		assert_int_equal(good ? 0 : b.len, 0);
		assert_true(span_equal(saslprep_password(rows[i].given, password), rows[i].want.len ? rows[i].want : rows[i].given));
		if (!good)
			continue;
		buf_lend(&twice, again, sizeof again);
		assert_true(saslprep(buf_span(&b), &twice) && span_equal(buf_span(&b), buf_span(&twice)));
	}
}

/* The most that there can be; one octet more is refused; and what does not fit leaves nothing behind. */
static void the_longest(void **state)
{
	static char text[SASLPREP_IN_MAX + 3], memory[SASLPREP_MAX], small[100];
	struct buf b;

	(void)state;
	for (size_t i = 0; i + 3 <= SASLPREP_IN_MAX; i += 3)
		memcpy(text + i, "\xef\xb7\xba", 3);
	buf_lend(&b, memory, sizeof memory);
	assert_true(saslprep((struct span){ text, SASLPREP_IN_MAX / 3 * 3 }, &b));
	assert_int_equal(b.len, SASLPREP_IN_MAX / 3 * 33);
	buf_lend(&b, small, sizeof small);
	assert_true(buf_add(&b, SPAN("before")));
	assert_false(saslprep((struct span){ text, SASLPREP_IN_MAX / 3 * 3 }, &b));
	assert_int_equal(b.len, 6);
	for (size_t i = 6; i < sizeof small; i++)
		assert_int_equal(small[i], 0);
	memset(text, 'x', sizeof text);
	buf_lend(&b, memory, sizeof memory);
	assert_false(saslprep((struct span){ text, SASLPREP_IN_MAX + 1 }, &b));
	assert_true(saslprep((struct span){ text, SASLPREP_IN_MAX }, &b));
}

/* Any octets: what comes out is prepared already. */
static void by_chance(void **state)
{
	static const char *const parts[] = {
		"a", "E", "\xcc\x81", "\xcc\xb1", "\xc2\xad", "\xef\xac\x81", "\xf0\x9f\x98\x80", "\xe9", "\xd7\x90", "\xe1\x84\x80", "\xe1\x85\xa1", "\xe1\x86\xa8",
		"\xc2\xa0", "\xe2\x84\xab", "\xef\xbc\xa1", "H", "\xd0\xb9", "1", "\xcd\x80", "\xe2\x80\x8b",
	};
	uint32_t n = 4711;
	unsigned done = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char text[64] = "", memory[SASLPREP_MAX], again[SASLPREP_MAX];
		size_t len = 0;
		struct buf b, twice;

		for (unsigned k = 0; k < 1 + i % 7; k++) {
			n = n * 1664525 + 1013904223;
			len += (size_t)snprintf(text + len, sizeof text - len, "%s", parts[(n >> 16) % COUNT(parts)]);
		}
		buf_lend(&b, memory, sizeof memory);
		buf_lend(&twice, again, sizeof again);
		if (!saslprep((struct span){ text, len }, &b))
			continue;
		done++;
		if (!saslprep(buf_span(&b), &twice) || !span_equal(buf_span(&b), buf_span(&twice)))
			fail_msg("%s, prepared: %.*s, twice: %.*s", text, (int)b.len, memory, (int)twice.len, again);
	}
	assert_true(done > 5000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(the_longest),
		cmocka_unit_test(by_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
