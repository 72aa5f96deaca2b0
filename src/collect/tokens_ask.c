/* SPDX-License-Identifier: Apache-2.0
 * One token's request: what is kept is read, the issuer is asked, and what is new is kept. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "collect/tokens_inside.h"
#include "deliver/password.h"
#include "net/jobs.h"
#include "wire/oauth.h"

struct token_job {		/* the job's own: the token may be gone when it ends */
	struct token *token;	/* NULL: nobody wants it any more */
	struct tokens_with with;
	char name[TOKENS_NAME_MAX];
	struct secret client_secret;	/* its text is ours */
	bool wants_refresh;
	atomic_bool stop;
	struct buf refresh, secret;
	bool good, unkept;	/* unkept: the refresh token was not to be had */
	struct err e;
};

static void job_free(struct token_job *j)
{
	char *text = (char *)j->client_secret.text;

	if (text)
		wipe(text, strlen(text));
	free(text);
	buf_wipe(&j->refresh);
	buf_wipe(&j->secret);
	free(j);
}

static struct token_job *job_new(struct token *k)
{
	const struct secret *s = &k->issuer.client_secret;
	struct token_job *j = calloc(1, sizeof *j);

	if (!j)
		return NULL;
	j->with = k->all->with;
	(void)tokens_name(k->connection, j->name);
	j->client_secret = (struct secret){ s->kind, s->text ? strdup(s->text) : NULL };
	buf_start(&j->refresh, OAUTH_TOKEN_MAX);
	buf_start(&j->secret, ISSUER_SECRET_MAX);
	if (s->text && !j->client_secret.text) {
		job_free(j);
		return NULL;
	}
	return j;
}

static bool start(struct token *k, struct token_job *j, void (*work)(void *user), void (*done)(void *user), struct err *e)
{
	if (!job_start(k->all->with.loop, work, done, j, e)) {
		job_free(j);
		return false;
	}
	j->token = k;
	k->job = j;
	return true;
}

/* The token that a job was for; NULL: it is gone, and so is the job. */
static struct token *job_over(struct token_job *j)
{
	struct token *k = j->token;

	if (k)
		k->job = NULL;
	else
		job_free(j);
	return k;
}

void token_stop(struct token *k)
{
	if (!k->job)
		return;
	atomic_store(&k->job->stop, true);
	k->job->token = NULL;
	k->job = NULL;
}

/* ---- the end */

static void fail(struct token *k, enum err_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void fail(struct token *k, enum err_kind kind, const char *format, ...)
{
	char text[OAUTH_WHY + 200];
	va_list args;
	struct err e;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)err_set(&e, kind, "oauth: %s", text);
	token_over(k, &e);
}

/* The issuer is left alone for a while. */
static void fail_for_now(struct token *k, uint32_t asked_s, const char *why)
{
	uint64_t s = TOKENS_AGAIN_S;

	for (unsigned n = 0; n < k->failures && s < TOKENS_AGAIN_MAX_S; n++)
		s *= 2;
	if (s > TOKENS_AGAIN_MAX_S)
		s = TOKENS_AGAIN_MAX_S;
	if (s < asked_s)
		s = asked_s;
	k->failures++;
	k->again_ms = loop_now_ms(k->all->with.loop) + s * 1000;
	(void)err_set(&k->last, ERR_PEER, "oauth: no access token: %s", why);
	token_over(k, &k->last);
}

/* ---- keeping a new refresh token */

static void save(void *user)
{
	struct token_job *j = user;

	j->good = j->with.save(j->with.user, j->name, buf_span(&j->refresh), &j->e);
}

static void adopt(struct token *k)
{
	struct buf old = k->access;

	k->access = k->fresh;
	k->expires = k->fresh_expires;
	k->renew = k->fresh_renew;
	k->got_ms = loop_now_ms(k->all->with.loop);
	k->fresh = old;
	buf_wipe(&k->fresh);
}

static void request(struct token *k);

static void saved(void *user)
{
	struct token_job *j = user;
	struct token *k = job_over(j);
	struct err e;

	if (!k)
		return;
	if (!j->good) {
		e = j->e;
		(void)err_in(&e, "oauth: the new refresh token of the issuer could not be kept");
	}
	if (j->good && span_equal(buf_span(&j->refresh), buf_span(&k->unsaved)))
		buf_wipe(&k->unsaved);
	if (j->good && k->fresh.len)
		adopt(k);
	if (!j->good)
		token_over(k, &e);
	else if (token_alive(k))
		token_over(k, NULL);
	else
		request(k);		/* it took so long that the token has ended */
	job_free(j);
}

static void keep(struct token *k)
{
	struct token_job *j = job_new(k);
	struct err e;

	k->state = TOKEN_SAVING;
	if (!j || !buf_room(&j->refresh, k->unsaved.len + 1) || !buf_add(&j->refresh, buf_span(&k->unsaved))) {
		if (j)
			job_free(j);
		fail(k, ERR_LOCAL, "out of memory");
	} else if (!start(k, j, save, saved, &e)) {
		token_over(k, &e);
	}
}

/* ---- the answer */

static bool put(struct buf *b, struct span octets)
{
	buf_wipe(b);
	return buf_room(b, octets.len + 1) && buf_add(b, octets);
}

static void on_good(struct token *k, const struct oauth_answer *a)
{
	int64_t life = a->lasts_s ? a->lasts_s : TOKENS_LIFE_S, now = tokens_now(k->all);

	k->failures = 0;
	k->fresh_expires = now + life;
	k->fresh_renew = now + life - (life / 10 < TOKENS_EARLY_S ? life / 10 : TOKENS_EARLY_S);
	if (!put(&k->fresh, a->access) || (a->refresh.len && !put(&k->unsaved, a->refresh))) {
		fail(k, ERR_LOCAL, "out of memory");
	} else if (a->refresh.len && k->issuer.flow != OAUTH_CLIENT_CREDENTIALS) {
		keep(k);
	} else {
		buf_wipe(&k->unsaved);
		adopt(k);
		token_over(k, NULL);
	}
}

