/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/json.h"
#include "store/ledger.h"
#include "wire/utf7.h"

enum { DIGEST_TEXT = 65 };

struct moment_of {		/* an entry, by when it was first seen */
	int64_t first_seen;
	uint8_t id[32];
};

static int by_moment(const void *a, const void *b)
{
	const struct moment_of *one = a, *two = b;
	int order = (one->first_seen > two->first_seen) - (one->first_seen < two->first_seen);

	return order ? order : memcmp(one->id, two->id, sizeof one->id);
}

static void hex(const uint8_t digest[32], char out[DIGEST_TEXT])
{
	for (size_t n = 0; n < 32; n++)
		(void)snprintf(out + 2 * n, 3, "%02x", digest[n]);
}

static json_t *moment_json(int64_t when)
{
	char text[MOMENT_TEXT];

	return when ? json_string(moment_text(when, text)) : json_null();
}

static json_t *mailbox_json(const char *mailbox)
{
	char shown[LEDGER_MAILBOX_MAX * 3];

	utf7_show(span_of(mailbox), shown, sizeof shown);
	return mailbox[0] ? json_text(shown) : json_null();
}

static void print_json(const struct ledger_name *of, const struct ledger_entry *entry)
{
	char digest[DIGEST_TEXT] = "";

	if (entry->has_digest)
		hex(entry->digest, digest);
	json_print(json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:s, s:o, s:o, s:o, s:o}", "connection", of->connection,
		"mailbox", mailbox_json(of->mailbox), "uid", json_text(entry->uid), "state", ledger_state_name(entry->state), "size", (json_int_t)entry->size,
		"attempts", (json_int_t)entry->attempts, "sha256", digest, "first_seen", moment_json(entry->first_seen),
		"changed", moment_json(entry->changed), "accepted", moment_json(entry->accepted), "error", json_text(entry->error)));
}

static void print_line(const struct ledger_name *of, const struct ledger_entry *entry)
{
	char when[MOMENT_TEXT], mailbox[LEDGER_MAILBOX_MAX * 3];

	utf7_show(span_of(of->mailbox), mailbox, sizeof mailbox);
	(void)printf("%s  %-11s %10llu  %s%s%s  %s%s%s\n", moment_text(entry->changed, when), ledger_state_name(entry->state),
		(unsigned long long)entry->size, of->connection, mailbox[0] ? "  " : "", mailbox, entry->uid[0] ? entry->uid : "-",
		entry->error[0] ? "  " : "", entry->error);
}

static bool print_ledger(struct cli *cli, const struct ledger_name *name, struct err *e)
{
	struct moment_of *order;
	struct ledger_entry entry;
	struct ledger *l;
	size_t count = 0;
	uint64_t most;

	if (!ledger_open(cli->store, name->connection, name->mailbox, &l, e))
		return false;
	most = ledger_count(l);
	order = reallocarray(NULL, (size_t)most + 1, sizeof *order);
	if (!order)
		return err_set(e, ERR_LOCAL, "out of memory");
	for (const uint8_t *after = NULL; count < most && ledger_next(l, after, &entry); after = entry.id) {
		order[count].first_seen = entry.first_seen;
		memcpy(order[count++].id, entry.id, sizeof entry.id);
	}
	qsort(order, count, sizeof *order, by_moment);
	for (size_t n = 0; n < count; n++) {
		if (!ledger_get(l, order[n].id, &entry) || entry.state == LEDGER_ALIAS)
			continue;
		if (cli->json)
			print_json(name, &entry);
		else
			print_line(name, &entry);
	}
	free(order);
	return true;
}

static bool has_ledger(struct cli *cli, const char *wanted)
{
	struct ledger_name name = { 0 };

	return ledger_each(cli->store, wanted, &name);
}

static int open_all(struct cli *cli)
{
	int status = cli_settings(cli, false);

	return status == EXIT_GOOD ? cli_store(cli) : status;
}

static int run_history(struct cli *cli)
{
	const char *wanted = cli->arg_count ? cli->args[0] : NULL;
	struct ledger_name name = { 0 };
	struct err e;
	int status;

	if (cli->arg_count > 1)
		return cli_usage(cli, "takes one connection at most");
	status = open_all(cli);
	if (status != EXIT_GOOD)
		return status;
	if (wanted && !has_ledger(cli, wanted) && !settings_connection(&cli->settings, wanted))
		return cli_usage(cli, "there is no connection %s, and nothing was ever collected by that name", wanted);
	while (ledger_each(cli->store, wanted, &name))
		if (!print_ledger(cli, &name, &e))
			return cli_failed(cli, &e);
	return EXIT_GOOD;
}

static bool forget_all(struct cli *cli, const char *connection, uint64_t *count, struct err *e)
{
	struct ledger_name name = { 0 };
	struct ledger *l;

	while (ledger_each(cli->store, connection, &name)) {
		if (!ledger_open(cli->store, name.connection, name.mailbox, &l, e))
			return false;
		*count += ledger_count(l);
		if (!ledger_forget(l, e))
			return false;
	}
	return true;
}

static bool forget(struct cli *cli, const char *connection, struct err *e)
{
	struct store_lock *lock = NULL;
	uint64_t count = 0;
	bool good;

	if (!store_lock_take(cli->store, connection, &lock, e))
		return false;
	good = forget_all(cli, connection, &count, e);
	store_lock_drop(&lock);
	if (good && !cli->quiet)
		(void)printf("%s: %llu entries forgotten; the next visit takes everything on the server as new\n", connection,
			(unsigned long long)count);
	return good;
}

static int run_rescan(struct cli *cli)
{
	struct err e;
	int status;

	if (!cli->arg_count)
		return cli_usage(cli, "name the connections whose ledger is to be forgotten");
	status = open_all(cli);
	if (status != EXIT_GOOD)
		return status;
	for (size_t n = 0; n < cli->arg_count; n++) {
		const char *name = cli->args[n];

		if (!has_ledger(cli, name) && !settings_connection(&cli->settings, name))
			return cli_usage(cli, "there is no connection %s, and nothing was ever collected by that name", name);
		if (!forget(cli, name, &e))
			return cli_failed(cli, &e);
	}
	return EXIT_GOOD;
}

const struct command cmd_history = {
	.name = "history", .usage = "[NAME] [--json]", .run = run_history, .does = "what was collected, and how far each message came",
	.help = "One line a message: when its state changed, state, octets, connection, unique-id, last error.\n"
		"States: pending (not every target has it), accepted, disposing (asked to be deleted, moved or marked), seen\n"
		"(marked as read on the server), gone (no longer on the server), skipped (never fetched).  Entries are kept for 30 days after `gone`.\n",
};

const struct command cmd_rescan = {
	.name = "rescan", .usage = "NAME…", .run = run_rescan, .does = "forget what was seen: all mail on the server is new again",
};
