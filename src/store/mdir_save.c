/* SPDX-License-Identifier: Apache-2.0
 * How what changed in the index of a Maildir gets into the engine. */
#include "store/mdir_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/pack.h"

enum { NAME_SIZE = 256, PAGE_MAX = 1 + MDIR_PAGE * (MDIR_PAGE_ENTRY + NAME_SIZE + MDIR_TEXT_MAX + 1), SPARSE = 8 };
#define NO_TEXT 0xffffU

/* ---- pages */

/* Fresh entries come into the last page, as far as there is room, and into new ones. */
static bool assign(struct mdir_list *list)
{
	uint32_t last = list->page_count ? list->page_count - 1 : 0, in_last = 0;

	for (uint32_t n = 0; n < list->count; n++) {
		struct mdir_entry *entry = &list->entries[n];

		if (entry->page != MDIR_FRESH) {
			in_last += entry->page == last;
			continue;
		}
		if (!list->page_count || in_last == MDIR_PAGE) {
			uint32_t number = list->page_count ? list->pages[last].number + 1 : 0;

			if (!mdir_grown((void **)&list->pages, list->page_count, 1, &list->page_cap, sizeof *list->pages))
				return false;
			last = list->page_count++;
			list->pages[last].number = number;
			in_last = 0;
		}
		entry->page = last;
		list->pages[last].dirty = true;
		in_last++;
	}
	return true;
}

/* From the first page on, full ones. */
static bool assign_anew(struct mdir_list *list)
{
	list->page_count = 0;
	for (uint32_t n = 0; n < list->count; n++)
		list->entries[n].page = MDIR_FRESH;
	return assign(list);
}

static uint32_t put_text(char *names, uint32_t *len, const char *text)
{
	uint32_t at = *len, size = (uint32_t)strlen(text) + 1;

	memcpy(names + at, text, size);
	*len += size;
	return at;
}

static void pack_u16(char *at, uint32_t n)
{
	at[0] = (char)(n >> 8 & 0xff);
	at[1] = (char)(n & 0xff);
}

/* Entries from `first` on, as long as they are of its page; *count: how many. */
static struct span pack_page(const struct mdir_list *list, uint32_t first, char page[PAGE_MAX], uint32_t *count)
{
	char names[PAGE_MAX];
	uint32_t len = 0, n = 0;

	for (; first + n < list->count && list->entries[first + n].page == list->entries[first].page; n++) {
		const struct mdir_entry *entry = &list->entries[first + n];
		char *at = page + 1 + (size_t)n * MDIR_PAGE_ENTRY;

		assert(n < MDIR_PAGE);
		pack_u64(at, entry->uid);
		pack_u64(at + 8, entry->octets << DROP_FLAG_BITS | entry->flags);
		pack_u16(at + 16, put_text(names, &len, mdir_list_text(list, entry->name)));
		pack_u16(at + 18, entry->text ? put_text(names, &len, mdir_list_text(list, entry->text)) : NO_TEXT);
	}
	page[0] = (char)n;
	memcpy(page + 1 + (size_t)n * MDIR_PAGE_ENTRY, names, len);
	*count = n;
	return (struct span){ page, 1 + (size_t)n * MDIR_PAGE_ENTRY + len };
}

/* ---- the head */

static void fill_head(const struct mdir_list *list, struct mdir_head *head)
{
	uint32_t page = MDIR_FRESH;

	head->count = list->count;
	head->texts = head->pages = 0;
	head->octets = head->names = 0;
	for (const struct mdir_entry *entry = list->entries; entry < list->entries + list->count; entry++) {
		head->octets += entry->octets;
		head->names += strlen(mdir_list_text(list, entry->name)) + 1;
		if (entry->text)
			head->names += strlen(mdir_list_text(list, entry->text)) + 1;
		head->texts += entry->text != 0;
		head->pages += entry->page != page;
		page = entry->page;
	}
}

static bool put_head(struct batch *b, const struct mdir_list *list, const struct mdir_head *head)
{
	char value[MDIR_HEAD];
	struct span raw = { list->raw, sizeof list->raw };
	bool good = !list->there ? batch_absent(b, SPAN("h")) : list->known ? batch_equals(b, SPAN("h"), raw) : batch_present(b, SPAN("h"));

	mdir_head_pack(value, head);
	return good && batch_put(b, SPAN("h"), (struct span){ value, sizeof value });
}

/* ---- commits */

static bool no_memory(struct err *e)
{
	return err_set(e, ERR_LOCAL, "out of memory for a Maildir's index");
}

/* On the committer's thread. */
static void on_done(void *user, const struct err *why)
{
	(void)user;
	if (why && why->kind != ERR_BUSY)
		log_warn(NULL, "the index of a Maildir cannot be written: %s", why->text);
}

static bool commit(struct engine *g, struct batch **b, bool wait, struct err *e)
{
	if (wait)
		return engine_commit_wait(g, b, e);
	engine_commit(g, b, (struct engine_done){ on_done, NULL });
	return true;
}

/* ---- in place */

static bool put_dirty(struct batch *b, const struct mdir_list *list, uint64_t generation)
{
	char key[13], page[PAGE_MAX];
	uint32_t first = 0, count;

	for (uint32_t p = 0; p < list->page_count; p++) {
		struct span at = mdir_page_key(key, generation, list->pages[p].number);
		bool empty = first == list->count || list->entries[first].page != p;

		if (!list->pages[p].dirty) {
			while (first < list->count && list->entries[first].page == p)
				first++;
		} else if (empty) {
			if (!batch_remove(b, at))
				return false;
		} else {
			if (!batch_put(b, at, pack_page(list, first, page, &count)))
				return false;
			first += count;
		}
	}
	return true;
}

