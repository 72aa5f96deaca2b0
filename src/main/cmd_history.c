/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "main/commands.h"
#include "main/say.h"

enum { ID_TEXT = 65, MOMENT = 21, PAGE = 500 };

struct moment_of {		/* an entry, by when it was first seen: RFC 3339 sorts as time does */
	char first_seen[MOMENT], id[ID_TEXT];
};

struct index_of {
	struct moment_of *list;
	size_t count, cap;
	bool full;
};

static int by_moment(const void *a, const void *b)
{
	const struct moment_of *one = a, *two = b;
	int order = strcmp(one->first_seen, two->first_seen);

	return order ? order : strcmp(one->id, two->id);
}

static bool take_entry(void *user, json_t *row)
{
	struct index_of *x = user;

	if (x->count == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : PAGE;
		struct moment_of *more = reallocarray(x->list, cap, sizeof *more);

		x->full = !more;
		if (!more)
			return false;
		x->list = more;
		x->cap = cap;
	}
	(void)snprintf(x->list[x->count].first_seen, MOMENT, "%s", json_member_text(row, "first_seen"));
	(void)snprintf(x->list[x->count++].id, ID_TEXT, "%s", json_member_text(row, "id"));
	return true;
}

/* The IDs of what is held of it: postrider held show ID. */
static void print_copies(const json_t *row)
{
	const json_t *id;
	size_t n;

	json_array_foreach(json_object_get(row, "copies"), n, id)
		(void)printf("%s%s", n ? " " : "  held as ", json_string_value(id));
}

static void print_line(const json_t *row)
{
	unsigned long long attempts = json_member_number(row, "attempts");
	const char *mailbox = json_member_text(row, "mailbox"), *uid = json_member_text(row, "uid"), *error = json_member_text(row, "error");
	const char *changed = json_member_text(row, "changed");

	(void)printf("%s  %-11s %10llu  %s%s%s  %s", *changed ? changed : "1970-01-01T00:00:00Z", json_member_text(row, "state"),
		(unsigned long long)json_member_number(row, "size"), json_member_text(row, "connection"), *mailbox ? "  " : "", mailbox,
		*uid ? uid : "-");
	print_copies(row);
	if (*error && attempts > 1)
		(void)printf("  %llu attempts", attempts);
	(void)printf("%s%s\n", *error ? "  " : "", error);
}

/* Up to a page of entries; *count is how many were looked at. */
static bool print_entries(struct cli *cli, const char *ledger, const struct moment_of *list, size_t *count, struct err *e)
{
	json_t *ids = json_array(), *args, *reply, *row;
	size_t n;

	for (n = 0; n < *count; n++)
		(void)json_array_append_new(ids, json_string(list[n].id));
	args = json_pack("{s:s, s:o}", "ledger", ledger, "ids", ids);
	if (!ask_call(cli->ask, "history.entries", args, &reply, e))
		return false;
	json_array_foreach(json_object_get(reply, "rows"), n, row)
		if (cli->json)
			json_print(json_incref(row));
		else
			print_line(row);
	n = (size_t)json_member_number(reply, "given");
	json_decref(reply);
	if (!n || n > *count)
		return err_set(e, ERR_PEER, "history.entries looked at %zu of %zu entries", n, *count);
	*count = n;
	return true;
}

struct walk {
	struct cli *cli;
	size_t ledgers;
	bool print, failed;
	struct err e;
};

static bool print_ledger(void *user, json_t *row)
{
	struct walk *w = user;
	const char *ledger = json_member_text(row, "ledger");
	struct index_of x = { 0 };
	bool good;

	w->ledgers++;
	if (!w->print)
		return false;
	good = ask_rows(w->cli->ask, "history.index", json_pack("{s:s}", "ledger", ledger), take_entry, &x, &w->e);
	if (good && x.full)
		good = err_set(&w->e, ERR_LOCAL, "out of memory");
	if (x.count)
		qsort(x.list, x.count, sizeof *x.list, by_moment);
	for (size_t n = 0, some; good && n < x.count; n += some) {
		some = x.count - n < PAGE ? x.count - n : PAGE;
		good = print_entries(w->cli, ledger, x.list + n, &some, &w->e);
	}
	free(x.list);
	w->failed = !good;
	return good;
}

