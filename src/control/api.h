/* SPDX-License-Identifier: Apache-2.0
 *
 * The API: everything that a command, the console or another program may ask
 * or tell Postrider, as operations with a name, a JSON object of arguments and a
 * JSON object as answer.  Each is implemented once and called from two sides: from
 * the control socket of a running instance (server.h), and by a command
 * that opened the store itself (ask.h).
 *
 *     api = api_new(&with, &e) … c = api_ask(api, "account.list", args, &asker) …
 *     … asker.answered(user, c): look with api_reply or api_error … api_end(&c)
 *
 * Arguments are decoded strictly before the operation sees them: a member that
 * is unknown, missing, of a wrong type or too long is an error that names it (request.h
 * has refused doubled members and what is no JSON at all).
 * Lists come in pages: arguments `after` (the `next` of the page before) and
 * `limit` (at most API_ROWS_MAX); the answer has `rows` and, unless it was the last
 * page, `next`.  A page ends early when it gets long.
 *
 * Octets: some operations take octets behind the request (api_wants), in pieces, as
 * many as were announced: api_take while !api_full.  Some have octets behind
 * the answer: api_octets says how many, api_give hands out pieces until all are given.
 *
 * Answers that wait for the store carry tickets of the API's (api_owns). Who drains
 * store_next gives each of those to api_answered; it is then that `answered` is called. An
 * operation may block for some 100 ms (what changes accounts commits in between).
 * Everything here is for the store's one thread. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "control/hooks.h"
#include "store/store.h"

enum {
	API_VERSION = 1,
	API_ROWS_MAX = 500,		/* rows a page */
	API_PAGE_OCTETS = 256 * 1024,	/* a page with so much is full */
	API_PIECE = 64 * 1024		/* octets that api_give adds at most */
};

struct api;
struct api_call;

struct api_with {
	struct store *store;		/* borrowed */
	const char *main_domain;	/* copied; NULL or "" = none */
	const struct api_hooks *hooks;	/* copied; NULL: this is not a running instance */
};

[[nodiscard]] struct api *api_new(const struct api_with *with, struct err *e);
void api_free(struct api **api);	/* calls that are left are ended without `answered` */
void api_reload(struct api *api, const char *main_domain);

/* Tickets of the API have this in their highest octet, so that a dispatcher knows whose an answer is. */
#define API_TICKETS ((uint64_t)0xA1 << 56)
static inline bool api_owns(uint64_t ticket)
{
	return ticket >> 56 == API_TICKETS >> 56;
}
/* An answer of the store's with such a ticket; its call may have been ended. */
void api_answered(struct api *api, const struct store_done *done);

struct api_asker {
	/* The answer is there; called at once from within api_ask or api_take, or later from api_answered.
	 * The call may be ended within. */
	void (*answered)(void *user, struct api_call *c);
	void *user;
	uint64_t octets;		/* announced behind the request */
	int fd;				/* came with it, -1 = none; taken over, also on an error */
};
