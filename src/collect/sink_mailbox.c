/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery into a mailbox of the store: exactly once by the source's mark,
 * which is committed with the message and forgotten once the ledger has it. */
#include <assert.h>

#include "base/clock.h"
#include "collect/visit.h"

static bool open_sink(struct sink *k, struct err *e)
{
	return mailbox_open(collector_store(k->visit->collector), k->target->mailbox, true, &k->box, e);
}

static struct mailbox_source source_of(const struct sink *k, const struct message *m)
{
	struct mailbox_source source;

	memcpy(source.connection, ledger_tag(m->ledger), sizeof source.connection);
	memcpy(source.id, m->id, sizeof source.id);
	memcpy(source.digest, m->digest, sizeof source.digest);
	return source;
}

static bool in_ledger(struct sink *k, struct ledger *l, const struct mailbox_source *mark, struct ledger_entry *entry)
{
	if (!ledger_get(l, mark->id, entry) || entry->state == LEDGER_GONE)
		return false;
	if (entry->state != LEDGER_PENDING)
		return true;
	for (size_t t = 0; t < entry->target_count; t++)
		if (entry->targets[t].target == k->tag && entry->targets[t].state == LEDGER_TARGET_ACCEPTED)
			return true;
	return false;
}

/* Delivered, gone from the server, and only the mark forgot to go. */
static bool was_delivered(struct ledger *l, const struct mailbox_source *mark)
{
	struct ledger_entry entry;

	return ledger_get(l, mark->id, &entry) && entry.state == LEDGER_GONE && entry.has_digest &&
	       memcmp(entry.digest, mark->digest, sizeof entry.digest) == 0;
}

static void recover_ledger(struct sink *k, struct ledger *l)
{
	struct mailbox_source mark = { 0 };
	struct ledger_entry entry;

	while (mailbox_marks(k->box, ledger_tag(l), &mark)) {
		if (in_ledger(k, l, &mark, &entry) || was_delivered(l, &mark)) {
			mailbox_unmark(k->box, &mark);
			continue;
		}
		if (!ledger_get(l, mark.id, &entry) || entry.state == LEDGER_GONE)
			entry = (struct ledger_entry){ .first_seen = clock_now_s() };
		memcpy(entry.id, mark.id, sizeof entry.id);
		memcpy(entry.digest, mark.digest, sizeof entry.digest);
		entry.has_digest = true;
		delivery_recovered(k->visit, l, &entry, k);
	}
	ledger_flush(l);
}

static bool recover(struct sink *k, struct err *e)
{
	(void)e;
	for (size_t n = 0; n < k->visit->ledger_count; n++)
		recover_ledger(k, k->visit->ledgers[n]);
	return true;
}

static bool begin(struct sink *k, struct message *m, struct err *e)
{
	m->incoming[k->index] = incoming_new(k->box, e);
	return m->incoming[k->index];
}

static void deliver(struct sink *k, struct message *m)
{
	struct mailbox_source source = source_of(k, m);

	assert(m->incoming[k->index]);
	incoming_finish(&m->incoming[k->index], &source, clock_now_s(), 0,
		visit_ticket(k->visit, m->slot, TICKET_APPENDED));
}

static void answered(struct sink *k, struct message *m, enum ticket_kind kind)
{
	if (kind == TICKET_APPENDED)
		message_accepted(k->visit, m);
}

static void settled(struct sink *k, struct message *m)
{
	struct mailbox_source source = source_of(k, m);

	mailbox_unmark(k->box, &source);
}

static void close_sink(struct sink *k)
{
	k->box = NULL;		/* shared, the store's */
}

const struct sink_ops sink_mailbox = {
	.open = open_sink, .recover = recover, .begin = begin, .deliver = deliver,
	.answered = answered, .settled = settled, .close = close_sink, .streams = true,
};
