/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/tokens.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/tokens_inside.h"
#include "wire/oauth.h"

struct tokens_wait {
	struct token *token;
	struct tokens_wait *next, **at;	/* at NULL: it was told */
	void (*done)(void *user, struct span token, const struct err *why);
	void *user;
};

const char *tokens_name(const char *connection, char out[TOKENS_NAME_MAX])
{
	(void)snprintf(out, TOKENS_NAME_MAX, "oauth:%s", connection);
	return out;
}

int64_t tokens_now(const struct tokens *t)
{
	return t->with.now ? t->with.now() : clock_now_s();
}

bool token_alive(const struct token *k)
{
	return k->access.len && tokens_now(k->all) < k->expires;
}

/* ---- those who wait */

static void link_wait(struct tokens_wait **list, struct tokens_wait *w)
{
	while (*list)
		list = &(*list)->next;
	w->at = list;
	w->next = NULL;
	*list = w;
}

static void unlink_wait(struct tokens_wait *w)
{
	if (!w->at)
		return;
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	w->at = NULL;
}

void tokens_end(struct tokens_wait **out)
{
	struct tokens_wait *w = *out;

	if (!w)
		return;
	unlink_wait(w);
	free(w);
	*out = NULL;
}

static void ready(struct token *k, const struct err *why)
{
	k->result = why ? *why : (struct err){ 0 };
	k->state = TOKEN_READY;
	timer_set(k->all->timer, 0, 0);
}

/* What cannot be answered from memory is asked for. */
static void begin(struct token *k)
{
	uint64_t now_ms = loop_now_ms(k->all->with.loop);
	struct err why;

	if (token_alive(k) && (tokens_now(k->all) < k->renew || now_ms < k->again_ms)) {
		ready(k, NULL);
	} else if (now_ms < k->again_ms) {
		why = k->last;
		(void)err_in(&why, "not asked again before %llu s have passed", (unsigned long long)((k->again_ms - now_ms + 999) / 1000));
		ready(k, &why);
	} else {
		token_ask(k);
	}
}

/* `done` may end waits, and make new ones. */
static void tell(struct token *k)
{
	struct tokens_wait *list = k->waits;

	k->state = TOKEN_IDLE;
	k->waits = NULL;
	if (list)
		list->at = &list;
	while (list && k->state == TOKEN_IDLE) {
		struct tokens_wait *w = list;

		if (!k->result.kind && !k->access.len)
			break;		/* the one before had it refused */
		unlink_wait(w);
		w->done(w->user, k->result.kind ? (struct span){ 0 } : buf_span(&k->access), k->result.kind ? &k->result : NULL);
	}
	while (list) {
		struct tokens_wait *w = list;

		unlink_wait(w);
		link_wait(&k->waits, w);
	}
	if (k->waits && k->state == TOKEN_IDLE)
		begin(k);
}

static void on_timer(void *user)
{
	struct tokens *t = user;

	for (struct token *k = t->list; k; k = k->next)
		if (k->state == TOKEN_READY)
			tell(k);
}

void token_over(struct token *k, const struct err *why)
{
	const struct tag tag = { NULL, "connection", k->connection };
	bool later = why && (why->kind == ERR_PEER || why->kind == ERR_LOCAL);

	if (why && !later)		/* the old one is of the same login */
		buf_wipe(&k->access);
	if (later && token_alive(k)) {
		log_warn(&tag, "the access token that there is will do for now: %s", why->text);
		why = NULL;
	}
	ready(k, why);
}

/* ---- tokens */

static void forget(struct token *k)
{
	buf_wipe(&k->access);
	buf_wipe(&k->fresh);
	buf_wipe(&k->unsaved);
	k->expires = k->renew = 0;
	k->failures = 0;
	k->again_ms = 0;
}

static void token_free(struct token *k)
{
	assert(!k->waits);
	token_stop(k);
	https_end(&k->call);
	forget(k);
	issuer_end(&k->issuer);
	free(k->connection);
	free(k);
}

static struct token *find(const struct tokens *t, const char *connection)
{
	struct token *k = t->list;

