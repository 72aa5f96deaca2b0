/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "main/commands.h"
#include "main/limits.h"
#include "main/say.h"
#include "store/quota.h"
#include "wire/base64.h"

enum { PASSWORD_MAX = 4096 };

/* The name by the rules for accounts; the API does that, too, but it is to be shown. */
static bool named(struct cli *cli, char name[ACCOUNT_NAME_MAX + 1], int *status)
{
	struct err e;

	if (account_name(cli->args[1], cli->settings.main_domain, name, &e))
		return true;
	*status = cli_failed(cli, &e);
	return false;
}

static void print_line(const json_t *row)
{
	(void)printf("%s  made %s%s%s\n", json_member_text(row, "account"), json_member_text(row, "made"),
		json_member_flag(row, "can_login") ? "" : "  cannot log in", json_member_flag(row, "recoverable") ? "  recoverable" : "");
}

static int list(struct cli *cli)
{
	return over_list(cli, "account.list", NULL, print_line);
}

static void print_account(const json_t *row)
{
	uint64_t usage = json_member_number(row, "usage"), quota = json_member_number(row, "quota_in_force");
	const json_t *one;
	size_t n;

	(void)printf("account       %s\nmade          %s\npassword      %s\n", json_member_text(row, "account"), json_member_text(row, "made"),
		!json_member_flag(row, "can_login") ? "none: cannot log in" : json_member_flag(row, "recoverable") ? "recoverable"
		: json_member_flag(row, "scram_sha1") ? "also for SCRAM-SHA-1" : "there");
	limits_print(row);
	if (*json_member_text(row, "path_wrong"))
		(void)printf("mail          nowhere: %s\n", json_member_text(row, "path_wrong"));
	else
		(void)printf("mail          %s%s\n", *json_member_text(row, "path") ? "in the Maildir " : "in the store", json_member_text(row, "path"));
	(void)printf("usage         %llu octets", (unsigned long long)usage);
	if (quota)
		(void)printf(", %u %% of the quota that holds: %llu octets", quota_percent(usage, quota), (unsigned long long)quota);
	(void)putchar('\n');
	json_array_foreach(json_object_get(row, "aliases"), n, one)
		(void)printf("alias         %s\n", json_string_value(one));
}

static int show(struct cli *cli)
{
	char name[ACCOUNT_NAME_MAX + 1];
	json_t *args, *row;
	struct err e;
	int status;

	if (!named(cli, name, &status))
		return status;
	args = over_args(cli, "account", name);
	if (!args)
		return EXIT_USAGE;
	if (!ask_call(cli->ask, "account.show", args, &row, &e))
		return cli_failed(cli, &e);
	if (cli->json) {
		json_print(row);
		return EXIT_GOOD;
	}
	print_account(row);
	json_decref(row);
	return EXIT_GOOD;
}

/* As text, or as base64 of octets that are none. */
static bool add_password(json_t *args, struct span password)
{
	char coded[4 * PASSWORD_MAX / 3 + 8];
	json_t *text = json_octets(password);
	struct buf b;
	bool good;

	if (text)
		return json_object_set_new(args, "password", text) == 0;
	buf_lend(&b, coded, sizeof coded);
	good = base64_encode(password, &b) && json_object_set_new(args, "password_base64", json_stringn(b.at, b.len)) == 0;
	wipe(coded, sizeof coded);
	return good;
}

static int set_password(struct cli *cli, bool add)
{
	char prompt[400], name[ACCOUNT_NAME_MAX + 1];
	struct buf password;
	json_t *args;
	struct err e;
	bool given, good, none;
	int status;

	if (!named(cli, name, &status))
		return status;
	args = over_args(cli, "account", name);
	if (!args)
		return EXIT_USAGE;
	buf_start(&password, PASSWORD_MAX);
	(void)snprintf(prompt, sizeof prompt, "Password for %s: ", name);
	good = buf_room(&password, PASSWORD_MAX) ? ask_password(cli, prompt, true, &password, &given, &e) : err_set(&e, ERR_LOCAL, "out of memory");
	if (good && !given && !add)
		good = err_set(&e, ERR_CONFIG, "no password: use --password-file FILE or --password-command CMD");
	good = good && (add_password(args, buf_span(&password)) || err_set(&e, ERR_CONFIG, "the password is longer than a password can be"));
	none = !password.len;
	buf_wipe(&password);
	if (!good) {
		json_decref(args);
		return cli_failed(cli, &e);
	}
	(void)json_object_set_new(args, "recoverable", json_boolean(cli_option(cli, "recoverable")));
	(void)json_object_set_new(args, "scram_sha1", json_boolean(cli_option(cli, "scram-sha-1")));
	return over_do(cli, add ? "account.add" : "account.passwd", args, "account %s %s%s", name, add ? "added" : "has a new password",
		none ? "; without a password it cannot log in" : "");
}

