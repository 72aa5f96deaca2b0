/* SPDX-License-Identifier: Apache-2.0
 *
 * What a visit asks its server next, after every turn: headers, messages,
 * deletions, QUIT; as much at once as the window and what is under way allow. */
#include "base/clock.h"
#include "collect/visit.h"

static void ask_messages(struct visit *v)
{
	bool judging = v->phase == VISIT_JUDGING;

	if (judging && v->limit && v->plan_kept >= v->limit)
		return;
	while (v->plan_asked < v->plan_count && p3c_can_ask(v->pop) && ask_window_open(v)) {
		struct item *i = &v->listing.items[v->plan[v->plan_asked++]];

		if (judging) {
			p3c_top(v->pop, i->number, 0);
			continue;
		}
		ask_begins(v, i);
		if (v->with->use_top)
			p3c_top(v->pop, i->number, TOP_ALL_LINES);
		else
			p3c_retr(v->pop, i->number);
	}
}

/* Known messages that an earlier visit delivered and that are to go now. */
static void ask_disposals(struct visit *v)
{
	struct ledger_entry entry;

	while (v->found.dispose && v->dispose_at < v->listing.count && p3c_can_ask(v->pop) && !v->slices) {
		const struct item *i = &v->listing.items[v->dispose_at++];

		if (!(i->flags & ITEM_DISPOSE) || !ledger_get(v->ledger, i->id, &entry))
			continue;
		if (delivery_asked_anew(v->ledger, &entry)) {
			ledger_put(v->ledger, &entry, 0);
			visit_count_puts(v, 1);
		}
		p3c_dele(v->pop, i->number);
	}
	while (v->delete_asked < v->delete_count && p3c_can_ask(v->pop))
		p3c_dele(v->pop, v->deletes[v->delete_asked++]);
	v->deletes_ever = v->deletes_ever || v->delete_count;
	if (v->delete_asked == v->delete_count)
		v->delete_asked = v->delete_count = 0;
}

static bool disposed(const struct visit *v)
{
	return (!v->found.dispose || v->dispose_at == v->listing.count) && v->delete_asked == v->delete_count;
}

static void leave(struct visit *v)
{
	listed_close(v);
	v->phase = VISIT_LEAVING;
	p3c_quit(v->pop);
}

void ask_pop3(struct visit *v)
{
	if (v->why.kind || v->phase == VISIT_CONNECTING || v->phase == VISIT_LEAVING)
		return;
	if (v->phase == VISIT_JUDGING && ask_judged(v))
		ask_begin_fetching(v);
	if (v->phase == VISIT_JUDGING || v->phase == VISIT_FETCHING)
		ask_messages(v);
	if (v->phase == VISIT_FETCHING) {
		ask_disposals(v);
		if (v->plan_answered == v->plan_count && !v->current && !v->slices && disposed(v) &&
		    !p3c_outstanding(v->pop) && ask_may_leave(v))
			leave(v);
	}
}
