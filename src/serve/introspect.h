/* SPDX-License-Identifier: Apache-2.0
 *
 * Bearer tokens: an endpoint is asked whose a token is (RFC 7662), as a judge elsewhere (elsewhere.h).
 *
 *     i = introspect_new(now, &e)
 *     p = introspect_endpoint_new(&settings, &e); introspect_take(i, &p)    at start and at each reload; NULL: there is none
 *     introspect_judge(i)                for logins_with.token
 *     introspect_free(&i)                after the loops were joined, before they are freed; no job may be left
 * What it says of a token:
 *     RIGHT  HTTP status 200, "active": true, "exp" not passed, "nbf" reached, every word of `scope` among its "scope",
 *            and the claim that names the user is a text.  done()'s account is that text, always: who asked compares
 *     WRONG  anything else that is an answer by RFC 7662: not active, too old, without the claim, without the scope
 *     BUSY   the endpoint is not reached, refuses us, or answers what is no JSON object: nobody knows.  The log has why,
 *            once a minute, and that it answers again
 * So it fails closed.  Whose a token was is remembered (claims.h) for REMEMBERED_MS, less when it ends before, never
 * over a reload.
 * Tokens appear in no log, and are wiped.
 *
 * Any thread, but for new and free; each loop has connections of its own. */
#pragma once

#include "serve/elsewhere.h"

enum { INTROSPECT_AT_ONCE = 64, INTROSPECT_TIMEOUT_MS = 10000, INTROSPECT_REMEMBERED_MS = 60000, INTROSPECT_LOOPS = 1024 };

struct introspect_settings {	/* copied */
	const char *url;	/* https_url_good */
	const char *client_id;	/* NULL: the endpoint asks for none */
	struct span client_secret;
	const char *username_claim;	/* "username" */
	const char *scope;	/* words that the token must have; NULL: none */
	const char *ca_certificates;	/* PEM; NULL: the system's */
};

struct introspect;
struct introspect_endpoint;

/* `now`: seconds since 1970; NULL: clock_now_s (for tests). */
[[nodiscard]] struct introspect *introspect_new(int64_t (*now)(void), struct err *e);
/* ERR_CONFIG: the URL. */
[[nodiscard]] struct introspect_endpoint *introspect_endpoint_new(const struct introspect_settings *settings, struct err *e);
void introspect_endpoint_free(struct introspect_endpoint **p);	/* it was not taken */
/* From now on this one is asked; *p becomes NULL.  Without one nothing is asked, and who does is answered BUSY. */
void introspect_take(struct introspect *i, struct introspect_endpoint **p);
const struct elsewhere *introspect_judge(const struct introspect *i);
void introspect_free(struct introspect **i);
