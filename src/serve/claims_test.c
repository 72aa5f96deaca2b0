/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "serve/claims.h"

static struct claims *new_claims(size_t entries)
{
	struct err e;
	struct claims *c = claims_new(entries, &e);

	assert_non_null(c);
	return c;
}

static struct claims_key key_of(const struct claims *c, const char *token, uint64_t settings)
{
	struct claims_key key;

	claims_key(c, span_of(token), settings, &key);
	return key;
}

static const char *find(struct claims *c, const char *token, uint64_t settings, uint64_t now)
{
	static char claim[CLAIM_MAX + 1];
	const struct claims_key key = key_of(c, token, settings);

	return claims_find(c, &key, now, claim) ? claim : NULL;
}

static void put(struct claims *c, const char *token, const char *claim, uint64_t until)
{
	const struct claims_key key = key_of(c, token, 1);

	claims_put(c, &key, span_of(claim), until);
}

static void a_token_names_whom_it_named([[maybe_unused]] void **state)
{
	struct claims *c = new_claims(CLAIMS);

	assert_null(find(c, "token", 1, 0));
	put(c, "token", "anna", 100);
	put(c, "other", "bert", 200);
	assert_string_equal(find(c, "token", 1, 99), "anna");
	assert_string_equal(find(c, "other", 1, 99), "bert");
	assert_null(find(c, "toke", 1, 99));
	assert_null(find(c, "token2", 1, 99));
	assert_null(find(c, "token", 2, 99));	/* other settings */
	assert_null(find(c, "token", 1, 100));	/* not a moment longer */
	put(c, "token", "b", 300);		/* it is another's now */
	assert_string_equal(find(c, "token", 1, 100), "b");
	claims_free(&c);
	assert_null(c);
}

static void what_is_too_long_is_not_kept([[maybe_unused]] void **state)
{
	struct claims *c = new_claims(8);
	char claim[CLAIM_MAX + 2] = "";

	memset(claim, 'x', CLAIM_MAX);
	put(c, "fits", claim, 100);
	assert_string_equal(find(c, "fits", 1, 0), claim);
	claim[CLAIM_MAX] = 'x';
	put(c, "does not", claim, 100);
	assert_null(find(c, "does not", 1, 0));
	claims_free(&c);
}

/* The one that ends first gives way, and no other. */
static void there_is_an_end_of_room([[maybe_unused]] void **state)
{
	struct claims *c = new_claims(8);
	char token[8], claim[8];

	for (int n = 0; n < 9; n++) {
		(void)snprintf(token, sizeof token, "t%d", n);
		(void)snprintf(claim, sizeof claim, "c%d", n);
		put(c, token, claim, n == 3 ? 50 : 100 + (uint64_t)n);
	}
	for (int n = 0; n < 9; n++) {
		(void)snprintf(token, sizeof token, "t%d", n);
		(void)snprintf(claim, sizeof claim, "c%d", n);
		if (n == 3)
			assert_null(find(c, token, 1, 0));
		else
			assert_string_equal(find(c, token, 1, 0), claim);
	}
	claims_free(&c);
}

static void keys_are_this_process_s([[maybe_unused]] void **state)
{
	struct claims *a = new_claims(8), *b = new_claims(8);
	const struct claims_key one = key_of(a, "token", 1), other = key_of(b, "token", 1);

	assert_memory_not_equal(one.octets, other.octets, sizeof one.octets);
	claims_free(&a);
	claims_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_names_whom_it_named), cmocka_unit_test(what_is_too_long_is_not_kept),
		cmocka_unit_test(there_is_an_end_of_room), cmocka_unit_test(keys_are_this_process_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
