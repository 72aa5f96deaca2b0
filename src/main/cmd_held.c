/* SPDX-License-Identifier: Apache-2.0
 * postrider held and retry: messages that their target has not taken yet, or never will */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "main/commands.h"
#include "main/held_view.h"
#include "main/say.h"

enum { SIZE_TEXT = 32, TEXT = 1200 };

/* What came with a message is no order to a terminal. */
static const char *shown(const json_t *row, const char *member, char out[TEXT])
{
	(void)snprintf(out, TEXT, "%s", json_member_text(row, member));
	text_clean(out, strlen(out));
	return out;
}

/* Why the configuration, as it is, lets nobody try it, whatever its record says; NULL: somebody does.  Of what was submitted its
 * record says it. */
static const char *untried(const struct cli *cli, const json_t *row, char out[TEXT])
{
	const char *name = json_member_text(row, "connection"), *target = json_member_text(row, "target");
	const struct connection *c = settings_connection(&cli->settings, name);

	if (!*name || strcmp(json_member_text(row, "state"), "quarantined") == 0)
		return NULL;
	for (size_t n = 0; c && n < c->deliver_count; n++)
		if (strcmp(c->deliver[n]->name, target) == 0)
			return NULL;
	if (!c)
		(void)snprintf(out, TEXT, "the configuration has no connection %.150s", name);
	else
		(void)snprintf(out, TEXT, "target %.500s is not in `deliver` of %.150s", target, name);
	text_clean(out, strlen(out));
	return out;
}

static void print_line(const struct cli *cli, const json_t *row)
{
	char size[SIZE_TEXT], sender[TEXT], id[TEXT], limbo[TEXT];
	const char *why = untried(cli, row, limbo), *connection = json_member_text(row, "connection");
	const char *next = why ? "" : json_member_text(row, "next");
	const char *uid = shown(row, "uid", id);

	if (!why)
		why = json_member_text(row, "why");
	(void)printf("%s  %s  %s to %s%s%s  from <%s>, %llu recipients, %s  since %s, %llu attempts%s%s%s%s\n", json_member_text(row, "id"),
		json_member_text(row, "state"), *connection ? connection : json_member_text(row, "account"), json_member_text(row, "target"),
		*uid ? "  " : "", uid, shown(row, "sender", sender), (unsigned long long)json_member_number(row, "recipients"),
		say_size(json_member_number(row, "octets"), size, sizeof size), json_member_text(row, "since"),
		(unsigned long long)json_member_number(row, "attempts"), *next ? ", next " : "", next, *why ? "  " : "", why);
}

static json_t *text_arg(json_t *args, const char *name, const char *text)
{
	if (args && text && json_object_set_new(args, name, json_string(text)) != 0) {
		json_decref(args);
		return NULL;
	}
	return args;
}

/* ---- what is held nowhere: it waits at its server */

static bool take_row(void *user, json_t *row)
{
	return json_array_append(user, row) == 0;
}

/* Of each connection's ledgers, which come one behind the other. */
static bool say_waiting(struct cli *cli, const json_t *ledgers, struct err *e)
{
	unsigned long long count = 0;
	const json_t *row;
	size_t n;

	json_array_foreach(ledgers, n, row) {
		const char *name = json_member_text(row, "connection"), *next = json_member_text(json_array_get(ledgers, n + 1), "connection");
		json_t *reply;

		if (!ask_call(cli->ask, "history.waiting", json_pack("{s:O}", "ledger", json_object_get(row, "ledger")), &reply, e))
			return false;
		count += json_member_number(reply, "messages");
		json_decref(reply);
		if (strcmp(name, next) == 0)
			continue;
		if (count)
			(void)printf("%s: %llu message%s at the server: refused, for nobody (no_recipient), or removed here; postrider retry %s asks for them again\n",
				name, count, count == 1 ? " waits" : "s wait", name);
		count = 0;
	}
	return true;
}

static int say_elsewhere(struct cli *cli, const char *connection)
{
	json_t *ledgers = json_array(), *args = text_arg(json_object(), "connection", connection);
	struct err e;
	bool good;

	if (cli->json || cli->quiet || !ledgers || !args) {
		json_decref(ledgers);
		json_decref(args);
		return EXIT_GOOD;
	}
	good = ask_rows(cli->ask, "history.ledgers", args, take_row, ledgers, &e) && say_waiting(cli, ledgers, &e);
	json_decref(ledgers);
	return good ? EXIT_GOOD : cli_failed(cli, &e);
}

