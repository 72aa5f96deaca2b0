/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of delivered mail on an IMAP server: \Seen, \Deleted and
 * EXPUNGE, MOVE, or COPY where there is no MOVE.
 *
 * Some messages at a time share a command.  A command that is refused leaves
 * its messages as they are: the next visit tries again.  A copy is recorded in
 * the ledger, durably, before the original is marked: a crash between the two
 * makes no second copy.  Deleted mail is marked \Seen too, so that nobody is
 * sent a "not read" notice. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/visit_imap.h"

enum { WORTH_A_COMMAND = 100 };

/* ---- which messages are due */

struct way {
	enum how how;
	const char *folder;	/* MOVE, COPY */
};

static struct way way_of(const struct visit *v, bool removal, bool copied)
{
	const struct folders *f = &v->imap->folders;
	const char *folder = removal || !f->target ? f->trash : f->target;

	if (v->with->after == AFTER_SEEN && !removal)
		return (struct way){ HOW_SEEN, NULL };
	if (!folder || copied || strcmp(folder, ledger_mailbox(v->ledger)) == 0)
		return (struct way){ HOW_DELETED, NULL };
	return (struct way){ imc_capabilities(v->imap->session) & IMC_CAPA_MOVE ? HOW_MOVE : HOW_COPY, folder };
}

static struct way way_of_entry(const struct visit *v, const struct ledger_entry *entry)
{
	return way_of(v, entry->removal, entry->copy == LEDGER_COPY_DONE);
}

static bool can(const struct visit *v, enum how how)
{
	static const unsigned needs[] = { [HOW_SEEN] = IMC_SEEN, [HOW_DELETED] = IMC_DELETED, [HOW_MOVE] = 0, [HOW_COPY] = IMC_DELETED };

	return !(v->imap->lacks & needs[how]);
}

bool dispose_can(const struct visit *v, bool removal)
{
	return can(v, way_of(v, removal, false).how);
}

/* What cannot be done stays for a visit that can. */
static void stays(struct visit *v)
{
	struct imap_visit *i = v->imap;
	struct err e;

	i->undisposed = true;
	if (i->stays_told)
		return;
	i->stays_told = true;
	(void)err_set(&e, ERR_PEER, "%s, so mail that is to be deleted stays there; get the right to it", i->opened.read_only ?
		"the mailbox is read-only" : "the server keeps no \\Deleted there (PERMANENTFLAGS)");
	imap_trouble(v, &e);
}

static void put_state(struct visit *v, struct ledger_entry *entry, enum ledger_state state)
{
	entry->state = state;
	entry->changed = delivery_moment(v->ledger);
	ledger_put(v->ledger, entry, 0);
	visit_count_puts(v, 1);
}

/* Of a known message: false when nothing is to be asked of the server. */
static bool prepare_known(struct visit *v, const struct item *item, struct way *way)
{
	struct ledger_entry entry;

	if (!(item->flags & ITEM_DISPOSE) || !ledger_get(v->ledger, item->id, &entry))
		return false;
	*way = way_of_entry(v, &entry);
	if (!can(v, way->how)) {
		stays(v);
		return false;
	}
	if (way->how == HOW_SEEN && !(item->flags & ITEM_UNSEEN)) {	/* somebody was faster, or we were, and the answer was lost */
		put_state(v, &entry, LEDGER_SEEN);
		return false;
	}
	if (delivery_asked_anew(v->ledger, &entry))
		put_state(v, &entry, LEDGER_DISPOSING);
	return true;
}

/* Of a message that came in this visit: it may be one that was copied before,
 * and got another id since.  False as above. */
static bool prepare_new(struct visit *v, uint32_t uid, struct way *way)
{
	const struct item *item = listing_find(&v->listing, uid);
	struct ledger_entry entry;

	*way = item && ledger_get(v->ledger, item->id, &entry) ? way_of_entry(v, &entry) : way_of(v, false, false);
	if (can(v, way->how))
		return true;
	stays(v);
	return false;
}

