/* SPDX-License-Identifier: Apache-2.0
 *
 * SCRAM (RFC 5802, RFC 7677) with stored keys. */
#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "sasl/scram.h"
#include "sasl/server_internal.h"
#include "wire/base64.h"
#include "wire/saslprep.h"

enum { SHA1 = 20, SHA256 = 32, NONCE = 18, HEADER_PLUS_MAX = SASL_SERVER_RESPONSE_MAX + SERVER_BINDING_MAX };

static_assert(SASL_CHALLENGE_MAX > SASL_NONCE_MAX + SERVER_NONCE_MAX + 64, "r=, s= and i= fit");

static bool is_sha1(const struct sasl_server *s)
{
	return s->mech == SASL_SCRAM_SHA_1 || s->mech == SASL_SCRAM_SHA_1_PLUS;
}

static size_t size_of(const struct sasl_server *s)
{
	return is_sha1(s) ? SHA1 : SHA256;
}

/* The keys of who was named: kept until the exchange ends. */
static void find_keys(struct sasl_server *s)
{
	struct sasl_keys keys = { 0 };

	s->find(s->user, s->proof.name, &keys);
	s->keys = is_sha1(s) ? keys.sha1 : keys.sha256;
	wipe(&keys, sizeof keys);
	assert(s->keys.iterations && s->keys.salt_len && s->keys.salt_len <= SASL_SALT);
}

/* Which binding this exchange has (RFC 5802 section 6). */
static enum sasl_said bind(struct sasl_server *s, const struct scram_first *first, struct err *e)
{
	if (!sasl_mech_plus(s->mech)) {
		if (first->flag == 'p')
			return server_refuse(s, e, ERR_PEER, "a channel binding, which is -PLUS's");
		if (first->flag == 'y' && (s->exporter_len || s->unique_len))
			return server_refuse(s, e, ERR_AUTH, "the client believes that -PLUS is not offered, but it is: somebody may be in between");
		return SASL_SAYS_MORE;
	}
	if (first->flag != 'p')
		return server_refuse(s, e, ERR_PEER, "no channel binding");
	if (span_equal(first->type, SPAN("tls-exporter")))
		s->binding = (struct span){ s->exporter, s->exporter_len };
	else if (span_equal(first->type, SPAN("tls-unique")))
		s->binding = (struct span){ s->unique, s->unique_len };
	if (!s->binding.len)
		return server_refuse(s, e, ERR_PEER, "a channel binding of a type that is not to be had here");
	return SASL_SAYS_MORE;
}

/* "If the preparation of the username fails or results in an empty string, the server SHOULD fail" (RFC 5802 section 5.1). */
static bool prepares(struct span name)
{
	char memory[SASLPREP_MAX];
	struct buf prepared;

	buf_lend(&prepared, memory, sizeof memory);
	return saslprep(name, &prepared) && prepared.len;
}

/* The names, in memory of their own. */
static enum sasl_said names(struct sasl_server *s, const struct scram_first *first, struct err *e)
{
	if (first->nonce.len > SASL_NONCE_MAX)
		return server_refuse(s, e, ERR_PEER, "the nonce is too long");
	if (!scram_name_add(first->name, &s->name) || !scram_name_add(first->authzid, &s->authzid))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	s->proof.name = buf_span(&s->name);
	s->proof.authzid = buf_span(&s->authzid);
	if (!server_names_good(s, true))
		return server_refuse(s, e, ERR_PEER, "a name that is none");
	if (!prepares(s->proof.name))
		return server_refuse(s, e, ERR_PEER, "a name that SASLprep refuses");
	return SASL_SAYS_MORE;
}

/* Ours, behind the client's. */
static bool add_nonce(const struct sasl_server *s, struct buf *out)
{
	unsigned char random[NONCE];

	if (s->given_nonce_len)
		return buf_add(out, (struct span){ s->given_nonce, s->given_nonce_len });
	return RAND_bytes(random, sizeof random) == 1 && base64_encode((struct span){ (const char *)random, sizeof random }, out);
}

/* client-first-message → server-first-message. */
static enum sasl_said on_first(struct sasl_server *s, struct span in, struct buf *challenge, struct err *e)
{
	struct scram_first first;

	if (!buf_add(&s->first, in))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	if (!scram_first_read(buf_span(&s->first), &first, e) || names(s, &first, e) != SASL_SAYS_MORE || bind(s, &first, e) != SASL_SAYS_MORE)
		return SASL_SAYS_REFUSED;
	s->header = first.header;
	find_keys(s);
	if (!buf_add(&s->second, SPAN("r=")) || !buf_add(&s->second, first.nonce) || !add_nonce(s, &s->second))
		return server_refuse(s, e, ERR_LOCAL, "no nonce");
	s->nonce_len = s->second.len - strlen("r=");
	if (!buf_add(&s->second, SPAN(",s=")) || !base64_encode((struct span){ (const char *)s->keys.salt, s->keys.salt_len }, &s->second) ||
	    !buf_printf(&s->second, ",i=%u", (unsigned)s->keys.iterations) || !buf_add(challenge, buf_span(&s->second)))
		return server_refuse(s, e, ERR_LOCAL, "no room for a challenge");
	return SASL_SAYS_MORE;
}

