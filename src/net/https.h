/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTPS requests on a loop, by libcurl: what OAuth's endpoints want (RFC 6749, RFC 7662).
 *
 *     h = https_new(&with, &e)                one a loop; connections are kept and used again
 *     c = https_ask(h, &ask, &e)              → done(user, answer), once, later, never from within this call
 *     https_end(&c)                           always, on that loop, also within done; before it: done never comes
 *     https_free(&h)                          no call may be left (asserted)
 * A call keeps the loop alive.  One loop's thread uses one `struct https`; names are looked up in threads of libcurl's.
 *
 * The server's certificate and name are verified, TLSv1.2 at least.  http:// is for this machine alone
 * (https_url_good: 127.0.0.0/8, ::1, localhost).  No redirect is followed, no proxy of the environment, no
 * cookie, no netrc.  An answer of more than HTTPS_ANSWER_MAX octets is an error.
 * Everything of libcurl's own memory is wiped when it is given back, since tokens and passwords go through it.
 *
 * Errors: ERR_CONFIG (the URL, the file of authorities), ERR_NET (not reached, broken off, time-out, its certificate),
 * ERR_LOCAL (memory).  The text names host and cause, never what was sent.  An HTTP status is no error: the caller looks. */
#pragma once

#include "net/loop.h"

enum { HTTPS_ANSWER_MAX = 64 * 1024, HTTPS_URL_MAX = 2048, HTTPS_RETRY_MAX_S = 3600 };

struct https_with {		/* copied; `loop` outlives it */
	struct loop *loop;
	uint32_t timeout_ms;		/* of a whole request; connecting has at most half of it */
};

struct https_answer {		/* borrowed during done */
	bool good;		/* an answer came, whatever its status; else `why` */
	unsigned status;
	struct span body;
	struct span form;	/* what was asked, as it was sent */
	uint32_t retry_after_s;	/* Retry-After, in seconds or as a date; 0: it is not there; at most HTTPS_RETRY_MAX_S */
	struct err why;
};

struct https_ask {		/* copied */
	const char *url;
	struct span form;	/* the body of a POST, application/x-www-form-urlencoded; empty: GET */
	const char *ca_certificates;	/* a PEM file; NULL: the system's */
	const char *name;	/* of basic authentication; NULL: none */
	struct span password;	/* without a NUL */
	void (*done)(void *user, const struct https_answer *answer);
	void *user;
};

struct https;
struct https_call;

[[nodiscard]] bool https_url_good(const char *url, struct err *e);
[[nodiscard]] struct https *https_new(const struct https_with *with, struct err *e);
void https_free(struct https **h);
[[nodiscard]] struct https_call *https_ask(struct https *h, const struct https_ask *ask, struct err *e);
void https_end(struct https_call **c);
