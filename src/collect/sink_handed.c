/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery to servers and programs: handed over to deliver/, many at a time; what they do not take is untaken.c's. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "collect/retried.h"
#include "collect/visit_imap.h"
#include "deliver/parting.h"
#include "wire/utf7.h"

enum { FACTS = 5, FACT_SHOWN = 1024 };

struct handing {
	struct visit *visit;
	struct message *message;
	char uid[LEDGER_UID_MAX + 1];
	char mailbox[FACT_SHOWN];	/* "" = none */
	struct deliver_fact facts[FACTS];
};

static bool open_sink(struct sink *k, struct err *e)
{
	if (!collector_deliveries(k->visit->collector))
		return err_set(e, ERR_CONFIG, "nothing is handed over here");
	k->handed = collector_target(k->visit->collector, k->target, e);
	return k->handed;
}

static bool recover(struct sink *k, struct err *e)
{
	(void)k;
	(void)e;
	return true;
}

static void settle_facts(struct handing *h)
{
	const struct visit *v = h->visit;
	const struct message *m = h->message;

	if (m->retried)
		(void)memcpy(h->uid, m->retried->info.origin.uid, sizeof h->uid);
	else
		message_uid_text(v, m->number, (struct span){ m->uid, m->uid_len }, h->uid);
	h->facts[0] = (struct deliver_fact){ "SOURCE", "connection" };
	h->facts[1] = (struct deliver_fact){ "CONNECTION", v->with->name };
	h->facts[2] = (struct deliver_fact){ "ACCOUNT", v->with->user };
	h->facts[3] = (struct deliver_fact){ "UID", h->uid };
	h->facts[4] = (struct deliver_fact){ "MAILBOX", h->mailbox };
	utf7_show(span_of(m->retried ? m->retried->info.origin.mailbox : ledger_mailbox(m->ledger)), h->mailbox, sizeof h->mailbox);
}

/* The others that wait for it are held at once. */
static void give_up(struct sink *k, const char *why)
{
	struct visit *v = k->visit;

	log_error(&v->tag, "target %s: %s; what else is for it in this visit is held", k->target->name, why);
	k->hung = SINK_HUNG_MAX;
	for (size_t n = 0; n < v->slot_count; n++)
		if (v->slots[n] && v->slots[n]->handing && v->slots[n]->turn == k->index)
			(void)deliver_unless_begun(collector_deliveries(v->collector), v->slots[n]->handing, why);
}

void handed_look(struct visit *v)
{
	uint64_t now = loop_now_ms(collector_loop(v->collector));

	for (size_t n = 0; n < v->sink_count; n++) {
		struct sink *k = &v->sinks[n];

		if (k->outstanding && k->hung < SINK_HUNG_MAX && now - k->answered_ms >= SINK_SILENT_MS)
			give_up(k, "it has not answered for a minute");
	}
}

void handed_stop(struct visit *v, const char *why)
{
	for (size_t n = 0; n < v->slot_count; n++)
		if (v->slots[n] && v->slots[n]->handing)
			(void)deliver_unless_begun(collector_deliveries(v->collector), v->slots[n]->handing, why);
}

void handed_let_go(struct visit *v, struct handing **h)
{
	if (!*h)
		return;
	deliver_release(collector_deliveries(v->collector), *h);
	free(*h);
	*h = NULL;
}

void handed_release(struct visit *v, struct message *m)
{
	handed_let_go(v, &m->unreleased);
}

static bool any_accepted(const struct message *m, const struct deliver_result *r)
{
	size_t count = m->retried ? m->retried->recipient_count : m->routing.recipient_count;

	if (!r->each)
		return r->said == DELIVER_ACCEPTED;
	return parting_count(&(struct parting){ NULL, count, r->each }, DELIVER_ACCEPTED);
}