/* The next message that is due, left where it is; 0 = none now. */
static uint32_t next_due(struct visit *v, struct way *way)
{
	while (v->found.dispose && v->dispose_at < v->listing.count && !v->slices) {
		const struct item *item = &v->listing.items[v->dispose_at];

		if (prepare_known(v, item, way))
			return item->number;
		v->dispose_at++;
	}
	for (; v->delete_asked < v->delete_count; v->delete_asked++)
		if (prepare_new(v, v->deletes[v->delete_asked], way))
			return v->deletes[v->delete_asked];
	v->delete_asked = v->delete_count = 0;
	return 0;
}

static void take_due(struct visit *v, uint32_t uid)
{
	if (v->delete_asked < v->delete_count && v->deletes[v->delete_asked] == uid)
		v->delete_asked++;
	else
		v->dispose_at++;
	if (v->delete_asked == v->delete_count)
		v->delete_asked = v->delete_count = 0;
}

/* A command for a few messages while more are coming would be a waste. */
static bool worth_it(const struct visit *v)
{
	bool all_fetched = v->plan_answered == v->plan_count && !v->current && (!v->under_way || v->leaves);

	return all_fetched || v->delete_count - v->delete_asked >= WORTH_A_COMMAND ||
	       (v->found.dispose && v->dispose_at < v->listing.count);
}

/* ---- asking */

static uint32_t ask_command(struct visit *v, struct way way, struct span set)
{
	struct imc *s = v->imap->session;

	switch (way.how) {
	case HOW_SEEN:
		return imc_store(s, set, IMC_SEEN);
	case HOW_DELETED:
		return imc_store(s, set, IMC_SEEN | IMC_DELETED);
	case HOW_MOVE:
		return imc_move(s, set, span_of(way.folder));
	case HOW_COPY:
		return imc_copy(s, set, span_of(way.folder));
	}
	return 0;
}

/* False when the message is not among them, or nothing is to be done. */
static bool entry_of(struct visit *v, uint32_t uid, struct ledger_entry *entry)
{
	const struct item *item = listing_find(&v->listing, uid);

	return item && ledger_get(v->ledger, item->id, entry) && entry->state == LEDGER_DISPOSING;
}

/* Should its answer be lost, the next visit looks into the folder (copies.c). */
static void intend(struct visit *v, struct disposal *d)
{
	struct ledger_entry entry;

	ledger_note(v->ledger, LEDGER_NOTE_COPYING, clock_now_s(), 0);
	for (size_t n = 0; n < d->count; n++) {
		if (!entry_of(v, d->uids[n], &entry))
			continue;
		entry.copy = LEDGER_COPY_BEGUN;
		entry.changed = delivery_moment(v->ledger);
		ledger_put(v->ledger, &entry, 0);
	}
	d->stage = DISPOSAL_INTENT;
	visit_slice(v);
}

static bool begin(struct visit *v, struct disposal *d)
{
	char memory[UIDSET_TEXT_MAX];
	struct uidset set;
	struct way way;

	*d = (struct disposal){ 0 };
	uidset_start(&set, memory, sizeof memory);
	for (uint32_t uid; d->count < DISPOSAL_UIDS && (uid = next_due(v, &way));) {
		if ((d->count && (way.how != d->how || way.folder != d->folder)) || !uidset_add(&set, uid))
			break;
		d->how = way.how;
		d->folder = way.folder;
		d->uids[d->count++] = uid;
		take_due(v, uid);
	}
	if (!d->count)
		return false;
	v->imap->disposed = true;
	v->imap->deleted = v->imap->deleted || d->how != HOW_SEEN;
	if (d->how == HOW_COPY) {
		intend(v, d);
		return true;
	}
	d->stage = DISPOSAL_ASKED;
	d->command = ask_command(v, (struct way){ d->how, d->folder }, uidset_text(&set));
	return true;
}

/* What was put is durable: the COPY may be said; or, copied, the originals may go. */
static void go_on(struct visit *v, struct disposal *d)
{
	char memory[UIDSET_TEXT_MAX];
	struct uidset set;

	static_assert(DISPOSAL_UIDS * 11 <= UIDSET_TEXT_MAX, "an id has ten digits and a comma");
	uidset_start(&set, memory, sizeof memory);
	for (size_t n = 0; n < d->count; n++) {
		bool fits = uidset_add(&set, d->uids[n]);

		assert(fits);
	}
	d->command = ask_command(v, (struct way){ d->stage == DISPOSAL_INTENT ? HOW_COPY : HOW_DELETED, d->folder }, uidset_text(&set));
	d->stage = d->stage == DISPOSAL_INTENT ? DISPOSAL_ASKED : DISPOSAL_MARKING;
}

