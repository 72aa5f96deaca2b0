/* SPDX-License-Identifier: Apache-2.0
 * Edits of a mailbox's index: messages that go, messages that were seen.
 * What fits goes in one batch; what does not, by an intent (intent.h). */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/box.h"
#include "store/intent.h"
#include "store/pack.h"
#include "store/routed.h"

enum {
	PAGE_OCTETS = BOX_PAGE * BOX_ENTRY,
	GARBAGE_OCTETS = BOX_PAGE * BOX_GARBAGE,
	KEY_OCTETS = 64,		/* at most, with all that stands around a value */
	DIRECT_MAX = ENGINE_BATCH_BYTES - 1024,
	REST_MAX = 512 * 1024,		/* so that messages that come in meanwhile do not wait long */
	KEYS_MAX = ENGINE_BATCH_KEYS - 64,	/* of them, the intent's parts when it ends */
	PARTS_MAX = 60,
};

enum edit_state { EDIT_NEW, EDIT_STAGING, EDIT_REST };

struct box_edit {
	struct box_edit *next;
	struct mailbox *box;
	struct deed deed;
	enum edit_state state;
	struct box_intent intent;
	uint64_t ticket;
	size_t packed;			/* ranges that are in parts */
	uint64_t at;			/* where the rest goes on */
	struct box_head head;		/* when the batch under way is durable */
	bool turns;			/* that batch makes the intent true */
	bool last;			/* or ends the edit */
};

/* The index as the edit makes it, page by page. */
struct rewrite {
	struct box_edit *edit;
	struct view *view;
	struct batch *batch;		/* NULL: only to count */
	size_t max;			/* octets of the batch */
	uint64_t at;			/* the next unique-id */
	bool changed;
	uint64_t removed, removed_octets;
	char page[PAGE_OCTETS], garbage[GARBAGE_OCTETS];
	size_t page_len, garbage_len;
	uint64_t lists[BOX_PAGE];	/* of those that go, who have a key "x" */
	size_t list_count;
	uint64_t blob;			/* of the first in `garbage` */
};

enum rewritten { REWRITTEN, REWRITE_END, REWRITE_FULL, REWRITE_DAMAGED };

/* The next page that has something for the edit. */
static bool next_page(struct rewrite *r, uint64_t *number, struct span *page)
{
	const struct box_intent *i = &r->edit->intent;

	for (;;) {
		uint64_t going = r->at, seen = r->at, wanted;
		bool goes = uids_next(&i->going, &going), sees = uids_next(&i->seen, &seen);
		struct box_walk walk;

		if (!goes && !sees)
			return false;
		wanted = !sees || (goes && going < seen) ? going : seen;
		box_walk_start(&walk, r->view, r->edit->box->part, wanted / BOX_PAGE);
		if (!box_walk_next(&walk, number, page))
			return false;
		if (*number == wanted / BOX_PAGE || *number > UINT64_MAX / BOX_PAGE)
			return true;
		r->at = *number * BOX_PAGE;
	}
}

static bool change_page(struct rewrite *r, struct span page)
{
	const struct box_intent *i = &r->edit->intent;
	bool changed = false;

	r->page_len = r->garbage_len = r->list_count = 0;
	for (; page.len; page = span_from(page, BOX_ENTRY)) {
		struct box_entry e = box_entry_unpack(page.at);

		if (uids_has(&i->going, e.uid)) {
			if (!r->garbage_len)
				r->blob = e.blob;
			box_garbage_pack(r->garbage + r->garbage_len, e.blob, box_entry_pieces(&e));
			r->garbage_len += BOX_GARBAGE;
			if (e.flags & BOX_LISTS)
				r->lists[r->list_count++] = e.uid;
			r->removed++;
			r->removed_octets += box_entry_size(&e);
			changed = true;
			continue;
		}
		if (!(e.flags & MAILBOX_SEEN) && uids_has(&i->seen, e.uid)) {
			e.flags |= MAILBOX_SEEN;
			changed = true;
		}
		box_entry_pack(r->page + r->page_len, &e);
		r->page_len += BOX_ENTRY;
	}
	return changed;
}

static bool room(const struct rewrite *r)
{
	return batch_keys(r->batch) + 2 + r->list_count <= KEYS_MAX &&
	       batch_bytes(r->batch) + r->page_len + r->garbage_len + (2 + r->list_count) * KEY_OCTETS <= r->max;
}

static void put(struct rewrite *r, uint64_t number)
{
	char page_at[9], garbage_at[17], list_at[ROUTED_KEY];
	struct span key = box_page_key(page_at, number);

	store_must(r->page_len ? batch_put(r->batch, key, (struct span){ r->page, r->page_len }) : batch_remove(r->batch, key));
	if (r->garbage_len)
		store_must(batch_put(r->batch, box_garbage_key(garbage_at, r->edit->intent.when, r->blob),
			(struct span){ r->garbage, r->garbage_len }));
	for (size_t n = 0; n < r->list_count; n++)
		store_must(batch_remove(r->batch, routed_key(list_at, r->lists[n])));
}

