/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "sasl/server_internal.h"

enum sasl_said server_refuse(struct sasl_server *s, struct err *e, enum err_kind kind, const char *what)
{
	(void)err_set(e, kind, "%s: %s", sasl_mech_name(s->mech), what);
	return SASL_SAYS_REFUSED;
}

bool server_names_good(const struct sasl_server *s, bool named)
{
	const struct sasl_proof *p = &s->proof;

	return (p->name.len || !named) && p->name.len <= SASL_NAME_MAX && p->authzid.len <= SASL_NAME_MAX &&
	       !span_has_control(p->name) && !span_has_control(p->authzid);
}

/* Whatever goes wrong with it is our memory. */
static enum sasl_said ask(struct sasl_server *s, struct buf *challenge, struct span words, struct err *e)
{
	if (!buf_add(challenge, words))
		return server_refuse(s, e, ERR_LOCAL, "no room for a challenge");
	return SASL_SAYS_MORE;
}

/* message = [authzid] NUL authcid NUL passwd (RFC 4616 section 2). */
static enum sasl_said plain(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e)
{
	struct span in;
	size_t first, second;

	if (!response)
		return ask(s, challenge, (struct span){ 0 }, e);
	if (!buf_add(&s->first, *response))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	in = buf_span(&s->first);
	first = span_find(in, '\0');
	second = first + 1 + span_find(span_from(in, first + 1), '\0');
	if (second >= in.len || span_find(span_from(in, second + 1), '\0') + second + 1 < in.len)
		return server_refuse(s, e, ERR_PEER, "not two NULs in the response");
	s->proof = (struct sasl_proof){
		.authzid = { in.at, first }, .name = { in.at + first + 1, second - first - 1 },
		.password = { in.at + second + 1, in.len - second - 1 },
	};
	if (!server_names_good(s, true))
		return server_refuse(s, e, ERR_PEER, "no name, or one that is none");
	return SASL_SAYS_PASSWORD;
}

/* Asked for in two steps; the name may be there at once, since clients do so. */
static enum sasl_said login(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e)
{
	bool named = s->proof.name.len;

	if (!response)
		return ask(s, challenge, SPAN("Username:"), e);
	if (span_find(*response, '\0') < response->len)
		return server_refuse(s, e, ERR_PEER, "a NUL in the response");
	if (!buf_add(named ? &s->second : &s->first, *response))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	if (named) {
		s->proof.password = buf_span(&s->second);
		return SASL_SAYS_PASSWORD;
	}
	s->proof.name = buf_span(&s->first);
	if (!server_names_good(s, true))
		return server_refuse(s, e, ERR_PEER, "no name, or one that is none");
	return ask(s, challenge, SPAN("Password:"), e);
}

static enum sasl_said external(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e)
{
	if (!response)
		return ask(s, challenge, (struct span){ 0 }, e);
	if (!buf_add(&s->first, *response))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	s->proof.authzid = buf_span(&s->first);
	if (!server_names_good(s, false))
		return server_refuse(s, e, ERR_PEER, "a name that is none");
	return SASL_SAYS_NAMED;
}

static enum sasl_said step(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e)
{
	switch (s->mech) {
	case SASL_PLAIN:
		return plain(s, response, challenge, e);
	case SASL_LOGIN:
		return login(s, response, challenge, e);
	case SASL_EXTERNAL:
		return external(s, response, challenge, e);
	case SASL_CRAM_MD5:
		return server_cram(s, response, challenge, e);
	case SASL_SCRAM_SHA_256_PLUS: case SASL_SCRAM_SHA_256: case SASL_SCRAM_SHA_1_PLUS: case SASL_SCRAM_SHA_1:
		return server_scram(s, response, challenge, e);
	case SASL_OAUTHBEARER: case SASL_XOAUTH2:
		return server_bearer(s, response, challenge, e);
	case SASL_GSSAPI: case SASL_DIGEST_MD5: case SASL_NTLM: case SASL_APOP:
	case SASL_USER: case SASL_MECHS:
		break;
	}
	abort();	/* sasl_server_new let nobody else in */
}

enum sasl_said sasl_server_step(struct sasl_server *s, const struct span *response, struct buf *challenge,
				struct sasl_proof *proof, struct err *e)
{
	enum sasl_said said;

	assert(!s->over && (response || !s->steps));
	if (response && response->len > SASL_SERVER_RESPONSE_MAX)
		said = server_refuse(s, e, ERR_PEER, "the response is too long");
	else
		said = step(s, response, challenge, e);
	s->steps++;
	s->over = said != SASL_SAYS_MORE;
	if (!server_names_good(s, false))
		s->proof = (struct sasl_proof){ 0 };
	*proof = s->proof;
	return said;
}

static bool start(struct sasl_server *s, const struct sasl_server_with *with, struct err *e)
{
	struct span host = span_of(with->host);

	assert(host.len <= SASL_HOST_MAX && !span_has_control(host) && span_find(host, ' ') == host.len);
	if (with->tls_exporter.len > sizeof s->exporter || with->tls_unique.len > sizeof s->unique)
		return err_set(e, ERR_LOCAL, "a channel binding of more than %d octets", SERVER_BINDING_MAX);
	if (sasl_mech_plus(s->mech) && !with->tls_exporter.len && !with->tls_unique.len)
		return err_set(e, ERR_LOCAL, "%s: no channel binding on this line", sasl_mech_name(s->mech));
	s->find = with->find;
	s->user = with->user;
	if (host.len)
		memcpy(s->host, host.at, host.len);
	s->exporter_len = with->tls_exporter.len;
	if (s->exporter_len)
		memcpy(s->exporter, with->tls_exporter.at, s->exporter_len);
	s->unique_len = with->tls_unique.len;
	if (s->unique_len)
		memcpy(s->unique, with->tls_unique.at, s->unique_len);
	assert(with->nonce.len <= sizeof s->given_nonce);
	s->given_nonce_len = with->nonce.len;
	if (s->given_nonce_len)
		memcpy(s->given_nonce, with->nonce.at, s->given_nonce_len);
	return true;
}

struct sasl_server *sasl_server_new(enum sasl_mech mech, const struct sasl_server_with *with, struct err *e)
{
	struct sasl_server *s = calloc(1, sizeof *s);

	assert(sasl_mech_serves(mech));
	if (!s) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	s->mech = mech;
	buf_start(&s->first, SASL_SERVER_RESPONSE_MAX);
	buf_start(&s->second, SASL_SERVER_RESPONSE_MAX);
	buf_start(&s->name, SASL_SERVER_RESPONSE_MAX);
	buf_start(&s->authzid, SASL_SERVER_RESPONSE_MAX);
	if (!start(s, with, e))
		sasl_server_free(&s);
	return s;
}

void sasl_server_free(struct sasl_server **s)
{
	if (!*s)
		return;
	buf_wipe(&(*s)->first);
	buf_wipe(&(*s)->second);
	buf_wipe(&(*s)->name);
	buf_wipe(&(*s)->authzid);
	wipe(*s, sizeof **s);
	free(*s);
	*s = NULL;
}
