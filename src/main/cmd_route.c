/* SPDX-License-Identifier: Apache-2.0
 * postrider route: addresses that lead to an account */
#include <stdio.h>

#include "main/commands.h"
#include "main/say.h"

static void print_line(const json_t *row)
{
	(void)printf("%s  %s\n", json_member_text(row, "address"), json_member_text(row, "account"));
}

static int list(struct cli *cli)
{
	return over_list(cli, "route.list", NULL, print_line);
}

static int add(struct cli *cli)
{
	json_t *args = over_args(cli, "address", cli->args[1]);

	if (args && json_object_set_new(args, "account", json_string(cli->args[2])) != 0) {
		json_decref(args);
		return cli_usage(cli, "add: its account is not UTF-8");
	}
	return over_do(cli, "route.add", args, "%s leads to %s", cli->args[1], cli->args[2]);
}

static int remove_route(struct cli *cli)
{
	return over_do(cli, "route.remove", over_args(cli, "address", cli->args[1]), "%s leads nowhere any more", cli->args[1]);
}

static const struct verb verbs[] = {
	{ "add", 2, 2, "an address and an account", add }, { "list", 0, 0, "no name", list }, { "remove", 1, 1, "one address", remove_route },
	{ .name = NULL },
};

static int run(struct cli *cli)
{
	return over_verbs(cli, verbs, "add ADDRESS ACCOUNT, list or remove ADDRESS");
}

const struct command cmd_route = {
	.name = "route", .usage = "add ADDRESS ACCOUNT | list | remove ADDRESS", .run = run, .does = "addresses that lead to an account",
	.help = "An ADDRESS leads to the account as its alias does.  '*@DOMAIN' (in quotes) stands for every address of the domain that is\n"
		"no account, alias or route itself: who logs in by one, with the account's password, sees only the messages whose\n"
		"route_header (X-Real-To) lists it; who logs in as the account sees all.\n"
		"as in: postrider route add '*@client1.com' cl1\n",
};
