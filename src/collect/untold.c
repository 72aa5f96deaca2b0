/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that were asked for over IMAP and did not come, each for its reason:
 * the body came without a name (it is asked again by itself); no octets came
 * (legal for a message of size 0, else what servers say of mail that they
 * cannot read); nothing came at all (another client removed it in between, or
 * the server cannot read it).  Who is still there and was not told has failed;
 * who is gone has not. */
#include <assert.h>

#include "base/log.h"
#include "collect/visit_imap.h"
#include "wire/header.h"

/* ---- outcomes */

static struct item *settled_item(struct visit *v, uint32_t uid)
{
	v->plan_answered++;
	return listing_find(&v->listing, uid);
}

static void refused(struct visit *v, uint32_t uid)
{
	const struct item *item = settled_item(v, uid);
	const char *words = v->imap->untold_words;

	if (item)
		message_refused(v, item, words[0] ? span_of(words) : SPAN("it told nothing of it"));
}

static void gone(struct visit *v, uint32_t uid)
{
	const struct item *item = settled_item(v, uid);

	if (item && item->flags & ITEM_UNIDENTIFIED)
		v->uncompared--;
	log_debug(&v->tag, "message %u is gone from %s since it was listed", uid, ledger_mailbox(v->ledger));
}

static void empty(struct visit *v, uint32_t uid)
{
	const struct item *item = settled_item(v, uid);
	struct err e;

	if (!item)
		return;
	if (message_begin(v, item, &e))
		message_complete(v, false);
	else
		visit_fail(v, &e);
}

/* ---- who did not come */

void untold_add(struct visit *v, const struct imc_event *ev)
{
	struct imap_visit *i = v->imap;
	struct uids *where = ev->again ? &i->again : ev->empty ? &i->empty : &i->untold;
	struct item *item = listing_find(&v->listing, ev->uid);

	ask_over(v, item);
	header_value(ev->text, i->untold_words, sizeof i->untold_words);
	secret_hide(v, i->untold_words);
	if (!uids_add(where, ev->uid))
		refused(v, ev->uid);
}

static size_t tail_of(const struct uids *u)
{
	return u->count < UNTOLD_ASKED ? u->count : UNTOLD_ASKED;
}

/* The last of them, no more than a set takes for certain. */
static struct span set_of(const struct uids *u, char memory[UIDSET_TEXT_MAX])
{
	struct uidset set;

	static_assert(UNTOLD_ASKED * 11 <= UIDSET_TEXT_MAX, "an id has ten digits and a comma");
	uidset_start(&set, memory, UIDSET_TEXT_MAX);
	for (size_t n = u->count - tail_of(u); n < u->count; n++) {
		bool fits = uidset_add(&set, u->at[n]);

		assert(fits);
	}
	return uidset_text(&set);
}

static void ask_still_there(struct imap_visit *i)
{
	char memory[UIDSET_TEXT_MAX], criteria[UIDSET_TEXT_MAX + 4] = "UID ";
	struct span set = set_of(&i->untold, memory);

	memcpy(criteria + 4, set.at, set.len);
	i->still_there = imc_search(i->session, (struct span){ criteria, 4 + set.len });
}

void untold_ask(struct visit *v)
{
	struct imap_visit *i = v->imap;
	char memory[UIDSET_TEXT_MAX];

	if (v->plan_asked < v->plan_count)
		return;
	while (i->again.count && imc_room(i->session)) {
		uint32_t uid = i->again.at[--i->again.count];

		ask_begins(v, listing_find(&v->listing, uid));
		(void)imc_fetch(i->session, &uid, 1);
	}
	if (i->again.count || imc_outstanding(i->session) || !imc_can_ask(i->session))	/* those may end here too */
		return;
	if (i->untold.count)
		ask_still_there(i);
	else if (i->empty.count)
		i->size_of_empty = imc_listing(i->session, set_of(&i->empty, memory), IMC_WANT_SIZE);
}

bool untold_done(const struct visit *v)
{
	return !v->imap->again.count && !v->imap->untold.count && !v->imap->empty.count;
}

/* ---- answers: who was answered for becomes 0 */

static void on_found(struct visit *v, const struct imc_event *ev)
{
	struct uids *u = &v->imap->untold;

	for (size_t n = u->count - tail_of(u); n < u->count; n++) {
		uint32_t uid = u->at[n];

		if (!uid || uid < ev->uid || uid > ev->last)
			continue;
		u->at[n] = 0;
		refused(v, uid);
	}
}

static void on_size(struct visit *v, const struct imc_event *ev)
{
	struct uids *u = &v->imap->empty;

	for (size_t n = u->count - tail_of(u); n < u->count; n++) {
		if (!ev->has_size || u->at[n] != ev->uid)
			continue;
		u->at[n] = 0;
		if (ev->size)
			refused(v, ev->uid);
		else
			empty(v, ev->uid);
	}
}

/* The command is answered: the rest of those it asked for was not told. */
static void over(struct visit *v, struct uids *u, void (*outcome)(struct visit *v, uint32_t uid))
{
	for (size_t asked = tail_of(u); asked; asked--) {
		uint32_t uid = u->at[--u->count];

		if (uid)
			outcome(v, uid);
	}
}

bool untold_event(struct visit *v, const struct imc_event *ev)
{
	struct imap_visit *i = v->imap;
	bool of_search = i->still_there && ev->id == i->still_there, of_sizes = i->size_of_empty && ev->id == i->size_of_empty;

	if (!of_search && !of_sizes)
		return false;
	if (ev->what == IMC_FOUND) {
		on_found(v, ev);
	} else if (ev->what == IMC_MESSAGE) {
		on_size(v, ev);
	} else if (of_search) {
		i->still_there = 0;
		over(v, &i->untold, ev->what == IMC_DONE ? gone : refused);
	} else {
		i->size_of_empty = 0;
		over(v, &i->empty, refused);
	}
	return true;
}
