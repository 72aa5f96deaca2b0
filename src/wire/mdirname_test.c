/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "wire/mdirname.h"

static void what_names_say(void **state)
{
	static const struct row {
		const char *name, *want;	/* base seconds micros size wire seen */
	} rows[] = {
		{ "1700000000.M123456P99.host,S=1041,W=1070:2,FS", "1700000000.M123456P99.host,S=1041,W=1070 1700000000 123456 1041 1070 S" },
		{ "1700000000.Vfe01I2a3bM7.mx.example.org", "1700000000.Vfe01I2a3bM7.mx.example.org 1700000000 7 - - -" },	/* Postfix */
		{ "1700000000.H1P2.host,S=5:2,", "1700000000.H1P2.host,S=5 1700000000 0 5 - -" },	/* Exim */
		{ "1700000000.99_1.host:2,RS", "1700000000.99_1.host 1700000000 0 - - S" },
		{ "1700000000.99_1.host:2,abT", "1700000000.99_1.host 1700000000 0 - - -" },
		{ "x:1,S", "x 0 0 - - -" },
		{ "x:2,", "x 0 0 - - -" },
		{ ":2,S", " 0 0 - - S" },
		{ "", " 0 0 - - -" },
		{ "7", "7 7 0 - - -" },
		{ "7.M.h", "7.M.h 7 0 - - -" },
		{ "7.P1.Mx9,W=3", "7.P1.Mx9,W=3 7 0 - 3 -" },		/* the host's M is none */
		{ "a,S=,W=x,S=1x,W=-1,S= 2", "a,S=,W=x,S=1x,W=-1,S= 2 0 0 - - -" },
		{ "a,W=4,S=3", "a,W=4,S=3 0 0 3 4 -" },
		{ "a,,S=3,", "a,,S=3, 0 0 3 - -" },
		{ "a,S=99999999999999999999", "a,S=99999999999999999999 0 0 - - -" },
		{ "a,S=36028797018963967", "a,S=36028797018963967 0 0 36028797018963967 - -" },
		{ "a,S=36028797018963968", "a,S=36028797018963968 0 0 - - -" },
		{ "a:2,S,S=3", "a 0 0 - - S" },		/* behind ':' is no field */
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct mdirname n;
		char got[300], size[24] = "-", wire[24] = "-";

		mdirname_read(span_of(r->name), &n);
		if (n.has_size)
			(void)snprintf(size, sizeof size, "%llu", (unsigned long long)n.size);
		if (n.has_wire)
			(void)snprintf(wire, sizeof wire, "%llu", (unsigned long long)n.wire);
		(void)snprintf(got, sizeof got, "%.*s %llu %llu %s %s %s", (int)n.base.len, n.base.at, (unsigned long long)n.seconds,
			(unsigned long long)n.micros, size, wire, n.seen ? "S" : "-");
		assert_string_equal(got, r->want);
		assert_true(span_equal(mdirname_base(span_of(r->name)), n.base));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_names_say) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
