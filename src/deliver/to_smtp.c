/* SPDX-License-Identifier: Apache-2.0
 *
 * To an SMTP or LMTP server (PRODUCT 2.2), through a relay (relay.h): one for each target, with the connections that it keeps.
 *
 * Password and TLS are looked up in a job before the first connection, and again when none is left: so a password that
 * was changed since counts.  What cannot be had then is for whoever runs this to mend: the message is deferred.  Where that or the
 * server was not to be had, messages are deferred at once for a while (back_off.h).  A relay goes when nobody but it has its target
 * any more (the settings were read again) and it is idle. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "deliver/inside.h"
#include "deliver/password.h"
#include "deliver/relay.h"

enum { CONNECT_TIMEOUT_MS = 30 * 1000, PASSWORD_MAX = 64 * 1024 };

static_assert(SASL_EXTERNAL == (int)MECHANISM_EXTERNAL && SASL_APOP == (int)MECHANISM_APOP && SASL_MECHS == (int)MECHANISMS,
	"config names the mechanisms in the order of sasl");
static_assert(TLS_1_0 == (int)VERSION_TLS_1_0 && TLS_1_3 == (int)VERSION_TLS_1_3, "config names the versions as net does");

struct deliver_server {
	const char *host, *user;
	uint16_t port;
	enum tls_mode mode;
	bool required;
	struct tls_settings tls;
	const enum sasl_mech *mechs;
	size_t mech_count;
	struct secret password;
};

struct served {
	struct deliveries *all;
	struct served *next;			/* of its bucket */
	struct queue waiting;			/* while it is prepared */
	struct back_off back_off;
	unsigned weaker;			/* of mechanisms: relay.h */
	struct deliver_target *target;		/* kept */
	struct relay *relay;			/* NULL: none yet */
	struct relay_settings with;		/* the relay's */
	struct tls_client *tls;			/* and what the job finds */
	struct buf password;
	bool preparing, good;
	atomic_bool stop;
	struct err e;
};

/* ---- settings */

static const char *copy(struct arena *a, const char *text)
{
	return text ? arena_text(a, span_of(text)) : NULL;
}

const struct deliver_server *deliver_server_of(struct arena *a, const struct target *t)
{
	struct deliver_server *s = arena_take(a, sizeof *s);
	enum sasl_mech *mechs = arena_take(a, (t->auth.auth_count + 1) * sizeof *mechs);

	for (size_t n = 0; n < t->auth.auth_count; n++)
		mechs[n] = (enum sasl_mech)t->auth.auth[n];
	*s = (struct deliver_server){
		.host = copy(a, t->host), .user = copy(a, t->user), .port = t->port, .mode = t->tls.mode, .required = t->tls.required,
		.tls = {
			.legacy = t->tls.legacy, .versions = t->tls.versions, .ciphers = copy(a, t->tls.ciphers),
			.ciphersuites = copy(a, t->tls.ciphersuites), .certificate = copy(a, t->tls.certificate), .key = copy(a, t->tls.key),
			.ca_certificates = copy(a, t->tls.ca_certificates), .crl = copy(a, t->tls.crl), .verify_server = t->tls.verify_server,
			.verify_host = t->tls.verify_host && t->tls.required, .verify_depth = t->tls.verify_depth, .pin = copy(a, t->tls.pin),
		},
		.mechs = mechs, .mech_count = t->auth.auth_count, .password = { t->password.kind, copy(a, t->password.text) },
	};
	return s;
}

void deliver_server_wipe(const struct deliver_server *s)
{
	if (s->password.text)
		wipe((char *)s->password.text, strlen(s->password.text));
}

/* ---- results */

static enum deliver_said said_of(enum smc_outcome outcome)
{
	switch (outcome) {
	case SMC_ACCEPTED:
		return DELIVER_ACCEPTED;
	case SMC_DEFERRED:
	case SMC_DOUBT:
		return DELIVER_DEFERRED;
	case SMC_REFUSED:
		return DELIVER_REFUSED;
	}
	return DELIVER_DEFERRED;
}

static void tell_one(struct deliver_each *one, const struct relay_result *r)
{
	const char *lost = r->outcome == SMC_DOUBT ? "; it was sent, and may come twice" : "";

	one->said = said_of(r->outcome);
	if (one->said == DELIVER_ACCEPTED)
		return;
	if (r->code)
		(void)snprintf(one->why, sizeof one->why, "%u %s%s", r->code, r->text, lost);
	else
		(void)snprintf(one->why, sizeof one->why, "%s%s", r->text, lost);
	text_clean(one->why, strlen(one->why));
	if (r->status[0])
		(void)snprintf(one->status, sizeof one->status, "%u.%u.%u", r->status[0] % 10, r->status[1] % 1000, r->status[2] % 1000);
}

