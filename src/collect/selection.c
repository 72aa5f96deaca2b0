/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/visit.h"
#include "store/quota.h"
#include "wire/date.h"
#include "wire/header.h"

bool selection_newest_first(const struct visit *v)
{
	return v->with->pull == PULL_LAST || v->with->pull == PULL_LAST_UNREAD;
}

static size_t limit_of(const struct connection *with)
{
	switch (with->pull) {
	case PULL_ALL:
	case PULL_UNREAD:	/* on POP3, unread is what the ledger does not have; for IMAP see passed_over */
		return (size_t)with->max_messages;
	case PULL_FIRST:
	case PULL_FIRST_UNREAD:
	case PULL_LAST:
	case PULL_LAST_UNREAD:
		return 1;
	}
	return 0;
}

/* By the size the server told.  It is a hint, so a message is passed over in
 * this visit only and the ledger stays without it. */
static bool too_large(const struct visit *v, const struct item *i)
{
	return v->with->max_size && i->size > v->with->max_size;
}

bool selection_judges(const struct visit *v)
{
	return v->with->newer_than_s && (!v->pop || p3c_capabilities(v->pop) & P3C_CAPA_TOP);
}

static bool too_old(const struct visit *v, struct span head)
{
	int64_t when;

	return v->with->newer_than_s && date_of_message(head, &when) &&
	       clock_now_s() - when > (int64_t)v->with->newer_than_s;
}

bool selection_old(const struct visit *v)
{
	return too_old(v, buf_span(&v->head));
}

/* It only grows older: the ledger remembers, and it is never asked for again.
 * Without an id of its own only its content could tell it the next time. */
void selection_skip(struct visit *v, const struct item *item, const uint8_t digest[32])
{
	struct ledger_entry entry = { .state = LEDGER_SKIPPED, .size = item->size, .has_digest = digest };

	v->result.skipped++;
	v->uncompared -= item->flags & ITEM_UNIDENTIFIED && !digest;
	if (!(item->flags & ITEM_OWN_ID) && !digest)
		return;
	v->recorded++;
	entry.first_seen = entry.changed = clock_now_s();
	if (item->flags & ITEM_OWN_ID)
		memcpy(entry.id, item->id, sizeof entry.id);
	else
		identity_key(&v->identity, item->id, v->ledger, entry.id);
	if (digest)
		memcpy(entry.digest, digest, sizeof entry.digest);
	message_uid_text(v, item->number, (struct span){ item->uid, item->uid_len }, entry.uid);
	ledger_put(v->ledger, &entry, 0);
}

/* By what an IMAP server said of it.  It may be otherwise tomorrow. */
static bool passed_over(const struct visit *v, const struct item *i)
{
	bool unread = v->with->pull == PULL_UNREAD || v->with->pull == PULL_FIRST_UNREAD || v->with->pull == PULL_LAST_UNREAD;

	if (v->with->protocol != PROTOCOL_IMAP || i->flags & ITEM_PENDING)
		return false;
	return (unread && !(i->flags & ITEM_UNSEEN)) || (v->with->search && !(i->flags & ITEM_MATCHED));
}

/* In which pass an item is planned: what is new by its own id; what was tried
 * before, behind it, so that a message that fails for ever neither uses up the
 * limit nor holds up another; and what has to be fetched to know whether it is
 * new, without limit. */
enum pass { PASS_NEW, PASS_AGAIN, PASS_COMPARED };

static enum pass pass_of(const struct item *i)
{
	if (!(i->flags & ITEM_OWN_ID))
		return PASS_COMPARED;
	return i->flags & ITEM_PENDING ? PASS_AGAIN : PASS_NEW;
}

static bool accepted_by(const struct ledger_entry *entry, uint64_t tag)
{
	for (size_t t = 0; t < entry->target_count; t++)
		if (entry->targets[t].target == tag)
			return entry->targets[t].state == LEDGER_TARGET_ACCEPTED;
	return false;
}

/* It came before, and all that do not have it are mailboxes whose quota leaves less than that: it would be fetched to
 * be refused again. */
static bool no_room(const struct visit *v, const struct item *i)
{
	struct ledger_entry entry;
	bool left = false;

	if (!ledger_get(v->ledger, i->id, &entry) || entry.state != LEDGER_PENDING || !entry.has_digest)
		return false;
	for (size_t n = 0; n < v->sink_count; n++) {
		const struct sink *k = &v->sinks[n];

		if (accepted_by(&entry, k->tag))
			continue;
		if (k->ops != &sink_mailbox || entry.size <= quota_left(collector_store(v->collector), k->target->mailbox))
			return false;
		left = true;
	}
	return left;
}

static void plan_pass(struct visit *v, enum pass pass)
{
	size_t count = v->listing.count, waiting = 0;

	for (size_t n = 0; n < count; n++) {
		uint32_t at = (uint32_t)(selection_newest_first(v) ? count - 1 - n : n);
		const struct item *i = &v->listing.items[at];

		if (i->flags & ITEM_KNOWN || pass_of(i) != pass)
			continue;
		if (too_large(v, i) || passed_over(v, i)) {
			v->result.skipped++;
			continue;
		}
		if (pass == PASS_AGAIN && no_room(v, i)) {
			waiting++;
			continue;
		}
		if (pass != PASS_COMPARED && v->limit && v->plan_count >= v->limit && !v->with->newer_than_s)
			continue;
		assert(v->plan_count < v->found.fresh);
		v->plan[v->plan_count++] = at;
		v->planned_octets += i->size;
	}
	v->result.failed += waiting;
	if (waiting)
		log_warn(&v->tag, "%zu messages stay at the server until there is room: their mailbox would be over quota", waiting);
}

static int by_place(const void *a, const void *b)
{
	const uint32_t *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

bool selection_plan(struct visit *v, struct err *e)
{
	v->limit = limit_of(v->with);
	if (v->no_target.kind || (v->limit && v->taken >= v->limit))
		return true;
	v->limit -= v->limit ? v->taken : 0;
	v->plan = reallocarray(NULL, v->found.fresh + 1, sizeof *v->plan);
	if (!v->plan)
		return err_set(e, ERR_LOCAL, "out of memory selecting out of %zu messages", v->listing.count);
	plan_pass(v, PASS_NEW);
	if (v->limit)
		plan_pass(v, PASS_AGAIN);
	plan_pass(v, PASS_COMPARED);
	if (!v->limit && v->plan_count)		/* all of them, so in the server's order, */
		qsort(v->plan, v->plan_count, sizeof *v->plan, by_place);
	if (!v->limit)				/* but for those that failed before: they hold up no other */
		plan_pass(v, PASS_AGAIN);
	return true;
}

/* A slice at a time; the answer of one begins the next. */
void selection_baseline(struct visit *v)
{
	size_t slice = 0;

	for (; v->baseline_at < v->listing.count && slice < LISTING_SLICE; v->baseline_at++) {
		const struct item *i = &v->listing.items[v->baseline_at];

		if (i->flags & (ITEM_KNOWN | ITEM_PENDING))
			continue;
		if (!(i->flags & ITEM_OWN_ID)) {
			log_warn(&v->tag, "message %u shares its id with others or has none, so it cannot be passed over: "
				"the next visit takes it", i->number);
			continue;
		}
		selection_skip(v, i, NULL);
		slice++;
	}
	if (slice)
		visit_slice(v);
}
