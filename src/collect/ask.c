/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of a visit as it is worked off, whatever the protocol: what may be
 * asked for at once, and when judging by headers gives way to fetching. */
#include <assert.h>

#include "collect/visit.h"

bool ask_window_open(const struct visit *v)
{
	size_t asked = v->phase == VISIT_FETCHING ? v->in_flight : v->plan_asked - v->plan_answered;

	if (v->tight && v->phase == VISIT_FETCHING)	/* one by one: the first that cannot be held is the last */
		return !asked && !v->under_way;
	return asked < WINDOW_MESSAGES && v->asked_octets < WINDOW_OCTETS && !delivery_full(v);
}

void ask_begins(struct visit *v, struct item *item)
{
	v->in_flight++;
	if (!item->size)	/* it comes later, and is not counted */
		return;
	item->flags |= ITEM_COUNTED;
	v->asked_octets += item->size;
}

void ask_over(struct visit *v, struct item *item)
{
	assert(v->in_flight);
	v->in_flight--;
	if (item->flags & ITEM_COUNTED)
		v->asked_octets -= item->size;
	item->flags &= (uint8_t)~ITEM_COUNTED;
}

static void on_stragglers(void *user)
{
	struct visit *v = user;

	v->leaves = true;
	collector_dirty(v->collector, v);
}

bool ask_may_leave(struct visit *v)
{
	bool stragglers = v->under_way && v->handed == v->under_way;

	if (v->straggling != stragglers) {
		v->straggling = stragglers;
		v->leaves = false;
		if (!v->stragglers)
			v->stragglers = timer_new(collector_loop(v->collector), on_stragglers, v);
		if (v->stragglers && stragglers)
			timer_set(v->stragglers, STRAGGLERS_MS, 0);
		else if (v->stragglers)
			timer_stop(v->stragglers);
	}
	return !v->under_way || (stragglers && v->leaves);
}

bool ask_judged(const struct visit *v)
{
	return v->plan_answered == v->plan_asked && (v->plan_asked == v->plan_count || (v->limit && v->plan_kept >= v->limit));
}

void ask_begin_fetching(struct visit *v)
{
	v->plan_count = v->limit && v->plan_kept > v->limit ? v->limit : v->plan_kept;
	v->planned_octets = 0;
	for (size_t n = 0; n < v->plan_count; n++)
		v->planned_octets += v->listing.items[v->plan[n]].size;
	v->phase = VISIT_FETCHING;
	v->plan_asked = v->plan_answered = 0;
	v->asked_octets = 0;
	v->in_flight = 0;
}
