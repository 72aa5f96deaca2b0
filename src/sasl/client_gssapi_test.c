/* SPDX-License-Identifier: Apache-2.0
 *
 * Without a KDC: what is said when there is no ticket.  With one: test/e2e/test_mechanisms.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "sasl/client_gssapi.h"

enum { RESPONSE_MAX = 65536 };

static void nowhere(void)
{
	(void)setenv("KRB5_CONFIG", "/dev/null", 1);
	(void)setenv("KRB5CCNAME", "FILE:/nonexistent/cache", 1);
	(void)setenv("KRB5_CLIENT_KTNAME", "FILE:/nonexistent/keytab", 1);
}

static void no_ticket(void **state)
{
	struct gssapi *g;
	struct buf b;
	struct err e;

	(void)state;
	nowhere();
	buf_start(&b, RESPONSE_MAX);
	g = gssapi_new("imap", "localhost", "anna");
	assert_non_null(g);
	assert_false(gssapi_step(g, (struct span){ 0 }, &b, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.text, "no Kerberos ticket"));
	assert_non_null(strstr(e.text, "kinit"));
	assert_false(gssapi_done(g));
	assert_int_equal(b.len, 0);
	gssapi_free(&g);
	gssapi_free(&g);
	buf_end(&b);
}

static void a_challenge_before_we_spoke(void **state)
{
	struct gssapi *g = gssapi_new("imap", "localhost", "anna");
	struct buf b;
	struct err e;

	(void)state;
	assert_non_null(g);
	buf_start(&b, RESPONSE_MAX);
	assert_false(gssapi_step(g, SPAN("x"), &b, &e));
	assert_int_equal(e.kind, ERR_PEER);
	gssapi_free(&g);
	buf_end(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(no_ticket), cmocka_unit_test(a_challenge_before_we_spoke) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
