/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/device_login.h"

#include <stdio.h>
#include <stdlib.h>

#include "collect/issuer.h"
#include "net/https.h"
#include "wire/oauth.h"

struct device_login {
	struct device_login_with with;
	struct issuer issuer;
	struct https *https;
	struct https_call *call;
	struct timer *timer;
	struct buf secret, code;
	uint32_t interval_s;
	uint64_t ends_ms;	/* of the loop's clock */
	bool polling;		/* there is a code */
};

static void end(struct device_login *d, struct span refresh, const struct err *why)
{
	d->with.done(d->with.user, refresh, why);
}

static void fail(struct device_login *d, enum err_kind kind, const char *what, const char *why)
{
	struct err e;

	(void)err_set(&e, kind, "%s%s%s%s", what, why ? " (" : "", why ? why : "", why ? ")" : "");
	end(d, (struct span){ 0 }, &e);
}

static void wait(struct device_login *d)
{
	uint64_t ms = (uint64_t)d->interval_s * d->with.second_ms;

	if (loop_now_ms(d->with.loop) + ms >= d->ends_ms)
		fail(d, ERR_AUTH, "nobody entered the code in time; try again", NULL);
	else
		timer_set(d->timer, ms, 0);
}

static void slower(struct device_login *d)
{
	if (d->interval_s < OAUTH_INTERVAL_MAX_S)
		d->interval_s += DEVICE_SLOWER_S;
	wait(d);
}

/* ---- what is answered */

static void on_code(struct device_login *d, const struct oauth_device *a)
{
	char uri[OAUTH_URI_MAX + 1], complete[OAUTH_URI_MAX + 1], code[OAUTH_CODE_MAX + 1];
	struct device_shown what = { uri, code, a->uri_complete.len ? complete : NULL, a->lasts_s };

	if (a->said != OAUTH_GOOD) {
		fail(d, a->said == OAUTH_CLIENT ? ERR_CONFIG : ERR_PEER, a->said == OAUTH_CLIENT ? "the issuer refuses client_id, client_secret, scope or flow" :
			"the issuer gives no code", a->why);
		return;
	}
	if (!buf_room(&d->code, a->device_code.len + 1) || !buf_add(&d->code, a->device_code)) {
		fail(d, ERR_LOCAL, "out of memory", NULL);
		return;
	}
	(void)snprintf(uri, sizeof uri, "%.*s", (int)a->uri.len, a->uri.at);
	(void)snprintf(complete, sizeof complete, "%.*s", (int)a->uri_complete.len, a->uri_complete.len ? a->uri_complete.at : "");
	(void)snprintf(code, sizeof code, "%.*s", (int)a->user_code.len, a->user_code.at);
	d->polling = true;
	d->interval_s = a->interval_s;
	d->ends_ms = loop_now_ms(d->with.loop) + (uint64_t)a->lasts_s * d->with.second_ms;
	d->with.show(d->with.user, &what);
	wait(d);
}

static void on_token(struct device_login *d, const struct oauth_answer *a)
{
	switch (a->said) {
	case OAUTH_GOOD:
		if (a->refresh.len)
			end(d, a->refresh, NULL);
		else
			fail(d, ERR_CONFIG, "the issuer gave no refresh token; does the scope ask for one (Microsoft: offline_access)?", NULL);
		return;
	case OAUTH_PENDING:
		wait(d);
		return;
	case OAUTH_SLOW_DOWN:
	case OAUTH_LATER:
		slower(d);
		return;
	case OAUTH_EXPIRED:
	case OAUTH_GRANT:
		fail(d, ERR_AUTH, "the code holds no more, nobody entered it in time; try again", a->why);
		return;
	case OAUTH_DENIED:
		fail(d, ERR_AUTH, "the login was denied", a->why);
		return;
	case OAUTH_CLIENT:
		fail(d, ERR_CONFIG, "the issuer refuses client_id, client_secret, scope or flow", a->why);
		return;
	case OAUTH_NONSENSE:
		fail(d, ERR_PEER, "the issuer's answer makes no sense", a->why);
		return;
	case OAUTH_SAIDS:
		break;
	}
}

static void on_answer(void *user, const struct https_answer *got)
{
	struct device_login *d = user;
	struct oauth_device device = { .said = OAUTH_NONSENSE };
	struct oauth_answer token = { .said = OAUTH_NONSENSE };
	bool good = got->good, fatal = !good && (!d->polling || got->why.kind != ERR_NET);
	struct err why = got->why;
	struct buf memory;

	buf_start(&memory, OAUTH_MEMORY);
	if (good && !buf_room(&memory, OAUTH_MEMORY))
		fatal = !err_set(&why, ERR_LOCAL, "out of memory");
	else if (good && d->polling)
		oauth_token(got->status, got->body, &memory, &token);
	else if (good)
		oauth_device(got->status, got->body, &memory, &device);
	issuer_hide(got->form, token.why);
	issuer_hide(got->form, device.why);
	https_end(&d->call);
	if (fatal)
		fail(d, why.kind, why.text, NULL);
	else if (!good)
		slower(d);
	else if (d->polling)
		on_token(d, &token);
	else
		on_code(d, &device);
	buf_wipe(&memory);
}

/* ---- asking */

static bool post(struct device_login *d, struct err *e)
{
	struct https_ask ask = { .url = d->polling ? d->issuer.token_url : d->issuer.device_url, .ca_certificates = d->issuer.ca_certificates,
		.done = on_answer, .user = d };
	struct span secret = buf_span(&d->secret);
	struct buf form;
	bool good;

	buf_start(&form, ISSUER_FORM_MAX);
	good = d->polling ? issuer_poll(&d->issuer, secret, buf_span(&d->code), &form) : issuer_device(&d->issuer, secret, &form);
	ask.form = buf_span(&form);
	if (good)
		d->call = https_ask(d->https, &ask, e);
	else
		(void)err_set(e, ERR_LOCAL, "out of memory");
	buf_wipe(&form);
	return d->call;
}

static void on_timer(void *user)
{
	struct device_login *d = user;
	struct err e;

	if (!post(d, &e))
		end(d, (struct span){ 0 }, &e);
}

static bool begin(struct device_login *d, struct err *e)
{
	d->https = https_new(&(struct https_with){ .loop = d->with.loop, .timeout_ms = DEVICE_TIMEOUT_MS }, e);
	if (!d->https)
		return false;
	d->timer = timer_new(d->with.loop, on_timer, d);
	if (!d->timer || !issuer_copy(&d->issuer, d->with.oauth) || !buf_room(&d->secret, d->with.secret.len + 1) || !buf_add(&d->secret, d->with.secret))
		return err_set(e, ERR_LOCAL, "out of memory");
	return post(d, e);
}

struct device_login *device_login_new(const struct device_login_with *with, struct err *e)
{
	struct device_login *d = calloc(1, sizeof *d);

	if (!d) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	d->with = *with;
	if (!d->with.second_ms)
		d->with.second_ms = 1000;
	buf_start(&d->secret, ISSUER_SECRET_MAX + 1);
	buf_start(&d->code, OAUTH_DEVICE_CODE_MAX + 1);
	if (!begin(d, e))
		device_login_free(&d);
	return d;
}

void device_login_free(struct device_login **out)
{
	struct device_login *d = *out;

	if (!d)
		return;
	https_end(&d->call);
	https_free(&d->https);
	timer_free(&d->timer);
	issuer_end(&d->issuer);
	buf_wipe(&d->secret);
	buf_wipe(&d->code);
	free(d);
	*out = NULL;
}
