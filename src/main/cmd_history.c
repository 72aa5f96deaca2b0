/* SPDX-License-Identifier: Apache-2.0
 * postrider history: entries of ledgers, in the order in which messages were first seen, in bounded memory */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "collect/visit.h"
#include "config/value.h"
#include "control/api.h"
#include "main/commands.h"
#include "main/history_order.h"
#include "main/ledgers.h"
#include "main/say.h"

enum { ID_TEXT = 65, PAGE = API_ROWS_MAX, WINDOW = 65536, TAG_TEXT = 17 };
#define LIMIT_MAX UINT64_C(1000000000000)

struct history {
	struct cli *cli;
	struct ledgers ledgers;
	json_t *filters;		/* arguments of history.index */
	int64_t since, until;		/* until 0 = no end */
	uint64_t limit;			/* UINT64_MAX = none */
	struct order order;
};

/* ---- printing */

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

static const char *id_text(const struct order_key *key, char out[ID_TEXT])
{
	for (size_t n = 0; n < sizeof key->id; n++)
		(void)snprintf(out + 2 * n, 3, "%02x", key->id[n]);
	return out;
}

/* Rows come in the order of the ids that were asked for, without those that are gone meanwhile. */
static void take_rows(const struct order_key *keys, size_t count, uint32_t ledger, const json_t *reply, json_t *rows[PAGE])
{
	char id[ID_TEXT];
	size_t at = 0, n;
	json_t *row;

	json_array_foreach(json_object_get(reply, "rows"), n, row) {
		while (at < count && (keys[at].ledger != ledger || strcmp(id_text(&keys[at], id), json_member_text(row, "id")) != 0))
			at++;
		if (at < count)
			rows[at++] = json_incref(row);
	}
}

/* Of those of one ledger, from number `from` on; a page may be full before all are told. */
static bool ask_entries(struct history *h, const struct order_key *keys, size_t count, size_t from, json_t *rows[PAGE], struct err *e)
{
	const char *ledger = h->ledgers.all[keys[from].ledger].token;
	json_t *ids = json_array(), *reply;
	char id[ID_TEXT];
	size_t given;

	for (size_t n = from; n < count; n++)
		if (keys[n].ledger == keys[from].ledger)
			(void)json_array_append_new(ids, json_string(id_text(&keys[n], id)));
	while (json_array_size(ids)) {
		if (!ask_call(h->cli->ask, "history.entries", json_pack("{s:s, s:O}", "ledger", ledger, "ids", ids), &reply, e)) {
			json_decref(ids);
			return false;
		}
		take_rows(keys, count, keys[from].ledger, reply, rows);
		given = (size_t)json_member_number(reply, "given");
		json_decref(reply);
		if (!given) {
			json_decref(ids);
			return err_set(e, ERR_PEER, "history.entries looked at none");
		}
		while (given-- && json_array_size(ids))
			(void)json_array_remove(ids, 0);
	}
	json_decref(ids);
	return true;
}

static bool first_of_its_ledger(const struct order_key *keys, size_t n)
{
	for (size_t before = 0; before < n; before++)
		if (keys[before].ledger == keys[n].ledger)
			return false;
	return true;
}

/* At most a page. */
static bool print_page(struct history *h, const struct order_key *keys, size_t count, struct err *e)
{
	json_t *rows[PAGE] = { NULL };
	bool good = true;

	for (size_t n = 0; n < count && good; n++)
		if (first_of_its_ledger(keys, n))
			good = ask_entries(h, keys, count, n, rows, e);
	for (size_t n = 0; n < count; n++) {
		if (good && rows[n] && h->cli->json)
			json_print(json_incref(rows[n]));
		else if (good && rows[n])
			print_line(rows[n]);
		json_decref(rows[n]);
	}
	return good;
}

static bool print_window(struct history *h, size_t count, struct err *e)
{
	for (size_t n = 0, some; n < count; n += some) {
		some = count - n < PAGE ? count - n : PAGE;
		if (!print_page(h, h->order.keys + n, some, e))
			return false;
	}
	return true;
}

/* ---- order */

static void set_moment(json_t *args, const char *name, int64_t moment)
{
	char text[MOMENT_TEXT];

	(void)json_object_set_new(args, name, json_string(moment_text(moment, text)));
}

/* What cannot come into the window is not asked for, page by page less. */
static json_t *page_args(const struct history *h, size_t ledger, const json_t *after)
{
	json_t *args = json_copy(h->filters);
	int64_t since = h->since, until = h->until, bound;

	if (order_since(&h->order, &bound) && bound > since)
		since = bound;
	if (order_until(&h->order, &bound) && (!until || bound < until))
		until = bound;
	(void)json_object_set_new(args, "ledger", json_string(h->ledgers.all[ledger].token));
	if (since > 0)
		set_moment(args, "since", since);
	if (until > 0)
		set_moment(args, "until", until);
	if (after)
		(void)json_object_set(args, "after", (json_t *)(uintptr_t)after);
	return args;
}

