/* SPDX-License-Identifier: Apache-2.0
 *
 * From SELECT and SEARCH to a plan: what is in the mailbox, joined with its
 * ledger; or to the knowledge that nothing has changed since it was settled.
 *
 * A complete listing is one UID SEARCH ALL: with ESEARCH a few ranges however
 * many messages there are.  Flags are searched for only where they decide. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/visit_imap.h"

enum {
	MORE_THAN_EXIST = 10000,	/* a SEARCH may find so many more than EXISTS said */
	LISTING_MAX = 5000000,		/* messages of one mailbox */
};

/* Keeping all, nothing is to be done in a mailbox that did not change. */
static bool may_be_settled(const struct visit *v)
{
	return v->what == VISIT_COLLECT && v->with->after == AFTER_KEEP && !v->with->delete_after_s;
}

/* `after` or delete_after do: it stands in the settings. */
static bool wants_dispositions(const struct visit *v)
{
	return v->what == VISIT_COLLECT && (v->with->after != AFTER_KEEP || v->with->delete_after_s);
}

static bool wants_flags(const struct visit *v)
{
	switch (v->with->pull) {
	case PULL_UNREAD:
	case PULL_FIRST_UNREAD:
	case PULL_LAST_UNREAD:
		return true;
	case PULL_ALL:
	case PULL_FIRST:
	case PULL_LAST:
		break;
	}
	return v->with->after == AFTER_SEEN;
}

/* ---- opening */

/* Whose mailbox it is: a connection may be pointed at another one tomorrow. */
static int64_t account_of(const struct visit *v)
{
	uint8_t id[32];
	int64_t account;

	ledger_imap_id(span_of(v->with->host), span_of(v->with->user), SPAN(""), 0, 0, id);
	memcpy(&account, id, sizeof account);
	return account ? account : 1;
}

static void reset(struct visit *v)
{
	struct imap_visit *i = v->imap;

	visit_reset_mailbox(v);
	imap_forget_uids(i);
	i->details_at = i->aliases_at = i->expunge_at = 0;
	i->still_there = i->size_of_empty = i->expunges = i->answers = 0;
	i->all = i->unseen = i->matched = 0;
	i->validity = 0;
	i->disposed = i->undisposed = i->deleted = i->read_only = i->stays_told = false;
	i->lacks = 0;
	i->failed_before = v->result.failed;
	i->passed_before = v->result.skipped - v->recorded;
}

static void leave(struct visit *v)
{
	v->phase = VISIT_LEAVING;
	(void)imc_logout(v->imap->session);
}

void list_imap_open(struct visit *v)
{
	struct imap_visit *i = v->imap;
	uint32_t validity = 0;
	const char *name;
	struct err e;

	if (v->under_way) {		/* a target keeps them; the other mailboxes are the next visit's */
		leave(v);
		return;
	}
	v->taken += v->plan_count;
	v->taken_octets += v->planned_octets;
	reset(v);
	if (i->folders.at == i->folders.count) {
		if (!park_imap(v))
			leave(v);
		return;
	}
	name = i->folders.names[i->folders.at++].name;
	if (!visit_enter(v, name, &e)) {
		visit_fail(v, &e);
		return;
	}
	if (may_be_settled(v) && ledger_noted(v->ledger, LEDGER_NOTE_SETTLED_MODSEQ) && account_of(v) == ledger_noted(v->ledger, LEDGER_NOTE_ACCOUNT))
		validity = (uint32_t)ledger_noted(v->ledger, LEDGER_NOTE_VALIDITY);
	v->phase = VISIT_LISTING;
	i->step = IMAP_OPENING;
	v->parks_again |= i->folders.at > 1 && imc_news(i->session) & IMC_NEWS_MAIL;	/* of the one before, since it was listed */
	imc_news_clear(i->session);
	(void)imc_select_since(i->session, span_of(name), !wants_dispositions(v) && !listed_removals(v, v->ledger), validity,
		validity ? (uint64_t)ledger_noted(v->ledger, LEDGER_NOTE_SETTLED_MODSEQ) : 0);
}

static bool unchanged(struct visit *v)
{
	const struct imc_mailbox *box = &v->imap->opened;

	return may_be_settled(v) && !ledger_noted(v->ledger, LEDGER_NOTE_REMOVING) && box->modseq && box->uid_next &&
	       box->validity == ledger_noted(v->ledger, LEDGER_NOTE_VALIDITY) && account_of(v) == ledger_noted(v->ledger, LEDGER_NOTE_ACCOUNT) &&
	       (int64_t)box->modseq == ledger_noted(v->ledger, LEDGER_NOTE_SETTLED_MODSEQ) &&
	       box->uid_next == ledger_noted(v->ledger, LEDGER_NOTE_SETTLED_NEXT) &&
	       box->exists == ledger_noted(v->ledger, LEDGER_NOTE_SETTLED_EXISTS);
}

