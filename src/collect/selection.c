/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collect/visit.h"
#include "wire/date.h"
#include "wire/header.h"

static bool newest_first(const struct visit *v)
{
	return v->with->pull == PULL_LAST || v->with->pull == PULL_LAST_UNREAD;
}

static size_t limit_of(const struct connection *with)
{
	switch (with->pull) {
	case PULL_ALL:
	case PULL_UNREAD:	/* on POP3, unread is what the ledger does not have */
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
	return v->with->newer_than_s && (p3c_capabilities(v->pop) & P3C_CAPA_TOP);
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

/* It only grows older: the ledger remembers, and it is never asked for again. */
void selection_skip(struct visit *v, const struct item *item)
{
	struct ledger_entry entry = { .state = LEDGER_SKIPPED, .size = item->size };

	entry.first_seen = entry.changed = clock_now_s();
	v->result.skipped++;
	if (item->flags & ITEM_OWN_ID)
		memcpy(entry.id, item->id, sizeof entry.id);
	else
		identity_key(&v->identity, item->id, v->ledger, entry.id);
	header_value((struct span){ item->uid, item->uid_len }, entry.uid, sizeof entry.uid);
	ledger_put(v->ledger, &entry, 0);
}

bool selection_plan(struct visit *v, struct err *e)
{
	size_t count = v->listing.count;

	v->limit = limit_of(v->with);
	v->plan = reallocarray(NULL, v->found.fresh + 1, sizeof *v->plan);
	if (!v->plan)
		return err_set(e, ERR_LOCAL, "out of memory selecting out of %zu messages", count);
	for (size_t n = 0; n < count; n++) {
		uint32_t at = (uint32_t)(newest_first(v) ? count - 1 - n : n);
		const struct item *i = &v->listing.items[at];

		if (i->flags & ITEM_KNOWN)
			continue;
		if (too_large(v, i)) {
			v->result.skipped++;
			continue;
		}
		if (v->limit && v->plan_count == v->limit && !v->with->newer_than_s)
			break;
		assert(v->plan_count < v->found.fresh);
		v->plan[v->plan_count++] = at;
		v->planned_octets += i->size;
	}
	return true;
}

void selection_baseline(struct visit *v)
{
	for (size_t n = 0; n < v->listing.count; n++)
		if (!(v->listing.items[n].flags & (ITEM_KNOWN | ITEM_PENDING)))
			selection_skip(v, &v->listing.items[n]);
}