static void sent(void *user, const struct relay_result *results, size_t count)
{
	struct delivery *d = user;
	const struct deliver_each *worst;
	bool down = true;
	char why[DELIVER_WHY_MAX + 1];

	d->each = calloc(count, sizeof *d->each);
	if (!d->each)
		abort();	/* as of any small thing of the store's: nobody could be told */
	worst = d->each;
	for (size_t n = 0; n < count; n++) {
		struct deliver_each *one = &d->each[n];

		tell_one(one, &results[n]);
		down = down && results[n].down;
		if (one->said == DELIVER_DEFERRED ? worst->said != DELIVER_DEFERRED : one->said == DELIVER_REFUSED && worst->said == DELIVER_ACCEPTED)
			worst = one;
	}
	if (worst->said == DELIVER_ACCEPTED) {
		delivery_end(d, DELIVER_ACCEPTED, NULL);
		return;
	}
	if (worst->said == DELIVER_REFUSED)
		(void)snprintf(d->told, sizeof d->told, "%.*s", (int)sizeof d->told - 1, worst->why);
	d->down = down;
	(void)snprintf(why, sizeof why, "%.100s: %.*s", d->ask.recipients[worst - d->each], DELIVER_WHY_MAX - 110, worst->why);
	delivery_end(d, worst->said, why);
}

/* ---- a server and its relay */

static void prepare_work(void *user)
{
	struct served *s = user;
	const struct deliver_server *server = s->target->server;

	s->good = password_read(&server->password, s->all->with.store, &s->stop, &s->password, &s->e);
	if (!s->good || server->mode == MODE_NONE)
		return;
	s->good = s->all->with.contexts ? true : err_set(&s->e, ERR_LOCAL, "there is no TLS here");
	if (s->good)
		s->good = (s->tls = tls_client_get(s->all->with.contexts, &server->tls, &s->e)) != NULL;
}

/* It is looked up again with the next connection. */
static void forget_password(void *user)
{
	struct served *s = user;

	s->with.login.password = (struct span){ 0 };
	buf_wipe(&s->password);
}

static void settle(struct served *s)
{
	const struct deliver_server *server = s->target->server;

	s->with = (struct relay_settings){
		.server = { .host = server->host, .port = server->port, .tls = server->mode == MODE_IMPLICIT ? CONN_TLS_IMPLICIT : CONN_TLS_NONE,
			.tls_client = s->tls, .connect_timeout_ms = CONNECT_TIMEOUT_MS, .timeout_ms = CONNECT_TIMEOUT_MS },
		.login = { .name = s->all->host, .lmtp = s->target->ops->type == TARGET_LMTP, .password = buf_span(&s->password),
			.mechs = server->mechs, .mech_count = server->mech_count, .secure = server->mode == MODE_IMPLICIT,
			.starttls = server->mode == MODE_EXPLICIT, .starttls_required = server->mode == MODE_EXPLICIT && server->required },
		.user = server->user ? server->user : "", .parallel = s->target->parallel, .back_off = &s->back_off, .weaker = &s->weaker,
		.store = s->all->with.store, .alone = forget_password, .alone_user = s,
	};
}

static void give(struct served *s, struct delivery *d)
{
	d->sent = true;
	relay_send(s->relay, &(struct relay_ask){ .message = d->ask.message, .sender = d->ask.sender, .recipients = d->ask.recipients,
		.recipient_count = d->ask.recipient_count, .done = sent, .user = d, .holds = d->ask.holds ? d->ask.user : NULL });
}

static void prepared(void *user)
{
	struct served *s = user;

	s->preparing = false;
	if (s->good) {
		settle(s);
		s->relay = relay_new(s->all->with.loop, &s->with, &s->e);
	}
	if (!s->relay)
		back_off_failed(&s->back_off, loop_now_ms(s->all->with.loop), s->e.text);
	for (struct delivery *d; (d = s->waiting.first);) {
		queue_leave(d);
		if (s->relay)
			give(s, d);
		else
			delivery_down(d, s->e.text);
	}
}

static void prepare(struct served *s)
{
	if (s->relay)
		relay_free(&s->relay);
	s->tls = NULL;
	s->preparing = true;
	buf_wipe(&s->password);
	buf_start(&s->password, PASSWORD_MAX);
	atomic_store(&s->stop, false);
	if (task_start(s->all->tasks, prepare_work, prepared, s, &s->e))
		return;
	s->good = false;
	prepared(s);
}

