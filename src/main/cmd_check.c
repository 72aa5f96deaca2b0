/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "main/commands.h"

static int run(struct cli *cli)
{
	int status;

	if (cli->arg_count)
		return cli_usage(cli, "takes no arguments; the configuration to check is named by -c FILE");
	status = cli_settings(cli, true);
	if (status != EXIT_GOOD)
		return status;
	if (!cli->quiet)
		(void)printf("%s: good: %zu connection%s, %zu target%s, %zu warning%s\n", cli->settings.file,
			cli->settings.connection_count, cli->settings.connection_count == 1 ? "" : "s",
			cli->settings.target_count, cli->settings.target_count == 1 ? "" : "s",
			cli->settings.warning_count, cli->settings.warning_count == 1 ? "" : "s");
	return EXIT_GOOD;
}

const struct command cmd_check = {
	.name = "check", .usage = "[-c FILE]", .does = "validate the configuration", .run = run,
	.help = "Reports every error of meaning in one run, each with file, line and what to write instead.\n"
		"Warnings name keys whose feature is not built yet.  Exit status 2 when there is an error.\n",
};
