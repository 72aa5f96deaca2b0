/* SPDX-License-Identifier: Apache-2.0
 * Marks: which sources' messages a mailbox already has. */
#include <stdlib.h>

#include "store/box.h"
#include "store/pack.h"

struct box_mark box_mark(const struct mailbox_source *source)
{
	struct box_mark m = { "s" };

	memcpy(m.key + 1, source->connection, sizeof source->connection);
	memcpy(m.key + 1 + sizeof source->connection, source->id, sizeof source->id);
	return m;
}

static struct box_mark *waits_to_go(struct mailbox *box, const char *key)
{
	for (size_t n = 0; n < box->unmark_count; n++)
		if (memcmp(box->unmarks[n].key, key, BOX_MARK) == 0)
			return &box->unmarks[n];
	return NULL;
}

bool box_marked(struct mailbox *box, struct view *v, const struct box_mark *mark)
{
	struct box_mark *going = waits_to_go(box, mark->key);
	struct span digest;

	/* Also when it is not there any more: or it would take the new one with it. */
	if (going)
		*going = box->unmarks[--box->unmark_count];
	return view_get(v, box->part, (struct span){ mark->key, BOX_MARK }, &digest) && !going;
}

void box_add_unmarks(struct mailbox *box, struct batch *b)
{
	while (box->unmark_count &&
	       batch_remove(b, (struct span){ box->unmarks[box->unmark_count - 1].key, BOX_MARK }))
		box->unmark_count--;
}

bool mailbox_marks(struct mailbox *box, const uint8_t connection[8], struct mailbox_source *mark)
{
	struct mailbox_source from = *mark;
	struct box_mark at;
	struct span key, value, prefix = { at.key, 1 + 8 };
	struct view *v = store_view(box->store);
	bool there;

	memcpy(from.connection, connection, sizeof from.connection);
	at = box_mark(&from);
	key = (struct span){ at.key, BOX_MARK };
	do
		there = box->made && view_next(v, box->part, prefix, &key, &value);
	while (there && key.len == BOX_MARK && waits_to_go(box, key.at));
	there = there && key.len == BOX_MARK && value.len == sizeof mark->digest;
	if (there) {
		memcpy(mark->connection, connection, sizeof mark->connection);
		memcpy(mark->id, key.at + 1 + 8, sizeof mark->id);
		memcpy(mark->digest, value.at, sizeof mark->digest);
	}
	view_end(&v);
	return there;
}

void mailbox_unmark(struct mailbox *box, const struct mailbox_source *mark)
{
	struct box_mark m = box_mark(mark);

	if (!box->made || waits_to_go(box, m.key))
		return;
	if (box->unmark_count == box->unmark_cap) {
		size_t cap = box->unmark_cap ? box->unmark_cap * 2 : 64;
		struct box_mark *more = reallocarray(box->unmarks, cap, sizeof *more);

		store_must(more);
		box->unmarks = more;
		box->unmark_cap = cap;
	}
	box->unmarks[box->unmark_count++] = m;
	if (box->unmark_count >= BOX_UNMARKS)
		box_send(box);
}
