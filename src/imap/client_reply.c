/* SPDX-License-Identifier: Apache-2.0
 *
 * From tokens to responses: whose it is, its status, its code, and at the end
 * of the line what it means. */
#include <assert.h>

#include "imap/client_internal.h"

static const struct code_row {
	const char *name;
	enum code_name code;
} code_names[] = {
	{ "ALERT", CODE_ALERT }, { "CAPABILITY", CODE_CAPABILITY }, { "UIDVALIDITY", CODE_UIDVALIDITY }, { "UIDNEXT", CODE_UIDNEXT },
	{ "HIGHESTMODSEQ", CODE_HIGHESTMODSEQ }, { "READ-ONLY", CODE_READ_ONLY }, { "READ-WRITE", CODE_READ_WRITE },
	{ "UIDNOTSTICKY", CODE_UIDNOTSTICKY }, { "NOMODSEQ", CODE_NOMODSEQ }, { "PERMANENTFLAGS", CODE_PERMANENTFLAGS },
	{ "CLOSED", CODE_CLOSED }, { "COPYUID", CODE_COPYUID }, { "TRYCREATE", CODE_TRYCREATE },
	{ "NONEXISTENT", CODE_NONEXISTENT }, { "OVERQUOTA", CODE_OVERQUOTA }, { "NOPERM", CODE_NOPERM }, { "INUSE", CODE_BUSY },
	{ "IN-USE", CODE_BUSY }, { "UNAVAILABLE", CODE_BUSY }, { "LIMIT", CODE_BUSY }, { "SERVERBUG", CODE_BUSY },
	{ "AUTHENTICATIONFAILED", CODE_AUTH }, { "AUTHORIZATIONFAILED", CODE_AUTH }, { "EXPIRED", CODE_AUTH },
	{ "PRIVACYREQUIRED", CODE_PRIVACY }, { "BADEVENT", CODE_BADEVENT }, { "NOTIFICATIONOVERFLOW", CODE_OVERFLOW },
};

static struct span text_of(const struct imc *s)
{
	return buf_span(&s->text);
}

static bool has_words(struct span text, struct span words)
{
	for (; text.len >= words.len; text = span_from(text, 1))
		if (span_starts_nocase(text, words))
			return true;
	return false;
}

enum err_kind reply_kind(const struct imc *s)
{
	if (s->r.code == CODE_BUSY || has_words(text_of(s), SPAN("authenticated but not connected")) ||
			has_words(text_of(s), SPAN("too many simultaneous connections")))
		return ERR_BUSY;
	if (s->r.code == CODE_AUTH)
		return ERR_AUTH;
	return s->r.code == CODE_PRIVACY ? ERR_TLS : ERR_PEER;
}

enum imc_code reply_code(const struct imc *s)
{
	switch (s->r.code) {
	case CODE_TRYCREATE: return IMC_CODE_TRYCREATE;
	case CODE_NONEXISTENT: return IMC_CODE_NONEXISTENT;
	case CODE_OVERQUOTA: return IMC_CODE_OVERQUOTA;
	case CODE_NOPERM: return IMC_CODE_NOPERM;
	case CODE_READ_ONLY: return IMC_CODE_READ_ONLY;
	case CODE_BUSY: return IMC_CODE_BUSY;
	case CODE_AUTH: return IMC_CODE_AUTH;
	case CODE_BADEVENT: return IMC_CODE_BADEVENT;
	case CODE_NONE: return IMC_CODE_NONE;
	case CODE_ALERT:
	case CODE_CAPABILITY:
	case CODE_UIDVALIDITY:
	case CODE_UIDNEXT:
	case CODE_HIGHESTMODSEQ:
	case CODE_READ_WRITE:
	case CODE_UIDNOTSTICKY:
	case CODE_NOMODSEQ:
	case CODE_PERMANENTFLAGS:
	case CODE_CLOSED:
	case CODE_COPYUID:
	case CODE_PRIVACY:
	case CODE_OVERFLOW:
	case CODE_OTHER:
		break;
	}
	return IMC_CODE_OTHER;
}

/* ---- the beginning of a response */

struct asked *reply_find_tag(struct imc *s, struct span tag)
{
	uint64_t n;

