/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/visit.h"

#include <stdlib.h>
#include <string.h>

#include "config/value.h"
#include "deliver/password.h"
#include "net/jobs.h"
#include "wire/oauth.h"

enum { PASSWORD_MAX = 4096, TOKENS_MAX = 100 };

struct password_job {
	struct visit *visit;
	struct err e;
	bool good;
};

static void run_command(void *user)
{
	struct password_job *j = user;

	j->good = password_read(&j->visit->with->password, NULL, &j->visit->stop_command, &j->visit->password, &j->e);
}

static void command_done(void *user)
{
	struct password_job *j = user;
	struct visit *v = j->visit;

	v->waiting--;
	visit_password_known(v, j->good ? NULL : &j->e);
	free(j);
}

static bool from_command(struct visit *v, struct err *e)
{
	struct password_job *j = calloc(1, sizeof *j);

	if (!j)
		return err_set(e, ERR_LOCAL, "out of memory");
	j->visit = v;
	if (!job_start(collector_loop(v->collector), run_command, command_done, j, e)) {
		free(j);
		return false;
	}
	v->waiting++;
	return true;
}

/* ---- access tokens */

static void on_token(void *user, struct span token, const struct err *why)
{
	struct visit *v = user;
	struct tokens_shown shown;
	struct err e;

	tokens_end(&v->token.wait);
	tokens_show(collector_tokens(v->collector), v->with->name, &shown);
	v->token.old = shown.got_ms < v->started_ms;
	if (!why && (!buf_room(&v->password, token.len + 1) || !buf_add(&v->password, token))) {
		(void)err_set(&e, ERR_LOCAL, "out of memory");
		why = &e;
	}
	visit_password_known(v, why);
}

static void get_token(struct visit *v)
{
	struct tokens *t = collector_tokens(v->collector);
	struct err e;

	v->password_known = false;
	if (t)
		v->token.wait = tokens_get(t, v->with, on_token, v, &e);
	else
		(void)err_set(&e, ERR_CONFIG, "oauth: no access token can be got here");
	if (!v->token.wait)
		visit_password_known(v, &e);
}

void password_stop(struct visit *v)
{
	tokens_end(&v->token.wait);
}

/* Microsoft's words, where a server has no other way to say it. */
static bool says_expired(const char *text)
{
	return strcasestr(text, "AccessTokenExpired") || strcasestr(text, "token expired") || strcasestr(text, "token has expired");
}

/* Exchange says AccessTokenExpired when it ends a session in the middle, and of a login only that it failed: that may mean
 * anything, but of a token that has been good before. */
static bool holds_no_more(const struct visit *v)
{
	bool refused = v->why.kind == ERR_AUTH && (v->token.refused || v->token.old);

	return v->password.len && (refused || (v->why.kind && says_expired(v->why.text)));
}

bool password_again(struct visit *v)
{
	if (!v->with->has_oauth || v->token.again || v->what == VISIT_TEST || !holds_no_more(v) || v->token.count == TOKENS_MAX)
		return false;
	v->token.count++;
	v->token.again = true;
	mechs_forgive(v);		/* it was not the mechanism */
	tokens_expired(collector_tokens(v->collector), v->with->name, buf_span(&v->password));
	return true;
}

/* ---- passwords */

size_t password_room(const struct connection *c)
{
	for (size_t n = 0; n < c->auth_count; n++)
		if (value_mechanism_token(c->auth[n]))
			return OAUTH_TOKEN_MAX;
	return PASSWORD_MAX;
}

bool password_needless(const struct connection *c)
{
	for (size_t n = 0; n < c->auth_count; n++)
		if (value_mechanism_keyless(c->auth[n]))
			return true;
	return false;
}

void password_missing(const struct visit *v, struct err *e)
{
	if (v->with->password.kind == SECRET_ASK && e->kind == ERR_CONFIG)
		(void)err_in(e, "no password is set; write password = 'file:PATH' or 'command:CMD', or get a Kerberos ticket");
}

bool password_costs(const struct connection *c)
{
	return c->has_oauth || c->password.kind == SECRET_COMMAND;
}

/* Of a token, too, that it was good is known. */
void password_kept(struct visit *v, struct span secret)
{
	if (!secret.len)
		return;
	buf_wipe(&v->password);
	v->token.kept = v->token.old = buf_room(&v->password, secret.len + 1) && buf_add(&v->password, secret);
}

void password_get(struct visit *v)
{
	const struct secret *s = &v->with->password;
	bool good;
	struct err e;

	buf_wipe(&v->password);
	v->token.kept = false;
	if (v->with->has_oauth) {
		get_token(v);
		return;
	}
	if (s->kind == SECRET_ASK && password_needless(v->with)) {
		visit_password_known(v, NULL);
		return;
	}
	if (s->kind == SECRET_COMMAND) {
		if (from_command(v, &e))
			return;		/* command_done goes on */
		good = false;
	} else {
		good = password_read(s, collector_vault(v->collector), NULL, &v->password, &e);
	}
	visit_password_known(v, good ? NULL : &e);
}
