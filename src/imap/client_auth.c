/* SPDX-License-Identifier: Apache-2.0
 *
 * The ladder: which mechanism is tried next, what a refusal means for it, and
 * LOGIN, which is IMAP's own. */
#include <assert.h>
#include <stdio.h>

#include "imap/client_internal.h"

enum { TRIES_MAX = 3, MECHS_TEXT = 200, NOTHING_TEXT = 320, LITERAL_MINUS_MAX = 4096 };	/* RFC 7888 section 5 */
enum { PART_NONE, PART_USER, PART_PASSWORD };		/* of LOGIN: waits for "+" */

static unsigned bit(enum sasl_mech mech)
{
	return 1u << mech;
}

static bool offered(const struct imc *s, enum sasl_mech mech)
{
	if (mech == SASL_USER)
		return !(s->capabilities & IMC_CAPA_LOGINDISABLED);
	return mech != SASL_APOP && (s->offered & bit(mech));
}

static bool usable(struct imc *s, enum sasl_mech mech)
{
	bool clear = sasl_mech_clear(mech) && !s->secure;

	/* LOGINDISABLED is what a server says on a clear line; TLS is the advice then, too. */
	if (clear && !s->login->clear_allowed && (mech == SASL_USER || offered(s, mech)))
		s->clear_skipped = true;
	if (!sasl_mech_built(mech) || (s->refused & bit(mech)) || !offered(s, mech))
		return false;
	if (sasl_mech_plus(mech) && !s->login->channel_binding)
		return false;
	return !clear || (s->login->clear_allowed && !s->strong_refused);
}

/* ---- LOGIN */

static bool quotable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < ' ' || text.at[i] > '~')
			return false;
	return true;
}

/* In quotes where ASCII suffices, else as a literal; false when the server has
 * to say "+" first. */
static bool say_argument(struct imc *s, struct span text)
{
	bool waits = !(s->capabilities & IMC_CAPA_LITERAL) || text.len > LITERAL_MINUS_MAX;
	char head[32];
	int n;

	if (quotable(text)) {
		client_say_quoted(s, text);
		return true;
	}
	n = snprintf(head, sizeof head, waits ? "{%zu}\r\n" : "{%zu+}\r\n", text.len);
	assert(n > 0 && (size_t)n < sizeof head);
	client_say(s, (struct span){ head, (size_t)n });
	if (!waits)
		client_say(s, text);
	return !waits;
}

static void say_password(struct imc *s)
{
	client_say(s, SPAN(" "));
	s->login_part = PART_PASSWORD;
	if (!say_argument(s, s->login->password))
		return;
	s->login_part = PART_NONE;
	client_say(s, SPAN("\r\n"));
}

void auth_more(struct imc *s)
{
	if (s->login_part == PART_USER) {
		client_say(s, span_of(s->login->user));
		say_password(s);
		return;
	}
	assert(s->login_part == PART_PASSWORD);
	s->login_part = PART_NONE;
	client_say(s, s->login->password);
	client_say(s, SPAN("\r\n"));
}

static void begin_login(struct imc *s)
{
	if (span_find(s->login->password, '\0') < s->login->password.len) {
		client_fail(s, ERR_CONFIG, "the password contains NUL, which LOGIN cannot carry", NOTHING);
		return;
	}
	(void)client_begin(s, VERB_LOGIN);
	client_say(s, SPAN("LOGIN "));
	s->login_part = PART_USER;
	if (say_argument(s, span_of(s->login->user)))
		say_password(s);
}

/* ---- the ladder */

static void nothing_left(struct imc *s)
{
	char why[NOTHING_TEXT], mechs[MECHS_TEXT];

	sasl_mechs_text(s->offered, mechs, sizeof mechs);
	(void)snprintf(why, sizeof why, "the server offers none of the mechanisms allowed by auth; it offers %s%s", mechs,
		offered(s, SASL_USER) ? " (and LOGIN, which is `user` in auth)" : "");
	if (s->error.kind)	/* the last refusal says it best */
		s->failed = true;
	else if (s->clear_skipped)
		client_fail(s, ERR_CONFIG, "the server takes only clear-text passwords and the line is not protected; "
			"use TLS, or set allow_cleartext = true", NOTHING);
	else
		client_fail(s, ERR_CONFIG, why, NOTHING);
}

void auth_next(struct imc *s, struct imc_event *ev)
{
	s->try_next = false;
	s->trying = true;
	while (s->tries < TRIES_MAX && s->mech_at < s->login->mech_count) {
		enum sasl_mech mech = s->login->mechs[s->mech_at++];

		if (!usable(s, mech))
			continue;
		s->mech = mech;
		s->tries++;
		s->told_capabilities = false;	/* what it says from now on may hold after the login */
		if (mech == SASL_USER)
			begin_login(s);
		else
			sasl_begin(s, ev);
		return;
	}
	nothing_left(s);
}

void auth_pass_over(struct imc *s)
{
	s->refused |= bit(s->mech);
	s->strong_refused |= !sasl_mech_clear(s->mech);
	s->try_next = true;
}

void auth_refused(struct imc *s, bool ends)
{
	struct span words = buf_span(&s->text);
	enum err_kind kind = reply_kind(s);
	bool plain = kind == ERR_PEER && (s->r.code == CODE_NONE || s->r.code == CODE_ALERT || s->r.code == CODE_OTHER);

	kind = plain ? ERR_AUTH : kind;
	(void)err_set(&s->error, kind, "login by %s was refused%s%s", s->mech == SASL_USER ? "LOGIN" : sasl_mech_name(s->mech),
		kind == ERR_AUTH ? "; check " : kind == ERR_BUSY ? " for now; try again later" : "", kind == ERR_AUTH ? sasl_mech_check(s->mech) : "");
	if (words.len && !client_secret(s, words))
		(void)err_peer(&s->error, words);
	if (ends || !plain)
		s->failed = true;
	else
		auth_pass_over(s);
}