	if (!span_starts_nocase(tag, SPAN("P")) || !span_number(span_from(tag, 1), UINT32_MAX, &n) || !n)
		return NULL;
	for (struct asked *a = s->asked; a < s->asked + IMC_WINDOW; a++)
		if (a->tag == n)
			return a;
	return NULL;
}

static void on_tag(struct imc *s, const struct token *tok)
{
	if (tok->kind == TOKEN_LINE)
		return;
	s->r = (struct response){ .at = AT_WORD };
	s->text.len = s->name.len = s->from.len = s->to.len = 0;
	if (tok->kind == TOKEN_ATOM && span_equal(tok->text, SPAN("*"))) {
		s->r.who = WHO_UNTAGGED;
		if (++s->unanswering > IMC_UNANSWERING_MAX)
			client_fail(s, ERR_PEER, "untagged responses without end, and no answer among them", NOTHING);
	} else if (s->phase == PHASE_GREETING) {
		client_fail(s, ERR_PEER, "this is no IMAP server's greeting", tok->text);
	} else if (tok->kind == TOKEN_ATOM && span_equal(tok->text, SPAN("+"))) {
		s->r.who = WHO_MORE;
		s->r.at = AT_STATUS;
	} else {
		s->r.who = WHO_TAGGED;
		s->unanswering = 0;
		s->r.asked = tok->kind == TOKEN_ATOM ? reply_find_tag(s, tok->text) : NULL;
		if (!s->r.asked && tok->kind == TOKEN_ATOM && idle_is_stray(s, tok->text))
			s->r.who = WHO_UNTAGGED;
		else if (!s->r.asked)
			client_fail(s, ERR_PEER, "a response that belongs to no command (RFC 3501 section 2.2.2)", tok->text);
	}
}

static enum status status_of(const struct token *tok)
{
	static const char *const names[] = { "", "OK", "NO", "BAD", "BYE", "PREAUTH" };

	for (size_t i = 1; i < COUNT(names); i++)
		if (token_is(tok, names[i]))
			return (enum status)i;
	return STATUS_NONE;
}

static void on_word(struct imc *s, const struct token *tok)
{
	uint64_t n;

	if (tok->kind == TOKEN_LINE && s->r.who == WHO_UNTAGGED) {
		s->r.at = AT_TAG;
		return;
	}
	s->r.status = status_of(tok);
	if (s->r.status) {
		s->r.at = AT_STATUS;
	} else if (s->r.who == WHO_TAGGED) {
		client_fail(s, ERR_PEER, "a command is answered by neither OK, NO nor BAD (RFC 3501 section 7.1)", tok->text);
	} else if (s->phase == PHASE_GREETING) {
		client_fail(s, ERR_PEER, "this is no IMAP server's greeting", tok->text);
	} else if (token_number(tok, UINT32_MAX, &n)) {
		s->r.number = (uint32_t)n;
		s->r.at = AT_KIND;
	} else if (tok->kind == TOKEN_ATOM) {
		data_begin(s, tok);
	} else {
		s->r.at = AT_REST;
	}
}

/* "* number KIND" */
static void on_kind(struct imc *s, const struct token *tok)
{
	s->r.at = tok->kind == TOKEN_LINE ? AT_TAG : AT_REST;
	if (token_is(tok, "EXISTS")) {
		news_exists(s);
		s->mailbox.exists = s->r.number;
		s->mailbox.has_exists = true;
	} else if (token_is(tok, "RECENT")) {
		news_recent(s);
	} else if (token_is(tok, "EXPUNGE")) {
		news_expunged(s);
		s->unanswering -= s->mailbox.exists > 0 && s->mailbox.expunged < IMC_LIST_MAX;	/* no more of them than there are messages */
		s->mailbox.expunged += s->mailbox.expunged < UINT32_MAX;
		s->mailbox.exists -= s->mailbox.exists > 0;
	} else if (token_is(tok, "FETCH")) {
		s->r.at = AT_FETCH;
		fetch_begin(s);
	}
}

/* ---- codes */

/* What was told until now was of the mailbox before (RFC 7162 section 3.2.11). */
static void mailbox_changes(struct imc *s)
{
	if (s->closing)
		s->mailbox = (struct imc_mailbox){ 0 };
	s->closing = false;
}

