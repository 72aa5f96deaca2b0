/* SPDX-License-Identifier: Apache-2.0
 *
 * In place of deliver/: a program, and a server with recipients, that take what is handed over, take some of it, defer it,
 * refuse it, hang, or take it and their answer is lost; as the seed says, in virtual time.  What they took is theirs: they
 * are other machines, so no crash of ours makes them forget (sim.h's tallies).  Whom they refuse for good they always refuse. */
#include "deliver/folder_files.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

enum { SECOND_US = 1000000, HANG_S = 60, TEXT_MAX = 1 << 18, PERCENT = 100 };

struct deliver_target {
	const struct target *with;
	enum aim aim;
};

enum fate { FATE_ANSWERS, FATE_DOWN, FATE_HANGS, FATE_LOST };

struct handed {
	struct handed *next;
	struct deliver_ask ask;
	enum aim aim;
	uint32_t mail;
	bool begun, reached, over;
	enum fate fate;
	struct deliver_each each[RECIPIENTS];
	const char *why;		/* it did not begin */
};

/* Its acceptance is not durable with us yet: another one would double, too (deliver.h, `holds`). */
struct unreleased {
	struct unreleased *next;
	const void *user;
	enum aim aim;
	bool took;			/* the place is not another's before */
};

struct deliveries {
	struct unreleased *unreleased;
	struct handed *first, **last;	/* all that are not over */
	uint32_t running[AIMS];
};

static struct deliveries all;

struct deliveries *deliver_new(void)
{
	all = (struct deliveries){ .last = &all.first };
	return &all;
}

/* ---- targets */

struct deliver_target *deliver_target_new(const struct target *t, struct err *e)
{
	struct deliver_target *new = calloc(1, sizeof *new);

	(void)e;
	assert(new);
	*new = (struct deliver_target){ t, plan_aim(t->name) };
	return new;
}

struct deliver_target *deliver_target_keep(struct deliver_target *t)
{
	return t;
}

void deliver_target_put(struct deliver_target **t)
{
	*t = NULL;		/* freed with the life */
}

const char *deliver_host(const struct deliveries *d)
{
	(void)d;
	return "sim";
}

/* ---- what they say */

static uint32_t recipients_of(const struct handed *h)
{
	return h->aim == AIM_SERVER ? (uint32_t)h->ask.recipient_count : 1;
}

static uint32_t recipient(const struct handed *h, uint32_t n)
{
	return h->aim == AIM_SERVER ? plan_recipient(h->ask.recipients[n]) : 0;
}

static struct tally *tally_of(const struct handed *h, uint32_t n)
{
	return &world->tallies[h->aim][recipient(h, n)][h->mail];
}

static bool refuses_for_good(const struct handed *h, uint32_t n)
{
	uint64_t what = mixed(mixed(world->seed + (uint64_t)h->aim) + recipient(h, n));

	return mixed(what + h->mail) % PERCENT < world->plan.refuse_percent;
}

static enum deliver_said judged(const struct handed *h, uint32_t n)
{
	if (refuses_for_good(h, n))
		return DELIVER_REFUSED;
	if (world->calm || !percent(world->plan.moody_percent))
		return DELIVER_ACCEPTED;
	return one_in(3) ? DELIVER_REFUSED : DELIVER_DEFERRED;
}

static bool add_text(void *user, struct span octets)
{
	struct span *text = user;

	assert(text->len + octets.len <= TEXT_MAX);
	memcpy((char *)text->at + text->len, octets.at, octets.len);
	text->len += octets.len;
	return true;
}

/* What stands before the message in its lead is not looked at, but for being read. */
static uint32_t mail_of(const struct handed *h)
{
	static char octets[TEXT_MAX];
	struct span text = { octets, 0 };
	struct err e;

	if (!spool_read(h->ask.message, add_text, &text, &e))
		violation("what is handed over cannot be read: %s", e.text);
	return oracle_recognized(text, plan_names[h->aim]);
}

