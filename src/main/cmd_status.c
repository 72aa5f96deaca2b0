/* SPDX-License-Identifier: Apache-2.0
 * postrider status: what a running instance is doing */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/say.h"

enum { EVERY_MS = 1000, USAGE_EVERY_MS = 10000, DAY = 24 * 3600, SIZE_TEXT = 32, SOON = 30 * DAY };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/* All pages of store.usage, as one object. */
static bool ask_usage(struct cli *cli, json_t **usage, struct err *e)
{
	uint64_t mailboxes = 0, messages = 0, octets = 0;
	json_t *next = NULL;

	do {
		json_t *args = next ? json_pack("{s:o}", "after", next) : json_object(), *reply;

		if (!ask_call(cli->ask, "store.usage", args, &reply, e))
			return false;
		mailboxes += json_member_number(reply, "mailboxes");
		messages += json_member_number(reply, "messages");
		octets += json_member_number(reply, "octets");
		next = json_incref(json_object_get(reply, "next"));
		json_decref(reply);
	} while (next && !interrupted);
	json_decref(next);
	*usage = json_pack("{s:o, s:o, s:o}", "mailboxes", json_number(mailboxes), "messages", json_number(messages), "octets", json_number(octets));
	return *usage || err_set(e, ERR_LOCAL, "out of memory");
}

static bool add_row(void *user, json_t *row)
{
	return json_array_append(user, row) == 0;
}

static json_t *ask_all(struct cli *cli, const char *op, struct err *e)
{
	json_t *all = json_array();

	if (!all) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
	} else if (!ask_rows(cli->ask, op, NULL, add_row, all, e)) {
		json_decref(all);
		all = NULL;
	}
	return all;
}

