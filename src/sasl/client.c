/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/client.h"

#include <assert.h>
#include <gsasl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "sasl/client_bearer.h"
#include "sasl/client_digest.h"
#include "sasl/client_gssapi.h"
#include "sasl/client_ntlm.h"
#include "wire/base64.h"
#include "wire/saslprep.h"

enum { BINDING_MAX = 128, SALT_MAX = 1024, KEY_MAX = 32, MD5_SIZE = 16, CNONCE = 16 };

struct sasl_client {
	enum sasl_mech mech;
	Gsasl *library;		/* one a client: nothing is shared between threads; none for mechanisms that are ours */
	Gsasl_session *session;
	struct gssapi *gssapi;
	unsigned steps;
	bool done;
	struct buf user;	/* of mechanisms that are ours, below */
	struct buf password;	/* the same, and SCRAM's: the library does not get it */
	char *service, *host;	/* DIGEST-MD5 */
	int64_t now_s;		/* NTLM */
	char rspauth[DIGEST_HEX];	/* DIGEST-MD5: what the server has to say */
	struct buf first;	/* OAUTHBEARER, XOAUTH2: what is said, with the token */
	enum sasl_token token;
};

static bool is_scram(enum sasl_mech m)
{
	return m == SASL_SCRAM_SHA_256_PLUS || m == SASL_SCRAM_SHA_256 || m == SASL_SCRAM_SHA_1_PLUS || m == SASL_SCRAM_SHA_1;
}

/* GNU SASL has no part in them, nor in those that carry a token. */
static bool is_ours(enum sasl_mech m)
{
	return m == SASL_CRAM_MD5 || m == SASL_DIGEST_MD5 || m == SASL_NTLM;
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
		return err_set(e, ERR_CONFIG, "%s: the user name is not UTF-8, or has characters that SASLprep forbids", name);
	case GSASL_NO_CB_TLS_EXPORTER:
	case GSASL_NO_CB_TLS_UNIQUE:
		return err_set(e, ERR_LOCAL, "%s: no channel binding on this line", name);
	}
	return err_set(e, ERR_LOCAL, "%s: %s", name, gsasl_strerror(code));
}

static void to_hex(const unsigned char *octets, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[octets[i] >> 4];
		out[2 * i + 1] = digits[octets[i] & 15];
	}
	out[2 * len] = '\0';
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

/* Our own copies. */
static bool keep(struct sasl_client *c, const struct sasl_credentials *with, struct err *e)
{
	c->now_s = with->now_s;
	c->service = strdup(with->service ? with->service : "");
	c->host = strdup(with->host ? with->host : "");
	if (c->service && c->host && buf_add(&c->user, span_of(with->user)) && buf_room(&c->password, with->password.len + 1) &&
	    buf_add(&c->password, with->password))
		return true;
	return err_set(e, ERR_LOCAL, "out of memory");
}

/* The library prepares passwords, and refuses what it cannot, or what Unicode 3.2 did not have: it gets SCRAM's salted one. */
static bool set_credentials(struct sasl_client *c, const struct sasl_credentials *with, struct err *e)
{
	struct span user = span_of(with->user);

	if (c->mech == SASL_EXTERNAL)	/* the certificate says who; the name says as whom */
		return set_text(c, GSASL_AUTHZID, user, e);
	if (is_scram(c->mech) ? !keep(c, with, e) : !set_text(c, GSASL_PASSWORD, with->password, e))
		return false;
	if (!set_text(c, GSASL_AUTHID, user, e) || !set_text(c, GSASL_SERVICE, span_of(with->service), e) || !set_text(c, GSASL_HOSTNAME, span_of(with->host), e))
		return false;
	if (!sasl_mech_plus(c->mech))
		return true;
	/* Where both are to be had it is TLS 1.2, for which tls-unique is the one that a server must know (RFC 5802 section 6). */
	return with->tls_unique.len ? set_binding(c, GSASL_CB_TLS_UNIQUE, with->tls_unique, e) : set_binding(c, GSASL_CB_TLS_EXPORTER, with->tls_exporter, e);
}

static bool start(struct sasl_client *c, const struct sasl_credentials *with, struct err *e)
{
	int code;

	if (sasl_mech_bearer(c->mech))
		return bearer_first(c->mech, with, &c->first, e);
	if (c->mech == SASL_GSSAPI) {
		c->gssapi = gssapi_new(with->service, with->host, with->user);
		return c->gssapi || err_set(e, ERR_LOCAL, "out of memory");
	}
	if (span_find(with->password, '\0') < with->password.len)
		return err_set(e, ERR_CONFIG, "%s cannot carry a password with a NUL", sasl_mech_name(c->mech));
	if (is_ours(c->mech))
		return keep(c, with, e);
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
	buf_start(&c->user, SASL_RESPONSE_MAX);
	buf_start(&c->password, SASL_RESPONSE_MAX);
	buf_start(&c->first, SASL_RESPONSE_MAX);
	if (!start(c, with, e))
		sasl_client_free(&c);
	return c;
}

