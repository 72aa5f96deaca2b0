/* SPDX-License-Identifier: Apache-2.0
 *
 * Held area and ledger: which entry a copy is of, and what a crash left between both.
 *
 * What is to be delivered from the held area is what an entry of the ledger mentions: its target is HELD, with the copy's id.
 * A copy is made before its entry mentions it, and goes after the entry says that its target has the message; so a crash
 * leaves a copy without mention, and retries_settle finds out which of both it was. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/retried.h"
#include "net/jobs.h"
#include "store/held_ledger.h"

/* ---- which entry a copy is of */

static struct ledger *ledger_of(const struct visit *v, const char *mailbox)
{
	for (size_t n = 0; n < v->ledger_count; n++)
		if (strcmp(ledger_mailbox(v->ledgers[n]), mailbox) == 0)
			return v->ledgers[n];
	return NULL;
}

/* After a crash both its entries may mention it: the one that it left is gone, and the other counts. */
static bool find_anywhere(struct ledger *l, uint64_t copy, bool there, struct ledger_entry *entry)
{
	struct ledger_entry other;

	for (const uint8_t *after = NULL; ledger_next(l, after, &other); after = other.id) {
		if (!held_mentions(&other, copy) || (there && other.state == LEDGER_GONE))
			continue;
		*entry = other;
		there = true;
		if (other.state != LEDGER_GONE)
			return true;
	}
	return there;
}

/* By the key that it came under; else wherever it is now, for ids may have changed, and at Gmail it may have another label. */
bool retries_find(const struct visit *v, const struct held_info *info, struct ledger **l, struct ledger_entry *entry)
{
	bool there;

	*l = ledger_of(v, info->origin.mailbox);
	if (!*l)
		return false;
	there = ledger_get(*l, info->origin.id, entry) && held_mentions(entry, info->id);
	if (there && entry->state != LEDGER_GONE)
		return true;
	there = find_anywhere(*l, info->id, there, entry);
	for (size_t n = 0; n < v->ledger_count && (!there || entry->state == LEDGER_GONE); n++) {
		struct ledger_entry other;

		if (v->ledgers[n] == *l || !find_anywhere(v->ledgers[n], info->id, false, &other) || (there && other.state == LEDGER_GONE))
			continue;
		*l = v->ledgers[n];
		*entry = other;
		there = true;
	}
	return there;
}

struct sink *retries_sink(struct visit *v, const char *target)
{
	for (size_t n = 0; n < v->sink_count; n++)
		if (strcmp(v->sinks[n].target->name, target) == 0)
			return &v->sinks[n];
	return NULL;
}

/* A bounce has no entry. */
bool retries_has_entry(const struct held_info *info)
{
	static const uint8_t none[sizeof info->origin.id];

	return memcmp(info->origin.id, none, sizeof none) != 0;
}

/* ---- away with it */

static void remove_work(void *user)
{
	struct retried *r = user;

	r->good = held_remove(collector_store(r->visit->collector), r->info.id, &r->e) || r->e.kind == ERR_CONFIG;
}

void retried_free(struct retried *r)
{
	spool_free(&r->message);
	free(r->recipients);
	free(r);
}

static void removed(void *user)
{
	struct retried *r = user;

	r->visit->waiting--;
	handed_let_go(r->visit, &r->unreleased);
	if (!r->good)
		log_warn(&r->visit->tag, "a held message that its target has stays for now: %s", r->e.text);
	collector_dirty(r->visit->collector, r->visit);
	retried_free(r);
}

struct retried *retried_new(struct visit *v, const struct held_info *info)
{
	struct retried *r = calloc(1, sizeof *r);

	if (!r)
		abort();	/* as of any small thing of the store's: nobody could be told */
	r->visit = v;
	r->info = *info;
	return r;
}

void retries_remove(struct visit *v, const struct held_info *info, struct handing **unreleased)
{
	struct retried *r = retried_new(v, info);

	if (unreleased) {
		r->unreleased = *unreleased;
		*unreleased = NULL;
	}
	v->waiting++;
	if (job_start(collector_loop(v->collector), remove_work, removed, r, &r->e))
		return;
	remove_work(r);
	removed(r);
}

/* ---- after a crash */

static const struct ledger_target *target_of(const struct ledger_entry *entry, const struct sink *k)
{
	for (size_t t = 0; t < entry->target_count; t++)
		if (entry->targets[t].target == k->tag)
			return &entry->targets[t];
	return NULL;
}

bool retries_has(struct visit *v, const struct sink *k, uint64_t copy)
{
	struct ledger_entry entry;
	struct held_info info;
	struct ledger *l;

	if (!held_get(collector_store(v->collector), copy, &info))
		return false;
	if (retries_find(v, &info, &l, &entry))
		delivery_recovered(v, l, &entry, k);
	else
		retries_remove(v, &info, NULL);
	return true;
}