static const char *span_of_time(int64_t s, char out[SIZE_TEXT])
{
	if (s < 0)
		s = 0;
	if (s >= DAY)
		(void)snprintf(out, SIZE_TEXT, "%lld d %lld h", (long long)(s / DAY), (long long)(s % DAY / 3600));
	else if (s >= 3600)
		(void)snprintf(out, SIZE_TEXT, "%lld h %lld min", (long long)(s / 3600), (long long)(s % 3600 / 60));
	else if (s >= 60)
		(void)snprintf(out, SIZE_TEXT, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else
		(void)snprintf(out, SIZE_TEXT, "%lld s", (long long)s);
	return out;
}

static int64_t since(const json_t *status, const json_t *row, const char *member)
{
	return json_moment_read(json_member_text(status, "now")) - json_moment_read(json_member_text(row, member));
}

static unsigned long long number(const json_t *row, const char *member)
{
	return json_member_number(row, member);
}

static void print_services(const json_t *status)
{
	char text[SIZE_TEXT];
	const json_t *s;
	size_t n;

	(void)printf("service   state     for\n");
	json_array_foreach(json_object_get(status, "services"), n, s) {
		const char *why = json_member_text(s, "why");

		(void)printf("%-9s %-9s %s%s%s\n", json_member_text(s, "service"), json_member_text(s, "state"),
			*json_member_text(s, "since") ? span_of_time(since(status, s, "since"), text) : "-", *why ? "  " : "", why);
	}
}

static void print_pop3(const json_t *p)
{
	char size[SIZE_TEXT];

	(void)printf("\nsessions         %llu now, %llu logged in; %llu in all\n", number(p, "sessions_now"), number(p, "logged_in_now"),
		number(p, "sessions"));
	(void)printf("logins           %llu, %llu failed\n", number(p, "logins"), number(p, "failed_logins"));
	(void)printf("sent             %llu messages, %s\n", number(p, "messages"), say_size(json_member_number(p, "octets"), size, sizeof size));
	(void)printf("deleted          %llu messages\n", number(p, "deleted"));
	(void)printf("blocked          %llu now; %llu connections denied\n", number(p, "blocked_now"), number(p, "denied"));
}

static void print_collect(const json_t *c)
{
	char size[SIZE_TEXT];

	(void)printf("visits           %llu now, %llu messages/s; %llu waiting; %llu ended, %llu with failures\n", number(c, "running_now"),
		number(c, "messages_per_second"), number(c, "waiting_now"), number(c, "visits"), number(c, "failed"));
	(void)printf("collected        %llu messages, %s\n", number(c, "messages"), say_size(json_member_number(c, "octets"), size, sizeof size));
}

/* "in 5 min 3 s", "12 s ago" */
static const char *from_now(const json_t *status, const json_t *row, const char *member, char out[SIZE_TEXT + 8])
{
	int64_t ago = since(status, row, member);
	char text[SIZE_TEXT];

	if (!*json_member_text(row, member))
		(void)snprintf(out, SIZE_TEXT + 8, "never");
	else if (ago < 0)
		(void)snprintf(out, SIZE_TEXT + 8, "in %s", span_of_time(-ago, text));
	else
		(void)snprintf(out, SIZE_TEXT + 8, "%s ago", span_of_time(ago, text));
	return out;
}

static const char *next_of(const json_t *status, const json_t *row, char out[SIZE_TEXT + 8])
{
	if (json_member_flag(row, "running"))
		return "now";
	if (!json_member_flag(row, "enabled"))
		return "disabled";
	if (json_member_flag(row, "done"))
		return "done";
	return since(status, row, "next") >= 0 ? "due" : from_now(status, row, "next", out);
}

static void print_connections(const json_t *status)
{
	const json_t *all = json_object_get(status, "connections"), *row;
	char next[SIZE_TEXT + 8], last[SIZE_TEXT + 8], success[SIZE_TEXT + 8];
	size_t n;

	if (json_array_size(all))
		(void)printf("\nconnection       next visit       last visit       last success     failures\n");
	json_array_foreach(all, n, row) {
		const char *why = json_member_text(row, "error");

		(void)printf("%-16s %-16s %-16s %-16s %llu%s%s\n", json_member_text(row, "connection"), next_of(status, row, next),
			from_now(status, row, "last", last), from_now(status, row, "last_success", success), number(row, "failures"),
			*why ? "  " : "", why);
	}
}

static void print_tokens(const json_t *status)
{
	char at[SIZE_TEXT + 8];
	const json_t *row;
	size_t n;

	json_array_foreach(json_object_get(status, "connections"), n, row)
		if (*json_member_text(row, "token_expires"))
			(void)printf("%s: its access token ends %s\n", json_member_text(row, "connection"), from_now(status, row, "token_expires", at));
}

/* Also of connections that the configuration has no more. */
static void print_held_of_connections(const json_t *status)
{
	static const char *const counts[] = { "held", "failed", "quarantined" };
	char ago[SIZE_TEXT + 8];
	const json_t *row;
	size_t n;

	json_array_foreach(json_object_get(status, "held_connections"), n, row) {
		const char *name = json_member_text(row, "connection"), *before = "";

		(void)printf("%s%-16s ", n ? "" : "\nheld messages of connections\n", name);
		for (size_t c = 0; c < COUNT(counts); c++) {
			if (!number(row, counts[c]))
				continue;
			(void)printf("%s%llu %s", before, number(row, counts[c]), counts[c]);
			before = ", ";
		}
		(void)printf("; the oldest %s: %s: postrider held list %s\n", from_now(status, row, "since", ago), json_member_text(row, "why"), name);
	}
}

static void print_certificates(const json_t *status)
{
	char text[SIZE_TEXT];
	const json_t *c;
	size_t n;

	json_array_foreach(json_object_get(status, "certificates"), n, c) {
		int64_t left = -since(status, c, "not_after");

		(void)printf("certificate      %s: %s %s%s\n", json_member_text(c, "where"), left < 0 ? "EXPIRED" : "expires in",
			left < 0 ? json_member_text(c, "not_after") : span_of_time(left, text), left >= 0 && left < SOON ? "  SOON" : "");
	}
}

static void print_held(const json_t *h)
{
	char size[SIZE_TEXT];

	(void)printf("held             %llu submitted messages wait, %llu failed, %s%s\n", number(h, "waiting"), number(h, "failed"),
		say_size(json_member_number(h, "octets"), size, sizeof size), number(h, "failed") ? ": postrider held list" : "");
}

static void print(const json_t *status)
{
	const json_t *store = json_object_get(status, "store");
	char text[SIZE_TEXT];

	(void)printf("postrider %s, process %llu, up %s\n\n", json_member_text(status, "version"), number(status, "process"),
		span_of_time(since(status, status, "started"), text));
	print_services(status);
	print_pop3(json_object_get(status, "pop3"));
	print_collect(json_object_get(status, "collect"));
	(void)printf("store            %llu mailboxes, %llu messages, %s\n", number(store, "mailboxes"), number(store, "messages"),
		say_size(json_member_number(store, "octets"), text, sizeof text));
	print_held(json_object_get(status, "held"));
	print_certificates(status);
	print_connections(status);
	print_tokens(status);
	print_held_of_connections(status);
}

static bool show(struct cli *cli, json_t *usage, bool redraw, struct err *e)
{
	json_t *status, *connections, *held;

	if (!ask_call(cli->ask, "status", NULL, &status, e))
		return false;
	connections = ask_all(cli, "collect.schedule", e);	/* when each is visited, and how it went */
	held = connections ? ask_all(cli, "held.connections", e) : NULL;
	if (!held) {
		json_decref(connections);
		json_decref(status);
		return false;
	}
	(void)json_object_set(status, "store", usage);
	(void)json_object_set_new(status, "connections", connections);
	(void)json_object_set_new(status, "held_connections", held);
	if (cli->json) {
		json_print(status);
	} else {
		if (redraw)
			(void)fputs("\033[H\033[2J", stdout);
		print(status);
		json_decref(status);
	}
	return fflush(stdout) == 0 || err_errno(e, ERR_LOCAL, "standard output");
}

/* Every second until Ctrl-C; what is in the store changes slowly, and costs more to know. */
static bool watch(struct cli *cli, json_t **usage, struct err *e)
{
	const struct sigaction act = { .sa_handler = on_interrupt };
	bool redraw = !cli->json && isatty(STDOUT_FILENO);
	uint64_t known = clock_mono_ms();

	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	while (!interrupted) {
		if (clock_mono_ms() - known >= USAGE_EVERY_MS) {
			json_decref(*usage);
			*usage = NULL;
			if (!ask_usage(cli, usage, e))
				return false;
			known = clock_mono_ms();
		}
		if (!show(cli, *usage, redraw, e))
			return false;
		(void)poll(NULL, 0, EVERY_MS);
		if (!redraw && !cli->json && !interrupted)
			(void)putchar('\n');
	}
	return true;
}

static int run(struct cli *cli)
{
	json_t *usage = NULL, *probe;
	struct err e;
	bool good;
	int status;

	if (cli->arg_count)
		return cli_usage(cli, "takes no arguments");
	status = over_open(cli);
	if (status != EXIT_GOOD)
		return status;
	good = ask_call(cli->ask, "status", NULL, &probe, &e);	/* first: there may be nothing to count for */
	if (good) {
		json_decref(probe);
		good = ask_usage(cli, &usage, &e) && (cli_option(cli, "watch") ? watch(cli, &usage, &e) : show(cli, usage, false, &e));
	}
	json_decref(usage);
	return good ? EXIT_GOOD : cli_failed(cli, &e);
}

const struct command cmd_status = {
	.name = "status", .usage = "[--watch] [--json]", .run = run, .does = "services, sessions, visits, counts, certificates of the running instance",
	.options = { { "watch", false }, { NULL, false } },
	.help = "Services with their state and for how long; POP3 sessions, logins, what was sent and deleted since the start;\n"
		"visits under way and how fast they are, and what was collected;\n"
		"blocked addresses; what is in the store; when certificates expire;\n"
		"of each connection when it is visited next, when it was, failures in a row, why.\n"
		"  --watch  again every second, until Ctrl-C\n"
		"Exit status 1 when postrider is not running.\n",
};
