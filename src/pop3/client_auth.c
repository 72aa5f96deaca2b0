/* SPDX-License-Identifier: Apache-2.0
 *
 * The ladder: which mechanism is tried next, what a refusal means for it, and
 * the two logins that are POP3's own. */
#include <assert.h>
#include <stdio.h>

#include "pop3/client_internal.h"
#include "sasl/apop.h"

enum { MECHS_TEXT = 200, NOTHING_TEXT = 400 };

static unsigned bit(enum sasl_mech mech)
{
	return 1u << mech;
}

static bool offered(const struct p3c *s, enum sasl_mech mech)
{
	bool known = s->capabilities & P3C_CAPA_ANSWERED;

	if (mech == SASL_APOP)
		return s->stamp_len && (s->stamp_secure || s->login->listed);
	if (mech == SASL_USER)	/* a server that says nothing about logins at all has this one */
		return !known || (s->capabilities & P3C_CAPA_USER) || !s->offered;
	return s->offered & bit(mech);
}

static unsigned all_offered(const struct p3c *s)
{
	unsigned all = s->offered;

	all |= offered(s, SASL_APOP) ? bit(SASL_APOP) : 0;
	return all | (offered(s, SASL_USER) ? bit(SASL_USER) : 0);
}

/* Refused once, here: CR and LF would be commands of somebody else's, and no
 * server reads on behind a NUL. */
static bool sendable(struct span text)
{
	return span_find(text, '\r') == text.len && span_find(text, '\n') == text.len && span_find(text, '\0') == text.len;
}

static void say_pass(struct p3c *s)
{
	p3_client_command(s, VERB_PASS, s->login->password, NOTHING);
	s->ladder.shown = true;
}

/* USER and PASS go together where CAPA promised before the login that they may. */
static void begin_user(struct p3c *s)
{
	p3_client_command(s, VERB_USER, span_of(s->login->user), NOTHING);
	if (p3c_pipelined(s))
		say_pass(s);
}

static void begin_apop(struct p3c *s)
{
	char digest[APOP_DIGEST];

	if (!apop_digest((struct span){ s->stamp, s->stamp_len }, s->login->password, digest)) {
		(void)err_set(&s->error, ERR_LOCAL, "APOP needs MD5, which this system's OpenSSL refuses");
		p3_auth_unable(s);
		return;
	}
	p3_client_command(s, VERB_APOP, span_of(s->login->user), span_of(digest));
	s->ladder.shown = true;
	wipe(digest, sizeof digest);
}

static void begin(struct p3c *s, enum sasl_mech mech, struct p3c_event *ev)
{
	if (mech != SASL_USER && mech != SASL_APOP)
		p3_sasl_begin(s, ev);
	else if (!sendable(span_of(s->login->user)))
		p3_client_fail(s, ERR_CONFIG, "the user name contains CR or LF, which POP3 cannot carry", NOTHING);
	else if (mech == SASL_APOP)
		begin_apop(s);
	else if (!sendable(s->login->password))
		p3_client_fail(s, ERR_CONFIG, "the password contains CR, LF or NUL, which PASS cannot carry", NOTHING);
	else
		begin_user(s);
}

static void nothing_left(struct p3c *s)
{
	char why[NOTHING_TEXT], mechs[MECHS_TEXT];

	sasl_mechs_text(s->offered | (offered(s, SASL_USER) ? bit(SASL_USER) : 0), mechs, sizeof mechs);
	if (s->error.kind) {	/* the last refusal says it best */
		s->failed = true;
		return;
	}
	(void)snprintf(why, sizeof why, "%s; it offers %s", ladder_nothing(&s->ladder), mechs);
	if (s->ladder.weaker_skipped)
		p3_client_fail(s, ERR_AUTH, why, NOTHING);
	else if (s->ladder.clear_skipped)
		p3_client_fail(s, ERR_CONFIG, "the server takes only clear-text passwords and the line is not protected; "
			"use TLS, or set allow_cleartext = true", NOTHING);
	else
		p3_client_fail(s, s->ladder.refused ? ERR_AUTH : ERR_CONFIG, why, NOTHING);
}

void p3_auth_next(struct p3c *s, struct p3c_event *ev)
{
	const struct ladder_offer offer = { .offered = all_offered(s), .secure = s->secure, .clear_allowed = s->login->clear_allowed,
		.channel_binding = s->login->channel_binding };

	s->try_next = false;
	s->trying = true;
	if (ladder_next(&s->ladder, &offer))
		begin(s, s->ladder.now, ev);
	else
		nothing_left(s);
}

void p3_auth_unable(struct p3c *s)
{
	ladder_over(&s->ladder, LADDER_UNABLE, span_of(s->error.text));
	s->try_next = true;
}

void p3_auth_pass_over(struct p3c *s)
{
	ladder_over(&s->ladder, LADDER_REFUSED, span_of(s->error.text));
	s->try_next = true;
}

/* The server's words, unless it repeats the password in them. */
static struct span add_words(struct p3c *s, struct span line)
{
	struct span secret = s->login->password;

	if (secret.len && memmem(line.at, line.len, secret.at, secret.len))
		return NOTHING;
	(void)err_peer(&s->error, line);
	return line;
}

void p3_auth_refused(struct p3c *s, struct span line, bool ends)
{
	enum p3_reply_code code = p3_reply_code(line);
	enum err_kind kind = ERR_AUTH;
	struct span words;

	if (code == REPLY_CODE_BUSY)
		kind = ERR_BUSY;
	else if (code == REPLY_CODE_OTHER)
		kind = ERR_PEER;
	(void)err_set(&s->error, kind, "login by %s was refused%s%s", sasl_mech_name(s->ladder.now),
		kind == ERR_AUTH ? "; check " : kind == ERR_BUSY ? " for now; try again later" : "", kind == ERR_AUTH ? sasl_mech_check(s->ladder.now) : "");
	words = add_words(s, line);
	s->failed = ends || code != REPLY_CODE_NONE;
	s->try_next = !s->failed;
	s->ladder.brought = ends;
	ladder_over(&s->ladder, s->failed ? LADDER_WRONG : LADDER_REFUSED, words);
}

/* Where PASS went out with USER, its answer comes before anything else is said,
 * but what was said of USER counts. */
static void on_user(struct p3c *s, enum reply kind, struct span line, bool pass_out)
{
	if (kind == REPLY_OK) {
		if (!pass_out)
			say_pass(s);
		return;
	}
	p3_auth_refused(s, line, false);
	s->pass_void = s->ladder.brought = pass_out;
	s->try_next &= !pass_out;
}

static void on_void_pass(struct p3c *s, enum reply kind, struct span line)
{
	s->pass_void = false;
	if (kind == REPLY_OK)
		p3_client_fail(s, ERR_PEER, "PASS is accepted though USER was refused (RFC 1939 section 7)", line);
	else
		s->try_next = true;
}

void auth_reply(struct p3c *s, enum reply kind, struct span line)
{
	enum verb verb = client_oldest(s)->verb;
	bool pass_out = s->sent > 1;

	p3_client_pop(s);
	if (verb == VERB_USER)
		on_user(s, kind, line, pass_out);
	else if (verb == VERB_PASS && s->pass_void)
		on_void_pass(s, kind, line);
	else if (kind == REPLY_OK)
		p3_login_done(s);
	else	/* APOP's digest is a proof of the password, as a response to CRAM-MD5 is */
		p3_auth_refused(s, line, verb == VERB_PASS || !p3_reply_unknown(line));
}
