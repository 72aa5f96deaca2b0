/* SPDX-License-Identifier: Apache-2.0
 *
 * Gmail's mailboxes are labels: one message stands in several, with a UID in
 * each and one X-GM-MSGID in all.  It is delivered once.
 *
 * Whoever of them is met first owns the delivery: an alias in the connection's
 * own ledger, from X-GM-MSGID to the owner's id, is durable before anything is
 * fetched.  The others then know that the message is the owner's, and only its
 * disposition is left to do.  An owner whose label goes before every target has the message
 * hands over: first the entry of another label with what targets have and wait for, then the alias. */
#include "base/clock.h"
#include "collect/retried.h"
#include "collect/visit_imap.h"
#include "store/held_ledger.h"

static bool is_owner(const struct ledger_entry *alias, const uint8_t id[32])
{
	return memcmp(alias->digest, id, sizeof alias->digest) == 0;
}

static void alias_id(const struct visit *v, uint64_t gmail_id, uint8_t id[32])
{
	ledger_gmail_id(span_of(v->with->host), span_of(v->with->user), gmail_id, id);
}

static void own(struct visit *v, const struct item *item)
{
	struct ledger_entry alias = { .state = LEDGER_ALIAS, .has_digest = true, .first_seen = clock_now_s(), .changed = clock_now_s() };

	alias_id(v, item_gmail(item), alias.id);
	memcpy(alias.digest, item->id, sizeof alias.digest);
	ledger_put(v->own, &alias, 0);
}

/* The ledger that has the owner's entry, of whichever mailbox of this visit; NULL: none. */
static struct ledger *owner_entry(struct visit *v, const struct ledger_entry *alias, struct ledger_entry *entry)
{
	const struct folders *f = &v->imap->folders;
	struct ledger *l;
	struct err e;

	if (ledger_get(v->ledger, alias->digest, entry))
		return v->ledger;
	for (size_t n = 0; n < f->count; n++)
		if (ledger_open(collector_store(v->collector), v->with->name, f->names[n].name, &l, &e) && ledger_get(l, alias->digest, entry))
			return l;
	return NULL;
}

static void known(struct visit *v, struct item *item)
{
	v->uncompared -= (item->flags & ITEM_UNIDENTIFIED) != 0;
	item->flags |= ITEM_KNOWN;
}

/* What was deleted elsewhere is there because of that. */
static bool in_trash(const struct visit *v)
{
	const char *trash = v->imap->folders.trash;

	return trash && strcmp(trash, ledger_mailbox(v->ledger)) == 0;
}

/* Delivered already: as if this visit had done it. */
static void same_message(struct visit *v, struct item *item, const struct ledger_entry *of)
{
	struct ledger_entry entry = { .state = visit_final_state(v), .size = item->size, .first_seen = clock_now_s() };

	if (of) {
		entry.has_digest = of->has_digest;
		memcpy(entry.digest, of->digest, sizeof entry.digest);
		entry.size = of->size;
		entry.removal = of->removal && !in_trash(v);
		if (of->state == LEDGER_SKIPPED)
			entry.state = LEDGER_SKIPPED;
		else if (entry.removal)
			entry.state = LEDGER_DISPOSING;
	}
	entry.changed = delivery_moment(v->ledger);
	entry.accepted = entry.state == LEDGER_SKIPPED ? 0 : entry.changed;
	memcpy(entry.id, item->id, sizeof entry.id);
	message_uid_text(v, item->number, (struct span){ 0 }, entry.uid);
	ledger_put(v->ledger, &entry, 0);
	known(v, item);
	if ((v->rules.dispose || entry.removal) && entry.state != LEDGER_SKIPPED) {
		item->flags |= ITEM_DISPOSE;
		v->found.dispose++;
	}
}

/* What the targets of an owner that is gone have, or wait for, is another's from now on. */
static void inherit(struct visit *v, const struct item *item, const struct ledger_entry *of)
{
	struct ledger_entry entry = *of;

	entry.state = LEDGER_PENDING;
	entry.changed = delivery_moment(v->ledger);
	memcpy(entry.id, item->id, sizeof entry.id);
	message_uid_text(v, item->number, (struct span){ 0 }, entry.uid);
	(void)entry_decide(v, &entry, false);
	ledger_put(v->ledger, &entry, 0);
}

