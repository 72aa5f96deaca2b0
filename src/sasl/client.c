/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/client.h"

#include <assert.h>
#include <gsasl.h>
#include <stdlib.h>

#include "wire/base64.h"

enum { BINDING_MAX = 128 };

struct sasl_client {
	enum sasl_mech mech;
	Gsasl *library;		/* one a client: nothing is shared between threads */
	Gsasl_session *session;
	unsigned steps;
	bool done;
};

static bool is_scram(enum sasl_mech m)
{
	return m == SASL_SCRAM_SHA_256_PLUS || m == SASL_SCRAM_SHA_256 || m == SASL_SCRAM_SHA_1_PLUS || m == SASL_SCRAM_SHA_1;
}

/* GNU SASL's word for what went wrong, in ours. */
static bool fail(const struct sasl_client *c, int code, struct err *e)
{
	const char *name = sasl_mech_name(c->mech);

	switch (code) {
	case GSASL_AUTHENTICATION_ERROR:
		return err_set(e, ERR_AUTH, "%s: the server did not prove that it knows the password", name);
	case GSASL_MECHANISM_PARSE_ERROR:
	case GSASL_BASE64_ERROR:
	case GSASL_MECHANISM_CALLED_TOO_MANY_TIMES:
		return err_set(e, ERR_PEER, "%s: the server's challenge makes no sense", name);
	case GSASL_SASLPREP_ERROR:
		return err_set(e, ERR_CONFIG, "%s: the user name or password is not UTF-8, or has characters that SASLprep forbids", name);
	case GSASL_NO_CB_TLS_EXPORTER:
	case GSASL_NO_CB_TLS_UNIQUE:
		return err_set(e, ERR_LOCAL, "%s: no channel binding on this line", name);
	}
	return err_set(e, ERR_LOCAL, "%s: %s", name, gsasl_strerror(code));
}

static bool set_text(struct sasl_client *c, Gsasl_property what, struct span text, struct err *e)
{
	int code = gsasl_property_set_raw(c->session, what, text.len ? text.at : "", text.len);

	return code == GSASL_OK || fail(c, code, e);
}

/* The library takes channel bindings in base64. */
static bool set_binding(struct sasl_client *c, Gsasl_property what, struct span binding, struct err *e)
{
	char memory[BINDING_MAX];
	struct buf text;

	if (!binding.len)
		return true;
	buf_lend(&text, memory, sizeof memory);
	if (!base64_encode(binding, &text))
		return err_set(e, ERR_LOCAL, "a channel binding of %zu octets", binding.len);
	return set_text(c, what, buf_span(&text), e);
}

static bool set_credentials(struct sasl_client *c, const struct sasl_credentials *with, struct err *e)
{
	struct span user = span_of(with->user);

	if (c->mech == SASL_EXTERNAL)	/* the certificate says who; the name says as whom */
		return set_text(c, GSASL_AUTHZID, user, e);
	if (!set_text(c, GSASL_AUTHID, user, e) || !set_text(c, GSASL_PASSWORD, with->password, e) ||
	    !set_text(c, GSASL_SERVICE, span_of(with->service), e) || !set_text(c, GSASL_HOSTNAME, span_of(with->host), e))
		return false;
	if (!sasl_mech_plus(c->mech))
		return true;
	return set_binding(c, GSASL_CB_TLS_EXPORTER, with->tls_exporter, e) && set_binding(c, GSASL_CB_TLS_UNIQUE, with->tls_unique, e);
}

static bool start(struct sasl_client *c, const struct sasl_credentials *with, struct err *e)
{
	int code;

	if (span_find(with->password, '\0') < with->password.len)
		return err_set(e, ERR_CONFIG, "%s cannot carry a password with a NUL", sasl_mech_name(c->mech));
	if (sasl_mech_plus(c->mech) && !with->tls_exporter.len && !with->tls_unique.len)
		return fail(c, GSASL_NO_CB_TLS_EXPORTER, e);
	code = gsasl_init(&c->library);
	if (code == GSASL_OK)
		code = gsasl_client_start(c->library, sasl_mech_name(c->mech), &c->session);
	return code == GSASL_OK ? set_credentials(c, with, e) : fail(c, code, e);
}

