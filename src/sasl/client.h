/* SPDX-License-Identifier: Apache-2.0
 *
 * SASL, the client's side (RFC 4422), over GNU SASL: SCRAM, PLAIN, LOGIN, EXTERNAL.  Ours are CRAM-MD5 (RFC 2195),
 * OAUTHBEARER (RFC 7628) and XOAUTH2, DIGEST-MD5 (client_digest.h) and NTLM (client_ntlm.h); GSSAPI is over MIT's Kerberos
 * (client_gssapi.h).
 *
 *     c = sasl_client_new(mech, &credentials, &e);
 *     repeat: sasl_client_step(c, challenge, &response, &e)
 *     at the server's success: sasl_client_verified(c), else the server did not
 *     prove that it knows the password (SCRAM, RFC 5802 section 5; DIGEST-MD5's rspauth), or who it is (GSSAPI): fail.
 *     sasl_client_free(&c);
 * Challenges and responses are raw octets; base64 is the protocol's.  A
 * mechanism that speaks first is stepped with an empty challenge before the
 * first one arrives (sasl_mech_first).
 * sasl_client_step may take seconds for mechanisms that sasl_mech_slow names (GSSAPI may ask a KDC, whose silence lasts as
 * long as krb5.conf lets it): never on a loop thread.  A server's iteration count above SASL_ITERATIONS_MAX
 * is refused before the library sees it.  One client is used by one thread at
 * a time.  Credentials are copied and wiped at free.
 * Passwords: PLAIN, LOGIN and CRAM-MD5 carry the octets; DIGEST-MD5 and NTLM say in their headers what they make of them; GSSAPI and EXTERNAL have none; SCRAM has what saslprep_password
 * (wire/saslprep.h) makes of them, which is what our server's keys are of (store/verifier.h),
 * so that any password without a NUL that can be set can be proved.  GNU SASL would refuse
 * passwords with emoji, in SCRAM and CRAM-MD5: it gets the salted one, and CRAM-MD5 is ours.  The user's name in SCRAM
 * it prepares itself, and refuses such names.
 * OAUTHBEARER and XOAUTH2 carry an access token in place of the password, of at most OAUTH_TOKEN_MAX octets
 * (wire/oauth.h).  When the server says in a challenge why it refuses, sasl_client_token tells it.
 * SCRAM without -PLUS says "n", no channel binding: for the "y" of RFC 5802
 * section 6 GNU SASL 2.2.0 fails (it validates the binding's name even then).
 * Errors: ERR_AUTH (the server's proof is wrong, or it refused inside the
 * exchange; never try a weaker mechanism after it; what stands where its proof has to and is none is a wrong one), ERR_PEER (a challenge that
 * is none, too many iterations, no KDC that answers), ERR_CONFIG (credentials that this mechanism
 * cannot carry: a NUL in a password, or a user's name that SASLprep forbids, in SCRAM; no Kerberos ticket: nobody refused
 * anything, and another mechanism may do), ERR_LOCAL. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { SASL_ITERATIONS_MAX = 600000, SASL_RESPONSE_MAX = 64 * 1024 };

/* Strongest first: the order of auth = auto (PRODUCT 2.1). */
enum sasl_mech {
	SASL_EXTERNAL, SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1_PLUS, SASL_SCRAM_SHA_1,
	SASL_OAUTHBEARER, SASL_XOAUTH2, SASL_GSSAPI, SASL_DIGEST_MD5, SASL_CRAM_MD5, SASL_NTLM,
	SASL_APOP, SASL_PLAIN, SASL_LOGIN, SASL_USER,	/* APOP and USER are POP3's own, not SASL */
	SASL_MECHS
};

struct sasl_credentials {
	const char *user;
	struct span password;
	const char *service;		/* "pop", "imap", "smtp", "lmtp" */
	const char *host;
	uint16_t port;			/* 0 = not told; OAUTHBEARER alone says it */
	int64_t now_s;			/* the time, which NTLM says; 0 = not told */
	struct span tls_exporter;	/* RFC 9266 channel binding; used where there is no tls_unique */
	struct span tls_unique;		/* RFC 5929, empty with TLS 1.3 */
};

struct sasl_client;

/* What a server said of a token; EXPIRED: another one may be taken. */
enum sasl_token { SASL_TOKEN_NOTHING, SASL_TOKEN_EXPIRED, SASL_TOKEN_REFUSED };

/* "SCRAM-SHA-256" and so on, as in CAPA; APOP and USER give "APOP", "USER". */
const char *sasl_mech_name(enum sasl_mech mech);
/* As in PRODUCT's `auth` key, any case: "scram-sha-256", "user". */
bool sasl_mech_parse(struct span name, enum sasl_mech *mech);
bool sasl_mech_built(enum sasl_mech mech);	/* this build can do it */
bool sasl_mech_clear(enum sasl_mech mech);	/* shows the password to whoever reads the line */
bool sasl_mech_first(enum sasl_mech mech);	/* the client speaks first (initial response) */
bool sasl_mech_slow(enum sasl_mech mech);	/* step must not run on a loop thread */
bool sasl_mech_asks(enum sasl_mech mech);	/* of the slow ones: its step may wait for others, who do not answer perhaps */
bool sasl_mech_plus(enum sasl_mech mech);	/* needs channel binding */
bool sasl_mech_bearer(enum sasl_mech mech);	/* carries an access token */
bool sasl_mech_keyless(enum sasl_mech mech);	/* wants no password: a certificate or a ticket */
bool sasl_mech_apart(enum sasl_mech mech);	/* says its first word only when asked: some servers read none beside the command */
bool sasl_mech_mutual(enum sasl_mech mech);	/* the server proves that it knows the password, or who it is */
/* What to look at when a server refuses: "`user` and `password`". */
const char *sasl_mech_check(enum sasl_mech mech);
/* Servers differ in what they make of these credentials, so that a refusal would prove nothing: DIGEST-MD5, where ISO 8859-1 has all
 * letters of one of them, and some are not ASCII's.  RFC 2831 hashes them in that, Dovecot in UTF-8. */
bool sasl_mech_disputed(enum sasl_mech mech, struct span user, struct span password);
/* "SCRAM-SHA-1, PLAIN" for bits 1 << enum sasl_mech; "none" for none.  What does not fit is left out whole. */
void sasl_mechs_text(unsigned bits, char *out, size_t size);

[[nodiscard]] struct sasl_client *sasl_client_new(enum sasl_mech mech, const struct sasl_credentials *with, struct err *e);
[[nodiscard]] bool sasl_client_step(struct sasl_client *c, struct span challenge, struct buf *response, struct err *e);
bool sasl_client_verified(const struct sasl_client *c);
enum sasl_token sasl_client_token(const struct sasl_client *c);
void sasl_client_free(struct sasl_client **c);
