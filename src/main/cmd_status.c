/* SPDX-License-Identifier: Apache-2.0
 * postrider status: what a running instance is doing */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/say.h"
#include "main/status_view.h"

enum { EVERY_MS = 1000, USAGE_EVERY_MS = 10000, SIZE_TEXT = 32, SOON = 30 * 24 * 3600 };

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

static void print_services(const json_t *status)
{
	char text[STATUS_TEXT];
	const json_t *s;
	size_t n;

	(void)printf("service   state     for\n");
	json_array_foreach(json_object_get(status, "services"), n, s) {
		const char *why = json_member_text(s, "why");

		(void)printf("%-9s %-9s %s%s%s\n", json_member_text(s, "service"), json_member_text(s, "state"),
			*json_member_text(s, "since") ? status_span(status_since(status, s, "since"), text) : "-", *why ? "  " : "", why);
	}
}

static void print_pop3(const json_t *p)
{
	char size[SIZE_TEXT];

	(void)printf("\nsessions         %llu now, %llu logged in; %llu in all\n", status_number(p, "sessions_now"), status_number(p, "logged_in_now"),
		status_number(p, "sessions"));
	(void)printf("logins           %llu, %llu failed\n", status_number(p, "logins"), status_number(p, "failed_logins"));
	(void)printf("sent             %llu messages, %s\n", status_number(p, "messages"), say_size(json_member_number(p, "octets"), size, sizeof size));
	(void)printf("deleted          %llu messages\n", status_number(p, "deleted"));
	(void)printf("blocked          %llu now; %llu connections denied\n", status_number(p, "blocked_now"), status_number(p, "denied"));
}

static void print_collect(const json_t *c)
{
	char size[SIZE_TEXT];

	(void)printf("visits           %llu now, %llu messages/s; %llu waiting; %llu ended, %llu with failures\n", status_number(c, "running_now"),
		status_number(c, "messages_per_second"), status_number(c, "waiting_now"), status_number(c, "visits"), status_number(c, "failed"));
	(void)printf("collected        %llu messages, %s\n", status_number(c, "messages"), say_size(json_member_number(c, "octets"), size, sizeof size));
}

static void print_certificates(const json_t *status)
{
	char text[STATUS_TEXT];
	const json_t *c;
	size_t n;

	json_array_foreach(json_object_get(status, "certificates"), n, c) {
		int64_t left = -status_since(status, c, "not_after");

		(void)printf("certificate      %s: %s %s%s\n", json_member_text(c, "where"), left < 0 ? "EXPIRED" : "expires in",
			left < 0 ? json_member_text(c, "not_after") : status_span(left, text), left >= 0 && left < SOON ? "  SOON" : "");
	}
}

static void print_held(const json_t *h)
{
	char size[SIZE_TEXT];

	(void)printf("held             %llu submitted messages wait, %llu failed, %s%s\n", status_number(h, "waiting"), status_number(h, "failed"),
		say_size(json_member_number(h, "octets"), size, sizeof size), status_number(h, "failed") ? ": postrider held list" : "");
}

static void print(const json_t *status)
{
	const json_t *store = json_object_get(status, "store");
	char text[STATUS_TEXT];

	(void)printf("postrider %s, process %llu, up %s\n\n", json_member_text(status, "version"), status_number(status, "process"),
		status_span(status_since(status, status, "started"), text));
	print_services(status);
	print_pop3(json_object_get(status, "pop3"));
	print_collect(json_object_get(status, "collect"));
	(void)printf("store            %llu mailboxes, %llu messages, %s\n", status_number(store, "mailboxes"), status_number(store, "messages"),
		say_size(json_member_number(store, "octets"), text, sizeof text));
	print_held(json_object_get(status, "held"));
	print_certificates(status);
	status_print_connections(status);
}

/* Of everything; `usage` is what is in the store, NULL = left out. */
static json_t *gather(struct cli *cli, json_t *usage, struct err *e)
{
	json_t *status, *connections, *held;

	if (!ask_call(cli->ask, "status", NULL, &status, e))
		return NULL;
	connections = ask_all(cli, "collect.schedule", e);	/* when each is visited, and how it went */
	held = connections ? ask_all(cli, "held.connections", e) : NULL;
	if (!held) {
		json_decref(connections);
		json_decref(status);
		return NULL;
	}
	if (usage)
		(void)json_object_set(status, "store", usage);
	(void)json_object_set_new(status, "connections", connections);
	(void)json_object_set_new(status, "held_connections", held);
	return status;
}

static bool show(struct cli *cli, json_t *usage, bool redraw, struct err *e)
{
	json_t *status = gather(cli, usage, e);

	if (!status)
		return false;
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

/* For whoever watches us: is there anything that somebody should see to? */
static int check(struct cli *cli)
{
	struct err e;
	json_t *status = gather(cli, NULL, &e);
	unsigned found;

	if (!status)
		return cli_failed(cli, &e);
	found = status_attention(status, !cli->quiet && !cli->json);
	if (!found && !cli->quiet && !cli->json)
		(void)printf("all is well\n");
	if (cli->json)
		json_print(json_incref(status));
	json_decref(status);
	return found ? EXIT_FAILED : EXIT_GOOD;
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
	if (cli_option(cli, "watch") && cli_option(cli, "check"))
		return cli_usage(cli, "--check asks once; leave out --watch");
	status = over_open(cli);
	if (status != EXIT_GOOD)
		return status;
	if (cli_option(cli, "check"))
		return check(cli);
	good = ask_call(cli->ask, "status", NULL, &probe, &e);	/* first: there may be nothing to count for */
	if (good) {
		json_decref(probe);
		good = ask_usage(cli, &usage, &e) && (cli_option(cli, "watch") ? watch(cli, &usage, &e) : show(cli, usage, false, &e));
	}
	json_decref(usage);
	return good ? EXIT_GOOD : cli_failed(cli, &e);
}

const struct command cmd_status = {
	.name = "status", .usage = "[--watch | --check] [--json]", .run = run, .does = "services, sessions, visits, counts, certificates of the running instance",
	.options = { { "watch", false }, { "check", false }, { NULL, false } },
	.help = "Services with their state and for how long; POP3 sessions, logins, what was sent and deleted since the start;\n"
		"visits under way and how fast they are, and what was collected;\n"
		"blocked addresses; what is in the store; when certificates expire;\n"
		"of each connection when it is visited next, when it was, and when without an error; its lag, which is how long a complete look at\n"
		"its server is overdue; failures in a row, and the last error with its class and kind.  Those marked ! come first: they need somebody,\n"
		"for an error is fatal (credentials, certificates, configuration), the lag is more than an interval, or messages have failed.\n"
		"  --watch  again every second, until Ctrl-C\n"
		"  --check  only what needs somebody, and exit status 1 if there is anything: services and connections that failed, connections that\n"
		"           are late, submitted messages that have failed, certificates that have expired\n"
		"Exit status 1 when postrider is not running.\n",
};
