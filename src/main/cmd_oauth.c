/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/device_login.h"
#include "collect/issuer.h"
#include "deliver/password.h"
#include "main/commands.h"
#include "main/say.h"
#include "wire/oauth.h"

enum { KEEP_TRIES = 120, KEEP_PAUSE_MS = 500, SOON_MS = 50 };	/* longer than a request of the instance's may take */

struct logging_in {
	struct cli *cli;
	const struct connection *with;
	struct loop *loop;
	struct device_login *device;
	struct timer *again;
	struct buf refresh;
	unsigned tries;
	uint64_t over;		/* the login that a running instance makes; 0: none */
	bool shown;		/* its code */
	int status;
};

/* ---- keeping it */

static void say_kept(struct logging_in *l, const json_t *reply)
{
	l->status = EXIT_GOOD;
	if (!l->cli->quiet && json_is_true(json_object_get(reply, "visited")))
		(void)printf("the refresh token of %s is in the vault, and the connection is being visited\n", l->with->name);
	else if (!l->cli->quiet)
		(void)printf("the refresh token of %s is in the vault; to try it: postrider collect %s\n", l->with->name, l->with->name);
}

static void keep(void *user)
{
	struct logging_in *l = user;
	json_t *args, *reply;
	struct err e;

	args = json_pack("{s:s, s:s%}", "connection", l->with->name, "refresh_token", l->refresh.at, l->refresh.len);
	if (!args) {
		l->status = cli_usage(l->cli, "the refresh token is no text");
		return;
	}
	if (ask_call(l->cli->ask, "oauth.keep", args, &reply, &e)) {
		say_kept(l, reply);
		json_decref(reply);
	} else if (e.kind == ERR_BUSY && l->tries++ < KEEP_TRIES) {
		timer_set(l->again, KEEP_PAUSE_MS, 0);
	} else {
		l->status = cli_failed(l->cli, &e);
	}
}

/* ---- by a code */

static void show(void *user, const struct device_shown *what)
{
	const struct logging_in *l = user;

	(void)printf("Open  %s\nenter %s\nand allow the access to the mailbox of %s, in the next %u minutes.\n", what->uri, what->code, l->with->user,
		(what->lasts_s + 59) / 60);
	if (what->complete)
		(void)printf("Or open %s\n", what->complete);
	(void)printf("Waiting…\n");
	(void)fflush(stdout);
}

static void done(void *user, struct span refresh, const struct err *why)
{
	struct logging_in *l = user;
	struct err e;

	if (why) {
		l->status = cli_failed(l->cli, why);
		return;
	}
	if (!buf_room(&l->refresh, refresh.len + 1) || !buf_add(&l->refresh, refresh)) {
		(void)err_set(&e, ERR_LOCAL, "out of memory");
		l->status = cli_failed(l->cli, &e);
		return;
	}
	keep(l);
}

static bool by_device(struct logging_in *l, struct err *e)
{
	struct device_login_with with = { .loop = l->loop, .oauth = &l->with->oauth, .show = show, .done = done, .user = l };
	struct buf secret;
	bool good;

	buf_start(&secret, ISSUER_SECRET_MAX);
	good = with.oauth->client_secret.kind == SECRET_NONE || password_read(&with.oauth->client_secret, ask_store(l->cli->ask), NULL, &secret, e) || err_in(e, "oauth: client_secret");
	with.secret = buf_span(&secret);
	l->device = good ? device_login_new(&with, e) : NULL;
	buf_wipe(&secret);
	return l->device;
}

/* ---- by a code, asked for by the running instance */

/* The timer's: what has come of it so far.  While the instance is at a token of this connection, it is not kept yet. */
static void look(void *user)
{
	struct logging_in *l = user;
	json_t *reply;
	struct err e;

	if (!ask_call(l->cli->ask, "oauth.device.show", json_pack("{s:I}", "id", (json_int_t)l->over), &reply, &e)) {
		if (e.kind == ERR_BUSY && l->tries++ < KEEP_TRIES)
			timer_set(l->again, KEEP_PAUSE_MS, 0);
		else
			l->status = cli_failed(l->cli, &e);
		return;
	}
	if (strcmp(json_member_text(reply, "state"), "waiting") == 0 && !l->shown) {
		const struct device_shown what = { json_member_text(reply, "uri"), json_member_text(reply, "code"),
			json_is_string(json_object_get(reply, "complete")) ? json_member_text(reply, "complete") : NULL,
			(uint32_t)json_member_number(reply, "lasts_s") };

		l->shown = true;
		show(l, &what);
	}
	if (strcmp(json_member_text(reply, "state"), "kept") == 0)
		say_kept(l, reply);
	else
		timer_set(l->again, l->shown ? KEEP_PAUSE_MS : SOON_MS, 0);
	json_decref(reply);
}