static int add(struct cli *cli)
{
	return set_password(cli, true);
}

static int passwd(struct cli *cli)
{
	return set_password(cli, false);
}

/* alias=, unalias=: an operation of its own. */
static bool set_alias(struct cli *cli, const char *name, const char *word, const char *value, struct err *e)
{
	json_t *args, *reply;

	if (!limits_key(word, "alias") && !limits_key(word, "unalias"))
		return err_set(e, ERR_CONFIG, "%.*s is none of quota, max_sessions, maildir, alias, unalias", (int)(value - word - 1), word);
	args = json_pack("{s:s, s:s}", "account", name, "address", value);
	if (!args)
		return err_set(e, ERR_CONFIG, "%.100s is not UTF-8", word);
	if (!ask_call(cli->ask, word[0] == 'a' ? "account.alias" : "account.unalias", args, &reply, e))
		return false;
	json_decref(reply);
	return true;
}

static int set(struct cli *cli)
{
	char name[ACCOUNT_NAME_MAX + 1];
	bool good = true;
	struct err e;
	json_t *args;
	int status;

	if (!named(cli, name, &status))
		return status;
	args = over_args(cli, "account", name);
	if (!args)
		return EXIT_USAGE;
	for (size_t n = 2; n < cli->arg_count && good; n++) {
		const char *value;

		switch (limits_word(cli->args[n], args, &value, &e)) {
		case LIMITS_SET:
			break;
		case LIMITS_OTHER:
			good = set_alias(cli, name, cli->args[n], value, &e);
			break;
		case LIMITS_WRONG:
			good = false;
			break;
		}
	}
	if (good)
		return over_do(cli, "account.set", args, "account %s changed", name);
	json_decref(args);
	return cli_failed(cli, &e);
}

static int remove_account(struct cli *cli)
{
	char name[ACCOUNT_NAME_MAX + 1];
	json_t *args;
	int status;

	if (!named(cli, name, &status))
		return status;
	args = over_args(cli, "account", name);
	if (args)
		(void)json_object_set_new(args, "with_mailboxes", json_boolean(cli_option(cli, "with-mailboxes")));
	return over_do(cli, "account.remove", args, "account %s removed", name);
}

static const struct verb verbs[] = {
	{ "add", 1, 1, "one name", add }, { "list", 0, 0, "no name", list }, { "passwd", 1, 1, "one name", passwd },
	{ "remove", 1, 1, "one name", remove_account }, { "set", 2, SIZE_MAX, "a name and KEY=VALUE…", set }, { "show", 1, 1, "one name", show },
	{ .name = NULL },
};

static int run(struct cli *cli)
{
	return over_verbs(cli, verbs, "add NAME, list, show NAME, set NAME KEY=VALUE, passwd NAME or remove NAME");
}

const struct command cmd_account = {
	.name = "account", .usage = "add NAME | list | show NAME | set NAME KEY=VALUE… | passwd NAME | remove NAME", .run = run, .does = "who owns mailboxes",
	.options = { { "password-file", true }, { "password-command", true }, { "recoverable", false }, { "scram-sha-1", false },
		{ "with-mailboxes", false }, { NULL, false } },
	.help = "NAME is anna or anna@client1.com; without a domain it belongs to main_domain, when one is set.\n"
		"Once there are domains (postrider domain), an account of another one is refused.\n"
		"KEYs: quota=SIZE, max_sessions=N (each also none, default), alias=ADDRESS, unalias=ADDRESS.\n"
		"maildir=PATH: its mail lies there (%u name, %n local part, %d domain, %% a percent sign); none: in the store;\n"
		"default: as its domain's maildir says, or pop3.maildir.\n"
		"  --password-file FILE    the password is in FILE (- = standard input; empty = no login)\n"
		"  --password-command CMD  the password is what CMD prints\n"
		"  --recoverable           keep the password (sealed with state/secret.key) so that APOP and CRAM-MD5 can work\n"
		"  --scram-sha-1           keep keys for SCRAM-SHA-1, too\n"
		"  --with-mailboxes        remove an account that has mailboxes, with all mail in them\n",
};
