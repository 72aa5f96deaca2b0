/* SPDX-License-Identifier: Apache-2.0
 *
 * The ladder: which mechanism is tried next, what a refusal means for it, and
 * LOGIN, which is IMAP's own. */
#include <assert.h>
#include <stdio.h>

#include "imap/client_internal.h"

enum { MECHS_TEXT = 200, NOTHING_TEXT = 400, LITERAL_MINUS_MAX = 4096 };	/* RFC 7888 section 5 */
enum { PART_NONE, PART_USER, PART_PASSWORD };		/* of LOGIN: waits for "+" */

static unsigned bit(enum sasl_mech mech)
{
	return 1u << mech;
}

static unsigned all_offered(const struct imc *s)
{
	unsigned login = s->capabilities & IMC_CAPA_LOGINDISABLED ? 0 : bit(SASL_USER);

	return (s->offered & ~(bit(SASL_APOP) | bit(SASL_USER))) | login;
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
	s->ladder.shown = true;
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
	s->ladder.shown = true;
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
	if (s->error.kind) {	/* the last refusal says it best */
		s->failed = true;
		return;
	}
	(void)snprintf(why, sizeof why, "%s; it offers %s%s", ladder_nothing(&s->ladder), mechs,
		all_offered(s) & bit(SASL_USER) ? " (and LOGIN, which is `user` in auth)" : "");
	if (s->ladder.weaker_skipped)
		client_fail(s, ERR_AUTH, why, NOTHING);
	else if (s->ladder.clear_skipped)
		client_fail(s, ERR_CONFIG, "the server takes only clear-text passwords and the line is not protected; "
			"use TLS, or set allow_cleartext = true", NOTHING);
	else
		client_fail(s, s->ladder.refused ? ERR_AUTH : ERR_CONFIG, why, NOTHING);
}

void auth_next(struct imc *s, struct imc_event *ev)
{
	/* LOGINDISABLED is what a server says on a clear line; TLS is the advice then, too. */
	const struct ladder_offer offer = { .offered = all_offered(s), .behind_tls = bit(SASL_USER), .secure = s->secure,
		.clear_allowed = s->login->clear_allowed, .channel_binding = s->login->channel_binding };

	s->try_next = false;
	s->trying = true;
	if (!ladder_next(&s->ladder, &offer)) {
		nothing_left(s);
		return;
	}
	s->told_capabilities = false;	/* what it says from now on may hold after the login */
	s->mech = s->ladder.now;
	if (s->mech == SASL_USER)
		begin_login(s);
	else
		sasl_begin(s, ev);
}

void auth_unable(struct imc *s)
{
	ladder_over(&s->ladder, LADDER_UNABLE, span_of(s->error.text));
	s->try_next = true;
}

void auth_pass_over(struct imc *s)
{
	ladder_over(&s->ladder, LADDER_REFUSED, span_of(s->error.text));
	s->try_next = true;
}

void auth_refused(struct imc *s, bool ends)
{
	struct span words = buf_span(&s->text);
	enum err_kind kind = reply_kind(s);
	bool plain = kind == ERR_PEER && (s->r.code == CODE_NONE || s->r.code == CODE_ALERT || s->r.code == CODE_OTHER);

	kind = plain ? ERR_AUTH : kind;
	(void)err_set(&s->error, kind, "login by %s was refused%s%s", s->ladder.now == SASL_USER ? "LOGIN" : sasl_mech_name(s->ladder.now),
		kind == ERR_AUTH ? "; check " : kind == ERR_BUSY ? " for now; try again later" : "", kind == ERR_AUTH ? sasl_mech_check(s->ladder.now) : "");
	if (words.len && client_secret(s, words))
		words = NOTHING;
	if (words.len)
		(void)err_peer(&s->error, words);
	s->failed = ends || !plain;
	s->try_next = !s->failed;
	s->ladder.brought = ends;
	ladder_over(&s->ladder, s->failed ? LADDER_WRONG : LADDER_REFUSED, words);
}
