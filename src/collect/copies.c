/* SPDX-License-Identifier: Apache-2.0
 *
 * After a crash, or a connection that broke: which COPY was done although its
 * answer was lost?  The folder is looked into for messages of the right size,
 * and those are fetched and compared by their digest.  Only where the server
 * has no MOVE, and only when a COPY was left open. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collect/visit_imap.h"
#include "store/digest.h"

static void fail_memory(struct visit *v)
{
	struct err e;

	(void)err_set(&e, ERR_LOCAL, "out of memory");
	visit_fail(v, &e);
}

/* ---- what is in doubt */

static bool add_doubt(struct copies *c, struct ledger *l, const struct ledger_entry *entry)
{
	struct doubt *d;

	if (c->count == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct doubt *more = reallocarray(c->doubts, cap, sizeof *more);

		if (!more)
			return false;
		c->doubts = more;
		c->cap = cap;
	}
	d = &c->doubts[c->count++];
	*d = (struct doubt){ .ledger = l, .size = entry->size };
	memcpy(d->id, entry->id, sizeof d->id);
	memcpy(d->digest, entry->digest, sizeof d->digest);
	return true;
}

static bool collect_doubts(struct visit *v, struct ledger *l)
{
	struct ledger_entry entry;

	if (!ledger_noted(l, LEDGER_NOTE_COPYING))
		return true;
	for (const uint8_t *after = NULL; ledger_next(l, after, &entry); after = entry.id)
		if (entry.state == LEDGER_DISPOSING && !entry.removal && entry.copy == LEDGER_COPY_BEGUN && !add_doubt(&v->imap->copies, l, &entry))
			return false;
	return true;
}

/* `uid` 0: the folder does not have it. */
static void resolve(struct copies *c, size_t at, uint32_t uid)
{
	struct doubt d = c->doubts[at];
	struct ledger_entry entry;

	c->doubts[at] = c->doubts[--c->count];
	if (!ledger_get(d.ledger, d.id, &entry))
		return;
	entry.copy = uid ? LEDGER_COPY_DONE : LEDGER_COPY_NONE;
	entry.copy_validity = uid ? c->validity : 0;
	entry.copy_uid = uid;
	entry.changed = clock_now_s();
	ledger_put(d.ledger, &entry, 0);
}

/* ---- asking */

static void begin(struct visit *v)
{
	struct imap_visit *i = v->imap;

	i->copies.begun = true;
	for (size_t n = 0; n < v->ledger_count; n++)
		if (!collect_doubts(v, v->ledgers[n])) {
			fail_memory(v);
			return;
		}
	if (i->copies.count)
		(void)imc_examine(i->session, span_of(i->folders.target));
	else
		i->step = IMAP_BETWEEN;
}

/* All candidates are looked at: who was not found was not copied. */
static void end(struct visit *v)
{
	struct copies *c = &v->imap->copies;

	while (c->count)
		resolve(c, c->count - 1, 0);
	for (size_t n = 0; n < v->ledger_count; n++)
		if (ledger_noted(v->ledgers[n], LEDGER_NOTE_COPYING))
			visit_slice_of(v, v->ledgers[n]);
	v->imap->step = IMAP_BETWEEN;
}

void copies_ask(struct visit *v)
{
	struct imap_visit *i = v->imap;
	struct copies *c = &i->copies;

	if (imc_outstanding(i->session) || !imc_can_ask(i->session))
		return;
	if (!c->begun)
		begin(v);
	else if (c->listed && c->count && c->candidate_at < c->candidates.count)
		(void)imc_fetch(i->session, &c->candidates.at[c->candidate_at++], 1);
	else if (c->listed)
		end(v);
}

/* ---- answers */

/* One without octets has nothing to compare. */
static void on_size(struct visit *v, const struct imc_event *ev)
{
	struct copies *c = &v->imap->copies;
	size_t at = 0;

	while (at < c->count && c->doubts[at].size != ev->size)
		at++;
	if (!ev->has_size || at == c->count)
		return;
	if (!ev->size)
		resolve(c, at, ev->uid);
	else if (!uids_add(&c->candidates, ev->uid))
		fail_memory(v);
}

static void on_whole(struct visit *v, uint32_t uid)
{
	struct copies *c = &v->imap->copies;
	uint8_t digest[32];

	if (!c->digest)
		return;
	digest_end(c->digest, digest);
	digest_free(&c->digest);
	for (size_t n = 0; n < c->count; n++) {
		if (memcmp(c->doubts[n].digest, digest, sizeof digest) != 0)
			continue;
		resolve(c, n, uid);
		return;
	}
}

static void on_done(struct visit *v, const struct imc_event *ev)
{
	struct imap_visit *i = v->imap;
	struct copies *c = &i->copies;

	if (ev->verb == IMC_ASK_EXAMINE && imc_selected(i->session)->exists) {
		c->validity = imc_selected(i->session)->validity;
		c->sizes = imc_listing(i->session, SPAN("1:*"), IMC_WANT_SIZE);
	} else if (ev->verb == IMC_ASK_EXAMINE || ev->id == c->sizes) {
		c->listed = true;
	}
}

void copies_event(struct visit *v, const struct imc_event *ev)
{
	struct copies *c = &v->imap->copies;
	struct err e;

	if (ev->what == IMC_MESSAGE) {
		on_size(v, ev);
	} else if (ev->what == IMC_BEGIN) {
		digest_free(&c->digest);
		c->digest = digest_new(&e);
		if (!c->digest)
			visit_fail(v, &e);
	} else if (ev->what == IMC_BODY && c->digest) {
		digest_add(c->digest, ev->text);
	} else if (ev->what == IMC_END) {
		on_whole(v, ev->uid);
	} else if (ev->what == IMC_DONE) {
		on_done(v, ev);
	} else if (ev->what == IMC_REFUSED && !ev->uid && ev->kind == ERR_BUSY) {
		imap_refused(v, ev, "the folder of copies cannot be looked into for now");
	} else if (ev->what == IMC_REFUSED && !ev->uid) {
		c->listed = true;	/* nobody can tell: it is copied again rather than not at all */
	}
}

void copies_end(struct imap_visit *i)
{
	digest_free(&i->copies.digest);
	uids_end(&i->copies.candidates);
	free(i->copies.doubts);
	i->copies = (struct copies){ 0 };
}
