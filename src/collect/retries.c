/* SPDX-License-Identifier: Apache-2.0
 *
 * Held messages of this connection are tried again, beside what the visit fetches, or alone (VISIT_RETRY).
 *
 * What is to be delivered from the held area is what an entry of the ledger mentions: its target is HELD, with the copy's id.
 * A copy is made before its entry mentions it, and goes after the entry says that its target has the message; so a crash
 * leaves a copy without mention, and retries_settle finds out which of both it was. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/retried.h"
#include "net/jobs.h"

enum { RETRIES_AT_ONCE = 8 };

bool retried_loose(const struct message *m)
{
	return !m->retried->ledger;
}

/* ---- which entry a copy is of */

static const struct ledger_target *mention(const struct ledger_entry *entry, uint64_t copy)
{
	char id[HELD_ID_TEXT];

	(void)held_id_text(copy, id);
	for (size_t t = 0; t < entry->target_count; t++)
		if (entry->targets[t].state == LEDGER_TARGET_HELD && strcmp(entry->targets[t].place, id) == 0)
			return &entry->targets[t];
	return NULL;
}

bool entry_mentions(const struct ledger_entry *entry, uint64_t copy)
{
	return mention(entry, copy);
}

static struct ledger *ledger_of(const struct visit *v, const char *mailbox)
{
	for (size_t n = 0; n < v->ledger_count; n++)
		if (strcmp(ledger_mailbox(v->ledgers[n]), mailbox) == 0)
			return v->ledgers[n];
	return NULL;
}

/* By the key that it came under; else wherever it is now, for ids may have changed. */
static bool find(const struct visit *v, const struct held_info *info, struct ledger **l, struct ledger_entry *entry)
{
	*l = ledger_of(v, info->origin.mailbox);
	if (!*l)
		return false;
	if (ledger_get(*l, info->origin.id, entry) && entry_mentions(entry, info->id))
		return true;
	for (const uint8_t *after = NULL; ledger_next(*l, after, entry); after = entry->id)
		if (entry_mentions(entry, info->id))
			return true;
	return false;
}

static struct sink *sink_of(struct visit *v, const char *target)
{
	for (size_t n = 0; n < v->sink_count; n++)
		if (strcmp(v->sinks[n].target->name, target) == 0)
			return &v->sinks[n];
	return NULL;
}

/* A bounce has no entry. */
static bool has_entry(const struct held_info *info)
{
	static const uint8_t none[sizeof info->origin.id];

	return memcmp(info->origin.id, none, sizeof none) != 0;
}

bool retried_bounce(const struct message *m)
{
	return !has_entry(&m->retried->info);
}

/* ---- after a crash */

static void remove_work(void *user)
{
	struct retried *r = user;

	r->good = held_remove(collector_store(r->visit->collector), r->info.id, &r->e) || r->e.kind == ERR_CONFIG;
}

static void free_retried(struct retried *r)
{
	spool_free(&r->message);
	free(r->recipients);
	free(r);
}

static void removed(void *user)
{
	struct retried *r = user;

	r->visit->waiting--;
	if (r->good && r->alone)
		sink_copy_gone(&r->visit->sinks[r->sink], &r->info);
	if (!r->good)
		log_warn(&r->visit->tag, "a held message that its target has stays for now: %s", r->e.text);
	collector_dirty(r->visit->collector, r->visit);
	free_retried(r);
}

static void start_removal(struct retried *r)
{
	r->visit->waiting++;
	if (job_start(collector_loop(r->visit->collector), remove_work, removed, r, &r->e))
		return;
	remove_work(r);
	removed(r);
}

static struct retried *retried_new(struct visit *v, const struct held_info *info)
{
	struct retried *r = calloc(1, sizeof *r);

	if (!r)
		abort();	/* as of any small thing of the store's: nobody could be told */
	r->visit = v;
	r->info = *info;
	return r;
}

/* The entry came before the copy, and speaks of another message, or of this one without an end. */
static bool is_behind(const struct ledger_entry *entry, const struct held_info *info, const struct sink *k)
{
	switch (entry->state) {
	case LEDGER_PENDING:
	case LEDGER_HELD:
	case LEDGER_REFUSED:
		for (size_t t = 0; t < entry->target_count; t++)
			if (entry->targets[t].target == k->tag)
				return entry->targets[t].state != LEDGER_TARGET_ACCEPTED;
		return true;
	case LEDGER_GONE:
		return !entry->has_digest || memcmp(entry->digest, info->origin.digest, sizeof entry->digest) != 0;
	case LEDGER_ACCEPTED:
	case LEDGER_QUARANTINED:
	case LEDGER_DISPOSING:
	case LEDGER_SKIPPED:
	case LEDGER_SHARED:
	case LEDGER_SEEN:
	case LEDGER_ALIAS:
	case LEDGER_STATES:
		break;
	}
	return false;
}