/* Other ids for what may be the same messages: they are compared. */
static void settle_validity(struct visit *v)
{
	int64_t noted = ledger_noted(v->ledger, LEDGER_NOTE_VALIDITY), account = account_of(v);
	const struct imc_mailbox *box = &v->imap->opened;
	bool same = noted == box->validity && ledger_noted(v->ledger, LEDGER_NOTE_ACCOUNT) == account;

	v->imap->validity = box->validity;
	if (noted && noted != box->validity)
		log_warn(&v->tag, "UIDVALIDITY of %s changed from %lld to %u: messages are told apart by their content",
			ledger_mailbox(v->ledger), (long long)noted, box->validity);
	if ((noted && !same) || box->uids_not_sticky)
		ledger_note(v->ledger, LEDGER_NOTE_COMPARING, clock_now_s(), 0);
	if (same)
		return;
	ledger_note(v->ledger, LEDGER_NOTE_SETTLED_MODSEQ, 0, 0);
	ledger_note(v->ledger, LEDGER_NOTE_ACCOUNT, account, 0);
	ledger_note(v->ledger, LEDGER_NOTE_VALIDITY, box->validity, 0);
	if (v->what == VISIT_COLLECT)
		visit_slice(v);		/* nothing is delivered under a ledger that recovery would not find */
}

static void all_told(struct visit *v);

static void search(struct visit *v)
{
	struct imap_visit *i = v->imap;

	i->step = IMAP_LISTING;
	i->searches = (struct searches){ .all = true, .unseen = wants_flags(v), .matched = v->with->search && v->what == VISIT_COLLECT };
	if (!i->opened.exists)
		all_told(v);
}

static bool ask_search(struct visit *v, bool *wanted, struct span criteria, uint32_t *command)
{
	struct imap_visit *i = v->imap;
	bool alone = !(imc_capabilities(i->session) & IMC_CAPA_ESEARCH);	/* its answer names no command */

	if (!*wanted)
		return true;
	if (!imc_can_ask(i->session) || (alone && i->answers))
		return false;
	*command = imc_search(i->session, criteria);
	*wanted = false;
	i->answers++;
	return true;
}

/* What is in the mailbox is asked first, but told in any order. */
static void ask_searches(struct visit *v)
{
	struct imap_visit *i = v->imap;

	if (ask_search(v, &i->searches.all, SPAN("ALL"), &i->all) && ask_search(v, &i->searches.unseen, SPAN("UNSEEN"), &i->unseen) &&
	    i->searches.matched)
		(void)ask_search(v, &i->searches.matched, span_of(v->with->search), &i->matched);
}

/* A right that is missing shows here (RFC 4314): the server would say OK to
 * flags that it keeps for this session only. */
static void settle_rights(struct visit *v)
{
	struct imap_visit *i = v->imap;
	const struct imc_mailbox *box = &i->opened;
	struct err e;

	i->lacks = box->has_permanent ? (IMC_SEEN | IMC_DELETED) & ~box->permanent : 0;
	i->read_only = v->what == VISIT_COLLECT && (box->read_only || (!dispose_can(v, false) && !dispose_can(v, true)));
	i->stays_told = wants_dispositions(v) && (i->read_only || !dispose_can(v, false));
	if (!i->stays_told)
		return;
	if (box->read_only)
		(void)err_set(&e, ERR_PEER, "the mailbox is read-only, so delivered mail stays there as it is; write after = keep");
	else
		(void)err_set(&e, ERR_PEER, "the server keeps no %s there (PERMANENTFLAGS), so delivered mail stays as it is; "
			"write after = keep, or get the right to it", v->with->after == AFTER_SEEN ? "\\Seen" : "\\Deleted");
	imap_trouble(v, &e);
}

static void opened(struct visit *v)
{
	struct imap_visit *i = v->imap;
	struct err e;

	i->opened = *imc_selected(i->session);
	if (!i->first) {
		i->first = i->folders.at;
		i->first_next = i->opened.uid_next;
	}
	i->gmail = imc_capabilities(i->session) & IMC_CAPA_GMAIL;
	if (!i->opened.validity) {
		(void)err_set(&e, ERR_PEER, "the server tells no UIDVALIDITY (RFC 3501 section 2.3.1.1), so messages cannot be told apart");
		visit_fail(v, &e);
		return;
	}
	if (!i->opened.has_exists) {
		(void)err_set(&e, ERR_PEER, "the server does not say how many messages there are (EXISTS, RFC 3501 section 6.3.1)");
		visit_fail(v, &e);
		return;
	}
	settle_rights(v);
	if (unchanged(v)) {
		log_debug(&v->tag, "nothing changed in %s since it was settled", ledger_mailbox(v->ledger));
		i->step = IMAP_BETWEEN;
		return;
	}
	settle_validity(v);
	search(v);
}

