/* SPDX-License-Identifier: Apache-2.0
 * postrider domain: which domains accounts may be in, and what holds there */
#include <stdio.h>

#include "main/commands.h"
#include "main/limits.h"
#include "main/say.h"

static void print_line(const json_t *row)
{
	const char *address = json_member_text(row, "address");

	(void)printf("%s  made %s%s%s\n", json_member_text(row, "domain"), json_member_text(row, "made"), *address ? "  at " : "", address);
}

static int list(struct cli *cli)
{
	return over_list(cli, "domain.list", NULL, print_line);
}

static int show(struct cli *cli)
{
	json_t *args = over_args(cli, "domain", cli->args[1]), *row;
	const char *address;
	struct err e;

	if (!args)
		return EXIT_USAGE;
	if (!ask_call(cli->ask, "domain.show", args, &row, &e))
		return cli_failed(cli, &e);
	if (cli->json) {
		json_print(row);
		return EXIT_GOOD;
	}
	address = json_member_text(row, "address");
	(void)printf("domain        %s\nmade          %s\naccounts      %llu\naddress       %s\n", json_member_text(row, "domain"),
		json_member_text(row, "made"), (unsigned long long)json_member_number(row, "accounts"), *address ? address : "none");
	limits_print(row);
	json_decref(row);
	return EXIT_GOOD;
}

static int add(struct cli *cli)
{
	const char *name = cli->args[1];

	return over_do(cli, "domain.add", over_args(cli, "domain", name),
		"domain %s added; from the first one on, accounts of other domains are refused", name);
}

static int remove_domain(struct cli *cli)
{
	return over_do(cli, "domain.remove", over_args(cli, "domain", cli->args[1]), "domain %s removed", cli->args[1]);
}

static bool take_word(const char *word, json_t *args, struct err *e)
{
	const char *value;

	switch (limits_word(word, args, &value, e)) {
	case LIMITS_SET:
		return true;
	case LIMITS_OTHER:
		if (!limits_key(word, "address"))
			return err_set(e, ERR_CONFIG, "%.*s is none of quota, max_sessions, maildir, address", (int)(value - word - 1), word);
		return json_object_set_new(args, "address", json_string(value)) == 0 || err_set(e, ERR_CONFIG, "address: it is not UTF-8");
	case LIMITS_WRONG:
		break;
	}
	return false;
}

static int set(struct cli *cli)
{
	json_t *args = over_args(cli, "domain", cli->args[1]);
	struct err e;

	for (size_t n = 2; n < cli->arg_count && args; n++)
		if (!take_word(cli->args[n], args, &e)) {
			json_decref(args);
			return cli_failed(cli, &e);
		}
	return over_do(cli, "domain.set", args, "domain %s changed", cli->args[1]);
}

static const struct verb verbs[] = {
	{ "add", 1, 1, "one name", add }, { "list", 0, 0, "no name", list }, { "remove", 1, 1, "one name", remove_domain },
	{ "set", 2, SIZE_MAX, "a name and KEY=VALUE…", set }, { "show", 1, 1, "one name", show }, { .name = NULL },
};

static int run(struct cli *cli)
{
	return over_verbs(cli, verbs, "add NAME, list, show NAME, set NAME KEY=VALUE or remove NAME");
}

const struct command cmd_domain = {
	.name = "domain", .usage = "add NAME | list | show NAME | set NAME KEY=VALUE… | remove NAME", .run = run, .does = "domains of the POP3 side",
	.help = "While there is none, accounts may have any domain; then only those that are there, and main_domain.\n"
		"KEYs: quota=SIZE, max_sessions=N for accounts that have none of their own (each also none, default);\n"
		"maildir=PATH: mail of those that have no place of their own lies there, with %u (name) or %n (local part) in it;\n"
		"none: in the store; default: as pop3.maildir says;\n"
		"address=ADDRESS: bare names that come in at this local address belong to the domain (also none).\n",
};
