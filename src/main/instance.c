/* SPDX-License-Identifier: Apache-2.0 */
#include "main/instance.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/inherited.h"
#include "net/notify.h"
#include "net/pulse.h"
#include "net/tls.h"

enum { RECLAIM_MS = 60 * 1000, RECLAIM_SOON_MS = 20, DRAIN_MS = 20 };

struct instance {
	struct cli *cli;
	struct loop *home;
	struct loops *loops;
	struct wake *answers;
	struct timer *reclaim, *drain, *ping;
	struct notify notify;
	struct pulse *pulse;
	struct tls_contexts *contexts;
	struct inherited inherited;
	struct serve *serve;		/* NULL: there is no section pop3 */
	uint64_t drain_until_ms;	/* 0: not asked to end */
};

/* ---- the store's answers and its housekeeping */

static void on_answers(void *user)
{
	struct instance *i = user;
	struct store_done done;

	while (store_next(i->cli->store, &done))
		if (serve_ticket(done.ticket) && i->serve)
			serve_answered(i->serve, &done);
}

static void on_store(void *user)	/* on the committer's thread */
{
	struct instance *i = user;

	wake_send(i->answers);
}

static void on_reclaim(void *user)
{
	struct instance *i = user;
	bool more = store_reclaim(i->cli->store, clock_now_s());

	timer_set(i->reclaim, more ? RECLAIM_SOON_MS : RECLAIM_MS, 0);
}

/* ---- the services */

static bool start_serve(struct instance *i, struct err *e)
{
	const struct serve_with with = { .loops = i->loops, .home = i->home, .store = i->cli->store, .contexts = i->contexts,
		.inherited = &i->inherited, .sessions_fit = i->cli->sessions_fit };

	if (!i->cli->settings.pop3 || !i->cli->settings.pop3->max_sessions)
		return true;
	return serve_new(&with, &i->cli->settings, &i->serve, e) && serve_start(i->serve, e);
}

static bool reload_serve(struct instance *i, struct err *e)
{
	const struct pop3_settings *p = i->cli->settings.pop3;

	if (!p) {
		if (i->serve)
			serve_stop(i->serve);
		return true;
	}
	if (!i->serve)
		return start_serve(i, e);
	return serve_reload(i->serve, &i->cli->settings, e) && serve_start(i->serve, e);
}

static void reload(struct instance *i)
{
	struct err e;

	log_info(NULL, "reload");
	if (!cli_reload(i->cli, &e))
		log_error(NULL, "reload: nothing has changed: %s", e.text);
	else if (!reload_serve(i, &e))
		log_error(NULL, "reload: pop3 goes on as it was: %s", e.text);
	else
		log_info(NULL, "reloaded");
}

static void on_reload(struct instance *i)
{
	notify_reloading(&i->notify);
	reload(i);
	notify_ready(&i->notify, NULL);
}

/* ---- systemd */

static void on_ping(void *user)
{
	struct instance *i = user;

	if (pulse_beat(i->pulse))
		notify_ping(&i->notify);
	else if (pulse_missing(i->pulse) < loops_count(i->loops))
		log_warn(NULL, "loop %u is late", pulse_missing(i->pulse));
}

/* ---- signals */

static bool busy(const struct instance *i)
{
	return i->serve && serve_sessions(i->serve);
}

static void on_drain(void *user)
{
	struct instance *i = user;

	if (!busy(i) || clock_mono_ms() >= i->drain_until_ms)
		loop_stop(i->home);
}

static void end(struct instance *i)
{
	if (i->drain_until_ms) {	/* twice: now */
		loop_stop(i->home);
		return;
	}
	log_info(NULL, "ending");
	notify_stopping(&i->notify, "sessions end what they are at");
	i->drain_until_ms = clock_mono_ms() + INSTANCE_PATIENCE_MS;
	if (i->serve)
		serve_stop(i->serve);
	timer_set(i->drain, 0, DRAIN_MS);
}

static void on_signal(void *user, int number)
{
	if (number == SIGHUP)
		on_reload(user);
	else
		end(user);
}

/* ---- the whole */

static unsigned workers(const struct settings *s)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return s->workers ? s->workers : cores > 0 ? (unsigned)cores : 1;
}

static bool make(struct instance *i, struct err *e)
{
	i->home = loop_new(e);
	if (!i->home)
		return false;
	i->answers = wake_new(i->home, on_answers, i, e);
	i->reclaim = timer_new(i->home, on_reclaim, i);
	i->drain = timer_new(i->home, on_drain, i);
	i->contexts = tls_contexts_new(e);
	if (!i->answers || !i->contexts)
		return false;
	i->ping = timer_new(i->home, on_ping, i);
	if (!i->reclaim || !i->drain || !i->ping)
		return err_set(e, ERR_LOCAL, "out of memory");
	store_on_wake(i->cli->store, on_store, i);
	i->loops = loops_new(workers(&i->cli->settings), e);
	if (!i->loops)
		return false;
	i->pulse = pulse_new(i->loops, e);
	return i->pulse && start_serve(i, e);
}

bool instance_new(struct cli *cli, struct instance **out, struct err *e)
{
	struct instance *i = calloc(1, sizeof *i);

	if (!i)
		return err_set(e, ERR_LOCAL, "out of memory");
	i->cli = cli;
	i->notify.fd = -1;
	*out = i;
	return inherited_take(&i->inherited, e) && notify_start(&i->notify, e) && make(i, e);
}

void instance_run(struct instance *i)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct err e;

	for (size_t n = 0; n < COUNT(numbers); n++)
		if (!loop_on_signal(i->home, numbers[n], on_signal, i, &e))
			log_error(NULL, "%s", e.text);
	timer_set(i->reclaim, RECLAIM_SOON_MS, 0);
	if (notify_ping_ms(&i->notify))
		timer_set(i->ping, 0, notify_ping_ms(&i->notify));
	notify_ready(&i->notify, NULL);
	log_info(NULL, "running workers=%u", loops_count(i->loops));
	loop_run(i->home);
	for (size_t n = 0; n < COUNT(numbers); n++)
		(void)loop_on_signal(i->home, numbers[n], NULL, NULL, &e);
}

void instance_free(struct instance **instance)
{
	struct instance *i = *instance;

	*instance = NULL;
	if (!i)
		return;
	if (i->serve)
		serve_stop(i->serve);
	if (i->loops) {
		loops_stop(i->loops);
		loops_join(i->loops);
	}
	serve_free(&i->serve);
	pulse_free(&i->pulse);
	if (i->loops)
		loops_free(&i->loops);
	if (i->cli->store)
		store_on_wake(i->cli->store, NULL, NULL);
	if (i->answers)
		wake_free(&i->answers);
	if (i->reclaim)
		timer_free(&i->reclaim);
	if (i->drain)
		timer_free(&i->drain);
	if (i->ping)
		timer_free(&i->ping);
	notify_end(&i->notify);
	if (i->home)
		loop_free(&i->home);
	if (i->contexts)
		tls_contexts_free(&i->contexts);
	free(i);
}
