/* SPDX-License-Identifier: Apache-2.0
 *
 * `postrider test`.  (A file called cmd_test.c would be the test of another.) */
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "collect/collect.h"
#include "collect/tokens_vault.h"
#include "main/commands.h"
#include "main/say.h"
#include "main/trust_probe.h"
#include "main/which.h"

enum { STEP_COLUMN = 12, SAID_MAX = 1 << 24 };

struct tested {			/* of several, what is said waits until all of one is */
	const struct connection *with;
	struct buf said;
};

struct testing {
	struct cli *cli;
	struct loop *loop;
	struct tls_contexts *contexts;
	struct trust_probe trust;
	struct tokens *tokens;
	struct collector *collector;
	const char *good, *bad;		/* how they look here */
	struct tested *all;
	size_t count;
	size_t spoke;			/* connections told of */
	bool failed;
};

/* What the environment says of the terminal, without a change for the whole process. */
static bool utf8_here(void)
{
	locale_t here = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool good = here && strcmp(nl_langinfo_l(CODESET, here), "UTF-8") == 0;

	if (here)
		freelocale(here);
	return good;
}

static void settle_marks(struct testing *t)
{
	static const char *const marks[2][2][2] = {	/* of UTF-8, of colour, of good and bad */
		{ { "ok    ", "FAILED" }, { "\033[32mok    \033[0m", "\033[31mFAILED\033[0m" } },
		{ { "✓", "✗" }, { "\033[32m✓\033[0m", "\033[31m✗\033[0m" } },
	};
	const char *const *mark = marks[utf8_here()][!t->cli->no_color && isatty(STDOUT_FILENO)];

	t->good = mark[0];
	t->bad = mark[1];
}

static void say_json(const struct connection *with, const struct visit_step *step)
{
	json_print(json_pack("{s:s, s:s, s:b, s:o, s:o, s:s, s:I}", "connection", with->name, "step", visit_step_name(step->what),
		"ok", step->good, "detail", step->good ? json_text(step->text) : json_null(),
		"reason", step->good ? json_null() : json_text(step->text), "error_kind", err_kind_name(step->kind),
		"ms", (json_int_t)step->ms));
	(void)fflush(stdout);
}

static struct buf *said_of(struct testing *t, const struct connection *with)
{
	size_t n = 0;

	while (t->all[n].with != with)
		n++;
	return &t->all[n].said;
}

static void flush(struct testing *t, const struct connection *with)
{
	struct buf *said = said_of(t, with);

	if (said->len && t->count > 1)
		(void)printf("%s%s:\n", t->spoke++ ? "\n" : "", with->name);
	if (said->len)
		(void)fwrite(said->at, 1, said->len, stdout);
	said->len = 0;
	t->failed = fflush(stdout) != 0 || t->failed;
}

static void say_line(struct testing *t, const struct connection *with, const struct visit_step *step)
{
	char ms[32] = "";

	if (step->good)
		(void)snprintf(ms, sizeof ms, " (%llu ms)", (unsigned long long)step->ms);
	(void)!buf_printf(said_of(t, with), "%s %-*s %s%s\n", step->good ? t->good : t->bad, STEP_COLUMN, visit_step_name(step->what),
		step->text, ms);
	if (t->count == 1)
		flush(t, with);
}

static void on_step(void *user, const struct connection *with, const struct visit_step *step)
{
	struct testing *t = user;

	t->failed = t->failed || !step->good;
	if (t->cli->json)
		say_json(with, step);
	else if (!step->good || !t->cli->quiet)
		say_line(t, with, step);
}

static void on_ended(void *user, [[maybe_unused]] uint64_t id, const struct connection *with, const struct visit_result *result)
{
	struct testing *t = user;

	flush(t, with);
	t->failed = t->failed || result->why.kind;
}

static void on_offered(void *user, const char *host, uint16_t port, const struct conn_offered *offered)
{
	struct testing *t = user;

	trust_probe_offered(&t->trust, host, port, offered);
}

static void on_signal(void *user, int number)
{
	struct testing *t = user;

	(void)number;
	collector_stop(t->collector);
}

