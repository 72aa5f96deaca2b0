/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/script.h"

static struct token word(const char *text, enum token_kind kind)
{
	return (struct token){ kind, span_of(text), 1 };
}

static uint32_t key(struct script *s, const char *name, uint32_t line)
{
	struct token t = word(name, TOKEN_WORD);

	return script_key(s, &t, (struct place){ .where = { "f", line } });
}

static void value(struct script *s, const char *text, enum token_kind kind)
{
	struct token t = word(text, kind);

	script_token(s, &t);
}

static void a_key_a_line_with_its_place(void **state)
{
	struct script s;

	(void)state;
	script_start(&s);
	assert_null(script_place(&s, 1));
	assert_int_equal(key(&s, "a", 7), 1);
	value(&s, "=", TOKEN_MARK);
	value(&s, "x\\y\\", TOKEN_SINGLE);
	assert_int_equal(key(&s, "b", 9), 2);
	value(&s, "\\n${V}", TOKEN_DOUBLE);
	script_expands(&s);
	script_section_end(&s, 1);
	s.mute = 1;
	assert_int_equal(key(&s, "c", 10), 0);
	script_put(&s, SPAN("never"));
	script_expands(&s);
	script_section_end(&s, 2);
	s.mute = 0;
	assert_true(buf_terminate(&s.text));
	assert_string_equal(s.text.at, "'a' ='x\\\\y\\\\'\n'b' \"\\n${V}\" }");
	assert_int_equal(script_place(&s, 1)->where.line, 7);
	assert_int_equal(script_place(&s, 2)->where.line, 9);
	assert_int_equal(script_place(&s, 3)->where.line, 9);	/* behind the last: of the last */
	assert_int_equal(script_place(&s, 0)->where.line, 7);
	assert_false(script_place(&s, 1)->expands);
	assert_true(script_place(&s, 2)->expands);
	assert_int_equal(s.section_count, 1);

	script_again(&s);
	assert_int_equal(s.text.len + s.section_count, 0);
	assert_int_equal(key(&s, "d", 11), 1);
	assert_int_equal(script_place(&s, 1)->where.line, 11);
	script_end(&s);
}

static void it_grows_to_its_limit_and_says_so(void **state)
{
	static char block[1 << 20];
	struct script s;

	(void)state;
	script_start(&s);
	memset(block, 'x', sizeof block);
	for (size_t n = 0; n < SCRIPT_MAX / sizeof block; n++)
		script_put(&s, (struct span){ block, sizeof block });
	assert_false(s.full);
	assert_int_equal(s.text.len, SCRIPT_MAX);
	script_put(&s, SPAN("y"));
	assert_true(s.full);
	assert_int_equal(key(&s, "a", 1), 0);
	script_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_a_line_with_its_place),
		cmocka_unit_test(it_grows_to_its_limit_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
