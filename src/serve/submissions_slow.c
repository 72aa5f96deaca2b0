/* SPDX-License-Identifier: Apache-2.0
 *
 * Targets that take their time: how long clients wait for them, and what of a message that runs on after that.
 *
 * Such a message is in two places: it is held (durable), and it is delivered.  The submission stays until the delivery
 * has ended, and is what keeps the held one from being tried; its outcome is then written as that of a try. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "serve/submissions_inside.h"

enum { TICK_MS = 500 };

struct submission_note {		/* for the loop of who asked; the submission stays here */
	void (*answered)(void *user, const struct submission_answer *answer);
	void *user;
	char why[DELIVER_WHY_MAX + 1];
};

/* ---- what is known of a target */

/* NULL: it is not in the configuration any more. */
static uint8_t *hung_of(struct submissions *s, const struct deliver_target *t)
{
	for (size_t n = 0; t && n < s->target_count; n++)
		if (strcmp(deliver_target_name(s->targets[n]), deliver_target_name(t)) == 0)
			return &s->hung[n];
	return NULL;
}

static void one_hung(struct submissions *s, const struct deliver_target *t)
{
	uint8_t *hung = hung_of(s, t);

	if (hung && *hung < SUBMISSIONS_HUNG)
		++*hung;
}

void submissions_seen(struct submissions *s, const struct deliver_target *t, const struct deliver_result *r)
{
	uint8_t *hung = hung_of(s, t);

	if (r->hung)
		one_hung(s, t);
	else if (hung && r->answered)
		*hung = 0;
}

static size_t queue_of(const struct submissions *s, const struct deliver_target *t)
{
	size_t count = 0;

	for (const struct submission *m = s->first; m; m = m->next)
		count += m->delivering && strcmp(deliver_target_name(m->target), deliver_target_name(t)) == 0;
	return count;
}

bool submissions_no_wait(struct submission *m)
{
	const uint8_t *hung = hung_of(m->all, m->target);

	if (!deliver_target_queues(m->target))
		return false;
	if (hung && *hung >= SUBMISSIONS_HUNG)
		submission_why(m->why, "it was not tried: the last attempts with this target all hung");
	else if (queue_of(m->all, m->target) >= SUBMISSIONS_QUEUE)
		submission_why(m->why, "it was not tried: too many wait for this target");
	else
		return false;
	return true;
}

/* ---- who waits */

void submissions_wait_for(struct submission *m)
{
	struct submissions *s = m->all;

	m->delivering = true;
	if (s->ticking || !deliver_target_queues(m->target))
		return;
	s->ticking = true;
	timer_set(s->patience, TICK_MS, TICK_MS);
}

static void tell([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, void *user)
{
	struct submission_note *note = user;
	const struct submission_answer answer = { SUBMISSION_HELD, note->why, "" };

	note->answered(note->user, &answer);
	free(note);
}

static void post(struct submission *m)
{
	struct submission_note *note = m->note;

	m->note = NULL;
	submission_why(note->why, m->why);
	if (!loops_post(m->all->with.loops, m->index, tell, note))
		free(note);
}

/* Both are over: the delivery, and that it came to be held. */
static void settle(struct submission *m)
{
	if (m->outcome != DELIVER_DEFERRED)
		submissions_settle(m->all, m->held_id, m->outcome, m->outcome_why);
	submission_drop(m);
	submission_free(&m);
}

static void adopted(void *user)
{
	struct submission *m = user;
	struct submissions *s = m->all;

	s->adopting--;
	if (m->said == SUBMISSION_HELD) {
		m->held_id = m->added;
		post(m);
		if (m->ended)
			settle(m);
	} else {		/* there is no room: so its client waits on */
		free(m->note);
		m->note = NULL;
		m->late = false;
		m->asked_ms = clock_mono_ms();
		if (m->ended)
			submission_fared(m, m->outcome, m->outcome_why);
	}
	if (s->running)
		submissions_look(s);
}

/* It runs, and its client has waited for long enough.  (No memory: at the next tick.) */
static void adopt(struct submission *m)
{
	struct submissions *s = m->all;
	struct err e;

	m->note = calloc(1, sizeof *m->note);
	if (!m->note)
		return;
	*m->note = (struct submission_note){ .answered = m->answered, .user = m->user };
	(void)snprintf(m->why, sizeof m->why, "no answer within %llu s, the program runs on", (unsigned long long)s->patience_ms / 1000);
	if (!task_start(s->tasks, submission_hold_work, adopted, m, &e)) {
		free(m->note);
		m->note = NULL;
		return;
	}
	m->late = true;
	s->adopting++;
	one_hung(s, m->target);
}

bool submissions_late(struct submission *m, const struct deliver_result *r)
{
	if (!m->late)
		return false;
	m->delivering = false;
	m->ended = true;
	m->outcome = r->said;
	submission_why(m->outcome_why, r->why);
	if (m->held_id)
		settle(m);
	return true;
}

void submissions_patience(void *user)
{
	struct submissions *s = user;
	uint64_t now = clock_mono_ms();
	bool any = false;

	for (struct submission *m = s->first; m; m = m->next) {
		if (!m->delivering || m->late || !deliver_target_queues(m->target))
			continue;
		any = true;
		if (now - m->asked_ms >= s->patience_ms && !deliver_unless_begun(s->deliveries, m, "its turn did not come in time"))
			adopt(m);
	}
	if (any)
		return;
	s->ticking = false;
	timer_stop(s->patience);
}
