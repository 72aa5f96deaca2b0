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

static struct mail *take(struct relay *r)
{
	struct mail *m = r->first;

	if (!m)
		return NULL;
	r->first = m->next;
	if (!r->first)
		r->last = &r->first;
	return m;
}

/* Before those that have not been tried, behind those that have. */
void relay_again(struct relay *r, struct mail *m)
{
	struct mail **at = &r->first;

	m->tried = true;
	m->again = false;
	while (*at && (*at)->tried)
		at = &(*at)->next;
	m->next = *at;
	if (!*at)
		r->last = &m->next;
	*at = m;
	wake_send(r->wake);
}

void relay_done(struct relay *r, struct mail *m)
{
	r->mails--;
	wake_hold(r->wake, r->mails > 0);
	m->ask.done(m->ask.user, m->results, m->ask.recipient_count);
	free(m);
}

static void defer(struct relay *r, struct mail *m, const struct err *why, bool down)
{
	for (size_t i = 0; i < m->ask.recipient_count; i++) {
		m->results[i] = (struct relay_result){ .outcome = SMC_DEFERRED, .kind = why->kind, .ours = true, .down = down };
		(void)snprintf(m->results[i].text, sizeof m->results[i].text, "%.*s", RELAY_TEXT_MAX, why->text);
	}
	relay_done(r, m);
}

/* Those that wait now; what `done` asks for anew has its own turn. */
void relay_down(struct relay *r, const struct err *why)
{
	struct mail *all = r->first;

	if (r->with->back_off)
		back_off_failed(r->with->back_off, loop_now_ms(r->loop), why->text);
	r->first = NULL;
	r->last = &r->first;
	while (all) {
		struct mail *m = all;

		all = m->next;
		defer(r, m, why, true);
	}
}

/* SIZE and BDAT want to know how long it will be, and 8BITMIME what is in it. */
static bool look_at(struct mail *m, struct err *e)
{
	struct smtp_look look = { 0 };
	char octets[16 * 1024];
	uint64_t at = 0;
	size_t n;

	if (m->looked)
		return true;
	do {
		if (!spool_at(m->ask.message, at, octets, sizeof octets, &n, e))
			return false;
		smtp_look(&look, (struct span){ octets, n });
		at += n;
	} while (n);
	smtp_look_end(&look);
	m->smc.octets = look.octets;
	m->smc.eight_bit = look.eight_bit;
	m->looked = true;
	return true;
}

struct mail *relay_take(struct relay *r)
{
	struct mail *m;
	struct err e;

	while ((m = take(r)) && !look_at(m, &e))
		defer(r, m, &e, false);
	return m;
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
	wake_hold(r->wake, true);
	wake_send(r->wake);
}

/* ---- what is accepted and not released */

bool relay_unsend(struct relay *r, const void *user)
{
	struct mail **at = &r->first, *m;

	while (*at && (*at)->ask.user != user)
		at = &(*at)->next;
	m = *at;
	if (!m)
		return false;
	*at = m->next;
	if (r->last == &m->next)
		r->last = at;
	r->mails--;
	wake_hold(r->wake, r->mails > 0);
	free(m);
	return true;
}

void relay_release(struct relay *r, const void *holds)
{
	struct orphan **at = &r->orphans, *o;
	bool ending = false;

	assert(holds);
	for (struct link *k = r->links; k; k = k->next) {
		if (k->unreleased == holds)
			k->unreleased = NULL;
		ending |= k->ending;
	}
	while ((o = *at) && o->unreleased != holds)
		at = &o->next;
	if (o) {
		*at = o->next;
		free(o);
	}
	if (ending || !r->orphans)
		wake_send(r->wake);
}

static void orphan(struct relay *r, const void *holds)
{
	struct orphan *o = malloc(sizeof *o);

	if (!o)
		abort();	/* as of any small thing of the store's: nobody could be told */
	*o = (struct orphan){ .next = r->orphans, .unreleased = holds };
	r->orphans = o;
}

bool relay_may_end(const struct link *k)
{
	const struct relay *r = k->relay;
	size_t taken = 0;

	if (k->unreleased || !r->orphans)
		return !k->unreleased;
	for (const struct orphan *o = r->orphans; o; o = o->next)
		taken++;
	for (const struct link *other = r->links; other; other = other->next)
		taken += other->unreleased || other->unanswered;
	return taken < r->with->parallel;
}

bool relay_unreleased(const struct relay *r)
{
	return r->orphans;
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
	if (k->unreleased)
		orphan(k->relay, k->unreleased);
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
static bool wants_more(struct relay *r)
{
	size_t coming = 0, ready = 0, waiting = 0;

	for (const struct link *k = r->links; k; k = k->next) {
		coming += k->conn && !k->ready;
		ready += k->conn && k->ready;
	}
	for (const struct mail *m = r->first; m && waiting <= coming; m = m->next)
		waiting++;
	if (waiting <= coming || coming + ready >= r->with->parallel || (coming && !ready && r->with->login.mech_count))
		return false;
	return !(coming + ready) || back_off_may(&r->more, loop_now_ms(r->loop));
}

static void on_wake(void *user)
{
	struct relay *r = user;
	struct err e;

	for (struct link *k = r->links, *next; k; k = next) {
		next = k->next;
		if (k->ready && k->conn && (r->first || k->ending))
			link_move(k);
	}
	while (wants_more(r)) {
		if (link_open(r, &e))
			continue;
		relay_down(r, &e);
		break;
	}
	if (!r->links && !r->mails && !r->orphans && r->with->alone)
		r->with->alone(r->with->alone_user);
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

void relay_rest(struct relay *r)
{
	for (struct link *k = r->links, *next; k; k = next) {
		next = k->next;
		if (!k->conn)
			continue;	/* a step of its login is in a job */
		if (smc_idle(k->s)) {
			smc_quit(k->s);
			link_move(k);
		} else if (!k->ready && !r->mails && !k->over) {
			link_forget(k);
		}
	}
}

void relay_distrust(struct relay *r)
{
	for (struct link *k = r->links; k; k = k->next)
		if (k->conn && !conn_tls_trusted(k->conn))
			conn_drop(k->conn);
}

void relay_free(struct relay **relay)
{
	struct relay *r = *relay;

	*relay = NULL;
	if (!r)
		return;
	tasks_free(&r->tasks);
	while (r->links)
		link_forget(r->links);
	for (struct orphan *o; (o = r->orphans); free(o))
		r->orphans = o->next;
	while (r->first)
		free(take(r));
	wake_free(&r->wake);
	free(r);
}
