/* SPDX-License-Identifier: Apache-2.0
 * What a running instance tells and does. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/json.h"
#include "control/operation.h"
#include "store/held.h"
#include "store/maildrop.h"

static const char *const state_names[] = { "stopped", "starting", "running", "draining", "failed" };
static_assert(COUNT(state_names) == HOOKS_STATES, "a name for each state");
static const char *const action_names[] = { "start", "stop", "restart" };
static_assert(COUNT(action_names) == HOOKS_ACTIONS, "a name for each action");

static json_t *service_json(const struct hooks_service *s)
{
	return json_pack("{s:o, s:s, s:o, s:o}", "service", json_text(s->name), "state", state_names[s->state], "since", json_moment(s->since),
		"why", json_text(s->why));
}

static json_t *pop3_json(const struct hooks_pop3 *p)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sessions_now", json_number(p->sessions_now),
		"logged_in_now", json_number(p->logged_in_now), "blocked_now", json_number(p->blocked_now), "sessions", json_number(p->sessions),
		"logins", json_number(p->logins), "failed_logins", json_number(p->failed_logins), "denied", json_number(p->denied),
		"messages", json_number(p->messages), "octets", json_number(p->octets), "deleted", json_number(p->deleted));
}

static json_t *services_json(const struct hooks_status *s)
{
	json_t *all = json_array();

	for (size_t n = 0; n < s->service_count; n++)
		(void)json_array_append_new(all, service_json(&s->services[n]));
	return all;
}

static json_t *certificates_json(const struct hooks_status *s)
{
	json_t *all = json_array();

	for (size_t n = 0; n < s->certificate_count; n++)
		(void)json_array_append_new(all, json_pack("{s:o, s:o}", "where", json_text(s->certificates[n].where),
			"not_after", json_moment(s->certificates[n].not_after)));
	return all;
}

static json_t *visits_json(const struct visits_counts *v)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "waiting_now", json_number(v->waiting_now), "running_now",
		json_number(v->running_now), "visits", json_number(v->ended), "failed", json_number(v->failed), "messages",
		json_number(v->messages), "octets", json_number(v->octets), "messages_per_second", json_number(v->per_second));
}

static json_t *held_json(struct store *s)
{
	struct held_sums sums;

	held_sums_of(s, "", &sums);
	return json_pack("{s:o, s:o, s:o}", "waiting", json_number(sums.waiting), "failed", json_number(sums.failed), "octets", json_number(sums.octets));
}

static bool status(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	struct hooks_status s = { 0 };

	if (!call_running(c, h->status, e))
		return false;
	h->status(h->user, &s);
	return call_answer(c, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version", POSTRIDER_VERSION,
		"process", json_number((uint64_t)getpid()), "now", json_moment(clock_now_s()), "started", json_moment(s.started),
		"services", services_json(&s), "pop3", pop3_json(&s.pop3), "collect", visits_json(&s.visits), "certificates", certificates_json(&s),
		"held", held_json(c->api->store)), e);
}

/* How much is in the store, summed up page by page over the mailboxes. */
static bool usage(struct api_call *c, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	uint64_t messages = 0, octets = 0, one, two;
	size_t count = 0;
	struct page p;
	json_t *answer;

	if (!page_start(&p, c, name, sizeof name, e))
		return false;
	json_decref(p.rows);
	for (; count < p.left && mailbox_each(c->api->store, name); count++) {
		if (!maildrop_peek(c->api->store, name, &one, &two, e))
			return false;
		messages += one;
		octets += two;
	}
	answer = json_pack("{s:o, s:o, s:o}", "mailboxes", json_number(count), "messages", json_number(messages), "octets", json_number(octets));
	if (answer && count == p.left)
		(void)json_object_set_new(answer, "next", token_of(span_of(name)));
	return call_answer(c, answer, e);
}

static bool service(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	const char *name = call_text(c, "service"), *action = call_text(c, "action");
	enum hooks_state state = HOOKS_STOPPED;
	unsigned n = 0;

	if (!call_running(c, h->service, e))
		return false;
	while (n < HOOKS_ACTIONS && strcmp(action_names[n], action) != 0)
		n++;
	if (n == HOOKS_ACTIONS)
		return err_set(e, ERR_CONFIG, "action is none of start, stop, restart");
	if (!h->service(h->user, name, (enum hooks_action)n, &state, e))
		return false;
	return call_answer(c, json_pack("{s:o, s:s}", "service", json_text(name), "state", state_names[state]), e);
}

static json_t *session_json(const struct hooks_session *s)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "id", json_number(s->id), "address", json_text(s->address),
		"listener", json_text(s->listener), "account", *s->account ? json_text(s->account) : json_null(), "tls", s->tls,
		"since", json_moment(s->since), "messages", json_number(s->messages), "octets", json_number(s->octets));
}

static bool sessions(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	char cursor[32];
	struct hooks_session *all;
	uint64_t after = 0;
	struct page p;
	size_t count;

	if (!call_running(c, h->sessions, e) || !page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	all = *cursor && !span_number(span_of(cursor), UINT64_MAX, &after) ? NULL : calloc(p.left, sizeof *all);
	if (!all) {
		json_decref(p.rows);
		return err_set(e, ERR_CONFIG, "after is not what an answer's next said");
	}
	count = h->sessions(h->user, after, all, p.left);
	for (size_t n = 0; n < count && page_room(&p); n++) {
		after = all[n].id;
		page_add(&p, session_json(&all[n]));
	}
	free(all);
	(void)snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)after);
	return page_end(&p, cursor, e);
}

static bool reload(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;

	return call_running(c, h->reload, e) && h->reload(h->user, e) && call_answer(c, json_object(), e);
}

static const struct arg args_none[] = { ARGS_END };
static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_service[] = { { "service", ARG_TEXT, true, 64 }, { "action", ARG_TEXT, true, 16 }, ARGS_END };

const struct operation api_services[] = {
	{ .name = "reload", .args = args_none, .run = reload },
	{ .name = "service", .args = args_service, .run = service },
	{ .name = "sessions.list", .quiet = true, .args = args_page, .run = sessions },
	{ .name = "status", .quiet = true, .args = args_none, .run = status },
	{ .name = "store.usage", .quiet = true, .args = args_page, .run = usage },
	{ .name = NULL },
};
