/* SPDX-License-Identifier: Apache-2.0
 * Visits by a running instance: begun, asked after until they have ended, stopped by Ctrl-C. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control/api.h"
#include "main/collecting.h"
#include "main/progress.h"
#include "main/say.h"

enum { ASK_FIRST_MS = 10, ASK_EVERY_MS = 200 };

struct over {
	struct cli *cli;
	struct progress progress;
	struct collect_progress ended;	/* of visits that ended */
	json_t *ids;			/* of those that have not */
	uint32_t visits;
	bool failed;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void read_result(const json_t *row, struct visit_result *r)
{
	const char *kind = json_member_text(row, "error_kind");

	*r = (struct visit_result){
		.collected = json_member_number(row, "collected"), .skipped = json_member_number(row, "skipped"),
		.held = json_member_number(row, "held"), .failed = json_member_number(row, "failed"), .octets = json_member_number(row, "octets"),
		.planned = json_member_number(row, "planned"), .planned_octets = json_member_number(row, "planned_octets"),
		.ms = json_member_number(row, "ms"),
	};
	for (unsigned k = ERR_NONE + 1; k < ERR_KINDS; k++)
		if (strcmp(err_kind_name((enum err_kind)k), kind) == 0)
			(void)err_set(&r->why, (enum err_kind)k, "%s", json_member_text(row, "error"));
}

static void add(struct collect_progress *p, const struct visit_result *r)
{
	p->planned += r->planned;
	p->planned_octets += r->planned_octets;
	p->collected += r->collected;
	p->octets += r->octets;
}

/* Of the visit itself the instance's log tells, which whoever asked may not see. */
static void say(struct over *o, const char *name, const struct visit_result *r)
{
	progress_clear(&o->progress);
	if (r->why.kind)
		(void)cli_usage(o->cli, "%s: %s", name, r->why.text);
	if (!collecting_say(o->cli, name, r))
		o->failed = true;
	o->failed = o->failed || r->why.kind || r->failed;
	o->ended.ended++;
	add(&o->ended, r);
}

static bool begun(void *user, json_t *row)
{
	struct over *o = user;
	struct visit_result r;

	o->visits++;
	if (json_is_integer(json_object_get(row, "visit"))) {
		(void)json_array_append(o->ids, json_object_get(row, "visit"));
		return true;
	}
	read_result(row, &r);
	say(o, json_member_text(row, "connection"), &r);
	return true;
}

static void forgotten(struct over *o)
{
	(void)cli_usage(o->cli, "what came of a visit is not known any more; see postrider history");
	o->failed = true;
	o->ended.ended++;
}

/* What is said of those visits goes into `now`; the ids of those that go on into `left`. */
static void take_rows(struct over *o, const json_t *rows, struct collect_progress *now, json_t *left)
{
	const json_t *row;
	size_t n;

	json_array_foreach(rows, n, row) {
		const char *state = json_member_text(row, "state");
		struct visit_result r;

		read_result(row, &r);
		if (strcmp(state, "unknown") == 0) {
			forgotten(o);
		} else if (strcmp(state, "ended") == 0) {
			say(o, json_member_text(row, "connection"), &r);
		} else {
			add(now, &r);
			(void)json_array_append(left, json_object_get(row, "visit"));
		}
	}
}

/* As many ids as one request takes, from number `from` on. */
static json_t *some_ids(const struct over *o, size_t from)
{
	json_t *some = json_array();

	for (size_t n = from; n < json_array_size(o->ids) && n - from < API_ROWS_MAX; n++)
		(void)json_array_append(some, json_array_get(o->ids, n));
	return json_pack("{s:o}", "ids", some);
}

static bool look(struct over *o, struct err *e)
{
	struct collect_progress now = { 0 };
	json_t *left = json_array(), *reply;
	bool good = true;

	for (size_t n = 0; good && n < json_array_size(o->ids);) {
		good = ask_call(o->cli->ask, "collect.progress", some_ids(o, n), &reply, e);
		if (!good)
			break;
		take_rows(o, json_object_get(reply, "rows"), &now, left);
		n += json_member_number(reply, "given");
		if (!json_member_number(reply, "given"))
			good = err_set(e, ERR_PEER, "the running instance says nothing of the visits");
		json_decref(reply);
	}
	json_decref(o->ids);
	o->ids = left;
	now.planned += o->ended.planned;
	now.planned_octets += o->ended.planned_octets;
	now.collected += o->ended.collected;
	now.octets += o->ended.octets;
	now.ended = o->ended.ended;
	now.visits = o->visits;
	if (good && json_array_size(left))
		progress_draw(&o->progress, &now);
	return good;
}

static bool stop(struct over *o, struct err *e)
{
	json_t *reply;

	for (size_t n = 0; n < json_array_size(o->ids); n += API_ROWS_MAX) {
		if (!ask_call(o->cli->ask, "collect.stop", some_ids(o, n), &reply, e))
			return false;
		json_decref(reply);
	}
	return true;
}

/* Often at first, since most visits are short. */
static bool follow(struct over *o, struct err *e)
{
	int wait_ms = ASK_FIRST_MS;

	while (json_array_size(o->ids)) {
		if (interrupted && !stop(o, e))
			return false;
		interrupted = 0;
		(void)poll(NULL, 0, wait_ms);
		if (!look(o, e))
			return false;
		wait_ms = wait_ms * 3 / 2 > ASK_EVERY_MS ? ASK_EVERY_MS : wait_ms * 3 / 2;
	}
	return true;
}

static json_t *start_args(enum visit_what what, const char *const *names, size_t count, const char *mailbox)
{
	json_t *all = json_array(), *args;

	for (size_t n = 0; n < count; n++)
		if (json_array_append_new(all, json_string(names[n])) != 0) {
			json_decref(all);
			return NULL;
		}
	args = json_pack("{s:o, s:s}", "names", all, "what", what == VISIT_BASELINE ? "baseline" : "collect");
	if (mailbox && json_object_set_new(args, "mailbox", json_string(mailbox)) != 0) {
		json_decref(args);
		return NULL;
	}
	return args;
}

/* As where the visits are made here: a name given twice counts once. */
static size_t each_once(const char **names, size_t count)
{
	size_t kept = 0;

	for (size_t n = 0; n < count; n++) {
		size_t other = 0;

		while (other < kept && strcmp(names[other], names[n]) != 0)
			other++;
		if (other == kept)
			names[kept++] = names[n];
	}
	return kept;
}

int collecting_over(struct cli *cli, enum visit_what what, const char *mailbox)
{
	const struct sigaction act = { .sa_handler = on_interrupt };
	json_t *args = start_args(what, cli->args, each_once(cli->args, cli->arg_count), mailbox);
	struct over o = { .cli = cli, .ids = json_array() };
	struct err e;
	bool good;

	if (!args)
		return cli_usage(cli, "the name of a connection, or mailbox, is UTF-8");
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	progress_start(&o.progress, !cli->quiet && !cli->json, !cli->no_color);
	good = ask_rows(cli->ask, "collect.start", args, begun, &o, &e) && follow(&o, &e);
	progress_clear(&o.progress);
	json_decref(o.ids);
	if (!good)
		return cli_failed(cli, &e);
	return o.failed ? EXIT_FAILED : EXIT_GOOD;
}