static enum rewritten rewrite_page(struct rewrite *r)
{
	uint64_t number, removed = r->removed, octets = r->removed_octets;
	struct span page;
	bool changed;

	if (!next_page(r, &number, &page))
		return REWRITE_END;
	if (!box_page_good(page, number)) {
		r->at = number < UINT64_MAX / BOX_PAGE ? (number + 1) * BOX_PAGE : UINT64_MAX;
		return REWRITE_DAMAGED;
	}
	changed = change_page(r, page);
	if (changed && r->batch && !room(r)) {
		r->removed = removed;
		r->removed_octets = octets;
		return REWRITE_FULL;
	}
	if (changed && r->batch)
		put(r, number);
	r->changed |= changed;
	if (number == UINT64_MAX / BOX_PAGE)
		return REWRITE_END;
	r->at = (number + 1) * BOX_PAGE;
	return REWRITTEN;
}

/* A damaged page ends it, but for the rest of an intent: what else there is must not wait for that. */
static bool passes(const struct rewrite *r, enum rewritten done)
{
	if (done != REWRITE_DAMAGED || r->edit->state != EDIT_REST || r->at == UINT64_MAX)
		return done == REWRITTEN;
	log_error(NULL, "mailbox %s: a page of its index is damaged; restore it from a backup", r->edit->box->name);
	return true;
}

static enum rewritten rewrite(struct rewrite *r, struct box_edit *edit, struct batch *batch, size_t max)
{
	enum rewritten done;

	*r = (struct rewrite){ .edit = edit, .view = store_view(edit->box->store), .batch = batch, .max = max, .at = edit->at };
	do
		done = rewrite_page(r);
	while (passes(r, done));
	view_end(&r->view);
	return done;
}

/* The head without what was removed.  False: it counts less than the index has. */
static bool new_head(struct box_edit *edit, const struct rewrite *r)
{
	edit->head = edit->box->head;
	if (edit->head.count < r->removed || edit->head.bytes < r->removed_octets)
		return false;
	edit->head.count -= r->removed;
	edit->head.bytes -= r->removed_octets;
	return true;
}

static void answer(struct box_edit *edit, const struct err *why)
{
	struct answers *a = answers_new(1);

	answers_add(a, edit->ticket);
	store_answer(edit->box->store, &a, why);
	edit->ticket = 0;
}

static void edit_free(struct box_edit **edit)
{
	intent_free(&(*edit)->intent);
	free(*edit);
	*edit = NULL;
}

/* The first one is over. */
static void drop(struct mailbox *box)
{
	struct box_edit *edit = box->edits;

	box->edits = edit->next;
	if (!box->edits)
		box->edits_last = &box->edits;
	edit_free(&edit);
}

static void end(struct mailbox *box, const struct err *why)
{
	answer(box->edits, why);
	drop(box);
}

static void end_damaged(struct mailbox *box)
{
	struct err e;

	(void)err_set(&e, ERR_LOCAL, "mailbox %s: its index is damaged; restore it from a backup", box->name);
	end(box, &e);
}

static void send(struct box_edit *edit, struct batch **b, void (*then)(void *user, const struct err *why))
{
	edit->deed = (struct deed){ .then = then, .user = edit };
	edit->box->editing = true;
	store_do(edit->box->store, b, &edit->deed);
}

static void durable(struct mailbox *box, const struct box_head *head)
{
	uint64_t before = box->head.bytes;

	box->head = *head;
	box->head_there = true;
	box->walk.position = box->walk.page = 0;
	quota_moved(box->store, box->name, before, head->bytes, 0);
}

static void on_direct(void *user, const struct err *why)
{
	struct box_edit *edit = user;
	struct mailbox *box = edit->box;

	box->editing = false;
	if (!why)
		durable(box, &edit->head);
	end(box, why);
	box_send(box);
}

/* What is left to do failed: nobody waits for it, but who comes behind cannot go on. */
static void stall(struct mailbox *box, const struct err *why)
{
	struct box_edit *rest = box->edits;

	log_warn(NULL, "mailbox %s: removed messages cannot be taken out of its index now: %s", box->name, why->text);
	box->stalled = true;
	rest->at = 0;
	while (rest->next) {
		struct box_edit *edit = rest->next;

		rest->next = edit->next;
		answer(edit, why);
		edit_free(&edit);
	}
	box->edits_last = &rest->next;
}

static void on_rest(void *user, const struct err *why)
{
	struct box_edit *edit = user;
	struct mailbox *box = edit->box;

	box->editing = false;
	box->walk.position = box->walk.page = 0;
	if (why)
		stall(box, why);
	else if (edit->last)
		drop(box);
	box_send(box);
}

/* All parts that are there, also of an intent that did not come true. */
static void remove_parts(struct mailbox *box, struct batch *b)
{
	struct view *v = store_view(box->store);
	struct span key = { 0 }, value;

	for (int n = 0; n <= PARTS_MAX && view_next(v, box->part, SPAN("q"), &key, &value); n++)
		store_must(batch_remove(b, key));
	view_end(&v);
}

