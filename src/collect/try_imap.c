/* SPDX-License-Identifier: Apache-2.0
 *
 * What a test does over IMAP: EXAMINE each mailbox that would be collected from,
 * and see whether the folder is there that mail would be moved to.  Where a
 * mailbox cannot be opened, LIST tells which ones there are. */
#include <stdio.h>

#include "collect/visit_imap.h"
#include "wire/utf7.h"

static void leave(struct visit *v)
{
	v->phase = VISIT_LEAVING;
	(void)imc_logout(v->imap->session);
}

/* ---- a mailbox that cannot be opened */

static void tell_missing(struct visit *v)
{
	struct looking *l = &v->imap->looking;
	struct err e;

	if (l->count > l->shown)
		(void)err_set(&e, l->kind, "%s; the server has %s and %zu more", l->wanted, l->names, l->count - l->shown);
	else
		(void)err_set(&e, l->kind, "%s; the server has %s", l->wanted, l->count ? l->names : "no mailbox at all for this user");
	steps_failed(v, STEP_MAILBOX, &e);
	if (!v->imap->trouble.kind)
		v->imap->trouble = e;
	v->imap->step = IMAP_BETWEEN;
}

static void look(struct visit *v)
{
	struct imap_visit *i = v->imap;

	if (i->looking.looked) {
		tell_missing(v);
		return;
	}
	i->looking.looked = true;
	i->looking.command = imc_list(i->session, SPAN("*"));
	i->step = IMAP_LOOKING;
}

static void add_name(struct looking *l, const struct imc_event *ev)
{
	char name[sizeof l->names];
	size_t used = strlen(l->names);

	if (ev->flags & IMC_BOX_NOSELECT)
		return;
	l->count++;
	utf7_show(ev->text, name, sizeof name);
	if (l->shown + 1 < l->count || used + strlen(name) + 3 > sizeof l->names)
		return;
	(void)snprintf(l->names + used, sizeof l->names - used, "%s%s", used ? ", " : "", name);
	l->shown++;
}

static void nothing_matches(struct visit *v)
{
	struct looking *l = &v->imap->looking;

	l->kind = ERR_CONFIG;
	(void)snprintf(l->wanted, sizeof l->wanted, "nothing on the server matches mailbox = %.100s",
		v->with->mailboxes.count ? v->with->mailboxes.at[0] : "?");
	look(v);
}

/* ---- one after the other */

static const char *current(const struct visit *v, char *out, size_t size)
{
	const struct folders *f = &v->imap->folders;

	utf7_show(span_of(f->names[f->at - 1].name), out, size);
	return out;
}

static void opened(struct visit *v)
{
	const struct imc_mailbox *box = imc_selected(v->imap->session);
	char name[SETTINGS_NAME_MAX * 2];
	struct err e;

	v->imap->step = IMAP_BETWEEN;
	(void)current(v, name, sizeof name);
	if (box->validity) {
		steps_tell(v, STEP_MAILBOX, "%s: %u message%s, UIDVALIDITY %u%s", name, box->exists, box->exists == 1 ? "" : "s", box->validity,
			steps_disposes(v) ? "; opened read-only: whether `after` may change it, only a visit shows" : "");
		return;
	}
	(void)err_set(&e, ERR_PEER, "mailbox %s: the server tells no UIDVALIDITY (RFC 3501 section 2.3.1.1), so messages cannot be told apart", name);
	steps_failed(v, STEP_MAILBOX, &e);
	if (!v->imap->trouble.kind)
		v->imap->trouble = e;
}

static void not_opened(struct visit *v, const struct imc_event *ev)
{
	struct looking *l = &v->imap->looking;
	char name[SETTINGS_NAME_MAX * 2];
	struct err e;

	(void)current(v, name, sizeof name);
	(void)err_set(&e, ev->kind, "mailbox %.100s cannot be opened%s", name,
		ev->code == IMC_CODE_NONEXISTENT ? ": it does not exist" : ev->kind == ERR_BUSY ? " now; try again later" : "");
	(void)secret_peer(v, &e, ev->text);
	l->kind = ev->code == IMC_CODE_NONEXISTENT ? ERR_CONFIG : ev->kind;
	(void)snprintf(l->wanted, sizeof l->wanted, "%.*s", (int)sizeof l->wanted - 1, e.text);
	if (ev->kind != ERR_BUSY) {
		look(v);
		return;
	}
	steps_failed(v, STEP_MAILBOX, &e);
	if (!v->imap->trouble.kind)
		v->imap->trouble = e;
	v->imap->step = IMAP_BETWEEN;
}

static void tell_target(struct visit *v)
{
	const struct folders *f = &v->imap->folders;

	if (v->imap->looking.target_told || !f->target)
		return;
	v->imap->looking.target_told = true;
	steps_tell(v, STEP_MAILBOX, "%s: %s", v->with->move_folder,
		f->target_there ? "the folder that mail is moved to is there" : "the folder that mail is moved to is not there; the first visit makes it");
}

