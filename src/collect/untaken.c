/* SPDX-License-Identifier: Apache-2.0
 *
 * What a target did not take.  Deferred: into the held area, and the visit goes on.  Refused: as on_refused says, which is the
 * held area too, as quarantine; or a bounce.  Where a server answered for each recipient, each gets what is its due.
 *
 * Durable first, in a job; then the ledger says so.  Of a message that is deferred for some and refused for others the copy is
 * for both until the refused ones are settled: a crash between asks those once more, and forgets nobody. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/retried.h"
#include "deliver/parting.h"
#include "net/jobs.h"
#include "wire/bounce.h"
#include "wire/header.h"

enum untaken_how {		/* what becomes of those that were refused */
	HOW_QUARANTINE,
	HOW_KEEP,		/* the message stays at the server, and nobody is asked */
	HOW_DROP,
	HOW_RETURN,
};

struct untaken {
	struct visit *visit;
	struct message *message;
	const struct sink *sink;
	struct parting parting;			/* each: ours; NULL: what is said goes for all */
	struct deliver_each *each;
	struct deliver_each *answers;		/* of a server that refused all: what a bounce tells of each; NULL: there are none */
	enum deliver_said said;
	enum untaken_how how;
	const char *return_by;			/* the target of a bounce */
	char why[DELIVER_WHY_MAX + 1];
	struct held_origin origin;
	uint64_t held, quarantined;		/* what the job made; 0: nothing */
	bool gave_up;				/* it waited too long: not tried by itself any more */
	bool good;
	struct err e;
};

static bool any(const struct untaken *u, enum deliver_said said)
{
	return u->each ? parting_count(&u->parting, said) : u->said == said;
}

/* ---- the job */

static bool add(struct untaken *u, enum held_state state, const char *const *recipients, size_t count, uint64_t *id)
{
	struct message *m = u->message;
	struct visit *v = u->visit;
	int64_t now = clock_now_s();
	bool partly = u->each && parting_count(&u->parting, DELIVER_ACCEPTED);
	const struct held_new what = { .account = "", .target = u->sink->target->name,
		.sender = m->retried ? m->retried->info.sender : m->routing.sender ? m->routing.sender : "",
		.recipients = recipients, .recipient_count = count, .why = u->why, .next = deliver_next_try(1, now), .origin = &u->origin,
		.state = state, .most = partly ? UINT64_MAX : v->with->held_max };	/* else those that have it would get it again */

	return held_add(collector_store(v->collector), &what, m->spool, now, id, &u->e);
}

static bool bounce(struct untaken *u, const struct parting *refused)
{
	struct visit *v = u->visit;
	const struct message *m = u->message;
	struct held_origin origin = { 0 };
	const struct held_new what = { .account = "", .origin = &origin };
	const struct bounced b = { .store = collector_store(v->collector), .host = deliver_host(collector_deliveries(v->collector)),
		.target = u->return_by, .sender = m->retried ? m->retried->info.sender : m->routing.sender, .to = v->with->postmaster, .what = &what,
		.connection = v->with->name, .message = m->spool, .arrived = m->first_seen, .whole = true, .parting = *refused };

	memcpy(origin.connection, u->origin.connection, sizeof origin.connection);
	return parting_bounce(&b, &u->e);
}

/* Of a command or a mailbox nobody is named: then it is told of all as one. */
static bool bounce_all(struct untaken *u)
{
	static const char *const nobody[] = { "(the target)" };
	struct deliver_each each = { .said = DELIVER_REFUSED };
	struct deliver_each *all;
	bool good;

	(void)snprintf(each.why, sizeof each.why, "%s", u->why);
	if (u->each)
		return bounce(u, &u->parting);
	if (u->answers)
		return bounce(u, &(struct parting){ u->parting.recipients, u->parting.count, u->answers });
	if (!u->parting.count)
		return bounce(u, &(struct parting){ nobody, 1, &each });
	all = calloc(u->parting.count, sizeof *all);
	if (!all)
		return err_set(&u->e, ERR_LOCAL, "out of memory");
	for (size_t n = 0; n < u->parting.count; n++)
		all[n] = each;
	good = bounce(u, &(struct parting){ u->parting.recipients, u->parting.count, all });
	free(all);
	return good;
}

static bool settle_refused(struct untaken *u)
{
	const char *refused[HELD_RECIPIENTS_MAX];
	size_t count = u->each ? parting_pick(&u->parting, DELIVER_REFUSED, refused) : 0;
	uint64_t copy = u->message->copy;

	switch (u->how) {
	case HOW_KEEP:
	case HOW_DROP:
		return true;
	case HOW_RETURN:
		return bounce_all(u);
	case HOW_QUARANTINE:
		break;
	}
	if (!copy || any(u, DELIVER_DEFERRED))
		return add(u, HELD_QUARANTINED, u->each ? refused : u->parting.recipients, u->each ? count : u->parting.count, &u->quarantined);
	u->quarantined = copy;
	return (!u->each || held_narrow(collector_store(u->visit->collector), copy, refused, count, &u->e)) &&
	       held_quarantine(collector_store(u->visit->collector), copy, u->why, clock_now_s(), &u->e);
}