/* False: it does not fit, *e untouched, or *failed. */
static bool save_in_place(struct engine *g, engine_part part, struct mdir_list *list, struct mdir_head *head, bool wait, bool *failed, struct err *e)
{
	struct batch *b = batch_new(part);
	bool fits;

	*failed = !b;
	if (!b)
		return no_memory(e);
	head->generation = list->was.generation;
	fits = put_head(b, list, head) && put_dirty(b, list, head->generation);
	if (!fits) {
		batch_free(&b);
		return false;
	}
	*failed = !commit(g, &b, wait, e);
	return !*failed;
}

/* ---- a new generation */

struct old {			/* pages that are there, to be removed */
	char (*keys)[13];
	uint32_t count, cap;
};

static bool old_pages(struct engine *g, engine_part part, struct old *old, struct err *e)
{
	struct span key = { 0 }, value;
	struct view *v;
	bool room = true;

	*old = (struct old){ 0 };
	if (!view_begin(g, &v, e))
		return false;
	while (room && view_next(v, part, SPAN("p"), &key, &value)) {
		if (key.len != sizeof *old->keys)
			continue;
		room = mdir_grown((void **)&old->keys, old->count, 1, &old->cap, sizeof *old->keys);
		if (room)
			memcpy(old->keys[old->count++], key.at, key.len);
	}
	view_end(&v);
	return room || no_memory(e);
}

/* As many of the pages as fit; *first: of which entry on. */
static bool put_pages(struct batch *b, const struct mdir_list *list, uint64_t generation, uint32_t *first)
{
	char key[13], page[PAGE_MAX];
	uint32_t count;

	while (*first < list->count) {
		uint32_t number = list->pages[list->entries[*first].page].number;

		if (!batch_put(b, mdir_page_key(key, generation, number), pack_page(list, *first, page, &count)))
			return false;
		*first += count;
	}
	return true;
}

static bool remove_old(struct batch *b, const struct old *old, uint32_t *from)
{
	for (; *from < old->count; ++*from)
		if (!batch_remove(b, (struct span){ old->keys[*from], sizeof *old->keys }))
			return false;
	return true;
}

/* Behind the new head; nobody waits for it, and what is not removed is so by the next one. */
static void remove_later(struct engine *g, engine_part part, const struct old *old, const struct mdir_head *head)
{
	char value[MDIR_HEAD];
	uint32_t from = 0;

	mdir_head_pack(value, head);
	while (from < old->count) {
		struct batch *b = batch_new(part);
		uint32_t before = from;

		if (!b || !batch_equals(b, SPAN("h"), (struct span){ value, sizeof value }) || (!remove_old(b, old, &from) && from == before)) {
			batch_free(&b);
			return;
		}
		engine_commit(g, &b, (struct engine_done){ on_done, NULL });
	}
}

/* Pages, batch by batch; then the head, which makes them the index. */
static bool save_in_steps(struct engine *g, engine_part part, const struct mdir_list *list, const struct mdir_head *head, struct err *e)
{
	uint32_t first = 0;
	bool all;
	struct batch *b;

	do {
		uint32_t before = first;

		b = batch_new(part);
		if (!b)
			return no_memory(e);
		all = put_pages(b, list, head->generation, &first);
		if (!all && first == before) {
			batch_free(&b);
			return no_memory(e);
		}
		if (!engine_commit_wait(g, &b, e))
			return false;
	} while (!all);
	b = batch_new(part);
	if (!b || !put_head(b, list, head)) {
		batch_free(&b);
		return no_memory(e);
	}
	return engine_commit_wait(g, &b, e);
}

static bool save_anew(struct engine *g, engine_part part, struct mdir_list *list, struct mdir_head *head, bool wait, struct err *e)
{
	uint32_t first = 0, from = 0;
	struct old old;
	struct batch *b;
	bool good;

	if (!assign_anew(list))
		return no_memory(e);
	fill_head(list, head);
	random_fill(&head->generation, sizeof head->generation);
	head->generation |= 1;		/* 0 is none */
	if (!old_pages(g, part, &old, e)) {
		free(old.keys);
		return false;
	}
	b = batch_new(part);
	good = b && put_head(b, list, head) && put_pages(b, list, head->generation, &first) && remove_old(b, &old, &from);
	if (good) {
		good = commit(g, &b, wait, e);
	} else {
		batch_free(&b);
		good = save_in_steps(g, part, list, head, e);
		if (good)
			remove_later(g, part, &old, head);
	}
	free(old.keys);
	return good;
}

bool mdir_index_save(struct engine *g, engine_part part, struct mdir_list *list, struct mdir_head *head, bool wait, struct err *e)
{
	bool failed;

	/* Without a readable head nothing tells which pages are whose. */
	if (!list->was.generation || list->page_count > 2 * (list->count / MDIR_PAGE) + SPARSE ||
	    (list->page_count && list->pages[list->page_count - 1].number > UINT32_MAX / 2))
		return save_anew(g, part, list, head, wait, e);
	if (!assign(list))
		return no_memory(e);
	fill_head(list, head);
	if (save_in_place(g, part, list, head, wait, &failed, e))
		return true;
	return !failed && save_anew(g, part, list, head, wait, e);
}

bool mdir_index_forget(struct engine *g, engine_part part, struct err *e)
{
	uint32_t from = 0;
	struct old old;
	bool good;

	if (!old_pages(g, part, &old, e)) {
		free(old.keys);
		return false;
	}
	do {
		struct batch *b = batch_new(part);
		uint32_t before = from;

		good = b && batch_remove(b, SPAN("h")) && (remove_old(b, &old, &from) || from > before);
		if (good)
			good = engine_commit_wait(g, &b, e);
		else
			(void)no_memory(e);
		batch_free(&b);
	} while (good && from < old.count);
	free(old.keys);
	return good;
}