static void on_code(struct imc *s, const struct token *tok)
{
	if (tok->kind == TOKEN_CODE_END) {
		s->r.at = AT_STATUS;
		return;
	}
	s->r.at = AT_CODE_ARGS;
	s->r.code = CODE_OTHER;
	for (const struct code_row *c = code_names; c < code_names + COUNT(code_names); c++)
		if (token_is(tok, c->name))
			s->r.code = c->code;
	if (s->r.code == CODE_CAPABILITY)
		data_capabilities_begin(s);
	else if (s->r.code == CODE_READ_ONLY)
		s->mailbox.read_only = true;
	else if (s->r.code == CODE_UIDNOTSTICKY)
		s->mailbox.uids_not_sticky = true;
	else if (s->r.code == CODE_NOMODSEQ)
		s->mailbox.modseq = 0;
	else if (s->r.code == CODE_CLOSED)
		mailbox_changes(s);
	else if (s->r.code == CODE_BUSY)	/* the words alone do not say whether to come later, and people want to see it */
		(void)(buf_add(&s->text, SPAN("[")) && buf_add(&s->text, tok->text) && buf_add(&s->text, SPAN("] ")));
}

static void on_validity(struct imc *s, uint32_t n)
{
	s->closing = false;	/* where CLOSED is forgotten */
	if (!client_selecting(s) && s->mailbox.validity && s->mailbox.validity != n)
		client_fail(s, ERR_NET, "the mailbox was replaced while we read it (its UIDVALIDITY changed)", NOTHING);
	s->mailbox.validity = n;
}

static void keep_set(struct imc *s, struct buf *set, const struct token *tok)
{
	s->r.cut |= tok->cut || !buf_add(set, tok->text);
}

static void on_number(struct imc *s, const struct token *tok)
{
	uint64_t n;

	if (s->r.code == CODE_HIGHESTMODSEQ && token_number(tok, INT64_MAX, &n))
		s->mailbox.modseq = n;
	if (!token_number(tok, UINT32_MAX, &n))
		return;
	if (s->r.code == CODE_UIDVALIDITY)
		on_validity(s, (uint32_t)n);
	else if (s->r.code == CODE_UIDNEXT)
		s->mailbox.uid_next = (uint32_t)n;
	else if (s->r.code == CODE_COPYUID)
		s->r.validity = (uint32_t)n;
}

/* A list that is cut tells nothing: what is missing in it cannot be known. */
static void on_permanent(struct imc *s, const struct token *tok)
{
	if (tok->kind == TOKEN_ATOM)
		s->r.flags |= data_message_flag(tok->text);
	if (tok->kind != TOKEN_CLOSE)
		return;
	s->mailbox.permanent = s->r.flags;
	s->mailbox.has_permanent = true;
}

static void on_code_argument(struct imc *s, const struct token *tok, struct imc_event *ev)
{
	if (tok->kind == TOKEN_CODE_END) {
		s->r.at = AT_STATUS;
		if (s->r.code == CODE_COPYUID && !s->r.cut && s->to.len)
			ask_copied(s, ev);
		return;
	}
	if (s->r.code == CODE_PERMANENTFLAGS)
		on_permanent(s, tok);
	if (tok->kind != TOKEN_ATOM)
		return;
	s->r.place++;
	if (s->r.code == CODE_CAPABILITY)
		data_capability(s, tok->text);
	else if (s->r.place == 1)
		on_number(s, tok);
	else if (s->r.code == CODE_COPYUID && s->r.place <= 3)
		keep_set(s, s->r.place == 2 ? &s->from : &s->to, tok);
}

/* ---- the end of a status line */

/* One was refused, and the next is under way: of that nothing is known yet, and it may be tried on another connection. */
static bool next_is_tried(struct imc *s)
{
	return s->ladder.refused && s->ladder.under_way && !client_find(s, VERB_CANCEL);
}

