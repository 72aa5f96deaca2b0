/* SPDX-License-Identifier: Apache-2.0
 *
 * `postrider test`.  (A file called cmd_test.c would be the test of another.) */
#include <signal.h>

#include "collect/collect.h"
#include "collect/tokens_vault.h"
#include "control/api.h"
#include "main/commands.h"
#include "main/testing.h"
#include "main/trust_probe.h"
#include "main/which.h"
#include "store/visited_login.h"

struct here {			/* tests that are made by this process */
	struct testing said;
	const struct connection **which;
	struct recalled {		/* of the connection at the same place in `which` */
		struct visited_login login;
		bool there;
	} *recalled;
	struct loop *loop;
	struct tls_contexts *contexts;
	struct trust_probe trust;
	struct tokens *tokens;
	struct collector *collector;
};

static void on_step(void *user, [[maybe_unused]] uint64_t id, const struct connection *with, const struct visit_step *step)
{
	struct here *h = user;

	testing_step(&h->said, api_step(with->name, step));
}

static void on_ended(void *user, [[maybe_unused]] uint64_t id, const struct connection *with, const struct visit_result *result)
{
	struct here *h = user;

	testing_ended(&h->said, with->name, !result->why.kind);
}

static void on_offered(void *user, const char *host, uint16_t port, const struct conn_offered *offered)
{
	struct here *h = user;

	trust_probe_offered(&h->trust, host, port, offered);
}

/* What visits learned of the servers' logins counts for a test, too, which may have the store for a moment only. */
static void look(void *user, struct store *store)
{
	struct here *h = user;

	for (size_t n = 0; n < h->said.count; n++)
		h->recalled[n].there = login_recall(store, h->which[n], &h->recalled[n].login);
}

static bool on_recalled(void *user, const struct connection *with, struct visited_login *login)
{
	const struct here *h = user;
	size_t n = 0;

	while (n < h->said.count && h->which[n] != with)
		n++;
	if (n == h->said.count || !h->recalled[n].there)
		return false;
	*login = h->recalled[n].login;
	return true;
}

static void on_signal(void *user, int number)
{
	struct here *h = user;

	(void)number;
	collector_stop(h->collector);
}

static bool uses_vault(const struct connection *c)
{
	return c->has_oauth ? c->oauth.flow != OAUTH_CLIENT_CREDENTIALS || c->oauth.client_secret.kind == SECRET_VAULT : c->password.kind == SECRET_VAULT;
}

/* The vault is in the store, which is opened for it alone: nobody else may have it then. */
static bool open_vault(struct here *h, struct err *e)
{
	struct cli *cli = h->said.cli;
	const struct settings *s = &cli->settings;
	bool needed = false;

	for (size_t n = 0; n < h->said.count; n++)
		needed = needed || uses_vault(h->which[n]);
	return !needed || store_open(s->state, s->store_map, "postrider test", &cli->store, e) ||
	       err_in(e, "a password is in the vault, or a refresh token, which this command has to open by itself");
}

static bool prepare(struct here *h, struct err *e)
{
	struct store *vault = h->said.cli->store;
	struct collector_with with = { .vault = vault, .max_per_host = h->said.cli->settings.max_per_host, .ended = on_ended, .step = on_step,
		.recalled = on_recalled, .user = h };

	h->loop = loop_new(e);
	if (!h->loop)
		return false;
	h->contexts = tls_contexts_new(e);
	if (!h->contexts)
		return false;
	if (!trust_probe_begin(&h->trust, h->said.cli, h->contexts, look, h, e))
		return false;
	if (trust_probe_keeps(&h->trust))
		with.offered = on_offered;
	with.loop = h->loop;
	with.contexts = h->contexts;
	with.tokens = h->tokens = tokens_vault(h->loop, vault, e);
	return h->tokens && collector_new(&with, &h->collector, e) && loop_on_signal(h->loop, SIGINT, on_signal, h, e) &&
	       loop_on_signal(h->loop, SIGTERM, on_signal, h, e);
}

static int test_all(struct cli *cli, const struct connection **which, size_t count)
{
	struct here h = { .which = which, .recalled = arena_take(&cli->settings.arena, (count + 1) * sizeof *h.recalled) };
	struct err e;
	bool good;

	testing_start(&h.said, cli, count);
	for (size_t n = 0; n < count; n++)
		testing_add(&h.said, which[n]->name);
	good = open_vault(&h, &e) && prepare(&h, &e);
	for (size_t n = 0; good && n < count; n++)
		collector_add(h.collector, which[n], VISIT_TEST);
	if (good)
		loop_run(h.loop);
	collector_free(&h.collector);
	tokens_free(&h.tokens);
	tls_contexts_free(&h.contexts);
	loop_free(&h.loop);
	if (h.trust.trust)
		trust_probe_end(&h.trust);
	testing_end(&h.said);
	if (!good)
		return cli_failed(cli, &e);
	return h.said.failed ? EXIT_FAILED : EXIT_GOOD;
}

/* With a running instance it is that which knows the vault, tokens, and the settings that count. */
static int test_named(struct cli *cli)
{
	const struct connection **which;
	size_t count;
	int status = cli_settings(cli, true);

	if (status != EXIT_GOOD)
		return status;
	if (ask_running(&(struct ask_with){ .state = cli->settings.state, .store_map = cli->settings.store_map, .what = "postrider test" }, &cli->ask))
		return testing_over(cli);
	status = which_named(cli, true, &which, &count);
	return status == EXIT_GOOD ? test_all(cli, which, count) : status;
}

static int run(struct cli *cli)
{
	const struct connection *one;
	int status;

	if (cli->arg_count && which_is_url(cli->args[0])) {
		if (cli->arg_count != 1)
			return cli_usage(cli, "takes one URL");
		status = which_url(cli, cli->args[0], NULL, &one);
		return status == EXIT_GOOD ? test_all(cli, &one, 1) : status;
	}
	if (cli->given_count)
		return cli_usage(cli, "--%s goes with a URL; named connections have it in the configuration", cli->given[0].key);
	return test_named(cli);
}

const struct command cmd_test = {
	.name = "test", .warns = true, .usage = "[NAME…] | URL [--KEY VALUE…]", .run = run, .does = "connect, log in, open the mailbox, and say what is wrong",
	.options = { { "password-file", true }, { "password-command", true }, { NULL, false } },
	.keys = true,
	.help = "One line a step: connect, TLS, greeting, capabilities, login, mailbox (IMAP: each), logout, with a tick or a\n"
		"cross and the reason; above the login's, why each mechanism of `auth` was passed over.  It fetches\n"
		"and changes nothing, neither on the server nor here, and may run beside a running collect.  Without NAME all\n"
		"enabled connections are tested; a disabled one may be named.\n"
		"While `postrider run` has the state, it is that which makes the test, with its vault, and with its configuration\n"
		"as it read it; a URL is tested from here.\n"
		"A URL needs no configuration: pop3s://anna@pop.example.org (as in collect, without --to); keys are --KEY VALUE.\n"
		"  --password-file FILE    the password is in FILE (- = standard input)\n"
		"  --password-command CMD  the password is what CMD prints\n"
		"Exit status 1 when any step failed.\n",
};
