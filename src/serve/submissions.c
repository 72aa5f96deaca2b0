/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/parting.h"
#include "serve/submissions_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/says.h"
#include "store/allowance.h"
#include "store/held.h"

/* ---- its end */

void submission_free(struct submission **submission)
{
	struct submission *m = *submission;

	*submission = NULL;
	if (!m)
		return;
	spool_free(&m->message);
	free(m->recipients);
	free(m->each);
	free(m->note);
	deliver_target_put(&m->target);
	free(m);
}

static void tell([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, void *user)
{
	struct submission *m = user;
	const struct submission_answer answer = { m->said, m->why, m->told };

	m->answered(m->user, &answer);
	submission_free(&m);
}

void submission_why(char out[DELIVER_WHY_MAX + 1], const char *why)
{
	(void)snprintf(out, DELIVER_WHY_MAX + 1, "%.*s", DELIVER_WHY_MAX, why);
}

void submission_drop(struct submission *m)
{
	*m->at = m->next;
	if (m->next)
		m->next->at = m->at;
	(void)atomic_fetch_sub(&m->all->waiting, 1);
}

static void end(struct submission *m, enum submission_said said, const char *why)
{
	m->said = said;
	submission_why(m->why, why ? why : "");
	submission_drop(m);
	if (!loops_post(m->all->with.loops, m->index, tell, m))
		submission_free(&m);	/* its loop has ended: nobody waits any more */
}

/* ---- its steps: counted, delivered, held or given back */

static void give_work(void *user)
{
	struct submission *m = user;

	allowance_give(m->all->with.store, m->account, m->now);
}

static void give_done(void *user)
{
	struct submission *m = user;
	char why[sizeof m->why];

	memcpy(why, m->why, sizeof why);
	end(m, m->said, why);
}

/* It was not taken: it does not count. */
static void turn_down(struct submission *m, enum submission_said said, const char *why)
{
	struct err e;

	m->said = said;
	if (why != m->why)
		submission_why(m->why, why);
	if (task_start(m->all->tasks, give_work, give_done, m, &e))
		return;
	give_work(m);
	give_done(m);
}

static void hold_for(struct submission *m, const char *const *recipients, size_t count)
{
	int64_t now = clock_now_s();
	const struct held_new what = { .account = m->account, .target = deliver_target_name(m->target), .sender = m->sender,
		.recipients = recipients, .recipient_count = count, .why = m->why, .next = submissions_first_retry(now) };
	struct err e;

	m->said = SUBMISSION_HELD;
	if (held_add(m->all->with.store, &what, m->message, now, &m->added, &e))
		return;
	m->said = SUBMISSION_FAILED;
	(void)snprintf(m->why + strlen(m->why), sizeof m->why - strlen(m->why), "; %.*s", DELIVER_WHY_MAX, e.text);
}

void submission_hold_work(void *user)
{
	struct submission *m = user;

	hold_for(m, m->recipients, m->recipient_count);
}

/* Some have it: whatever happens now, it is not asked for again. */
static void part_work(void *user)
{
	struct submission *m = user;
	const struct held_new what = { .account = m->account };
	const struct bounced b = { .store = m->all->with.store, .host = deliver_host(m->all->deliveries), .target = deliver_target_name(m->target),
		.sender = m->sender, .to = m->sender, .what = &what, .message = m->message, .arrived = m->now,
		.parting = { m->recipients, m->recipient_count, m->each } };
	const char *deferred[HELD_RECIPIENTS_MAX];
	size_t count = parting_count(&b.parting, DELIVER_DEFERRED);
	struct err e;

	m->said = SUBMISSION_DELIVERED;
	if (count)
		hold_for(m, deferred, parting_pick(&b.parting, DELIVER_DEFERRED, deferred));
	if (m->said != SUBMISSION_FAILED && !parting_bounce(&b, &e))
		log_error(&says_pop, "user \"%s\" is not told that a recipient was refused: %s; %s", m->account, m->why, e.text);
}

static void hold_done(void *user)
{
	struct submission *m = user;

	if (m->each)
		submissions_kick(m->all);	/* the sender is told at once */
	if (m->said == SUBMISSION_HELD || m->said == SUBMISSION_DELIVERED)
		give_done(m);
	else
		turn_down(m, SUBMISSION_FAILED, m->why);
}

static void part(struct submission *m, const struct deliver_result *r)
{
	struct err e;

	m->delivering = false;
	m->each = parting_copy(r->each, m->recipient_count);
	submission_why(m->why, r->why);
	if (task_start(m->all->tasks, part_work, hold_done, m, &e))
		return;
	part_work(m);
	hold_done(m);
}

static void hold(struct submission *m)
{
	struct err e;

	if (!task_start(m->all->tasks, submission_hold_work, hold_done, m, &e))
		turn_down(m, SUBMISSION_FAILED, e.text);
}

void submission_fared(struct submission *m, enum deliver_said said, const char *why)
{
	m->delivering = false;
	switch (said) {
	case DELIVER_ACCEPTED:
		end(m, SUBMISSION_DELIVERED, NULL);
		return;
	case DELIVER_REFUSED:
		turn_down(m, SUBMISSION_REFUSED, why);
		return;
	case DELIVER_DEFERRED:
		submission_why(m->why, why);
		hold(m);
		return;
	}
}

static void delivered(void *user, const struct deliver_result *r)
{
	struct submission *m = user;

	submissions_seen(m->all, m->target, r);
	(void)snprintf(m->told, sizeof m->told, "%s", r->told);
	if (submissions_late(m, r))
		return;
	if (r->each && !parting_whole(&(struct parting){ m->recipients, m->recipient_count, r->each }))
		part(m, r);
	else
		submission_fared(m, r->said, r->why);
}

static void count_work(void *user)
{
	struct submission *m = user;
	struct err e;

	m->counted = allowance_take(m->all->with.store, m->account, m->limit, m->now, &e);
	if (m->counted)
		return;
	m->said = e.kind == ERR_BUSY ? SUBMISSION_OVER_LIMIT : SUBMISSION_FAILED;
	submission_why(m->why, e.text);
}

static void count_done(void *user)
{
	struct submission *m = user;

	if (!m->counted) {
		give_done(m);
		return;
	}
	if (submissions_no_wait(m)) {
		hold(m);
		return;
	}
	submissions_wait_for(m);
	m->facts[0] = (struct deliver_fact){ "SOURCE", "submission" };
	m->facts[1] = (struct deliver_fact){ "ACCOUNT", m->account };
	m->facts[2] = (struct deliver_fact){ "PEER", m->peer };
	deliver(m->all->deliveries, &(struct deliver_ask){ .target = m->target, .message = m->message, .sender = m->sender,
		.recipients = m->recipients, .recipient_count = m->recipient_count, .facts = m->facts, .fact_count = COUNT(m->facts),
		.done = delivered, .user = m });
}

static void begin(struct submissions *s, struct submission *m)
{
	struct err e;

	m->next = s->first;
	m->at = &s->first;
	if (m->next)
		m->next->at = &m->next;
	s->first = m;
	m->now = clock_now_s();
	if (!task_start(s->tasks, count_work, count_done, m, &e))
		end(m, SUBMISSION_FAILED, e.text);
}

static void on_wake(void *user)
{
	struct submissions *s = user;
	struct submission *all;

	(void)pthread_mutex_lock(&s->lock);
	all = s->asked;
	s->asked = NULL;
	s->last = &s->asked;
	(void)pthread_mutex_unlock(&s->lock);
	while (all) {
		struct submission *m = all;

		all = m->next;
		begin(s, m);
	}
}

void submissions_ask(struct submissions *s, struct submission *m)
{
	m->all = s;
	m->next = NULL;
	m->asked_ms = clock_mono_ms();
	(void)atomic_fetch_add(&s->waiting, 1);
	(void)pthread_mutex_lock(&s->lock);
	*s->last = m;
	s->last = &m->next;
	(void)pthread_mutex_unlock(&s->lock);
	wake_send(s->wake);
}

/* ---- the whole */

struct deliver_target *submissions_target(const struct submissions *s, const char *name)
{
	for (size_t n = 0; n < s->target_count; n++)
		if (strcmp(deliver_target_name(s->targets[n]), name) == 0)
			return s->targets[n];
	return NULL;
}

static void put_targets(struct deliver_target **targets, size_t count)
{
	for (size_t n = 0; targets && n < count; n++)
		deliver_target_put(&targets[n]);
	free(targets);
}

bool submissions_reload(struct submissions *s, const struct settings *settings, struct err *e)
{
	struct deliver_target **all = calloc(settings->target_count + 1, sizeof(struct deliver_target *));
	uint8_t *hung = calloc(settings->target_count + 1, 1);
	size_t count = 0;

	if (!all || !hung) {
		free(all);
		free(hung);
		return err_set(e, ERR_LOCAL, "out of memory");
	}
	for (size_t n = 0; n < settings->target_count; n++) {
		if (!deliver_serves(settings->targets[n]))
			continue;
		all[count] = deliver_target_new(settings->targets[n], e);
		if (!all[count]) {
			put_targets(all, count);
			free(hung);
			return false;
		}
		count++;
	}
	put_targets(s->targets, s->target_count);
	free(s->hung);
	s->targets = all;
	s->hung = hung;
	s->target_count = count;
	return true;
}

static bool make(struct submissions *s, const struct settings *settings, struct err *e)
{
	const struct deliveries_with with = { .loop = s->with.home, .store = s->with.store, .contexts = s->with.contexts, .tickets = s->with.tickets,
		.keep = submissions_keep, .user = s };

	s->deliveries = deliveries_new(&with, e);
	s->tasks = s->deliveries ? tasks_new(s->with.home, e) : NULL;
	s->wake = s->tasks ? wake_new(s->with.home, on_wake, s, e) : NULL;
	if (!s->wake)
		return false;
	s->timer = timer_new(s->with.home, submissions_look, s);
	s->patience = s->timer ? timer_new(s->with.home, submissions_patience, s) : NULL;
	s->patience_ms = SUBMISSIONS_PATIENCE_MS;
	if (!s->patience)
		return err_set(e, ERR_LOCAL, "out of memory");
	return submissions_reload(s, settings, e);
}

struct submissions *submissions_new(const struct submissions_with *with, const struct settings *settings, struct err *e)
{
	struct submissions *s = calloc(1, sizeof *s);

	if (!s) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	s->with = *with;
	(void)pthread_mutex_init(&s->lock, NULL);
	s->last = &s->asked;
	if (!make(s, settings, e))
		submissions_free(&s);
	return s;
}

void submissions_kick(struct submissions *s)
{
	s->walked = 0;
	s->walk_at = 0;
	if (s->running)
		timer_set(s->timer, 0, SUBMISSIONS_LOOK_MS);
}

void submissions_run(struct submissions *s, bool on)
{
	s->running = on;
	if (on)
		submissions_kick(s);
	else
		timer_stop(s->timer);
}

void submissions_answered(struct submissions *s, const struct store_done *done)
{
	deliveries_answered(s->deliveries, done);
}

void submissions_turn(struct submissions *s)
{
	deliveries_turn(s->deliveries);
}

size_t submissions_waiting(struct submissions *s)
{
	return atomic_load(&s->waiting);
}

void submissions_distrust(struct submissions *s)
{
	deliveries_distrust(s->deliveries);
}

void submissions_hurry(struct submissions *s)
{
	deliveries_hurry(s->deliveries);
}

void submissions_free(struct submissions **submissions)
{
	struct submissions *s = *submissions;

	*submissions = NULL;
	if (!s)
		return;
	tasks_free(&s->tasks);
	deliveries_free(&s->deliveries);
	submissions_end_tries(s);
	*s->last = s->first;		/* those that were not begun, and those that were */
	while (s->asked) {
		struct submission *m = s->asked;

		s->asked = m->next;
		submission_free(&m);
	}
	if (s->wake)
		wake_free(&s->wake);
	if (s->timer)
		timer_free(&s->timer);
	if (s->patience)
		timer_free(&s->patience);
	free(s->hung);
	put_targets(s->targets, s->target_count);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}
