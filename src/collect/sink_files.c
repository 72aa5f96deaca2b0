/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/sink_files.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/retried.h"
#include "net/jobs.h"

enum { WRITE_BATCH = 32 };

struct files_sink {
	const struct files_ops *ops;
	uint8_t tag[8], copies[8];	/* of names; copies: of held messages, in this one directory */
	struct queue to_write, to_place;
	unsigned writers;
	bool placing;
	struct err why;		/* it is shut */
};

struct batch_job {
	struct sink *sink;
	struct queue messages, done, there;	/* there: it was already */
	struct message *failed;
	struct err e, e_synced;		/* of the one that failed; of all that are done, unless synced */
	bool synced;
};

static void start_writers(struct sink *k);
static void start_placing(struct sink *k);

/* Whose tmp files may be swept: only those of this connection in this state on
 * this host.  Another state may hold a connection of the same name, alive. */
static void settle_tags(const struct sink *k)
{
	char text[PATH_MAX + MAILDIR_HOST_MAX + SETTINGS_NAME_MAX + 3], state[PATH_MAX], host[MAILDIR_HOST_MAX + 1], given_host[HOST_NAME_MAX + 1] = "";
	const char *given = store_state(collector_store(k->visit->collector));
	uint64_t tag;

	(void)gethostname(given_host, sizeof given_host - 1);
	maildir_host(given_host, host);
	(void)snprintf(text, sizeof text, "%s|%s|%s", realpath(given, state) ? state : given, host, k->visit->with->name);
	tag = ledger_target_tag(text);
	memcpy(k->files->tag, &tag, sizeof tag);
	tag ^= ledger_target_tag(sink_path(k));
	memcpy(k->files->copies, &tag, sizeof tag);
}

bool files_open(struct sink *k, const struct files_ops *ops, struct err *e)
{
	k->files = calloc(1, sizeof *k->files);
	if (!k->files)
		return err_set(e, ERR_LOCAL, "out of memory");
	k->files->ops = ops;
	settle_tags(k);
	return true;
}

void files_close(struct sink *k)
{
	assert(!k->files->writers && !k->files->placing);
	free(k->files);
	k->files = NULL;
}

