/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of a test, told as it comes to them: each as good, or as what failed. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "collect/visit.h"

enum { STEP_TEXT = 800 };

static const char *const names[] = {
	"settings", "password", "connect", "TLS", "greeting", "capabilities", "login", "mailbox", "logout",
};
static_assert(COUNT(names) == STEPS, "a name for each step");

const char *visit_step_name(enum visit_step_what what)
{
	return names[what];
}

static bool testing(const struct visit *v)
{
	return v->what == VISIT_TEST;
}

static void tell(struct visit *v, enum visit_step_what what, enum err_kind kind, const char *text)
{
	uint64_t now = loop_now_ms(collector_loop(v->collector));
	struct visit_step step = { .what = what, .good = !kind, .kind = kind, .ms = now - v->steps.since_ms };
	struct visit_mech mechs[SASL_MECHS];
	char shown[STEP_TEXT];

	step.mechs = mechs;
	step.mech_count = what == STEP_LOGIN ? mechs_tell(v, mechs) : 0;
	(void)snprintf(shown, sizeof shown, "%s", text);
	if (kind)
		secret_hide_said(v, shown);
	else
		secret_hide(v, shown);
	step.text = shown;
	v->steps.since_ms = now;
	if (!kind)
		v->steps.passed |= 1u << what;
	v->steps.over = what == STEP_LOGOUT;
	collector_step(v->collector, v, &step);
}

static bool passed(const struct visit *v, enum visit_step_what what)
{
	return v->steps.passed & 1u << what;
}

/* A second connection, after the server refused a mechanism and closed, tells
 * nothing twice; of mailboxes there are many. */
void steps_tell(struct visit *v, enum visit_step_what what, const char *format, ...)
{
	char text[STEP_TEXT];
	va_list args;

	if (!testing(v) || (what != STEP_MAILBOX && passed(v, what)))
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	text_clean(text, strlen(text));
	tell(v, what, ERR_NONE, text);
}

void steps_failed(struct visit *v, enum visit_step_what what, const struct err *why)
{
	if (testing(v))
		tell(v, what, why->kind, why->text);
}

void steps_now(struct visit *v, enum visit_step_what what)
{
	v->steps.now = what;
	v->steps.since_ms = loop_now_ms(collector_loop(v->collector));
}

void steps_begin(struct visit *v)
{
	v->steps = (struct steps){ 0 };
	steps_now(v, STEP_SETTINGS);
}

bool steps_disposes(const struct visit *v)
{
	return v->with->after != AFTER_KEEP || v->with->delete_after_s;
}

/* ---- the connection */

static bool wants_tls(const struct visit *v)
{
	return v->with->tls.mode != MODE_NONE && !v->in_clear;
}

void steps_connected(struct visit *v)
{
	steps_tell(v, STEP_CONNECT, "%s", conn_peer(v->conn));
	v->steps.now = v->conn_settings.tls == CONN_TLS_IMPLICIT ? STEP_TLS : STEP_GREETING;
}

static const char *looked_at(const struct visit *v)
{
	const struct tls_keys *tls = &v->with->tls;

	if (tls->pin)
		return tls->ca_certificates ? "; its key is the pinned one" : "; its key is the pinned one, and nothing else was looked at";
	if (!tls->verify_server)
		return "; NOT VERIFIED, as tls.verify_server = false says";
	return tls->verify_host && tls->required ? "" : "; its name was not looked at";
}

void steps_secured(struct visit *v)
{
	char certificate[480];

	if (!testing(v) || !conn_is_tls(v->conn))
		return;
	conn_tls_certificate(v->conn, certificate, sizeof certificate);
	steps_tell(v, STEP_TLS, "%s, certificate %s%s", conn_tls_text(v->conn), certificate, looked_at(v));
	v->steps.now = v->conn_settings.tls == CONN_TLS_IMPLICIT ? STEP_GREETING : STEP_CAPABILITIES;
}

void steps_in_clear(struct visit *v)
{
	steps_tell(v, STEP_TLS, "none, going on in clear as tls.required = false allows: %s", v->why.text);
}

/* The line, without what it tells of capabilities: "* OK [CAPABILITY …] ready". */
void steps_heard(struct visit *v, struct span first)
{
	struct span line = { first.at, span_find(first, '\n') }, rest;
	size_t open = span_find(line, '['), shut = span_find(line, ']');
	size_t head = shut < line.len && open < shut ? open : 0;

	rest = span_trim(head ? span_from(line, shut + 1) : line);
	if (rest.len && rest.at[rest.len - 1] == '\r')
		rest.len--;
	(void)snprintf(v->steps.greeting, sizeof v->steps.greeting, "%.*s%.*s", (int)(head < GREETING_SHOWN ? head : GREETING_SHOWN), line.at,
		(int)(rest.len < GREETING_SHOWN ? rest.len : GREETING_SHOWN), rest.at);
}

/* ---- the session */

static void tell_greeting(struct visit *v)
{
	steps_tell(v, STEP_GREETING, "\"%s\"", v->steps.greeting);
	v->steps.now = STEP_CAPABILITIES;
}

static void tell_capabilities(struct visit *v)
{
	char text[STEP_TEXT - 1];

	if (v->with->tls.mode == MODE_NONE)
		steps_tell(v, STEP_TLS, "none, as tls.mode = none says: who can read the line reads the mail");
	else if (!conn_is_tls(v->conn))
		steps_tell(v, STEP_TLS, "none: the server has no TLS, and tls.required = false goes on in clear");
	v->talk->offers(v, text, sizeof text);
	steps_tell(v, STEP_CAPABILITIES, "%s", text);
	v->steps.now = STEP_LOGIN;
}

static void tell_login(struct visit *v)
{
	char how[STEP_TEXT / 2];

	v->talk->entered(v, how, sizeof how);
	steps_tell(v, STEP_LOGIN, "%s", how);
	v->steps.now = STEP_MAILBOX;
}

void steps_move(struct visit *v)
{
	enum visit_step_what reached;

	if (!testing(v) || !v->conn)
		return;
	reached = v->phase == VISIT_CONNECTING ? v->talk->reached(v) : STEP_MAILBOX;
	if (v->steps.now == STEP_GREETING && reached > STEP_GREETING)
		tell_greeting(v);
	if (v->securing)
		v->steps.now = STEP_TLS;
	if (v->steps.now == STEP_CAPABILITIES && reached > STEP_CAPABILITIES)
		tell_capabilities(v);
	if (v->steps.now == STEP_LOGIN && reached > STEP_LOGIN)
		tell_login(v);
	if (v->steps.now == STEP_MAILBOX && v->phase == VISIT_LEAVING)
		v->steps.now = STEP_LOGOUT;
}

/* TLS that was to begin and did not is among the capabilities. */
void steps_end(struct visit *v)
{
	enum visit_step_what at = v->steps.now;

	if (!v->why.kind || v->steps.over)
		return;
	if (at == STEP_CAPABILITIES && v->why.kind == ERR_TLS && wants_tls(v))
		at = STEP_TLS;
	steps_failed(v, at, &v->why);
}