static void mention_now(struct visit *v, const struct held_info *info, const struct sink *k, struct ledger *l, struct ledger_entry *entry)
{
	bool quarantined = info->state == HELD_QUARANTINED;
	enum ledger_state final = visit_final_state(v);
	char place[LEDGER_PLACE_MAX] = "";

	if (entry->state == LEDGER_GONE || !entry->first_seen)
		*entry = (struct ledger_entry){ .first_seen = info->made };
	memcpy(entry->id, info->origin.id, sizeof entry->id);
	memcpy(entry->digest, info->origin.digest, sizeof entry->digest);
	memcpy(entry->uid, info->origin.uid, sizeof entry->uid);
	entry->has_digest = true;
	entry->size = info->size;
	entry->changed = delivery_moment(l);
	if (!quarantined)
		(void)held_id_text(info->id, place);
	entry_set_sink(entry, k, quarantined ? LEDGER_TARGET_ACCEPTED : LEDGER_TARGET_HELD, place);
	entry->state = entry_state(v, entry, quarantined && final == LEDGER_ACCEPTED ? LEDGER_QUARANTINED : final);
	ledger_put(l, entry, 0);
}

static void settle(struct visit *v, const struct held_info *info)
{
	const struct sink *k = sink_of(v, info->target);
	struct ledger_entry entry;
	struct ledger *l;

	if (!k || !has_entry(info) || find(v, info, &l, &entry) || !l)
		return;
	if (!ledger_get(l, info->origin.id, &entry))
		entry = (struct ledger_entry){ 0 };
	if (!entry.first_seen || is_behind(&entry, info, k))
		mention_now(v, info, k, l, &entry);
	else if (info->state != HELD_QUARANTINED && !info->released)	/* of those no entry knows: they were accepted when they came here */
		start_removal(retried_new(v, info));
}

void retries_settle(struct visit *v)
{
	struct held_info info = { .id = 0 };

	while (held_next_of(collector_store(v->collector), v->with->name, &info))
		settle(v, &info);
	for (size_t n = 0; n < v->ledger_count; n++)
		ledger_flush(v->ledgers[n]);
}

/* ---- once more */

static void retry_over(struct retried *r)
{
	struct visit *v = r->visit;

	assert(v->retrying);
	v->retrying--;
	free_retried(r);
	retries_start(v);
	collector_dirty(v->collector, v);
}

static void load_work(void *user)
{
	struct retried *r = user;

	r->good = held_load(collector_store(r->visit->collector), r->info.id, &r->message, &r->recipients, &r->recipient_count, &r->e);
}

static struct message *message_of(struct retried *r)
{
	struct visit *v = r->visit;
	struct message *m = message_new(v);

	if (!m)
		abort();
	m->copy = r->info.id;
	m->retried = r;
	m->ledger = r->ledger ? r->ledger : v->own;
	memcpy(m->id, r->id, sizeof m->id);
	memcpy(m->digest, r->info.origin.digest, sizeof m->digest);
	m->size = r->info.size;
	m->first_seen = r->info.made;
	m->others = ~(1u << r->sink);
	m->spool = r->message;
	r->message = NULL;
	return m;
}

static void loaded(void *user)
{
	struct retried *r = user;
	struct visit *v = r->visit;
	char id[HELD_ID_TEXT];

	v->waiting--;
	if (r->good && !v->stopping) {
		message_go_on(v, message_of(r));
		ledger_flush(v->ledger);
		return;
	}
	if (!r->good)
		log_error(&v->tag, "held message %s: %s", held_id_text(r->info.id, id), r->e.text);
	retry_over(r);
}

static void begin(struct visit *v, const struct held_info *info, const struct sink *k)
{
	struct retried *r = retried_new(v, info);
	struct ledger_entry entry;

	r->sink = k->index;
	if (find(v, info, &r->ledger, &entry))
		memcpy(r->id, entry.id, sizeof r->id);
	else
		r->ledger = NULL;
	v->retrying++;
	v->waiting++;
	if (job_start(collector_loop(v->collector), load_work, loaded, r, &r->e))
		return;
	load_work(r);
	loaded(r);
}