/* Over the ledgers of one connection (NULL: of all), or is there any? */
static bool each_ledger(struct walk *w, const char *connection, struct err *e)
{
	json_t *args = connection ? json_pack("{s:s}", "connection", connection) : json_object();

	if (!args)
		return err_set(e, ERR_CONFIG, "the name of a connection is UTF-8");
	if (!ask_rows(w->cli->ask, "history.ledgers", args, print_ledger, w, e))
		return false;
	if (w->failed)
		*e = w->e;
	return !w->failed;
}

/* EXIT_GOOD: it is in the configuration, or something was collected by that name. */
static int known(struct cli *cli, const char *name)
{
	struct walk w = { .cli = cli };
	struct err e;

	if (settings_connection(&cli->settings, name))
		return EXIT_GOOD;
	if (!each_ledger(&w, name, &e))
		return cli_failed(cli, &e);
	return w.ledgers ? EXIT_GOOD : cli_usage(cli, "there is no connection %s, and nothing was ever collected by that name", name);
}

static int run_history(struct cli *cli)
{
	const char *wanted = cli->arg_count ? cli->args[0] : NULL;
	struct walk w = { .cli = cli, .print = true };
	struct err e;
	int status;

	if (cli->arg_count > 1)
		return cli_usage(cli, "takes one connection at most");
	status = over_open(cli);
	if (status == EXIT_GOOD && wanted)
		status = known(cli, wanted);
	if (status != EXIT_GOOD)
		return status;
	return each_ledger(&w, wanted, &e) ? EXIT_GOOD : cli_failed(cli, &e);
}

static bool forget(struct cli *cli, const char *connection, struct err *e)
{
	json_t *reply;

	if (!ask_call(cli->ask, "history.forget", json_pack("{s:s}", "connection", connection), &reply, e))
		return false;
	if (!cli->quiet && json_member_number(reply, "kept"))
		(void)printf("%s: %llu entries forgotten; the next visit takes everything on the server as new, but for %llu that are held: "
			"postrider held list %s\n", connection, (unsigned long long)json_member_number(reply, "entries"),
			(unsigned long long)json_member_number(reply, "kept"), connection);
	else if (!cli->quiet)
		(void)printf("%s: %llu entries forgotten; the next visit takes everything on the server as new\n", connection,
			(unsigned long long)json_member_number(reply, "entries"));
	json_decref(reply);
	return true;
}

static int run_rescan(struct cli *cli)
{
	struct err e;
	int status;

	if (!cli->arg_count)
		return cli_usage(cli, "name the connections whose ledger is to be forgotten");
	status = over_open(cli);
	for (size_t n = 0; n < cli->arg_count && status == EXIT_GOOD; n++) {
		status = known(cli, cli->args[n]);
		if (status == EXIT_GOOD && !forget(cli, cli->args[n], &e))
			status = cli_failed(cli, &e);
	}
	return status;
}

const struct command cmd_history = {
	.name = "history", .usage = "[NAME] [--json]", .run = run_history, .does = "what was collected, and how far each message came",
	.help = "One line a message: when its state changed, state, octets, connection, unique-id, the IDs of what is held of it, attempts, last error.\n"
		"States: pending (not every target has it), held (a target takes it later: postrider held), refused (on_refused = keep: nobody is\n"
		"asked before postrider retry NAME), accepted, quarantined (accepted, but a target refused it: postrider held list NAME), disposing\n"
		"(asked to be deleted, moved or marked), seen (marked as read on the server), gone (no longer on the server), skipped (never\n"
		"fetched), shared (no message: an id that stood for several at once, and tells nothing any more).  Entries are kept for 30 days after `gone`.\n",
};

const struct command cmd_rescan = {
	.name = "rescan", .usage = "NAME…", .run = run_rescan, .does = "forget what was seen: all mail on the server is new again",
	.help = "Messages that are held for this connection, waiting, failed or quarantined, stay known: they are neither fetched again nor\n"
		"delivered twice.  postrider held list NAME names them; what is removed there first is forgotten, too.\n",
};
