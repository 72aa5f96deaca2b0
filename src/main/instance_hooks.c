/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "main/instance_inside.h"

/* ---- what is */

static enum hooks_state pop3_state(const struct instance *i)
{
	if (i->pop3_why.kind != ERR_NONE)
		return HOOKS_FAILED;
	if (!i->serve)
		return HOOKS_STOPPED;
	if (serve_running(i->serve))
		return HOOKS_RUNNING;
	return serve_sessions(i->serve) ? HOOKS_DRAINING : HOOKS_STOPPED;
}

static void tell_pop3(struct instance *i, struct hooks_pop3 *out)
{
	struct admission_counts door;
	struct serve_counts c;

	serve_counts(i->serve, &c);
	admission_counts(serve_admission(i->serve), &door);
	*out = (struct hooks_pop3){ .sessions_now = c.sessions_now, .logged_in_now = c.logged_in_now,
		.blocked_now = (uint64_t)door.blocked_failed + door.blocked_by_hand, .sessions = c.connections, .logins = c.logins,
		.failed_logins = c.failed_logins, .denied = c.refused, .messages = c.messages, .octets = c.octets, .deleted = c.deleted };
}

static enum hooks_state collect_state(const struct instance *i)
{
	if (!i->collect_stopped)
		return HOOKS_RUNNING;
	return i->visits && visits_left(i->visits) ? HOOKS_DRAINING : HOOKS_STOPPED;
}

static void status(void *user, struct hooks_status *s)
{
	struct instance *i = user;
	struct hooks_service *pop3 = &s->services[0];

	s->started = i->started;
	s->service_count = 2;
	pop3->name = "pop3";
	pop3->state = pop3_state(i);
	pop3->since = i->pop3_since ? i->pop3_since : i->started;
	(void)snprintf(pop3->why, sizeof pop3->why, "%.255s", i->pop3_why.kind == ERR_NONE ? "" : i->pop3_why.text);
	s->services[1] = (struct hooks_service){ .name = "collect", .state = collect_state(i), .since = i->collect_since };
	if (i->visits)
		visits_counts(i->visits, &s->visits);
	if (i->serve)
		tell_pop3(i, &s->pop3);
	if (i->certificate_until && i->cli->settings.pop3) {
		s->certificates[0] = (struct hooks_certificate){ i->cli->settings.pop3->certificate, i->certificate_until };
		s->certificate_count = 1;
	}
}

static size_t sessions(void *user, uint64_t after, struct hooks_session *rows, size_t max)
{
	struct instance *i = user;
	struct serve_session *all = calloc(max, sizeof *all);
	size_t count = all && i->serve ? serve_each_session(i->serve, after, all, max) : 0;
	int64_t now = clock_now_s();

	for (size_t n = 0; n < count; n++) {
		const struct serve_session *s = &all[n];

		rows[n] = (struct hooks_session){ .id = s->id, .tls = s->tls, .since = now - (int64_t)(s->age_ms / 1000),
			.messages = s->messages, .octets = s->octets };
		(void)snprintf(rows[n].address, sizeof rows[n].address, "%s", s->peer);
		(void)snprintf(rows[n].account, sizeof rows[n].account, "%s", s->account);
		(void)snprintf(rows[n].listener, sizeof rows[n].listener, "%s", s->listener);
	}
	free(all);
	return count;
}

/* ---- services */

static void stop_pop3(struct instance *i)
{
	if (i->serve)
		serve_stop(i->serve);
	i->pop3_due = false;
	i->pop3_since = clock_now_s();
	i->pop3_why.kind = ERR_NONE;
}

static bool start_pop3(struct instance *i, struct err *e)
{
	if ((i->serve && serve_running(i->serve)) || instance_start_pop3(i, e))
		return true;
	i->pop3_why = *e;
	return false;
}

/* What is stopped gets no further than what a stopped visit does. */
static void switch_collect(struct instance *i, enum hooks_action action)
{
	bool changes = i->collect_stopped != (action == HOOKS_STOP) || action == HOOKS_RESTART;

	if (i->visits && action != HOOKS_START)
		visits_stop_all(i->visits);
	if (changes)
		i->collect_since = clock_now_s();
	i->collect_stopped = action == HOOKS_STOP;
	if (changes && action != HOOKS_STOP)
		instance_schedule_again(i);
}

static bool service(void *user, const char *name, enum hooks_action action, enum hooks_state *state, struct err *e)
{
	struct instance *i = user;
	bool good = true;

	if (strcmp(name, "collect") == 0) {
		switch_collect(i, action);
		*state = collect_state(i);
		return true;
	}
	if (strcmp(name, "console") == 0)
		return err_set(e, ERR_CONFIG, "the service %s is not built yet", name);
	if (strcmp(name, "pop3") != 0)
		return err_set(e, ERR_CONFIG, "there is no service %.100s; there are pop3 and collect", name);
	if (action != HOOKS_STOP && i->drain_until_ms)
		return err_set(e, ERR_BUSY, "the running instance is ending");
	if (action != HOOKS_START)
		stop_pop3(i);
	if (action != HOOKS_STOP)
		good = start_pop3(i, e);
	*state = pop3_state(i);
	return good;
}

/* ---- visits */

static const char *visit_each(void *user, const char *after)
{
	struct visits *v;
	struct err e;

	return instance_visits(user, &v, &e) ? visits_each(v, after) : NULL;
}

static bool visit_may(void *user, const char *name, enum visit_what what, struct err *e)
{
	struct visits *v;

	return instance_visits(user, &v, e) && visits_may(v, name, what, e);
}

