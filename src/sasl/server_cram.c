/* SPDX-License-Identifier: Apache-2.0
 *
 * CRAM-MD5 (RFC 2195). */
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "sasl/server_internal.h"
#include "wire/saslprep.h"

enum { DIGEST = 16 };

/* <digits.digits@host>: 128 bits that nobody can guess; a clock would tell nothing more. */
static enum sasl_said ask(struct sasl_server *s, struct buf *challenge, struct err *e)
{
	uint64_t random[2];

	if (RAND_bytes((unsigned char *)random, sizeof random) != 1)
		return server_refuse(s, e, ERR_LOCAL, "no random octets");
	(void)snprintf(s->stamp, sizeof s->stamp, "<%" PRIu64 ".%" PRIu64 "@%s>", random[0], random[1], s->host);
	if (!buf_add(challenge, span_of(s->stamp)))
		return server_refuse(s, e, ERR_LOCAL, "no room for a challenge");
	return SASL_SAYS_MORE;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(struct span hex, unsigned char out[DIGEST])
{
	if (hex.len != 2 * (size_t)DIGEST)
		return false;
	for (size_t i = 0; i < DIGEST; i++) {
		int high = nibble(hex.at[2 * i]), low = nibble(hex.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool digest_of(const struct sasl_server *s, struct span secret, unsigned char out[DIGEST])
{
	unsigned len = 0;

	return HMAC(EVP_md5(), secret.len ? secret.at : "", (int)secret.len, (const unsigned char *)s->stamp, strlen(s->stamp), out, &len);
}

/* RFC 2195 does not say whether a password is prepared (RFC 4013): clients do and do not.  Either is
 * right.  False: this OpenSSL refuses MD5 (FIPS). */
static bool prove(const struct sasl_server *s, struct span secret, const unsigned char said[DIGEST], bool *right)
{
	unsigned char digest[DIGEST];
	char memory[SASLPREP_MAX];
	struct span prepared = saslprep_password(secret, memory);
	bool done = digest_of(s, secret, digest);

	*right = done && CRYPTO_memcmp(digest, said, DIGEST) == 0;
	done = done && digest_of(s, prepared, digest);
	*right = (done && CRYPTO_memcmp(digest, said, DIGEST) == 0) || *right;
	if (prepared.at == memory)
		wipe(memory, prepared.len);
	wipe(digest, sizeof digest);
	return done;
}

/* user SP digest; the name may have blanks of its own. */
static enum sasl_said answered(struct sasl_server *s, struct span response, struct err *e)
{
	struct sasl_keys keys = { 0 };
	unsigned char said[DIGEST];
	bool right, done;
	size_t len;

	if (response.len < 2 * (size_t)DIGEST + 2 || response.at[response.len - 2 * DIGEST - 1] != ' ' ||
	    !from_hex(span_from(response, response.len - 2 * DIGEST), said))
		return server_refuse(s, e, ERR_PEER, "the response is no name and digest");
	if (!buf_add(&s->first, (struct span){ response.at, response.len - 2 * DIGEST - 1 }))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	s->proof.name = buf_span(&s->first);
	if (!server_names_good(s, true))
		return server_refuse(s, e, ERR_PEER, "a name that is none");
	s->find(s->user, s->proof.name, &keys);
	len = keys.secret_len;
	done = prove(s, (struct span){ keys.secret, len }, said, &right);
	wipe(&keys, sizeof keys);
	wipe(said, sizeof said);
	if (!done)
		return server_refuse(s, e, ERR_LOCAL, "no MD5 here");
	if (!len)
		return server_refuse(s, e, ERR_AUTH, "this name has no password that can be read");
	return right ? SASL_SAYS_PROVED : server_refuse(s, e, ERR_AUTH, "a wrong password");
}

enum sasl_said server_cram(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e)
{
	if (!response)
		return ask(s, challenge, e);
	if (!s->steps)		/* RFC 5034 section 4 */
		return server_refuse(s, e, ERR_PEER, "an initial response, where the server speaks first");
	return answered(s, *response, e);
}
