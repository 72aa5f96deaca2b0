/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void copies_outlive_what_was_told(void **state)
{
	char text[] = "as anna by PLAIN", words[] = "refused by the server: no";
	struct visit_mech mechs[] = { { "CRAM-MD5", "refused", words }, { "PLAIN", "worked", "logged in" } };
	const struct visit_step login = { .what = STEP_LOGIN, .good = true, .text = text, .ms = 7, .mechs = mechs, .mech_count = 2 };
	struct told *t = told_new();
	const struct visit_step *s;

	(void)state;
	assert_null(told_at(t, 0));
	told_add(t, &(struct visit_step){ .what = STEP_CONNECT, .good = true, .text = "127.0.0.1:110" });
	told_add(t, &login);
	memset(text, '?', sizeof text - 1);
	memset(words, '?', sizeof words - 1);
	mechs[1].name = "?";
	assert_string_equal(told_at(t, 0)->text, "127.0.0.1:110");
	s = told_at(t, 1);
	assert_true(s->what == STEP_LOGIN && s->good && s->ms == 7 && s->mech_count == 2);
	assert_string_equal(s->text, "as anna by PLAIN");
	assert_string_equal(s->mechs[0].text, "refused by the server: no");
	assert_string_equal(s->mechs[1].name, "PLAIN");
	assert_null(told_at(t, 2));
	told_free(&t);
	assert_null(t);
	told_free(&t);
}

static void there_is_an_end(void **state)
{
	struct told *t = told_new();
	char text[32];

	(void)state;
	for (unsigned n = 0; n < TOLD_MAX + 5; n++) {
		(void)snprintf(text, sizeof text, "box%u", n);
		told_add(t, &(struct visit_step){ .what = STEP_MAILBOX, .text = text });
	}
	assert_string_equal(told_at(t, TOLD_MAX - 2)->text, "box998");
	assert_string_equal(told_at(t, TOLD_MAX - 1)->text, "box1004");
	assert_null(told_at(t, TOLD_MAX));
	told_free(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(copies_outlive_what_was_told), cmocka_unit_test(there_is_an_end) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
