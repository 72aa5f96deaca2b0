/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>

#include "collect/tokens_vault.h"
#include "collect/trusting.h"
#include "deliver/deliver.h"
#include "main/collecting.h"
#include "main/commands.h"
#include "main/progress.h"
#include "main/which.h"

enum { DRAW_MS = 200, PATIENCE_MS = 10 * 1000 };

struct collecting {
	struct cli *cli;
	struct loop *loop;
	struct tls_contexts *contexts;
	struct tls_trust *trust;
	struct deliveries *deliveries;
	struct tokens *tokens;
	struct collector *collector;
	struct timer *draw, *patience;	/* patience: with what is under way, once a signal came */
	struct progress progress;
	bool failed, stopping;
};

static void draw(void *user)
{
	struct collecting *c = user;
	struct collect_progress now;

	collector_progress(c->collector, &now);
	progress_draw(&c->progress, &now);
}

static void ended(void *user, [[maybe_unused]] uint64_t id, const struct connection *with, const struct visit_result *r)
{
	struct collecting *c = user;

	progress_clear(&c->progress);
	if (!collecting_say(c->cli, with->name, r))
		c->failed = true;
	c->failed = c->failed || r->why.kind || r->failed;
	if (!collector_left(c->collector)) {
		timer_free(&c->draw);	/* nothing is to be drawn any more, */
		timer_free(&c->patience);
		deliveries_rest(c->deliveries);	/* nor any connection to a server kept */
	}
}

static void on_patience(void *user)
{
	struct collecting *c = user;

	collector_drop(c->collector);
}

static void on_signal(void *user, int number)
{
	struct collecting *c = user;

	(void)number;
	if (c->stopping) {		/* asked twice: now */
		collector_drop(c->collector);
		return;
	}
	c->stopping = true;
	collector_stop(c->collector);
	c->patience = timer_new(c->loop, on_patience, c);
	if (c->patience && collector_left(c->collector))
		timer_set(c->patience, PATIENCE_MS, 0);
}

static bool prepare(struct collecting *c, struct err *e)
{
	struct deliveries_with how = { .tickets = DELIVER_TICKETS };
	struct collector_with with = { .max_per_host = c->cli->settings.max_per_host, .ended = ended, .user = c };

	c->loop = loop_new(e);
	if (!c->loop)
		return false;
	c->contexts = tls_contexts_new(e);
	c->trust = c->contexts ? tls_trust_new(e) : NULL;
	if (!c->trust)
		return false;
	tls_contexts_trust(c->contexts, c->trust);
	trusting_load(ask_store(c->cli->ask), c->trust);
	with.loop = c->loop;
	with.store = ask_store(c->cli->ask);
	with.contexts = c->contexts;
	how.loop = c->loop;
	how.store = with.store;
	how.contexts = c->contexts;
	with.deliveries = c->deliveries = deliveries_new(&how, e);
	if (!c->deliveries)
		return false;
	with.tokens = c->tokens = tokens_vault(c->loop, with.store, e);
	if (!c->tokens)
		return false;
	if (!collector_new(&with, &c->collector, e))
		return false;
	progress_start(&c->progress, !c->cli->quiet && !c->cli->json, !c->cli->no_color);
	return loop_on_signal(c->loop, SIGINT, on_signal, c, e) && loop_on_signal(c->loop, SIGTERM, on_signal, c, e);
}

static void finish(struct collecting *c)
{
	progress_clear(&c->progress);
	timer_free(&c->draw);
	timer_free(&c->patience);
	collector_free(&c->collector);
	deliveries_free(&c->deliveries);
	tokens_free(&c->tokens);
	tls_contexts_free(&c->contexts);
	loop_free(&c->loop);
	tls_trust_free(&c->trust);
}

/* Visits `count` connections at once and waits for all of them.  The store is ours. */
static int visit_all(struct cli *cli, const struct connection **which, size_t count, enum visit_what what, const char *mailbox)
{
	struct collecting c = { .cli = cli };
	struct err e;

	if (!prepare(&c, &e)) {
		finish(&c);
		return cli_failed(cli, &e);
	}
	for (size_t n = 0; n < count; n++) {
		uint64_t id = collector_add(c.collector, which[n], what);

		if (mailbox)
			collector_only(c.collector, id, mailbox);
	}
	if (c.progress.on) {
		c.draw = timer_new(c.loop, draw, &c);
		if (c.draw)
			timer_set(c.draw, DRAW_MS, DRAW_MS);
	}
	loop_run(c.loop);
	finish(&c);
	return c.failed ? EXIT_FAILED : EXIT_GOOD;
}

