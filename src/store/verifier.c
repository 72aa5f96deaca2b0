/* SPDX-License-Identifier: Apache-2.0 */
#include "store/verifier.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include "base/buf.h"
#include "base/clock.h"
#include "wire/saslprep.h"

enum { ARGON_PASSES = 2, ARGON_MEMORY = 19 << 20 };

static_assert((int)VERIFIER_ARGON == (int)crypto_pwhash_STRBYTES, "libsodium's text fits");

/* RFC 5802 section 3: StoredKey := H(HMAC(SaltedPassword, "Client Key")). */
static bool scram_make(struct scram_keys *k, struct span password, const EVP_MD *hash, int size)
{
	unsigned char salted[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX];
	unsigned len = 0;
	bool good;

	*k = (struct scram_keys){ .iterations = SCRAM_ITERATIONS };
	random_fill(k->salt, sizeof k->salt);
	good = PKCS5_PBKDF2_HMAC(password.at, (int)password.len, k->salt, SCRAM_SALT, SCRAM_ITERATIONS, hash, size, salted) == 1 &&
	       HMAC(hash, salted, size, (const unsigned char *)"Client Key", 10, client, &len) &&
	       EVP_Digest(client, (size_t)size, k->stored, &len, hash, NULL) == 1 &&
	       HMAC(hash, salted, size, (const unsigned char *)"Server Key", 10, k->server, &len);
	wipe(salted, sizeof salted);
	wipe(client, sizeof client);
	return good;
}

static bool scram_both(struct verifier *v, struct span password, bool sha1)
{
	char memory[SASLPREP_MAX];
	struct span of = saslprep_password(password, memory);
	bool good = scram_make(&v->sha256, of, EVP_sha256(), SCRAM_KEY_MAX) && (!sha1 || scram_make(&v->sha1, of, EVP_sha1(), SCRAM_SHA1_KEY));

	if (of.at == memory)
		wipe(memory, of.len);
	return good;
}

bool verifier_make(struct verifier *v, struct span password, bool sha1, struct err *e)
{
	*v = (struct verifier){ 0 };
	if (crypto_pwhash_str_alg(v->argon, password.at, password.len, ARGON_PASSES, ARGON_MEMORY, crypto_pwhash_ALG_ARGON2ID13) == 0 &&
	    scram_both(v, password, sha1))
		return true;
	return err_set(e, ERR_LOCAL, "out of memory for hashing a password");
}

const char *verifier_of_nobody(void)
{
	return "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
}

bool verifier_argon_holds(const char argon[VERIFIER_ARGON], struct span password)
{
	return crypto_pwhash_str_verify(argon, password.at ? password.at : "", password.len) == 0;
}
