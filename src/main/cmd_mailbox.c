/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/json.h"
#include "store/account.h"
#include "store/exchange.h"
#include "wire/header.h"

enum { PAGE = 256, SUBJECT_MAX = 80 };

/* ACCOUNT/BOX, the account by the rules for accounts (main_domain, case). */
static bool full_name(struct cli *cli, const char *given, char out[MAILBOX_NAME_MAX + 1], struct err *e)
{
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

static int list(struct cli *cli, const char *name)
{
	char box_name[MAILBOX_NAME_MAX + 1] = "";
	struct mailbox *box;
	struct err e;

	(void)name;
	while (mailbox_each(cli->store, box_name)) {
		if (!mailbox_open(cli->store, box_name, false, &box, &e))
			return cli_failed(cli, &e);
		if (cli->json)
			json_print(json_pack("{s:s, s:I, s:I}", "mailbox", box_name, "messages", (json_int_t)mailbox_count(box),
				"octets", (json_int_t)mailbox_bytes(box)));
		else
			(void)printf("%s  %llu messages  %llu octets\n", box_name, (unsigned long long)mailbox_count(box),
				(unsigned long long)mailbox_bytes(box));
	}
	return EXIT_GOOD;
}

static int add(struct cli *cli, const char *name)
{
	struct err e;

	if (!mailbox_add(cli->store, name, &e))
		return cli_failed(cli, &e);
	if (!cli->quiet)
		(void)printf("mailbox %s added\n", name);
	return EXIT_GOOD;
}

static int remove_box(struct cli *cli, const char *name)
{
	struct mailbox *box;
	struct err e;

	if (!mailbox_open(cli->store, name, false, &box, &e))
		return cli_failed(cli, &e);
	if (mailbox_count(box) && !cli_option(cli, "with-messages")) {
		(void)err_set(&e, ERR_CONFIG, "mailbox %s has %llu messages; --with-messages removes them with it", name,
			(unsigned long long)mailbox_count(box));
		return cli_failed(cli, &e);
	}
	if (!mailbox_destroy(cli->store, name, clock_now_s(), &e))
		return cli_failed(cli, &e);
	if (!cli->quiet)
		(void)printf("mailbox %s removed\n", name);
	return EXIT_GOOD;
}

struct first_piece {
	char from[SUBJECT_MAX], subject[SUBJECT_MAX];
	bool seen;
};

static bool look(void *user, struct span octets)
{
	struct first_piece *p = user;
	struct span value;

	if (p->seen)
		return false;
	p->seen = true;
	if (header_find(octets, "From", &value))
		header_value(value, p->from, sizeof p->from);
	if (header_find(octets, "Subject", &value))
		header_value(value, p->subject, sizeof p->subject);
	return false;		/* the header is in the first piece, or of no use here */
}

static void show_entry(struct cli *cli, struct mailbox *box, const struct mailbox_entry *entry, uint64_t number)
{
	char uid[MAILBOX_UID_TEXT], arrived[MOMENT_TEXT];
	struct first_piece head = { .seen = false };
	struct err e;

	(void)!mailbox_read(box, entry->uid, look, &head, &e);
	(void)mailbox_uid(box, entry, uid);
	(void)moment_text(entry->arrived, arrived);
	if (cli->json)
		json_print(json_pack("{s:I, s:s, s:I, s:s, s:b, s:o, s:o}", "number", (json_int_t)number, "uid", uid,
			"octets", (json_int_t)entry->size, "arrived", arrived, "seen", (entry->flags & MAILBOX_SEEN) != 0,
			"from", json_text(head.from), "subject", json_text(head.subject)));
	else
		(void)printf("%6llu  %s  %10llu  %s  %s  %s\n", (unsigned long long)number, uid, (unsigned long long)entry->size,
			arrived, head.from, head.subject);
}

static int show(struct cli *cli, const char *name)
{
	struct mailbox_entry page[PAGE];
	struct mailbox *box;
	struct err e;
	size_t got;

	if (!mailbox_open(cli->store, name, false, &box, &e))
		return cli_failed(cli, &e);
	for (uint64_t from = 0; (got = mailbox_entries(box, from, page, PAGE)); from += got)
		for (size_t n = 0; n < got; n++)
			show_entry(cli, box, &page[n], from + n + 1);
	return EXIT_GOOD;
}

static int move_all(struct cli *cli, const char *name, const char *place, bool import)
{
	struct mailbox *box;
	uint64_t count = 0;
	struct err e;

	if (!mailbox_open(cli->store, name, import, &box, &e) ||
	    !(import ? mailbox_import(box, place, &count, &e) : mailbox_export(box, place, &count, &e)))
		return cli_failed(cli, &e);
	if (cli->json)
		json_print(json_pack("{s:s, s:s, s:I}", "mailbox", name, import ? "source" : "target", place,
			"messages", (json_int_t)count));
	else if (!cli->quiet)
		(void)printf("%s: %llu messages %s %s\n", name, (unsigned long long)count, import ? "imported from" : "exported to", place);
	return EXIT_GOOD;
}

static const struct verb {
	const char *name;
	size_t args;
} verbs[] = { { "list", 0 }, { "add", 1 }, { "show", 1 }, { "export", 2 }, { "import", 2 }, { "remove", 1 } };

static int run_verb(struct cli *cli, const char *verb, const char *name)
{
	switch (verb[0]) {
	case 'l':
		return list(cli, name);
	case 'a':
		return add(cli, name);
	case 's':
		return show(cli, name);
	case 'r':
		return remove_box(cli, name);
	default:
		return move_all(cli, name, cli->args[2], verb[0] == 'i');
	}
}

static int run(struct cli *cli)
{
	const char *given = cli->arg_count ? cli->args[0] : "";
	char name[MAILBOX_NAME_MAX + 1] = "";
	const struct verb *verb = NULL;
	struct err e;
	int status;

	for (size_t n = 0; n < COUNT(verbs); n++)
		if (strcmp(verbs[n].name, given) == 0)
			verb = &verbs[n];
	if (strcmp(given, "set") == 0) {
		(void)cli_usage(cli, "%s is not built yet", given);
		return EXIT_FAILED;
	}
	if (!verb || cli->arg_count != verb->args + 1)
		return cli_usage(cli, "say list, add ACCOUNT/BOX, show ACCOUNT/BOX, remove ACCOUNT/BOX, export ACCOUNT/BOX TARGET or import ACCOUNT/BOX SOURCE");
	status = cli_settings(cli, false);
	if (status != EXIT_GOOD)
		return status;
	if (verb->args && !full_name(cli, cli->args[1], name, &e))
		return cli_failed(cli, &e);
	status = cli_store(cli);
	return status == EXIT_GOOD ? run_verb(cli, verb->name, name) : status;
}

const struct command cmd_mailbox = {
	.name = "mailbox", .usage = "list | add BOX | show BOX | remove BOX | export BOX TARGET | import BOX SOURCE", .run = run,
	.does = "mailboxes of the store",
	.options = { { "with-messages", false }, { NULL, false } },
	.help = "BOX is ACCOUNT/BOX: anna/INBOX, anna@client1.com/lists/info.\n"
		"TARGET and SOURCE are maildir:DIR, mbox:FILE or eml:DIR; export never overwrites.\n"
		"  --with-messages  remove a mailbox that is not empty, with all mail in it\n",
};