static void on_bye(struct imc *s)
{
	enum err_kind kind = reply_kind(s);

	s->bye = true;
	if (s->phase == PHASE_LOGOUT)
		return;
	if (s->error.kind && s->phase == PHASE_LOGIN && !next_is_tried(s))	/* a refused login is the news, not the end */
		s->failed = true;
	else
		client_fail(s, kind == ERR_PEER ? ERR_NET : kind, "the server ended the session", text_of(s));
}

static void on_more(struct imc *s, struct imc_event *ev)
{
	struct asked *a = client_find(s, VERB_AUTHENTICATE);

	if (s->turn == TURN_SASL)
		client_fail(s, ERR_PEER, "the server spoke while it had to wait for our response (RFC 4422)", NOTHING);
	else if (a)
		sasl_more(s, a, ev);
	else if (client_find(s, VERB_LOGIN) && s->login_part)
		auth_more(s);
	else if (s->idle)
		idle_more(s, ev);
	else
		client_fail(s, ERR_PEER, "a continuation that nobody waits for (RFC 3501 section 7.5)", text_of(s));
}

static void on_answer(struct imc *s, struct imc_event *ev)
{
	struct asked *a = s->r.asked;

	if (s->turn == TURN_SASL && a->verb == VERB_AUTHENTICATE) {
		client_fail(s, ERR_PEER, "the server spoke while it had to wait for our response (RFC 4422)", text_of(s));
		return;
	}
	if (s->r.status != STATUS_OK && has_words(text_of(s), SPAN("authenticated but not connected"))) {
		client_fail(s, ERR_BUSY, "the server let us in, but not to the mailbox (wrong password or licence, or too many "
			"connections)", text_of(s));
		return;
	}
	if (a->verb > VERB_LOGOUT)
		login_answered(s, a, ev);
	else
		ask_answered(s, a, ev);
}

static void on_status_line(struct imc *s, struct imc_event *ev)
{
	s->r.at = AT_TAG;
	if (s->r.who == WHO_MORE)
		on_more(s, ev);
	else if (s->r.who == WHO_TAGGED)
		on_answer(s, ev);
	else if (s->phase == PHASE_GREETING)
		login_greeting(s);
	else if (s->r.status == STATUS_BYE)
		on_bye(s);
	else if (s->r.status == STATUS_OK && s->r.code == CODE_OVERFLOW)
		notify_overflow(s);
}

static void on_status(struct imc *s, const struct token *tok, struct imc_event *ev)
{
	if (tok->kind == TOKEN_CODE) {
		s->r.at = AT_CODE;
	} else if (tok->kind == TOKEN_TEXT) {
		s->r.cut = tok->cut;
		if (!buf_add(&s->text, tok->text))
			s->r.cut = true;
		if (s->r.code == CODE_ALERT && s->text.len && !client_secret(s, text_of(s)))
			*ev = (struct imc_event){ .what = IMC_WARNING, .text = text_of(s) };
	} else if (tok->kind == TOKEN_LINE) {
		on_status_line(s, ev);
	}
}

void reply_token(struct imc *s, const struct token *tok, struct imc_event *ev)
{
	if (tok->kind != TOKEN_PIECE && s->r.at != AT_TAG && ++s->r.words > IMC_LIST_MAX) {
		client_fail(s, ERR_PEER, "a response without end (more than 16777216 words)", NOTHING);
		return;
	}
	switch (s->r.at) {
	case AT_TAG:
		on_tag(s, tok);
		return;
	case AT_WORD:
		on_word(s, tok);
		return;
	case AT_KIND:
		on_kind(s, tok);
		return;
	case AT_STATUS:
		on_status(s, tok, ev);
		return;
	case AT_CODE:
		on_code(s, tok);
		return;
	case AT_CODE_ARGS:
		on_code_argument(s, tok, ev);
		return;
	case AT_FETCH:
		fetch_token(s, tok, ev);
		return;
	case AT_CAPABILITIES:
	case AT_LIST_FLAGS:
	case AT_LIST_DELIMITER:
	case AT_LIST_NAME:
	case AT_SEARCH:
	case AT_ESEARCH:
	case AT_VANISHED:
	case AT_ENABLED:
	case AT_BOX_NAME:
	case AT_BOX_ITEMS:
	case AT_REST:
		data_token(s, tok, ev);
		return;
	}
	assert(0);
}
