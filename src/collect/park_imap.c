/* SPDX-License-Identifier: Apache-2.0
 *
 * From the last mailbox of a visit to a session that is watched (watch.h), in place of LOGOUT.
 *
 * Of one mailbox, the session has it selected.  Of several, NOTIFY names them all to the server, once for a session, since
 * Dovecot is deaf after a second one: when others are there, a new session does it.  Without
 * NOTIFY the first that could be opened is opened again and watched, and the others are looked into when that one has news, or when the
 * schedule looks again. */
#include "collect/visit_imap.h"
#include "collect/watch.h"

/* FNV-1a of each that could be opened, whatever their order. */
static uint64_t sum_of(const struct folders *f)
{
	uint64_t sum = 1;

	for (size_t n = 0; n < f->count; n++) {
		uint64_t one = UINT64_C(0xcbf29ce484222325);

		if (f->names[n].shut)
			continue;
		for (const char *at = f->names[n].name; *at; at++)
			one = (one ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
		sum += one;
	}
	return sum;
}

static void leave(struct visit *v)
{
	v->imap->park = 0;
	(void)imc_logout(v->imap->session);
}

static void park(struct visit *v, bool again)
{
	v->parks = true;
	v->parks_again |= again;
	collector_dirty(v->collector, v);
}

static void open_first(struct visit *v)
{
	struct imap_visit *i = v->imap;

	v->parks_again |= (imc_news(i->session) & IMC_NEWS_MAIL) != 0;	/* of the last one, which will not be selected any more */
	imc_news_clear(i->session);
	i->park = imc_examine(i->session, span_of(i->folders.names[i->first - 1].name));
}

/* IDLE wants one selected, and the last may not be. */
static void park_open(struct visit *v, bool again)
{
	const struct folders *f = &v->imap->folders;

	if (!f->names[f->at - 1].shut) {
		park(v, again);
		return;
	}
	v->parks_again |= again;
	open_first(v);
}

/* False: too many, or their names are too long. */
static bool ask_notify(struct visit *v)
{
	struct imap_visit *i = v->imap;
	struct span names[IMC_WATCH_MAX];
	struct imc_watch watch = { .names = names, .selected = true };

	if (!(imc_capabilities(i->session) & IMC_CAPA_NOTIFY) || i->folders.count > COUNT(names) || !watch_may_notify(v))
		return false;
	for (size_t n = 0; n < i->folders.count; n++)
		if (!i->folders.names[n].shut)
			names[watch.name_count++] = span_of(i->folders.names[n].name);
	if (!imc_watch_fits(&watch))
		return false;
	i->park = i->notify = imc_notify(i->session, &watch);
	i->names = sum_of(&i->folders);
	return true;
}

bool park_imap(struct visit *v)
{
	struct imap_visit *i = v->imap;

	if (!watch_wanted(v) || (i->trouble.kind && !i->mild) || !i->first)
		return false;
	if (imc_notifying(i->session) && i->names != sum_of(&i->folders)) {
		watch_anew(v);
		return false;
	}
	v->phase = VISIT_LEAVING;
	i->step = IMAP_PARKING;
	if (i->folders.count == 1 || imc_notifying(i->session))
		park_open(v, false);
	else if (!ask_notify(v))
		open_first(v);
	return true;
}

void park_event(struct visit *v, const struct imc_event *ev)
{
	struct imap_visit *i = v->imap;

	if (ev->id != i->park || (ev->what != IMC_DONE && ev->what != IMC_REFUSED))
		return;
	i->park = 0;
	if (ev->verb == IMC_ASK_NOTIFY && ev->what == IMC_DONE) {
		i->notified = true;
		park_open(v, true);	/* what came before NOTIFY held was not told */
	} else if (ev->verb == IMC_ASK_NOTIFY) {
		open_first(v);
	} else if (ev->what == IMC_DONE) {
		park(v, imc_selected(i->session)->uid_next != i->first_next);
	} else {
		leave(v);		/* it was there a moment ago */
	}
}

void park_lost(struct visit *v)
{
	const struct imap_visit *i = v->imap;

	if (!i->session || v->stopping || (!v->parks && !i->park))
		return;
	if (i->park && i->park == i->notify)
		watch_not_notified(v);
	if (v->why.kind)		/* what failed is tried again anyhow */
		return;
	log_info(&v->tag, "the session is lost, or was not answered, before it watched; another visit begins one of its own");
	watch_anew(v);
}