	while (k && strcmp(k->connection, connection) != 0)
		k = k->next;
	return k;
}

static struct token *token_new(struct tokens *t, const struct connection *c)
{
	struct token *k = calloc(1, sizeof *k);

	if (!k)
		return NULL;
	k->all = t;
	k->connection = strdup(c->name);
	buf_start(&k->access, OAUTH_TOKEN_MAX);
	buf_start(&k->fresh, OAUTH_TOKEN_MAX);
	buf_start(&k->unsaved, OAUTH_TOKEN_MAX);
	if (!k->connection || !issuer_copy(&k->issuer, &c->oauth)) {
		free(k->connection);
		free(k);
		return NULL;
	}
	k->next = t->list;
	t->list = k;
	return k;
}

/* Other settings are another client, or another issuer: nothing of what is kept is for them. */
static bool settle(struct token *k, const struct connection *c, struct err *e)
{
	struct issuer fresh;

	if (issuer_same(&k->issuer, &c->oauth))
		return true;
	if (k->state != TOKEN_IDLE && k->state != TOKEN_READY)
		return err_set(e, ERR_BUSY, "the settings of oauth have changed while a token is being asked for; the next visit has one");
	if (!issuer_copy(&fresh, &c->oauth))
		return err_set(e, ERR_LOCAL, "out of memory");
	issuer_end(&k->issuer);
	k->issuer = fresh;
	forget(k);
	if (k->state == TOKEN_READY && !k->waits)
		k->state = TOKEN_IDLE;
	return true;
}

struct tokens_wait *tokens_get(struct tokens *t, const struct connection *c, void (*done)(void *user, struct span token, const struct err *why), void *user, struct err *e)
{
	struct token *k = find(t, c->name);
	struct tokens_wait *w;

	assert(c->has_oauth);
	if (!k)
		k = token_new(t, c);
	w = k ? calloc(1, sizeof *w) : NULL;
	if (!w) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	if (!settle(k, c, e)) {
		free(w);
		return NULL;
	}
	*w = (struct tokens_wait){ .token = k, .done = done, .user = user };
	link_wait(&k->waits, w);
	if (k->state == TOKEN_IDLE)
		begin(k);
	return w;
}

void tokens_expired(struct tokens *t, const char *connection, struct span token)
{
	struct token *k = find(t, connection);

	if (k && token.len && span_equal(buf_span(&k->access), token))
		buf_wipe(&k->access);
}

bool tokens_changing(const struct tokens *t, const char *connection)
{
	const struct token *k = find(t, connection);

	return k && k->state != TOKEN_IDLE && k->state != TOKEN_READY;
}

void tokens_changed(struct tokens *t, const char *connection)
{
	struct token *k = find(t, connection);

	assert(!tokens_changing(t, connection));
	if (k)
		forget(k);
}

bool tokens_busy(const struct tokens *t)
{
	for (const struct token *k = t->list; k; k = k->next)
		if (k->state != TOKEN_IDLE)
			return true;
	return false;
}

void tokens_show(const struct tokens *t, const char *connection, struct tokens_shown *shown)
{
	const struct token *k = find(t, connection);

	*shown = k && k->access.len ? (struct tokens_shown){ k->expires, k->got_ms } : (struct tokens_shown){ 0 };
}

struct tokens *tokens_new(const struct tokens_with *with, struct err *e)
{
	struct tokens *t = calloc(1, sizeof *t);

	if (!t) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	t->with = *with;
	t->timer = timer_new(with->loop, on_timer, t);
	if (t->timer)
		return t;
	(void)err_set(e, ERR_LOCAL, "out of memory");
	tokens_free(&t);
	return NULL;
}

void tokens_free(struct tokens **out)
{
	struct tokens *t = *out;

	if (!t)
		return;
	while (t->list) {
		struct token *k = t->list;

		t->list = k->next;
		token_free(k);
	}
	if (t->https)
		https_free(&t->https);
	timer_free(&t->timer);
	free(t);
	*out = NULL;
}
