/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "wire/base64.h"

static const struct row {
	struct span plain, coded;
} rows[] = {	/* RFC 4648 section 10 first */
	{ SPAN(""),                 SPAN("") },
	{ SPAN("f"),                SPAN("Zg==") },
	{ SPAN("fo"),               SPAN("Zm8=") },
	{ SPAN("foo"),              SPAN("Zm9v") },
	{ SPAN("foob"),             SPAN("Zm9vYg==") },
	{ SPAN("fooba"),            SPAN("Zm9vYmE=") },
	{ SPAN("foobar"),           SPAN("Zm9vYmFy") },
	{ SPAN("\0"),               SPAN("AA==") },
	{ SPAN("\0\0\0"),           SPAN("AAAA") },
	{ SPAN("\xff\xff\xff\xff"), SPAN("/////w==") },
	{ SPAN("\xfb\xef\xbe"),     SPAN("++++") },
	{ SPAN("\0anna\0secret"),   SPAN("AGFubmEAc2VjcmV0") },
};

static const struct span wrong[] = {
	SPAN("Z"), SPAN("Zg"), SPAN("Zg="), SPAN("Zm8"), SPAN("Zm9vY"),	/* padding missing */
	SPAN("="), SPAN("=="), SPAN("==="), SPAN("===="), SPAN("Z==="), SPAN("A==="), SPAN("Zm9vA==="), SPAN("Zm9v===="), SPAN("Zg==="),	/* too much */
	SPAN("Zg==Zg=="), SPAN("Zm=v"), SPAN("=m9v"), SPAN("Z=9v"), SPAN("Zm8=Zm9v"),	/* in the middle */
	SPAN("Zh=="), SPAN("Zk=="), SPAN("Zm9="), SPAN("////x==="), SPAN("/x=="),	/* stray bits */
	SPAN("Zm9v\r\n"), SPAN("Zm9v\n"), SPAN("\nZm9"), SPAN("Zm 9"), SPAN(" Zm9v"), SPAN("Zm9v "), SPAN("Zm9v    "),
	SPAN("Zm\09"), SPAN("Zm9\0"), SPAN("Zm-_"), SPAN("Zm9\xff"), SPAN("Zm9."), SPAN("Z@9v"), SPAN("Z[9v"), SPAN("Z`9v"),
	SPAN("Z{9v"), SPAN("Z:9v"), SPAN("Zm9vZm9!"),
};

static void there_and_back(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char memory[64], back[64];
		struct buf coded, plain;

		buf_lend(&coded, memory, sizeof memory);
		buf_lend(&plain, back, sizeof back);
		assert_true(base64_encode(r->plain, &coded));
		assert_true(span_equal(buf_span(&coded), r->coded));
		assert_true(base64_decode(r->coded, &plain));
		assert_true(span_equal(buf_span(&plain), r->plain));
		assert_true(base64_measure(r->coded, &coded.max) && coded.max == r->plain.len);
	}
}

static void it_appends(void **state)
{
	char memory[64];
	struct buf out;

	(void)state;
	buf_lend(&out, memory, sizeof memory);
	assert_true(buf_add(&out, SPAN("AUTH PLAIN ")));
	assert_true(base64_encode(SPAN("foob"), &out));
	assert_true(span_equal(buf_span(&out), SPAN("AUTH PLAIN Zm9vYg==")));
	assert_true(base64_decode(SPAN("Zm9vYg=="), &out));
	assert_true(span_equal(buf_span(&out), SPAN("AUTH PLAIN Zm9vYg==foob")));
}

static void what_is_not_base64(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		char memory[64], *text = malloc(wrong[i].len);	/* that ends with it */
		struct buf out;

		assert_non_null(text);
		buf_lend(&out, memory, sizeof memory);
		assert_true(buf_add(&out, SPAN("before")));
		memcpy(text, wrong[i].at, wrong[i].len);
		if (base64_decode((struct span){ text, wrong[i].len }, &out))
			fail_msg("taken: %s", wrong[i].at);
		assert_true(span_equal(buf_span(&out), SPAN("before")));
		if (base64_measure((struct span){ text, wrong[i].len }, &out.max))
			fail_msg("measured: %s", wrong[i].at);
		free(text);
	}
}

/* All or nothing at every size of the room, in memory that ends there. */
static void what_does_not_fit(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t size = 1; size < 24; size++) {
			char *memory = malloc(size);
			struct buf out;

			assert_non_null(memory);
			buf_lend(&out, memory, size);
			assert_int_equal(base64_encode(r->plain, &out), r->coded.len <= size);
			assert_int_equal(out.len, r->coded.len <= size ? r->coded.len : 0);
			buf_lend(&out, memory, size);
			assert_int_equal(base64_decode(r->coded, &out), r->plain.len <= size);
			assert_int_equal(out.len, r->plain.len <= size ? r->plain.len : 0);
			free(memory);
		}
}

static void every_octet(void **state)
{
	char all[256], memory[512], back[256];
	struct buf coded, plain;

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	for (size_t from = 0; from < sizeof all; from++) {
		struct span s = { all + from, sizeof all - from };

		buf_lend(&coded, memory, sizeof memory);
		buf_lend(&plain, back, sizeof back);
		assert_true(base64_encode(s, &coded) && base64_decode(buf_span(&coded), &plain));
		assert_true(span_equal(buf_span(&plain), s));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(it_appends),
		cmocka_unit_test(what_is_not_base64),
		cmocka_unit_test(what_does_not_fit),
		cmocka_unit_test(every_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