/* One that a pattern found was listed a moment ago: the settings are right, and its trouble is no other mailbox's. */
static void not_opened(struct visit *v, const struct imc_event *ev)
{
	struct imap_visit *i = v->imap;
	struct folder *f = &i->folders.names[i->folders.at - 1];
	bool found = f->place >= i->folders.named, missing = !found && ev->code == IMC_CODE_NONEXISTENT;
	bool mild = found && (i->mild || !i->trouble.kind);
	struct err e;

	f->shut = true;
	(void)err_set(&e, missing ? ERR_CONFIG : found ? ERR_BUSY : ev->kind, "it cannot be opened%s",
		missing ? ": it does not exist; mailbox = {\"*\"} collects from all there are" : "");
	(void)secret_peer(v, &e, ev->text);
	imap_trouble(v, &e);
	i->mild = mild;
	i->step = IMAP_BETWEEN;
}

/* ---- listing */

static void take_range(struct visit *v, uint32_t first, uint32_t last)
{
	struct imap_visit *i = v->imap;
	uint64_t most = (uint64_t)i->opened.exists + imc_selected(i->session)->exists + MORE_THAN_EXIST;
	struct span host = span_of(v->with->host), user = span_of(v->with->user), box = span_of(ledger_mailbox(v->ledger));
	uint8_t id[32];
	struct err e;

	if (most > LISTING_MAX)
		most = LISTING_MAX;
	if (v->listing.count + ((uint64_t)last - first + 1) > most) {
		(void)err_set(&e, ERR_PEER, "SEARCH finds more messages than the %u that the mailbox has (RFC 3501 section 7.3.1), or more than %d",
			i->opened.exists, LISTING_MAX);
		visit_fail(v, &e);
		return;
	}
	for (uint64_t uid = first; uid <= last; uid++) {
		ledger_imap_id(host, user, box, i->validity, (uint32_t)uid, id);
		if (!listing_add_uid(&v->listing, (uint32_t)uid, id, &e)) {
			visit_fail(v, &e);
			return;
		}
	}
}

/* Flags may be told before all ids are, and before these are in order. */
static void keep_range(struct visit *v, const struct imc_event *ev, uint8_t flag)
{
	struct uids *u = flag == ITEM_UNSEEN ? &v->imap->unseen_told : &v->imap->matched_told;
	struct err e;

	if (uids_add(u, ev->uid) && uids_add(u, ev->last))
		return;
	(void)err_set(&e, ERR_LOCAL, "out of memory");
	visit_fail(v, &e);
}

static void flag_told(struct visit *v, struct uids *u, uint8_t flag)
{
	for (size_t n = 0; n + 1 < u->count; n += 2)
		listing_flag(&v->listing, u->at[n], u->at[n + 1], flag);
	uids_end(u);
}

static void on_found(struct visit *v, const struct imc_event *ev)
{
	if (ev->id == v->imap->all)
		take_range(v, ev->uid, ev->last);
	else if (ev->id == v->imap->unseen)
		keep_range(v, ev, ITEM_UNSEEN);
	else if (ev->id == v->imap->matched)
		keep_range(v, ev, ITEM_MATCHED);
}

static void all_told(struct visit *v)
{
	struct imap_visit *i = v->imap;
	struct err e;

	if (v->listing.count + (imc_selected(i->session)->expunged - i->opened.expunged) < i->opened.exists) {
		v->listing.incomplete = true;
		log_warn(&v->tag, "SEARCH finds %zu messages where EXISTS counts %u; nothing counts as gone", v->listing.count,
			i->opened.exists);
	}
	flag_told(v, &i->unseen_told, ITEM_UNSEEN);
	flag_told(v, &i->matched_told, ITEM_MATCHED);
	i->step = IMAP_JOINING;
	if (!listed_join(v, &e)) {
		visit_fail(v, &e);
		return;
	}
	listing_slice(v);
}

static void on_done(struct visit *v, const struct imc_event *ev)
{
	struct imap_visit *i = v->imap;

	if (ev->verb == IMC_ASK_SELECT || ev->verb == IMC_ASK_EXAMINE) {
		opened(v);
		return;
	}
	if (ev->verb == IMC_ASK_SEARCH && ev->id == i->all)
		listing_settle_uids(&v->listing);
	if (ev->verb != IMC_ASK_SEARCH && ev->verb != IMC_ASK_LISTING)
		return;
	i->answers--;
	if (i->step == IMAP_LISTING && !i->answers && !i->searches.unseen && !i->searches.matched)
		all_told(v);
}