static void free_one(struct served *s)
{
	if (s->relay)
		relay_free(&s->relay);
	buf_wipe(&s->password);
	deliver_target_put(&s->target);
	free(s);
}

/* Those of settings that are no longer: one bucket each time. */
static void sweep(struct deliveries *all)
{
	all->swept_served = (all->swept_served + 1) % COUNT(all->served);
	for (struct served **at = &all->served[all->swept_served]; *at;) {
		struct served *s = *at;

		if (atomic_load(&s->target->holders) > 1 || s->preparing || (s->relay && relay_waiting(s->relay))) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		free_one(s);
	}
}

static struct served **bucket_of(struct deliveries *all, const struct deliver_target *t)
{
	uintptr_t p = (uintptr_t)t;

	return &all->served[(p >> 5 ^ p >> 13 ^ p >> 21) % COUNT(all->served)];
}

static struct served *served_of(struct deliveries *all, struct deliver_target *t)
{
	struct served **bucket = bucket_of(all, t), *s = *bucket;

	while (s && s->target != t)
		s = s->next;
	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (!s)
		abort();	/* as of any small thing of the store's: nobody could be told */
	*s = (struct served){ .all = all, .next = *bucket, .target = deliver_target_keep(t) };
	buf_start(&s->password, PASSWORD_MAX);
	*bucket = s;
	return s;
}

static void begin(struct delivery *d)
{
	struct served *s;

	if (!d->ask.recipient_count || d->ask.recipient_count > SMC_RECIPIENTS_MAX) {
		delivery_end(d, DELIVER_REFUSED, d->ask.recipient_count ? "it has too many recipients" : "it has no recipients");
		return;
	}
	sweep(d->all);
	s = served_of(d->all, d->target);
	if (d->ask.insist)
		back_off_over(&s->back_off);
	if (!back_off_may(&s->back_off, loop_now_ms(d->all->with.loop))) {
		delivery_down(d, s->back_off.why);
		return;
	}
	if (s->relay && !s->preparing && (relay_connections(s->relay) || relay_waiting(s->relay) || relay_unreleased(s->relay))) {
		give(s, d);
		return;
	}
	queue_put(&s->waiting, d);
	if (!s->preparing)
		prepare(s);
}

/* Its relay tells nothing any more: all of its deliveries end, and each is asked. */
static void hurry(struct delivery *d)
{
	struct served *s = served_of(d->all, d->target);

	atomic_store(&s->stop, true);
	if (s->relay)
		relay_free(&s->relay);
	d->down = !d->sent;
	delivery_end(d, DELIVER_DEFERRED, d->sent ? "the service ends before the server has answered; it may come twice" : "the service ends");
}

static bool unsend(struct delivery *d)
{
	const struct served *s = served_of(d->all, d->target);

	return !d->sent || (s->relay && relay_unsend(s->relay, d));
}

static void release(struct deliveries *all, struct deliver_target *t, const void *user)
{
	struct served *s = *bucket_of(all, t);

	while (s && s->target != t)
		s = s->next;
	if (s && s->relay)
		relay_release(s->relay, user);
}

void deliver_servers_stop(struct deliveries *all)
{
	for (size_t n = 0; n < COUNT(all->served); n++)
		for (struct served *s = all->served[n]; s; s = s->next)
			atomic_store(&s->stop, true);
}

void deliver_servers_free(struct deliveries *all)
{
	for (size_t n = 0; n < COUNT(all->served); n++)
		for (struct served *s; (s = all->served[n]);) {
			all->served[n] = s->next;
			free_one(s);
		}
}

void deliver_servers_rest(struct deliveries *all)
{
	for (size_t n = 0; n < COUNT(all->served); n++) {
		sweep(all);
		for (struct served *s = all->served[n]; s; s = s->next)
			if (s->relay)
				relay_rest(s->relay);
	}
}

void deliver_servers_distrust(struct deliveries *all)
{
	for (size_t n = 0; n < COUNT(all->served); n++)
		for (struct served *s = all->served[n]; s; s = s->next)
			if (s->relay)
				relay_distrust(s->relay);
}

const struct deliver_ops deliver_to_smtp = { .type = TARGET_SMTP, .begin = begin, .hurry = hurry, .unsend = unsend, .release = release };
const struct deliver_ops deliver_to_lmtp = { .type = TARGET_LMTP, .begin = begin, .hurry = hurry, .unsend = unsend, .release = release };
