/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery into a mailbox of the store: exactly once by the source's mark,
 * which is committed with the message and forgotten once the ledger has it.
 *
 * Where an envelope counts, and wherever else a message was not streamed, it comes out of its spool, lead and all: piece by
 * piece, as fast as the box takes them, some of them a turn of the collector, one message after the other. */
#include <assert.h>

#include "base/clock.h"
#include "collect/visit.h"

enum { PIECE = 32 * 1024, PIECES_A_TURN = 32 };

static bool open_sink(struct sink *k, struct err *e)
{
	return mailbox_open(collector_store(k->visit->collector), k->target->mailbox, true, &k->box, e);
}

/* A held message has a mark of its own, whatever became of the id that it came under: no digest begins with so many zeros.
 * It is forgotten by the next recovery, when the copy is gone. */
static void mark_copy(uint64_t copy, uint8_t id[32])
{
	memset(id, 0, 32);
	memcpy(id + 32 - sizeof copy, &copy, sizeof copy);
}

static bool is_of_copy(const struct mailbox_source *mark, uint64_t *copy)
{
	uint8_t id[32];

	memcpy(copy, mark->id + sizeof mark->id - sizeof *copy, sizeof *copy);
	mark_copy(*copy, id);
	return memcmp(mark->id, id, sizeof id) == 0;
}

static struct mailbox_source source_of(const struct message *m)
{
	struct mailbox_source source;

	memcpy(source.connection, ledger_tag(m->ledger), sizeof source.connection);
	if (m->copy)
		mark_copy(m->copy, source.id);
	else
		memcpy(source.id, m->id, sizeof source.id);
	memcpy(source.digest, m->digest, sizeof source.digest);
	return source;
}

static bool in_ledger(struct sink *k, struct ledger *l, const struct mailbox_source *mark, struct ledger_entry *entry)
{
	if (!ledger_get(l, mark->id, entry) || entry->state == LEDGER_GONE)
		return false;
	if (entry->state != LEDGER_PENDING && entry->state != LEDGER_HELD && entry->state != LEDGER_REFUSED)
		return true;
	if (entry->has_digest && memcmp(entry->digest, mark->digest, sizeof mark->digest) != 0)
		return true;	/* of one that had this id before: that it is to go was not durable */
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
		uint64_t copy;

		if (is_of_copy(&mark, &copy)) {
			if (!retries_has(k->visit, k, copy))
				mailbox_unmark(k->box, &mark);
			continue;
		}
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

static void finish(struct sink *k, struct message *m)
{
	struct mailbox_source source = source_of(m);

	incoming_finish(&m->incoming[k->index], &source, clock_now_s(), 0, visit_ticket(k->visit, m->slot, TICKET_APPENDED));
}

static void deliver_message(struct sink *k, struct message *m)
{
	struct collector *c = k->visit->collector;

	if (m->incoming[k->index]) {
		finish(k, m);
		return;
	}
	queue_add(&k->to_feed, m);
	collector_feed(c, k->visit);
	collector_again(c);
}

/* The next piece of the first message that waits; *over: that was the last one. */
static bool feed_piece(struct sink *k, struct message *m, bool *over, struct err *e)
{
	char piece[PIECE];
	size_t n;

	if (!m->incoming[k->index] && !begin(k, m, e))
		return false;
	if (!spool_at(m->spool, k->fed, piece, sizeof piece, &n, e))
		return false;
	k->fed += n;
	*over = !n;
	return incoming_add(m->incoming[k->index], (struct span){ piece, n }, e);
}

static struct message *fed(struct sink *k)
{
	k->fed = 0;
	return queue_take(&k->to_feed);
}

/* Is there something to feed, and room for it? */
static bool can_feed(const struct sink *k)
{
	const struct message *m = k->to_feed.first;

	return m && !(m->incoming[k->index] && incoming_full(m->incoming[k->index]));
}

static void turn(struct sink *k)
{
	struct err e;

	for (unsigned pieces = 0; can_feed(k); pieces++) {
		struct message *m = k->to_feed.first;
		bool over = false;

		if (pieces == PIECES_A_TURN) {
			collector_again(k->visit->collector);	/* let others have theirs */
			break;
		}
		if (!feed_piece(k, m, &over, &e)) {
			incoming_abort(&m->incoming[k->index]);
			message_failed(k->visit, fed(k), &e);
		} else if (over) {
			finish(k, fed(k));
		}
	}
	if (k->to_feed.count)
		collector_feed(k->visit->collector, k->visit);
}

static void answered(struct sink *k, struct message *m, enum ticket_kind kind)
{
	if (kind == TICKET_APPENDED)
		message_accepted(k->visit, m);
}

static void settled(struct sink *k, struct message *m)
{
	struct mailbox_source source = source_of(m);

	mailbox_unmark(k->box, &source);
}

static void close_sink(struct sink *k)
{
	assert(!k->to_feed.count);
	k->box = NULL;		/* shared, the store's */
}

const struct sink_ops sink_mailbox = {
	.open = open_sink, .recover = recover, .begin = begin, .deliver = deliver_message, .turn = turn,
	.answered = answered, .settled = settled, .close = close_sink, .streams = true,
};
