/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the server's side: accounts, keys derived by OpenSSL, and a SCRAM
 * client of its own, so that neither our client nor GNU SASL judges itself. */
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "sasl/server.h"
#include "wire/base64.h"

enum { FIXTURE_ITERATIONS = 64, FIXTURE_TEXT = 4096 };

static const uint8_t fixture_salt[SASL_SALT] = "0123456789abcde";

struct fixture_scram {		/* RFC 5802 section 3 */
	uint8_t client[SASL_KEY_MAX], stored[SASL_KEY_MAX], server[SASL_KEY_MAX];
};

/* True: all of OpenSSL's calls did. */
static inline bool fixture_derive(const EVP_MD *hash, struct span password, struct span salt, int iterations, struct fixture_scram *out)
{
	uint8_t salted[SASL_KEY_MAX];
	int size = EVP_MD_get_size(hash);
	unsigned len;

	*out = (struct fixture_scram){ 0 };
	return PKCS5_PBKDF2_HMAC(password.at, (int)password.len, (const uint8_t *)salt.at, (int)salt.len, iterations, hash, size, salted) == 1 &&
	       HMAC(hash, salted, size, (const uint8_t *)"Client Key", 10, out->client, &len) &&
	       HMAC(hash, salted, size, (const uint8_t *)"Server Key", 10, out->server, &len) &&
	       EVP_Digest(out->client, (size_t)size, out->stored, &len, hash, NULL) == 1;
}

/* AuthMessage → p= of the client and v= of the server, in base64. */
static inline bool fixture_prove(const EVP_MD *hash, const struct fixture_scram *k, const char *message, char proof[64], char verifier[64])
{
	size_t size = (size_t)EVP_MD_get_size(hash);
	uint8_t signature[SASL_KEY_MAX];
	struct buf b;
	unsigned len;

	if (!HMAC(hash, k->stored, (int)size, (const uint8_t *)message, strlen(message), signature, &len))
		return false;
	for (size_t i = 0; i < size; i++)
		signature[i] ^= k->client[i];
	buf_lend(&b, proof, 64);
	if (!base64_encode((struct span){ (char *)signature, size }, &b) || !buf_terminate(&b) ||
	    !HMAC(hash, k->server, (int)size, (const uint8_t *)message, strlen(message), signature, &len))
		return false;
	buf_lend(&b, verifier, 64);
	return base64_encode((struct span){ (char *)signature, size }, &b) && buf_terminate(&b);
}

struct fixture_account {
	const char *name;
	struct span password;	/* as it was set: CRAM-MD5 */
	struct span prepared;	/* the keys are made of this; empty: of the password */
	unsigned asked;
};

static inline void fixture_keys(const EVP_MD *hash, struct span password, struct sasl_scram_keys *k)
{
	struct fixture_scram made;

	if (!fixture_derive(hash, password, (struct span){ (const char *)fixture_salt, SASL_SALT }, FIXTURE_ITERATIONS, &made))
		abort();
	*k = (struct sasl_scram_keys){ .iterations = FIXTURE_ITERATIONS, .salt_len = SASL_SALT };
	memcpy(k->salt, fixture_salt, SASL_SALT);
	memcpy(k->stored, made.stored, SASL_KEY_MAX);
	memcpy(k->server, made.server, SASL_KEY_MAX);
}

/* As login_find: whoever is not there has keys all the same, and no secret. */
static inline void fixture_find(void *user, struct span name, struct sasl_keys *keys)
{
	struct fixture_account *a = user;
	struct span password = a->prepared.len ? a->prepared : a->password;

	a->asked++;
	if (!span_equal(name, span_of(a->name))) {
		fixture_keys(EVP_sha256(), SPAN("nobody knows this"), &keys->sha256);
		fixture_keys(EVP_sha1(), SPAN("nobody knows this"), &keys->sha1);
		return;
	}
	fixture_keys(EVP_sha256(), password, &keys->sha256);
	fixture_keys(EVP_sha1(), password, &keys->sha1);
	if (a->password.len)
		memcpy(keys->secret, a->password.at, a->password.len);
	keys->secret_len = a->password.len;
}
