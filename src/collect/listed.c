/* SPDX-License-Identifier: Apache-2.0
 *
 * A complete listing, whatever the protocol: the join with the ledger, what is
 * gone, what is selected. */
#include "base/clock.h"
#include "base/log.h"
#include "collect/visit.h"

void listing_sizes_known(struct visit *v)
{
	v->planned_octets = 0;
	for (size_t n = 0; n < v->plan_count; n++)
		v->planned_octets += v->listing.items[v->plan[n]].size;
}

bool listing_plan(struct visit *v, struct err *e)
{
	if (v->what == VISIT_BASELINE) {
		v->phase = VISIT_FETCHING;
		selection_baseline(v);
		return true;
	}
	if (!selection_plan(v, e))
		return false;
	untaken_room(v);
	v->phase = selection_judges(v) ? VISIT_JUDGING : VISIT_FETCHING;
	if (v->phase == VISIT_FETCHING && v->with->newer_than_s && v->limit && v->plan_count > v->limit)
		v->plan_count = v->limit;	/* without TOP, age shows only after the fetch */
	return true;
}

static void settle_rules(struct visit *v)
{
	v->rules = (struct listing_rules){
		.dispose = v->with->after != AFTER_KEEP && v->what == VISIT_COLLECT,
		.keep = v->with->after == AFTER_KEEP && v->what == VISIT_COLLECT,
		.seen = v->with->after == AFTER_SEEN && v->what == VISIT_COLLECT,
		.delete_after_s = v->what == VISIT_COLLECT ? v->with->delete_after_s : 0,
		.now = clock_now_s(), .history_keep_s = v->with->history_keep_s, .final = visit_final_state(v), .target_count = v->sink_count,
	};
	for (size_t n = 0; n < v->sink_count; n++)
		v->rules.targets[n] = v->sinks[n].tag;
}

static bool deletes(const struct envelope_keys *keys)
{
	return keys->rules.no_recipient == ENVELOPE_DELETE;
}

bool listed_removals(const struct visit *v, struct ledger *l)
{
	const struct connection *with = v->with;
	bool some = with->on_refused == REFUSED_DELETE || (with->has_envelope && deletes(&with->envelope)) ||
		    ledger_noted(l, LEDGER_NOTE_REMOVING);

	for (size_t n = 0; n < with->deliver_count; n++)
		some = some || (with->deliver[n]->has_envelope && deletes(&with->deliver[n]->envelope));
	return some && v->what == VISIT_COLLECT;
}

bool listed_join(struct visit *v, struct err *e)
{
	settle_rules(v);
	if (!listing_join(&v->listing, v->ledger, &v->rules, &v->found, e))
		return false;
	v->uncompared = v->found.unidentified;
	if (v->what != VISIT_COLLECT)
		v->found.dispose = 0;	/* a baseline deletes nothing */
	if (v->found.ignored)
		log_warn(&v->tag, "%zu messages that the server said it %s are still there: has this user the right to?", v->found.ignored,
			v->with->after == AFTER_MOVE ? "moved" : "deleted");
	return true;
}

/* Slice by slice, each durable before the next: memory stays bounded however
 * many entries go at once.  Where messages are compared, that they are must be
 * durable before any is delivered: one that came through alone would look like
 * an id that did not change. */
void listing_slice(struct visit *v)
{
	struct err e;
	bool done;

	if (!v->conn || v->why.kind)
		return;
	if (!listing_retire(&v->listing, v->ledger, &v->rules, &v->identity, &done, &e)) {
		visit_fail(v, &e);
		return;
	}
	v->joined = done && (v->found.comparing || v->found.unidentified);
	if (done && !v->joined)
		v->talk->listed(v);
	else
		visit_slice(v);
	ledger_flush(v->ledger);
}

void listed_close(struct visit *v)
{
	bool compared = v->listing.count && !v->listing.incomplete && !v->uncompared &&
			(v->found.comparing || v->found.unidentified);

	if (!compared || v->what != VISIT_COLLECT)
		return;
	identity_close(&v->identity, v->ledger, clock_now_s());
	ledger_note(v->ledger, LEDGER_NOTE_COMPARING, 0, 0);
}
