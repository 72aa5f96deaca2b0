/* SPDX-License-Identifier: Apache-2.0 */
#include "main/instance_inside.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "main/pam_begin.h"
#include "main/restrict.h"
#include "net/certificate.h"
#include "net/tls.h"
#include "store/place.h"

enum { RECLAIM_MS = 60 * 1000, RECLAIM_SOON_MS = 20, DRAIN_MS = 20, UNREAD_MS = 1000, CERTIFICATE_FILE_MAX = 256 * 1024 };

/* ---- the store's answers and its housekeeping */

static void on_answers(void *user)
{
	struct instance *i = user;
	struct store_done done;

	while (store_next(i->cli->store, &done))
		if (i->visits && collector_owns(done.ticket))
			visits_answered(i->visits, &done);
		else if (api_owns(done.ticket))
			api_answered(i->api, &done);
		else if (serve_ticket(done.ticket) && i->serve)
			serve_answered(i->serve, &done);
	if (i->serve)
		submissions_turn(serve_submissions(i->serve));
	if (i->visits)
		visits_turn(i->visits);
	if (i->control)
		control_server_turn(i->control);
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

/* When the certificate ends, for `status`; it was read a moment ago. */
static int64_t certificate_end(const struct pop3_settings *p)
{
	struct certificates all = { .count = 0 };
	struct arena arena = { 0 };
	int64_t until = 0;
	FILE *f = p->certificate ? fopen(p->certificate, "re") : NULL;
	char *pem = malloc(CERTIFICATE_FILE_MAX);
	struct err e;

	if (f && pem) {
		size_t n = fread(pem, 1, CERTIFICATE_FILE_MAX, f);

		if (certificates_read(&arena, (struct span){ pem, n }, &all, &e) && all.count)
			until = all.list[0].not_after;
	}
	if (f)
		(void)fclose(f);
	free(pem);
	arena_end(&arena);
	return until;
}

bool instance_start_pop3(struct instance *i, struct err *e)
{
	const struct settings *settings = &i->cli->settings;
	const struct serve_with with = { .loops = i->loops, .home = i->home, .store = i->cli->store, .contexts = i->contexts,
		.inherited = &i->inherited, .pam = pam_client_judge(i->pam), .sessions_fit = &i->cli->sessions_fit };

	if (!settings->pop3)
		return err_set(e, ERR_CONFIG, "there is no section pop3 in the configuration");
	if (!i->serve && !serve_new(&with, settings, &i->serve, e))
		return false;
	if (!admission_kept_load(serve_admission(i->serve), i->cli->store, clock_mono_ms(), clock_now_s(), e) || !serve_start(i->serve, e))
		return false;
	i->pop3_due = false;
	i->pop3_since = clock_now_s();
	i->pop3_why.kind = ERR_NONE;
	i->certificate_until = certificate_end(settings->pop3);
	return true;
}

/* What was stopped by hand stays stopped; what was stopped by its section's absence comes back with it. */
static bool settle_pop3(struct instance *i, struct err *e)
{
	const struct pop3_settings *p = i->cli->settings.pop3;

	if (!p && i->serve) {
		i->pop3_due |= serve_running(i->serve);
		serve_stop(i->serve);
	}
	if (!p)
		return true;
	if (!i->serve)
		i->pop3_due = true;
	if (i->pop3_due && !instance_start_pop3(i, e)) {
		i->pop3_why = *e;
		return false;
	}
	i->certificate_until = certificate_end(p);
	return true;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* What an instance has for all its life. */
static void warn_of_restart(const struct settings *now, const struct settings *fresh)
{
	if (!same(now->state, fresh->state) || !same(now->store, fresh->store) || now->store_map != fresh->store_map)
		log_warn(NULL, "reload: another state or store needs a restart; this one goes on with %s", now->state);
	if (now->pop3 && !fresh->pop3)
		log_warn(NULL, "reload: there is no section pop3 any more: POP3 stops");
	if (now->workers != fresh->workers || !same(now->run_as, fresh->run_as))
		log_warn(NULL, "reload: workers and run_as change with a restart only");
}

/* All who can refuse the new settings are asked before anything is changed. */
static bool agree(struct instance *i, const struct settings *fresh, struct err *e)
{
	i->cli->sessions_fit = restrict_files(fresh).sessions;
	if (pam_begin_wants(fresh) && !pam_client_want(i->pam, e))
		return false;
	return !i->serve || !fresh->pop3 || serve_reload(i->serve, fresh, e);
}

/* The default cannot be refused, so what it hides is told. */
static void tell_places(struct instance *i)
{
	char name[MAILBOX_NAME_MAX + 1] = "", first[MAILBOX_NAME_MAX + 1] = "";
	size_t count = 0;

	store_maildirs(i->cli->store, cli_maildirs(i->cli));
	while (cli_maildirs(i->cli) && place_hidden(i->cli->store, name))
		if (!count++)
			(void)snprintf(first, sizeof first, "%s", name);
	if (count)
		log_warn(NULL, "pop3.maildir: %zu mailboxes of the store have mail that nobody sees now, %s is the first; "
			"postrider account set NAME maildir=none brings it back", count, first);
}

static bool change(struct instance *i, struct err *e)
{
	struct settings fresh, old;

	if (!cli_reread(i->cli, &fresh, e))
		return err_in(e, "nothing has changed");
	if (!agree(i, &fresh, e)) {
		settings_end(&fresh);
		return err_in(e, "nothing has changed: pop3");
	}
	warn_of_restart(&i->cli->settings, &fresh);
	cli_adopt(i->cli, &fresh, &old);
	if (i->visits)
		visits_reload(i->visits, &old, &i->cli->settings);
	else
		settings_end(&old);
	instance_schedule_reload(i);
	instance_prune_reload(i);
	api_reload(i->api, i->cli->settings.main_domain);
	pam_client_domain(i->pam, i->cli->settings.main_domain);
	tell_places(i);
	return cli_route_header(&i->cli->settings, i->cli->store, e) && settle_pop3(i, e);
}

bool instance_reload(struct instance *i, struct err *e)
{
	bool good;

	if (i->drain_until_ms)
		return err_set(e, ERR_BUSY, "the running instance is ending");
	log_info(NULL, "reload");
	notify_reloading(&i->notify);
	good = change(i, e);
	if (good)
		log_info(NULL, "reloaded");
	else
		log_error(NULL, "reload: %s", e->text);
	notify_ready(&i->notify, NULL);
	return good;
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
	bool visits = (i->visits && visits_left(i->visits)) || tokens_busy(i->tokens);	/* a new refresh token may come */

	if (i->hurried)
		return visits || (i->serve && submissions_waiting(serve_submissions(i->serve)));
	return visits || (i->serve && (serve_sessions(i->serve) || submissions_waiting(serve_submissions(i->serve))));
}

/* Who waits for a visit's result is to get it, before the control socket goes. */
static bool told(const struct instance *i, uint64_t now)
{
	return !i->visits || !visits_unread(i->visits) || now >= i->busy_ms + UNREAD_MS;
}

static void hurry(struct instance *i)
{
	i->hurried = true;
	i->drain_until_ms = clock_mono_ms() + INSTANCE_HURRY_MS;
	if (i->serve)
		submissions_hurry(serve_submissions(i->serve));
	if (i->visits)
		visits_drop(i->visits);
}

static void on_drain(void *user)
{
	struct instance *i = user;
	uint64_t now = clock_mono_ms();
	bool late = now >= i->drain_until_ms;

	if (busy(i) && !(late && i->hurried)) {
		i->busy_ms = now;
		if (late)
			hurry(i);
	} else if (i->hurried || told(i, now)) {
		loop_stop(i->home);
	}
}

static void end(struct instance *i)
{
	if (i->hurried)
		loop_stop(i->home);
	else if (i->drain_until_ms)	/* twice: now */
		hurry(i);
	if (i->drain_until_ms)
		return;
	log_info(NULL, "ending");
	notify_stopping(&i->notify, "sessions and visits end what they are at");
	i->busy_ms = clock_mono_ms();
	i->drain_until_ms = i->busy_ms + INSTANCE_PATIENCE_MS;
	if (i->serve)
		serve_stop(i->serve);
	if (i->visits)
		visits_stop_all(i->visits);
	timer_set(i->drain, 0, DRAIN_MS);
}

static void on_signal(void *user, int number)
{
	struct err e;

	if (number == SIGHUP)
		(void)!instance_reload(user, &e);
	else
		end(user);
}

/* ---- the whole */

static bool make_control(struct instance *i, struct err *e)
{
	const struct api_hooks hooks = instance_hooks(i);
	const struct api_with with = { .store = i->cli->store, .main_domain = i->cli->settings.main_domain, .hooks = &hooks };

	i->api = api_new(&with, e);
	if (!i->api)
		return false;
	i->control = control_server_new(i->home, i->api, i->cli->settings.state, e);
	return i->control;
}

static bool wants_pop3(const struct instance *i)
{
	return i->cli->settings.pop3 && i->cli->settings.pop3->max_sessions;
}

static bool make_pam(struct instance *i, struct err *e)
{
	const struct pam_with with = { .first = i->cli->pam, .start = i->cli->pam_again ? pam_begin_again : NULL,
		.main_domain = i->cli->settings.main_domain };

	i->pam = pam_client_new(&with, e);
	return i->pam;
}

static bool make_deliveries(struct instance *i, struct err *e)
{
	const struct deliveries_with with = { .loop = i->home, .store = i->cli->store, .contexts = i->contexts, .tickets = DELIVER_TICKETS };

	i->deliveries = deliveries_new(&with, e);
	i->tokens = i->deliveries ? tokens_vault(i->home, i->cli->store, e) : NULL;
	if (!i->tokens)
		return false;
	i->device_logins = device_logins_new(i->home, i->cli->store);
	return i->device_logins || err_set(e, ERR_LOCAL, "out of memory");
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
	i->trust = i->contexts ? tls_trust_new(e) : NULL;
	if (!i->answers || !i->trust)
		return false;
	tls_contexts_trust(i->contexts, i->trust);
	trusting_load(i->cli->store, i->trust);
	i->ping = timer_new(i->home, on_ping, i);
	if (!i->reclaim || !i->drain || !i->ping)
		return err_set(e, ERR_LOCAL, "out of memory");
	store_on_wake(i->cli->store, on_store, i);
	i->loops = loops_new(restrict_workers(&i->cli->settings), e);
	if (!i->loops)
		return false;
	i->pulse = pulse_new(i->loops, e);
	return i->pulse && make_deliveries(i, e) && make_pam(i, e) && instance_schedule_make(i, e) && instance_prune_make(i, e) && make_control(i, e) && (!wants_pop3(i) || instance_start_pop3(i, e));
}

bool instance_new(struct cli *cli, struct instance **out, struct err *e)
{
	struct instance *i = calloc(1, sizeof *i);

	if (!i)
		return err_set(e, ERR_LOCAL, "out of memory");
	i->cli = cli;
	i->started = i->collect_since = clock_now_s();
	i->notify.fd = -1;
	*out = i;
	tell_places(i);
	return inherited_take(&i->inherited, e) && notify_start(&i->notify, e) &&
	       cli_route_header(&cli->settings, cli->store, e) && make(i, e);
}

static volatile sig_atomic_t hup_came;

static void on_early_hup(int number)
{
	hup_came = number;
}

void instance_begin(void)
{
	hup_came = 0;
	(void)sigaction(SIGHUP, &(struct sigaction){ .sa_handler = on_early_hup, .sa_flags = SA_RESTART }, NULL);
}

void instance_run(struct instance *i)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct err e;

	for (size_t n = 0; n < COUNT(numbers); n++)
		if (!loop_on_signal(i->home, numbers[n], on_signal, i, &e))
			log_error(NULL, "%s", e.text);
	if (hup_came)		/* the configuration may have been read before; the loop has the signal by now */
		(void)raise(SIGHUP);
	timer_set(i->reclaim, RECLAIM_SOON_MS, 0);
	if (notify_ping_ms(&i->notify))
		timer_set(i->ping, 0, notify_ping_ms(&i->notify));
	notify_ready(&i->notify, NULL);
	log_info(NULL, "running workers=%u", loops_count(i->loops));
	loop_run(i->home);
	for (size_t n = 0; n < COUNT(numbers); n++)
		(void)loop_on_signal(i->home, numbers[n], NULL, NULL, &e);
}

/* Nothing can end them: the disk or a job does not answer.  A crash is what the store is made for. */
static void leave_visits(const struct instance *i)
{
	if (!i->visits || !visits_left(i->visits))
		return;
	log_error(NULL, "%zu visits do not end: they are left as they are, and go on with the next start", visits_left(i->visits));
	_exit(EXIT_FAILED);
}

static void free_timers(struct instance *i)
{
	if (i->answers)
		wake_free(&i->answers);
	if (i->reclaim)
		timer_free(&i->reclaim);
	if (i->drain)
		timer_free(&i->drain);
	if (i->ping)
		timer_free(&i->ping);
}

void instance_free(struct instance **instance)
{
	struct instance *i = *instance;

	*instance = NULL;
	if (!i)
		return;
	leave_visits(i);
	if (i->serve)
		serve_stop(i->serve);
	if (i->control)
		control_server_free(&i->control);
	if (i->api)
		api_free(&i->api);
	if (i->loops) {
		loops_stop(i->loops);
		loops_join(i->loops);
	}
	serve_free(&i->serve);
	pam_client_free(&i->pam);
	pulse_free(&i->pulse);
	if (i->loops)
		loops_free(&i->loops);
	if (i->cli->store)
		store_on_wake(i->cli->store, NULL, NULL);
	if (i->visits)
		visits_end(i->visits);
	deliveries_free(&i->deliveries);
	tokens_free(&i->tokens);
	device_logins_free(&i->device_logins);
	free_timers(i);
	instance_schedule_free(i);
	instance_prune_free(i);
	notify_end(&i->notify);
	if (i->home)
		loop_free(&i->home);
	visits_free(&i->visits);
	if (i->contexts)
		tls_contexts_free(&i->contexts);
	tls_trust_free(&i->trust);
	free(i);
}
