/* SPDX-License-Identifier: Apache-2.0
 * postrider rescan: what was seen is forgotten, of a connection or of one mailbox */
#include <stdio.h>

#include "main/commands.h"
#include "main/ledgers.h"
#include "main/say.h"

static void tell(const struct cli *cli, const char *connection, const json_t *reply)
{
	unsigned long long forgotten = json_member_number(reply, "entries"), kept = json_member_number(reply, "kept");
	const char *mailbox = cli_option(cli, "mailbox");

	if (cli->quiet)
		return;
	(void)printf("%s: %llu entries forgotten; the next visit takes everything %s%s as new", connection, forgotten,
		mailbox ? "in " : "on the server", mailbox ? mailbox : "");
	if (kept)
		(void)printf(", but for %llu that are held: postrider held list %s", kept, connection);
	(void)putchar('\n');
}

static bool forget(struct cli *cli, const char *connection, const char *ledger, struct err *e)
{
	json_t *args = ledger ? json_pack("{s:s, s:s}", "connection", connection, "ledger", ledger) : json_pack("{s:s}", "connection", connection), *reply;

	if (!ask_call(cli->ask, "history.forget", args, &reply, e))
		return false;
	tell(cli, connection, reply);
	json_decref(reply);
	return true;
}

/* One of its mailboxes, as history names it. */
static int forget_mailbox(struct cli *cli, const char *connection, const char *mailbox)
{
	const char *found = NULL;
	struct ledgers l;
	struct err e;
	int status;

	if (!ledgers_read(cli, connection, &l, &e))
		return cli_failed(cli, &e);
	for (size_t n = 0; n < l.count && !found; n++)
		if (l.all[n].mailbox && (strcmp(l.all[n].mailbox, mailbox) == 0 || (strcasecmp(mailbox, "INBOX") == 0 && strcmp(l.all[n].mailbox, "INBOX") == 0)))
			found = l.all[n].token;
	if (!found)
		status = cli_usage(cli, "of connection %s nothing was ever collected from a mailbox %.200s; postrider history %s names them", connection, mailbox,
			connection);
	else
		status = forget(cli, connection, found, &e) ? EXIT_GOOD : cli_failed(cli, &e);
	ledgers_end(&l);
	return status;
}

static int run(struct cli *cli)
{
	const char *mailbox = cli_option(cli, "mailbox");
	struct err e;
	int status;

	if (!cli->arg_count)
		return cli_usage(cli, "name the connections whose ledger is to be forgotten");
	if (mailbox && cli->arg_count > 1)
		return cli_usage(cli, "takes one connection with --mailbox");
	status = over_open(cli);
	for (size_t n = 0; n < cli->arg_count && status == EXIT_GOOD; n++) {
		status = ledgers_known(cli, cli->args[n]);
		if (status == EXIT_GOOD && mailbox)
			status = forget_mailbox(cli, cli->args[n], mailbox);
		else if (status == EXIT_GOOD && !forget(cli, cli->args[n], NULL, &e))
			status = cli_failed(cli, &e);
	}
	return status;
}

const struct command cmd_rescan = {
	.name = "rescan", .usage = "NAME… | NAME --mailbox BOX", .run = run, .does = "forget what was seen: all mail on the server is new again",
	.options = { { "mailbox", true }, { NULL, false } },
	.help = "  --mailbox BOX  only what was collected from this one (imap)\n"
		"Messages that are held for this connection, waiting, failed or quarantined, stay known: they are neither fetched again nor\n"
		"delivered twice.  postrider held list NAME names them; what is removed there first is forgotten, too.\n",
};
