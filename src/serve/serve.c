/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/entrance.h"
#include "serve/oauth.h"
#include "serve/serve_list.h"
#include "serve/session.h"

/* An address of ours.  Which listener of the newest rules it is, each loop knows for itself. */
struct door {
	struct door *next;
	struct serve *serve;
	struct entrance *entrance;
	char name[SETTINGS_NAME_MAX + 1];
	const struct rules_door **at;	/* one a loop */
	const struct rules_door *wanted;
};

struct serve {
	struct serve_with with;
	struct rules *rules;
	struct admission *admission;
	struct users *users;
	struct introspect *introspect;
	struct logins *logins;
	struct alerts *alerts;
	struct commits *commits;
	struct submissions *submissions;
	struct worker **workers;
	unsigned worker_count;
	struct door *doors;
	_Atomic uint64_t ids;
	bool running;
};

/* ---- workers */

struct making {
	struct serve *serve;
	bool good;
	struct err *e;
};

static void make_worker(struct loop *l, unsigned index, void *user)
{
	struct making *m = user;
	struct serve *s = m->serve;
	struct worker *w = worker_new(l, index, m->e);

	m->good = w;
	if (!w)
		return;
	w->store = s->with.store;
	w->admission = s->admission;
	w->logins = s->logins;
	w->users = s->users;
	w->alerts = s->alerts;
	w->commits = s->commits;
	w->submissions = s->submissions;
	w->ids = &s->ids;
	s->workers[index] = w;
}

static bool make_workers(struct serve *s, struct err *e)
{
	struct making m = { s, true, e };

	s->worker_count = loops_count(s->with.loops);
	s->workers = calloc(s->worker_count, sizeof(struct worker *));
	if (!s->workers)
		return err_set(e, ERR_LOCAL, "out of memory");
	for (unsigned n = 0; n < s->worker_count && m.good; n++)
		loops_call(s->with.loops, n, make_worker, &m);
	return m.good;
}

/* The settings, with no more sessions than there are descriptors for. */
static struct pop3_settings fitting(const struct serve *s, const struct settings *settings)
{
	struct pop3_settings p = *settings->pop3;

	if (s->with.sessions_fit && p.max_sessions > *s->with.sessions_fit)
		p.max_sessions = *s->with.sessions_fit;
	return p;
}

/* Who judges tokens; without a section oauth none is offered, and nobody is asked. */
static bool make_introspect(struct serve *s, const struct pop3_settings *p, struct err *e)
{
	struct introspect_endpoint *endpoint;

	s->introspect = introspect_new(NULL, e);
	if (!s->introspect || !oauth_read(p, s->with.store, &endpoint, e))
		return false;
	introspect_take(s->introspect, &endpoint);
	return true;
}

static bool make_parts(struct serve *s, const struct settings *settings, struct err *e)
{
	const struct pop3_settings p = fitting(s, settings);

	s->admission = admission_new_configured(&p, e);
	if (!s->admission)
		return false;
	s->users = users_new(s->with.store, settings, e);
	if (!s->users || !make_introspect(s, &p, e))
		return false;
	s->logins = logins_new(&(struct logins_with){ .store = s->with.store, .admission = s->admission, .users = s->users, .pam = s->with.pam,
		.token = introspect_judge(s->introspect) }, e);
	if (!s->logins)
		return false;
	s->alerts = alerts_new(s->with.home, s->with.loops, s->with.store, e);
	if (!s->alerts)
		return false;
	s->commits = commits_new(s->with.home, s->with.loops, s->with.store, SERVE_TICKETS, e);
	if (!s->commits)
		return false;
	s->submissions = submissions_new(&(struct submissions_with){ .home = s->with.home, .loops = s->with.loops, .store = s->with.store,
		.contexts = s->with.contexts, .tickets = SERVE_TICKETS }, settings, e);
	return s->submissions && make_workers(s, e);
}

bool serve_new(const struct serve_with *with, const struct settings *settings, struct serve **out, struct err *e)
{
	struct serve *s = calloc(1, sizeof *s);

	if (!s)
		return err_set(e, ERR_LOCAL, "out of memory");
	s->with = *with;
	s->rules = rules_new(settings, s->with.contexts, e);
	if (!s->rules || !make_parts(s, settings, e)) {
		serve_free(&s);
		return false;
	}
	*out = s;
	return true;
}