/* An instance visits what its own configuration has, and nothing that a command line brings. */
static int open_here(struct cli *cli)
{
	int status = over_open(cli);

	if (status != EXIT_GOOD || ask_store(cli->ask))
		return status;
	(void)cli_usage(cli, "postrider run has the state %s, and a URL is no connection of its configuration; "
		"write it there as a connection and reload (SIGHUP), or give it a state of its own: --state DIR", cli->settings.state);
	return EXIT_FAILED;
}

/* That it cannot be is said before a password is asked for; while somebody types, others may have the store. */
static int collect_url(struct cli *cli, const char *url, const char *to)
{
	const struct connection *with;
	int status = open_here(cli);

	ask_close(&cli->ask);
	if (status == EXIT_GOOD)
		status = which_url(cli, url, to, &with);
	if (status == EXIT_GOOD)
		status = open_here(cli);
	return status == EXIT_GOOD ? visit_all(cli, &with, 1, VISIT_COLLECT, NULL) : status;
}

static int collect_named(struct cli *cli, enum visit_what what, const char *mailbox)
{
	const struct connection **which;
	size_t count;
	int status = cli_settings(cli, true);

	if (status == EXIT_GOOD)
		status = over_open(cli);
	if (status == EXIT_GOOD && !ask_store(cli->ask))
		return collecting_over(cli, what, mailbox);
	if (status == EXIT_GOOD)
		status = which_named(cli, false, &which, &count);
	return status == EXIT_GOOD ? visit_all(cli, which, count, what, mailbox) : status;
}

static int run_collect(struct cli *cli)
{
	const char *to = cli_option(cli, "to");

	if (cli->arg_count && which_is_url(cli->args[0])) {
		if (cli->arg_count != 1)
			return cli_usage(cli, "takes one URL");
		if (!to)
			return cli_usage(cli, "a URL needs --to TARGET, for example --to maildir:~/Mail");
		return collect_url(cli, cli->args[0], to);
	}
	if (cli->given_count)
		return cli_usage(cli, "--%s goes with a URL; named connections have it in the configuration", cli->given[0].key);
	return collect_named(cli, VISIT_COLLECT, NULL);
}

static int run_baseline(struct cli *cli)
{
	const char *mailbox = cli_option(cli, "mailbox");

	if (!cli->arg_count)
		return cli_usage(cli, "name the connections whose present mail is to be passed over");
	if (mailbox && cli->arg_count > 1)
		return cli_usage(cli, "takes one connection with --mailbox");
	return collect_named(cli, VISIT_BASELINE, mailbox);
}

const struct command cmd_collect = {
	.name = "collect", .warns = true, .usage = "[NAME…] | URL --to TARGET [--KEY VALUE…]", .run = run_collect,
	.does = "visit connections once, now, and exit",
	.options = { { "to", true }, { "password-file", true }, { "password-command", true }, { NULL, false } },
	.keys = true,
	.help = "Without NAME all enabled connections of the configuration are visited.\n"
		"A URL needs no configuration: pop3s://anna@pop.example.org --to maildir:~/Mail\n"
		"(pop3, pop3s, imap, imaps; STLS by --tls.mode explicit); mail stays on the server unless --after delete.\n"
		"TARGET: the name of a target section, mailbox:ACCOUNT/BOX, maildir:PATH, folder:PATH, command:CMD, smtp://HOST[:PORT],\n"
		"smtps://HOST[:PORT], lmtp://HOST:PORT or lmtp:/SOCKET; to a server: --envelope.recipients ADDRESS, or another --envelope key.\n"
		"Every key of a connection section is --KEY VALUE: --max_size 25MB --tls.ca_certificates ca.pem\n"
		"  --password-file FILE    the password is in FILE (- = standard input)\n"
		"  --password-command CMD  the password is what CMD prints\n"
		"While `postrider run` has the state, it is that which makes the visits, to the connections of its configuration as\n"
		"it read it; what is said here is the same, and Ctrl-C stops those visits.\n"
		"Exit status 1 when any connection or message failed.\n",
};

const struct command cmd_baseline = {
	.name = "baseline", .warns = true, .usage = "NAME… | NAME --mailbox BOX", .run = run_baseline,
	.does = "mark all present mail as skipped without fetching it",
	.options = { { "mailbox", true }, { NULL, false } },
	.help = "  --mailbox BOX  only what is in this one (imap), which the connection's `mailbox` names, by itself or by a pattern\n",
};