static void on_refused(struct visit *v, const struct imc_event *ev)
{
	if (ev->verb == IMC_ASK_SELECT || ev->verb == IMC_ASK_EXAMINE)
		not_opened(v, ev);
	else if (ev->verb == IMC_ASK_SEARCH && ev->id == v->imap->matched)
		imap_refused(v, ev, "the server refuses `search` as it is written in the configuration");
	else if (ev->verb == IMC_ASK_SEARCH)
		imap_refused(v, ev, "UID SEARCH was refused");
	else
		imap_refused(v, ev, "UID FETCH of sizes was refused");
}

static void on_message(struct visit *v, const struct imc_event *ev)
{
	struct item *item = v->imap->step == IMAP_DETAILS ? listing_find(&v->listing, ev->uid) : NULL;

	if (!item)
		return;
	if (ev->has_size)
		listing_size(&v->listing, ev->uid, ev->size);
	if (ev->gmail_id)
		item_set_gmail(item, ev->gmail_id);
}

void list_imap_event(struct visit *v, const struct imc_event *ev)
{
	if (ev->what == IMC_FOUND)
		on_found(v, ev);
	else if (ev->what == IMC_MESSAGE)
		on_message(v, ev);
	else if (ev->what == IMC_DONE)
		on_done(v, ev);
	else
		on_refused(v, ev);
}

/* ---- from the join to the plan */

void list_imap_joined(struct visit *v)
{
	struct imap_visit *i = v->imap;
	bool details = v->found.fresh && (i->gmail || (v->with->max_size && v->what == VISIT_COLLECT));

	v->listed = true;
	if (v->found.offered)
		visit_slice(v);
	i->step = details ? IMAP_DETAILS : IMAP_SETTLING;
}

/* Of what is new; as many ids in one command as a set takes. */
static void ask_details(struct visit *v)
{
	struct imap_visit *i = v->imap;
	unsigned want = (v->with->max_size ? IMC_WANT_SIZE : 0) | (i->gmail ? IMC_WANT_GMAIL : 0);
	struct listing *l = &v->listing;

	while (i->details_at < l->count && imc_can_ask(i->session)) {
		char memory[UIDSET_TEXT_MAX];
		struct uidset set;

		uidset_start(&set, memory, sizeof memory);
		for (; i->details_at < l->count; i->details_at++) {
			const struct item *item = &l->items[i->details_at];

			if (!(item->flags & ITEM_KNOWN) && !uidset_add(&set, item->number))
				break;
		}
		if (!uidset_text(&set).len)
			break;
		(void)imc_listing(i->session, uidset_text(&set), want);
		i->answers++;
	}
	if (i->details_at == l->count && !i->answers)
		i->step = i->gmail ? IMAP_ALIASES : IMAP_SETTLING;
}

void list_imap_ask(struct visit *v)
{
	struct imap_visit *i = v->imap;
	struct err e;

	if (i->step == IMAP_LISTING)
		ask_searches(v);
	if (i->step == IMAP_DETAILS)
		ask_details(v);
	while (i->step == IMAP_ALIASES && !v->slices && !v->why.kind) {
		gmail_slice(v);
		if (i->aliases_at == v->listing.count)
			i->step = IMAP_SETTLING;
	}
	if (i->step != IMAP_SETTLING || v->slices || v->why.kind)
		return;
	i->step = IMAP_WORKING;
	if (!listing_plan(v, &e))
		visit_fail(v, &e);
}

/* Everything that was listed is in the ledger for good, and nothing of it is to
 * be looked at again until the server says that something changed. */
void list_imap_settled(struct visit *v)
{
	struct imap_visit *i = v->imap;
	bool all = may_be_settled(v) && !v->under_way && !v->no_target.kind && !v->limit && !v->listing.incomplete && !v->uncompared && !i->opened.uids_not_sticky &&
		   v->result.failed == i->failed_before && v->result.skipped - v->recorded == i->passed_before && !i->disposed && !i->undisposed;

	if (!all || !i->opened.modseq)
		return;
	ledger_note(v->ledger, LEDGER_NOTE_SETTLED_EXISTS, i->opened.exists, 0);
	ledger_note(v->ledger, LEDGER_NOTE_SETTLED_NEXT, i->opened.uid_next, 0);
	ledger_note(v->ledger, LEDGER_NOTE_SETTLED_MODSEQ, (int64_t)i->opened.modseq, 0);
}
