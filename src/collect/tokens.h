/* SPDX-License-Identifier: Apache-2.0
 *
 * The access tokens of connections (PRODUCT 2.1 `oauth`): asked of issuers over HTTPS, on one loop, and kept in memory.
 *
 *     tokens_new(&with, &e)
 *     w = tokens_get(t, connection, done, user, &e)    → done(user, token, why), once, later, never from within this call
 *     tokens_end(&w)                                   always, also within done; before it: done never comes
 *     tokens_free(&t)                                  before the loop; no wait may be left (asserted)
 * One request at a time for a connection, and what it brings is for all who wait.  It goes on when nobody waits any more,
 * for the issuer may have made a new refresh token that must be kept; it keeps the loop alive until then (tokens_busy).
 *
 * A token that is handed out has some life left: it is renewed TOKENS_EARLY_S, or a tenth of its life, before it ends.  If
 * that fails for now, the old one is good enough while it lives.  tokens_expired says that a server took it no more.
 *
 * A new refresh token (rotation) is saved durably before the access token beside it is handed out, and before the old one is
 * forgotten.  When it cannot be saved it stays in memory, who asks is told so, and the next one who asks has it saved first.  A
 * kill in between leaves the old one: an issuer that still takes that goes on, one that does not answers invalid_grant.
 *
 * Errors, in `why`:
 *     ERR_AUTH    the issuer takes the refresh token no more, or there is none: `postrider oauth login NAME`.  Fatal
 *     ERR_CONFIG  the issuer refuses the client, its scope or its flow; the client's secret cannot be read.  Fatal
 *     ERR_PEER    it did not answer, or nonsense: asked again after TOKENS_AGAIN_S, doubling to TOKENS_AGAIN_MAX_S, or what it
 *                 said itself (Retry-After); until then this is the answer
 *     ERR_LOCAL   the new refresh token could not be saved; memory
 * No token is in any of them, nor in the log. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"
#include "net/loop.h"
#include "store/store.h"

enum {
	TOKENS_EARLY_S = 300, TOKENS_LIFE_S = 3600,	/* of one of which no life is told */
	TOKENS_AGAIN_S = 5, TOKENS_AGAIN_MAX_S = 300, TOKENS_TIMEOUT_MS = 30000, TOKENS_NAME_MAX = SETTINGS_NAME_MAX * 4 + 8,
};

struct tokens;
struct tokens_wait;

struct tokens_with {		/* borrowed, and outlive the loop */
	struct loop *loop;
	/* Where refresh tokens are kept, by tokens_name; they run in jobs, and may block.  load appends.  NULL: nowhere. */
	bool (*load)(void *user, const char *name, struct buf *token, struct err *e);
	bool (*save)(void *user, const char *name, struct span token, struct err *e);	/* durable when it returns */
	void *user;
	struct store *vault;	/* of client secrets vault:NAME; NULL: those cannot be read */
	int64_t (*now)(void);	/* seconds since 1970; NULL: clock_now_s (for tests) */
};

struct tokens_shown {
	int64_t expires;	/* of the access token; 0: there is none */
	uint64_t got_ms;	/* when it came, of the loop's clock */
};

[[nodiscard]] struct tokens *tokens_new(const struct tokens_with *with, struct err *e);
void tokens_free(struct tokens **t);
/* `token` lives during done; empty: `why` says why there is none. */
[[nodiscard]] struct tokens_wait *tokens_get(struct tokens *t, const struct connection *c,
	void (*done)(void *user, struct span token, const struct err *why), void *user, struct err *e);
void tokens_end(struct tokens_wait **w);
/* The server refused this one: it is not handed out again. */
void tokens_expired(struct tokens *t, const char *connection, struct span token);
/* A request is under way, which may end in a new refresh token: who wants to keep another one must wait. */
bool tokens_changing(const struct tokens *t, const char *connection);
/* Another one is kept now, since somebody has logged in.  Not while it is changing (asserted). */
void tokens_changed(struct tokens *t, const char *connection);
bool tokens_busy(const struct tokens *t);	/* requests, or saves, are under way */
void tokens_show(const struct tokens *t, const char *connection, struct tokens_shown *shown);
/* "oauth:NAME": what a connection's refresh token is kept as. */
const char *tokens_name(const char *connection, char out[TOKENS_NAME_MAX]);