static void next(struct visit *v)
{
	struct folders *f = &v->imap->folders;

	if (!f->count && !v->imap->trouble.kind) {
		nothing_matches(v);
		return;
	}
	if (f->at == f->count) {
		tell_target(v);
		leave(v);
		return;
	}
	v->imap->step = IMAP_OPENING;
	(void)imc_examine(v->imap->session, span_of(f->names[f->at++].name));
}

void try_imap_ask(struct visit *v)
{
	struct imap_visit *i = v->imap;

	if (i->step == IMAP_NAMES)
		folders_ask(v);
	if (i->step == IMAP_BETWEEN && !imc_outstanding(i->session) && !v->why.kind)
		next(v);
}

/* ---- events */

static void on_answer(struct visit *v, const struct imc_event *ev)
{
	if (ev->verb == IMC_ASK_LIST)
		tell_missing(v);
	else if (ev->what == IMC_DONE)
		opened(v);
	else
		not_opened(v, ev);
}

static void on_bye(struct visit *v, bool good)
{
	if (!v->why.kind && !v->steps.over)
		steps_tell(v, STEP_LOGOUT, good ? "nothing was fetched, and nothing changed" :
			"the server did not answer LOGOUT, which does no harm");
	if (!v->why.kind && v->imap->trouble.kind)
		v->why = v->imap->trouble;
}

void try_imap_left(struct visit *v)
{
	on_bye(v, false);
}

bool try_imap(struct visit *v, const struct imc_event *ev)
{
	struct looking *l = &v->imap->looking;
	bool looks = l->command && ev->verb == IMC_ASK_LIST && ev->id == l->command;

	if (ev->what == IMC_READY) {
		v->phase = VISIT_LISTING;
		folders_start(v);
	} else if (ev->what == IMC_MAILBOX && looks) {
		add_name(l, ev);
	} else if ((ev->what == IMC_DONE || ev->what == IMC_REFUSED) && (looks || ev->verb == IMC_ASK_EXAMINE)) {
		on_answer(v, ev);
	} else if (ev->what == IMC_BYE) {
		on_bye(v, ev->good);
		visit_close(v);
	} else {
		return false;
	}
	return true;
}

/* ---- for steps.c */

enum visit_step_what try_imap_reached(const struct visit *v)
{
	if (imc_trying(v->imap->session))
		return STEP_LOGIN;
	return imc_greeted(v->imap->session) ? STEP_CAPABILITIES : STEP_GREETING;
}

void try_imap_offers(const struct visit *v, char *out, size_t size)
{
	static const struct {
		unsigned bit;
		const char *name;
	} rows[] = {
		{ IMC_CAPA_STARTTLS, "STARTTLS" }, { IMC_CAPA_LOGINDISABLED, "LOGINDISABLED" }, { IMC_CAPA_SASL_IR, "SASL-IR" }, { IMC_CAPA_ID, "ID" },
		{ IMC_CAPA_LITERAL, "LITERAL+" }, { IMC_CAPA_UIDPLUS, "UIDPLUS" }, { IMC_CAPA_MOVE, "MOVE" }, { IMC_CAPA_ESEARCH, "ESEARCH" },
		{ IMC_CAPA_CONDSTORE, "CONDSTORE" }, { IMC_CAPA_QRESYNC, "QRESYNC" }, { IMC_CAPA_IDLE, "IDLE" },
		{ IMC_CAPA_COMPRESS, "COMPRESS" }, { IMC_CAPA_UNSELECT, "UNSELECT" }, { IMC_CAPA_SPECIAL_USE, "SPECIAL-USE" },
		{ IMC_CAPA_GMAIL, "X-GM-EXT-1" },
	};
	unsigned has = imc_capabilities(v->imap->session);
	char mechs[200];
	size_t used;

	sasl_mechs_text(imc_offered(v->imap->session), mechs, sizeof mechs);
	used = (size_t)snprintf(out, size, "%s", has & IMC_CAPA_ANSWERED ? "IMAP4" : "the server tells none (or `detect` forbids it)");
	for (size_t n = 0; n < COUNT(rows); n++)
		if (has & rows[n].bit)
			used += (size_t)snprintf(out + used, size - used, " %s", rows[n].name);
	(void)snprintf(out + used, size - used, "; SASL %s", mechs);
}

void try_imap_entered(const struct visit *v, char *out, size_t size)
{
	enum sasl_mech mech = imc_mechanism(v->imap->session);

	if (imc_trying(v->imap->session))
		(void)snprintf(out, size, "as %s by %s", v->with->user, mech == SASL_USER ? "LOGIN" : sasl_mech_name(mech));
	else
		(void)snprintf(out, size, "none was needed: the server holds us for logged in (PREAUTH)");
}
