/* SPDX-License-Identifier: Apache-2.0
 * A Maildir as a maildrop: opening. */
#include "store/mdir.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/mdir_inside.h"
#include "store/mdir_scan.h"
#include "store/routed_known.h"
#include "store/room.h"

/* Messages that a loop copies out of the index in 0.1 ms, when it asks whether they are in memory, and when not. */
enum { AT_ONCE = 4096, AT_ONCE_REMEMBERED = 16384 };
enum { ATTEMPTS = 8, MOMENT_MS = 30000 };

bool maildrop_is_maildir(const struct maildrop *drop)
{
	return drop->mdir;
}

const char *const *maildrop_uids(const struct maildrop *drop)
{
	return drop->mdir ? drop->mdir->texts : NULL;
}

void mdir_free(struct maildrop *drop)
{
	mdir_close(drop);
	free(drop->mdir->path);
	free(drop->mdir->names);
	free(drop->mdir->texts);
	free(drop->mdir);
	drop->mdir = NULL;
}

static bool no_memory(const char *path, struct err *e)
{
	return err_set(e, ERR_LOCAL, "out of memory for the Maildir %s", path);
}

/* An empty one. */
static struct maildrop *drop_new(struct store *s, const char *path, size_t account_len)
{
	struct maildrop *drop = calloc(1, sizeof *drop);
	struct mdir *m = calloc(1, sizeof *m);
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (drop && m)
		m->path = strndup(path, len);
	if (m)
		m->account_len = account_len < len ? account_len : 0;
	if (!drop || !m || !m->path) {
		free(m);
		free(drop);
		return NULL;
	}
	m->store = s;
	drop->mdir = m;
	drop->engine = store_engine(s);
	drop->part = engine_part_of("maildir", span_of(m->path));
	return drop;
}

/* Room for what is to come; texts only if there are some. */
static bool make_room(struct maildrop *drop, uint32_t count, uint32_t texts)
{
	drop->messages = reallocarray(NULL, (size_t)count + 1, sizeof *drop->messages);
	drop->mdir->texts = texts ? calloc(count, sizeof *drop->mdir->texts) : NULL;
	return drop->messages && (drop->mdir->texts || !texts);
}

/* Never DROP_PLAIN: the file may be another one when it is sent, and its dots must then be stuffed all the same. */
static void add(struct maildrop *drop, uint64_t uid, uint64_t octets, uint32_t flags, uint32_t name, const char *text)
{
	drop->messages[drop->count] = drop_message_of(uid, (uint64_t)name << 1 | (flags & MDIR_IN_CUR ? 1 : 0), octets,
		flags & (DROP_SEEN | DROP_NO_END));
	if (drop->mdir->texts)
		drop->mdir->texts[drop->count] = text;
	drop->count++;
	drop->octets += octets;
}

/* ---- what is in memory
 * To ask whether folders and pages are in memory costs three times what opening costs.  So it is remembered for a
 * moment, by partition: 40 bits of it and 24 of the time. */

static uint64_t moment(const struct maildrop *drop, uint64_t ms)
{
	return drop->part << 24 | (ms / MOMENT_MS & 0xffffff);
}

static _Atomic(uint64_t) *bucket(const struct maildrop *drop)
{
	struct store *s = drop->mdir->store;

	return &s->maildirs[drop->part >> 40 & (COUNT(s->maildirs) - 1)];
}

static void remember(const struct maildrop *drop)
{
	atomic_store_explicit(bucket(drop), moment(drop, clock_mono_ms()), memory_order_relaxed);
}

static bool remembered(const struct maildrop *drop)
{
	uint64_t was = atomic_load_explicit(bucket(drop), memory_order_relaxed), ms = clock_mono_ms();

	return was == moment(drop, ms) || was == moment(drop, ms - MOMENT_MS);
}

/* ---- out of the index */