void serve_free(struct serve **serve)
{
	struct serve *s = *serve;

	*serve = NULL;
	if (!s)
		return;
	assert(!s->doors);
	for (unsigned n = 0; s->workers && n < s->worker_count; n++)
		worker_free(&s->workers[n]);
	free(s->workers);
	commits_free(&s->commits);
	submissions_free(&s->submissions);
	alerts_free(&s->alerts);
	if (s->logins)
		logins_free(&s->logins);
	introspect_free(&s->introspect);
	users_free(&s->users);
	admission_free(&s->admission);
	rules_put(&s->rules);
	free(s);
}

/* ---- doors */

static void on_accepted(void *user, struct loop *l, unsigned index, int fd, const union address *from)
{
	struct door *d = user;

	(void)l;
	session_accept(d->serve->workers[index], d->at[index], fd, from);
}

static void door_free(struct door *d)
{
	if (d->entrance)
		entrance_close(&d->entrance);
	free(d->at);
	free(d);
}

static bool same_address(const struct rules_door *a, const struct rules_door *b)
{
	return a->port == b->port && strcmp(a->address, b->address) == 0;
}

static struct door *door_new(struct serve *s, const struct rules_door *wanted, struct err *e)
{
	struct door *d = calloc(1, sizeof *d);

	if (!d)
		(void)err_set(e, ERR_LOCAL, "out of memory");
	if (!d)
		return NULL;
	d->serve = s;
	d->wanted = wanted;
	(void)snprintf(d->name, sizeof d->name, "%s", wanted->name);
	d->at = calloc(s->worker_count, sizeof(struct rules_door *));
	if (d->at)
		return d;
	(void)err_set(e, ERR_LOCAL, "out of memory");
	free(d);
	return NULL;
}

static int inherited_for(const struct serve *s, const char *name)
{
	const struct inherited *all = s->with.inherited;

	for (size_t n = 0; all && n < all->count; n++)
		if (strcmp(all->list[n].name, name) == 0)
			return all->list[n].fd;
	return -1;
}

static bool door_open(struct serve *s, struct door *d, struct err *e)
{
	const struct rules_door *w = d->wanted;
	const struct listen_settings how = { .address = w->address, .port = w->port };
	const struct entrance_user user = { .accepted = on_accepted, .user = d, .name = d->name };
	int fd = inherited_for(s, w->name);

	for (unsigned n = 0; n < s->worker_count; n++)
		d->at[n] = w;
	if (fd >= 0)
		fd = dup(fd);	/* the one from systemd stays, for the next start of the service */
	d->entrance = fd >= 0 ? entrance_inherit(s->with.loops, fd, &user, e) : entrance_open(s->with.loops, &how, &user, e);
	if (!d->entrance)
		return err_in(e, "pop3: listen %s", w->name);
	log_info(NULL, "service=POP listening name=%s address=%s port=%u tls=%s", w->name, w->address, entrance_port(d->entrance),
		w->tls == POP3_TLS_IMPLICIT ? "implicit" : w->tls == POP3_TLS_STARTTLS ? "starttls" : "none");
	return true;
}

static void doors_close(struct door **list)
{
	while (*list) {
		struct door *d = *list;

		*list = d->next;
		door_free(d);
	}
}

static void stop_worker(struct loop *l, unsigned index, void *user)
{
	struct serve *s = user;

	(void)l;
	worker_stop(s->workers[index]);
}

/* Sessions too: somebody may have come in by an address that was open for a moment. */
static void close_all(struct serve *s)
{
	doors_close(&s->doors);
	for (unsigned n = 0; n < s->worker_count; n++)
		loops_call(s->with.loops, n, stop_worker, s);
}

bool serve_start(struct serve *s, struct err *e)
{
	if (s->running)
		return true;
	for (size_t n = 0; n < s->rules->door_count && s->rules->max_sessions; n++) {
		struct door *d = door_new(s, &s->rules->doors[n], e);

		if (!d || !door_open(s, d, e)) {
			if (d)
				door_free(d);
			close_all(s);
			return false;
		}
		d->next = s->doors;
		s->doors = d;
	}
	s->running = true;
	submissions_run(s->submissions, true);
	return true;
}

void serve_stop(struct serve *s)
{
	if (s->running) {
		close_all(s);
		submissions_run(s->submissions, false);
		log_info(NULL, "service=POP stopped");
	}
	s->running = false;
}

bool serve_running(const struct serve *s)
{
	return s->running;
}

/* ---- reload */

struct change {
	struct serve *serve;
	struct rules *rules;
	struct door *doors;		/* those that will be: */
};

static struct door *door_at(struct door *list, const struct rules_door *wanted)
{
	while (list && !same_address(list->wanted, wanted))
		list = list->next;
	return list;
}

