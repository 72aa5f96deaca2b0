/* SPDX-License-Identifier: Apache-2.0
 * A group of finished messages becomes one batch: bodies, marks, index entries
 * and the head change together or not at all. */
#include <assert.h>
#include <stdlib.h>

#include "store/incoming.h"
#include "store/pack.h"

enum {
	MESSAGE_KEYS = 5,		/* body, its tail, mark, the stage's count, whom it is for */
	PAGE_OCTETS = BOX_PAGE * BOX_ENTRY,
	/* What a message may add to the batch besides its body, and the end of the group. */
	MESSAGE_OCTETS = 256 + ROUTED_TEXT_MAX,
	END_OCTETS = 2 * (PAGE_OCTETS + 64),
	END_KEYS = 4,
};

/* LMDB keeps a large value in whole pages less one header, a small one among
 * others.  A last piece that would need a page for its last few octets is cut
 * in two, so that 4 KiB of mail do not write 8. */
enum { PAGE = 4096, PAGE_HEADER = 16, TAIL_MAX = 1344 };

struct box_group {
	struct deed deed;
	struct mailbox *box;
	struct box_head head;		/* when it is durable */
	struct answers *answers;
	uint64_t held;			/* of the account's quota */
};

struct builder {
	struct mailbox *box;
	struct box_group *group;
	struct batch *batch;
	struct view *view;
	uint64_t room, taken;		/* octets that the quota leaves; of them, what this group has */
	struct {
		uint64_t number;
		size_t len;
		char at[PAGE_OCTETS];
	} page;				/* the last one */
	size_t mark_count;
	struct box_mark marks[ENGINE_BATCH_KEYS / 2];	/* of this group */
};

static void begin_page(struct builder *b)
{
	char key[9];
	struct span old;

	b->page.number = b->group->head.next_uid / BOX_PAGE;
	b->page.len = 0;
	if (!view_get(b->view, b->box->part, box_page_key(key, b->page.number), &old))
		return;
	if (old.len > sizeof b->page.at || old.len % BOX_ENTRY)
		store_damaged(b->box->name, "a page of its index");
	memcpy(b->page.at, old.at, old.len);
	b->page.len = old.len;
}

static void put_page(struct builder *b)
{
	char key[9];

	if (b->page.len)
		store_must(batch_put(b->batch, box_page_key(key, b->page.number), (struct span){ b->page.at, b->page.len }));
}

static uint64_t octets_of(const struct incoming *in)
{
	return in->size + (in->flags & BOX_NO_END ? 2 : 0);
}

static void add_entry(struct builder *b, const struct incoming *in)
{
	struct box_head *h = &b->group->head;
	struct box_entry entry = { .uid = h->next_uid, .blob = in->blob, .stored = in->size,
		.arrived = in->arrived, .dots = in->dots, .flags = in->flags };
	char key[ROUTED_KEY];

	if (h->next_uid / BOX_PAGE != b->page.number) {
		put_page(b);
		begin_page(b);
	}
	if (in->flags & BOX_LISTS)
		store_must(batch_put(b->batch, routed_key(key, entry.uid), routed_value(&in->routed)));
	assert(b->page.len + BOX_ENTRY <= sizeof b->page.at);
	box_entry_pack(b->page.at + b->page.len, &entry);
	b->page.len += BOX_ENTRY;
	h->next_uid++;
	h->count++;
	h->bytes += octets_of(in);
}

static bool in_group(const struct builder *b, const struct box_mark *mark)
{
	for (size_t n = 0; n < b->mark_count; n++)
		if (memcmp(b->marks[n].key, mark->key, BOX_MARK) == 0)
			return true;
	return false;
}

/* The mark is there: the message is a second copy. */
static bool is_there(const struct builder *b, const struct incoming *in)
{
	struct box_mark mark = box_mark(&in->source);

	return in_group(b, &mark) || box_marked(b->box, b->view, &mark);
}

static void add_mark(struct builder *b, const struct incoming *in)
{
	struct box_mark mark = box_mark(&in->source);

	b->marks[b->mark_count++] = mark;
	store_must(batch_put(b->batch, (struct span){ mark.key, BOX_MARK },
		(struct span){ (const char *)in->source.digest, sizeof in->source.digest }));
}

static void add_body(struct builder *b, struct incoming *in)
{
	size_t tail = (in->len + PAGE_HEADER) % PAGE, whole = in->len > tail ? in->len - tail : 0;

	if (!in->len)
		return;
	if (whole && tail && tail <= TAIL_MAX) {
		store_must(batch_blob(b->batch, in->blob, in->pieces + 1, (struct span){ in->piece + whole, tail }));
		in->len = whole;
	}
	store_must(batch_blob_owned(b->batch, in->blob, in->pieces, in->piece, in->len));
	in->piece = NULL;
}

