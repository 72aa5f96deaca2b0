/* SPDX-License-Identifier: Apache-2.0 */
#include "store/verifier.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include "store/fixture.h"

/* As a server does it (RFC 5802 section 3): from the client's proof back to the stored key. */
static bool proves(const struct scram_keys *k, struct span password, const EVP_MD *hash, size_t size)
{
	static const unsigned char said[] = "n=user,r=x,r=xy,s=,i=4096,c=biws,r=xy";
	unsigned char salted[32], client[32], stored[32], signature[32], server[32];
	unsigned len;

	assert_int_equal(PKCS5_PBKDF2_HMAC(password.at, (int)password.len, k->salt, SCRAM_SALT, (int)k->iterations, hash, (int)size, salted), 1);
	assert_non_null(HMAC(hash, salted, (int)size, (const unsigned char *)"Client Key", 10, client, &len));
	assert_non_null(HMAC(hash, k->stored, (int)size, said, sizeof said, signature, &len));
	for (size_t n = 0; n < size; n++)
		client[n] ^= signature[n];		/* the proof, */
	for (size_t n = 0; n < size; n++)
		client[n] ^= signature[n];		/* and what the server makes of it */
	assert_int_equal(EVP_Digest(client, size, stored, &len, hash, NULL), 1);
	assert_non_null(HMAC(hash, salted, (int)size, (const unsigned char *)"Server Key", 10, server, &len));
	return memcmp(stored, k->stored, size) == 0 && memcmp(server, k->server, size) == 0;
}

static void only_the_right_password_proves(void **state)
{
	struct verifier v, again;

	(void)state;
	must(verifier_make(&v, SPAN("geheim"), true, &fixture_err));
	must(verifier_make(&again, SPAN("geheim"), false, &fixture_err));
	assert_true(proves(&v.sha256, SPAN("geheim"), EVP_sha256(), 32) && proves(&v.sha1, SPAN("geheim"), EVP_sha1(), 20));
	assert_false(proves(&v.sha256, SPAN("Geheim"), EVP_sha256(), 32) || proves(&v.sha1, SPAN("Geheim"), EVP_sha1(), 20));
	assert_true(verifier_argon_holds(v.argon, SPAN("geheim")));
	assert_false(verifier_argon_holds(v.argon, SPAN("Geheim")));
	assert_false(verifier_argon_holds(verifier_of_nobody(), SPAN("geheim")));
	/* Each time another salt; and no SHA-1 unless asked. */
	assert_memory_not_equal(v.sha256.salt, again.sha256.salt, SCRAM_SALT);
	assert_memory_not_equal(v.sha1.salt, v.sha256.salt, SCRAM_SALT);
	assert_int_equal(again.sha1.iterations, 0);
	assert_int_equal(v.sha1.iterations, SCRAM_ITERATIONS);
	/* Nobody's text has the parameters that real ones have, so that it costs as much. */
	assert_memory_equal(v.argon, verifier_of_nobody(), strlen("$argon2id$v=19$m=19456,t=2,p=1$"));
	assert_int_equal(strlen(v.argon), strlen(verifier_of_nobody()));
}

/* RFC 4013: a client that prepares, and clear text as it was set. */
static void scram_keys_are_of_the_prepared_password(void **state)
{
	static const struct { struct span set, keys; } rows[] = {
		{ SPAN("I\xc2\xadX"), SPAN("IX") },			/* RFC 4013 section 3 */
		{ SPAN("\xe2\x85\xa8"), SPAN("IX") },
		{ SPAN("\xc2\xaa"), SPAN("a") },
		{ SPAN("a\xc2\xa0" "b"), SPAN("a b") },
		{ SPAN(" user "), SPAN(" user ") },
		{ SPAN("\xc3\xa9"), SPAN("\xc3\xa9") },
		{ SPAN("e\xcc\x81"), SPAN("\xc3\xa9") },
		{ SPAN("\xf0\x9f\x98\x80"), SPAN("\xf0\x9f\x98\x80") },	/* not in Unicode 3.2 */
		{ SPAN("\xe9t\xe9"), SPAN("\xe9t\xe9") },		/* what cannot be prepared */
		{ SPAN("a\tb"), SPAN("a\tb") },
		{ SPAN("\xd8\xa7" "1"), SPAN("\xd8\xa7" "1") },
		{ SPAN("\xc2\xad"), SPAN("\xc2\xad") },
	};
	struct verifier v;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		must(verifier_make(&v, rows[i].set, true, &fixture_err));
		if (!proves(&v.sha256, rows[i].keys, EVP_sha256(), 32) || !proves(&v.sha1, rows[i].keys, EVP_sha1(), 20))
			fail_msg("row %zu", i);
		assert_true(verifier_argon_holds(v.argon, rows[i].set));
		assert_int_equal(verifier_argon_holds(v.argon, rows[i].keys), span_equal(rows[i].keys, rows[i].set));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_right_password_proves),
		cmocka_unit_test(scram_keys_are_of_the_prepared_password),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
