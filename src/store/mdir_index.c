/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mdir_index.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "store/pack.h"

enum { VERSION = 1, TRUSTED = 1, DOVECOT = 2, NAMES_MAX = INT32_MAX };
#define NO_TEXT 0xffffU

struct span mdir_page_key(char key[13], uint64_t generation, uint32_t number)
{
	key[0] = 'p';
	pack_u64(key + 1, generation);
	pack_u32(key + 9, number);
	return (struct span){ key, 13 };
}

void mdir_head_pack(char at[MDIR_HEAD], const struct mdir_head *h)
{
	at[0] = VERSION;
	at[1] = (char)((h->trusted ? TRUSTED : 0) | (h->dovecot ? DOVECOT : 0));
	pack_u32(at + 2, h->count);
	pack_u32(at + 6, h->texts);
	pack_u32(at + 10, h->pages);
	pack_u64(at + 14, h->octets);
	pack_u64(at + 22, h->names);
	pack_u64(at + 30, h->generation);
	for (int n = 0; n < 2; n++) {
		pack_u64(at + 38 + 24 * n, h->folder[n].changed_ns);
		pack_u64(at + 46 + 24 * n, h->folder[n].inode);
		pack_u64(at + 54 + 24 * n, h->folder[n].device);
	}
}

bool mdir_head_unpack(struct span value, struct mdir_head *h)
{
	if (value.len != MDIR_HEAD || value.at[0] != VERSION)
		return false;
	*h = (struct mdir_head){ .trusted = value.at[1] & TRUSTED, .dovecot = value.at[1] & DOVECOT, .count = unpack_u32(value.at + 2),
		.texts = unpack_u32(value.at + 6), .pages = unpack_u32(value.at + 10), .octets = unpack_u64(value.at + 14),
		.names = unpack_u64(value.at + 22), .generation = unpack_u64(value.at + 30) };
	for (int n = 0; n < 2; n++)
		h->folder[n] = (struct mdir_stamp){ unpack_u64(value.at + 38 + 24 * n), unpack_u64(value.at + 46 + 24 * n),
			unpack_u64(value.at + 54 + 24 * n) };
	/* Memory is taken by these two: no more of them than what pages can have. */
	return h->count <= (uint64_t)h->pages * MDIR_PAGE && h->names < NAMES_MAX;
}

bool mdir_page_good(struct span page, uint32_t *count, struct span *names)
{
	size_t entries;

	if (!page.len)
		return false;
	*count = (unsigned char)page.at[0];
	entries = 1 + (size_t)*count * MDIR_PAGE_ENTRY;
	if (!*count || *count > MDIR_PAGE || page.len <= entries || page.at[page.len - 1] != '\0')
		return false;
	*names = span_from(page, entries);
	return true;
}