/* The default may have moved the box while the message came: where nobody looks any more it is not put. */
static bool is_here(const struct builder *b, struct err *why)
{
	if (box_here(b->box, why))
		return true;
	why->kind = ERR_BUSY;		/* tried again it goes to the right place */
	return false;
}

static void add_message(struct builder *b, struct incoming *in)
{
	struct err why;
	char key[9];

	if (in->has_source && is_there(b, in)) {
		answers_add(b->group->answers, in->ticket);
		incoming_discard(&in);
		return;
	}
	if (!is_here(b, &why)) {
		incoming_refuse(&in, &why);
		return;
	}
	if (in->over || octets_of(in) > b->room - b->taken) {
		quota_over(b->box->store, b->box->name, b->taken, octets_of(in), &why);
		incoming_refuse(&in, &why);
		return;
	}
	b->taken += octets_of(in);
	answers_add(b->group->answers, in->ticket);
	if (in->has_source)
		add_mark(b, in);
	add_body(b, in);
	if (in->pieces)
		store_must(batch_remove(b->batch, incoming_stage_key(in, key)));
	add_entry(b, in);
	incoming_free(&in);
}

static bool fits(const struct builder *b, const struct incoming *in)
{
	return batch_keys(b->batch) + MESSAGE_KEYS + END_KEYS <= ENGINE_BATCH_KEYS &&
	       batch_bytes(b->batch) + in->len + MESSAGE_OCTETS + END_OCTETS <= ENGINE_BATCH_BYTES &&
	       b->mark_count < COUNT(b->marks);
}

static void add_waiting(struct builder *b)
{
	struct mailbox *box = b->box;

	while (box->first && !box->first->under_way && fits(b, box->first)) {
		struct incoming *in = box->first;

		box->first = in->next;
		if (!box->first)
			box->last = &box->first;
		box->waiting--;
		box->waiting_octets -= in->len;
		if (in->why)
			incoming_refuse(&in, in->why);
		else
			add_message(b, in);
	}
}

static void on_group(void *user, const struct err *why)
{
	struct box_group *group = user;
	struct mailbox *box = group->box;
	uint64_t before;

	assert(box->group == group);
	box->group = NULL;
	before = box->head.bytes;
	if (!why) {
		box->head = group->head;
		box->head_there = true;
	}
	quota_moved(box->store, box->name, before, box->head.bytes, group->held);
	store_answer(box->store, &group->answers, why);
	free(group);
	box_send(box);
}

void box_add_head(struct mailbox *box, struct batch *b, struct box_head *head)
{
	char was[33], is[33];
	struct span old = box_head_value(was, &box->head);

	head->next_blob = box->next_blob;
	store_must(box->head_there ? batch_equals(b, SPAN("h"), old) : batch_absent(b, SPAN("h")));
	store_must(batch_put(b, SPAN("h"), box_head_value(is, head)));
}

static bool group_send(struct mailbox *box)
{
	struct builder *b;
	struct box_group *group;
	size_t most = box->waiting < ENGINE_BATCH_KEYS ? box->waiting : ENGINE_BATCH_KEYS;
	bool ready = box->first && !box->first->under_way;

	if (!ready && box->unmark_count < BOX_UNMARKS && !(box->store->closing && box->unmark_count))
		return false;
	group = store_memory(sizeof *group);
	*group = (struct box_group){ .box = box, .head = box->head, .answers = answers_new(most) };
	b = store_memory(sizeof *b);
	b->box = box;
	b->group = group;
	b->batch = store_batch(box->part);
	b->view = store_view(box->store);
	b->room = quota_room(box->store, box->name);
	begin_page(b);
	add_waiting(b);
	put_page(b);
	group->held = quota_hold(box->store, box->name, b->taken);
	box_add_head(box, b->batch, &group->head);
	view_end(&b->view);
	box_add_unmarks(box, b->batch);
	group->deed = (struct deed){ .then = on_group, .user = group };
	box->group = group;
	store_do(box->store, &b->batch, &group->deed);
	free(b);
	return true;
}

/* One batch under way a box; groups and edits take turns. */
void box_send(struct mailbox *box)
{
	bool edit = box->edit_next;

	if (box->group || box->editing)
		return;
	if (edit ? edit_send(box) || group_send(box) : group_send(box) || edit_send(box))
		box->edit_next = !edit;
}

void mailbox_flush_all(struct store *s)
{
	for (size_t n = 0; n < STORE_BUCKETS; n++)
		for (struct mailbox *box = s->boxes[n]; box; box = box->next)
			box_send(box);
}
