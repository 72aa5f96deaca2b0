/* SPDX-License-Identifier: Apache-2.0
 * postrider service: a running instance's services, one by one */
#include <stdio.h>

#include "main/commands.h"
#include "main/say.h"

static int act(struct cli *cli)
{
	json_t *args = json_pack("{s:s, s:s}", "service", cli->args[1], "action", cli->args[0]), *reply;
	struct err e;

	if (!args)
		return cli_usage(cli, "the name of a service is pop3, collect or console");
	if (!ask_call(cli->ask, "service", args, &reply, &e))
		return cli_failed(cli, &e);
	if (cli->json) {
		json_print(reply);
		return EXIT_GOOD;
	}
	if (!cli->quiet)
		(void)printf("service %s: %s\n", json_member_text(reply, "service"), json_member_text(reply, "state"));
	json_decref(reply);
	return EXIT_GOOD;
}

static const struct verb verbs[] = {
	{ "start", 1, 1, "one service: pop3, collect or console", act }, { "stop", 1, 1, "one service: pop3, collect or console", act },
	{ "restart", 1, 1, "one service: pop3, collect or console", act }, { .name = NULL },
};

static int run(struct cli *cli)
{
	return over_verbs(cli, verbs, "start, stop or restart, and pop3, collect or console");
}

const struct command cmd_service = {
	.name = "service", .usage = "start|stop|restart pop3|collect|console", .run = run, .does = "switch a service of a running instance",
	.help = "It says the state that the service is in then: running, starting, draining (it takes nobody new, and those who are\n"
		"in finish), stopped or failed.  postrider status tells how it goes on.  Exit status 1 when postrider is not running.\n",
};