/* c= says once more how the exchange began, and what the client's channel is.  ERR_AUTH: another
 * channel than ours, or another beginning, which is what somebody in between would make of it. */
static bool same_channel(const struct sasl_server *s, struct span text, struct err *e)
{
	struct buf got;
	struct span in;
	bool same = false, coded;

	buf_start(&got, HEADER_PLUS_MAX);
	coded = base64_decode(text, &got);
	in = buf_span(&got);
	if (coded && span_starts(in, s->header)) {
		in = span_from(in, s->header.len);
		same = in.len == s->binding.len && (!in.len || CRYPTO_memcmp(in.at, s->binding.at, in.len) == 0);
	}
	buf_end(&got);
	if (!coded)
		return err_set(e, ERR_PEER, "%s: c= is not base64", sasl_mech_name(s->mech));
	return same || err_set(e, ERR_AUTH, "%s: another channel binding than ours", sasl_mech_name(s->mech));
}

/* AuthMessage (RFC 5802 section 3); there is no secret in it. */
static bool add_messages(const struct sasl_server *s, struct span without_proof, struct buf *out)
{
	return buf_add(out, span_from(buf_span(&s->first), s->header.len)) && buf_add_byte(out, ',') && buf_add(out, buf_span(&s->second)) &&
	       buf_add_byte(out, ',') && buf_add(out, without_proof);
}

static bool sign(const struct sasl_server *s, const uint8_t key[SASL_KEY_MAX], struct span message, uint8_t out[SASL_KEY_MAX])
{
	unsigned len = 0;

	return HMAC(is_sha1(s) ? EVP_sha1() : EVP_sha256(), key, (int)size_of(s), (const unsigned char *)message.at, message.len, out, &len) &&
	       len == size_of(s);
}

/* StoredKey = H(ClientProof XOR ClientSignature), and the server's own proof.  False: OpenSSL failed. */
static bool judge(const struct sasl_server *s, struct span message, const uint8_t proof[SASL_KEY_MAX], bool *right, uint8_t signature[SASL_KEY_MAX])
{
	uint8_t client[SASL_KEY_MAX] = { 0 }, stored[SASL_KEY_MAX];
	size_t size = size_of(s);
	bool done = sign(s, s->keys.stored, message, client);

	for (size_t i = 0; i < size; i++)
		client[i] ^= proof[i];
	done = done && EVP_Digest(client, size, stored, NULL, is_sha1(s) ? EVP_sha1() : EVP_sha256(), NULL) == 1 && sign(s, s->keys.server, message, signature);
	*right = done && CRYPTO_memcmp(stored, s->keys.stored, size) == 0;
	wipe(client, sizeof client);	/* with it one could log in */
	wipe(stored, sizeof stored);
	return done;
}

static bool prove(const struct sasl_server *s, struct span without_proof, struct span proof, bool *right, uint8_t signature[SASL_KEY_MAX])
{
	uint8_t said[SASL_KEY_MAX];
	struct buf message, decoded;
	bool done;

	buf_start(&message, 3 * SASL_SERVER_RESPONSE_MAX);
	buf_lend(&decoded, (char *)said, sizeof said);
	done = add_messages(s, without_proof, &message) && base64_decode(proof, &decoded) && judge(s, buf_span(&message), said, right, signature);
	buf_end(&message);
	wipe(said, sizeof said);
	return done;
}

/* client-final-message → server-final-message. */
static enum sasl_said on_final(struct sasl_server *s, struct span in, struct buf *challenge, struct err *e)
{
	struct span nonce = { s->second.at + strlen("r="), s->nonce_len };
	uint8_t signature[SASL_KEY_MAX];
	struct scram_final final;
	bool right = false;
	size_t size;

	if (!scram_final_read(in, &final, e))
		return SASL_SAYS_REFUSED;
	if (!span_equal(final.nonce, nonce))
		return server_refuse(s, e, ERR_PEER, "another nonce than ours");
	if (!same_channel(s, final.binding, e))
		return SASL_SAYS_REFUSED;
	if (!base64_measure(final.proof, &size) || size != size_of(s))
		return server_refuse(s, e, ERR_PEER, "p= is no proof");
	if (!prove(s, final.without_proof, final.proof, &right, signature))
		return server_refuse(s, e, ERR_LOCAL, "out of memory, or no such hash here");
	wipe(&s->keys, sizeof s->keys);
	if (!right)
		return server_refuse(s, e, ERR_AUTH, "a wrong password");
	if (!buf_add(challenge, SPAN("v=")) || !base64_encode((struct span){ (const char *)signature, size_of(s) }, challenge))
		return server_refuse(s, e, ERR_LOCAL, "no room for a challenge");
	return SASL_SAYS_MORE;
}

enum sasl_said server_scram(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e)
{
	if (!response)		/* the client is asked to begin */
		return SASL_SAYS_MORE;
	if (!s->header.len)
		return on_first(s, *response, challenge, e);
	if (!s->verified) {
		enum sasl_said said = on_final(s, *response, challenge, e);

		s->verified = said == SASL_SAYS_MORE;
		return said;
	}
	if (response->len)
		return server_refuse(s, e, ERR_PEER, "octets where an empty response was due");
	return SASL_SAYS_PROVED;
}