/* Where other targets are still to be asked the ledger is told of this one first: else a crash would double it. */
static void taken(struct visit *v, struct message *m)
{
	uint32_t all = (uint32_t)((1u << v->sink_count) - 1), over = m->accepted | m->failed | m->held | m->refused | 1u << m->turn;
	struct ledger_entry entry;

	if (m->copy || (over & all) == all) {
		message_accepted(v, m);
		return;
	}
	v->sinks[m->turn].failures = v->sinks[m->turn].hung = 0;
	m->accepted |= 1u << m->turn;
	message_entry(v, m, LEDGER_PENDING, &entry);
	ledger_put(m->ledger, &entry, visit_ticket(v, m->slot, TICKET_TAKEN));
}

static void done(void *user, const struct deliver_result *r)
{
	struct handing *h = user;
	struct visit *v = h->visit;
	struct message *m = h->message;
	struct sink *k = &v->sinks[m->turn];
	struct ledger *l = m->ledger;
	struct err e;

	v->waiting--;
	v->handed -= !m->copy;
	k->outstanding--;
	k->answered_ms = loop_now_ms(collector_loop(v->collector));
	m->handing = NULL;
	m->unreleased = h;
	if (!any_accepted(m, r))
		handed_release(v, m);
	if (r->said == DELIVER_ACCEPTED) {
		taken(v, m);
	} else if (v->stopping && !r->answered && !r->each && r->said == DELIVER_DEFERRED) {
		(void)err_set(&e, ERR_LOCAL, "%.*s", DELIVER_WHY_MAX, r->why);
		message_failed(v, m, &e);
	} else {
		k->hung = r->hung || r->down ? k->hung + 1 : r->answered ? 0 : k->hung;
		if (k->hung == SINK_HUNG_MAX)
			give_up(k, "it did not answer to several in a row");
		message_untaken(v, m, r);
	}
	ledger_flush(l);
	collector_dirty(v->collector, v);
}

static void deliver_message(struct sink *k, struct message *m)
{
	struct visit *v = k->visit;
	struct handing *h;
	struct deliver_ask ask = { .target = k->handed, .message = m->spool, .done = done };

	if (k->hung >= SINK_HUNG_MAX) {
		message_deferred(v, m, "the target did not answer to those before");
		return;
	}
	h = calloc(1, sizeof *h);
	if (!h)
		abort();	/* as of any small thing of the store's: nobody could be told */
	h->visit = v;
	h->message = m;
	settle_facts(h);
	ask.sender = m->retried ? m->retried->info.sender : m->routing.sender;
	ask.recipients = m->retried ? m->retried->recipients : m->routing.recipients;
	ask.recipient_count = m->retried ? m->retried->recipient_count : m->routing.recipient_count;
	if (m->retried && !ask.recipient_count) {	/* nobody was found when it came; its envelope may find somebody now */
		ask.recipients = m->routing.recipients;
		ask.recipient_count = m->routing.recipient_count;
	}
	ask.facts = h->facts;
	ask.fact_count = h->mailbox[0] ? FACTS : FACTS - 1;
	ask.user = m->handing = h;
	ask.holds = true;
	ask.insist = m->retried && !k->insisted;	/* it is due: the first of them finds out whether a server is back */
	k->insisted = k->insisted || ask.insist;
	v->waiting++;
	v->handed += !m->copy;
	if (!k->outstanding++)
		k->answered_ms = loop_now_ms(collector_loop(v->collector));
	deliver(collector_deliveries(v->collector), &ask);
}

static void answered(struct sink *k, struct message *m, enum ticket_kind kind)
{
	(void)k;
	(void)m;
	(void)kind;
}

static void settled(struct sink *k, struct message *m)
{
	(void)k;
	(void)m;
}

static void close_sink(struct sink *k)
{
	deliver_target_put(&k->handed);
}

const struct sink_ops sink_handed = {
	.open = open_sink, .recover = recover, .deliver = deliver_message,
	.answered = answered, .settled = settled, .close = close_sink,
};
