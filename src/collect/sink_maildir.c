/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery into a Maildir, in two steps (PRODUCT 2.2): tmp and fsync; `placing
 * NAME` in the ledger; rename and fsync of the directory; then accepted.
 * Writing is spread over the job pool, because concurrent fsyncs share the
 * file system's journal commits; renames go one group at a time. */
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/retried.h"
#include "net/jobs.h"

enum { WRITE_BATCH = 32, INTENT_OLD_S = 24 * 3600 };

struct maildir_sink {
	struct maildir *dir;
	uint8_t tag[8], copies[8];	/* of names; copies: of held messages, in this one Maildir */
	struct queue to_write, to_place;
	unsigned writers;
	bool placing;
};

struct batch_job {
	struct sink *sink;
	struct queue messages, done, there;	/* there: it was already */
	struct message *failed;
	struct err e;
	bool synced;
};

static void start_writers(struct sink *k);
static void start_placing(struct sink *k);

/* Whose tmp files may be swept: only those of this connection in this state on
 * this host.  Another state may hold a connection of the same name, alive. */
static void settle_tag(struct sink *k)
{
	char text[PATH_MAX + MAILDIR_HOST_MAX + SETTINGS_NAME_MAX + 3], state[PATH_MAX], host[MAILDIR_HOST_MAX + 1], given_host[HOST_NAME_MAX + 1] = "";
	const char *given = store_state(collector_store(k->visit->collector));
	uint64_t tag;

	(void)gethostname(given_host, sizeof given_host - 1);
	maildir_host(given_host, host);
	(void)snprintf(text, sizeof text, "%s|%s|%s", realpath(given, state) ? state : given, host, k->visit->with->name);
	tag = ledger_target_tag(text);
	memcpy(k->maildir->tag, &tag, sizeof k->maildir->tag);
	tag ^= ledger_target_tag(sink_path(k));
	memcpy(k->maildir->copies, &tag, sizeof k->maildir->copies);
}

static bool open_sink(struct sink *k, struct err *e)
{
	struct store *s = collector_store(k->visit->collector);

	k->maildir = calloc(1, sizeof *k->maildir);
	if (!k->maildir)
		return err_set(e, ERR_LOCAL, "out of memory");
	settle_tag(k);
	if (k->place ? place_open(s, k->target->mailbox, k->place, &k->maildir->dir, e) : maildir_open(k->target->path, &k->maildir->dir, e))
		return true;
	free(k->maildir);
	k->maildir = NULL;
	return false;
}

static void close_sink(struct sink *k)
{
	assert(!k->maildir->writers && !k->maildir->placing);
	maildir_close(&k->maildir->dir);
	free(k->maildir);
	k->maildir = NULL;
}

/* A job that cannot start, for want of memory, is done here and now: slow, not lost. */
static void run_job(struct sink *k, struct batch_job *job, void (*work)(void *), void (*done)(void *))
{
	struct err e;

	k->visit->waiting++;
	if (job_start(collector_loop(k->visit->collector), work, done, job, &e))
		return;
	work(job);
	done(job);
}

/* ---- held messages: it is their record that says `placing NAME`, for they may have no entry */

/* NAME has its tag as 16 digits behind "_". */
static bool is_of(const char *name, const uint8_t tag[8])
{
	char digits[2 + 2 * 8 + 1] = "_";

	for (size_t n = 0; n < 8; n++)
		(void)snprintf(digits + 1 + 2 * n, 3, "%02x", tag[n]);
	return strstr(name, digits);
}

/* It had got a name before: as with intents, see recover_work. */
static bool look_for_copy(struct maildir_sink *s, const struct held_info *info, bool *there, struct err *e)
{
	int64_t since = info->tried > info->since ? info->tried : info->since;

	*there = false;
	if (!info->place[0] || !is_of(info->place, s->copies))
		return true;
	if (!maildir_place_again(s->dir, info->place, e))
		return false;
	*there = clock_now_s() - since <= INTENT_OLD_S || maildir_has(s->dir, info->place);
	return !*there || maildir_sync(s->dir, e);
}

static bool name_copies(struct batch_job *j, struct err *e)
{
	struct store *store = collector_store(j->sink->visit->collector);
	bool good = true;

	for (const struct message *m = j->done.first; m && good; m = m->next)
		good = !m->copy || held_placing(store, m->copy, m->place, e);
	return good;
}

static bool is_named(void *user, const char *name)
{
	const struct visit *v = user;
	struct held_info info = { .id = 0 };

	while (held_next_of(collector_store(v->collector), v->with->name, &info))
		if (strcmp(info.place, name) == 0)
			return true;
	return false;
}

