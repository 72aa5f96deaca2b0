/* SPDX-License-Identifier: Apache-2.0
 *
 * The API: everything that a command, the console or another program may ask
 * or tell Postrider, as operations with a name, a JSON object of arguments and a
 * JSON object as answer.  Each is implemented once and called from two sides: from
 * the control socket of a running instance (server.h), and by a command
 * that opened the store itself (ask.h).
 *
 *     api = api_new(&with, &e) … c = api_ask(api, "account.list", args, &asker) …
 *     api_done(c), or later asker.answered(user, c): api_reply or api_error … api_end(&c)
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
 * store_next gives each of those to api_answered; it is then that `answered` is called.  An
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

struct api_asker {		/* copied */
	/* The answer is there: from api_answered, never from within another call.  The call may be ended within. */
	void (*answered)(void *user, struct api_call *c);
	void *user;
	uint64_t octets;	/* announced behind the request */
	int fd;			/* that came with it, -1 = none; taken over, whatever comes of it */
};

/* `args` is borrowed for as long as the call lives (NULL = none).  Ends the program when there is no memory. */
[[nodiscard]] struct api_call *api_ask(struct api *api, const char *op, json_t *args, const struct api_asker *who);
/* May several of it be under way for one client?  Of others, the next waits for the answer to that before. */
bool api_together(const char *op);
bool api_done(const struct api_call *c);	/* else `answered` will be called, when all octets are taken */
const json_t *api_reply(const struct api_call *c);	/* once done; NULL: it is an error, */
const struct err *api_error(const struct api_call *c);	/* this one */
bool api_notable(const struct api_call *c);	/* worth a line in the log: it may change something */
/* A step of a test, as programs get it; for people it is said from that, too. */
json_t *api_step(const char *connection, const struct visit_step *s);
void api_end(struct api_call **c);	/* any time; what was not answered is broken off */

/* Octets behind the request: `left` are still to be taken; after an error they are to be thrown away. */
uint64_t api_wants(const struct api_call *c);
void api_take(struct api_call *c, struct span octets);	/* at most api_wants; the last one may make it done */
bool api_full(const struct api_call *c);	/* none now: ask again after each store_next */
/* Octets behind the answer: how many, and up to API_PIECE more of them.  False: the rest cannot be had. */
uint64_t api_octets(const struct api_call *c);
[[nodiscard]] bool api_give(struct api_call *c, struct buf *out, struct err *e);