/* From now on it has it, and knows nobody who could take it back. */
static void take(struct handed *h, uint32_t n, bool unknown)
{
	struct tally *t = tally_of(h, n);

	if (world->acceptance_count == TAKEN_MAX)
		violation("the %s has taken %d messages", plan_names[h->aim], TAKEN_MAX);
	world->acceptances[world->acceptance_count++] = (struct taken){ h->aim, recipient(h, n), h->mail, world->visits, unknown };
	t->taken++;
	t->again += unknown;
	world->handed++;
	world->doubled += unknown;
	told("%s: takes message %u for %u%s", plan_names[h->aim], h->mail, recipient(h, n), unknown ? ", and nobody will know" : "");
}

/* ---- a delivery's steps */

static void start(enum aim aim);

static void unlink_handed(struct handed *h)
{
	struct handed **at = &all.first;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	if (!h->next)
		all.last = at;
}

static void settle_each(const struct handed *h, struct deliver_result *r)
{
	uint32_t count = recipients_of(h), accepted = 0, deferred = 0;

	for (uint32_t n = 0; n < count; n++) {
		accepted += h->each[n].said == DELIVER_ACCEPTED;
		deferred += h->each[n].said == DELIVER_DEFERRED;
	}
	if (!count)
		r->why = "it is for nobody (simulated)";
	r->said = deferred ? DELIVER_DEFERRED : count && accepted == count ? DELIVER_ACCEPTED : DELIVER_REFUSED;
	r->answered = true;
	if (r->said == DELIVER_ACCEPTED)
		r->why = "";
	if (h->aim == AIM_SERVER && (one_in(2) || (accepted && accepted < count) || (deferred && deferred < count)))
		r->each = h->each;
}

/* Its place is the next one's, unless something was accepted: then when that is released. */
static void let_go(const struct handed *h)
{
	struct unreleased *u = calloc(1, sizeof *u);
	bool took = false;

	assert(u);
	for (uint32_t n = 0; n < recipients_of(h) && h->fate == FATE_ANSWERS && h->reached; n++)
		took = took || h->each[n].said == DELIVER_ACCEPTED;
	took = took && h->ask.holds && !h->why;
	if (!took && !h->why)
		all.running[h->aim]--;
	*u = (struct unreleased){ all.unreleased, h->ask.user, h->aim, took };
	if (h->ask.holds)
		all.unreleased = u;
}

static void end(struct handed *h)
{
	struct deliver_result r = { .said = DELIVER_DEFERRED, .why = "it says so (simulated)", .told = "" };
	enum aim aim = h->aim;

	h->over = true;
	unlink_handed(h);
	if (h->why) {
		r.why = h->why;
	} else {
		r.down = h->fate == FATE_DOWN;
		r.hung = h->fate == FATE_HANGS;
		if (h->fate == FATE_ANSWERS)
			settle_each(h, &r);
		else
			r.why = "there is no answer (simulated)";
	}
	told("%s: message %u is %s", plan_names[aim], h->mail, r.said == DELIVER_ACCEPTED ? "accepted" : r.said == DELIVER_REFUSED ? "refused" :
		"deferred");
	loop_hold(-1);
	let_go(h);
	h->ask.done(h->ask.user, &r);
	start(aim);
}

static void on_end(void *user)
{
	struct handed *h = user;

	if (!h->over)
		end(h);
}

static void judge(struct handed *h)
{
	for (uint32_t n = 0; n < recipients_of(h); n++) {
		enum deliver_said said = judged(h, n);

		h->each[n] = (struct deliver_each){ .said = said };
		if (said != DELIVER_ACCEPTED)
			(void)snprintf(h->each[n].why, sizeof h->each[n].why, "not %u (simulated)", recipient(h, n));
		tally_of(h, n)->refused += said == DELIVER_REFUSED && h->fate == FATE_ANSWERS;
		if (said == DELIVER_ACCEPTED)
			take(h, n, h->fate != FATE_ANSWERS);
	}
}

