/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/json.h"
#include "main/limits.h"
#include "store/alias.h"
#include "store/mailbox.h"

enum { PASSWORD_MAX = 4096 };

static json_t *account_json(const struct account_info *info)
{
	char made[MOMENT_TEXT];
	json_t *row = json_pack("{s:o, s:s, s:b, s:b, s:b}", "account", json_text(info->name), "made", moment_text(info->made, made),
		"can_login", info->can_login, "recoverable", info->recoverable, "scram_sha1", info->scram_sha1);

	limits_json(row, &info->limits);
	return row;
}

static int list(struct cli *cli, const char *name)
{
	struct account_info info = { .name = "" };
	char made[MOMENT_TEXT];

	(void)name;
	while (account_each(cli->store, &info))
		if (cli->json)
			json_print(account_json(&info));
		else
			(void)printf("%s  made %s%s%s\n", info.name, moment_text(info.made, made), info.can_login ? "" : "  cannot log in",
				info.recoverable ? "  recoverable" : "");
	return EXIT_GOOD;
}

static json_t *aliases(struct cli *cli, const char *name)
{
	char address[ACCOUNT_NAME_MAX + 1] = "", account[ACCOUNT_NAME_MAX + 1];
	json_t *all = json_array();

	while (alias_each(cli->store, address, account))
		if (strcmp(account, name) == 0)
			(void)json_array_append_new(all, json_text(address));
	return all;
}

static int show(struct cli *cli, const char *name)
{
	struct account_info info;
	char made[MOMENT_TEXT];
	json_t *all, *one;
	struct err e;
	size_t n;

	if (!account_find(cli->store, name, &info)) {
		(void)err_set(&e, ERR_CONFIG, "there is no account %.200s; make it first: postrider account add %.200s", name, name);
		return cli_failed(cli, &e);
	}
	all = aliases(cli, name);
	if (cli->json) {
		json_t *row = account_json(&info);

		(void)json_object_set_new(row, "aliases", all);
		json_print(row);
		return EXIT_GOOD;
	}
	(void)printf("account       %s\nmade          %s\npassword      %s\n", info.name, moment_text(info.made, made),
		!info.can_login ? "none: cannot log in" : info.recoverable ? "recoverable" : info.scram_sha1 ? "also for SCRAM-SHA-1" : "there");
	limits_print(&info.limits);
	json_array_foreach(all, n, one)
		(void)printf("alias         %s\n", json_string_value(one));
	json_decref(all);
	return EXIT_GOOD;
}

static unsigned how(struct cli *cli, const char *name)
{
	const char *at = strchr(name, '@'), *main_domain = cli->settings.main_domain;
	unsigned flags = cli_option(cli, "recoverable") ? ACCOUNT_RECOVERABLE : 0;

	flags |= cli_option(cli, "scram-sha-1") ? ACCOUNT_SCRAM_SHA1 : 0;
	return flags | (at && main_domain && strcasecmp(at + 1, main_domain) == 0 ? ACCOUNT_ANY_DOMAIN : 0);
}

static int set_password(struct cli *cli, const char *name, bool add)
{
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
		good = account_add(cli->store, name, buf_span(&password), how(cli, name), &e);
	else if (good)
		good = account_passwd(cli->store, name, buf_span(&password), how(cli, name), &e);
	if (good && !cli->quiet)
		(void)printf("account %s %s%s\n", name, add ? "added" : "has a new password",
			password.len ? "" : "; without a password it cannot log in");
	buf_wipe(&password);
	return good ? EXIT_GOOD : cli_failed(cli, &e);
}

static int add(struct cli *cli, const char *name)
{
	return set_password(cli, name, true);
}

static int passwd(struct cli *cli, const char *name)
{
	return set_password(cli, name, false);
}

static bool set_alias(struct cli *cli, const char *name, const char *word, const char *value, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1], other[ACCOUNT_NAME_MAX + 1] = "", account[ACCOUNT_NAME_MAX + 1];

	if (!limits_key(word, "alias") && !limits_key(word, "unalias"))
		return err_set(e, ERR_CONFIG, "%.*s is none of quota, max_sessions, alias, unalias", (int)(value - word - 1), word);
	if (!account_name(value, cli->settings.main_domain, address, e))
		return false;
	if (limits_key(word, "alias"))
		return alias_add(cli->store, address, name, e);
	while (alias_each(cli->store, other, account))
		if (strcmp(other, address) == 0 && strcmp(account, name) == 0)
			return alias_remove(cli->store, address, e);
	return err_set(e, ERR_CONFIG, "%.200s is no alias of %.200s", address, name);
}

