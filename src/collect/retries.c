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

bool retries_entry(struct visit *v, const struct sink *k, const struct mailbox_source *mark, struct ledger **l, struct ledger_entry *entry)
{
	struct held_info info = { .id = 0 };

	while (held_next_of(collector_store(v->collector), v->with->name, &info))
		if (strcmp(info.target, k->target->name) == 0 && memcmp(info.origin.id, mark->id, sizeof mark->id) == 0 &&
		    memcmp(info.origin.digest, mark->digest, sizeof mark->digest) == 0 && find(v, &info, l, entry))
			return true;
	return false;
}

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

static const struct ledger_target *target_of(const struct ledger_entry *entry, const struct sink *k)
{
	for (size_t t = 0; t < entry->target_count; t++)
		if (entry->targets[t].target == k->tag)
			return &entry->targets[t];
	return NULL;
}

/* The entry came before the copy, and speaks of another message, or of this one without an end. */
static bool is_behind(const struct ledger_entry *entry, const struct held_info *info, const struct sink *k)
{
	const struct ledger_target *t = target_of(entry, k);

	switch (entry->state) {
	case LEDGER_PENDING:
	case LEDGER_HELD:
	case LEDGER_REFUSED:
		return !t || (t->state != LEDGER_TARGET_ACCEPTED && t->state != LEDGER_TARGET_REFUSED);
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

/* What it is, by what its targets say.  True: all is decided. */
static bool settle_state(const struct visit *v, struct ledger_entry *entry, bool quarantined)
{
	enum ledger_state final = entry->removal ? LEDGER_DISPOSING : visit_final_state(v);

	if (quarantined && final == LEDGER_ACCEPTED)
		final = LEDGER_QUARANTINED;
	entry->state = entry_state(v, entry, final);
	if (entry->state != final)
		return false;
	entry->accepted = clock_now_s();
	entry->target_count = 0;
	return true;
}

static void mention_now(struct visit *v, const struct held_info *info, const struct sink *k, struct ledger *l, struct ledger_entry *entry)
{
	bool quarantined = info->state == HELD_QUARANTINED || info->released;
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
	(void)settle_state(v, entry, quarantined);
	ledger_put(l, entry, 0);
}

/* The id is another message's by now, or was since: what waits has no entry any more. */
static bool is_of_another(const struct ledger_entry *entry, const struct held_info *info)
{
	bool behind = (entry->state == LEDGER_GONE || entry->state == LEDGER_PENDING) && entry->changed <= info->made;

	return entry->has_digest && memcmp(entry->digest, info->origin.digest, sizeof entry->digest) != 0 && !behind;
}

static void settle_waiting(struct visit *v, const struct held_info *info, const struct sink *k)
{
	struct ledger_entry entry;
	struct ledger *l;

	if (find(v, info, &l, &entry) || !l)
		return;
	if (!ledger_get(l, info->origin.id, &entry))
		entry = (struct ledger_entry){ 0 };
	if (is_of_another(&entry, info))
		return;
	if (!entry.first_seen || is_behind(&entry, info, k))
		mention_now(v, info, k, l, &entry);
	else
		start_removal(retried_new(v, info));
}

/* Of the same message at the same target some recipients are still to get it. */
static bool others_wait(struct visit *v, const struct held_info *info)
{
	struct held_info other = { .id = 0 };

	while (held_next_of(collector_store(v->collector), v->with->name, &other))
		if (other.state != HELD_QUARANTINED && !other.released && strcmp(other.target, info->target) == 0 &&
		    memcmp(other.origin.id, info->origin.id, sizeof other.origin.id) == 0 &&
		    memcmp(other.origin.digest, info->origin.digest, sizeof other.origin.digest) == 0)
			return true;
	return false;
}

/* Nothing mentions it: the entry says that its target is done with it, or is behind.  Where some recipients still wait their
 * copy speaks for all; an entry that a listing since then does not know is forgotten. */
static void settle_quarantined(struct visit *v, const struct held_info *info, const struct sink *k)
{
	struct ledger *l = ledger_of(v, info->origin.mailbox);
	const struct ledger_target *t;
	struct ledger_entry entry;

	if (!l)
		return;
	if (!ledger_get(l, info->origin.id, &entry)) {
		if (ledger_noted(l, LEDGER_NOTE_LISTED) > info->made)
			return;
		entry = (struct ledger_entry){ 0 };
	} else if (is_of_another(&entry, info) || !is_behind(&entry, info, k)) {
		return;
	}
	t = target_of(&entry, k);
	if (!(t && t->state == LEDGER_TARGET_HELD) && !others_wait(v, info))
		mention_now(v, info, k, l, &entry);
}

/* What a person released was quarantined: nor does an entry mention it. */
static void settle(struct visit *v, const struct held_info *info)
{
	const struct sink *k = sink_of(v, info->target);

	if (!k || !has_entry(info))
		return;
	if (info->state == HELD_QUARANTINED || info->released)
		settle_quarantined(v, info, k);
	else
		settle_waiting(v, info, k);
}

/* A copy was quarantined, and the entry does not know it yet. */
static void settle_mentioned(struct visit *v, struct ledger *l)
{
	struct ledger_entry entry;

	for (const uint8_t *after = NULL; ledger_next(l, after, &entry); after = entry.id)
		for (size_t n = 0; n < v->sink_count; n++) {
			struct held_info info;
			const struct ledger_target *t = target_of(&entry, &v->sinks[n]);
			uint64_t id;

			if (!t || t->state != LEDGER_TARGET_HELD || !held_id_read(t->place, &id) ||
			    !held_get(collector_store(v->collector), id, &info) || info.state != HELD_QUARANTINED)
				continue;
			entry.changed = delivery_moment(l);
			entry_set_sink(&entry, &v->sinks[n], LEDGER_TARGET_ACCEPTED, NULL);
			if (entry.state != LEDGER_GONE)
				(void)settle_state(v, &entry, true);
			ledger_put(l, &entry, 0);
		}
}

void retries_settle(struct visit *v)
{
	struct store *s = collector_store(v->collector);
	struct held_info info = { .id = 0 };
	struct held_sums sums;

	held_sums_of(s, v->with->name, &sums);
	for (size_t n = 0; n < v->ledger_count && sums.quarantined; n++)
		settle_mentioned(v, v->ledgers[n]);
	while (held_next_of(s, v->with->name, &info))
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
	memcpy(m->id, r->info.origin.id, sizeof m->id);	/* so a mailbox that has it knows it, wherever its entry went */
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

/* No entry will ever speak of it: a bounce, what a person released, what waits since its id is another message's. */
static bool is_loose(struct visit *v, const struct held_info *info)
{
	struct ledger *l = ledger_of(v, info->origin.mailbox);
	struct ledger_entry entry;

	return !has_entry(info) || info->released || !l || (ledger_get(l, info->origin.id, &entry) && is_of_another(&entry, info));
}

/* What is neither mentioned nor loose was made in this visit, and its entry follows; or it is about to be removed. */
static void begin(struct visit *v, const struct held_info *info, const struct sink *k)
{
	struct ledger_entry entry;
	struct ledger *l;
	struct retried *r;

	if (!find(v, info, &l, &entry)) {
		if (!is_loose(v, info))
			return;
		l = NULL;
	}
	r = retried_new(v, info);
	r->sink = k->index;
	r->ledger = l;
	if (l)
		memcpy(r->id, entry.id, sizeof r->id);
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
	if (settle_state(v, entry, m->quarantined) && entry->state == LEDGER_DISPOSING)	/* see dispose */
		entry->state = LEDGER_ACCEPTED;
}

void retried_over(struct visit *v, struct message *m)
{
	struct retried *r = m->retried;
	struct ledger_entry entry;

	count(v, m);
	if (m->failed) {
		retried_left(v, m);
		return;
	}
	if (!r->ledger || !find(v, &r->info, &r->ledger, &entry)) {
		retried_settled(v, m);		/* a bounce; or the entry went its way meanwhile */
		return;
	}
	memcpy(r->id, entry.id, sizeof r->id);	/* its id may have changed since */
	conclude(v, m, &entry);
	ledger_put(r->ledger, &entry, visit_ticket(v, m->slot, TICKET_RETRIED));
	ledger_flush(r->ledger);
}