/* ---- into tmp */

static void write_work(void *user)
{
	struct batch_job *j = user;
	struct maildir_sink *s = j->sink->maildir;
	struct message *m;

	while (!j->failed && (m = queue_take(&j->messages))) {
		bool there = false;

		if (m->copy && !look_for_copy(s, &m->retried->info, &there, &j->e)) {
			j->failed = m;
		} else if (there) {
			queue_add(&j->there, m);
		} else if (maildir_write(s->dir, m->spool, m->copy ? s->copies : s->tag, m->place, &j->e)) {
			queue_add(&j->done, m);
		} else {
			m->place[0] = '\0';
			j->failed = m;
		}
	}
	j->synced = true;
	if (j->done.count) {
		struct err e;

		j->synced = maildir_sync_tmp(s->dir, &e) && name_copies(j, &e);
		if (!j->synced)
			j->e = e;
	}
}

static void write_done(void *user)
{
	struct batch_job *j = user;
	struct sink *k = j->sink;
	struct visit *v = k->visit;
	struct ledger_entry entry;
	struct message *m;

	v->waiting--;
	k->maildir->writers--;
	while ((m = queue_take(&j->done))) {
		if (!j->synced) {
			m->place[0] = '\0';
			message_failed(v, m, &j->e);
			continue;
		}
		if (m->copy) {
			queue_add(&k->maildir->to_place, m);
			continue;
		}
		message_entry(v, m, LEDGER_PENDING, &entry);
		ledger_put(v->ledger, &entry, visit_ticket(v, m->slot, TICKET_PLACING));
	}
	while ((m = queue_take(&j->there)))
		message_accepted(v, m);
	if (j->failed)
		message_failed(v, j->failed, &j->e);
	while ((m = queue_take(&j->messages)))
		queue_add(&k->maildir->to_write, m);
	ledger_flush(v->ledger);
	free(j);
	start_writers(k);
	start_placing(k);
	collector_dirty(v->collector, v);
}

static struct batch_job *job_new(struct sink *k)
{
	struct batch_job *j = calloc(1, sizeof *j);

	if (j)
		j->sink = k;
	return j;
}

static void no_memory(struct sink *k, struct queue *waiting)
{
	struct message *m;
	struct err e;

	(void)err_set(&e, ERR_LOCAL, "out of memory");
	while ((m = queue_take(waiting)))
		message_failed(k->visit, m, &e);
}

static void start_writers(struct sink *k)
{
	struct maildir_sink *s = k->maildir;

	while (s->to_write.count && s->writers < JOBS_THREADS) {
		size_t share = s->to_write.count / (JOBS_THREADS - s->writers) + 1;
		struct batch_job *j = job_new(k);

		if (!j) {
			no_memory(k, &s->to_write);
			return;
		}
		while (j->messages.count < share && j->messages.count < WRITE_BATCH && s->to_write.count)
			queue_add(&j->messages, queue_take(&s->to_write));
		s->writers++;
		run_job(k, j, write_work, write_done);
	}
}

static void place_work(void *user)
{
	struct batch_job *j = user;
	struct maildir_sink *s = j->sink->maildir;
	struct message *m;

	while (!j->failed && (m = queue_take(&j->messages))) {
		if (maildir_place(s->dir, m->place, &j->e)) {
			queue_add(&j->done, m);
			continue;
		}
		if (!maildir_waits(s->dir, m->place)) {	/* after a crash that means delivered; now it means lost */
			struct err other;

			if (m->copy)
				(void)!held_placing(collector_store(j->sink->visit->collector), m->copy, "", &other);
			m->place[0] = '\0';
		}
		j->failed = m;
	}
	j->synced = !j->done.count || maildir_sync(s->dir, &j->e);
}

/* The record of a copy has its name. */
static void place_failed(struct visit *v, struct message *m, const struct err *why)
{
	if (m->copy)
		m->place[0] = '\0';
	message_failed(v, m, why);
}

/* Where a placing fails, `placing` stays in the ledger: the next visit decides. */
static void place_done(void *user)
{
	struct batch_job *j = user;
	struct sink *k = j->sink;
	struct visit *v = k->visit;
	struct message *m;

	v->waiting--;
	k->maildir->placing = false;
	while ((m = queue_take(&j->done))) {
		if (j->synced)
			message_accepted(v, m);
		else
			place_failed(v, m, &j->e);
	}
	if (j->failed)
		place_failed(v, j->failed, &j->e);
	while ((m = queue_take(&j->messages)))
		queue_add(&k->maildir->to_place, m);
	ledger_flush(v->ledger);
	free(j);
	start_placing(k);
	collector_dirty(v->collector, v);
}