static uint32_t u16(const char *at)
{
	return (uint32_t)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

/* No longer than what is put there; behind the last one is a NUL (mdir_page_good). */
static bool is_short(struct span names, uint32_t at, size_t max)
{
	return at < names.len && strnlen(names.at + at, max + 1) <= max;
}

bool mdir_page_at(struct span page, struct span names, uint32_t n, struct mdir_rest *entry)
{
	const char *at = page.at + 1 + (size_t)n * MDIR_PAGE_ENTRY;
	uint32_t text = u16(at + 18);

	*entry = (struct mdir_rest){ unpack_u64(at), unpack_u64(at + 8), u16(at + 16), text == NO_TEXT ? UINT32_MAX : text };
	return is_short(names, entry->name, NAME_MAX) && (text == NO_TEXT || is_short(names, text, MDIR_TEXT_MAX));
}

/* ---- in memory */

void mdir_list_start(struct mdir_list *list)
{
	*list = (struct mdir_list){ 0 };
}

void mdir_list_end(struct mdir_list *list)
{
	free(list->entries);
	free(list->names);
	free(list->pages);
	*list = (struct mdir_list){ 0 };
}

bool mdir_grown(void **at, uint32_t len, uint32_t more, uint32_t *cap, size_t size)
{
	uint64_t want = (uint64_t)len + more, next = *cap ? (uint64_t)*cap * 2 : 64;
	void *p;

	if (want <= *cap)
		return true;
	if (next < want)
		next = want;
	if (next > INT32_MAX)
		return false;
	p = reallocarray(*at, (size_t)next, size);
	if (!p)
		return false;
	*at = p;
	*cap = (uint32_t)next;
	return true;
}

struct mdir_entry *mdir_list_add(struct mdir_list *list)
{
	struct mdir_entry *entry;

	if (!mdir_grown((void **)&list->entries, list->count, 1, &list->cap, sizeof *entry))
		return NULL;
	entry = &list->entries[list->count++];
	*entry = (struct mdir_entry){ .page = MDIR_FRESH };
	return entry;
}

/* Octets as they are; where they lie. */
static bool add_names(struct mdir_list *list, struct span octets, uint32_t *at)
{
	bool first = !list->names_len;

	if (octets.len > NAMES_MAX || !mdir_grown((void **)&list->names, list->names_len, (uint32_t)octets.len + first, &list->names_cap, 1))
		return false;
	if (first)
		list->names[list->names_len++] = '\0';
	*at = list->names_len;
	memcpy(list->names + list->names_len, octets.at, octets.len);
	list->names_len += (uint32_t)octets.len;
	return true;
}

bool mdir_list_name(struct mdir_list *list, struct span name, uint32_t *at)
{
	uint32_t end;

	return add_names(list, name, at) && add_names(list, (struct span){ "", 1 }, &end);
}

void mdir_list_leave(struct mdir_list *list)
{
	uint32_t kept = 0;

	for (uint32_t n = 0; n < list->count; n++) {
		const struct mdir_entry *entry = &list->entries[n];

		if (!entry->leaves)
			list->entries[kept++] = *entry;
		else if (entry->page != MDIR_FRESH)
			list->pages[entry->page].dirty = true;
	}
	list->count = kept;
}

/* ---- reading */

static bool load_page(struct mdir_list *list, uint32_t number, struct span page)
{
	struct span names;
	uint32_t count, base;

	if (!mdir_page_good(page, &count, &names) || !add_names(list, names, &base) ||
	    !mdir_grown((void **)&list->pages, list->page_count, 1, &list->page_cap, sizeof *list->pages))
		return false;
	list->pages[list->page_count] = (struct mdir_page){ number, false };
	for (uint32_t n = 0; n < count; n++) {
		struct mdir_rest rest;
		struct mdir_entry *entry;

		if (!mdir_page_at(page, names, n, &rest) || !(entry = mdir_list_add(list)))
			return false;
		*entry = (struct mdir_entry){ .uid = rest.uid, .octets = rest.octets_flags >> DROP_FLAG_BITS, .name = base + rest.name,
			.text = rest.text == UINT32_MAX ? 0 : base + rest.text, .page = list->page_count,
			.flags = (uint8_t)(rest.octets_flags & ~(uint64_t)DROP_MARKS) };
	}
	list->page_count++;
	return true;
}

static bool load_pages(struct view *v, engine_part part, struct mdir_list *list)
{
	char prefix[13];
	struct span key = { 0 }, page;

	(void)mdir_page_key(prefix, list->was.generation, 0);
	while (view_next(v, part, (struct span){ prefix, 9 }, &key, &page))
		if (key.len != 13 || !load_page(list, unpack_u32(key.at + 9), page))
			return false;
	return list->count == list->was.count;
}

bool mdir_index_load(struct view *v, engine_part part, struct mdir_list *list)
{
	struct span value;
	bool good;

	if (!view_get(v, part, SPAN("h"), &value))
		return true;
	list->there = true;
	if (value.len == sizeof list->raw)
		memcpy(list->raw, value.at, sizeof list->raw);
	list->known = value.len == sizeof list->raw;
	good = list->known && mdir_head_unpack(value, &list->was) && load_pages(v, part, list);
	if (!good) {
		list->was = (struct mdir_head){ 0 };
		list->count = list->names_len = list->page_count = 0;
	}
	return good;
}
