/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery to servers and programs: handed over to deliver/, many at a time; what they do not take is untaken.c's.
 *
 * A crash makes come twice what the target has and the ledger does not know of.  So no more than HANDED_EACH for each of its
 * connections are that far at once, the others wait (to_hand); and before a message goes on to another target, which may take
 * its time, the ledger has it that this one took it. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "collect/retried.h"
#include "collect/visit_imap.h"

enum { FACTS = 5 };

struct handing {
	struct visit *visit;
	struct message *message;
	char uid[LEDGER_UID_MAX + 1];
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
	h->facts[4] = (struct deliver_fact){ "MAILBOX", ledger_mailbox(m->ledger) };
}

/* It hung so often that the others that wait for it are held at once. */
static void give_up(struct sink *k, const char *why)
{
	struct visit *v = k->visit;

	log_error(&v->tag, "target %s did not answer %d times in a row; what else is for it in this visit is held", k->target->name, SINK_HUNG_MAX);
	for (size_t n = 0; n < v->slot_count; n++)
		if (v->slots[n] && v->slots[n]->handing && v->slots[n]->turn == k->index)
			(void)deliver_unless_begun(collector_deliveries(v->collector), v->slots[n]->handing, why);
}

void handed_stop(struct visit *v, const char *why)
{
	struct message *m;
	struct err e;

	for (size_t n = 0; n < v->slot_count; n++)
		if (v->slots[n] && v->slots[n]->handing)
			(void)deliver_unless_begun(collector_deliveries(v->collector), v->slots[n]->handing, why);
	for (size_t n = 0; n < v->sink_count; n++) {
		while ((m = queue_take(&v->sinks[n].to_hand))) {
			(void)err_set(&e, ERR_LOCAL, "%s", why);
			message_failed(v, m, &e);
		}
	}
}

/* It has one more message for good. */
static void taken(struct visit *v, struct message *m)
{
	struct ledger_entry entry;

	if (!message_has_more(v, m)) {
		message_accepted(v, m);
		return;
	}
	m->accepted |= 1u << m->turn;
	message_entry(v, m, LEDGER_PENDING, &entry);
	ledger_put(m->ledger, &entry, visit_ticket(v, m->slot, TICKET_HANDED));
}

static void done(void *user, const struct deliver_result *r)
{
	struct handing *h = user;
	struct visit *v = h->visit;
	struct message *m = h->message;
	struct sink *k = &v->sinks[m->turn];
	struct err e;

	v->waiting--;
	m->handing = NULL;
	free(h);
	if (r->said == DELIVER_ACCEPTED) {
		taken(v, m);
	} else if (v->stopping && !r->answered && !r->each && r->said == DELIVER_DEFERRED) {
		(void)err_set(&e, ERR_LOCAL, "%.*s", DELIVER_WHY_MAX, r->why);
		message_failed(v, m, &e);
	} else {
		k->hung = r->hung ? k->hung + 1 : r->answered ? 0 : k->hung;
		if (r->hung && k->hung == SINK_HUNG_MAX)
			give_up(k, r->why);
		message_untaken(v, m, r);
	}
	ledger_flush(v->ledger);
	collector_dirty(v->collector, v);
}

static void hand(struct sink *k, struct message *m)
{
	struct visit *v = k->visit;
	struct handing *h;
	struct deliver_ask ask = { .target = k->handed, .message = m->spool, .done = done };

	h = calloc(1, sizeof *h);
	if (!h)
		abort();	/* as of any small thing of the store's: nobody could be told */
	h->visit = v;
	h->message = m;
	settle_facts(h);
	ask.sender = m->retried ? m->retried->info.sender : m->routing.sender;
	ask.recipients = m->retried ? m->retried->recipients : m->routing.recipients;
	ask.recipient_count = m->retried ? m->retried->recipient_count : m->routing.recipient_count;
	ask.facts = h->facts;
	ask.fact_count = ledger_mailbox(m->ledger)[0] ? FACTS : FACTS - 1;
	ask.user = m->handing = h;
	ask.insist = m->retried && !k->insisted;	/* it is due: the first of them finds out whether a server is back */
	k->insisted = k->insisted || ask.insist;
	v->waiting++;
	k->handed_out++;
	m->handed |= 1u << k->index;
	deliver(collector_deliveries(v->collector), &ask);
}

static bool has_room(const struct sink *k)
{
	return k->handed_out < (size_t)HANDED_EACH * k->target->parallel;
}

static void deliver_message(struct sink *k, struct message *m)
{
	if (k->hung >= SINK_HUNG_MAX)
		message_deferred(k->visit, m, "the target did not answer to those before");
	else if (has_room(k))
		hand(k, m);
	else
		queue_add(&k->to_hand, m);
}

void handed_left(struct visit *v, uint32_t sinks)
{
	for (size_t n = 0; n < v->sink_count; n++) {
		struct sink *k = &v->sinks[n];
		struct message *next;

		if (!(sinks & 1u << n))
			continue;
		assert(k->handed_out);
		k->handed_out--;
		while (has_room(k) && (next = queue_take(&k->to_hand)))
			deliver_message(k, next);
	}
}

static void answered(struct sink *k, struct message *m, enum ticket_kind kind)
{
	if (kind != TICKET_HANDED)
		return;
	m->handed &= ~(1u << k->index);
	handed_left(k->visit, 1u << k->index);
	message_accepted(k->visit, m);
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