/* It is durable: the alias, and no copy is mentioned twice. */
static void inherited(struct visit *v, struct item *item, struct ledger *l, struct ledger_entry *of, const struct ledger_entry *entry)
{
	of->target_count = 0;
	ledger_put(l, of, 0);
	ledger_flush(l);
	own(v, item);
	switch (entry->state) {
	case LEDGER_PENDING:
		item->flags |= ITEM_PENDING;
		return;
	case LEDGER_HELD:
	case LEDGER_REFUSED:
		known(v, item);
		return;
	case LEDGER_ACCEPTED:
	case LEDGER_QUARANTINED:
	case LEDGER_DISPOSING:
	case LEDGER_GONE:
	case LEDGER_SKIPPED:
	case LEDGER_SHARED:
	case LEDGER_SEEN:
	case LEDGER_ALIAS:
	case LEDGER_STATES:
		break;
	}
	same_message(v, item, entry);
}

/* Its owner is gone, and some target never got it.  False: what this put is to be durable before it is looked at again. */
static bool take_over(struct visit *v, struct item *item, struct ledger *l, struct ledger_entry *of)
{
	struct ledger_entry entry;

	if (!of->target_count) {
		own(v, item);
		return true;
	}
	if (!ledger_get(v->ledger, item->id, &entry) || entry.state == LEDGER_GONE) {
		inherit(v, item, of);
		return false;
	}
	inherited(v, item, l, of, &entry);
	return true;
}

/* What is to become of a new message whose alias another one has.  False: as take_over. */
static bool judge(struct visit *v, struct item *item, const struct ledger_entry *alias)
{
	struct ledger_entry entry;
	struct ledger *l = owner_entry(v, alias, &entry);

	if (alias->accepted) {
		same_message(v, item, l ? &entry : NULL);
		return true;
	}
	if (!l) {
		own(v, item);
		return true;
	}
	switch (entry.state) {
	case LEDGER_PENDING:
	case LEDGER_HELD:
	case LEDGER_REFUSED:
		if (l == v->ledger) {	/* under an id that it had before */
			own(v, item);
			return true;
		}
		known(v, item);		/* its targets are asked there */
		v->result.skipped++;
		return true;
	case LEDGER_GONE:
		if (!entry.accepted)
			return take_over(v, item, l, &entry);
		break;
	case LEDGER_ACCEPTED:
	case LEDGER_QUARANTINED:
	case LEDGER_DISPOSING:
	case LEDGER_SKIPPED:
	case LEDGER_SEEN:
	case LEDGER_SHARED:
	case LEDGER_ALIAS:
	case LEDGER_STATES:
		break;
	}
	same_message(v, item, &entry);
	return true;
}

void gmail_slice(struct visit *v)
{
	struct imap_visit *i = v->imap;
	struct ledger_entry alias;
	uint8_t id[32];
	size_t puts = 0;

	for (; i->aliases_at < v->listing.count && puts < ALIAS_SLICE; i->aliases_at++) {
		struct item *item = &v->listing.items[i->aliases_at];

		if (item->flags & ITEM_KNOWN || !item_gmail(item))
			continue;
		alias_id(v, item_gmail(item), id);
		if (!ledger_get(v->own, id, &alias)) {
			own(v, item);
		} else if (is_owner(&alias, item->id)) {
			continue;
		} else if (!judge(v, item, &alias)) {
			visit_slice(v);
			break;
		}
		puts++;
	}
	if (puts)
		visit_slice_of(v, v->own);
}

void gmail_settled(struct visit *v, const struct message *m)
{
	const struct item *item = v->imap->gmail ? listing_find(&v->listing, m->number) : NULL;
	struct ledger_entry alias;
	uint8_t id[32];

	if (!item || !item_gmail(item))
		return;
	alias_id(v, item_gmail(item), id);
	if (!ledger_get(v->own, id, &alias) || !is_owner(&alias, m->id))
		return;
	alias.accepted = alias.changed = clock_now_s();
	ledger_put(v->own, &alias, 0);
}