static bool by_instance(struct logging_in *l, struct err *e)
{
	json_t *reply;

	if (!ask_call(l->cli->ask, "oauth.device.start", json_pack("{s:s}", "connection", l->with->name), &reply, e))
		return false;
	l->over = json_member_number(reply, "id");
	json_decref(reply);
	timer_set(l->again, SOON_MS, 0);
	return true;
}

static void stop_over(const struct logging_in *l)
{
	json_t *reply;
	struct err e;

	if (l->over && l->status != EXIT_GOOD && ask_call(l->cli->ask, "oauth.device.stop", json_pack("{s:I}", "id", (json_int_t)l->over), &reply, &e))
		json_decref(reply);
}

/* Nobody is given what is in the vault: who has it open asks the issuer. */
static bool over_there(const struct logging_in *l)
{
	return l->with->oauth.client_secret.kind == SECRET_VAULT && !ask_store(l->cli->ask);
}

/* ---- by one that was got elsewhere */

static bool by_hand(struct logging_in *l, struct err *e)
{
	bool given;

	if (!ask_password(l->cli, "Refresh token: ", false, &l->refresh, &given, e))
		return false;
	if (!given)
		return err_set(e, ERR_CONFIG, "flow refresh_token takes one that was got elsewhere: --password-file FILE, --password-command CMD, or a terminal");
	keep(l);
	return true;
}

static void on_signal(void *user, int number)
{
	struct logging_in *l = user;
	struct err e;

	(void)number;
	(void)err_set(&e, ERR_LOCAL, "stopped before the login was complete");
	l->status = cli_failed(l->cli, &e);
	loop_stop(l->loop);
}

static bool prepare(struct logging_in *l, struct err *e)
{
	l->loop = loop_new(e);
	l->again = l->loop ? timer_new(l->loop, l->with->oauth.flow == OAUTH_DEVICE && over_there(l) ? look : keep, l) : NULL;
	if (l->loop && !l->again)
		return err_set(e, ERR_LOCAL, "out of memory");
	return l->loop && loop_on_signal(l->loop, SIGINT, on_signal, l, e) && loop_on_signal(l->loop, SIGTERM, on_signal, l, e);
}

static bool begin(struct logging_in *l, struct err *e)
{
	if (l->with->oauth.flow != OAUTH_DEVICE)
		return by_hand(l, e);
	return over_there(l) ? by_instance(l, e) : by_device(l, e);
}

static int log_in(struct cli *cli, const struct connection *with)
{
	struct logging_in l = { .cli = cli, .with = with, .status = EXIT_FAILED };
	struct err e;
	bool good;

	buf_start(&l.refresh, OAUTH_TOKEN_MAX + 2);
	good = prepare(&l, &e) && begin(&l, &e);
	if (good)
		loop_run(l.loop);
	else
		l.status = cli_failed(cli, &e);
	stop_over(&l);
	device_login_free(&l.device);
	timer_free(&l.again);
	loop_free(&l.loop);
	buf_wipe(&l.refresh);
	return l.status;
}

static int login(struct cli *cli)
{
	const struct connection *with = settings_connection(&cli->settings, cli->args[1]);

	if (!with)
		return cli_usage(cli, "there is no connection %s in %s", cli->args[1], cli->settings.file ? cli->settings.file : "the configuration");
	if (!with->has_oauth)
		return cli_usage(cli, "connection %s has no section oauth; write oauth { … } into it", with->name);
	if (with->oauth.flow == OAUTH_CLIENT_CREDENTIALS)
		return cli_usage(cli, "connection %s logs in by client_credentials, nobody has to", with->name);
	return log_in(cli, with);
}

static int run(struct cli *cli)
{
	static const struct verb verbs[] = { { "login", 1, 1, "the name of a connection", login }, { .name = NULL } };

	return over_verbs(cli, verbs, "login");
}

const struct command cmd_oauth = {
	.name = "oauth", .usage = "login NAME", .run = run, .does = "log in by OAuth: get a connection its refresh token",
	.options = { { "password-file", true }, { "password-command", true }, { NULL, false } },
	.help = "login NAME  by the flow of the connection's section oauth:\n"
		"  device         shows an address and a code, and waits until somebody has entered it there and allowed the access\n"
		"  refresh_token  takes a refresh token that was got elsewhere, from the terminal, --password-file FILE (- = standard\n"
		"                 input) or --password-command CMD\n"
		"The refresh token is kept in the vault as oauth:NAME; a running instance goes on with it.\n",
};
