/* SPDX-License-Identifier: Apache-2.0
 * postrider held and retry: messages that their target has not taken yet */
#include <stdio.h>
#include <stdlib.h>

#include "main/commands.h"
#include "main/say.h"

enum { SIZE_TEXT = 32 };

static void print_line(const json_t *row)
{
	const char *next = json_member_text(row, "next"), *why = json_member_text(row, "why");
	char size[SIZE_TEXT];

	(void)printf("%s  %s  %s to %s  %llu recipients, %s  since %s, %llu attempts%s%s%s%s\n", json_member_text(row, "id"),
		json_member_text(row, "state"), json_member_text(row, "account"), json_member_text(row, "target"),
		(unsigned long long)json_member_number(row, "recipients"), say_size(json_member_number(row, "octets"), size, sizeof size),
		json_member_text(row, "since"), (unsigned long long)json_member_number(row, "attempts"), *next ? ", next " : "", next,
		*why ? "  " : "", why);
}

static int list(struct cli *cli)
{
	return over_list(cli, "held.list", NULL, print_line);
}

static int remove_held(struct cli *cli)
{
	return over_do(cli, "held.remove", over_args(cli, "id", cli->args[1]), "%s removed", cli->args[1]);
}

/* The list first: what is asked for again would else come again in it. */
struct ids {
	json_t *all;
	bool running;
};

static bool take_id(void *user, json_t *row)
{
	struct ids *ids = user;

	return json_array_append(ids->all, json_object_get(row, "id")) == 0;
}

static bool retry_one(struct cli *cli, const char *id, bool *running, struct err *e)
{
	json_t *args = json_pack("{s:s}", "id", id), *reply;

	if (!args)
		return err_set(e, ERR_LOCAL, "out of memory");
	if (!ask_call(cli->ask, "held.retry", args, &reply, e))
		return false;
	*running = json_member_flag(reply, "running");
	json_decref(reply);
	return true;
}

static bool retry_all(struct cli *cli, struct ids *ids, size_t *count, struct err *e)
{
	const json_t *id;
	size_t n;

	if (!ids->all || !ask_rows(cli->ask, "held.list", NULL, take_id, ids, e))
		return ids->all ? false : err_set(e, ERR_LOCAL, "out of memory");
	json_array_foreach(ids->all, n, id) {
		bool good = retry_one(cli, json_string_value(id), &ids->running, e);

		if (!good && e->kind != ERR_CONFIG)
			return false;
		*count += good;		/* else it was delivered meanwhile */
	}
	return true;
}

static int say_retried(const struct cli *cli, size_t count, bool running)
{
	if (cli->quiet)
		return EXIT_GOOD;
	if (!count)
		(void)printf("no message is held\n");
	else
		(void)printf("%zu held message%s tried %s\n", count, count == 1 ? " is" : "s are",
			running ? "now" : "with the next start of postrider run");
	return EXIT_GOOD;
}

static int retry(struct cli *cli)
{
	struct ids ids = { .all = json_array() };
	size_t count = 0;
	struct err e;
	bool good;

	if (cli->arg_count > 1 || (cli->command == &cmd_retry && cli->arg_count)) {
		good = retry_one(cli, cli->args[cli->arg_count - 1], &ids.running, &e);
		count = 1;
	} else {
		good = retry_all(cli, &ids, &count, &e);
	}
	json_decref(ids.all);
	return good ? say_retried(cli, count, ids.running) : cli_failed(cli, &e);
}

static const struct verb verbs[] = {
	{ "list", 0, 0, "no name", list }, { "remove", 1, 1, "one ID", remove_held }, { "retry", 0, 1, "at most one ID", retry }, { .name = NULL },
};

static int run_held(struct cli *cli)
{
	return over_verbs(cli, verbs, "list, retry [ID] or remove ID");
}

static int run_retry(struct cli *cli)
{
	int status;

	if (cli->arg_count > 1)
		return cli_usage(cli, "takes at most one ID: postrider held list");
	status = over_open(cli);
	return status == EXIT_GOOD ? retry(cli) : status;
}

const struct command cmd_held = {
	.name = "held", .usage = "list | retry [ID] | remove ID", .run = run_held, .does = "messages that their target has not taken yet",
	.help = "A submitted message (XTND XMIT) whose target cannot take it now is held, and tried again after 1, 5, 15 and 60\n"
		"minutes, then every 4 hours.  After a refusal, or 5 days, it has failed, and stays until it is removed or tried again.\n"
		"  list       all of them, with their IDs\n"
		"  retry [ID] try this one, or all, now\n"
		"  remove ID  throw it away\n",
};

const struct command cmd_retry = {
	.name = "retry", .usage = "[ID]", .run = run_retry, .does = "try held messages again",
	.help = "As postrider held retry: all messages that wait or have failed, or the one with this ID.\n",
};