static void on_refused(struct token *k, const struct oauth_answer *a, uint32_t asked_s)
{
	switch (a->said) {
	case OAUTH_GRANT:
	case OAUTH_EXPIRED:
	case OAUTH_DENIED:
		if (k->issuer.flow == OAUTH_CLIENT_CREDENTIALS)
			fail(k, ERR_CONFIG, "the issuer refuses these client credentials (%s)", a->why);
		else
			fail(k, ERR_AUTH, "the issuer does not take the refresh token any more; log in again: postrider oauth login %s (%s)", k->connection, a->why);
		return;
	case OAUTH_CLIENT:
		fail(k, ERR_CONFIG, "the issuer refuses client_id, client_secret, scope or flow (%s)", a->why);
		return;
	case OAUTH_LATER:
	case OAUTH_NONSENSE:
	case OAUTH_PENDING:
	case OAUTH_SLOW_DOWN:
		fail_for_now(k, asked_s, a->why);
		return;
	case OAUTH_GOOD:
	case OAUTH_SAIDS:
		break;
	}
}

/* Most processes have no tokens to ask for: libcurl begins with the first. */
static bool can_ask(struct tokens *t, struct err *e)
{
	if (!t->https)
		t->https = https_new(&(struct https_with){ .loop = t->with.loop, .timeout_ms = TOKENS_TIMEOUT_MS }, e);
	return t->https;
}

static void on_answer(void *user, const struct https_answer *got)
{
	struct token *k = user;
	struct oauth_answer a;
	struct buf memory;

	if (!got->good) {
		if (got->why.kind == ERR_NET)
			fail_for_now(k, 0, got->why.text);
		else
			fail(k, got->why.kind, "%s", got->why.text);
		https_end(&k->call);
		return;
	}
	buf_start(&memory, OAUTH_MEMORY);
	if (!buf_room(&memory, OAUTH_MEMORY))
		fail(k, ERR_LOCAL, "out of memory");
	else
		oauth_token(got->status, got->body, &memory, &a);
	if (memory.at)
		issuer_hide(got->form, a.why);
	if (memory.at && a.said == OAUTH_GOOD)
		on_good(k, &a);
	else if (memory.at)
		on_refused(k, &a, got->retry_after_s);
	buf_wipe(&memory);
	https_end(&k->call);
}

/* ---- asking */

static void post(struct token *k, struct span secret, struct span refresh)
{
	struct https_ask ask = { .url = k->issuer.token_url, .ca_certificates = k->issuer.ca_certificates, .done = on_answer, .user = k };
	struct buf form;
	struct err e;
	bool good;

	buf_start(&form, ISSUER_FORM_MAX);
	good = issuer_refresh(&k->issuer, secret, refresh, &form) || err_set(&e, ERR_LOCAL, "out of memory");
	ask.form = buf_span(&form);
	k->call = good && can_ask(k->all, &e) ? https_ask(k->all->https, &ask, &e) : NULL;
	buf_wipe(&form);
	k->state = TOKEN_ASKING;
	if (!k->call)
		fail(k, e.kind, "%s", e.text);
}

static bool load_refresh(struct token_job *j)
{
	if (!j->wants_refresh || j->refresh.len)
		return true;
	if (!j->with.load)
		return err_set(&j->e, ERR_CONFIG, "refresh tokens are in the vault, which the running instance has; postrider collect makes it visit the connection");
	j->unkept = !j->with.load(j->with.user, j->name, &j->refresh, &j->e);
	return !j->unkept;
}

static void load(void *user)
{
	struct token_job *j = user;

	j->good = (j->client_secret.kind == SECRET_NONE || password_read(&j->client_secret, j->with.vault, &j->stop, &j->secret, &j->e) || err_in(&j->e, "client_secret")) &&
		  load_refresh(j);
}

static void loaded(void *user)
{
	struct token_job *j = user;
	struct token *k = job_over(j);

	if (!k)
		return;
	if (!j->good && j->unkept)
		fail(k, j->e.kind == ERR_CONFIG ? ERR_AUTH : j->e.kind, "%s; to log in: postrider oauth login %s", j->e.text, k->connection);
	else if (!j->good)
		fail(k, j->e.kind, "%s", j->e.text);
	else if (j->wants_refresh && !oauth_token_good(buf_span(&j->refresh)))
		fail(k, ERR_AUTH, "what is kept as %s is no refresh token; log in: postrider oauth login %s", j->name, k->connection);
	else
		post(k, buf_span(&j->secret), buf_span(&j->refresh));
	job_free(j);
}

static void request(struct token *k)
{
	struct token_job *j = job_new(k);
	struct err e;

	k->state = TOKEN_LOADING;
	if (!j) {
		fail(k, ERR_LOCAL, "out of memory");
		return;
	}
	j->wants_refresh = k->issuer.flow != OAUTH_CLIENT_CREDENTIALS;
	if (!buf_room(&j->refresh, OAUTH_TOKEN_MAX) || !buf_room(&j->secret, ISSUER_SECRET_MAX)) {
		job_free(j);
		fail(k, ERR_LOCAL, "out of memory");
	} else if (!start(k, j, load, loaded, &e)) {
		token_over(k, &e);
	}
}

void token_ask(struct token *k)
{
	if (k->unsaved.len)
		keep(k);
	else
		request(k);
}