const uint8_t *files_tag(const struct sink *k, const struct message *m)
{
	return m->copy ? k->files->copies : k->files->tag;
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

/* The directory is opened anew by each job; where that fails, so does one message, and the others have their turn. */
static bool enter(struct batch_job *j, void **dir)
{
	if (j->sink->files->ops->enter(j->sink, dir, &j->e))
		return true;
	j->failed = queue_take(&j->messages);
	return false;
}

static bool name_copies(const struct batch_job *j, struct err *e)
{
	bool good = true;

	for (const struct message *m = j->done.first; m && good; m = m->next)
		good = files_name_copy(j->sink, m, m->place, e);
	return good;
}

static void write_work(void *user)
{
	struct batch_job *j = user;
	const struct files_ops *ops = j->sink->files->ops;
	struct message *m;
	void *dir;

	j->synced = true;
	if (!enter(j, &dir))
		return;
	while (!j->failed && (m = queue_take(&j->messages))) {
		bool there = false;

		if (m->copy && !files_find_copy(ops, j->sink->files->copies, dir, &m->retried->info, &there, &j->e)) {
			j->failed = m;
		} else if (there) {
			queue_add(&j->there, m);
		} else if (ops->write(j->sink, dir, m, &j->e)) {
			queue_add(&j->done, m);
		} else {
			m->place[0] = '\0';
			j->failed = m;
		}
	}
	j->synced = !j->done.count || (ops->sync_written(dir, &j->e_synced) && name_copies(j, &j->e_synced));
	ops->leave(j->sink, dir);
}

static void write_done(void *user)
{
	struct batch_job *j = user;
	struct sink *k = j->sink;
	struct visit *v = k->visit;
	struct ledger_entry entry;
	struct message *m;

	v->waiting--;
	k->files->writers--;
	while ((m = queue_take(&j->done))) {
		if (!j->synced) {
			m->place[0] = '\0';
			message_failed(v, m, &j->e_synced);
			continue;
		}
		if (m->copy) {
			queue_add(&k->files->to_place, m);
			continue;
		}
		message_entry(v, m, LEDGER_PENDING, &entry);
		ledger_put(m->ledger, &entry, visit_ticket(v, m->slot, TICKET_PLACING));
	}
	while ((m = queue_take(&j->there)))
		message_accepted(v, m);
	if (j->failed)
		message_failed(v, j->failed, &j->e);
	while ((m = queue_take(&j->messages)))
		queue_add(&k->files->to_write, m);
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
	struct files_sink *s = k->files;

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

/* One step for each, until one fails; those behind it have their turn in another job, and so has a second that failed. */
static void each(struct batch_job *j, void *dir, bool (*step)(void *dir, const char *name, struct err *e), struct queue *from, struct queue *to)
{
	struct message *m;
	bool over = false;
	struct err e;

	while ((m = queue_take(from))) {
		if (!over && step(dir, m->place, &e)) {
			queue_add(to, m);
			continue;
		}
		if (over || j->failed) {
			queue_add(&j->messages, m);
		} else {
			if (j->sink->files->ops->lost(dir, m->place)) {	/* after a crash that would mean delivered */
				struct err other;

				(void)!files_name_copy(j->sink, m, "", &other);
				m->place[0] = '\0';
			}
			j->failed = m;
			j->e = e;
		}
		over = true;
	}
}

/* False: nothing of it is known to be durable. */
static bool make_durable(struct batch_job *j, void *dir)
{
	const struct files_ops *ops = j->sink->files->ops;

	if (!ops->sync_placed(dir, &j->e_synced))
		return false;
	if (!ops->placed)
		return true;
	for (const struct message *m = j->done.first; m; m = m->next)
		ops->placed(dir, m->place);
	return ops->sync_written(dir, &j->e_synced);
}

static void place_work(void *user)
{
	struct batch_job *j = user;
	const struct files_ops *ops = j->sink->files->ops;
	struct queue all, prepared = { 0 };
	void *dir;

	if (!enter(j, &dir))
		return;
	all = j->messages;
	j->messages = (struct queue){ 0 };
	j->synced = true;
	if (ops->prepare) {
		each(j, dir, ops->prepare, &all, &prepared);
		j->synced = !prepared.count || ops->sync_placed(dir, &j->e_synced);
	} else {
		prepared = all;
	}
	if (j->synced)
		each(j, dir, ops->place, &prepared, &j->done);
	else
		j->done = prepared;
	j->synced = j->synced && (!j->done.count || make_durable(j, dir));
	ops->leave(j->sink, dir);
}

/* `placing` stays in the ledger, and the next visit decides; a held message stays held. */
static void not_placed(struct visit *v, struct message *m, const struct err *why)
{
	if (m->copy)
		m->place[0] = '\0';
	message_failed(v, m, why);
}

static void place_done(void *user)
{
	struct batch_job *j = user;
	struct sink *k = j->sink;
	struct visit *v = k->visit;
	struct message *m;

	v->waiting--;
	k->files->placing = false;
	while ((m = queue_take(&j->done))) {
		if (j->synced)
			message_accepted(v, m);
		else
			not_placed(v, m, &j->e_synced);
	}
	if (j->failed)
		not_placed(v, j->failed, &j->e);
	while ((m = queue_take(&j->messages)))
		queue_add(&k->files->to_place, m);
	ledger_flush(v->ledger);
	free(j);
	start_placing(k);
	collector_dirty(v->collector, v);
}

static void start_placing(struct sink *k)
{
	struct files_sink *s = k->files;
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

void files_deliver(struct sink *k, struct message *m)
{
	if (m->retried)
		memcpy(m->uid_text, m->retried->info.origin.uid, sizeof m->uid_text);
	else
		message_uid_text(k->visit, m->number, (struct span){ m->uid, m->uid_len }, m->uid_text);
	queue_add(&k->files->to_write, m);
	start_writers(k);
}

void files_answered(struct sink *k, struct message *m, enum ticket_kind kind)
{
	if (kind != TICKET_PLACING)
		return;
	queue_add(&k->files->to_place, m);
	start_placing(k);
}

void files_settled([[maybe_unused]] struct sink *k, [[maybe_unused]] struct message *m)
{
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
			r->intents[r->count] = (struct intent){ .ledger = l, .old = clock_now_s() - entry.changed > FILES_INTENT_OLD_S };
			memcpy(r->intents[r->count].id, entry.id, sizeof entry.id);
			memcpy(r->intents[r->count++].place, target->place, sizeof target->place);
		}
	}
	return true;
}

static bool never([[maybe_unused]] void *user, [[maybe_unused]] const char *name)
{
	return false;
}

/* In tmp: rename it.  Not there: it was delivered, whatever a reader did since,
 * unless the intent is so old that nobody can know; then it must be found. */
static void recover_work(void *user)
{
	struct recovery *r = user;
	struct sink *k = r->sink;
	const struct files_ops *ops = k->files->ops;
	void *dir;

	r->good = ops->enter(k, &dir, &r->e);
	if (!r->good)
		return;
	for (size_t n = 0; r->good && n < r->count; n++) {
		struct intent *i = &r->intents[n];

		r->good = ops->place_again(dir, i->place, &r->e);
		i->there = !i->old || ops->has(dir, i->place);
	}
	r->good = r->good && (!r->count || ops->sync_placed(dir, &r->e));
	if (r->good) {
		ops->sweep(dir, k->files->tag, never, NULL);
		ops->sweep(dir, k->files->copies, files_is_named, k->visit);
	}
	ops->leave(k, dir);
}

/* Nothing is delivered there in this visit, since what the ledger says of files on their way
 * cannot be judged; and the other targets are not held up.  Without any, the visit fails. */
static void shut(struct sink *k, const struct err *why)
{
	struct visit *v = k->visit;
	bool others = false;

	k->files->why = *why;
	k->shut = k->files->why.text;
	k->failures = SINK_FAILURES_MAX;
	for (const struct sink *other = v->sinks; other < v->sinks + v->sink_count; other++)
		others = others || !other->shut;
	if (others)
		log_error(&v->tag, "target %s: %s; nothing is tried there in this visit", k->target->name, why->text);
	else
		visit_fail(v, why);
}

static void recover_done(void *user)
{
	struct recovery *r = user;
	struct visit *v = r->sink->visit;
	struct ledger_entry entry;

	v->waiting--;
	if (!r->good)
		shut(r->sink, &r->e);
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

bool files_recover(struct sink *k, struct err *e)
{
	struct recovery *r = calloc(1, sizeof *r);
	bool good = true;

	if (!r)
		return err_set(e, ERR_LOCAL, "out of memory");
	if (k->shut)			/* an earlier attempt of this visit could not use it */
		k->failures = 0;
	k->shut = NULL;
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
