/* SPDX-License-Identifier: Apache-2.0
 *
 * From who it is to a maildrop.  In this order:
 *     an alert that is pending (alerts.h) refuses this attempt, and is none the next time
 *     which box is meant, and what may be done there (named.h, acl.h)
 *     the account's share of sessions (admission.h)
 *     where the box lies (place.h), and its snapshot: at once where that is quick, else in a job */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "serve/session.h"
#include "store/acl.h"
#include "store/maildrop_routed.h"
#include "store/mdir.h"
#include "store/place.h"

enum { OPEN_ON_LOOP = 1000 };		/* messages; more are listed in a job */

/* What the login said, until the maildrop is open. */
struct session_opening {
	struct session *session;
	struct store *store;
	struct account_limits limits;
	char owner[ACCOUNT_NAME_MAX + 1], meant[MAILBOX_NAME_MAX + 1];	/* as given */
	char routed[ACCOUNT_NAME_MAX + 1];	/* "" = all mail of the box */
	char mail[PATH_MAX];			/* the user source's own Maildir; "" = none */
	char box[MAILBOX_NAME_MAX + 1];
	struct place place;
	bool uidl_dovecot;
	struct maildrop *drop;
	bool good;
	struct err why;
};

static void forget(struct session *s)
{
	free(s->opening);
	s->opening = NULL;
}

/* words: for longer than this call (pop3/server.h). */
static void refuse(struct session *s, enum p3d_code code, const char *words)
{
	char line[SAYS_MAX];

	(void)snprintf(line, sizeof line, "login refused user=\"%s\" reason=\"%s\"", s->account, words ? words : "out of memory");
	session_log(s, LOG_INFO, line);
	admission_user_leave(s->worker->admission, &s->seat);
	p3d_login_refused(session_p3d(s), code, words);
	free(s->account);
	free(s->box);
	s->account = s->box = NULL;
}

static void let_in(struct session *s)
{
	s->lent = (struct p3d_drop){ .messages = maildrop_messages(s->drop), .count = maildrop_count(s->drop),
		.keep = !(s->rights & ACL_DELETE), .uids = maildrop_uids(s->drop) };
	s->settings.greeting = s->rules->greeting;
	free(s->greeting);
	s->greeting = NULL;
	worker_known(s->worker, s);
	worker_count(s->worker, COUNT_LOGINS, 1);
	worker_count(s->worker, COUNT_LOGGED_IN, 1);
	conn_deadline(s->conn, s->rules->idle_timeout_ms, "command");
	p3d_login_ok(session_p3d(s), &s->lent);
}

/* ---- the snapshot */

static void open_failed(struct session *s, const struct err *why)
{
	session_log(s, LOG_ERROR, why->text);
	refuse(s, P3D_CODE_SYS_TEMP, "the mailbox cannot be opened now");
}

static bool route(struct session_opening *o)
{
	if (!*o->routed || maildrop_route(o->store, o->drop, o->routed, &o->why))
		return true;
	maildrop_close(&o->drop);
	return false;
}

static void open_work(void *user)
{
	struct session_opening *o = user;
	const struct maildrop_maildir maildir = { .path = o->place.path, .uidl_dovecot = o->uidl_dovecot, .account_len = o->place.account_len };

	if (o->place.kind == PLACE_MAILDIR)
		o->good = maildrop_open_maildir(o->store, &maildir, &o->drop, &o->why) && route(o);
	else if (*o->routed)
		o->good = maildrop_open_routed(o->store, o->box, o->routed, &o->drop, &o->why);
	else
		o->good = maildrop_open(o->store, o->box, &o->drop, &o->why);
}

static void open_done(void *user)
{
	struct session_opening *o = user;
	struct session *s = o->session;

	s->jobs--;
	if (!s->conn || s->closing) {
		if (o->good)
			maildrop_close(&o->drop);
		forget(s);
		session_release(s);
		return;
	}
	if (o->good) {
		s->drop = o->drop;
		let_in(s);
	} else {
		open_failed(s, &o->why);
	}
	forget(s);
	s->worker->out.len = 0;
	session_pump(s, (struct span){ 0 });
}

static void open_later(struct session *s)
{
	struct err e;

	if (!job_start(s->worker->loop, open_work, open_done, s->opening, &e)) {
		open_failed(s, &e);
		forget(s);
		return;
	}
	s->jobs++;
}

/* True: it is open, or cannot be (then o->why says so); false: that is for a job. */
static bool open_at_once(struct session *s, struct session_opening *o)
{
	const struct maildrop_maildir maildir = { .path = o->place.path, .uidl_dovecot = o->uidl_dovecot, .account_len = o->place.account_len };
	uint64_t messages, octets;

	if (o->place.kind == PLACE_MAILDIR)
		return !*o->routed && (o->good = maildrop_try_maildir(o->store, &maildir, &s->drop));
	if (*o->routed)
		return false;
	if (!maildrop_peek(o->store, o->box, &messages, &octets, &o->why))
		return true;
	if (messages > OPEN_ON_LOOP)
		return false;
	o->good = maildrop_open(o->store, o->box, &s->drop, &o->why);
	return true;
}

static void open_maildrop(struct session *s)
{
	struct session_opening *o = s->opening;

	o->store = s->worker->store;
	o->uidl_dovecot = s->rules->uidl_dovecot;
	if (!open_at_once(s, o)) {
		open_later(s);
		return;
	}
	if (o->good)
		let_in(s);
	else
		open_failed(s, &o->why);
	forget(s);
}

