/* SPDX-License-Identifier: Apache-2.0
 * Tests by a running instance: begun, asked after until they have ended, stopped by Ctrl-C. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "control/api.h"
#include "control/json.h"
#include "main/testing.h"

enum { ASK_FIRST_MS = 10, ASK_EVERY_MS = 200 };

struct over {
	struct testing said;
	json_t *under_way;	/* rows of collect.start */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static bool begun(void *user, json_t *row)
{
	struct over *o = user;

	(void)json_array_append(o->under_way, row);
	return true;
}

/* What it says of one, from where we were on.  *ended: there is no more to come. */
static bool look(struct over *o, json_t *one, bool *ended, struct err *e)
{
	const char *name = json_member_text(one, "connection"), *state;
	json_t *reply, *row;
	size_t n;

	*ended = false;
	if (!ask_call(o->said.cli->ask, "collect.steps", json_pack("{s:I, s:I}", "visit", (json_int_t)json_member_number(one, "visit"),
			"from", (json_int_t)json_member_number(one, "from")), &reply, e))
		return false;
	json_array_foreach(json_object_get(reply, "rows"), n, row)
		testing_step(&o->said, json_incref(row));
	(void)json_object_set(one, "from", json_object_get(reply, "from"));
	state = json_member_text(reply, "state");
	if (strcmp(state, "unknown") == 0)
		(void)cli_usage(o->said.cli, "%s: what came of the test is not known any more", name);
	*ended = !json_member_flag(reply, "more") && (strcmp(state, "ended") == 0 || strcmp(state, "unknown") == 0);
	if (*ended)
		testing_ended(&o->said, name, strcmp(state, "ended") == 0);
	json_decref(reply);
	return true;
}

static bool look_at_all(struct over *o, struct err *e)
{
	for (size_t n = 0; n < json_array_size(o->under_way);) {
		bool ended;

		if (!look(o, json_array_get(o->under_way, n), &ended, e))
			return false;
		if (ended)
			(void)json_array_remove(o->under_way, n);
		else
			n++;
	}
	return true;
}

static bool stop(struct over *o, struct err *e)
{
	json_t *one, *reply;
	size_t n;

	json_array_foreach(o->under_way, n, one) {
		if (!ask_call(o->said.cli->ask, "collect.stop", json_pack("{s:[O]}", "ids", json_object_get(one, "visit")), &reply, e))
			return false;
		json_decref(reply);
	}
	return true;
}

/* Often at first, since most tests are short. */
static bool follow(struct over *o, struct err *e)
{
	int wait_ms = ASK_FIRST_MS;

	while (json_array_size(o->under_way)) {
		if (interrupted && !stop(o, e))
			return false;
		interrupted = 0;
		(void)poll(NULL, 0, wait_ms);
		if (!look_at_all(o, e))
			return false;
		wait_ms = wait_ms * 3 / 2 > ASK_EVERY_MS ? ASK_EVERY_MS : wait_ms * 3 / 2;
	}
	return true;
}

/* What could not even begin is said, and the others go on. */
static void settle(struct over *o)
{
	for (size_t n = 0; n < json_array_size(o->under_way);) {
		const json_t *one = json_array_get(o->under_way, n);

		if (json_is_integer(json_object_get(one, "visit"))) {
			n++;
			continue;
		}
		(void)cli_usage(o->said.cli, "%s: %s", json_member_text(one, "connection"), json_member_text(one, "error"));
		o->said.failed = true;
		(void)json_array_remove(o->under_way, n);
	}
}

static json_t *names_once(const struct cli *cli)
{
	json_t *seen = json_object(), *all = json_array();
	bool good = true;

	for (size_t n = 0; n < cli->arg_count; n++) {
		if (json_object_get(seen, cli->args[n]))
			continue;
		good = json_object_set_new(seen, cli->args[n], json_true()) == 0 && json_array_append_new(all, json_string(cli->args[n])) == 0 && good;
	}
	json_decref(seen);
	if (good)
		return json_pack("{s:o, s:s}", "names", all, "what", "test");
	json_decref(all);
	return NULL;
}

int testing_over(struct cli *cli)
{
	const struct sigaction act = { .sa_handler = on_interrupt };
	json_t *args = names_once(cli), *names;
	struct over o = { .under_way = json_array() };
	struct err e;
	bool good;

	if (!args)
		return cli_usage(cli, "the name of a connection is UTF-8");
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	good = ask_rows(cli->ask, "collect.start", args, begun, &o, &e);
	testing_start(&o.said, cli, json_array_size(o.under_way));
	settle(&o);
	names = json_copy(o.under_way);		/* which the names are of */
	for (size_t n = 0; n < json_array_size(names); n++)
		testing_add(&o.said, json_member_text(json_array_get(names, n), "connection"));
	good = good && follow(&o, &e);
	testing_end(&o.said);
	json_decref(names);
	json_decref(o.under_way);
	if (!good)
		return cli_failed(cli, &e);
	return o.said.failed ? EXIT_FAILED : EXIT_GOOD;
}