static bool take_line(void *user, json_t *row)
{
	const struct cli *cli = user;

	if (cli->json)
		json_print(json_incref(row));
	else
		print_line(cli, row);
	return true;
}

static int list(struct cli *cli)
{
	const char *connection = cli->arg_count > 1 ? cli->args[1] : NULL;
	json_t *args = text_arg(text_arg(json_object(), "connection", connection), "state", cli_option(cli, "status"));
	struct err e;

	if (!args)
		return cli_usage(cli, "a name is UTF-8");
	if (!ask_rows(cli->ask, "held.list", args, take_line, cli, &e))
		return cli_failed(cli, &e);
	return cli_option(cli, "status") ? EXIT_GOOD : say_elsewhere(cli, connection);
}

static int remove_held(struct cli *cli)
{
	return over_do(cli, "held.remove", over_args(cli, "id", cli->args[1]), "%s removed", cli->args[1]);
}

static int show(struct cli *cli)
{
	return held_view(cli, cli->args[1]);
}

/* ---- again */

struct again {
	struct cli *cli;
	const char *connection;		/* NULL: whatever is held */
	json_t *ids, *ledgers;		/* the list first: what is asked for again would else come again in it */
	size_t held, refused, untried;
	char why[TEXT];			/* the last of those is not tried */
	bool running, brought;		/* brought: by a connection, some of them */
};

static bool take_id(void *user, json_t *row)
{
	struct again *a = user;

	if (strcmp(json_member_text(row, "state"), "quarantined") == 0)
		return true;
	if (!untried(a->cli, row, a->why))
		return json_array_append(a->ids, json_object_get(row, "id")) == 0;
	a->untried++;
	return true;
}

static bool take_ledger(void *user, json_t *row)
{
	struct again *a = user;

	return json_array_append(a->ledgers, json_object_get(row, "ledger")) == 0;
}

static bool retry_one(struct again *a, const char *op, const char *id, struct err *e)
{
	json_t *args = json_pack("{s:s}", "id", id), *reply;

	if (!args)
		return err_set(e, ERR_CONFIG, "an ID is UTF-8");
	if (!ask_call(a->cli->ask, op, args, &reply, e))
		return false;
	a->running = json_member_flag(reply, "running");
	a->brought = a->brought || *json_member_text(reply, "connection");
	a->held++;
	json_decref(reply);
	return true;
}

/* It is to be tried, even where nobody can as the configuration is; then that is said. */
static bool retry_this(struct again *a, const char *id, struct err *e)
{
	json_t *row;

	if (!retry_one(a, "held.retry", id, e))
		return false;
	if (!ask_call(a->cli->ask, "held.show", json_pack("{s:s}", "id", id), &row, e))
		return true;		/* it was delivered meanwhile */
	a->untried = untried(a->cli, row, a->why) != NULL;
	a->held -= a->untried;
	json_decref(row);
	return true;
}

static bool retry_held(struct again *a, struct err *e)
{
	json_t *args = text_arg(json_object(), "connection", a->connection);
	const json_t *id;
	size_t n;

	if (!args || !ask_rows(a->cli->ask, "held.list", args, take_id, a, e))
		return args ? false : err_set(e, ERR_CONFIG, "a name is UTF-8");
	json_array_foreach(a->ids, n, id)
		if (!retry_one(a, "held.retry", json_string_value(id), e) && e->kind != ERR_CONFIG)	/* CONFIG: it was delivered meanwhile */
			return false;
	return true;
}

/* What targets refused is at the server still, and its ledger knows. */
static bool retry_refused(struct again *a, struct err *e)
{
	const json_t *ledger;
	size_t n;

	if (!ask_rows(a->cli->ask, "history.ledgers", text_arg(json_object(), "connection", a->connection), take_ledger, a, e))
		return false;
	json_array_foreach(a->ledgers, n, ledger) {
		json_t *reply;

		if (!ask_call(a->cli->ask, "history.again", json_pack("{s:O}", "ledger", ledger), &reply, e))
			return false;
		a->refused += json_member_number(reply, "messages");
		json_decref(reply);
	}
	return true;
}

static const char *plural(size_t count)
{
	return count == 1 ? " is" : "s are";
}

