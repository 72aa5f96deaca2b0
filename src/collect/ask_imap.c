/* SPDX-License-Identifier: Apache-2.0
 *
 * What a visit asks its IMAP server next, after every turn: headers, messages,
 * dispositions, the next mailbox, LOGOUT; as much at once as the window and
 * what is under way allow. */
#include "base/clock.h"
#include "collect/visit_imap.h"

/* Whose answers come in another order than they were asked in would confuse a
 * limit: then headers are asked one by one. */
static size_t batch_max(const struct visit *v)
{
	return v->phase == VISIT_JUDGING && v->limit ? 1 : IMC_FETCH_MAX;
}

static struct item *next_planned(struct visit *v)
{
	return &v->listing.items[v->plan[v->plan_asked]];
}

static bool may_ask(const struct visit *v)
{
	if (v->phase == VISIT_JUDGING && v->limit && v->plan_kept >= v->limit)
		return false;
	return v->plan_asked < v->plan_count && imc_room(v->imap->session) && ask_window_open(v);
}

static void ask_messages(struct visit *v)
{
	struct imc *s = v->imap->session;

	while (may_ask(v)) {
		size_t room = imc_room(s), most = batch_max(v), count = 0;
		uint32_t uids[IMC_FETCH_MAX];

		while (v->plan_asked < v->plan_count && count < room && count < most && ask_window_open(v)) {
			struct item *item = next_planned(v);

			if (v->phase == VISIT_FETCHING)
				ask_begins(v, item);
			uids[count++] = item->number;
			v->plan_asked++;
		}
		if (v->phase == VISIT_JUDGING)
			(void)imc_fetch_head(s, uids, count);
		else
			(void)imc_fetch(s, uids, count);
	}
}

static bool fetched(struct visit *v)
{
	return v->phase == VISIT_FETCHING && v->plan_answered == v->plan_count && !v->current && !v->slices &&
	       untold_done(v) && ask_may_leave(v);
}

static void work(struct visit *v)
{
	struct imap_visit *i = v->imap;

	if (v->phase == VISIT_JUDGING && ask_judged(v) && !imc_outstanding(i->session))	/* heads and bodies never side by side */
		ask_begin_fetching(v);
	ask_messages(v);
	if (v->phase != VISIT_FETCHING)
		return;
	untold_ask(v);
	dispose_ask(v);
	if (fetched(v) && dispose_done(v) && !imc_outstanding(i->session))
		i->step = IMAP_EXPUNGING;
}

static void expunge(struct visit *v)
{
	struct imap_visit *i = v->imap;

	dispose_expunge(v);
	if (!dispose_expunged(v) || imc_outstanding(i->session))
		return;
	dispose_confirmed(v);
	listed_close(v);
	list_imap_settled(v);
	i->step = IMAP_BETWEEN;
}

void ask_imap(struct visit *v)
{
	struct imap_visit *i = v->imap;

	if (v->why.kind || v->phase == VISIT_CONNECTING || v->phase == VISIT_LEAVING)
		return;
	if (v->what == VISIT_TEST) {
		try_imap_ask(v);
		return;
	}
	if (i->step == IMAP_NAMES)
		folders_ask(v);
	if (i->step == IMAP_COPIES && !v->why.kind)
		copies_ask(v);
	if (i->step == IMAP_LISTING || i->step == IMAP_DETAILS || i->step == IMAP_ALIASES || i->step == IMAP_SETTLING)
		list_imap_ask(v);
	if (i->step == IMAP_WORKING && !v->why.kind)
		work(v);
	if (i->step == IMAP_EXPUNGING && !v->why.kind)
		expunge(v);
	if (i->step == IMAP_BETWEEN && !v->slices && !imc_outstanding(i->session) && !v->why.kind)
		list_imap_open(v);
}
