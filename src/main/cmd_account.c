/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/json.h"
#include "store/account.h"

enum { PASSWORD_MAX = 4096 };

static int list(struct cli *cli)
{
	struct account_info info = { .name = "" };
	char made[MOMENT_TEXT];

	while (account_each(cli->store, &info)) {
		(void)moment_text(info.made, made);
		if (cli->json)
			json_print(json_pack("{s:s, s:s, s:b, s:b}", "account", info.name, "made", made,
				"can_login", info.can_login, "recoverable", info.recoverable));
		else
			(void)printf("%s  made %s%s%s\n", info.name, made, info.can_login ? "" : "  cannot log in",
				info.recoverable ? "  recoverable" : "");
	}
	return EXIT_GOOD;
}

static int set_password(struct cli *cli, const char *name, bool add)
{
	bool recoverable = cli_option(cli, "recoverable");
	struct buf password;
	char prompt[400];
	struct err e;
	bool given, good;

	buf_start(&password, PASSWORD_MAX);
	(void)snprintf(prompt, sizeof prompt, "Password for %s: ", name);
	good = ask_password(cli, prompt, true, &password, &given, &e);
	if (good && !given && !add)
		good = err_set(&e, ERR_CONFIG, "no password: use --password-file FILE or --password-command CMD");
	if (good && add)
		good = account_add(cli->store, name, buf_span(&password), recoverable, &e);
	else if (good)
		good = account_passwd(cli->store, name, buf_span(&password), recoverable, &e);
	if (good && !cli->quiet)
		(void)printf("account %s %s%s\n", name, add ? "added" : "has a new password",
			password.len ? "" : "; without a password it cannot log in");
	buf_wipe(&password);
	return good ? EXIT_GOOD : cli_failed(cli, &e);
}

static int run(struct cli *cli)
{
	const char *verb = cli->arg_count ? cli->args[0] : "";
	bool add = strcmp(verb, "add") == 0;
	char name[ACCOUNT_NAME_MAX + 1];
	struct err e;
	int status;

	if (strcmp(verb, "set") == 0 || strcmp(verb, "show") == 0 || strcmp(verb, "remove") == 0) {
		(void)cli_usage(cli, "%s is not built yet", verb);
		return EXIT_FAILED;
	}
	if (strcmp(verb, "list") != 0 && !add && strcmp(verb, "passwd") != 0)
		return cli_usage(cli, "say add NAME, passwd NAME or list");
	if (cli->arg_count != (strcmp(verb, "list") == 0 ? 1u : 2u))
		return cli_usage(cli, "%s takes %s", verb, strcmp(verb, "list") == 0 ? "no name" : "one name");
	status = cli_settings(cli, false);
	if (status != EXIT_GOOD)
		return status;
	if (cli->arg_count == 2 && !account_name(cli->args[1], cli->settings.main_domain, name, &e))
		return cli_failed(cli, &e);
	status = cli_store(cli);
	if (status != EXIT_GOOD)
		return status;
	return cli->arg_count == 1 ? list(cli) : set_password(cli, name, add);
}

const struct command cmd_account = {
	.name = "account", .usage = "add NAME | passwd NAME | list", .run = run, .does = "who owns mailboxes",
	.options = { { "password-file", true }, { "password-command", true }, { "recoverable", false }, { NULL, false } },
	.help = "NAME is anna or anna@client1.com; without a domain it belongs to main_domain, when one is set.\n"
		"  --password-file FILE    the password is in FILE (- = standard input; empty = no login)\n"
		"  --password-command CMD  the password is what CMD prints\n"
		"  --recoverable           keep the password so that APOP and CRAM-MD5 can work\n",
};