static bool add_page(struct maildrop *drop, const struct mdir_head *head, struct span page)
{
	struct mdir *m = drop->mdir;
	uint32_t count, base = (uint32_t)m->names_len;
	struct span names;

	if (!mdir_page_good(page, &count, &names) || count > head->count - drop->count || names.len > head->names - m->names_len)
		return false;
	memcpy(m->names + m->names_len, names.at, names.len);
	m->names_len += names.len;
	for (uint32_t n = 0; n < count; n++) {
		struct mdir_rest rest;

		if (!mdir_page_at(page, names, n, &rest))
			return false;
		add(drop, rest.uid, rest.octets_flags >> DROP_FLAG_BITS, (uint32_t)rest.octets_flags & 0xff, base + rest.name,
			rest.text == UINT32_MAX ? NULL : m->names + base + rest.text);
	}
	return true;
}

/* `cached`: only what is in memory. */
static bool add_pages(struct maildrop *drop, struct view *v, const struct mdir_head *head, bool cached)
{
	char prefix[13];
	struct span key = { 0 }, page;

	drop->mdir->names = malloc((size_t)head->names + 1);
	if (!drop->mdir->names || !make_room(drop, head->count, head->texts))
		return false;
	(void)mdir_page_key(prefix, head->generation, 0);
	while (view_next(v, drop->part, (struct span){ prefix, 9 }, &key, &page))
		if ((cached && !view_in_memory(v, page)) || !add_page(drop, head, page))
			return false;
	return drop->count == head->count && drop->octets == head->octets;
}

static bool same_stamps(const struct mdir_stamp a[2], const struct mdir_stamp b[2])
{
	return memcmp(a, b, 2 * sizeof *a) == 0;
}

static void forget_messages(struct maildrop *drop)
{
	free(drop->messages);
	free(drop->mdir->names);
	free(drop->mdir->texts);
	drop->messages = NULL;
	drop->mdir->names = NULL;
	drop->mdir->texts = NULL;
	drop->mdir->names_len = 0;
	drop->count = 0;
	drop->octets = 0;
}

/* The Maildir is as the index has it, and this is it.  False: it is not, or that cannot be told. */
static bool unchanged(struct maildrop *drop, bool dovecot, const struct mdir_stamp folder[2], bool cached, uint32_t most)
{
	struct mdir_head head;
	struct span value;
	struct view *v;
	struct err e;
	bool good;

	if (!view_begin(drop->engine, &v, &e))
		return false;
	good = view_get(v, drop->part, SPAN("h"), &value) && mdir_head_unpack(value, &head) && head.trusted && head.dovecot == dovecot &&
	       same_stamps(head.folder, folder) && head.count <= most;
	if (good && !add_pages(drop, v, &head, cached)) {
		forget_messages(drop);
		good = false;
	}
	view_end(&v);
	if (good)
		remember(drop);
	return good;
}

/* ---- out of the folders */

/* The names are the drop's from now on. */
static bool take_list(struct maildrop *drop, struct mdir_list *list)
{
	uint32_t texts = 0;

	for (uint32_t n = 0; n < list->count; n++)
		texts += list->entries[n].text != 0;
	if (!make_room(drop, list->count, texts))
		return false;
	drop->mdir->names = list->names;
	drop->mdir->names_len = list->names_len;
	list->names = NULL;
	for (const struct mdir_entry *entry = list->entries; entry < list->entries + list->count; entry++)
		add(drop, entry->uid, entry->octets, entry->flags, entry->name, entry->text ? drop->mdir->names + entry->text : NULL);
	return true;
}

/* Sizes stay; unique-ids and order are of another kind, and all of them new. */
static void forget_ids(struct mdir_list *list)
{
	for (struct mdir_entry *entry = list->entries; entry < list->entries + list->count; entry++) {
		entry->page = MDIR_FRESH;
		entry->text = 0;
	}
	list->page_count = 0;
	list->was.generation = 0;
}