void retries_start(struct visit *v)
{
	struct held_info info = { .id = v->retry_at };
	int64_t now = clock_now_s();

	while (!v->retry_over && !v->stopping && v->retrying < RETRIES_AT_ONCE) {
		const struct sink *k;

		if (!held_next_of(collector_store(v->collector), v->with->name, &info)) {
			v->retry_over = true;
			return;
		}
		v->retry_at = info.id;
		k = sink_of(v, info.target);
		if (k && info.state == HELD_WAITING && info.next <= now)
			begin(v, &info, k);
	}
}

/* ---- its end */

void retried_left(struct visit *v, struct message *m)
{
	struct retried *r = m->retried;

	message_free(v, m);
	retry_over(r);
}

/* Where it is in the listing of the mailbox that is being visited, it can go at once.  It is `disposing` from now on only: the
 * end of a visit confirms all that is. */
static void dispose(struct visit *v, const struct message *m, struct ledger_entry *entry)
{
	bool due = entry->state == LEDGER_ACCEPTED && (entry->removal || v->with->after != AFTER_KEEP);

	if (!due || m->ledger != v->ledger || v->phase > VISIT_FETCHING)
		return;
	for (size_t n = 0; n < v->listing.count; n++) {
		const struct item *i = &v->listing.items[n];

		if (memcmp(i->id, entry->id, sizeof i->id) != 0 || !(i->flags & ITEM_OWN_ID))
			continue;
		if (i->flags & ITEM_DISPOSE)	/* the listing was joined with what was put already */
			return;
		entry->state = LEDGER_DISPOSING;
		entry->changed = delivery_moment(v->ledger);
		ledger_put(v->ledger, entry, 0);
		delivery_want_disposal(v, i->number);
		return;
	}
}

static void count(struct visit *v, const struct message *m)
{
	if (m->held) {
		v->result.held++;
	} else if (m->failed || m->refused) {
		v->result.failed++;
	} else if (!m->counted) {
		v->result.collected++;
		v->result.octets += m->size;
	} else {
		v->result.skipped++;
	}
}

static void remove_delivered(const struct retried *r)
{
	struct retried *gone = retried_new(r->visit, &r->info);

	gone->sink = r->sink;
	gone->alone = !r->ledger;
	start_removal(gone);
}

void retried_settled(struct visit *v, struct message *m)
{
	struct retried *r = m->retried;
	struct sink *k = &v->sinks[m->turn];
	struct ledger_entry entry;

	if (r->ledger && ledger_get(r->ledger, r->id, &entry))
		dispose(v, m, &entry);
	if (m->accepted)
		k->ops->settled(k, m);
	if (!r->stays)
		remove_delivered(r);
	retried_left(v, m);
}

/* Its target has had its turn: what the entry says of it. */
static void conclude(struct visit *v, struct message *m, struct ledger_entry *entry)
{
	const struct sink *k = &v->sinks[m->turn];
	enum ledger_state final = visit_final_state(v);

	entry->attempts++;
	entry->changed = delivery_moment(m->ledger);
	entry->error[0] = '\0';
	if (m->why)
		message_error(m, entry);
	if (m->held)
		return;
	entry_set_sink(entry, k, m->refused ? LEDGER_TARGET_REFUSED : LEDGER_TARGET_ACCEPTED, NULL);
	entry->removal = entry->removal || m->removal;
	if (entry->state == LEDGER_GONE)
		return;
	if (entry->removal)
		final = LEDGER_DISPOSING;
	else if (m->quarantined && final == LEDGER_ACCEPTED)
		final = LEDGER_QUARANTINED;
	entry->state = entry_state(v, entry, final);
	if (entry->state == final) {
		entry->accepted = clock_now_s();
		entry->target_count = 0;
		if (final == LEDGER_DISPOSING)	/* see dispose */
			entry->state = LEDGER_ACCEPTED;
	}
}

void retried_over(struct visit *v, struct message *m)
{
	const struct retried *r = m->retried;
	struct ledger_entry entry;

	count(v, m);
	if (m->failed) {
		retried_left(v, m);
		return;
	}
	if (!r->ledger || !ledger_get(r->ledger, r->id, &entry) || !entry_mentions(&entry, m->copy)) {
		retried_settled(v, m);		/* a bounce; or the entry went its way meanwhile */
		return;
	}
	conclude(v, m, &entry);
	ledger_put(r->ledger, &entry, visit_ticket(v, m->slot, TICKET_RETRIED));
	ledger_flush(r->ledger);
}
