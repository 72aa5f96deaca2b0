/* SPDX-License-Identifier: Apache-2.0
 *
 * SASL, the server's side (RFC 4422): SCRAM (RFC 5802, RFC 7677), PLAIN (RFC 4616),
 * LOGIN, CRAM-MD5 (RFC 2195), EXTERNAL, OAUTHBEARER (RFC 7628) and XOAUTH2, all ours: see ARCHITECTURE.md for why
 * GNU SASL, which the client's side has, is not asked here.
 *
 *     s = sasl_server_new(mech, &with, &e);
 *     repeat: sasl_server_step(s, response, &challenge, &proof, &e)
 *         while it says SASL_SAYS_MORE: send what is in `challenge`, get a response
 *     sasl_server_free(&s);
 * Responses and challenges are raw octets; base64 is the protocol's.  `response`
 * is NULL when the client gave no initial response, and only in the first step;
 * an empty one (POP3's "=") is a response.  A challenge is appended to the
 * caller's buf, at most SASL_CHALLENGE_MAX octets, perhaps none: it is sent all the same.
 *
 * What is said:
 *     MORE      the challenge is to be sent.  With SCRAM the last one is the server's
 *               own proof (RFC 5802 section 7, v=), which an empty response answers:
 *               the step after that says PROVED
 *     PASSWORD  PLAIN, LOGIN: a name and a password were given; whether they are
 *               right is for the caller to find out
 *     PROVED    SCRAM, CRAM-MD5: the client knows the password whose keys `find` gave.
 *               Whether there is such an account, the caller looks
 *     TOKEN     OAUTHBEARER, XOAUTH2: `password` is a bearer token for `name` (with OAUTHBEARER perhaps empty:
 *               whoever's it is).  Is it not good, sasl_server_refuse_token gives the challenge that says so, and the
 *               next step, whatever the client answers, is REFUSED with ERR_AUTH
 *     NAMED     EXTERNAL: a name to act as was given, or none; nothing is proved here
 *     REFUSED   e->kind: ERR_AUTH, the proof is wrong, or a client that could bind was
 *               made to believe that we cannot ("y" of RFC 5802 section 6); ERR_PEER, the
 *               message is malformed, or wants a channel binding that is not to be had;
 *               ERR_LOCAL, ours (memory): no failed login.  The text is for the log alone
 * After any but MORE the exchange is over and must not be stepped again (asserted).
 *
 * `proof` is filled as far as things are known, also at MORE and REFUSED (the
 * name, for penalties), and borrows from the server until it is freed.  Names are
 * as the client gave them: no SASLprep, no folding; at most SASL_NAME_MAX octets, no
 * controls, with SCRAM well-formed UTF-8 that SASLprep can do; others are refused and not
 * shown.  A name is never empty in PASSWORD and PROVED.  `authzid` is empty where none was given: the caller refuses
 * one that is not the name (its own way of telling names to be the same).
 * A password is of any octets but NUL, and perhaps empty.  CRAM-MD5 takes the kept one as it
 * is or as SASLprep has it, since clients do both.
 *
 * SCRAM with stored keys costs no key derivation: a whole exchange takes some 6.5
 * microseconds.  The client's two messages are held against RFC 5802's grammar (scram.h)
 * first.  A salt may be shorter than SASL_SALT, and the count is any.
 * Bindings: tls-exporter (RFC 9266) and tls-unique (RFC 5929), which is not to be given
 * with TLS 1.3; any other is refused.  Giving one means that -PLUS is offered on this line.
 *
 * Threads: one server is used by one thread at a time, different ones by any.
 * `find` is called within a step, on its thread.
 *
 * Secrets: what the client said, keys and secrets of `find`, the client's key that SCRAM's proof
 * gives, all are wiped: keys when the proof was judged, the rest at free at the latest. */
#pragma once

#include "sasl/client.h"

enum {
	SASL_SERVER_RESPONSE_MAX = 12 * 1024,	/* a longer response is refused, ERR_PEER */
	SASL_NAME_MAX = 1024, SASL_NONCE_MAX = 512,	/* the nonce of SCRAM's client: the same */
	SASL_CHALLENGE_MAX = 1024, SASL_SALT = 16, SASL_KEY_MAX = 32, SASL_SECRET_MAX = 1024, SASL_HOST_MAX = 255,
};

enum sasl_said { SASL_SAYS_MORE, SASL_SAYS_PASSWORD, SASL_SAYS_TOKEN, SASL_SAYS_PROVED, SASL_SAYS_NAMED, SASL_SAYS_REFUSED };

struct sasl_scram_keys {	/* RFC 5802 section 3, of the password after SASLprep */
	uint32_t iterations;	/* never 0 */
	uint8_t salt[SASL_SALT];
	size_t salt_len;	/* never 0 */
	uint8_t stored[SASL_KEY_MAX], server[SASL_KEY_MAX];	/* of SHA-1 the first 20 */
};

struct sasl_keys {		/* made-up ones for who is not there: the same for a name at each try */
	struct sasl_scram_keys sha256, sha1;
	char secret[SASL_SECRET_MAX];	/* the password itself, as it was set: CRAM-MD5 */
	size_t secret_len;		/* 0: not kept; the exchange goes on and ends in ERR_AUTH */
};

struct sasl_proof {
	struct span name, authzid, password;
};

struct sasl_server_with {	/* copied */
	const char *host;		/* of CRAM-MD5's stamp: a name without blanks, at most SASL_HOST_MAX octets */
	struct span tls_exporter, tls_unique;	/* empty: not to be had, or -PLUS is not offered */
	struct span nonce;		/* for tests: our part of SCRAM's, at most 64 octets; empty: by chance */
	void (*find)(void *user, struct span name, struct sasl_keys *keys);	/* fills what the mechanism needs */
	void *user;
};

struct sasl_server;

bool sasl_mech_serves(enum sasl_mech mech);	/* this build can do it here */

/* `mech` is one that is served.  NULL: ERR_LOCAL, no memory, or -PLUS without a binding. */
[[nodiscard]] struct sasl_server *sasl_server_new(enum sasl_mech mech, const struct sasl_server_with *with, struct err *e);
[[nodiscard]] enum sasl_said sasl_server_step(struct sasl_server *s, const struct span *response, struct buf *challenge,
					      struct sasl_proof *proof, struct err *e);
void sasl_server_refuse_token(struct sasl_server *s, struct buf *challenge);	/* after TOKEN, once */
void sasl_server_free(struct sasl_server **s);
