/* SPDX-License-Identifier: Apache-2.0 */
#include "store/digest.h"

#include "store/fixture.h"

/* FIPS 180-2's examples, at every split. */
static void it_is_sha_256(void **state)
{
	static const struct row { struct span octets; uint8_t begins[4]; } rows[] = {
		{ SPAN(""), { 0xe3, 0xb0, 0xc4, 0x42 } },
		{ SPAN("abc"), { 0xba, 0x78, 0x16, 0xbf } },
		{ SPAN("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), { 0x24, 0x8d, 0x6a, 0x61 } },
	};
	struct digest *d = digest_new(&fixture_err);

	(void)state;
	must(d);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut <= r->octets.len; cut++) {
			uint8_t got[32];

			digest_add(d, (struct span){ r->octets.at, cut });
			digest_add(d, span_from(r->octets, cut));
			digest_end(d, got);
			digest_again(d);
			assert_memory_equal(got, r->begins, sizeof r->begins);
		}
	digest_free(&d);
	assert_null(d);
	digest_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_sha_256),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
