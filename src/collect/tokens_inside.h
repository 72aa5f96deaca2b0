/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens, inside the room: what tokens.c and its files share.
 *
 *   tokens.c        who waits for which token, and what is handed out
 *   tokens_ask.c    one token's request: jobs, the issuer, what its answer means
 *   issuer.c        (issuer.h) the settings of a request, and its form
 *
 * A token goes IDLE → LOADING (a job reads the refresh token and the client's secret) → ASKING → SAVING (a job keeps a new
 * refresh token) → READY (its waits are told in the loop's next turn) → IDLE. */
#pragma once

#include "collect/issuer.h"
#include "collect/tokens.h"
#include "net/https.h"

enum token_state { TOKEN_IDLE, TOKEN_LOADING, TOKEN_ASKING, TOKEN_SAVING, TOKEN_READY };

struct token_job;

struct token {
	struct token *next;
	struct tokens *all;
	char *connection;
	struct issuer issuer;		/* of the request, and of what is kept below */
	enum token_state state;
	struct token_job *job;
	struct https_call *call;
	struct buf access;		/* handed out while it lives */
	int64_t expires, renew;
	uint64_t got_ms;
	struct buf fresh;		/* came with `unsaved`: handed out when that is saved */
	int64_t fresh_expires, fresh_renew;
	struct buf unsaved;		/* a refresh token that is not durable yet */
	unsigned failures;		/* in a row, at the token endpoint */
	uint64_t again_ms;		/* before it is asked again; of the loop's clock */
	struct err result;		/* what waits are told; kind ERR_NONE: the token */
	struct err last;		/* why it is not asked before again_ms */
	struct tokens_wait *waits;
};

struct tokens {
	struct tokens_with with;
	struct https *https;		/* NULL: nothing was asked yet */
	struct timer *timer;		/* some token is READY */
	struct token *list;
};

/* tokens_ask.c: ends in token_over, never before it returns. */
void token_ask(struct token *k);
void token_stop(struct token *k);	/* its job, if there is one, ends into nothing */
/* tokens.c */
int64_t tokens_now(const struct tokens *t);
void token_over(struct token *k, const struct err *why);	/* NULL: good */
bool token_alive(const struct token *k);
