/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "collect/schedule_hint.h"
#include "collect/schedule_inside.h"
#include "collect/visit_imap.h"

struct watch {			/* of one connection; it stays when its session has ended */
	struct watches *all;
	struct watch *next;
	char *name, *host, *user;
	uint16_t port;
	uint8_t sum[VISITED_SUM];	/* of its settings */
	struct conn *conn;		/* NULL: it is not watched now */
	struct imc *session;		/* NULL: it rests, */
	struct imc_rested *rested;	/* and is kept here */
	bool told, ending;
	unsigned shorts;		/* sessions in a row that ended soon */
	uint64_t names;		/* as struct imap_visit has it */
	struct buf secret;	/* with which its session logged in, where the next visit does not get it: a server may say it back */
	unsigned notifies;		/* NOTIFY in a row of which nothing came but that it holds no more */
	uint64_t began_ms, denied_until_ms;
	int64_t since, heard;		/* for people */
};

struct watches {
	struct loop *loop;
	struct watch *first;
	const struct settings *settings;	/* those in force; NULL: nobody said */
	struct imc *spare;		/* memory for the next one that wakes; may be NULL */
	void (*news)(void *user, const char *connection);
	void *user;
};

static const uint8_t sum_key[VISITED_KEY];	/* the sums stay in memory */

/* ---- what there is */

static struct watch *find(const struct watches *all, const char *name)
{
	struct watch *w = all ? all->first : NULL;

	while (w && strcmp(w->name, name) != 0)
		w = w->next;
	return w;
}

static struct tag tag_of(const struct watch *w)
{
	return (struct tag){ NULL, "connection", w->name };
}

static bool of_settings(const struct watch *w, const struct connection *c)
{
	uint8_t sum[VISITED_SUM];

	schedule_sum(c, sum_key, sum);
	return memcmp(sum, w->sum, sizeof sum) == 0;
}

static void forget(struct watch *w)
{
	free(w->name);
	free(w->host);
	free(w->user);
	free(w->rested);
	free(w);
}

static struct watch *make(struct watches *all, const struct connection *c)
{
	struct watch *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	w->all = all;
	w->name = strdup(c->name);
	w->host = strdup(c->host);
	w->user = strdup(c->user);
	w->rested = malloc(imc_rested_size());
	if (!w->name || !w->host || !w->user || !w->rested) {
		forget(w);
		return NULL;
	}
	schedule_sum(c, sum_key, w->sum);
	w->next = all->first;
	all->first = w;
	return w;
}

/* Most of what comes needs its memory for one turn only. */
static bool wake(struct watch *w)
{
	if (w->session)
		return true;
	w->session = w->all->spare ? w->all->spare : malloc(imc_size());
	w->all->spare = NULL;
	if (w->session)
		imc_resume(w->session, w->rested);
	return w->session;
}

static void give_back(struct watch *w)
{
	free(w->all->spare);
	w->all->spare = w->session;
	w->session = NULL;
}

static void rest(struct watch *w)
{
	if (!w->session || !imc_may_rest(w->session))
		return;
	imc_rest(w->session, w->rested);
	give_back(w);
}

static void drop_session(struct watch *w)
{
	w->conn = NULL;
	buf_wipe(&w->secret);
	if (!w->session)
		return;
	imc_end(w->session);
	give_back(w);
}

static void end_session(struct watch *w)
{
	if (!w->conn)
		return;
	conn_forget(&w->conn);
	drop_session(w);
}

static void remove_at(struct watch **at)
{
	struct watch *w = *at;

	*at = w->next;
	end_session(w);
	forget(w);
}

static void deny(struct watch *w)
{
	w->denied_until_ms = loop_now_ms(w->all->loop) + (uint64_t)WATCH_DENIED_S * 1000;
}

static void tell(struct watch *w)
{
	if (w->told || w->ending)
		return;
	w->told = true;
	w->all->news(w->all->user, w->name);
}

/* ---- its session */

static void send_out(struct watch *w)
{
	struct span out = imc_out(w->session);

	if (out.len && conn_send(w->conn, out))
		imc_sent(w->session, out.len);
}

static void refused(struct watch *w)
{
	const struct tag tag = tag_of(w);

	log_warn(&tag, "the server refuses IDLE: the mailbox is polled instead, for an hour");
	deny(w);
	w->ending = true;
}

/* By the server: once is worth another look, always to do so is not. */
static void ended(struct watch *w)
{
	const struct tag tag = tag_of(w);

	w->shorts = loop_now_ms(w->all->loop) - w->began_ms < (uint64_t)WATCH_SHORT_S * 1000 ? w->shorts + 1 : 0;
	if (w->shorts < WATCH_SHORT_MAX) {
		tell(w);
		return;
	}
	log_warn(&tag, "the server ends IDLE soon, again and again: the mailbox is polled instead, for an hour");
	w->shorts = 0;
	deny(w);
}