static void choose_fate(struct handed *h)
{
	h->fate = FATE_ANSWERS;
	if (!fault(8))
		return;
	h->fate = one_in(3) ? FATE_HANGS : one_in(2) ? FATE_LOST : FATE_DOWN;
}

/* The message is there. */
static void on_reached(void *user)
{
	struct handed *h = user;

	if (h->over)
		return;
	deed();
	choose_fate(h);
	if (h->fate == FATE_ANSWERS || h->fate == FATE_LOST || (h->fate == FATE_HANGS && one_in(3)))
		judge(h);
	h->reached = true;
	deed();
	event_at(h->fate == FATE_HANGS ? (uint64_t)HANG_S * SECOND_US : log_below(3 * SECOND_US), on_end, h);
}

/* In the order in which they came, as many at once as the plan says. */
static void start(enum aim aim)
{
	for (struct handed *h = all.first; h && all.running[aim] < world->plan.parallel; h = h->next) {
		if (h->aim != aim || h->begun || h->why)
			continue;
		h->begun = true;
		all.running[aim]++;
		event_at(log_below(2 * SECOND_US), on_reached, h);
	}
}

void deliver(struct deliveries *d, const struct deliver_ask *ask)
{
	struct handed *h = calloc(1, sizeof *h);

	assert(h && ask->done);
	*h = (struct handed){ .ask = *ask, .aim = ask->target->aim };
	h->mail = mail_of(h);
	if (h->aim == AIM_SERVER && (ask->recipient_count > world->plan.recipients || (!ask->recipient_count && !world->mails[h->mail].lost)))
		violation("message %u is handed over for %zu recipients", h->mail, ask->recipient_count);
	*d->last = h;
	d->last = &h->next;
	loop_hold(1);
	start(h->aim);
}

bool deliver_unless_begun(struct deliveries *d, const void *user, const char *why)
{
	struct handed *h = d->first;

	while (h && h->ask.user != user)
		h = h->next;
	if (!h)
		violation("a delivery that is over is not to begin");
	if (h->begun)
		return false;
	if (!h->why)
		event_at(log_below(1000), on_end, h);
	h->why = why;
	return true;
}

/* They have it, and we hang up before they can say so. */
static void lose_answer(struct handed *h)
{
	h->fate = FATE_LOST;
	for (uint32_t n = 0; n < recipients_of(h); n++)
		if (h->each[n].said == DELIVER_ACCEPTED) {
			tally_of(h, n)->again++;
			world->doubled++;
		}
}

void deliver_release(struct deliveries *d, const void *user)
{
	struct unreleased **at = &d->unreleased, *u;

	while (*at && (*at)->user != user)
		at = &(*at)->next;
	u = *at;
	if (!u)
		violation("what is released was not handed over, or was released before");
	*at = u->next;
	if (u->took) {
		d->running[u->aim]--;
		start(u->aim);
	}
	free(u);
}

void deliveries_hurry(struct deliveries *d)
{
	for (struct handed *h = d->first; h; h = h->next) {
		if (!h->begun)
			h->why = "we end (simulated)";
		else if (!h->reached)
			h->fate = FATE_DOWN;
		else if (h->fate == FATE_ANSWERS)
			lose_answer(h);
		event_at(log_below(1000), on_end, h);
	}
}

/* What is on its way to them may come in, and nobody hears the answer. */
void deliver_crash(void)
{
	for (struct handed *h = all.first; h; h = h->next) {
		if (!h->begun || h->reached || h->over || one_in(2))
			continue;
		for (uint32_t n = 0; n < recipients_of(h); n++)
			if (judged(h, n) == DELIVER_ACCEPTED)
				take(h, n, false);	/* oracle_outstanding says what of this is not known */
	}
}

bool folder_files_write(struct folder *f, const struct deliver_ask *ask, const char *state, const uint8_t tag[8],
	char name[MAILDIR_NAME_MAX], struct err *e)
{
	(void)f;
	(void)ask;
	(void)state;
	(void)tag;
	(void)name;
	return err_set(e, ERR_CONFIG, "there are no folders here");
}
