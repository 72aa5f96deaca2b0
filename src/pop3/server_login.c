/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "pop3/server_internal.h"

enum { DIGEST_LEN = 32 };

bool server_offers(const struct p3d *s, enum sasl_mech mech)
{
	return s->settings->mechs >> mech & 1;
}

static void forget_name(struct p3d *s)
{
	wipe(s->name, sizeof s->name);
	s->name_len = 0;
}

/* The answer says nothing of the name, and comes before anybody looked at it. */
bool server_user(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	struct span name = span_trim(a->rest);

	(void)ev;
	assert(name.len && name.len < NAME_MAX_LEN);
	forget_name(s);
	if (!server_offers(s, SASL_USER)) {
		server_say(s, s->settings->secure ? "-ERR USER is not offered" : "-ERR USER is not offered on an unprotected line");
		return true;
	}
	memcpy(s->name, name.at, name.len);
	s->name_len = (uint8_t)name.len;
	server_say(s, "+OK");
	return true;
}

bool server_pass(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	if (!a->blank)
		return false;
	if (!s->name_len) {
		server_say(s, "-ERR USER comes first");
		return true;
	}
	ev->mech = SASL_USER;
	ev->name = (struct span){ s->name, s->name_len };
	ev->text = a->rest;
	server_wait(s, ev, WAIT_LOGIN, P3D_LOGIN);
	return true;
}

static bool is_digest(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr("0123456789abcdefABCDEF", text.at[i]))
			return false;
	return text.len == DIGEST_LEN;
}

/* The digest is the last word, so that a name may have blanks as with USER. */
bool server_apop(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	struct span name = span_trim(a->rest), digest;
	size_t at = name.len;

	while (name.at[at - 1] != ' ')	/* there are two words */
		at--;
	digest = span_from(name, at);
	name = span_trim((struct span){ name.at, at });
	if (!is_digest(digest))
		return false;
	forget_name(s);
	if (!server_offers(s, SASL_APOP)) {
		server_say(s, "-ERR APOP is not offered");
		return true;
	}
	ev->mech = SASL_APOP;
	ev->name = name;
	ev->text = digest;
	server_wait(s, ev, WAIT_LOGIN, P3D_LOGIN);
	return true;
}

bool server_stls(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	(void)a;
	if (s->settings->secure || !s->settings->stls) {
		server_say(s, s->settings->secure ? "-ERR TLS is up" : "-ERR TLS is not to be had");
		return true;
	}
	server_say(s, "+OK begin TLS");
	server_wait(s, ev, WAIT_TLS, P3D_TLS);
	return true;
}

bool server_utf8(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	(void)a, (void)ev;
	s->utf8 = true;
	server_say(s, "+OK UTF-8 from now on");
	return true;
}

/* ---- the caller's answers */

void p3d_secured(struct p3d *s, const struct p3d_settings *settings)
{
	assert(settings->secure);
	assert(!s->in.len && !s->held);		/* injected before TLS: the driver had to end it */
	server_answer(s, WAIT_TLS, ANSWER_NONE);
	s->settings = settings;
	s->utf8 = s->lang = false;
	forget_name(s);
}

/* Waited for after USER and PASS, APOP, or a step of SASL. */
static enum wait login_wait(const struct p3d *s)
{
	return s->wait == WAIT_SASL ? WAIT_SASL : WAIT_LOGIN;
}

void p3d_login_ok(struct p3d *s, const struct p3d_drop *drop)
{
	server_answer(s, login_wait(s), ANSWER_LOGIN_OK);
	assert(s->phase == PHASE_AUTH);
	forget_name(s);
	s->reading = READ_COMMAND;
	s->phase = PHASE_TRANS;
	server_drop_open(s, drop);
}

void p3d_login_refused(struct p3d *s, enum p3d_code code, const char *words)
{
	server_turn_down(s, login_wait(s), code, words, code == P3D_CODE_AUTH ? "authentication failed" : "no login now");
	assert(s->phase == PHASE_AUTH);
	forget_name(s);
	s->reading = READ_COMMAND;
}
