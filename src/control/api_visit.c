/* SPDX-License-Identifier: Apache-2.0
 * Operations on the visits of a running instance: begun here, asked for by their ids, stopped. */
#include <assert.h>
#include <stdio.h>

#include "control/json.h"
#include "control/operation.h"

enum { NAMES_MAX = 4000 };

static const char *const state_names[] = { "waiting", "running", "ended" };
static_assert(COUNT(state_names) == VISITS_STATES, "a name for each state");
static const char *const what_names[] = { "collect", "baseline", "test", "retry" };
static_assert(COUNT(what_names) == VISIT_RETRY + 1, "a name for each kind");

static bool what_of(const struct api_call *c, enum visit_what *what, struct err *e)
{
	const char *name = call_text(c, "what");

	*what = VISIT_COLLECT;
	while (name && *what < VISIT_RETRY && strcmp(name, what_names[*what]) != 0)
		++*what;
	return *what < VISIT_RETRY || err_set(e, ERR_CONFIG, "what is none of collect, baseline, test");
}

/* Else it could not be said where a page goes on. */
static bool names_once(const json_t *names, struct err *e)
{
	json_t *seen = json_object();
	bool good = true;
	const json_t *one;
	size_t n;

	json_array_foreach(names, n, one) {
		if (good && json_object_get(seen, json_string_value(one)))
			good = err_set(e, ERR_CONFIG, "names has %s twice", json_string_value(one));
		(void)json_object_set_new(seen, json_string_value(one), json_true());
	}
	json_decref(seen);
	return good;
}

/* All names are good before the first visit begins. */
static bool names_good(const struct api_call *c, const json_t *names, enum visit_what what, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	const json_t *one;
	size_t n;

	json_array_foreach(names, n, one)
		if (!h->visit_may(h->user, json_string_value(one), what, e))
			return false;
	return json_array_size(names) || h->visit_each(h->user, NULL) ||
	       err_set(e, ERR_CONFIG, "the running instance's configuration has no enabled connection");
}

/* The name behind `after` ("": the first), of those that were given, else of all that are enabled; NULL: no more. */
static const char *next_name(const struct api_call *c, const json_t *names, const char *after)
{
	const struct api_hooks *h = &c->api->hooks;
	const json_t *one;
	bool behind = !*after;
	size_t n;

	if (!json_array_size(names))
		return h->visit_each(h->user, *after ? after : NULL);
	json_array_foreach(names, n, one) {
		if (behind)
			return json_string_value(one);
		behind = strcmp(json_string_value(one), after) == 0;
	}
	return NULL;
}

static json_t *started_json(const struct api_call *c, const char *name, enum visit_what what)
{
	const struct api_hooks *h = &c->api->hooks;
	struct err why = { .kind = ERR_NONE };
	uint64_t id;
	bool good = h->visit_start(h->user, name, what, &id, &why);

	if (good && call_has(c, "mailbox"))
		h->visit_only(h->user, id, call_text(c, "mailbox"));
	return json_pack("{s:o, s:o, s:s, s:o}", "connection", json_text(name), "visit", good ? json_number(id) : json_null(),
		"error_kind", err_kind_name(good ? ERR_NONE : why.kind), "error", json_text(good ? "" : why.text));
}

/* A list whose rows begin something: with `after` it goes on behind what the page before began. */
static bool start(struct api_call *c, struct err *e)
{
	const json_t *names = json_object_get(c->args, "names");
	const struct api_hooks *h = &c->api->hooks;
	char cursor[4 * SETTINGS_NAME_MAX + 1];
	enum visit_what what;
	const char *name;
	struct page p;

	if (!call_running(c, h->visit_start, e) || !what_of(c, &what, e) || !names_once(names, e))
		return false;
	if (call_has(c, "mailbox") && (what != VISIT_BASELINE || json_array_size(names) != 1))
		return err_set(e, ERR_CONFIG, "mailbox goes with the baseline of one connection");
	if (!call_has(c, "after") && !names_good(c, names, what, e))
		return false;
	if (!page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	while (page_room(&p) && (name = next_name(c, names, cursor))) {
		page_add(&p, started_json(c, name, what));
		(void)snprintf(cursor, sizeof cursor, "%s", name);
	}
	return page_end(&p, cursor, e);
}

static json_t *visit_json(const struct visits_shown *v)
{
	const struct visit_result *r = &v->result;

	return json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "visit", json_number(v->id),
		"connection", json_text(v->connection), "what", what_names[v->what], "state", state_names[v->state], "phase", v->phase,
		"since", json_moment(v->since), "planned", json_number(r->planned), "planned_octets", json_number(r->planned_octets),
		"collected", json_number(r->collected), "skipped", json_number(r->skipped), "held", json_number(r->held),
		"failed", json_number(r->failed), "octets", json_number(r->octets), "ms", json_number(r->ms),
		"error_kind", err_kind_name(r->why.kind), "error", json_text(r->why.kind ? r->why.text : ""));
}

