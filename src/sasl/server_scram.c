/* SPDX-License-Identifier: Apache-2.0
 *
 * SCRAM (RFC 5802, RFC 7677) over GNU SASL, behind a strict reading of our own. */
#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "sasl/scram.h"
#include "sasl/server_internal.h"
#include "wire/base64.h"

enum { SHA1 = 20, SHA256 = 32, TEXT = 64, DECIMAL = 16, HEADER_PLUS_MAX = SASL_SERVER_RESPONSE_MAX + SERVER_BINDING_MAX };

static_assert(TEXT > (SHA256 + 2) / 3 * 4, "a key in base64 fits");

static bool is_sha1(const struct sasl_server *s)
{
	return s->mech == SASL_SCRAM_SHA_1 || s->mech == SASL_SCRAM_SHA_1_PLUS;
}

bool server_scram_start(struct sasl_server *s, struct err *e)
{
	int code = gsasl_init(&s->library);

	if (code == GSASL_OK)
		code = gsasl_server_start(s->library, sasl_mech_name(s->mech), &s->session);
	return code == GSASL_OK || err_set(e, ERR_LOCAL, "%s: %s", sasl_mech_name(s->mech), gsasl_strerror(code));
}

/* The library frees its copies; it does not wipe them. */
static void wipe_property(Gsasl_session *session, Gsasl_property what)
{
	const char *text = gsasl_property_fast(session, what);

	if (text)
		wipe((char *)text, strlen(text));
}

void server_scram_end(struct sasl_server *s)
{
	if (s->session) {
		wipe_property(s->session, GSASL_SCRAM_SERVERKEY);
		wipe_property(s->session, GSASL_SCRAM_STOREDKEY);
		gsasl_finish(s->session);
	}
	if (s->library)
		gsasl_done(s->library);
}

/* The library takes octets in base64. */
static bool set(struct sasl_server *s, Gsasl_property what, const void *at, size_t len)
{
	char memory[2 * SERVER_BINDING_MAX];
	struct buf text;
	bool good;

	buf_lend(&text, memory, sizeof memory);
	good = base64_encode((struct span){ at, len }, &text) &&
	       gsasl_property_set_raw(s->session, what, text.at, text.len) == GSASL_OK;
	wipe(memory, sizeof memory);
	return good;
}

static bool set_keys(struct sasl_server *s)
{
	struct sasl_keys keys = { 0 };
	const struct sasl_scram_keys *k = is_sha1(s) ? &keys.sha1 : &keys.sha256;
	size_t size = is_sha1(s) ? SHA1 : SHA256;
	char iterations[DECIMAL];
	bool good;

	s->find(s->user, s->proof.name, &keys);
	assert(k->iterations);
	(void)snprintf(iterations, sizeof iterations, "%u", (unsigned)k->iterations);
	good = gsasl_property_set(s->session, GSASL_SCRAM_ITER, iterations) == GSASL_OK &&
	       set(s, GSASL_SCRAM_SALT, k->salt, sizeof k->salt) && set(s, GSASL_SCRAM_STOREDKEY, k->stored, size) &&
	       set(s, GSASL_SCRAM_SERVERKEY, k->server, size);
	wipe(&keys, sizeof keys);
	return good;
}

/* Which binding this exchange has (RFC 5802 section 6). */
static enum sasl_said bind(struct sasl_server *s, const struct scram_first *first, struct err *e)
{
	bool exporter = span_equal(first->type, SPAN("tls-exporter"));

	if (!sasl_mech_plus(s->mech)) {
		if (first->flag == 'p')
			return server_refuse(s, e, ERR_PEER, "a channel binding, which is -PLUS's");
		if (first->flag == 'y' && (s->exporter_len || s->unique_len))
			return server_refuse(s, e, ERR_AUTH, "the client believes that -PLUS is not offered, but it is: somebody may be in between");
		return SASL_SAYS_MORE;
	}
	if (first->flag != 'p')
		return server_refuse(s, e, ERR_PEER, "no channel binding");
	if (exporter)
		s->binding = (struct span){ s->exporter, s->exporter_len };
	else if (span_equal(first->type, SPAN("tls-unique")))
		s->binding = (struct span){ s->unique, s->unique_len };
	if (!s->binding.len)
		return server_refuse(s, e, ERR_PEER, "a channel binding of a type that is not to be had here");
	if (!set(s, exporter ? GSASL_CB_TLS_EXPORTER : GSASL_CB_TLS_UNIQUE, s->binding.at, s->binding.len))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	return SASL_SAYS_MORE;
}

