/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/relay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "deliver/relay_inside.h"

/* ---- mails */

static void put_last(struct relay *r, struct mail *m)
{
	m->next = NULL;
	*r->last = m;
	r->last = &m->next;
}

struct mail *relay_take(struct relay *r)
{
	struct mail *m = r->first;

	if (!m)
		return NULL;
	r->first = m->next;
	if (!r->first)
		r->last = &r->first;
	return m;
}

void relay_again(struct relay *r, struct mail *m)
{
	m->tried = true;
	m->again = false;
	put_last(r, m);
	wake_send(r->wake);
}

void relay_done(struct relay *r, struct mail *m)
{
	r->mails--;
	m->ask.done(m->ask.user, m->results, m->ask.recipient_count);
	free(m);
}

/* Those that wait now; what `done` asks for anew has its own turn. */
void relay_defer_all(struct relay *r, const struct err *why)
{
	struct mail *all = r->first;

	r->first = NULL;
	r->last = &r->first;
	while (all) {
		struct mail *m = all;

		all = m->next;
		for (size_t i = 0; i < m->ask.recipient_count; i++) {
			m->results[i] = (struct relay_result){ .outcome = SMC_DEFERRED, .kind = why->kind, .ours = true };
			(void)snprintf(m->results[i].text, sizeof m->results[i].text, "%.*s", RELAY_TEXT_MAX, why->text);
		}
		relay_done(r, m);
	}
}

/* SIZE and BDAT want to know how long it will be, and 8BITMIME what is in it. */
static bool look_at(struct mail *m, struct err *e)
{
	struct smtp_look look = { 0 };
	char octets[16 * 1024];
	uint64_t at = 0;
	size_t n;

	do {
		if (!spool_at(m->ask.message, at, octets, sizeof octets, &n, e))
			return false;
		smtp_look(&look, (struct span){ octets, n });
		at += n;
	} while (n);
	smtp_look_end(&look);
	m->smc.octets = look.octets;
	m->smc.eight_bit = look.eight_bit;
	return true;
}

void relay_send(struct relay *r, const struct relay_ask *ask)
{
	struct mail *m = calloc(1, sizeof *m + ask->recipient_count * sizeof *m->results);

	if (!m)
		abort();	/* as of any small thing of the store's: nobody could be told */
	assert(ask->recipient_count && ask->recipient_count <= SMC_RECIPIENTS_MAX && ask->message && ask->done);
	m->ask = *ask;
	m->smc = (struct smc_mail){ .sender = ask->sender, .recipients = ask->recipients, .recipient_count = ask->recipient_count, .user = m };
	put_last(r, m);
	r->mails++;
	wake_send(r->wake);
}

/* ---- connections */

size_t relay_waiting(const struct relay *r)
{
	return r->mails;
}

size_t relay_connections(const struct relay *r)
{
	size_t count = 0;

	for (const struct link *k = r->links; k; k = k->next)
		count += k->conn != NULL;
	return count;
}

void relay_drop_link(struct link *k)
{
	if (k->at)
		*k->at = k->next;
	if (k->next)
		k->next->at = k->at;
	smc_end(k->s);
	free(k->s);
	timer_free(&k->idle);
	sasl_client_free(&k->sasl);
	buf_wipe(&k->challenge);
	buf_wipe(&k->response);
	free(k);
}

/* One that can take a mail now, or will be able to. */
static bool wants_more(const struct relay *r)
{
	size_t coming = 0, waiting = 0;

	for (const struct link *k = r->links; k; k = k->next)
		coming += k->conn && !k->ready;
	for (const struct mail *m = r->first; m && waiting <= coming; m = m->next)
		waiting++;
	return waiting > coming && relay_connections(r) < r->with->parallel;
}

static bool look_at_all(struct relay *r, struct err *e)
{
	for (struct mail *m = r->first; m; m = m->next)
		if (!m->smc.octets && !look_at(m, e))
			return false;
	return true;
}

static void on_wake(void *user)
{
	struct relay *r = user;
	struct err e;

	if (!look_at_all(r, &e)) {
		relay_defer_all(r, &e);
		return;
	}
	for (struct link *k = r->links, *next; k; k = next) {
		next = k->next;
		if (k->ready && k->conn && r->first)
			link_move(k);
	}
	while (wants_more(r)) {
		if (link_open(r, &e))
			continue;
		relay_defer_all(r, &e);
		return;
	}
}

struct relay *relay_new(struct loop *l, const struct relay_settings *s, struct err *e)
{
	struct relay *r = calloc(1, sizeof *r);

	if (!r) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	assert(s->parallel);
	*r = (struct relay){ .loop = l, .with = s, .last = &r->first };
	r->tasks = tasks_new(l, e);
	if (r->tasks)
		r->wake = wake_new(l, on_wake, r, e);
	if (!r->wake)
		relay_free(&r);
	return r;
}

/* What a connection is about to send belongs to whoever frees us: it is told nothing, and cut. */
void relay_free(struct relay **relay)
{
	struct relay *r = *relay;

	*relay = NULL;
	if (!r)
		return;
	tasks_free(&r->tasks);
	while (r->links) {
		struct link *k = r->links;

		r->links = k->next;
		if (r->links)
			r->links->at = &r->links;
		k->relay = NULL;
		k->stepping = false;	/* its work is over, and nobody tells */
		k->login.password = (struct span){ 0 };
		k->at = NULL;
		k->next = NULL;
		link_move(k);
	}
	for (struct mail *m; (m = relay_take(r));)
		free(m);
	wake_free(&r->wake);
	free(r);
}