static int say_again(const struct again *a)
{
	const char *without = a->brought ? "with the next postrider collect or run" : "with the next start of postrider run";

	if (a->cli->quiet)
		return EXIT_GOOD;
	if (a->held)
		(void)printf("%zu held message%s tried %s\n", a->held, plural(a->held), a->running ? "now" : without);
	if (a->untried)
		(void)printf("%zu held message%s not tried: %s\n", a->untried, plural(a->untried), a->why);
	if (a->refused)
		(void)printf("%zu refused message%s fetched and tried again by the next visit of %s\n", a->refused, plural(a->refused), a->connection);
	if (a->untried)
		return EXIT_GOOD;
	if (!a->held && !a->refused && a->connection)
		(void)printf("no message of %s is held or refused\n", a->connection);
	else if (!a->held && !a->refused)
		(void)printf("no message is held\n");
	return EXIT_GOOD;
}

static bool is_id(const char *text)
{
	return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
}

/* A connection of the configuration may have the name of an ID; then it is meant. */
static int again(struct cli *cli, const char *what)
{
	struct again a = { .cli = cli, .ids = json_array(), .ledgers = json_array() };
	struct err e;
	bool good = a.ids && a.ledgers, named = what && (settings_connection(&cli->settings, what) || !is_id(what));

	if (!good) {
		(void)err_set(&e, ERR_LOCAL, "out of memory");
	} else if (what && !named) {
		good = retry_this(&a, what, &e);
	} else {
		a.connection = what;
		good = retry_held(&a, &e) && (!named || retry_refused(&a, &e));
		if (good && named && !json_array_size(a.ledgers) && !a.held && !settings_connection(&cli->settings, what))
			good = err_set(&e, ERR_CONFIG, "%.100s is neither a held message nor a connection: postrider held list", what);
	}
	json_decref(a.ids);
	json_decref(a.ledgers);
	if (!good)
		return cli_failed(cli, &e);
	(void)say_again(&a);
	return what ? EXIT_GOOD : say_elsewhere(cli, NULL);
}

static int retry(struct cli *cli)
{
	return again(cli, cli->arg_count > 1 ? cli->args[1] : NULL);
}

static int release(struct cli *cli)
{
	struct again a = { .cli = cli, .connection = "" };
	struct err e;

	return retry_one(&a, "held.release", cli->args[1], &e) ? say_again(&a) : cli_failed(cli, &e);
}

static const struct verb verbs[] = {
	{ "list", 0, 1, "at most one connection", list }, { "release", 1, 1, "one ID", release }, { "remove", 1, 1, "one ID", remove_held },
	{ "retry", 0, 1, "at most one connection or ID", retry }, { "show", 1, 1, "one ID", show }, { .name = NULL },
};

static int run_held(struct cli *cli)
{
	return over_verbs(cli, verbs, "list [NAME], show ID, retry [NAME|ID], release ID or remove ID");
}

static int run_retry(struct cli *cli)
{
	int status;

	if (cli->arg_count > 1)
		return cli_usage(cli, "takes at most one connection or ID: postrider held list");
	status = over_open(cli);
	return status == EXIT_GOOD ? again(cli, cli->arg_count ? cli->args[0] : NULL) : status;
}

const struct command cmd_held = {
	.name = "held", .usage = "list [NAME] [--status STATE] | show ID [--raw | --output FILE] | retry [NAME|ID] | release ID | remove ID",
	.run = run_held, .does = "messages that their target has not taken yet, or refused",
	.options = { { "status", true }, { "raw", false }, { "output", true }, { NULL, false } },
	.help = "A message whose target cannot take it now is held, and tried again after 1, 5, 15 and 60 minutes, then every 4 hours: what a\n"
		"connection brought, and submitted ones (XTND XMIT).  After 5 days it has failed, and stays until it is removed or tried\n"
		"again; so has a submitted one after a refusal.  What a connection's target refuses is quarantined, if on_refused says so.\n"
		"  list [NAME]      all of them, or those of this connection, with their IDs; --status waiting, failed or quarantined\n"
		"  show ID          what is known of it, and its header\n"
		"    --raw          the message itself; on a terminal with '?' for what is no text\n"
		"    --output FILE  the message into a new file\n"
		"  retry [NAME|ID]  try this one, those of this connection, or all, now (postrider retry)\n"
		"  release ID       of a quarantined one: try it again at its target; a refusal quarantines it again\n"
		"  remove ID        throw it away; a message that waited stays at the server, as refused: postrider retry NAME fetches it again\n",
};

const struct command cmd_retry = {
	.name = "retry", .usage = "[NAME|ID]", .run = run_retry, .does = "try held messages again",
	.help = "All messages that wait or have failed; or the one with this ID; or those of this connection, and what its targets refused\n"
		"(on_refused = keep) or is for nobody (no_recipient = hold), which the next visit fetches again.\n"
		"Quarantined ones: postrider held release ID.\n",
};