static void send_rest(struct box_edit *edit)
{
	struct batch *b = store_batch(edit->box->part);
	struct rewrite *r = store_memory(sizeof *r);
	enum rewritten done = rewrite(r, edit, b, REST_MAX);

	edit->at = r->at;
	edit->last = done != REWRITE_FULL;
	if (edit->last) {
		store_must(batch_remove(b, SPAN("r")));
		remove_parts(edit->box, b);
	}
	free(r);
	send(edit, &b, on_rest);
}

static void on_part(void *user, const struct err *why)
{
	struct box_edit *edit = user;
	struct mailbox *box = edit->box;

	box->editing = false;
	if (why) {
		end(box, why);
	} else if (edit->turns) {
		durable(box, &edit->head);
		edit->state = EDIT_REST;
		edit->at = 0;
		answer(edit, NULL);
	}
	box_send(box);
}

/* False: it was refused. */
static bool send_part(struct box_edit *edit)
{
	char key[INTENT_PART_KEY], value[INTENT_VALUE], *part = store_memory(INTENT_PART_MAX);
	struct batch *b = store_batch(edit->box->part);
	struct rewrite *r = store_memory(sizeof *r);
	bool fits = edit->intent.parts < PARTS_MAX, good = fits;
	struct err e;

	if (fits)
		store_must(batch_put(b, intent_part_key(key, edit->intent.parts++), intent_part(part, INTENT_PART_MAX, &edit->intent, &edit->packed)));
	edit->turns = intent_all_packed(&edit->intent, edit->packed);
	if (good && edit->turns) {
		good = rewrite(r, edit, NULL, 0) == REWRITE_END && new_head(edit, r);
		store_must(batch_put(b, SPAN("r"), intent_value(value, &edit->intent)));
		box_add_head(edit->box, b, &edit->head);
	}
	free(part);
	free(r);
	if (good) {
		send(edit, &b, on_part);
		return true;
	}
	batch_free(&b);
	if (!fits && !err_set(&e, ERR_LOCAL, "mailbox %s: too many messages to be removed at once", edit->box->name))
		end(edit->box, &e);
	else
		end_damaged(edit->box);
	return false;
}

/* False: it is over, nothing was to be done or nothing could be. */
static bool send_new(struct box_edit *edit)
{
	struct mailbox *box = edit->box;
	struct batch *b = store_batch(box->part);
	struct rewrite *r = store_memory(sizeof *r);
	enum rewritten done = rewrite(r, edit, b, DIRECT_MAX);
	bool changed = r->changed, good = new_head(edit, r);

	free(r);
	if (done == REWRITE_END && good && changed) {
		box_add_head(box, b, &edit->head);
		send(edit, &b, on_direct);
		return true;
	}
	batch_free(&b);
	if (done == REWRITE_FULL) {
		edit->state = EDIT_STAGING;
		return send_part(edit);
	}
	if (done == REWRITE_END && good)
		end(box, NULL);
	else
		end_damaged(box);
	return false;
}

bool edit_send(struct mailbox *box)
{
	bool sent = false;

	while (box->edits && !box->stalled && !sent)
		if (!box->made)			/* removed meanwhile, with all that was in it */
			end(box, NULL);
		else switch (box->edits->state) {
		case EDIT_NEW:
			sent = send_new(box->edits);
			break;
		case EDIT_STAGING:
			sent = send_part(box->edits);
			break;
		case EDIT_REST:
			send_rest(box->edits);
			sent = true;
			break;
		}
	return sent;
}

static struct box_edit *add(struct mailbox *box, enum edit_state state)
{
	struct box_edit *edit = store_memory(sizeof *edit);

	edit->box = box;
	edit->state = state;
	*box->edits_last = edit;
	box->edits_last = &edit->next;
	return edit;
}

void mailbox_remove(struct mailbox *box, const uint64_t *gone, size_t gone_count, const uint64_t *seen, size_t seen_count,
	int64_t now, uint64_t ticket)
{
	struct box_edit *edit = add(box, EDIT_NEW);

	uids_from(&edit->intent.going, gone, gone_count);
	uids_from(&edit->intent.seen, seen, seen_count);
	edit->intent.when = now;
	edit->ticket = ticket;
	store_owe(box->store, ticket);
	box->stalled = false;
	box_send(box);
}

void mailbox_seen(struct mailbox *box, const uint64_t *uids, size_t count, uint64_t ticket)
{
	mailbox_remove(box, NULL, 0, uids, count, 0, ticket);
}

void edit_free_all(struct mailbox *box)
{
	while (box->edits)
		drop(box);
}

void edit_end_crashed(struct mailbox *box)
{
	if (!box->edits)		/* parts without an intent: nothing to be rewritten */
		add(box, EDIT_REST);
	box_send(box);
}

bool edit_waits(const struct mailbox *box)
{
	return box->edits;
}

bool edit_resume(struct mailbox *box, struct err *e)
{
	struct view *v = store_view(box->store);
	struct box_intent intent;
	bool good = intent_read(v, box->part, &intent);

	view_end(&v);
	if (!good)
		return err_set(e, ERR_LOCAL, "mailbox %s: what is leaving it is damaged; restore it from a backup", box->name);
	if (intent.parts)
		add(box, EDIT_REST)->intent = intent;
	return true;
}
