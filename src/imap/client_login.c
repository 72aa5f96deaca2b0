/* SPDX-License-Identifier: Apache-2.0
 *
 * From the greeting to IMC_READY: capabilities, STARTTLS, ID, ENABLE, COMPRESS,
 * and what surrounds the login itself. */
#include <assert.h>

#include "imap/client_internal.h"

static void no_tls(struct imc *s, const char *why)
{
	s->clear_agreed = true;
	if (!s->login->starttls_required)
		return;
	s->tls_refused = true;
	client_fail(s, ERR_TLS, why, buf_span(&s->text));
}

/* STARTTLS, if it is wanted and not yet decided; true when it is under way. */
static bool start_tls(struct imc *s)
{
	if (!s->login->starttls || s->secure || s->clear_agreed)
		return false;
	if ((s->capabilities & IMC_CAPA_ANSWERED) && !(s->capabilities & IMC_CAPA_STARTTLS)) {
		s->text.len = 0;
		no_tls(s, "the server offers no STARTTLS (or somebody took it away), and tls.required is set; "
			"does it have a port with tls.mode = implicit (993)?");
		return s->failed;
	}
	client_command(s, VERB_STARTTLS, NOTHING);
	return true;
}

/* Some want to know who we are before the login, some before SELECT; nothing
 * waits for the answer. */
static void say_id(struct imc *s)
{
	if (s->login->id && (s->capabilities & IMC_CAPA_ID))
		client_command(s, VERB_ID, span_of(s->login->id));
}

/* Before any mailbox is selected (RFC 5161 section 3.1); nothing waits for the
 * answer either. */
void login_enable(struct imc *s)
{
	s->enable_next = false;
	client_command(s, VERB_ENABLE, SPAN("QRESYNC"));
}

void login_compress(struct imc *s)
{
	s->compress_next = false;
	client_command(s, VERB_COMPRESS, SPAN("DEFLATE"));
}

bool login_compressing(struct imc *s)
{
	return s->turn == TURN_COMPRESS || client_find(s, VERB_COMPRESS);
}

static void on_compress(struct imc *s, struct imc_event *ev)
{
	if (s->r.status != STATUS_OK)
		return;
	s->turn = TURN_COMPRESS;
	ev->what = IMC_COMPRESS;
}

void imc_compressed(struct imc *s)
{
	if (s->phase == PHASE_OVER)
		return;
	assert(s->turn == TURN_COMPRESS);
	s->in = NOTHING;
	s->turn = TURN_SERVER;
}

static bool can_enable(const struct imc *s)
{
	return (s->capabilities & IMC_CAPA_ENABLE) && (s->capabilities & IMC_CAPA_QRESYNC);
}

/* The capabilities are known, or known not to be had. */
static void after_capabilities(struct imc *s)
{
	if (!s->logged_in && start_tls(s))
		return;
	say_id(s);
	s->ready = s->logged_in;
	s->enable_next = s->logged_in && can_enable(s);
	s->compress_next = s->logged_in && s->login->compress && (s->capabilities & IMC_CAPA_COMPRESS);
	s->try_next = !s->logged_in;
}

static void ask_capabilities(struct imc *s)
{
	if (s->told_capabilities || s->capa_refused || !s->login->detect_capa)
		after_capabilities(s);
	else
		client_command(s, VERB_CAPABILITY, NOTHING);
}

void login_greeting(struct imc *s)
{
	enum err_kind kind = reply_kind(s);

	if (s->r.status != STATUS_OK && s->r.status != STATUS_PREAUTH) {
		client_fail(s, kind, "the server turns us away", buf_span(&s->text));
		return;
	}
	s->phase = PHASE_LOGIN;
	s->greeted = true;
	if (!s->login->detect_greeting) {
		s->told_capabilities = false;
		s->capabilities = s->offered = 0;
	}
	s->logged_in = s->r.status == STATUS_PREAUTH;
	if (s->logged_in && !s->secure && s->login->starttls_required) {
		s->tls_refused = true;
		client_fail(s, ERR_TLS, "the server (or somebody in between) holds us for logged in before TLS, which tls.required "
			"forbids (PREAUTH, RFC 3501 section 7.1.4)", NOTHING);
		return;
	}
	ask_capabilities(s);
}

static void on_starttls(struct imc *s, struct imc_event *ev)
{
	if (s->r.status == STATUS_OK) {
		s->turn = TURN_TLS;
		ev->what = IMC_TLS;
		return;
	}
	no_tls(s, "the server refuses STARTTLS, and tls.required is set");
	if (!s->failed)
		after_capabilities(s);
}

void imc_secured(struct imc *s)
{
	if (s->phase == PHASE_OVER)
		return;
	assert(s->turn == TURN_TLS && !s->count);
	if (s->in.len)		/* not TLS's: the next imc_next says so */
		return;
	s->turn = TURN_SERVER;
	s->secure = true;
	s->capabilities = s->offered = 0;
	s->told_capabilities = s->capa_refused = false;
	ask_capabilities(s);
}

void login_done(struct imc *s)
{
	s->logged_in = true;
	ladder_over(&s->ladder, LADDER_WORKED, NOTHING);
	ask_capabilities(s);
}

void login_answered(struct imc *s, struct asked *a, struct imc_event *ev)
{
	switch ((enum verb)a->verb) {
	case VERB_CAPABILITY:
		client_pop(s, a);
		s->capa_refused = !s->told_capabilities;
		after_capabilities(s);
		return;
	case VERB_STARTTLS:
		client_pop(s, a);
		on_starttls(s, ev);
		return;
	case VERB_ID:
	case VERB_ENABLE:	/* what was enabled, ENABLED told */
		client_pop(s, a);
		return;
	case VERB_COMPRESS:
		client_pop(s, a);
		on_compress(s, ev);
		return;
	case VERB_LOGIN:
		client_pop(s, a);
		s->login_part = 0;
		if (s->r.status == STATUS_OK)
			login_done(s);
		else
			auth_refused(s, true);
		return;
	case VERB_AUTHENTICATE:
	case VERB_CANCEL:
		sasl_answered(s, a, ev);
		return;
	case VERB_NONE:
	case VERB_LIST:
	case VERB_SELECT:
	case VERB_EXAMINE:
	case VERB_SEARCH:
	case VERB_LISTING:
	case VERB_FETCH:
	case VERB_HEAD:
	case VERB_STORE:
	case VERB_EXPUNGE:
	case VERB_COPY:
	case VERB_MOVE:
	case VERB_CREATE:
	case VERB_CLOSE:
	case VERB_NOOP:
	case VERB_IDLE:
	case VERB_NOTIFY:
	case VERB_LOGOUT:
	case VERBS:
		break;
	}
	assert(0);
}