/* Opens what is new; what is old is not touched before all of it is there. */
static bool open_new(struct serve *s, const struct rules *rules, struct door **opened, struct err *e)
{
	for (size_t n = 0; n < rules->door_count && rules->max_sessions; n++) {
		struct door *d;

		if (door_at(s->doors, &rules->doors[n]))
			continue;
		d = door_new(s, &rules->doors[n], e);
		if (d)
			d->next = *opened;
		if (!d)
			return false;
		*opened = d;
		if (!door_open(s, d, e))
			return false;
	}
	return true;
}

static const struct rules_door *find_rules(const struct rules *rules, const struct door *d)
{
	for (size_t n = 0; n < rules->door_count && rules->max_sessions; n++)
		if (same_address(&rules->doors[n], d->wanted))
			return &rules->doors[n];
	return NULL;
}

/* On each loop: from now on connections go by the new rules. */
static void change_worker(struct loop *l, unsigned index, void *user)
{
	struct change *c = user;

	(void)l;
	for (struct door *d = c->serve->doors; d; d = d->next)
		d->at[index] = find_rules(c->rules, d);
}

static void close_old(struct serve *s, const struct rules *rules)
{
	for (struct door **at = &s->doors; *at;) {
		struct door *d = *at;

		if (find_rules(rules, d)) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		door_free(d);
	}
}

bool serve_reload(struct serve *s, const struct settings *settings, struct err *e)
{
	struct rules *rules = rules_new(settings, s->with.contexts, e), *old = s->rules;
	const struct pop3_settings p = fitting(s, settings);
	struct change c = { s, rules, NULL };
	struct introspect_endpoint *endpoint = NULL;
	struct users_sources *users;

	if (!rules)
		return false;
	users = users_read(s->users, settings, e);
	if (!users || !oauth_read(&p, s->with.store, &endpoint, e) || (s->running && !open_new(s, rules, &c.doors, e)) || !submissions_reload(s->submissions, settings, e) ||
	    !admission_reload_configured(s->admission, &p, e)) {	/* which fails only for want of memory */
		users_drop(&users);
		introspect_endpoint_free(&endpoint);
		doors_close(&c.doors);
		rules_put(&rules);
		return false;
	}
	users_take(s->users, &users);
	introspect_take(s->introspect, &endpoint);
	close_old(s, rules);
	for (struct door *d = s->doors; d; d = d->next)
		d->wanted = find_rules(rules, d);
	while (c.doors) {
		struct door *d = c.doors;

		c.doors = d->next;
		d->next = s->doors;
		s->doors = d;
	}
	for (unsigned n = 0; n < s->worker_count; n++)
		loops_call(s->with.loops, n, change_worker, &c);
	s->rules = rules;
	rules_put(&old);
	return true;
}

/* ---- what others ask */

uint64_t serve_sessions(const struct serve *s)
{
	struct serve_counts c;

	serve_counts(s, &c);
	return c.sessions_now;
}

void serve_counts(const struct serve *s, struct serve_counts *c)
{
	uint64_t all[COUNT_KINDS] = { 0 };

	for (unsigned n = 0; n < s->worker_count; n++)
		for (unsigned k = 0; k < COUNT_KINDS; k++)
			all[k] += atomic_load_explicit(&s->workers[n]->counts[k], memory_order_relaxed);
	*c = (struct serve_counts){
		.sessions_now = all[COUNT_OPEN], .logged_in_now = all[COUNT_LOGGED_IN], .connections = all[COUNT_CONNECTIONS],
		.refused = all[COUNT_REFUSED], .logins = all[COUNT_LOGINS], .failed_logins = all[COUNT_FAILED_LOGINS],
		.messages = all[COUNT_MESSAGES], .octets = all[COUNT_OCTETS], .tops = all[COUNT_TOPS], .deleted = all[COUNT_DELETED],
	};
}

struct admission *serve_admission(struct serve *s)
{
	return s->admission;
}

uint16_t serve_port(const struct serve *s, const char *name)
{
	for (const struct door *d = s->doors; d; d = d->next)
		if (strcmp(d->wanted->name, name) == 0)	/* a reload may have given it another one */
			return entrance_port(d->entrance);
	return 0;
}

void serve_answered(struct serve *s, const struct store_done *done)
{
	if (deliver_ticket(done->ticket))
		submissions_answered(s->submissions, done);
	else if (alerts_owns(done->ticket))
		alerts_answered(s->alerts, done);
	else
		commits_answered(s->commits, done);
}

struct submissions *serve_submissions(const struct serve *s)
{
	return s->submissions;
}

size_t serve_each_session(struct serve *s, uint64_t after, struct serve_session *out, size_t max)
{
	return serve_list(s->with.loops, s->workers, after, out, max);
}
