/* SPDX-License-Identifier: Apache-2.0
 * postrider alert: what people are told instead of being let in, once */
#include <stdio.h>

#include "main/commands.h"
#include "main/say.h"

static void print_line(const json_t *row)
{
	const char *scope = json_member_text(row, "scope"), *of = json_member_text(row, scope);

	(void)printf("%llu  %s%s%s  made %s  %s\n", (unsigned long long)json_member_number(row, "id"), scope, *of ? " " : "", of,
		json_member_text(row, "made"), json_member_text(row, "text"));
}

static int list(struct cli *cli)
{
	return over_list(cli, "alert.list", NULL, print_line);
}

/* For whom: one of the three options. */
static bool take_scope(struct cli *cli, json_t *args)
{
	const char *account = cli_option(cli, "account"), *domain = cli_option(cli, "domain");
	bool server = cli_option(cli, "server");

	if ((account != NULL) + (domain != NULL) + server != 1) {
		(void)cli_usage(cli, "say for whom: --account NAME, --domain NAME or --server");
		return false;
	}
	if (server)
		return json_object_set_new(args, "server", json_true()) == 0;
	if (json_object_set_new(args, account ? "account" : "domain", json_string(account ? account : domain)) == 0)
		return true;
	(void)cli_usage(cli, "the name is not UTF-8");
	return false;
}

static void print_added(const json_t *row)
{
	const char *scope = json_member_text(row, "scope"), *of = json_member_text(row, "of");

	(void)printf("alert %llu added for %s%s%s\n", (unsigned long long)json_member_number(row, "id"), *of ? scope : "the server", *of ? " " : "", of);
	if (!json_member_flag(row, "known"))
		(void)printf("the store has no %s %s: only users of another source can see it\n", scope, of);
}

/* Until a client has said UTF8 or LANG, no answer to it may have anything else (RFC 6856). */
static void say_of_letters(const struct cli *cli)
{
	for (const char *at = cli->args[1]; *at; at++)
		if ((unsigned char)*at >= 0x80 && !cli->quiet) {
			(void)fputs("postrider alert: not all of the text is ASCII: clients that have not sent UTF8 or LANG before they log in, "
				"as most have not, see '?' for the rest\n", stderr);
			return;
		}
}

static int add(struct cli *cli)
{
	json_t *args = over_args(cli, "text", cli->args[1]), *reply;
	struct err e;

	if (!args)
		return EXIT_USAGE;
	if (!take_scope(cli, args)) {
		json_decref(args);
		return EXIT_USAGE;
	}
	if (!ask_call(cli->ask, "alert.add", args, &reply, &e))
		return cli_failed(cli, &e);
	say_of_letters(cli);
	if (cli->json)
		json_print(json_incref(reply));
	else if (!cli->quiet)
		print_added(reply);
	json_decref(reply);
	return EXIT_GOOD;
}

static int remove_alert(struct cli *cli)
{
	uint64_t id;

	if (!span_number(span_of(cli->args[1]), INT64_MAX, &id))
		return cli_usage(cli, "%.40s is no number of an alert: postrider alert list", cli->args[1]);
	return over_do(cli, "alert.remove", json_pack("{s:o}", "id", json_number(id)), "alert %llu removed", (unsigned long long)id);
}

static const struct verb verbs[] = {
	{ "add", 1, 1, "one text, in quotes", add }, { "list", 0, 0, "no name", list }, { "remove", 1, 1, "the number of an alert", remove_alert },
	{ .name = NULL },
};

static int run(struct cli *cli)
{
	return over_verbs(cli, verbs, "add TEXT, list or remove ID");
}

const struct command cmd_alert = {
	.name = "alert", .usage = "add (--account NAME | --domain NAME | --server) TEXT | list | remove ID", .run = run, .does = "messages shown at login",
	.options = { { "account", true }, { "domain", true }, { "server", false }, { NULL, false } },
	.help = "Who logs in is told TEXT instead of being let in, once; the next attempt tells the next alert, or lets him in.\n"
		"An account's alert is gone when it was shown; the others stay until they are removed, for those who have not seen them.\n"
		"Letters that are not ASCII are seen by clients that send UTF8 or LANG first; the others see '?'.\n"
		"  --account NAME  for one account\n"
		"  --domain NAME   for everybody in a domain\n"
		"  --server        for everybody\n",
};
