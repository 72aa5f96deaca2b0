/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sasl/apop.h"

static void rfc_1939_example(void **state)
{
	char out[APOP_DIGEST];

	(void)state;
	assert_true(apop_digest(SPAN("<1896.697170952@dbc.mtview.ca.us>"), SPAN("tanstaaf"), out));
	assert_string_equal(out, "c4c9334bac560ecc979e58001b3e22fb");
}

/* RFC 1321 appendix A.5: where the two parts meet does not matter. */
static void empty_parts(void **state)
{
	char out[APOP_DIGEST];

	(void)state;
	assert_true(apop_digest(SPAN(""), SPAN("abc"), out));
	assert_string_equal(out, "900150983cd24fb0d6963f7d28e17f72");
	assert_true(apop_digest(SPAN("abc"), (struct span){ 0 }, out));
	assert_string_equal(out, "900150983cd24fb0d6963f7d28e17f72");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_1939_example),
		cmocka_unit_test(empty_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