static bool waits_for_ledger(const struct disposal *d)
{
	return d->stage == DISPOSAL_INTENT || d->stage == DISPOSAL_RECORDING;
}

/* A COPY that waits behind other commands is done by the server long after we
 * may have died, and by then the next visit has looked for it in vain. */
static bool may_go_on(const struct visit *v, const struct disposal *d)
{
	return d->stage == DISPOSAL_RECORDING || !imc_outstanding(v->imap->session);
}

void dispose_ask(struct visit *v)
{
	struct imap_visit *i = v->imap;

	if (i->read_only) {
		if (v->found.dispose || v->delete_count)
			stays(v);
		return;
	}
	for (struct disposal *d = i->disposals; d < i->disposals + DISPOSALS; d++) {
		if (!imc_can_ask(i->session))
			return;
		if (waits_for_ledger(d) && !v->slices && may_go_on(v, d))
			go_on(v, d);
		else if (d->stage == DISPOSAL_FREE && worth_it(v))
			(void)begin(v, d);
	}
}

bool dispose_done(const struct visit *v)
{
	const struct imap_visit *i = v->imap;

	if (i->read_only)
		return true;
	for (const struct disposal *d = i->disposals; d < i->disposals + DISPOSALS; d++)
		if (d->stage != DISPOSAL_FREE)
			return false;
	return (!v->found.dispose || v->dispose_at == v->listing.count) && v->delete_asked == v->delete_count;
}

/* ---- answers */

static struct disposal *disposal_of(struct visit *v, uint32_t command)
{
	for (struct disposal *d = v->imap->disposals; d < v->imap->disposals + DISPOSALS; d++)
		if (d->stage != DISPOSAL_FREE && !waits_for_ledger(d) && d->command == command)
			return d;
	return NULL;
}

/* Its flag is the user's from now on, if the server showed it. */
static void seen(struct visit *v, const struct disposal *d)
{
	struct ledger_entry entry;
	size_t unshown = 0;
	struct err e;

	for (size_t n = 0; n < d->count; n++) {
		unshown += !d->shown[n];
		if (d->shown[n] && entry_of(v, d->uids[n], &entry))
			put_state(v, &entry, LEDGER_SEEN);
	}
	if (!unshown)
		return;
	v->imap->undisposed = true;
	(void)err_set(&e, ERR_PEER, "the server took \\Seen for %zu messages and shows them without, the next visit looks again", unshown);
	imap_trouble(v, &e);
}

void dispose_flags(struct visit *v, const struct imc_event *ev)
{
	if (!ev->has_flags || !(ev->flags & IMC_SEEN))
		return;
	for (struct disposal *d = v->imap->disposals; d < v->imap->disposals + DISPOSALS; d++)
		for (size_t n = 0; d->stage == DISPOSAL_ASKED && d->how == HOW_SEEN && n < d->count; n++)
			d->shown[n] = d->shown[n] || d->uids[n] == ev->uid;
}

static void to_be_expunged(struct visit *v, const struct disposal *d)
{
	struct imap_visit *i = v->imap;
	struct err e;

	for (size_t n = 0; n < d->count; n++) {
		if (uids_add(&i->expunge, d->uids[n]))
			continue;
		i->undisposed = true;
		(void)err_set(&e, ERR_LOCAL, "out of memory");	/* marked, and for the next visit to expunge */
		imap_trouble(v, &e);
		return;
	}
}

/* Where COPYUID names some only, the others were not there to be copied. */
static void record(struct visit *v, struct disposal *d)
{
	struct ledger_entry entry;
	size_t kept = 0;

	for (size_t n = 0; n < d->count; n++) {
		if ((d->copies_told && !d->copies[n]) || !entry_of(v, d->uids[n], &entry)) {
			v->imap->undisposed = true;	/* its entry says `begun` still: the next visit looks */
			continue;
		}
		entry.copy = LEDGER_COPY_DONE;
		entry.copy_validity = d->copies_validity;
		entry.copy_uid = d->copies[n];
		entry.changed = delivery_moment(v->ledger);
		ledger_put(v->ledger, &entry, 0);
		d->uids[kept++] = d->uids[n];
	}
	d->count = kept;
	d->stage = kept ? DISPOSAL_RECORDING : DISPOSAL_FREE;
	if (kept)
		visit_slice(v);
}