/* ---- which box, and may it be opened */

/* By which name sessions that shut each other out are known: the account's, whoever opens its INBOX, else the box's. */
static struct span alone_as(const struct session *s)
{
	struct span whole = span_of(s->opening->box), account = { whole.at, span_find(whole, '/') };

	return span_equal(span_from(whole, account.len), SPAN("/INBOX")) ? account : whole;
}

static bool take_seat(struct session *s)
{
	bool exclusive = s->rules->exclusive;
	struct span as = exclusive ? alone_as(s) : span_of(s->account);
	uint32_t wait_s;

	switch (admission_user_enter(s->worker->admission, &s->seat, as, s->opening->limits.max_sessions, exclusive, clock_mono_ms(), &wait_s)) {
	case ADMISSION_USER_GOOD:
		return true;
	case ADMISSION_USER_FULL:
		refuse(s, P3D_CODE_SYS_TEMP, "this account has too many sessions");
		break;
	case ADMISSION_USER_IN_USE:
		refuse(s, P3D_CODE_IN_USE, "the mailbox is in use");
		break;
	case ADMISSION_USER_TOO_SOON:
		refuse(s, P3D_CODE_LOGIN_DELAY, "too soon after the last login");
		break;
	}
	return false;
}

/* A session keeps the name of its box only where that is not ACCOUNT/INBOX. */
static bool name_box(struct session *s)
{
	char own[MAILBOX_NAME_MAX + 1];

	(void)session_box(s, own);
	if (strcmp(own, s->opening->box) == 0)
		return true;
	s->box = strdup(s->opening->box);
	return s->box;
}

/* The Maildir that the sources of users know of whose box it is: the login's own, or another one's. */
static void find_mail(struct session *s)
{
	struct session_opening *o = s->opening;
	struct account_login owner;
	char name[ACCOUNT_NAME_MAX + 1];

	(void)snprintf(name, sizeof name, "%.*s", (int)span_find(span_of(o->box), '/'), o->box);
	if (strcmp(name, s->account) == 0)
		return;
	users_find(s->worker->users, name, NULL, &owner);
	(void)snprintf(o->mail, sizeof o->mail, "%s", owner.mail);
	login_wipe(&owner);
}

/* A box of a name that no folder of the Maildir can have is not there; all else is no fault of the client's. */
static void no_place(struct session *s, const struct err *why)
{
	bool inbox = strcmp(s->opening->box + strcspn(s->opening->box, "/"), "/INBOX") == 0;

	if (why->kind == ERR_CONFIG && !inbox)
		refuse(s, P3D_CODE_SYS_PERM, NAMED_REFUSED);
	else
		open_failed(s, why);
}

static bool find_box(struct session *s)
{
	struct session_opening *o = s->opening;
	const struct named n = { .owner = span_of(o->owner), .box = span_of(o->meant) };
	unsigned rights;
	struct err e;

	if (!named_box(s->worker->store, &n, s->account, o->box, &rights, &e)) {
		refuse(s, P3D_CODE_SYS_PERM, strcmp(e.text, NAMED_UNREADABLE) == 0 ? NAMED_UNREADABLE : NAMED_REFUSED);
		return false;
	}
	s->rights = (uint8_t)rights;
	find_mail(s);
	if (!place_find(s->worker->store, o->box, *o->mail ? o->mail : NULL, &o->place, &e)) {
		no_place(s, &e);
		return false;
	}
	if (o->place.kind == PLACE_STORE && !named_there(s->worker->store, o->box)) {
		refuse(s, P3D_CODE_SYS_PERM, NAMED_REFUSED);
		return false;
	}
	if (!name_box(s)) {
		refuse(s, P3D_CODE_SYS_TEMP, NULL);
		return false;
	}
	return true;
}

static void go_on(struct session *s)
{
	if (find_box(s) && take_seat(s))
		open_maildrop(s);
	else
		forget(s);
}

/* ---- what it is to be told first */

static void told(void *user, const char *text)
{
	struct session *s = user;
	char words[P3D_REPLY_MAX];

	s->commits--;
	if (!s->conn || s->closing) {
		forget(s);
		session_release(s);
		return;
	}
	s->worker->out.len = 0;
	if (text) {
		(void)snprintf(words, sizeof words, "alert: %s", text);
		s->words = strdup(words);
		refuse(s, s->words ? P3D_CODE_SYS_PERM : P3D_CODE_SYS_TEMP, s->words);
		forget(s);
	} else {
		go_on(s);
	}
	session_pump(s, (struct span){ 0 });
}

void session_open(struct session *s, const struct login_answer *a)
{
	struct session_opening *o = calloc(1, sizeof *o);

	free(s->words);
	s->words = NULL;
	s->account = strdup(a->account);
	s->opening = o;
	if (!s->account || !o) {
		forget(s);
		free(s->account);
		s->account = NULL;
		p3d_login_refused(session_p3d(s), P3D_CODE_SYS_TEMP, NULL);
		return;
	}
	o->session = s;
	o->limits = a->limits;
	(void)snprintf(o->owner, sizeof o->owner, "%s", a->owner);
	(void)snprintf(o->meant, sizeof o->meant, "%s", a->box);
	(void)snprintf(o->routed, sizeof o->routed, "%s", a->routed);
	(void)snprintf(o->mail, sizeof o->mail, "%s", a->mail);
	if (alerts_ask(s->worker->alerts, s->worker->index, s->account, told, s))
		s->commits++;
	else
		go_on(s);
}