static void read_id(const char *text, uint8_t id[32])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t n = 0; n < 32 && text[2 * n] && text[2 * n + 1]; n++) {
		const char *high = strchr(digits, text[2 * n]), *low = strchr(digits, text[2 * n + 1]);

		id[n] = (uint8_t)(high && low ? (high - digits) << 4 | (low - digits) : 0);
	}
}

static void take_index(struct history *h, uint32_t ledger, const json_t *reply)
{
	const json_t *row;
	size_t n;

	json_array_foreach(json_object_get(reply, "rows"), n, row) {
		struct order_key key = { .moment = json_moment_read(json_member_text(row, "first_seen")), .ledger = ledger };

		read_id(json_member_text(row, "id"), key.id);
		order_offer(&h->order, &key);
	}
}

/* The next window of all ledgers, sorted. */
static bool fill(struct history *h, struct err *e)
{
	for (uint32_t n = 0; n < h->ledgers.count; n++) {
		json_t *reply, *next = NULL;

		do {
			json_t *args = page_args(h, n, next);

			json_decref(next);
			if (!ask_call(h->cli->ask, "history.index", args, &reply, e))
				return false;
			take_index(h, n, reply);
			next = json_incref(json_object_get(reply, "next"));
			json_decref(reply);
		} while (next);
	}
	order_sort(&h->order);
	return true;
}

static bool print_all(struct history *h, struct err *e)
{
	bool more = true;

	while (more && h->limit) {
		if (!fill(h, e))
			return false;
		more = h->order.count == h->order.cap;
		if (h->order.count > h->limit)
			h->order.count = (size_t)h->limit;
		if (!print_window(h, h->order.count, e))
			return false;
		h->limit -= h->order.count;
		if (more)
			order_next(&h->order);
	}
	return true;
}

static void turn_round(struct order *o)
{
	for (size_t n = 0; n < o->count / 2; n++) {
		struct order_key kept = o->keys[n];

		o->keys[n] = o->keys[o->count - 1 - n];
		o->keys[o->count - 1 - n] = kept;
	}
}

/* The latest `limit`, the oldest of them first: from the latest on windows are counted, until the first is known. */
static bool print_latest(struct history *h, struct err *e)
{
	uint64_t left = h->limit;
	struct order_key from;
	bool whole;

	if (!left)
		return true;
	for (bool first = true;; first = false) {
		order_resize(&h->order, left < h->order.cap ? (size_t)left : h->order.cap);
		if (!fill(h, e))
			return false;
		left -= h->order.count;
		whole = h->order.count < h->order.cap;
		if (first && (whole || !left)) {
			turn_round(&h->order);
			return print_window(h, h->order.count, e);
		}
		if (whole || !left)
			break;
		order_next(&h->order);
	}
	from = h->order.count ? h->order.keys[h->order.count - 1] : h->order.last;
	order_end(&h->order);
	h->limit = UINT64_MAX;
	if (!order_start(&h->order, WINDOW, false, e))
		return false;
	order_from(&h->order, &from);
	return print_all(h, e);
}

/* ---- the command */

/* "7d" is so long ago; else RFC 3339, or a day, which begins at midnight of UTC. */
static bool read_moment(struct cli *cli, const char *name, int64_t *moment)
{
	const char *text = cli_option(cli, name), *end;
	struct tm tm = { 0 };
	struct err e;
	uint64_t ms;
	long east;

	*moment = 0;
	if (!text)
		return true;
	if (value_duration(text, &ms, &e)) {
		*moment = clock_now_s() - (int64_t)(ms / 1000);
		return true;
	}
	end = strptime(text, "%Y-%m-%dT%H:%M:%S%z", &tm);
	if (!end || *end) {
		tm = (struct tm){ 0 };
		end = strptime(text, "%Y-%m-%d", &tm);
	}
	if (!end || *end)
		return !cli_usage(cli, "--%s %.60s is neither a duration such as 7d, nor a moment such as 2026-11-21T04:05:06Z or 2026-11-21", name, text);
	east = tm.tm_gmtoff;		/* timegm forgets it */
	*moment = timegm(&tm) - east;
	return true;
}

/* "held,refused", and several times. */
static json_t *read_states(const struct cli *cli)
{
	json_t *states = json_array();

	for (size_t n = 0; n < cli->given_count; n++) {
		const char *at = cli->given[n].value;

		if (strcmp(cli->given[n].key, "status") != 0)
			continue;
		for (size_t len; *at; at += len + (at[len] == ','))
			if ((len = strcspn(at, ",")))
				(void)json_array_append_new(states, json_stringn(at, len));
	}
	return states;
}