static bool visit_start(void *user, const char *name, enum visit_what what, uint64_t *id, struct err *e)
{
	struct instance *i = user;
	struct visits *v;

	if (i->drain_until_ms)
		return err_set(e, ERR_BUSY, "the running instance is ending");
	if (i->collect_stopped && what != VISIT_TEST)
		return err_set(e, ERR_BUSY, "the service collect is stopped; start it: postrider service start collect");
	return instance_visits(i, &v, e) && visits_start(v, name, what, id, e);
}

static void visit_only(void *user, uint64_t id, const char *mailbox)
{
	const struct instance *i = user;

	visits_only(i->visits, id, mailbox);
}

static bool visit_show(void *user, uint64_t id, struct visits_shown *shown)
{
	struct instance *i = user;

	return i->visits && visits_show(i->visits, id, shown);
}

static const struct visit_step *visit_step(void *user, uint64_t id, size_t n)
{
	const struct instance *i = user;

	return i->visits ? visits_step(i->visits, id, n) : NULL;
}

static void visit_stop(void *user, uint64_t id)
{
	struct instance *i = user;

	if (i->visits)
		visits_stop(i->visits, id);
}

static bool schedule_shown(void *user, const char *after, struct schedule_shown *shown)
{
	const struct instance *i = user;
	struct collector_watch watch = { 0 };
	int64_t now = clock_now_s();

	if (!schedule_each(i->schedule, after, now, shown))
		return false;
	if (i->visits)
		(void)visits_watched(i->visits, shown->name, &watch);
	schedule_idle(i->schedule, shown->name, watch.since, watch.heard);
	return schedule_find(i->schedule, shown->name, now, shown);
}

/* ---- tokens */

static bool changing(void *user, const char *connection)
{
	const struct instance *i = user;

	return tokens_changing(i->tokens, connection);
}

static void changed(void *user, const char *connection)
{
	const struct instance *i = user;

	tokens_changed(i->tokens, connection);
}

static int64_t token_expires(void *user, const char *connection)
{
	const struct instance *i = user;
	struct tokens_shown shown;

	tokens_show(i->tokens, connection, &shown);
	return shown.expires;
}

static bool device_start(void *user, const char *connection, uint64_t *id, struct err *e)
{
	const struct instance *i = user;
	const struct connection *with = settings_connection(&i->cli->settings, connection);

	if (i->drain_until_ms)
		return err_set(e, ERR_BUSY, "the running instance is ending");
	if (!with)
		return err_set(e, ERR_CONFIG, "the running instance has no connection %s; reload it", connection);
	return device_logins_start(i->device_logins, with, id, e);
}

static bool device_show(void *user, uint64_t id, struct device_logins_shown *shown)
{
	const struct instance *i = user;

	return device_logins_show(i->device_logins, id, shown);
}

static void device_stop(void *user, uint64_t id)
{
	const struct instance *i = user;

	device_logins_stop(i->device_logins, id);
}

static bool reload(void *user, struct err *e)
{
	return instance_reload(user, e);
}

/* ---- blocks */

static bool blocks(void *user, uint64_t *cursor, struct hooks_block *rows, size_t max, size_t *count)
{
	struct instance *i = user;
	int64_t now = clock_now_s();
	struct admission_block b;

	*count = 0;
	if (!i->serve)
		return false;
	while (*count < max && admission_block_each(serve_admission(i->serve), cursor, clock_mono_ms(), &b)) {
		struct hooks_block *row = &rows[(*count)++];

		*row = (struct hooks_block){ .network = b.network, .since = now - (int64_t)(b.age_ms / 1000),
			.until = b.left_ms ? now + (int64_t)((b.left_ms + 999) / 1000) : 0, .hits = b.hits, .by_hand = b.by == ADMISSION_BY_HAND };
		(void)snprintf(row->why, sizeof row->why, "%s", b.why);
	}
	return true;
}

static bool block_made(void *user, const struct hooks_block *block, struct err *e)
{
	struct instance *i = user;
	struct admission_block b = { .network = block->network };

	if (block->until)		/* keeping it may have taken a while, and none left is for ever */
		b.left_ms = (uint64_t)(block->until - block->since) * 1000;
	(void)snprintf(b.why, sizeof b.why, "%.200s", block->why);
	return !i->serve || admission_block_add(serve_admission(i->serve), &b, clock_mono_ms(), e);
}

static size_t block_ended(void *user, const struct network *network)
{
	struct instance *i = user;

	return i->serve ? admission_block_remove(serve_admission(i->serve), network, clock_mono_ms()) : 0;
}

static void held_retry(void *user)
{
	struct instance *i = user;

	if (i->serve)
		submissions_kick(serve_submissions(i->serve));
}

static void held_kick(void *user, const char *connection)
{
	instance_schedule_held(user, connection);
}

static void trust_changed(void *user)
{
	struct instance *i = user;

	trusting_load(i->cli->store, i->trust);
	if (i->visits)
		visits_distrust(i->visits);
	deliveries_distrust(i->deliveries);
	if (i->serve)
		submissions_distrust(serve_submissions(i->serve));
	instance_schedule_trusted(i);
}

struct api_hooks instance_hooks(struct instance *i)
{
	return (struct api_hooks){ .user = i, .status = status, .service = service, .sessions = sessions, .blocks = blocks,
		.block_add = block_made, .block_remove = block_ended, .visit_each = visit_each, .visit_may = visit_may,
		.visit_start = visit_start, .visit_only = visit_only, .visit_show = visit_show, .visit_step = visit_step,
		.visit_stop = visit_stop, .schedule_each = schedule_shown, .reload = reload, .tokens_changing = changing, .tokens_changed = changed,
		.token_expires = token_expires, .device_start = device_start, .device_show = device_show, .device_stop = device_stop,
		.trust_changed = trust_changed,
		.held_retry = held_retry, .held_kick = held_kick };
}
