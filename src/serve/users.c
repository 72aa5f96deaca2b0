/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/users.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "sasl/client.h"
#include "serve/passwd_file.h"

#define BIT(mech) (1U << SASL_##mech)
#define MECHS_CLEAR (BIT(USER) | BIT(PLAIN) | BIT(LOGIN))
#define MECHS_SECRET (BIT(APOP) | BIT(CRAM_MD5))
#define MECHS_SHA1 (BIT(SCRAM_SHA_1) | BIT(SCRAM_SHA_1_PLUS))
#define MECHS_SHA256 (BIT(SCRAM_SHA_256) | BIT(SCRAM_SHA_256_PLUS))

struct source {
	enum pop3_users_kind kind;
	char *text;			/* "internal", "pam:SERVICE", "passwd-file:PATH" */
	struct passwd_file *file;
};

struct users_sources {
	size_t count;
	struct source at[];
};

struct users {
	struct store *store;
	uint64_t chance;		/* which name has which made-up cost: nobody can tell beforehand */
	pthread_rwlock_t lock;		/* of: */
	struct users_sources *sources;
	pthread_mutex_t looking;	/* one looks at the files; also of `stop` */
	pthread_cond_t changed;
	bool stop, thread_there;
	pthread_t thread;
};

/* ---- the sources */

void users_drop(struct users_sources **out)
{
	struct users_sources *s = *out;

	*out = NULL;
	for (size_t n = 0; s && n < s->count; n++) {
		passwd_file_free(&s->at[n].file);
		free(s->at[n].text);
	}
	free(s);
}

/* The one that is in use already, if it is the same: then it is looked at, and what was good stays. */
static struct passwd_file *file_of(struct users *u, const char *path, const char *main_domain, struct err *e)
{
	for (size_t n = 0; u->sources && n < u->sources->count; n++) {
		struct passwd_file *f = u->sources->at[n].file;

		if (!f || !passwd_file_is(f, path, main_domain))
			continue;
		pthread_mutex_lock(&u->looking);
		(void)passwd_file_look(f);
		pthread_mutex_unlock(&u->looking);
		return passwd_file_keep(f);
	}
	return passwd_file_open(path, main_domain, e);
}

static bool add_source(struct users *u, const struct pop3_users *from, const char *main_domain, struct source *to, struct err *e)
{
	int n = 0;

	*to = (struct source){ .kind = from->kind };
	switch (from->kind) {
	case POP3_USERS_INTERNAL:
		to->text = strdup("internal");
		break;
	case POP3_USERS_PASSWD_FILE:
		n = asprintf(&to->text, "passwd-file:%s", from->text);
		to->file = file_of(u, from->text, main_domain, e);
		if (!to->file)
			return err_in(e, "pop3: users");
		break;
	case POP3_USERS_PAM:
		n = asprintf(&to->text, "pam:%s", from->text);
		break;
	}
	if (n < 0)
		to->text = NULL;
	return to->text || err_set(e, ERR_LOCAL, "out of memory");
}

struct users_sources *users_read(struct users *u, const struct settings *settings, struct err *e)
{
	const struct pop3_settings *p = settings->pop3;
	struct users_sources *s = calloc(1, sizeof *s + p->user_count * sizeof s->at[0]);

	if (!s)
		(void)err_set(e, ERR_LOCAL, "out of memory");
	for (size_t n = 0; s && n < p->user_count; n++) {
		s->count++;
		if (!add_source(u, &p->users[n], settings->main_domain, &s->at[n], e))
			users_drop(&s);
	}
	return s;
}

void users_take(struct users *u, struct users_sources **s)
{
	struct users_sources *old;

	pthread_mutex_lock(&u->looking);
	pthread_rwlock_wrlock(&u->lock);
	old = u->sources;
	u->sources = *s;
	pthread_rwlock_unlock(&u->lock);
	pthread_cond_signal(&u->changed);
	pthread_mutex_unlock(&u->looking);
	*s = NULL;
	users_drop(&old);
}

bool users_check(const struct settings *settings, struct err *e)
{
	const struct pop3_settings *p = settings->pop3;

	for (size_t n = 0; n < p->user_count; n++) {
		struct passwd_file *f;

		if (p->users[n].kind != POP3_USERS_PASSWD_FILE)
			continue;
		f = passwd_file_open(p->users[n].text, settings->main_domain, e);
		if (!f)
			return err_in(e, "pop3: users");
		passwd_file_free(&f);
	}
	return true;
}

/* ---- the thread that looks at files */

static bool has_files(const struct users *u)
{
	for (size_t n = 0; n < u->sources->count; n++)
		if (u->sources->at[n].file)
			return true;
	return false;
}

/* `looking` is held: only users_take changes the sources, and holds it too. */
static void *look(void *user)
{
	struct users *u = user;
	struct timespec next;

	pthread_mutex_lock(&u->looking);
	while (!u->stop) {
		if (!has_files(u)) {
			pthread_cond_wait(&u->changed, &u->looking);
			continue;
		}
		(void)clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_sec++;
		while (!u->stop && pthread_cond_timedwait(&u->changed, &u->looking, &next) != ETIMEDOUT)
			;
		for (size_t n = 0; !u->stop && n < u->sources->count; n++)
			if (u->sources->at[n].file)
				(void)passwd_file_look(u->sources->at[n].file);
	}
	pthread_mutex_unlock(&u->looking);
	return NULL;
}