static int set(struct cli *cli, const char *name)
{
	struct account_info info;
	struct err e;
	bool good = account_find(cli->store, name, &info) || err_set(&e, ERR_CONFIG, "there is no account %.200s", name), limits = false;

	for (size_t n = 2; n < cli->arg_count && good; n++) {
		const char *value;

		switch (limits_word(cli->args[n], &info.limits, &value, &e)) {
		case LIMITS_SET:
			limits = true;
			break;
		case LIMITS_OTHER:
			good = set_alias(cli, name, cli->args[n], value, &e);
			break;
		case LIMITS_WRONG:
			good = false;
			break;
		}
	}
	if (good && limits)
		good = account_set(cli->store, name, &info.limits, &e);
	if (good && !cli->quiet)
		(void)printf("account %s changed\n", name);
	return good ? EXIT_GOOD : cli_failed(cli, &e);
}

static int remove_account(struct cli *cli, const char *name)
{
	struct err e;

	if (!account_remove(cli->store, name, cli_option(cli, "with-mailboxes"), clock_now_s(), &e))
		return cli_failed(cli, &e);
	if (!cli->quiet)
		(void)printf("account %s removed\n", name);
	return EXIT_GOOD;
}

static const struct verb {
	const char *name;
	size_t least, most;		/* words behind it */
	const char *takes;
	int (*run)(struct cli *cli, const char *name);
} verbs[] = {
	{ "add", 1, 1, "one name", add }, { "list", 0, 0, "no name", list }, { "passwd", 1, 1, "one name", passwd },
	{ "remove", 1, 1, "one name", remove_account }, { "set", 2, SIZE_MAX, "a name and KEY=VALUE…", set }, { "show", 1, 1, "one name", show },
};

static int run(struct cli *cli)
{
	const struct verb *verb = NULL;
	char name[ACCOUNT_NAME_MAX + 1];
	struct err e;
	int status;

	for (size_t n = 0; n < COUNT(verbs) && cli->arg_count; n++)
		if (strcmp(verbs[n].name, cli->args[0]) == 0)
			verb = &verbs[n];
	if (!verb)
		return cli_usage(cli, "say add NAME, list, show NAME, set NAME KEY=VALUE, passwd NAME or remove NAME");
	if (cli->arg_count - 1 < verb->least || cli->arg_count - 1 > verb->most)
		return cli_usage(cli, "%s takes %s", verb->name, verb->takes);
	status = cli_settings(cli, false);
	if (status != EXIT_GOOD)
		return status;
	if (verb->least && !account_name(cli->args[1], cli->settings.main_domain, name, &e))
		return cli_failed(cli, &e);
	status = cli_store(cli);
	return status == EXIT_GOOD ? verb->run(cli, name) : status;
}

const struct command cmd_account = {
	.name = "account", .usage = "add NAME | list | show NAME | set NAME KEY=VALUE… | passwd NAME | remove NAME", .run = run, .does = "who owns mailboxes",
	.options = { { "password-file", true }, { "password-command", true }, { "recoverable", false }, { "scram-sha-1", false },
		{ "with-mailboxes", false }, { NULL, false } },
	.help = "NAME is anna or anna@client1.com; without a domain it belongs to main_domain, when one is set.\n"
		"Once there are domains (postrider domain), an account of another one is refused.\n"
		"KEYs: quota=SIZE, max_sessions=N (each also none, default), alias=ADDRESS, unalias=ADDRESS.\n"
		"  --password-file FILE    the password is in FILE (- = standard input; empty = no login)\n"
		"  --password-command CMD  the password is what CMD prints\n"
		"  --recoverable           keep the password (sealed with state/secret.key) so that APOP and CRAM-MD5 can work\n"
		"  --scram-sha-1           keep keys for SCRAM-SHA-1, too\n"
		"  --with-mailboxes        remove an account that has mailboxes, with all mail in them\n",
};