/* The entry came before the copy, and speaks of another message, or of this one without an end. */
static bool is_behind(const struct ledger_entry *entry, const struct held_info *info, const struct sink *k)
{
	const struct ledger_target *t = target_of(entry, k);

	switch (entry->state) {
	case LEDGER_PENDING:
	case LEDGER_HELD:
	case LEDGER_REFUSED:
	case LEDGER_SKIPPED:	/* it came back, and was passed over; not so its copy */
		return !t || (t->state != LEDGER_TARGET_ACCEPTED && t->state != LEDGER_TARGET_REFUSED);
	case LEDGER_GONE:
		return !entry->has_digest || memcmp(entry->digest, info->origin.digest, sizeof entry->digest) != 0;
	case LEDGER_ACCEPTED:
	case LEDGER_QUARANTINED:
	case LEDGER_DISPOSING:
	case LEDGER_SHARED:
	case LEDGER_SEEN:
	case LEDGER_ALIAS:
	case LEDGER_STATES:
		break;
	}
	return false;
}

static bool is_open(enum ledger_state state)
{
	return state == LEDGER_PENDING || state == LEDGER_HELD || state == LEDGER_REFUSED;
}

/* What was decided before stays, whatever a target that is in `deliver` again says now; of what is gone only `accepted` tells. */
bool entry_decide(const struct visit *v, struct ledger_entry *entry, bool quarantined)
{
	enum ledger_state final = entry->removal ? LEDGER_DISPOSING : visit_final_state(v), now;

	if (quarantined && final == LEDGER_ACCEPTED)
		final = LEDGER_QUARANTINED;
	now = is_open(entry->state) || (entry->state == LEDGER_GONE && !entry->accepted) ? entry_state(v, entry, final) : final;
	if (now == final && entry->state != LEDGER_GONE)	/* if it comes back, it is known by them (message_returns) */
		held_keep_mentions(entry);
	if (now == final && !entry->accepted)
		entry->accepted = clock_now_s();
	if (!is_open(entry->state))
		return false;
	entry->state = now;
	return now == final;
}

static void mention_now(struct visit *v, const struct held_info *info, const struct sink *k, struct ledger *l, struct ledger_entry *entry)
{
	bool quarantined = info->state == HELD_QUARANTINED || info->released;
	char place[LEDGER_PLACE_MAX] = "";

	if (entry->state == LEDGER_GONE || !entry->first_seen) {
		*entry = (struct ledger_entry){ .first_seen = info->made };
		memcpy(entry->id, info->origin.id, sizeof entry->id);
		memcpy(entry->uid, info->origin.uid, sizeof entry->uid);
	}
	memcpy(entry->digest, info->origin.digest, sizeof entry->digest);
	entry->has_digest = true;
	entry->size = info->size;
	entry->changed = delivery_moment(l);
	if (!quarantined)
		(void)held_id_text(info->id, place);
	entry_set_sink(entry, k, quarantined ? LEDGER_TARGET_ACCEPTED : LEDGER_TARGET_HELD, place);
	(void)entry_decide(v, entry, quarantined);
	ledger_put(l, entry, visit_ticket(v, 0, TICKET_RECOVERED));
}

/* The id is another message's by now, or was since: what waits has no entry any more. */
static bool is_of_another(const struct ledger_entry *entry, const struct held_info *info)
{
	bool behind = (entry->state == LEDGER_GONE || entry->state == LEDGER_PENDING) && entry->changed <= info->made;

	return entry->has_digest && memcmp(entry->digest, info->origin.digest, sizeof entry->digest) != 0 && !behind;
}

/* While ids change wholesale: that its entry got a new one was not durable, but the copy that was made under that one is. */
static bool is_elsewhere(struct ledger *l, const struct held_info *info, const struct sink *k, struct ledger_entry *entry)
{
	if (!ledger_noted(l, LEDGER_NOTE_COMPARING))
		return false;
	for (const uint8_t *after = NULL; ledger_next(l, after, entry); after = entry->id) {
		const struct ledger_target *t = target_of(entry, k);

		if (entry->state == LEDGER_PENDING && entry->has_digest && !(t && t->state != LEDGER_TARGET_NONE) &&
		    memcmp(entry->digest, info->origin.digest, sizeof entry->digest) == 0)
			return true;
	}
	return false;
}

/* A listing since then does not know it: it was here, and was forgotten. */
static bool is_forgotten(struct ledger *l, const struct held_info *info)
{
	return ledger_noted(l, LEDGER_NOTE_LISTED) > info->made;
}

/* Another copy of the same message waits for this target, is what the entry mentions, and its turn comes no later: the target gets that
 * one. */
static bool is_twin(struct visit *v, const struct ledger_entry *entry, const struct held_info *info, const struct sink *k)
{
	const struct ledger_target *t = target_of(entry, k);
	struct held_info other;
	int64_t now = clock_now_s();
	uint64_t copy;

	return t && t->state == LEDGER_TARGET_HELD && entry->has_digest && memcmp(entry->digest, info->origin.digest, sizeof entry->digest) == 0 &&
	       held_id_read(t->place, &copy) && held_get(collector_store(v->collector), copy, &other) && other.state == HELD_WAITING &&
	       strcmp(other.target, info->target) == 0 && (other.next <= now || other.next <= info->next);
}

