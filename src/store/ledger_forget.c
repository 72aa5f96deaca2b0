/* SPDX-License-Identifier: Apache-2.0
 *
 * A ledger forgets: everything, or all but a few entries. */
#include "store/entry.h"
#include "store/ledger_inside.h"

/* Notes without which an entry that stays could not be found again under the id that it has, or would not be looked for. */
static bool is_needed(enum ledger_note note)
{
	switch (note) {
	case LEDGER_NOTE_SHARED:
	case LEDGER_NOTE_COMPARING:
	case LEDGER_NOTE_COPYING:
	case LEDGER_NOTE_REMOVING:
	case LEDGER_NOTE_VALIDITY:
	case LEDGER_NOTE_ACCOUNT:
		return true;
	case LEDGER_NOTE_LISTED:
	case LEDGER_NOTE_DISPOSED:
	case LEDGER_NOTE_IGNORED:
	case LEDGER_NOTE_SETTLED_MODSEQ:
	case LEDGER_NOTE_SETTLED_NEXT:
	case LEDGER_NOTE_SETTLED_EXISTS:
	case LEDGER_NOTE_PRUNED:
	case LEDGER_NOTES:
		break;
	}
	return false;
}

/* Does this key stay?  `with` NULL: none does. */
static bool stays(const struct ledger *l, const struct ledger_keep *with, struct span key, struct span value)
{
	struct ledger_entry entry;

	if (!with)
		return false;
	if (key.len == 2 && key.at[0] == 'n')
		return is_needed((enum ledger_note)key.at[1]);
	if (key.len != 1 + OVERLAY_ID || key.at[0] != 'e')
		return false;
	if (!entry_unpack(value, &entry))
		store_damaged(l->name, "an entry of its ledger");
	memcpy(entry.id, key.at + 1, OVERLAY_ID);
	return entry.state == LEDGER_SHARED || with->keep(with->user, &entry);
}

struct walk {			/* over the keys that are durable now */
	char key[ENGINE_KEY_MAX];
	size_t len;
	bool over;
};

/* Up to a batch of them. */
static bool forget_some(struct ledger *l, const struct ledger_keep *with, struct walk *at, struct err *e)
{
	struct view *v = store_view(l->store);
	struct batch *b = store_batch(l->part);
	struct span key = { at->key, at->len }, value;
	size_t n = 0, looked = 0;

	while (looked < ENGINE_BATCH_KEYS / 2 && view_next(v, l->part, SPAN(""), &key, &value)) {
		looked++;
		if (stays(l, with, key, value))
			continue;
		store_must(batch_remove(b, key));
		n++;
	}
	at->over = looked < ENGINE_BATCH_KEYS / 2;
	if (!at->over) {
		store_must(key.len <= sizeof at->key);
		memcpy(at->key, key.at, key.len);
		at->len = key.len;
	}
	view_end(&v);
	if (n)
		return engine_commit_wait(l->store->engine, &b, e);
	batch_free(&b);
	return true;
}

static void forget_notes(struct ledger *l, bool some)
{
	for (int n = 0; n < LEDGER_NOTES; n++)
		if (!some || !is_needed((enum ledger_note)n))
			l->notes[n] = 0;
}

static bool forget(struct ledger *l, const struct ledger_keep *with, struct err *e)
{
	struct batch *barrier = store_batch(l->part);
	struct walk at = { .len = 0 };
	struct put *p;

	/* The committer keeps the order: behind an empty batch all is durable. */
	ledger_flush(l);
	if (!engine_commit_wait(l->store->engine, &barrier, e))
		return err_in(e, "ledger of %s", l->name);
	while ((p = overlay_next(&l->overlay, NULL)))
		overlay_remove(&l->overlay, p);
	forget_notes(l, with);
	while (!at.over)
		if (!forget_some(l, with, &at, e))
			return err_in(e, "ledger of %s", l->name);
	l->sent = 0;
	l->refused = false;
	return true;
}

bool ledger_forget(struct ledger *l, struct err *e)
{
	return forget(l, NULL, e);
}

bool ledger_forget_but(struct ledger *l, const struct ledger_keep *with, uint64_t *kept, struct err *e)
{
	struct ledger_entry entry;

	*kept = 0;
	for (const uint8_t *after = NULL; ledger_next(l, after, &entry); after = entry.id)
		*kept += with->keep(with->user, &entry);
	return forget(l, *kept ? with : NULL, e);
}