/* What stands up to the next comma; *in is then what follows it. */
static struct span part_of(struct span *in)
{
	struct span part = { in->at, span_find(*in, ',') };

	*in = span_from(*in, part.len + 1);
	return part;
}

/* SaltedPassword (RFC 5802 section 3), in place of the password: the library takes it in hexadecimal. */
static bool give_salted(struct sasl_client *c, struct span salt, uint64_t iterations, struct err *e)
{
	bool sha1 = c->mech == SASL_SCRAM_SHA_1 || c->mech == SASL_SCRAM_SHA_1_PLUS;
	char memory[SASLPREP_MAX], hex[2 * KEY_MAX + 1];
	struct span password = saslprep_password(buf_span(&c->password), memory);
	unsigned char salted[KEY_MAX];
	int size = sha1 ? 20 : KEY_MAX;
	bool good = PKCS5_PBKDF2_HMAC(password.len ? password.at : "", (int)password.len, (const unsigned char *)salt.at, (int)salt.len, (int)iterations,
				      sha1 ? EVP_sha1() : EVP_sha256(), size, salted) == 1;

	to_hex(salted, (size_t)size, hex);
	good = good ? set_text(c, GSASL_SCRAM_SALTED_PASSWORD, (struct span){ hex, 2 * (size_t)size }, e) : fail(c, GSASL_CRYPTO_ERROR, e);
	if (password.at == memory)
		wipe(memory, password.len);
	wipe(salted, sizeof salted);
	wipe(hex, sizeof hex);
	return good;
}

/* r=NONCE,s=SALT,i=COUNT (RFC 5802 section 7).  Whether the nonce begins with ours, and all else, is the library's; it
 * would take a count that it computes for seconds on. */
static bool on_server_first(struct sasl_client *c, struct span challenge, struct err *e)
{
	struct span nonce = part_of(&challenge), salt = part_of(&challenge), count = part_of(&challenge);
	char memory[SALT_MAX];
	struct buf decoded;
	uint64_t n;

	buf_lend(&decoded, memory, sizeof memory);
	if (!span_starts(nonce, SPAN("r=")) || !span_starts(salt, SPAN("s=")) || !span_starts(count, SPAN("i=")))
		return fail(c, GSASL_MECHANISM_PARSE_ERROR, e);
	if (!base64_decode(span_from(salt, 2), &decoded) || !decoded.len)
		return fail(c, GSASL_BASE64_ERROR, e);
	count = span_from(count, 2);
	if (!span_number(count, SASL_ITERATIONS_MAX, &n) || !n) {
		(void)err_set(e, ERR_PEER, "%s: the iteration count is not in 1..%d", sasl_mech_name(c->mech), SASL_ITERATIONS_MAX);
		return err_peer(e, count);
	}
	return give_salted(c, buf_span(&decoded), n, e);
}

/* What the library would take by the letter, or not tell apart. */
static bool check_challenge(struct sasl_client *c, struct span challenge, struct err *e)
{
	if (c->done)
		return fail(c, GSASL_MECHANISM_CALLED_TOO_MANY_TIMES, e);
	if (c->mech != SASL_LOGIN && c->mech != SASL_NTLM && c->mech != SASL_GSSAPI && span_find(challenge, '\0') < challenge.len)
		return fail(c, GSASL_MECHANISM_PARSE_ERROR, e);
	if (!is_scram(c->mech) || !c->steps)
		return true;
	if (span_starts(challenge, SPAN("e="))) {
		(void)err_set(e, ERR_AUTH, "%s: refused", sasl_mech_name(c->mech));
		return err_peer(e, challenge);
	}
	return c->steps != 1 || on_server_first(c, challenge, e);
}

/* user SP digest (RFC 2195).  It does not say that passwords are prepared, and who keeps digests of them does not. */
static bool cram_step(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e)
{
	unsigned char digest[MD5_SIZE];
	char hex[2 * MD5_SIZE + 1];
	struct span password = buf_span(&c->password);
	unsigned len = 0;

	if (!HMAC(EVP_md5(), password.len ? password.at : "", (int)password.len, (const unsigned char *)challenge.at, challenge.len, digest, &len))
		return fail(c, GSASL_CRYPTO_ERROR, e);
	to_hex(digest, sizeof digest, hex);
	if (!buf_room(response, c->user.len + strlen(hex) + 1) || !buf_add(response, buf_span(&c->user)) || !buf_add_byte(response, ' ') ||
	    !buf_add(response, span_of(hex)))
		return err_set(e, ERR_LOCAL, "%s: no room for a response", sasl_mech_name(c->mech));
	c->done = true;
	return true;
}