/* Everybody that was not taken; a copy that there is already stays as it is. */
static bool hold(struct untaken *u)
{
	const char *left[HELD_RECIPIENTS_MAX];
	size_t count;

	u->held = u->message->copy;
	if (u->held || !u->each)
		return u->held || add(u, HELD_WAITING, u->parting.recipients, u->parting.count, &u->held);
	count = parting_pick(&u->parting, DELIVER_DEFERRED, left);
	count += parting_pick(&u->parting, DELIVER_REFUSED, left + count);
	return add(u, HELD_WAITING, left, count, &u->held);
}

static bool narrow(struct untaken *u)
{
	const char *left[HELD_RECIPIENTS_MAX];
	size_t count = u->each ? parting_pick(&u->parting, DELIVER_DEFERRED, left) : 0;

	return !count || count == u->parting.count || held_narrow(collector_store(u->visit->collector), u->held, left, count, &u->e);
}

static bool again_later(struct untaken *u)
{
	return !u->message->retried || retried_later(collector_store(u->visit->collector), u->held, u->why, &u->gave_up, &u->e);
}

static void work(void *user)
{
	struct untaken *u = user;
	bool deferred = any(u, DELIVER_DEFERRED), refused = any(u, DELIVER_REFUSED);

	u->good = (!deferred || hold(u)) && (!refused || settle_refused(u)) && (!deferred || (narrow(u) && again_later(u)));
}

/* ---- and what follows from it */

static void say(const struct untaken *u, const char *what)
{
	char title[MESSAGE_TITLE], id[HELD_ID_TEXT], also[HELD_ID_TEXT + 32] = "";

	message_title(u->visit, u->message, title);
	if (u->held && u->quarantined)
		(void)snprintf(also, sizeof also, "; the rest quarantined as %s", held_id_text(u->quarantined, id));
	log_warn(&u->visit->tag, "%s: target %s: %s; %s%s", title, u->sink->target->name, u->why, what, also);
}

static void say_stored(const struct untaken *u)
{
	char text[HELD_ID_TEXT + 64], id[HELD_ID_TEXT];

	if (u->held)
		(void)snprintf(text, sizeof text, u->gave_up ? "held as %s, and not tried by itself any more" : "held as %s", held_id_text(u->held, id));
	else
		(void)snprintf(text, sizeof text, "quarantined as %s", held_id_text(u->quarantined, id));
	say(u, text);
}

static void refused_over(struct untaken *u)
{
	struct visit *v = u->visit;
	struct message *m = u->message;

	switch (u->how) {
	case HOW_QUARANTINE:
		say_stored(u);
		m->quarantined = true;
		if (m->retried)
			m->retried->stays = true;
		break;
	case HOW_KEEP:
		say(u, "it stays at the server, and is not tried again before postrider retry");
		message_over(v, m, &m->refused);
		return;
	case HOW_DROP:
		say(u, "dropped, as on_refused = delete says");
		m->removal = !u->each;
		m->counted = true;
		break;
	case HOW_RETURN:
		say(u, "returned to the postmaster");
		break;
	}
	message_over(v, m, &m->accepted);
}

static uint64_t look_at_room(struct visit *v)
{
	struct held_sums sums;

	held_sums_of(collector_store(v->collector), v->with->name, &sums);
	v->tight = v->with->held_max && sums.octets >= v->with->held_max - v->with->held_max / 8;
	return sums.octets;
}

void untaken_room(struct visit *v)
{
	(void)look_at_room(v);
}

/* What some recipients have had to be held, room or not; that there is none shows before the next. */
static void stop_if_full(struct visit *v)
{
	uint64_t octets = look_at_room(v);
	struct err e;

	if (!v->with->held_max || octets <= v->with->held_max)
		return;
	(void)err_set(&e, ERR_BUSY, "held area: what is held for this connection has %llu octets: no room for more (held_max %llu)",
		(unsigned long long)octets, (unsigned long long)v->with->held_max);
	visit_no_target(v, &e);
}

static void done(void *user)
{
	struct untaken *u = user;
	struct visit *v = u->visit;
	struct message *m = u->message;

	v->waiting--;
	if (u->good && (u->held || u->quarantined))
		handed_release(v, m);	/* by the copy's recipients it is known who took it; without a copy the ledger must say so first */
	if (!u->good) {
		if (u->e.kind == ERR_BUSY || u->e.kind == ERR_LOCAL)
			visit_no_target(v, &u->e);	/* neither the target nor we can take more */
		message_failed(v, m, &u->e);
	} else if (u->held) {
		say_stored(u);
		stop_if_full(v);
		message_because(m, u->why);
		m->copies[m->turn] = u->held;
		if (m->retried)
			m->retried->stays = true;
		message_over(v, m, &m->held);
	} else {
		message_because(m, u->why);
		refused_over(u);
	}
	free(u->each);
	free(u->answers);
	free(u);
	ledger_flush(v->ledger);
	collector_dirty(v->collector, v);
}

/* ---- its beginning */