static void on_event(struct watch *w, const struct imc_event *ev)
{
	const struct tag tag = tag_of(w);
	/* Dovecot 2.3 tells no more of any mailbox in this IDLE, once it has told something by NOTIFY. */
	unsigned acts = IMC_NEWS_MAIL | IMC_NEWS_OVERFLOW | (imc_notifying(w->session) ? IMC_NEWS_GONE | IMC_NEWS_FLAGS : 0);

	if (ev->what == IMC_NEWS && ev->flags & acts && !w->told) {
		log_debug(&tag, "idle news");
		tell(w);
	} else if (ev->what == IMC_REFUSED) {
		refused(w);
	} else if (ev->what == IMC_DONE) {	/* the server ended it by itself */
		ended(w);
		w->ending = true;
	} else if (ev->what == IMC_BYE || ev->what == IMC_FAILED) {
		conn_close(w->conn);		/* closed() tells */
	}
}

/* The session has its work memory for the time of this call. */
static void take_events(struct watch *w)
{
	struct imc_event ev;

	while (w->conn && imc_next(w->session, &ev) != IMC_NOTHING)
		on_event(w, &ev);
	send_out(w);
	if (w->ending)
		conn_close(w->conn);
	else
		conn_rest(w->conn);
}

static size_t on_turn(void *user, struct span in)
{
	struct watch *w = user;

	w->heard = clock_now_s();
	if (!wake(w)) {
		conn_close(w->conn);	/* the next visit finds more memory, or says so */
		return in.len;
	}
	imc_feed(w->session, in);
	take_events(w);
	rest(w);
	return in.len;
}

static void on_drained(void *user)
{
	(void)user;
}

static void on_closed(void *user, const struct err *why)
{
	struct watch *w = user;
	const struct tag tag = tag_of(w);
	unsigned long long lived_s = (loop_now_ms(w->all->loop) - w->began_ms) / 1000;

	drop_session(w);
	if (w->ending)
		return;
	log_info(&tag, "idle lost after=%llus: %s", lived_s, why->kind ? why->text : "the server closed the connection");
	ended(w);
}

/* ---- from a visit, and to the next */

bool watch_wanted(const struct visit *v)
{
	const struct watches *all = collector_watches(v->collector);
	const struct watch *w = find(all, v->with->name);

	return all && v->with->idle && v->what == VISIT_COLLECT && !v->stopping && !v->why.kind && v->with->protocol == PROTOCOL_IMAP &&
	       (imc_capabilities(v->imap->session) & IMC_CAPA_IDLE) && !(w && loop_now_ms(all->loop) < w->denied_until_ms);
}

static void keep_secret(struct watch *w, const struct visit *v)
{
	struct span secret = password_costs(v->with) ? buf_span(&v->password) : SPAN("");

	buf_start(&w->secret, secret.len);	/* all at once: growing leaves copies */
	(void)!buf_add(&w->secret, secret);	/* else that is not hidden any more */
}

static void take_over(struct watch *w, struct visit *v)
{
	const struct conn_user user = { .turn = on_turn, .drained = on_drained, .closed = on_closed, .user = w };

	assert(!w->conn && !w->session);
	w->port = v->conn_settings.port;
	w->conn = v->conn;
	w->session = v->imap->session;
	w->began_ms = loop_now_ms(w->all->loop);
	w->since = w->heard = clock_now_s();
	w->told = w->ending = false;
	w->names = v->imap->names;
	keep_secret(w, v);
	v->conn = NULL;
	v->imap->session = NULL;
	conn_adopt(w->conn, &user);
	conn_deadline(w->conn, 0, NULL);
	conn_background(w->conn);
}

static bool in_force(const struct watches *all, const struct connection *c)
{
	const struct connection *now = all->settings ? settings_connection(all->settings, c->name) : c;
	uint8_t sums[2][VISITED_SUM];

	if (!now || !now->enabled || !now->idle)
		return false;
	schedule_sum(c, sum_key, sums[0]);
	schedule_sum(now, sum_key, sums[1]);
	return memcmp(sums[0], sums[1], VISITED_SUM) == 0;
}

/* Whose session the visit's becomes, in place of any other: one that is ending, or that the visit could not take. */
static struct watch *place_for(struct watches *all, const struct connection *c)
{
	struct watch **at = &all->first;

	if (!in_force(all, c))
		return NULL;
	while (*at && strcmp((*at)->name, c->name) != 0)
		at = &(*at)->next;
	if (*at && of_settings(*at, c)) {
		end_session(*at);
		return *at;
	}
	if (*at)
		remove_at(at);
	return make(all, c);
}

