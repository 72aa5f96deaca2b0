/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client.h"

#include <assert.h>
#include <stdio.h>

#include "imap/client_internal.h"

static const char *const verb_names[] = {
	"", "LIST", "SELECT", "EXAMINE", "UID SEARCH", "UID FETCH", "UID FETCH", "UID FETCH", "UID STORE", "EXPUNGE",
	"UID COPY", "UID MOVE", "CREATE", "UNSELECT", "NOOP", "IDLE", "NOTIFY", "LOGOUT", "CAPABILITY", "STARTTLS", "ID", "ENABLE", "COMPRESS", "LOGIN", "AUTHENTICATE", "the cancelled AUTHENTICATE",
};
static_assert(COUNT(verb_names) == VERBS, "a name for each verb");

const char *client_verb(enum verb verb)
{
	assert(verb < VERBS);
	return verb_names[verb];
}

size_t imc_size(void)
{
	return sizeof(struct imc);
}

void client_lend(struct imc *s)
{
	tokens_start(&s->tokens, s->word_memory, sizeof s->word_memory);
	buf_lend(&s->out, s->out_memory, sizeof s->out_memory);
	buf_lend(&s->text, s->text_memory, sizeof s->text_memory);
	buf_lend(&s->name, s->name_memory, sizeof s->name_memory);
	buf_lend(&s->from, s->from_memory, sizeof s->from_memory);
	buf_lend(&s->to, s->to_memory, sizeof s->to_memory);
}

void imc_start(struct imc *s, const struct imc_login *login)
{
	memset(s, 0, offsetof(struct imc, challenge));
	s->login = login;
	s->secure = login->secure;
	s->lockstep = login->lockstep;
	ladder_start(&s->ladder, login->mechs, login->mech_count, &login->before, s->words);
	client_lend(s);
}

void imc_end(struct imc *s)
{
	wipe(s, sizeof *s);
	s->phase = PHASE_OVER;
}

bool client_secret(const struct imc *s, struct span words)
{
	struct span secret = s->phase < PHASE_READY ? s->login->password : NOTHING;

	return secret.len && memmem(words.at, words.len, secret.at, secret.len);
}

/* The server's words go with it, unless they repeat the password. */
void client_fail(struct imc *s, enum err_kind kind, const char *why, struct span words)
{
	if (s->failed)
		return;
	s->failed = true;
	(void)err_set(&s->error, kind, "%s", why);
	if (words.len && !client_secret(s, words))
		(void)err_peer(&s->error, words);
}

/* ---- what is unanswered */

struct asked *client_find(struct imc *s, enum verb verb)
{
	struct asked *oldest = NULL;

	for (struct asked *a = s->asked; a < s->asked + IMC_WINDOW; a++)
		if (a->tag && a->verb == verb && (!oldest || a->tag < oldest->tag))
			oldest = a;
	return oldest;
}

struct asked *client_selecting(struct imc *s)
{
	struct asked *a = client_find(s, VERB_SELECT);

	return a ? a : client_find(s, VERB_EXAMINE);
}

struct asked *client_begin(struct imc *s, enum verb verb)
{
	struct asked *a = s->asked;
	char text[TAG_MAX + 2];
	int n;

	assert(s->count < IMC_WINDOW);
	while (a->tag)
		a++;
	*a = (struct asked){ .tag = ++s->tag, .verb = (uint8_t)verb };
	s->count++;
	n = snprintf(text, sizeof text, "P%u ", a->tag);
	assert(n > 0 && (size_t)n < sizeof text);
	client_say(s, (struct span){ text, (size_t)n });
	return a;
}

void client_pop(struct imc *s, struct asked *a)
{
	assert(a->tag && s->count);
	a->tag = 0;
	s->count--;
}

/* ---- out */

void client_say(struct imc *s, struct span text)
{
	if (text.len > s->out.max - s->out.len && s->out_sent) {
		buf_drop(&s->out, s->out_sent);
		s->out_sent = 0;
	}
	if (!buf_add(&s->out, text))
		client_fail(s, ERR_LOCAL, "a command is too long to be sent", NOTHING);
}

void client_say_quoted(struct imc *s, struct span text)
{
	client_say(s, SPAN("\""));
	for (size_t i = 0; i < text.len; i++) {
		assert((unsigned char)text.at[i] >= ' ' && text.at[i] <= '~');
		if (text.at[i] == '"' || text.at[i] == '\\')
			client_say(s, SPAN("\\"));
		client_say(s, (struct span){ text.at + i, 1 });
	}
	client_say(s, SPAN("\""));
}

void client_command(struct imc *s, enum verb verb, struct span arguments)
{
	(void)client_begin(s, verb);
	client_say(s, span_of(client_verb(verb)));
	if (arguments.len)
		client_say(s, SPAN(" "));
	client_say(s, arguments);
	client_say(s, SPAN("\r\n"));
}

struct span imc_out(const struct imc *s)
{
	return span_from(buf_span(&s->out), s->out_sent);
}

void imc_sent(struct imc *s, size_t n)
{
	assert(n <= s->out.len - s->out_sent);
	s->out_sent += n;
	if (s->out_sent < s->out.len)
		return;
	wipe(s->out.at, s->out.len);	/* it may have been the password */
	s->out.len = s->out_sent = 0;
}

/* ---- in */

void imc_feed(struct imc *s, struct span in)
{
	assert(s->in.len == 0);
	if (s->phase != PHASE_OVER)
		s->in = in;
}

size_t imc_unread(const struct imc *s)
{
	return s->in.len;
}

void imc_eof(struct imc *s)
{
	s->eof = true;
}