/* A step of the library's; what it says goes to `said`.  The library's code. */
static int library_step(struct sasl_server *s, struct span in, struct buf *said)
{
	char *out = NULL;
	size_t len = 0;
	int code = gsasl_step(s->session, in.at, in.len, &out, &len);

	if ((code == GSASL_OK || code == GSASL_NEEDS_MORE) && !buf_add(said, (struct span){ out, len }))
		code = GSASL_MALLOC_ERROR;
	gsasl_free(out);
	return code;
}

static enum sasl_said fail(struct sasl_server *s, int code, struct err *e)
{
	bool ours = code == GSASL_MALLOC_ERROR || code == GSASL_CRYPTO_ERROR;

	(void)err_set(e, ours ? ERR_LOCAL : ERR_PEER, "%s: %s", sasl_mech_name(s->mech), gsasl_strerror(code));
	return SASL_SAYS_REFUSED;
}

/* The library asks this too, but leaks the answer for a name of which nothing is left. */
static bool prepares(const char *name)
{
	char *prepared = NULL;
	bool good = gsasl_saslprep(name, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) == GSASL_OK && *prepared;

	gsasl_free(prepared);
	return good;
}

/* The names, in memory of their own. */
static enum sasl_said names(struct sasl_server *s, const struct scram_first *first, struct err *e)
{
	if (first->nonce.len > SASL_NONCE_MAX)
		return server_refuse(s, e, ERR_PEER, "the nonce is too long");
	if (!scram_name_add(first->name, &s->name) || !buf_terminate(&s->name) || !scram_name_add(first->authzid, &s->authzid))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	s->proof.name = buf_span(&s->name);
	s->proof.authzid = buf_span(&s->authzid);
	if (!server_names_good(s, true))
		return server_refuse(s, e, ERR_PEER, "a name that is none");
	if (!prepares(s->name.at))
		return server_refuse(s, e, ERR_PEER, "a name that SASLprep refuses");
	return SASL_SAYS_MORE;
}

/* client-first-message → server-first-message. */
static enum sasl_said on_first(struct sasl_server *s, struct span in, struct buf *challenge, struct err *e)
{
	struct scram_first first;
	int code;

	if (!buf_add(&s->first, in))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	if (!scram_first_read(buf_span(&s->first), &first, e) || names(s, &first, e) != SASL_SAYS_MORE || bind(s, &first, e) != SASL_SAYS_MORE)
		return SASL_SAYS_REFUSED;
	s->header = first.header;
	if (!set_keys(s))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	code = library_step(s, buf_span(&s->first), &s->second);
	if (code != GSASL_NEEDS_MORE)
		return fail(s, code, e);
	s->nonce = span_from(buf_span(&s->second), strlen("r="));
	s->nonce.len = span_find(s->nonce, ',');
	assert(span_starts(s->nonce, first.nonce) && s->nonce.len >= first.nonce.len + 16);
	assert(s->second.len <= SASL_CHALLENGE_MAX);
	if (!buf_add(challenge, buf_span(&s->second)))
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

/* client-final-message → server-final-message. */
static enum sasl_said on_final(struct sasl_server *s, struct span in, struct buf *challenge, struct err *e)
{
	struct scram_final final;
	size_t size;
	int code;

	if (!scram_final_read(in, &final, e))
		return SASL_SAYS_REFUSED;
	if (!span_equal(final.nonce, s->nonce))
		return server_refuse(s, e, ERR_PEER, "another nonce than ours");
	if (!same_channel(s, final.binding, e))
		return SASL_SAYS_REFUSED;
	if (!base64_measure(final.proof, &size) || size != (is_sha1(s) ? SHA1 : SHA256))
		return server_refuse(s, e, ERR_PEER, "p= is no proof");
	code = library_step(s, in, challenge);
	if (code == GSASL_AUTHENTICATION_ERROR)
		return server_refuse(s, e, ERR_AUTH, "a wrong password");
	return code == GSASL_OK ? SASL_SAYS_MORE : fail(s, code, e);
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