/* True: the ledger knows, or nothing will ever speak of it; false: it will, once what was begun is durable. */
static bool settle_waiting(struct visit *v, const struct held_info *info, const struct sink *k)
{
	struct ledger_entry entry;
	struct ledger *l;

	if (retries_find(v, info, &l, &entry) || !l)
		return true;
	if (!ledger_get(l, info->origin.id, &entry) && !is_elsewhere(l, info, k, &entry)) {
		if (is_forgotten(l, info))
			return true;
		entry = (struct ledger_entry){ 0 };
	}
	if (is_of_another(&entry, info))
		return true;
	if (!entry.first_seen || (is_behind(&entry, info, k) && !is_twin(v, &entry, info, k)))
		mention_now(v, info, k, l, &entry);
	else
		retries_remove(v, info, NULL);
	return false;
}

/* Quarantined, and an entry waits for it still. */
static void settle_mentioned(struct visit *v, const struct sink *k, struct ledger *l, struct ledger_entry *entry)
{
	entry->changed = delivery_moment(l);
	entry_set_sink(entry, k, LEDGER_TARGET_ACCEPTED, NULL);
	(void)entry_decide(v, entry, true);
	ledger_put(l, entry, visit_ticket(v, 0, TICKET_RECOVERED));
}

/* Else the entry says that its target is done with it, or is behind; where some recipients still wait their copy speaks for
 * all, and an entry that was forgotten for none. */
static bool settle_quarantined(struct visit *v, const struct held_info *info, const struct sink *k)
{
	const struct ledger_target *t;
	struct ledger_entry entry;
	struct ledger *l;

	if (retries_find(v, info, &l, &entry)) {
		settle_mentioned(v, k, l, &entry);
		return false;
	}
	if (!l)
		return true;
	if (!ledger_get(l, info->origin.id, &entry) && !is_elsewhere(l, info, k, &entry)) {
		if (is_forgotten(l, info))
			return true;
		entry = (struct ledger_entry){ 0 };
	} else if (is_of_another(&entry, info) || !is_behind(&entry, info, k)) {
		return true;
	}
	t = target_of(&entry, k);
	if (t && t->state == LEDGER_TARGET_HELD)
		return true;
	mention_now(v, info, k, l, &entry);
	return false;
}

static bool was_quarantined(const struct held_info *info)
{
	return info->state == HELD_QUARANTINED || info->released;
}

/* No entry will ever speak of it: a bounce, what a person released, what waits since its entry was forgotten or is another
 * message's. */
bool retries_loose(struct visit *v, const struct held_info *info)
{
	struct ledger *l = ledger_of(v, info->origin.mailbox);
	struct ledger_entry entry;

	if (!retries_has_entry(info) || info->released || !l)
		return true;
	return ledger_get(l, info->origin.id, &entry) ? is_of_another(&entry, info) : is_forgotten(l, info);
}

/* Of a target that is not in `deliver` now nothing can be said. */
bool retries_judge(struct visit *v, const struct held_info *info)
{
	const struct sink *k = retries_sink(v, info->target);

	if (!retries_has_entry(info))
		return true;
	if (!k)
		return false;
	return was_quarantined(info) ? settle_quarantined(v, info, k) : settle_waiting(v, info, k);
}

/* ---- what the ledger knows */

struct known {
	struct visit *visit;
	uint64_t *ids;
	size_t count, cap;
	bool good;
	struct err e;
};

static void known_work(void *user)
{
	struct known *n = user;

	n->good = held_settled(collector_store(n->visit->collector), n->visit->with->name, n->ids, n->count, &n->e);
}

static void known_over(void *user)
{
	struct known *n = user;

	n->visit->waiting--;
	if (!n->good)
		log_warn(&n->visit->tag, "%s", n->e.text);	/* the next visit looks once more */
	collector_dirty(n->visit->collector, n->visit);
	free(n->ids);
	free(n);
}

static void know(struct known *n, uint64_t id)
{
	if (n->count == n->cap) {
		n->cap = n->cap ? 2 * n->cap : 64;
		n->ids = reallocarray(n->ids, n->cap, sizeof *n->ids);
		if (!n->ids)
			abort();
	}
	n->ids[n->count++] = id;
}

/* What waits speaks for what was quarantined beside it, and so comes first. */
void retries_settle(struct visit *v)
{
	struct known *known = calloc(1, sizeof *known);
	struct err e;

	if (!known)
		abort();
	known->visit = v;
	for (int quarantined = 0; quarantined < 2; quarantined++) {
		struct held_info info = { .id = 0 };

		while (held_next_unsettled(collector_store(v->collector), v->with->name, &info))
			if (was_quarantined(&info) == quarantined && retries_judge(v, &info))
				know(known, info.id);
	}
	for (size_t n = 0; n < v->ledger_count; n++)
		ledger_flush(v->ledgers[n]);
	v->waiting++;
	if (known->count && job_start(collector_loop(v->collector), known_work, known_over, known, &e))
		return;
	if (known->count)
		known_work(known);
	else
		known->good = true;
	known_over(known);
}