static void start_placing(struct sink *k)
{
	struct maildir_sink *s = k->maildir;
	struct batch_job *j;

	if (s->placing || !s->to_place.count)
		return;
	j = job_new(k);
	if (!j) {
		no_memory(k, &s->to_place);
		return;
	}
	j->messages = s->to_place;
	s->to_place = (struct queue){ 0 };
	s->placing = true;
	run_job(k, j, place_work, place_done);
}

static void deliver_message(struct sink *k, struct message *m)
{
	queue_add(&k->maildir->to_write, m);
	start_writers(k);
}

static void answered(struct sink *k, struct message *m, enum ticket_kind kind)
{
	if (kind != TICKET_PLACING)
		return;
	queue_add(&k->maildir->to_place, m);
	start_placing(k);
}

static void settled(struct sink *k, struct message *m)
{
	(void)k;
	(void)m;
}

/* Intents that a crash left behind. */
struct intent {
	struct ledger *ledger;
	uint8_t id[32];
	char place[MAILDIR_NAME_MAX];
	bool old, there;
};

struct recovery {
	struct sink *sink;
	struct intent *intents;
	size_t count, cap;
	bool good;
	struct err e;
};

static bool collect_intents(struct sink *k, struct ledger *l, struct recovery *r, struct err *e)
{
	struct ledger_entry entry;

	for (const uint8_t *after = NULL; ledger_next(l, after, &entry); after = entry.id) {
		for (size_t t = 0; entry.state == LEDGER_PENDING && t < entry.target_count; t++) {
			const struct ledger_target *target = &entry.targets[t];

			if (target->target != k->intent || target->state != LEDGER_TARGET_PLACING)
				continue;
			if (r->count == r->cap) {
				size_t cap = r->cap ? r->cap * 2 : 64;
				struct intent *more = reallocarray(r->intents, cap, sizeof *more);

				if (!more)
					return err_set(e, ERR_LOCAL, "out of memory");
				r->intents = more;
				r->cap = cap;
			}
			r->intents[r->count] = (struct intent){ .ledger = l, .old = clock_now_s() - entry.changed > INTENT_OLD_S };
			memcpy(r->intents[r->count].id, entry.id, sizeof entry.id);
			memcpy(r->intents[r->count++].place, target->place, sizeof target->place);
		}
	}
	return true;
}

static bool never(void *user, const char *name)
{
	(void)user;
	(void)name;
	return false;
}

/* In tmp: rename it.  Not there: it was delivered, whatever a reader did since,
 * unless the intent is so old that nobody can know; then it must be found. */
static void recover_work(void *user)
{
	struct recovery *r = user;
	struct maildir *dir = r->sink->maildir->dir;

	r->good = true;
	for (size_t n = 0; r->good && n < r->count; n++) {
		struct intent *i = &r->intents[n];

		r->good = maildir_place_again(dir, i->place, &r->e);
		i->there = !i->old || maildir_has(dir, i->place);
	}
	r->good = r->good && (!r->count || maildir_sync(dir, &r->e));
	if (!r->good)
		return;
	maildir_sweep(dir, r->sink->maildir->tag, never, NULL);
	maildir_sweep(dir, r->sink->maildir->copies, is_named, r->sink->visit);
}

static void recover_done(void *user)
{
	struct recovery *r = user;
	struct visit *v = r->sink->visit;
	struct ledger_entry entry;

	v->waiting--;
	if (!r->good)
		visit_fail(v, &r->e);
	for (size_t n = 0; r->good && n < r->count; n++) {
		struct ledger *l = r->intents[n].ledger;

		if (!r->intents[n].there || !ledger_get(l, r->intents[n].id, &entry) || entry.state != LEDGER_PENDING)
			continue;
		delivery_recovered(v, l, &entry, r->sink);
		ledger_flush(l);
	}
	free(r->intents);
	free(r);
	collector_dirty(v->collector, v);
}

static bool recover(struct sink *k, struct err *e)
{
	struct recovery *r = calloc(1, sizeof *r);
	bool good = true;

	if (!r)
		return err_set(e, ERR_LOCAL, "out of memory");
	r->sink = k;
	for (size_t n = 0; good && n < k->visit->ledger_count; n++)
		good = collect_intents(k, k->visit->ledgers[n], r, e);
	if (!good || !job_start(collector_loop(k->visit->collector), recover_work, recover_done, r, e)) {
		free(r->intents);
		free(r);
		return false;
	}
	k->visit->waiting++;
	return true;
}

const struct sink_ops sink_maildir = {
	.open = open_sink, .recover = recover, .deliver = deliver_message,
	.answered = answered, .settled = settled, .close = close_sink,
};