static void on_copied(struct disposal *d, const struct imc_event *ev)
{
	struct uid_pairs pairs;
	uint32_t from, to;

	if (d->how != HOW_COPY || !uid_pairs_start(&pairs, ev->text, ev->to, DISPOSAL_UIDS))
		return;
	d->copies_told = true;
	d->copies_validity = ev->last;
	while (uid_pairs_next(&pairs, &from, &to))
		for (size_t n = 0; n < d->count; n++)
			if (d->uids[n] == from)
				d->copies[n] = to;
}

static void on_done(struct visit *v, struct disposal *d)
{
	if (d->how == HOW_COPY && d->stage == DISPOSAL_ASKED) {
		record(v, d);
		return;
	}
	if (d->how == HOW_SEEN)
		seen(v, d);
	else if (d->how != HOW_MOVE)
		to_be_expunged(v, d);
	d->stage = DISPOSAL_FREE;
}

static void on_refused(struct visit *v, struct disposal *d, const struct imc_event *ev)
{
	static const char *const what[] = {
		[HOW_SEEN] = "marked \\Seen", [HOW_DELETED] = "deleted", [HOW_MOVE] = "moved", [HOW_COPY] = "copied",
	};
	struct err e;

	(void)err_set(&e, ERR_PEER, "%zu messages could not be %s, the next visit tries again", d->count, what[d->how]);
	(void)secret_peer(v, &e, ev->text);
	imap_trouble(v, &e);
	v->imap->undisposed = true;
	for (size_t n = 0; n < d->count && d->stage == DISPOSAL_ASKED; n++)
		delivery_not_disposed(v, d->uids[n]);
	d->stage = DISPOSAL_FREE;
}

static void expunge_answered(struct visit *v, const struct imc_event *ev)
{
	struct imap_visit *i = v->imap;
	struct err e;

	i->expunges--;
	if (ev->what == IMC_DONE)
		return;
	i->undisposed = true;
	(void)err_set(&e, ERR_PEER, "EXPUNGE was refused; deleted messages are marked, the next visit tries again");
	(void)secret_peer(v, &e, ev->text);
	imap_trouble(v, &e);
}

void dispose_event(struct visit *v, const struct imc_event *ev)
{
	struct disposal *d;

	if (ev->verb == IMC_ASK_EXPUNGE) {
		expunge_answered(v, ev);
		return;
	}
	d = disposal_of(v, ev->id);
	if (!d)
		return;
	if (ev->what == IMC_COPIED)
		on_copied(d, ev);
	else if (ev->what == IMC_DONE)
		on_done(v, d);
	else
		on_refused(v, d, ev);
}

/* ---- EXPUNGE */

void dispose_expunge(struct visit *v)
{
	struct imap_visit *i = v->imap;

	while (i->expunge_at < i->expunge.count && imc_can_ask(i->session)) {
		char memory[UIDSET_TEXT_MAX];
		struct uidset set;

		uidset_start(&set, memory, sizeof memory);
		while (i->expunge_at < i->expunge.count && uidset_add(&set, i->expunge.at[i->expunge_at]))
			i->expunge_at++;
		(void)imc_expunge(i->session, uidset_text(&set));
		i->expunges++;
		if (!(imc_capabilities(i->session) & IMC_CAPA_UIDPLUS))
			i->expunge_at = i->expunge.count;	/* one takes all that are marked */
	}
}

/* Everything that was `disposing` in this mailbox is gone from it, as far as the
 * server's word goes: it is no candidate for a comparison any more. */
void dispose_confirmed(struct visit *v)
{
	struct imap_visit *i = v->imap;

	if (ledger_noted(v->ledger, LEDGER_NOTE_COPYING) && !i->undisposed)
		ledger_note(v->ledger, LEDGER_NOTE_COPYING, 0, 0);
	if ((v->with->after != AFTER_SEEN || i->deleted) && i->disposed && !i->undisposed && !v->uncompared && !v->listing.incomplete)
		delivery_confirmed(v->ledger);
}

bool dispose_expunged(const struct visit *v)
{
	return v->imap->expunge_at == v->imap->expunge.count && !v->imap->expunges;
}
