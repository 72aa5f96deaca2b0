/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "main/commands.h"
#include "main/maildirs.h"
#include "main/say.h"
#include "store/account.h"
#include "store/exchange.h"

/* ACCOUNT/BOX, the account by the rules for accounts (main_domain, case). */
static bool full_name(struct cli *cli, char out[MAILBOX_NAME_MAX + 1], struct err *e)
{
	const char *given = cli->args[1];
	struct span s = span_of(given);
	size_t slash = span_find(s, '/');
	char part[ACCOUNT_NAME_MAX + 1], account[ACCOUNT_NAME_MAX + 1];

	if (slash == s.len || slash > ACCOUNT_NAME_MAX)
		return err_set(e, ERR_CONFIG, "%s is not ACCOUNT/BOX; write for example anna/INBOX", given);
	memcpy(part, given, slash);
	part[slash] = '\0';
	if (!account_name(part, cli->settings.main_domain, account, e))
		return false;
	if (snprintf(out, MAILBOX_NAME_MAX + 1, "%s%s", account, given + slash) > MAILBOX_NAME_MAX)
		return err_set(e, ERR_CONFIG, "the name of mailbox %s is too long", given);
	return true;
}

/* {"mailbox": …}; NULL: said why, and *status is what to return. */
static json_t *box_args(struct cli *cli, char name[MAILBOX_NAME_MAX + 1], int *status)
{
	struct err e;

	*status = EXIT_USAGE;
	if (full_name(cli, name, &e))
		return over_args(cli, "mailbox", name);
	*status = cli_failed(cli, &e);
	return NULL;
}

static void print_box(const json_t *row)
{
	(void)printf("%s  %llu messages  %llu octets%s\n", json_member_text(row, "mailbox"),
		(unsigned long long)json_member_number(row, "messages"), (unsigned long long)json_member_number(row, "octets"),
		json_member_flag(row, "hidden") ? "  hidden: the account's mail lies in a Maildir" : "");
}

static void print_maildir(json_t *row)
{
	const char *why = json_member_text(row, "why");

	if (*why)
		(void)printf("%s  %s\n", json_member_text(row, "mailbox"), why);
	else
		(void)printf("%s  %llu messages  in the Maildir %s\n", json_member_text(row, "mailbox"),
			(unsigned long long)json_member_number(row, "messages"), json_member_text(row, "maildir"));
	json_decref(row);
}

static int list(struct cli *cli)
{
	int status = over_list(cli, "mailbox.list", NULL, print_box);
	struct err e;

	if (status == EXIT_GOOD && !maildirs_list(cli, cli->json ? json_print : print_maildir, &e))
		status = cli_failed(cli, &e);
	return status;
}

static int add(struct cli *cli)
{
	char name[MAILBOX_NAME_MAX + 1];
	int status;
	json_t *args = box_args(cli, name, &status);

	return args ? over_do(cli, "mailbox.add", args, "mailbox %s added", name) : status;
}

static int remove_box(struct cli *cli)
{
	char name[MAILBOX_NAME_MAX + 1];
	int status;
	json_t *args = box_args(cli, name, &status);

	if (!args)
		return status;
	(void)json_object_set_new(args, "with_messages", json_boolean(cli_option(cli, "with-messages")));
	return over_do(cli, "mailbox.remove", args, "mailbox %s removed", name);
}

static void print_message(const json_t *row)
{
	(void)printf("%6llu  %s  %10llu  %s  %s  %s\n", (unsigned long long)json_member_number(row, "number"), json_member_text(row, "uid"),
		(unsigned long long)json_member_number(row, "octets"), json_member_text(row, "arrived"), json_member_text(row, "from"),
		json_member_text(row, "subject"));
}

static void print_file(json_t *row)
{
	(void)printf("%6llu  %s  %10llu  %s  %s  %s\n", (unsigned long long)json_member_number(row, "number"), json_member_text(row, "file"),
		(unsigned long long)json_member_number(row, "octets"), json_member_text(row, "arrived"), json_member_text(row, "from"),
		json_member_text(row, "subject"));
	json_decref(row);
}

