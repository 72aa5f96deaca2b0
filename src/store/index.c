/* SPDX-License-Identifier: Apache-2.0
 * A mailbox's index at rest: entries, and the walk over its pages. */
#include "store/box.h"
#include "store/pack.h"

void box_entry_pack(char at[BOX_ENTRY], const struct box_entry *entry)
{
	pack_u64(at, entry->uid);
	pack_u64(at + 8, entry->blob);
	pack_u64(at + 16, entry->stored);
	pack_u64(at + 24, (uint64_t)entry->arrived);
	pack_u32(at + 32, entry->dots);
	pack_u32(at + 36, entry->flags);
}

struct box_entry box_entry_unpack(const char *at)
{
	return (struct box_entry){ .uid = unpack_u64(at), .blob = unpack_u64(at + 8), .stored = unpack_u64(at + 16),
		.arrived = (int64_t)unpack_u64(at + 24), .dots = unpack_u32(at + 32), .flags = unpack_u32(at + 36) };
}

uint64_t box_entry_size(const struct box_entry *entry)
{
	return entry->stored + (entry->flags & BOX_NO_END ? 2 : 0);
}

uint32_t box_entry_pieces(const struct box_entry *entry)
{
	uint64_t pieces = entry->stored / MAILBOX_PIECE + (entry->stored % MAILBOX_PIECE ? 2 : 0);

	return pieces < UINT32_MAX ? (uint32_t)pieces : UINT32_MAX;
}

struct span box_page_key(char key[9], uint64_t page)
{
	key[0] = 'i';
	pack_u64(key + 1, page);
	return (struct span){ key, 9 };
}

bool box_page_good(struct span page, uint64_t number)
{
	uint64_t next = number * BOX_PAGE;

	if (number > UINT64_MAX / BOX_PAGE || !page.len || page.len % BOX_ENTRY || page.len > BOX_PAGE * BOX_ENTRY)
		return false;
	for (; page.len; page = span_from(page, BOX_ENTRY)) {
		struct box_entry entry = box_entry_unpack(page.at);

		if (entry.uid < next || entry.uid / BOX_PAGE != number || entry.stored > BOX_STORED_MAX)
			return false;
		next = entry.uid + 1;
	}
	return true;
}

void box_walk_start(struct box_walk *w, struct view *v, engine_part part, uint64_t page)
{
	*w = (struct box_walk){ .view = v, .part = part };
	if (!page)
		return;
	/* A key between those of the page before and of `page`. */
	(void)box_page_key(w->at, page - 1);
	w->at[9] = '\xff';
	w->key = (struct span){ w->at, sizeof w->at };
}

bool box_walk_next(struct box_walk *w, uint64_t *number, struct span *page)
{
	if (!view_next(w->view, w->part, SPAN("i"), &w->key, page))
		return false;
	*number = w->key.len == 9 ? unpack_u64(w->key.at + 1) : UINT64_MAX;	/* no page has this one */
	return true;
}