static const struct target *find_target(const struct settings *s, const char *name)
{
	const struct target *t = settings_target(s, name);

	for (size_t n = 0; n < s->connection_count && !t; n++)
		for (size_t d = 0; d < s->connections[n]->deliver_count && !t; d++)
			if (strcmp(s->connections[n]->deliver[d]->name, name) == 0)
				t = s->connections[n]->deliver[d];
	return t;
}

static bool read_filters(struct history *h)
{
	const char *uid = cli_option(h->cli, "uid"), *target = cli_option(h->cli, "target"), *limit = cli_option(h->cli, "limit");
	json_t *states = read_states(h->cli);
	const struct target *t;
	char tag[TAG_TEXT];
	struct err e;

	h->filters = json_object();
	h->limit = UINT64_MAX;
	if (json_array_size(states))
		(void)json_object_set(h->filters, "states", states);
	json_decref(states);
	if (uid && json_object_set_new(h->filters, "uid", json_string(uid)) != 0)
		return !cli_usage(h->cli, "--uid is not UTF-8");
	if (target) {
		t = find_target(&h->cli->settings, target);
		if (!t)
			return !cli_usage(h->cli, "there is no target %.60s: name a target section, or what stands in `deliver`", target);
		(void)snprintf(tag, sizeof tag, "%016llx", (unsigned long long)sink_tag(t));
		(void)json_object_set_new(h->filters, "target", json_string(tag));
	}
	if (limit && !value_uint(limit, 0, LIMIT_MAX, &h->limit, &e))
		return !cli_usage(h->cli, "--limit %s", e.text);
	return read_moment(h->cli, "since", &h->since) && read_moment(h->cli, "until", &h->until);
}

/* Before anything else, so that a wrong word is an error where nothing was collected, too. */
static bool check(struct history *h, struct err *e)
{
	json_t *reply;

	if (!ask_call(h->cli->ask, "history.check", json_incref(h->filters), &reply, e))
		return false;
	json_decref(reply);
	return true;
}

static bool show(struct history *h, const char *wanted, struct err *e)
{
	bool reverse = cli_option(h->cli, "reverse"), latest = !reverse && h->limit != UINT64_MAX, good;

	if (!check(h, e) || !ledgers_read(h->cli, wanted, &h->ledgers, e) || !order_start(&h->order, WINDOW, reverse || latest, e))
		return false;
	good = latest ? print_latest(h, e) : print_all(h, e);
	order_end(&h->order);
	return good;
}

static int run(struct cli *cli)
{
	const char *wanted = cli->arg_count ? cli->args[0] : NULL;
	struct history h = { .cli = cli };
	struct err e;
	int status;

	if (cli->arg_count > 1)
		return cli_usage(cli, "takes one connection at most");
	status = over_open(cli);
	if (status == EXIT_GOOD && !read_filters(&h))
		status = EXIT_USAGE;
	if (status == EXIT_GOOD && wanted)
		status = ledgers_known(cli, wanted);
	if (status == EXIT_GOOD && !show(&h, wanted, &e))
		status = e.kind == ERR_CONFIG ? cli_usage(cli, "%s", e.text) : cli_failed(cli, &e);
	ledgers_end(&h.ledgers);
	json_decref(h.filters);
	return status;
}

const struct command cmd_history = {
	.name = "history", .usage = "[NAME] [--since WHEN] [--until WHEN] [--status S,…] [--uid TEXT] [--target NAME] [--limit N] [--reverse] [--json]",
	.run = run, .does = "what was collected, and how far each message came",
	.options = { { "since", true }, { "until", true }, { "status", true }, { "uid", true }, { "target", true }, { "limit", true }, { "reverse", false },
		{ NULL, false } },
	.help = "One line a message: when its state changed, state, octets, connection, unique-id, the IDs of what is held of it, attempts, last error.\n"
		"In the order in which messages were first seen, the oldest first.\n"
		"  --since, --until WHEN  first seen from then on, or up to then: 7d (ago), 2026-11-21T04:05:06Z, 2026-11-21\n"
		"  --status S,…           only these, as they stand in the lines; also delivered (every target has it), disposed (the same,\n"
		"                         and it left the server), failed (a target does not have it, and there is an error)\n"
		"  --uid TEXT             the unique-id as it stands in the lines, or over IMAP the UID alone\n"
		"  --target NAME          what this target has not taken yet, or refused\n"
		"  --limit N              the latest N of them\n"
		"  --reverse              the latest first\n"
		"States: pending (not every target has it), held (a target takes it later: postrider held), refused (on_refused = keep: nobody is\n"
		"asked before postrider retry NAME), accepted, quarantined (accepted, but a target refused it: postrider held list NAME), disposing\n"
		"(asked to be deleted, moved or marked), seen (marked as read on the server), gone (no longer on the server), skipped (never\n"
		"fetched), shared (no message: an id that stood for several at once, and tells nothing any more).\n"
		"Entries are kept for history_keep (30 days) after `gone`.\n",
};