static bool uses_vault(const struct connection *c)
{
	return c->has_oauth ? c->oauth.flow != OAUTH_CLIENT_CREDENTIALS || c->oauth.client_secret.kind == SECRET_VAULT : c->password.kind == SECRET_VAULT;
}

/* The vault is in the store, which is opened for it alone: nobody else may have it then. */
static bool open_vault(struct testing *t, struct err *e)
{
	const struct settings *s = &t->cli->settings;
	bool needed = false;

	for (size_t n = 0; n < t->count; n++)
		needed = needed || uses_vault(t->all[n].with);
	return !needed || store_open(s->state, s->store_map, "postrider test", &t->cli->store, e) ||
	       err_in(e, "a password is in the vault, or a refresh token, which this command has to open by itself");
}

static bool prepare(struct testing *t, struct err *e)
{
	struct collector_with with = { .vault = t->cli->store, .max_per_host = t->cli->settings.max_per_host, .ended = on_ended, .step = on_step, .offered = on_offered, .user = t };

	t->loop = loop_new(e);
	if (!t->loop)
		return false;
	t->contexts = tls_contexts_new(e);
	if (!t->contexts)
		return false;
	if (!trust_probe_begin(&t->trust, t->cli, t->contexts, e))
		return false;
	with.loop = t->loop;
	with.contexts = t->contexts;
	with.tokens = t->tokens = tokens_vault(t->loop, t->cli->store, e);
	return t->tokens && collector_new(&with, &t->collector, e) && loop_on_signal(t->loop, SIGINT, on_signal, t, e) &&
	       loop_on_signal(t->loop, SIGTERM, on_signal, t, e);
}

static int test_all(struct cli *cli, const struct connection **which, size_t count)
{
	struct testing t = { .cli = cli, .count = count, .all = arena_take(&cli->settings.arena, count * sizeof *t.all) };
	struct err e;
	bool good;

	for (size_t n = 0; n < count; n++) {
		t.all[n].with = which[n];
		buf_start(&t.all[n].said, SAID_MAX);
	}
	settle_marks(&t);
	good = open_vault(&t, &e) && prepare(&t, &e);
	for (size_t n = 0; good && n < count; n++)
		collector_add(t.collector, which[n], VISIT_TEST);
	if (good)
		loop_run(t.loop);
	collector_free(&t.collector);
	tokens_free(&t.tokens);
	tls_contexts_free(&t.contexts);
	loop_free(&t.loop);
	if (t.trust.trust)
		trust_probe_end(&t.trust);
	for (size_t n = 0; n < count; n++)
		buf_end(&t.all[n].said);
	if (!good)
		return cli_failed(cli, &e);
	return t.failed ? EXIT_FAILED : EXIT_GOOD;
}

static int run(struct cli *cli)
{
	const struct connection **which, *one;
	size_t count;
	int status;

	if (cli->arg_count && which_is_url(cli->args[0])) {
		if (cli->arg_count != 1)
			return cli_usage(cli, "takes one URL");
		status = which_url(cli, cli->args[0], NULL, &one);
		return status == EXIT_GOOD ? test_all(cli, &one, 1) : status;
	}
	if (cli->given_count)
		return cli_usage(cli, "--%s goes with a URL; named connections have it in the configuration", cli->given[0].key);
	status = which_named(cli, true, &which, &count);
	return status == EXIT_GOOD ? test_all(cli, which, count) : status;
}

const struct command cmd_test = {
	.name = "test", .warns = true, .usage = "[NAME…] | URL [--KEY VALUE…]", .run = run, .does = "connect, log in, open the mailbox, and say what is wrong",
	.options = { { "password-file", true }, { "password-command", true }, { NULL, false } },
	.keys = true,
	.help = "One line a step: connect, TLS, greeting, capabilities, login, mailbox (IMAP: each), logout, with a tick or a\n"
		"cross and the reason.  It fetches and changes nothing, neither on the server nor here, and may run beside a\n"
		"running collect.  Without NAME all enabled connections are tested; a disabled one may be named.\n"
		"A URL needs no configuration: pop3s://anna@pop.example.org (as in collect, without --to); keys are --KEY VALUE.\n"
		"  --password-file FILE    the password is in FILE (- = standard input)\n"
		"  --password-command CMD  the password is what CMD prints\n"
		"Exit status 1 when any step failed.\n",
};