/* Of one that is not known (any more) only its id and that; the page may end early, and then `given` says how many are in it. */
static bool progress(struct api_call *c, struct err *e)
{
	const json_t *ids = json_object_get(c->args, "ids"), *one;
	const struct api_hooks *h = &c->api->hooks;
	struct visits_shown shown;
	char cursor[2];
	struct page p;
	size_t n;

	if (!call_running(c, h->visit_show, e) || !page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	json_array_foreach(ids, n, one) {
		uint64_t id = (uint64_t)json_integer_value(one);

		if (!page_room(&p))
			break;
		page_add(&p, h->visit_show(h->user, id, &shown) ? visit_json(&shown) :
			json_pack("{s:o, s:s}", "visit", json_number(id), "state", "unknown"));
	}
	return call_answer(c, p.rows ? json_pack("{s:o, s:o}", "rows", p.rows, "given", json_number(n)) : NULL, e);
}

static json_t *mechs_json(const struct visit_step *s)
{
	json_t *all = s->what == STEP_LOGIN ? json_array() : json_null();

	for (size_t n = 0; n < s->mech_count; n++)
		(void)json_array_append_new(all, json_pack("{s:s, s:s, s:o}", "mechanism", s->mechs[n].name, "reason", s->mechs[n].reason,
			"detail", json_text(s->mechs[n].text)));
	return all;
}

json_t *api_step(const char *connection, const struct visit_step *s)
{
	return json_pack("{s:o, s:s, s:b, s:o, s:o, s:s, s:o, s:o}", "connection", json_text(connection), "step", visit_step_name(s->what), "ok", s->good,
		"detail", s->good ? json_text(s->text) : json_null(), "reason", s->good ? json_null() : json_text(s->text),
		"error_kind", err_kind_name(s->kind), "ms", json_number(s->ms), "mechanisms", mechs_json(s));
}

/* Of a test, those from number `from` on that fit; more may have come when its state says that it has not ended. */
static bool steps(struct api_call *c, struct err *e)
{
	uint64_t id = call_number(c, "visit", 0), from = call_number(c, "from", 0);
	const struct api_hooks *h = &c->api->hooks;
	const struct visit_step *s;
	struct visits_shown shown;
	char cursor[2];
	struct page p;
	bool known;

	if (!call_running(c, h->visit_step, e) || !page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	known = h->visit_show(h->user, id, &shown);
	while (known && page_room(&p) && (s = h->visit_step(h->user, id, (size_t)from))) {
		page_add(&p, api_step(shown.connection, s));
		from++;
	}
	return call_answer(c, p.rows ? json_pack("{s:o, s:o, s:s, s:b}", "rows", p.rows, "from", json_number(from),
		"state", !known ? "unknown" : state_names[shown.state], "more", known && h->visit_step(h->user, id, (size_t)from) != NULL) : NULL, e);
}

static bool stop(struct api_call *c, struct err *e)
{
	const json_t *ids = json_object_get(c->args, "ids"), *one;
	const struct api_hooks *h = &c->api->hooks;
	struct visits_shown shown;
	uint64_t count = 0;
	size_t n;

	if (!call_running(c, h->visit_stop, e))
		return false;
	json_array_foreach(ids, n, one) {
		uint64_t id = (uint64_t)json_integer_value(one);

		if (!h->visit_show(h->user, id, &shown) || shown.state == VISITS_ENDED)
			continue;
		h->visit_stop(h->user, id);
		count++;
	}
	return call_answer(c, json_pack("{s:o}", "stopping", json_number(count)), e);
}

static const struct arg args_start[] = { { "names", ARG_TEXTS, false, NAMES_MAX }, { "what", ARG_TEXT, false, 16 },
	{ "mailbox", ARG_TEXT, false, 1024 }, ARGS_PAGE, ARGS_END };
static const struct arg args_ids[] = { { "ids", ARG_NUMBERS, true, API_ROWS_MAX }, ARGS_END };

static const struct arg args_steps[] = { { "visit", ARG_NUMBER, true, INT64_MAX }, { "from", ARG_NUMBER, false, INT32_MAX }, ARGS_END };

const struct operation api_visits[] = {
	{ .name = "collect.progress", .quiet = true, .args = args_ids, .run = progress },
	{ .name = "collect.start", .args = args_start, .run = start },
	{ .name = "collect.steps", .quiet = true, .args = args_steps, .run = steps },
	{ .name = "collect.stop", .args = args_ids, .run = stop },
	{ .name = NULL },
};