/* Signals are the main thread's. */
static bool start_thread(struct users *u, struct err *e)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	u->thread_there = pthread_create(&u->thread, NULL, look, u) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return u->thread_there || err_set(e, ERR_LOCAL, "no thread to look at files of users");
}

struct users *users_new(struct store *store, const struct settings *settings, struct err *e)
{
	struct users *u = calloc(1, sizeof *u);
	pthread_condattr_t monotonic;

	if (!u) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	u->store = store;
	random_fill(&u->chance, sizeof u->chance);
	pthread_rwlock_init(&u->lock, NULL);
	pthread_mutex_init(&u->looking, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&u->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	u->sources = users_read(u, settings, e);
	if (!u->sources || !start_thread(u, e))
		users_free(&u);
	return u;
}

void users_free(struct users **out)
{
	struct users *u = *out;

	*out = NULL;
	if (!u)
		return;
	pthread_mutex_lock(&u->looking);
	u->stop = true;
	pthread_cond_signal(&u->changed);
	pthread_mutex_unlock(&u->looking);
	if (u->thread_there)
		pthread_join(u->thread, NULL);
	users_drop(&u->sources);
	pthread_cond_destroy(&u->changed);
	pthread_mutex_destroy(&u->looking);
	pthread_rwlock_destroy(&u->lock);
	free(u);
}

/* ---- asked */

static bool find_in(struct users *u, const struct source *s, const char *name, const union address *peer, struct account_login *login)
{
	switch (s->kind) {
	case POP3_USERS_INTERNAL:
		login_find(u->store, name, login);
		return login->known;
	case POP3_USERS_PASSWD_FILE:
		if (!passwd_file_knows(s->file, name))
			return false;
		login_make_up(u->store, name, login);
		return passwd_file_find(s->file, name, peer, login);
	case POP3_USERS_PAM:
		login_make_up(u->store, name, login);
		login->known = login->there = login->elsewhere = true;
		(void)snprintf(login->verifier, sizeof login->verifier, "%s", s->text);
		return true;
	}
	return false;
}

static void find_nobody(struct users *u, const struct source *last, const char *name, struct account_login *login)
{
	uint64_t chance = u->chance;

	login_make_up(u->store, name, login);
	for (const char *c = name; *c; c++)
		chance = (chance ^ (unsigned char)*c) * 1099511628211U;
	if (last->file)
		passwd_file_nobody(last->file, chance ^ chance >> 32, login);
}

void users_find(struct users *u, const char *name, const union address *peer, struct account_login *login)
{
	const struct source *s, *end;

	pthread_rwlock_rdlock(&u->lock);
	s = u->sources->at;
	end = s + u->sources->count;
	while (s < end && !find_in(u, s, name, peer, login))
		s++;
	if (s == end)
		find_nobody(u, end - 1, name, login);
	(void)snprintf(login->source, sizeof login->source, "%s", (s == end ? s - 1 : s)->text);
	pthread_rwlock_unlock(&u->lock);
}

bool users_knows(struct users *u, const char *name)
{
	bool known = false;

	pthread_rwlock_rdlock(&u->lock);
	for (size_t n = 0; !known && n < u->sources->count; n++) {
		const struct source *s = &u->sources->at[n];

		known = s->file ? passwd_file_knows(s->file, name) : s->kind == POP3_USERS_INTERNAL && account_there(u->store, name);
	}
	pthread_rwlock_unlock(&u->lock);
	return known;
}

bool users_resolve(struct users *u, struct span given, const char *main_domain, const char *local_domain, struct resolved *out)
{
	(void)route_resolve(u->store, given, main_domain, local_domain, out);
	if (*out->routed && users_knows(u, out->routed)) {
		memcpy(out->account, out->routed, sizeof out->account);
		out->routed[0] = '\0';
	}
	return users_knows(u, out->account);
}

static uint32_t mechs_of(const struct source *s)
{
	struct passwd_has has;

	switch (s->kind) {
	case POP3_USERS_INTERNAL:
		return MECHS_CLEAR | MECHS_SECRET | MECHS_SHA1 | MECHS_SHA256 | BIT(EXTERNAL);
	case POP3_USERS_PASSWD_FILE:
		has = passwd_file_has(s->file);
		return MECHS_CLEAR | BIT(EXTERNAL) | (has.secret ? MECHS_SECRET : 0) | (has.sha1 ? MECHS_SHA1 : 0) | (has.sha256 ? MECHS_SHA256 : 0);
	case POP3_USERS_PAM:
		return MECHS_CLEAR;
	}
	return 0;
}

uint32_t users_mechs(struct users *u)
{
	uint32_t mechs = 0;

	pthread_rwlock_rdlock(&u->lock);
	for (size_t n = 0; n < u->sources->count; n++)
		mechs |= mechs_of(&u->sources->at[n]);
	pthread_rwlock_unlock(&u->lock);
	return mechs;
}