void watch_begin(struct visit *v, bool again)
{
	struct watch *w = place_for(collector_watches(v->collector), v->with);

	if (!w) {		/* no memory; or others are in force by now */
		visit_close(v);
		return;
	}
	if (v->imap->notified || imc_notifying(v->imap->session))
		w->notifies = v->imap->notified ? w->notifies + 1 : 0;
	take_over(w, v);
	log_debug(&v->tag, "idle begin");
	if (again || imc_news(w->session) & IMC_NEWS_MAIL)
		tell(w);
	(void)imc_idle(w->session);
	take_events(w);
	rest(w);
}

bool watch_may_notify(const struct visit *v)
{
	const struct watch *w = find(collector_watches(v->collector), v->with->name);

	return !w || w->notifies < WATCH_SHORT_MAX;
}

void watch_not_notified(const struct visit *v)
{
	struct watch *w = place_for(collector_watches(v->collector), v->with);

	if (w)
		w->notifies++;
}

bool watch_waits(const struct visit *v)
{
	const struct watch *w = find(collector_watches(v->collector), v->with->name);

	return w && w->conn && !w->ending && v->what == VISIT_COLLECT && conn_is_open(w->conn) && of_settings(w, v->with);
}

bool watch_take(struct visit *v, const struct conn_user *user)
{
	struct watch *w = find(collector_watches(v->collector), v->with->name);

	if (!watch_waits(v) || !wake(w))
		return false;
	v->imap = calloc(1, sizeof *v->imap);
	if (!v->imap)
		return false;
	v->conn = w->conn;
	v->imap->session = w->session;
	v->imap->names = w->names;
	password_kept(v, buf_span(&w->secret));
	buf_wipe(&w->secret);
	w->conn = NULL;
	w->session = NULL;
	w->shorts = 0;
	conn_adopt(v->conn, user);
	imc_idle_done(v->imap->session);
	return true;
}

void watch_anew(const struct visit *v)
{
	const struct watches *all = collector_watches(v->collector);

	all->news(all->user, v->with->name);
}

/* ---- too many */

static bool same_account(const struct watch *w, const struct visit *v)
{
	return w->port == v->conn_settings.port && strcasecmp(w->host, v->with->host) == 0 && strcmp(w->user, v->with->user) == 0;
}

void watch_crowded(struct visit *v)
{
	struct watches *all = collector_watches(v->collector);
	struct watch *own = find(all, v->with->name), *newest = NULL;
	bool of_host = hint_read(&v->why).host;
	struct tag tag;

	if (!all || !v->with->idle)
		return;
	for (struct watch *w = all->first; w; w = w->next)
		if (w != own && w->conn && (same_account(w, v) || (of_host && strcasecmp(w->host, v->with->host) == 0)) && (!newest || w->began_ms > newest->began_ms))
			newest = w;
	if (!own)
		own = make(all, v->with);
	if (own)
		deny(own);
	if (!newest)
		return;
	tag = tag_of(newest);
	log_warn(&tag, "the server has too many sessions of this account: this mailbox and that of connection %s are polled, not watched, for an hour",
		v->with->name);
	deny(newest);
	end_session(newest);
}

/* ---- all of them */

struct watches *watches_new(struct loop *loop, void (*news)(void *user, const char *connection), void *user)
{
	struct watches *all = calloc(1, sizeof *all);

	if (all)
		*all = (struct watches){ .loop = loop, .news = news, .user = user };
	return all;
}

static bool goes_on(const struct watch *w, const struct settings *settings)
{
	const struct connection *c = settings_connection(settings, w->name);

	return c && c->enabled && c->idle && of_settings(w, c);
}

void watches_settle(struct watches *all, const struct settings *settings)
{
	all->settings = settings;
	for (struct watch **at = &all->first; *at;)
		if (goes_on(*at, settings))
			at = &(*at)->next;
		else
			remove_at(at);
}

void watches_end(struct watches *all, const char *connection)
{
	for (struct watch *w = all->first; w; w = w->next)
		if (!connection || strcmp(w->name, connection) == 0)
			end_session(w);
}

void watches_distrust(struct watches *all)
{
	for (struct watch *w = all->first; w; w = w->next) {
		if (!w->conn || conn_tls_trusted(w->conn))
			continue;
		end_session(w);
		tell(w);
	}
}

bool watches_show(const struct watches *all, const char *connection, struct collector_watch *shown)
{
	const struct watch *w = find(all, connection);

	if (!w || !w->conn || w->ending)
		return false;
	*shown = (struct collector_watch){ w->since, w->heard };
	return true;
}

void watches_free(struct watches **out)
{
	struct watches *all = *out;

	if (!all)
		return;
	while (all->first)
		remove_at(&all->first);
	free(all->spare);
	free(all);
	*out = NULL;
}