static void on_eof(struct imc *s, struct imc_event *ev)
{
	const struct asked *oldest = NULL;
	char why[96];

	if (s->phase == PHASE_LOGOUT) {
		ask_bye(s, ev, s->bye);
		return;
	}
	if (s->sasl.proof_failed) {	/* that is the news, not the end */
		s->failed = true;
		return;
	}
	for (const struct asked *a = s->asked; a < s->asked + IMC_WINDOW; a++)
		if (a->tag && (!oldest || a->tag < oldest->tag))
			oldest = a;
	if (s->phase == PHASE_GREETING)
		(void)snprintf(why, sizeof why, "the server closed the connection before it greeted");
	else if (oldest && oldest->verb == VERB_IDLE)
		(void)snprintf(why, sizeof why, "the server closed the connection while we waited for mail (IDLE)");
	else if (oldest)
		(void)snprintf(why, sizeof why, "the server closed the connection before it answered %s", client_verb(oldest->verb));
	else
		(void)snprintf(why, sizeof why, "the server closed the connection");
	client_fail(s, ERR_NET, why, NOTHING);
}

/* False when there is nothing to be read. */
static bool on_token(struct imc *s, struct imc_event *ev)
{
	struct token tok;

	if (s->turn == TURN_TLS) {
		if (s->in.len)
			client_fail(s, ERR_PEER, "data before TLS: octets between the answer to STARTTLS and the handshake, as an attacker "
				"would insert them (RFC 3501 section 6.2.1)", NOTHING);
		return s->in.len;
	}
	if (s->turn == TURN_COMPRESS)
		return false;
	switch (tokens_next(&s->tokens, &s->in, &tok)) {
	case TOKEN_MORE:
		return false;
	case TOKEN_BAD:
		client_fail(s, ERR_PEER, s->phase == PHASE_GREETING ? "this is no IMAP server's greeting" : tok.why, NOTHING);
		return true;
	case TOKEN_ATOM:
	case TOKEN_STRING:
	case TOKEN_PIECE:
	case TOKEN_STRING_END:
	case TOKEN_OPEN:
	case TOKEN_CLOSE:
	case TOKEN_CODE:
	case TOKEN_CODE_END:
	case TOKEN_TEXT:
	case TOKEN_LINE:
		break;
	}
	reply_token(s, &tok, ev);
	return true;
}

/* What is due beside reading; false when nothing is. */
static bool tell_due(struct imc *s, struct imc_event *ev)
{
	bool may_go = !s->lockstep || !s->count;

	if (s->piece.len) {
		*ev = (struct imc_event){ .what = IMC_BODY, .verb = (enum imc_verb)s->f.asked->verb, .id = s->f.asked->tag,
			.uid = s->f.body_uid, .text = s->piece };
		s->piece = NOTHING;
	} else if (s->set.len) {
		data_found(s, ev);
	} else if (s->news_due) {
		*ev = (struct imc_event){ .what = IMC_NEWS, .verb = s->idle ? IMC_ASK_IDLE : IMC_ASK_NONE, .id = s->idle ? s->idle_tag : 0, .flags = s->news_due };
		s->news_due = 0;
	} else if (s->ending) {
		ask_ending(s, ev);
	} else if (s->warn) {
		*ev = (struct imc_event){ .what = IMC_WARNING, .verb = IMC_ASK_EXPUNGE, .id = s->warn, .text = SPAN("the server has no UIDPLUS: "
			"EXPUNGE also removes messages that other clients marked as deleted") };
		s->warn = 0;
	} else if (s->try_next && may_go) {
		auth_next(s, ev);
	} else if (s->enable_next && may_go) {
		login_enable(s);
	} else if (s->compress_next && may_go) {
		login_compress(s);
	} else if (s->ready && may_go && !login_compressing(s)) {
		s->ready = false;
		s->phase = PHASE_READY;
		s->login = NULL;
		ev->what = IMC_READY;
	} else {
		return false;
	}
	return true;
}

/* What is due is told before more is read; a failure comes once. */
enum imc_what imc_next(struct imc *s, struct imc_event *ev)
{
	*ev = (struct imc_event){ 0 };
	while (!ev->what && s->phase != PHASE_OVER) {
		if (s->failed) {
			ev->what = IMC_FAILED;
			s->phase = PHASE_OVER;
		} else if (!tell_due(s, ev) && !on_token(s, ev)) {
			if (!s->eof)
				break;
			on_eof(s, ev);
		}
	}
	if (ev->what == IMC_FOUND || ev->what == IMC_MAILBOX || ev->what == IMC_BODY || (ev->what == IMC_MESSAGE && ev->verb == IMC_ASK_LISTING))
		s->unanswering = 0;	/* those have limits of their own */
	if (s->phase == PHASE_OVER)
		s->in.len = 0;		/* after the end nothing counts */
	return ev->what;
}

/* ---- what may be asked about a session */

const struct err *imc_error(const struct imc *s)
{
	return &s->error;
}

unsigned imc_capabilities(const struct imc *s)
{
	return s->capabilities;
}

bool imc_qresync(const struct imc *s)
{
	return s->qresync;
}

enum sasl_mech imc_mechanism(const struct imc *s)
{
	return s->mech;
}

unsigned imc_offered(const struct imc *s)
{
	return s->offered;
}

bool imc_greeted(const struct imc *s)
{
	return s->greeted;
}

bool imc_trying(const struct imc *s)
{
	return s->trying;
}

const struct ladder *imc_ladder(const struct imc *s)
{
	return &s->ladder;
}

bool imc_tls_refused(const struct imc *s)
{
	return s->tls_refused;
}

const struct imc_mailbox *imc_selected(const struct imc *s)
{
	return &s->mailbox;
}
