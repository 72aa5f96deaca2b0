/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/visit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct row {
	const char *password, *ours, *theirs, *want;
} rows[] = {
	{ "secret", "login was refused", "no secret", "login was refused: server said \"no ******\"" },
	{ "server", "the server closed", "bad server", "the server closed: server said \"bad ******\"" },
	{ "said", "PLAIN was refused", "he said \"said\"", "PLAIN was refused: server said \"he **** '****'\"" },
	{ "P", "PLAIN was refused", "no P", "PLAIN was refused: server said \"no *\"" },
	{ "password", "no password is set", NULL, "no password is set" },
};

/* A password may be a word of ours, which stays; what the server says back goes. */
static void only_what_was_said(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		static struct visit v;
		struct err e;

		buf_start(&v.password, 64);
		assert_true(buf_add(&v.password, span_of(r->password)));
		(void)err_set(&e, ERR_AUTH, "%s", r->ours);
		if (r->theirs)
			assert_false(secret_peer(&v, &e, span_of(r->theirs)));
		(void)err_in(&e, "a server");
		secret_hide_said(&v, e.text);		/* once more, behind where it was */
		assert_string_equal(strchr(e.text, ':') + 2, r->want);
		buf_wipe(&v.password);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(only_what_was_said) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