struct sasl_client *sasl_client_new(enum sasl_mech mech, const struct sasl_credentials *with, struct err *e)
{
	struct sasl_client *c = calloc(1, sizeof *c);

	assert(sasl_mech_built(mech) && mech != SASL_APOP && mech != SASL_USER);
	if (!c) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	c->mech = mech;
	if (!start(c, with, e))
		sasl_client_free(&c);
	return c;
}

/* r=NONCE,s=SALT,i=COUNT (RFC 5802 section 7): the count, before the library
 * computes for seconds on it. */
static bool check_iterations(const struct sasl_client *c, struct span challenge, struct err *e)
{
	struct span count;
	uint64_t n;

	for (int skip = 0; skip < 2; skip++)
		challenge = span_from(challenge, span_find(challenge, ',') + 1);
	if (!span_starts(challenge, SPAN("i=")))
		return fail(c, GSASL_MECHANISM_PARSE_ERROR, e);
	count = span_from(challenge, 2);
	count.len = span_find(count, ',');
	if (!span_number(count, SASL_ITERATIONS_MAX, &n) || !n) {
		(void)err_set(e, ERR_PEER, "%s: the iteration count is not in 1..%d", sasl_mech_name(c->mech), SASL_ITERATIONS_MAX);
		return err_peer(e, count);
	}
	return true;
}

/* What the library would take by the letter, or not tell apart. */
static bool check_challenge(const struct sasl_client *c, struct span challenge, struct err *e)
{
	if (c->done)
		return fail(c, GSASL_MECHANISM_CALLED_TOO_MANY_TIMES, e);
	if (c->mech != SASL_LOGIN && span_find(challenge, '\0') < challenge.len)
		return fail(c, GSASL_MECHANISM_PARSE_ERROR, e);
	if (!is_scram(c->mech) || !c->steps)
		return true;
	if (span_starts(challenge, SPAN("e="))) {
		(void)err_set(e, ERR_AUTH, "%s: refused", sasl_mech_name(c->mech));
		return err_peer(e, challenge);
	}
	return c->steps != 1 || check_iterations(c, challenge, e);
}

bool sasl_client_step(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e)
{
	char *out = NULL;
	size_t len = 0;
	bool fits;
	int code;

	if (!check_challenge(c, challenge, e))
		return false;
	code = gsasl_step(c->session, challenge.len ? challenge.at : "", challenge.len, &out, &len);
	if (code != GSASL_OK && code != GSASL_NEEDS_MORE)
		return fail(c, code, e);
	c->steps++;
	c->done = code == GSASL_OK;
	fits = buf_add(response, (struct span){ out, len });
	if (out)
		wipe(out, len);
	gsasl_free(out);
	return fits || err_set(e, ERR_LOCAL, "%s: a response of %zu octets", sasl_mech_name(c->mech), len);
}

bool sasl_client_verified(const struct sasl_client *c)
{
	return !is_scram(c->mech) || c->done;
}

/* The library frees its copies; it does not wipe them. */
static void wipe_property(Gsasl_session *session, Gsasl_property what)
{
	const char *text = gsasl_property_fast(session, what);

	if (text)
		wipe((char *)text, strlen(text));
}

void sasl_client_free(struct sasl_client **c)
{
	if (!*c)
		return;
	if ((*c)->session) {
		wipe_property((*c)->session, GSASL_PASSWORD);
		wipe_property((*c)->session, GSASL_SCRAM_SALTED_PASSWORD);
		gsasl_finish((*c)->session);
	}
	if ((*c)->library)
		gsasl_done((*c)->library);
	free(*c);
	*c = NULL;
}
