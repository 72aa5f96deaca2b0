/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done when something is durable: answers by ticket, and what a crash
 * left to be brought up to date. */
#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/retried.h"

int64_t delivery_moment(struct ledger *l)
{
	int64_t now = clock_now_s(), confirmed = ledger_noted(l, LEDGER_NOTE_DISPOSED);

	return now > confirmed ? now : confirmed + 1;
}

/* No earlier than what became `disposing` in this visit: moments run ahead of the clock when visits follow each other within a
 * second, and the clock may be set back. */
void delivery_confirmed(struct ledger *l)
{
	int64_t moment = delivery_moment(l), latest = ledger_latest(l);

	ledger_note(l, LEDGER_NOTE_DISPOSED, moment > latest ? moment : latest, 0);
}

bool delivery_asked_anew(struct ledger *l, struct ledger_entry *entry)
{
	int64_t moment = delivery_moment(l);

	if (entry->state == LEDGER_DISPOSING && entry->changed <= moment)
		return false;
	entry->state = LEDGER_DISPOSING;
	entry->changed = moment;
	return true;
}

void delivery_recovered(struct visit *v, struct ledger *l, struct ledger_entry *entry, const struct sink *k)
{
	entry->changed = delivery_moment(l);
	entry_set_sink(entry, k, LEDGER_TARGET_ACCEPTED, NULL);
	(void)entry_decide(v, entry, false);
	ledger_put(l, entry, visit_ticket(v, 0, TICKET_RECOVERED));
}

void delivery_not_disposed(struct visit *v, uint32_t number)
{
	const struct item *i = listing_find(&v->listing, number);
	struct ledger_entry entry;

	if (!i || !(i->flags & ITEM_OWN_ID) || !ledger_get(v->ledger, i->id, &entry) || entry.state != LEDGER_DISPOSING)
		return;
	entry.state = LEDGER_ACCEPTED;
	entry.changed = clock_now_s();
	if (entry.copy == LEDGER_COPY_BEGUN)	/* refused; one that is done stays done */
		entry.copy = LEDGER_COPY_NONE;
	ledger_put(v->ledger, &entry, 0);
}

void visit_slice_of(struct visit *v, struct ledger *l)
{
	v->slices++;
	ledger_note(l, LEDGER_NOTE_LISTED, ledger_noted(l, LEDGER_NOTE_LISTED), visit_ticket(v, 0, TICKET_SLICE));
	ledger_flush(l);
}

void visit_slice(struct visit *v)
{
	visit_slice_of(v, v->ledger);
}

void visit_count_puts(struct visit *v, size_t puts)
{
	v->puts += puts;
	if (v->puts < LISTING_SLICE)
		return;
	v->puts = 0;
	visit_slice(v);
}

static void slice_durable(struct visit *v)
{
	if (v->listing.retiring) {
		listing_slice(v);
	} else if (v->joined && !v->slices) {
		v->joined = false;
		if (v->conn && !v->why.kind)
			v->talk->listed(v);
	} else if (v->what == VISIT_BASELINE && v->conn && !v->why.kind) {
		selection_baseline(v);
	}
	collector_dirty(v->collector, v);
}

/* The ledger has it for good: count it, let the sinks forget their marks, dispose. */
static void settled(struct visit *v, struct message *m)
{
	if (m->counted) {		/* dropped: nobody has it */
		v->result.skipped++;
	} else {
		v->result.collected++;
		v->result.octets += m->size;
	}
	for (size_t n = 0; n < v->sink_count; n++)
		v->sinks[n].ops->settled(&v->sinks[n], m);
	listing_key(&v->listing, m->number, m->id);
	if (v->talk->settled)
		v->talk->settled(v, m);
	if (m->removal || v->with->after != AFTER_KEEP)
		delivery_want_disposal(v, m->number);
	message_leave(v, m);
}

static void answer_good(struct visit *v, struct message *m, enum ticket_kind kind)
{
	switch (kind) {
	case TICKET_APPENDED:
	case TICKET_PLACING:
		v->sinks[m->turn].ops->answered(&v->sinks[m->turn], m, kind);
		return;
	case TICKET_FINAL:
		settled(v, m);
		return;
	case TICKET_RETRIED:
		retried_settled(v, m);
		return;
	case TICKET_TAKEN:
		handed_release(v, m);
		message_go_on(v, m);
		return;
	case TICKET_UNDECIDED:
		message_leave(v, m);
		return;
	case TICKET_RECOVERED:
		for (size_t n = 0; n < v->sink_count; n++)
			v->sinks[n].ops->answered(&v->sinks[n], NULL, kind);
		return;
	case TICKET_SLICE:
		slice_durable(v);
		return;
	}
}

/* Our own ledger cannot be written: nothing can be delivered any more. */
static void ledger_failed(struct visit *v, struct message *m, const struct err *why)
{
	v->result.failed++;
	if (m->copy)
		retried_left(v, m);
	else
		message_leave(v, m);
	visit_fail(v, why);
}

void visit_answer(struct visit *v, uint32_t slot, enum ticket_kind kind, const struct err *why)
{
	bool of_message = kind != TICKET_RECOVERED && kind != TICKET_SLICE;
	struct message *m = of_message ? v->slots[slot] : NULL;

	assert(v->waiting);
	v->waiting--;
	if (kind == TICKET_SLICE)
		v->slices--;
	if (!why)
		answer_good(v, m, kind);
	else if (kind == TICKET_APPENDED && why->kind == ERR_BUSY && m->spool)
		message_deferred(v, m, why->text);	/* over quota */
	else if (kind == TICKET_APPENDED)
		message_failed(v, m, why);
	else if (of_message)
		ledger_failed(v, m, why);
	else
		visit_fail(v, why);
	ledger_flush(v->ledger);
}
