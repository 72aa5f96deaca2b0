/* SPDX-License-Identifier: Apache-2.0
 * postrider block: networks that the POP3 service does not let in */
#include <stdio.h>

#include "config/value.h"
#include "main/commands.h"
#include "main/say.h"

static void print_line(const json_t *row)
{
	const char *until = json_member_text(row, "until"), *why = json_member_text(row, "why");

	(void)printf("%s  %s%s  by %s%s%s\n", json_member_text(row, "network"), *until ? "until " : "for ever", until, json_member_text(row, "by"),
		*why ? "  " : "", why);
}

static int list(struct cli *cli)
{
	return over_list(cli, "block.list", NULL, print_line);
}

static int add(struct cli *cli)
{
	const char *lasts = cli_option(cli, "for"), *why = cli_option(cli, "why");
	json_t *args = over_args(cli, "network", cli->args[1]);
	uint64_t ms = 0;
	struct err e;

	if (!args)
		return EXIT_USAGE;
	if (lasts && !value_duration(lasts, &ms, &e)) {
		json_decref(args);
		(void)err_in(&e, "--for");
		e.kind = ERR_CONFIG;
		return cli_failed(cli, &e);
	}
	if (lasts)
		(void)json_object_set_new(args, "for_s", json_number((ms + 999) / 1000));
	if (why && json_object_set_new(args, "why", json_string(why)) != 0) {
		json_decref(args);
		return cli_usage(cli, "--why is not UTF-8");
	}
	return over_do(cli, "block.add", args, "%s blocked%s%s", cli->args[1], lasts ? " for " : "", lasts ? lasts : "");
}

static int remove_block(struct cli *cli)
{
	return over_do(cli, "block.remove", over_args(cli, "network", cli->args[1]), "%s not blocked any more", cli->args[1]);
}

static const struct verb verbs[] = {
	{ "add", 1, 1, "one address or network", add }, { "list", 0, 0, "no name", list }, { "remove", 1, 1, "one address or network", remove_block },
	{ .name = NULL },
};

static int run(struct cli *cli)
{
	return over_verbs(cli, verbs, "list, add CIDR or remove CIDR");
}

const struct command cmd_block = {
	.name = "block", .usage = "list | add CIDR [--for 1h] [--why TEXT] | remove CIDR", .run = run, .does = "addresses denied, and why",
	.options = { { "for", true }, { "why", true }, { NULL, false } },
	.help = "CIDR is an address or a network: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32.\n"
		"list: with a running instance all that is blocked there, also addresses after failed logins; else what is kept.\n"
		"  --for 1h    how long (30s 15min 2h 7d); without it, for ever\n"
		"  --why TEXT  a note for people, at most 200 octets\n"
		"Blocks hold at once, and after a restart.  Who is connected stays so.\n",
};