/* The last challenge has the server's proof, and is answered by nothing. */
static bool digest_step(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e)
{
	struct digest_with with = { .user = buf_span(&c->user), .password = buf_span(&c->password), .service = c->service, .host = c->host };
	unsigned char chance[CNONCE];
	char hex[2 * sizeof chance + 1];

	if (c->steps++) {
		c->done = digest_verify(c->rspauth, challenge, e);
		return c->done;
	}
	if (RAND_bytes(chance, sizeof chance) != 1)
		return fail(c, GSASL_CRYPTO_ERROR, e);
	to_hex(chance, sizeof chance, hex);
	with.cnonce = span_of(hex);
	return digest_answer(&with, challenge, response, c->rspauth, e);
}

static bool ntlm_step(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e)
{
	struct ntlm_with with = { .user = buf_span(&c->user), .password = buf_span(&c->password), .now_s = c->now_s };

	if (!c->steps == (challenge.len > 0))
		return fail(c, GSASL_MECHANISM_PARSE_ERROR, e);
	if (!c->steps++)
		return ntlm_first(response, e);
	c->done = true;
	if (RAND_bytes(with.nonce, sizeof with.nonce) != 1)
		return fail(c, GSASL_CRYPTO_ERROR, e);
	return ntlm_answer(&with, challenge, response, e);
}

static bool gssapi_turn(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e)
{
	bool good = gssapi_step(c->gssapi, challenge, response, e);

	c->done = good && gssapi_done(c->gssapi);
	return good;
}

/* Said once; a challenge behind it tells why we are refused, and wants an answer. */
static bool bearer_step(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e)
{
	struct span out = c->steps ? bearer_last(c->mech) : buf_span(&c->first);

	if (!c->steps == (challenge.len > 0))
		return fail(c, GSASL_MECHANISM_PARSE_ERROR, e);
	if (c->steps++) {
		c->token = bearer_refusal(challenge);
		c->done = true;
	}
	/* At once: growing would leave copies behind. */
	if (!buf_room(response, out.len + 1) || !buf_add(response, out))
		return err_set(e, ERR_LOCAL, "%s: no room for a response", sasl_mech_name(c->mech));
	return true;
}

static bool library_step(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e)
{
	char *out = NULL;
	size_t len = 0;
	bool fits;
	int code = gsasl_step(c->session, challenge.len ? challenge.at : "", challenge.len, &out, &len);

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

static bool step(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e)
{
	if (!check_challenge(c, challenge, e))
		return false;
	switch (c->mech) {
	case SASL_CRAM_MD5:
		return cram_step(c, challenge, response, e);
	case SASL_DIGEST_MD5:
		return digest_step(c, challenge, response, e);
	case SASL_NTLM:
		return ntlm_step(c, challenge, response, e);
	case SASL_GSSAPI:
		return gssapi_turn(c, challenge, response, e);
	case SASL_OAUTHBEARER:
	case SASL_XOAUTH2:
		return bearer_step(c, challenge, response, e);
	case SASL_EXTERNAL:
	case SASL_SCRAM_SHA_256_PLUS:
	case SASL_SCRAM_SHA_256:
	case SASL_SCRAM_SHA_1_PLUS:
	case SASL_SCRAM_SHA_1:
	case SASL_PLAIN:
	case SASL_LOGIN:
		return library_step(c, challenge, response, e);
	case SASL_APOP:
	case SASL_USER:
	case SASL_MECHS:
		break;
	}
	assert(0);
	return false;
}

/* Ours is out, and what comes now has to be the server's; GSSAPI sees to that itself. */
static bool proof_is_due(const struct sasl_client *c)
{
	return !c->done && ((is_scram(c->mech) && c->steps > 1) || (c->mech == SASL_DIGEST_MD5 && c->steps));
}

bool sasl_client_step(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e)
{
	bool due = proof_is_due(c), good = step(c, challenge, response, e);

	if (due && !good && e->kind == ERR_PEER) {
		(void)err_in(e, "the server did not prove that it knows the password");
		e->kind = ERR_AUTH;
	}
	return good;
}

bool sasl_client_verified(const struct sasl_client *c)
{
	return !sasl_mech_mutual(c->mech) || c->done;
}

enum sasl_token sasl_client_token(const struct sasl_client *c)
{
	return c->token;
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
	gssapi_free(&(*c)->gssapi);
	free((*c)->service);
	free((*c)->host);
	buf_end(&(*c)->user);
	buf_wipe(&(*c)->password);
	buf_wipe(&(*c)->first);
	free(*c);
	*c = NULL;
}