/* The first server among the targets: mail comes back the way that mail goes. */
static const char *way_back(const struct visit *v, const struct sink *k)
{
	if (k->target->type == TARGET_SMTP || k->target->type == TARGET_LMTP)
		return k->target->name;
	for (size_t n = 0; n < v->sink_count; n++)
		if (v->sinks[n].target->type == TARGET_SMTP || v->sinks[n].target->type == TARGET_LMTP)
			return v->sinks[n].target->name;
	return NULL;
}

/* The rest of those that it was for; or the server does not have it any more. */
static bool is_left_over(const struct message *m)
{
	const struct retried *r = m->retried;
	struct ledger_entry entry;

	return r && (r->recipient_count != m->routing.recipient_count || !ledger_get(r->ledger, r->id, &entry) || entry.state == LEDGER_GONE);
}

static enum untaken_how how_of(struct untaken *u)
{
	const struct message *m = u->message;
	const char *sender = m->retried ? m->retried->info.sender : m->routing.sender;

	if (m->retried && (retried_loose(m) || m->retried->info.released))
		return HOW_QUARANTINE;	/* a bounce is not bounced; and a person has decided already */
	switch (u->visit->with->on_refused) {
	case REFUSED_QUARANTINE:
		return HOW_QUARANTINE;
	case REFUSED_KEEP:		/* those that have it must not get it again */
		return u->each || is_left_over(m) ? HOW_QUARANTINE : HOW_KEEP;
	case REFUSED_DELETE:
		return HOW_DROP;
	case REFUSED_RETURN:
		u->return_by = way_back(u->visit, u->sink);
		return u->return_by && sender && bounce_allowed(sender) && parting_attaches(m->spool) ? HOW_RETURN : HOW_QUARANTINE;
	}
	return HOW_QUARANTINE;
}

static void settle_origin(struct untaken *u)
{
	const struct message *m = u->message;

	if (m->retried) {
		u->origin = m->retried->info.origin;
		return;
	}
	(void)snprintf(u->origin.connection, sizeof u->origin.connection, "%s", u->visit->with->name);
	(void)snprintf(u->origin.mailbox, sizeof u->origin.mailbox, "%s", ledger_mailbox(m->ledger));
	memcpy(u->origin.id, m->id, sizeof u->origin.id);
	memcpy(u->origin.digest, m->digest, sizeof u->origin.digest);
	message_uid_text(u->visit, m->number, (struct span){ m->uid, m->uid_len }, u->origin.uid);
}

static struct untaken *untaken_new(struct visit *v, struct message *m, enum deliver_said said, const char *why)
{
	struct untaken *u = calloc(1, sizeof *u);

	if (!u)
		abort();	/* as of any small thing of the store's: nobody could be told */
	*u = (struct untaken){ .visit = v, .message = m, .sink = &v->sinks[m->turn], .said = said };
	(void)snprintf(u->why, sizeof u->why, "%s", why);
	if (m->retried)
		u->parting = (struct parting){ m->retried->recipients, m->retried->recipient_count, NULL };
	else
		u->parting = (struct parting){ m->routing.recipients, m->routing.recipient_count, NULL };
	settle_origin(u);
	return u;
}

static void start(struct untaken *u)
{
	struct visit *v = u->visit;
	struct err e;

	assert(u->message->spool);
	v->waiting++;
	if (job_start(collector_loop(v->collector), work, done, u, &e))
		return;
	work(u);
	done(u);
}

/* What each was told; where that is one for all, it is said in a bounce only. */
static void settle_each(struct untaken *u, const struct deliver_each *each)
{
	struct deliver_each *own = parting_copy(each, u->parting.count);

	u->parting.each = u->each = own;
	if (!parting_whole(&u->parting))
		return;
	u->said = own[0].said;
	u->parting.each = u->each = NULL;
	u->answers = own;
}

void message_untaken(struct visit *v, struct message *m, const struct deliver_result *r)
{
	struct untaken *u = untaken_new(v, m, r->said, r->why);

	assert(r->said != DELIVER_ACCEPTED);
	if (r->each && u->parting.count)
		settle_each(u, r->each);
	u->how = how_of(u);
	start(u);
}

void message_deferred(struct visit *v, struct message *m, const char *why)
{
	start(untaken_new(v, m, DELIVER_DEFERRED, why));
}

void message_unrouted(struct visit *v, struct message *m)
{
	struct untaken *u = untaken_new(v, m, DELIVER_REFUSED, m->routing.why);

	switch (m->routing.what) {
	case ENVELOPE_QUARANTINE:
		u->how = HOW_QUARANTINE;
		start(u);
		return;
	case ENVELOPE_HOLD:
		say(u, "it stays at the server, and is not tried again before postrider retry");
		message_because(m, u->why);
		free(u);
		message_over(v, m, &m->held);
		return;
	case ENVELOPE_DELETE:
		say(u, "dropped, as no_recipient = delete says");
		message_because(m, u->why);
		m->removal = m->counted = true;
		free(u);
		message_over(v, m, &m->accepted);
		return;
	case ENVELOPE_DELIVER:
	case ENVELOPE_REFUSED:
		break;
	}
	abort();
}
