/* SPDX-License-Identifier: Apache-2.0
 *
 * What a test does over POP3: STAT and QUIT. */
#include <stdio.h>

#include "collect/visit.h"

static void leave(struct visit *v)
{
	v->phase = VISIT_LEAVING;
	p3c_quit(v->pop);
}

static void on_ready(struct visit *v)
{
	struct err e;

	v->phase = VISIT_LISTING;
	if (v->with->use_top && !(p3c_capabilities(v->pop) & P3C_CAPA_TOP)) {
		(void)err_set(&e, ERR_CONFIG, "use_top is set, but the server has no TOP; remove use_top");
		visit_fail(v, &e);
		return;
	}
	p3c_stat(v->pop);
}

static void on_stat(struct visit *v, const struct p3c_event *ev)
{
	unsigned capabilities = p3c_capabilities(v->pop);

	steps_tell(v, STEP_MAILBOX, "%u message%s, %llu octets%s", ev->number, ev->number == 1 ? "" : "s", (unsigned long long)ev->size,
		capabilities & P3C_CAPA_ANSWERED && !(capabilities & P3C_CAPA_UIDL) ?
		"; the server does not offer UIDL: if it has none, each visit fetches all of it to compare" : "");
	leave(v);
}

/* A visit can do without STAT, but for a mailbox that is in use. */
static void on_refused(struct visit *v, const struct p3c_event *ev)
{
	struct err e;

	(void)err_set(&e, ev->kind, ev->kind == ERR_BUSY ? "the mailbox is in use; try again later" : "STAT was refused");
	(void)secret_peer(v, &e, ev->text);
	if (ev->kind == ERR_BUSY) {
		visit_fail(v, &e);
		return;
	}
	steps_tell(v, STEP_MAILBOX, "it is open, but the server does not count it: %s", e.text);
	leave(v);
}

/* What was marked for deletion goes at +OK to QUIT: who deletes must have it. */
static void left(struct visit *v, struct span words)
{
	struct err e;

	if (v->steps.over || v->why.kind)
		return;
	if (!steps_disposes(v)) {
		steps_tell(v, STEP_LOGOUT, "the server did not say +OK to QUIT, which does no harm as nothing is to be deleted");
		return;
	}
	(void)err_set(&e, ERR_PEER, "the server did not say +OK to QUIT, and without that it deletes nothing; write after = keep");
	if (words.len)
		(void)secret_peer(v, &e, words);
	steps_failed(v, STEP_LOGOUT, &e);
	v->why = e;
}

void try_pop3_left(struct visit *v)
{
	left(v, (struct span){ 0 });
}

bool try_pop3(struct visit *v, const struct p3c_event *ev)
{
	if (ev->what == P3C_READY) {
		on_ready(v);
	} else if (ev->what == P3C_STAT) {
		on_stat(v, ev);
	} else if (ev->what == P3C_REFUSED) {
		on_refused(v, ev);
	} else if (ev->what == P3C_BYE) {
		if (ev->good)
			steps_tell(v, STEP_LOGOUT, "nothing was fetched, and nothing changed");
		else
			left(v, ev->text);
		visit_close(v);
	} else {
		return false;
	}
	return true;
}

enum visit_step_what try_pop3_reached(const struct visit *v)
{
	if (p3c_trying(v->pop))
		return STEP_LOGIN;
	return p3c_greeted(v->pop) ? STEP_CAPABILITIES : STEP_GREETING;
}

void try_pop3_offers(const struct visit *v, char *out, size_t size)
{
	static const struct {
		unsigned bit;
		const char *name;
	} rows[] = {
		{ P3C_CAPA_TOP, "TOP" }, { P3C_CAPA_UIDL, "UIDL" }, { P3C_CAPA_USER, "USER" }, { P3C_CAPA_STLS, "STLS" },
		{ P3C_CAPA_PIPELINING, "PIPELINING" }, { P3C_CAPA_RESP_CODES, "RESP-CODES" }, { P3C_CAPA_UTF8, "UTF8" },
	};
	unsigned has = p3c_capabilities(v->pop);
	char mechs[200];
	size_t used = 0;

	sasl_mechs_text(p3c_offered(v->pop), mechs, sizeof mechs);
	(void)snprintf(out, size, "%s", has & P3C_CAPA_ANSWERED ? "" : "the server does not know CAPA (or `detect` forbids it)");
	used = strlen(out);
	for (size_t n = 0; n < COUNT(rows); n++)
		if (has & rows[n].bit)
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " " : "", rows[n].name);
	(void)snprintf(out + used, size - used, "; SASL %s", mechs);
}

void try_pop3_entered(const struct visit *v, char *out, size_t size)
{
	(void)snprintf(out, size, "as %s by %s", v->with->user, sasl_mech_name(p3c_mechanism(v->pop)));
}