static bool load(struct maildrop *drop, bool dovecot, struct mdir_list *list, struct err *e)
{
	struct view *v;

	mdir_list_start(list);
	if (!view_begin(drop->engine, &v, e))
		return false;
	if (!mdir_index_load(v, drop->part, list))
		log_warn(NULL, "the index of the Maildir %s is damaged, and made anew", drop->mdir->path);
	view_end(&v);
	if (list->was.generation && list->was.dovecot != dovecot)
		forget_ids(list);
	return true;
}

/* An index that cannot be written keeps nobody from his mail, unless it has what nothing else tells. */
static bool save(struct maildrop *drop, struct mdir_list *list, struct mdir_head *head, bool must, struct err *e)
{
	struct err why;

	if (mdir_index_save(drop->engine, drop->part, list, head, must, &why))
		return true;
	if (!must) {
		if (why.kind != ERR_BUSY)
			log_warn(NULL, "the index of the Maildir %s cannot be written: %s", drop->mdir->path, why.text);
		return true;
	}
	*e = why;
	return err_in(e, "the unique-ids of the Maildir %s", drop->mdir->path);
}

/* One attempt; ERR_BUSY: somebody else has written the index meanwhile. */
static bool read_folders(struct maildrop *drop, bool dovecot, struct err *e)
{
	struct mdir_list list;
	struct mdir_head head = { .dovecot = dovecot };
	const struct below b = mdir_below(drop);
	bool changed, fresh, good;

	good = load(drop, dovecot, &list, e) && mdir_scan(&b, &list, &head, &changed, e) &&
	       mdir_ids(&b, dovecot, &list, &fresh, e);
	if (good) {
		bool moved = !same_stamps(head.folder, list.was.folder) || head.trusted != list.was.trusted;

		if (changed || !list.was.generation || (moved && head.trusted))
			good = save(drop, &list, &head, dovecot && fresh, e);
	}
	if (good)
		good = take_list(drop, &list) || no_memory(drop->mdir->path, e);
	mdir_list_end(&list);
	return good;
}

bool maildrop_open_maildir(struct store *s, const struct maildrop_maildir *with, struct maildrop **out, struct err *e)
{
	struct maildrop *drop = drop_new(s, with->path, with->account_len);
	struct mdir_stamp folder[2];
	struct below b;
	bool good;

	if (!drop)
		return no_memory(with->path, e);
	b = mdir_below(drop);
	switch (mdir_look(&b, false, folder, e)) {
	case MDIR_NOTHING:
		good = true;
		break;
	case MDIR_FAILED:
		good = false;
		break;
	case MDIR_THERE:
		good = unchanged(drop, with->uidl_dovecot, folder, false, UINT32_MAX);
		for (int n = 0; !good && n < ATTEMPTS; n++) {
			good = read_folders(drop, with->uidl_dovecot, e);
			if (!good && e->kind != ERR_BUSY)
				break;
		}
		break;
	}
	if (good)
		*out = drop;
	else
		maildrop_close(&drop);
	return good;
}

bool maildrop_try_maildir(struct store *s, const struct maildrop_maildir *with, struct maildrop **out)
{
	struct maildrop *drop = drop_new(s, with->path, with->account_len);
	struct mdir_stamp folder[2];
	bool good = false, cached;
	struct below b;
	struct err e;

	if (!drop)
		return false;
	b = mdir_below(drop);
	cached = !remembered(drop);
	switch (mdir_look(&b, cached, folder, &e)) {
	case MDIR_NOTHING:
		good = true;
		break;
	case MDIR_FAILED:
		break;
	case MDIR_THERE:
		good = unchanged(drop, with->uidl_dovecot, folder, cached, cached ? AT_ONCE : AT_ONCE_REMEMBERED);
		break;
	}
	if (good)
		*out = drop;
	else
		maildrop_close(&drop);
	return good;
}

bool maildrop_forget_maildir(struct store *s, const char *path, struct err *e)
{
	struct maildrop *drop = drop_new(s, path, 0);
	bool good = drop ? mdir_index_forget(drop->engine, drop->part, e) && known_forget(drop->engine, engine_part_of("routed", span_of(path)), e)
	                 : no_memory(path, e);

	maildrop_close(&drop);
	return good;
}
