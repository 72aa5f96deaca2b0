/* SPDX-License-Identifier: Apache-2.0
 *
 * From the server's UIDL and LIST to a listing that is joined with the ledger. */
#include "base/clock.h"
#include "base/log.h"
#include "collect/visit.h"

bool listing_take(struct visit *v, uint32_t number, struct span uid, struct err *e)
{
	uint8_t base[32];

	ledger_pop3_base(span_of(v->with->host), span_of(v->with->user), uid, base);
	return listing_add(&v->listing, number, base, uid, uid.len > 0, e);
}

/* A server without UIDL: whatever is there is told apart by its content. */
static bool without_ids(struct visit *v, struct err *e)
{
	if (v->what == VISIT_BASELINE)
		return err_set(e, ERR_CONFIG, "the server has no UIDL, so present mail cannot be passed over");
	if (v->stat_refused)
		return err_set(e, ERR_PEER, "the server has no UIDL and refuses STAT, so nobody knows what is there");
	if (v->with->after != AFTER_DELETE)
		return err_set(e, ERR_CONFIG, "the server has no UIDL, so mail that stays there cannot be told from new mail: "
			"after = keep cannot work with it, only after = delete");
	for (uint64_t n = 1; n <= v->stat_count && n <= P3C_LIST_MAX; n++)
		if (!listing_take(v, (uint32_t)n, (struct span){ 0 }, e))
			return false;
	return true;
}

/* The join is done: ask for sizes only when there is something to fetch.  They
 * come in front of the first message, so waiting for them is needed only where
 * they decide. */
void listing_settled(struct visit *v)
{
	struct err e;

	v->listed = true;
	if (v->what == VISIT_COLLECT && v->found.fresh) {
		p3c_list(v->pop);
		if (v->with->max_size)
			return;		/* P3C_LISTED of LIST goes on */
	}
	if (!listing_plan(v, &e))
		visit_fail(v, &e);
}

/* All ids are in. */
void listing_over(struct visit *v)
{
	uint8_t empty[32];
	struct err e;
	bool good;

	if (v->only) {
		(void)err_set(&e, ERR_CONFIG, "mailbox %.200s: POP3 has none", v->only);
		visit_fail(v, &e);
		return;
	}
	ledger_pop3_base(span_of(v->with->host), span_of(v->with->user), (struct span){ 0 }, empty);
	good = v->no_ids ? without_ids(v, &e) : listing_gaps(&v->listing, v->stat_count, LISTING_GAPS_MAX, empty, &e);
	if (v->listing.incomplete)
		log_warn(&v->tag, "UIDL lists %zu messages where STAT counts %llu; nothing counts as gone", v->listing.count,
			(unsigned long long)v->stat_count);
	if (!good || !listed_join(v, &e)) {
		visit_fail(v, &e);
		return;
	}
	listing_slice(v);
}