static int show(struct cli *cli)
{
	char name[MAILBOX_NAME_MAX + 1];
	struct place place;
	struct err e;
	int status;
	json_t *args;
	bool known;

	if (!full_name(cli, name, &e) || !maildirs_find(cli, name, &place, &known, &e))
		return cli_failed(cli, &e);
	if (place.kind == PLACE_MAILDIR)
		return maildirs_show(&place, cli->json ? json_print : print_file, &e) ? EXIT_GOOD : cli_failed(cli, &e);
	args = box_args(cli, name, &status);
	if (!args)
		return status;
	(void)json_object_set_new(args, "header", json_true());
	return over_list(cli, "mailbox.messages", args, print_message);
}

/* A Maildir that is not there is made only for an account that is. */
static bool move_files(struct cli *cli, const char *name, const struct place *lies, bool known, const char *place, bool import, uint64_t *count, struct err *e)
{
	char account[PATH_MAX];

	if (!import)
		return place_export(lies, cli->settings.state, place, count, e);
	(void)snprintf(account, sizeof account, "%.*s", (int)lies->account_len, lies->path);
	if (!known && access(account, F_OK) != 0)
		return err_set(e, ERR_CONFIG, "mailbox %.150s: there is neither such an account nor its Maildir %.200s; make one of them first", name, account);
	return place_import(lies, cli->settings.state, place, count, e);
}

static bool move(struct cli *cli, const char *name, const char *place, bool import, uint64_t *count, struct err *e)
{
	struct store *s = ask_store(cli->ask);
	struct mailbox *box;
	struct place lies;
	bool known;

	if (!maildirs_find(cli, name, &lies, &known, e))
		return false;
	if (lies.kind == PLACE_MAILDIR)
		return move_files(cli, name, &lies, known, place, import, count, e);
	if (!s)
		return import ? ask_import(cli->ask, name, place, count, e) : ask_export(cli->ask, name, place, count, e);
	return mailbox_open(s, name, import, &box, e) && (import ? mailbox_import(box, place, count, e) : mailbox_export(box, place, count, e));
}

static int move_all(struct cli *cli, bool import)
{
	const char *place = cli->args[2];
	char name[MAILBOX_NAME_MAX + 1];
	uint64_t count = 0;
	struct err e;

	if (!full_name(cli, name, &e) || !move(cli, name, place, import, &count, &e))
		return cli_failed(cli, &e);
	if (cli->json)
		json_print(json_pack("{s:o, s:o, s:o}", "mailbox", json_text(name), import ? "source" : "target", json_text(place),
			"messages", json_number(count)));
	else if (!cli->quiet)
		(void)printf("%s: %llu messages %s %s\n", name, (unsigned long long)count, import ? "imported from" : "exported to", place);
	return EXIT_GOOD;
}

static int export_box(struct cli *cli)
{
	return move_all(cli, false);
}

static int import_box(struct cli *cli)
{
	return move_all(cli, true);
}

static const struct verb verbs[] = {
	{ "list", 0, 0, "no name", list }, { "add", 1, 1, "one ACCOUNT/BOX", add }, { "show", 1, 1, "one ACCOUNT/BOX", show },
	{ "remove", 1, 1, "one ACCOUNT/BOX", remove_box }, { "export", 2, 2, "ACCOUNT/BOX and TARGET", export_box },
	{ "import", 2, 2, "ACCOUNT/BOX and SOURCE", import_box }, { .name = NULL },
};

static int run(struct cli *cli)
{
	if (cli->arg_count && strcmp(cli->args[0], "set") == 0) {
		(void)cli_usage(cli, "set is not built yet");
		return EXIT_FAILED;
	}
	return over_verbs(cli, verbs,
		"list, add ACCOUNT/BOX, show ACCOUNT/BOX, remove ACCOUNT/BOX, export ACCOUNT/BOX TARGET or import ACCOUNT/BOX SOURCE");
}

const struct command cmd_mailbox = {
	.name = "mailbox", .usage = "list | add BOX | show BOX | remove BOX | export BOX TARGET | import BOX SOURCE", .run = run,
	.does = "mailboxes of the store",
	.options = { { "with-messages", false }, { NULL, false } },
	.help = "BOX is ACCOUNT/BOX: anna/INBOX, anna@client1.com/lists/info.\n"
		"TARGET and SOURCE are maildir:DIR, mbox:FILE or eml:DIR; export never overwrites.\n"
		"Where an account's mail lies in a Maildir (account set NAME maildir=PATH), list, show, export and import read and fill that.\n"
		"  --with-messages  remove a mailbox that is not empty, with all mail in it\n",
};
