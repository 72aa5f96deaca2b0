/* SPDX-License-Identifier: Apache-2.0
 * The order and the unique-ids of messages that are new in a Maildir's index. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/mdir_scan.h"
#include "store/pack.h"
#include "wire/mdirname.h"
#include "wire/uidlist.h"

enum { UIDLIST_MAX = 1 << 30 };

uint64_t mdir_native_id(struct span base, uint32_t again)
{
	unsigned char hash[8 > crypto_generichash_BYTES_MIN ? 8 : crypto_generichash_BYTES_MIN];
	crypto_generichash_state h;
	char number[4];

	(void)crypto_generichash_init(&h, NULL, 0, sizeof hash);
	(void)crypto_generichash_update(&h, (const unsigned char *)base.at, base.len);
	if (again) {		/* behind an octet that no name has */
		pack_u32(number, again);
		(void)crypto_generichash_update(&h, (const unsigned char *)"/", 1);
		(void)crypto_generichash_update(&h, (const unsigned char *)number, sizeof number);
	}
	(void)crypto_generichash_final(&h, hash, sizeof hash);
	return unpack_u64((const char *)hash);
}

/* ---- what is given out already */

struct taken {
	uint64_t *ids;		/* 0: free */
	uint32_t mask;
	bool zero;
};

static bool taken_start(struct taken *t, uint32_t count)
{
	uint32_t size = 64;

	while (size < UINT32_C(1) << 31 && size / 2 < count)
		size *= 2;
	*t = (struct taken){ .ids = calloc(size, sizeof *t->ids), .mask = size - 1 };
	return t->ids;
}

/* False: it is taken. */
static bool take(struct taken *t, uint64_t id)
{
	uint32_t at = (uint32_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & t->mask;

	if (!id) {
		bool was = t->zero;

		t->zero = true;
		return !was;
	}
	for (; t->ids[at]; at = (at + 1) & t->mask)
		if (t->ids[at] == id)
			return false;
	t->ids[at] = id;
	return true;
}

/* A text's place among the ids: one that reads as an id does is that id. */
static uint64_t id_of_text(const char *text)
{
	size_t len = strspn(text, "0123456789abcdef");
	uint64_t id = 0;

	if (len != 16 || text[len])
		return mdir_native_id(span_of(text), UINT32_MAX);
	for (size_t n = 0; n < len; n++)
		id = id << 4 | (uint64_t)(text[n] <= '9' ? text[n] - '0' : text[n] - 'a' + 10);
	return id;
}

/* ---- Dovecot's */

/* All of a file; false with errno. */
static bool read_whole(int fd, char **at, size_t *len)
{
	size_t cap = 0;
	struct stat st;

	*at = NULL;
	*len = 0;
	if (fstat(fd, &st) != 0)
		return false;
	for (ssize_t n = 1; n;) {
		if (*len == cap) {
			size_t more = cap ? cap * 2 : (size_t)(st.st_size > 0 && st.st_size < UIDLIST_MAX ? st.st_size : 0) + 4096;
			char *grown = more <= UIDLIST_MAX ? realloc(*at, more) : NULL;

			if (!grown) {
				errno = ENOMEM;
				return false;
			}
			*at = grown;
			cap = more;
		}
		n = read(fd, *at + *len, cap - *len);
		if (n < 0 && errno != EINTR)
			return false;
		*len += n > 0 ? (size_t)n : 0;
	}
	return true;
}

struct fresh {			/* by base name */
	struct span base;
	uint32_t entry;
};

static int by_base(const void *a, const void *b)
{
	const struct fresh *x = a, *y = b;
	size_t len = x->base.len < y->base.len ? x->base.len : y->base.len;
	int order = memcmp(x->base.at, y->base.at, len);

	return order ? order : x->base.len < y->base.len ? -1 : x->base.len > y->base.len;
}

static bool is_text(struct span s)
{
	for (size_t n = 0; n < s.len; n++)
		if (s.at[n] < 0x21 || s.at[n] > 0x7e)
			return false;
	return s.len && s.len <= MDIR_TEXT_MAX;
}

/* What the list says of one fresh entry.  The names may move. */
static bool learn(struct mdir_list *list, struct mdir_entry *entry, uint32_t validity, const struct uidlist_entry *known)
{
	struct span text = known->pop3;

	entry->uid = (uint64_t)known->uid << 32 | validity;
	entry->uidlist = known->uid;
	entry->order = known->order;
	if (text.at && !text.len)
		text = known->base;
	return !text.at || !is_text(text) || mdir_list_name(list, text, &entry->text);
}

static bool join(struct mdir_list *list, struct fresh *fresh, uint32_t count, const char *path, struct span file)
{
	struct uidlist_entry known;
	struct uidlist u;
	bool good = uidlist_start(&u, file);

	if (!good) {
		log_warn(NULL, "%s/dovecot-uidlist is none that Dovecot wrote: its messages get unique-ids of their own", path);
		return true;
	}
	while (good && uidlist_next(&u, &known)) {
		const struct fresh key = { known.base, 0 }, *found = bsearch(&key, fresh, count, sizeof *fresh, by_base);

		if (found)
			good = learn(list, &list->entries[found->entry], u.validity, &known);
	}
	if (good && u.broken)
		log_warn(NULL, "%s/dovecot-uidlist is damaged behind uid %u: what follows gets unique-ids of its own", path, u.last);
	return good;
}

static bool no_memory(const char *path, struct err *e)
{
	return err_set(e, ERR_LOCAL, "out of memory for the Maildir %s", path);
}

static bool ask_dovecot(const char *path, struct mdir_list *list, uint32_t first, struct span file, struct err *e)
{
	uint32_t count = list->count - first, size = list->names_len;
	struct fresh *fresh = reallocarray(NULL, count, sizeof *fresh);
	char *names = malloc(size);		/* list->names moves when texts are added */
	bool good = fresh && names;

	if (good)
		memcpy(names, list->names, size);
	for (uint32_t n = 0; good && n < count; n++)
		fresh[n] = (struct fresh){ mdirname_base(span_of(names + list->entries[first + n].name)), first + n };
	if (good) {
		qsort(fresh, count, sizeof *fresh, by_base);
		good = join(list, fresh, count, path, file);
	}
	free(fresh);
	free(names);
	return good || no_memory(path, e);
}

static bool read_uidlist(const struct below *b, struct mdir_list *list, uint32_t first, struct err *e)
{
	const char *path = b->path;
	char *at = NULL;
	size_t len;
	bool good;
	int fd;

	fd = below_open(b, "dovecot-uidlist", O_RDONLY | O_NONBLOCK | O_NOCTTY, false);
	if (fd < 0 && errno == ENOENT)
		return true;
	/* Not to be read is not "not there": the ids that it has would be lost for good. */
	if (fd < 0) {
		(void)below_failed(b, "dovecot-uidlist", ERR_LOCAL, e);
		return err_in(e, "the unique-ids");
	}
	good = read_whole(fd, &at, &len) || err_errno(e, ERR_LOCAL, "%s/dovecot-uidlist cannot be read, and the unique-ids are in it", path);
	(void)close(fd);
	good = good && ask_dovecot(path, list, first, (struct span){ at, len }, e);
	free(at);
	return good;
}

/* ---- order */

struct place {
	struct mdir_entry entry;
	struct mdirname says;
};

static int less_or_more(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Dovecot's own order of those that have one, its uids, then times and names. */
static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = less_or_more(x->entry.order - 1U, y->entry.order - 1U);	/* 0 comes last */

	if (!order)
		order = less_or_more(x->entry.uidlist - 1U, y->entry.uidlist - 1U);
	if (!order)
		order = less_or_more(x->says.seconds, y->says.seconds);
	if (!order)
		order = less_or_more(x->says.micros, y->says.micros);
	if (order)
		return order;
	return by_base(&(const struct fresh){ x->says.base, 0 }, &(const struct fresh){ y->says.base, 0 });
}

static bool put_in_order(struct mdir_list *list, uint32_t first)
{
	uint32_t count = list->count - first;
	struct place *places = reallocarray(NULL, count, sizeof *places);

	if (!places)
		return false;
	for (uint32_t n = 0; n < count; n++) {
		places[n].entry = list->entries[first + n];
		mdirname_read(span_of(mdir_list_text(list, places[n].entry.name)), &places[n].says);
	}
	qsort(places, count, sizeof *places, by_place);
	for (uint32_t n = 0; n < count; n++)
		list->entries[first + n] = places[n].entry;
	free(places);
	return true;
}

/* ---- ids */

/* Unique among all, texts too: what is taken gives way to the uid, and that to an id out of the name. */
static void give(struct taken *t, const struct mdir_list *list, struct mdir_entry *entry)
{
	struct span base = mdirname_base(span_of(mdir_list_text(list, entry->name)));
	bool good = entry->uidlist && take(t, entry->uid);

	if (entry->text && (!good || !take(t, id_of_text(mdir_list_text(list, entry->text)))))
		entry->text = 0;
	for (uint32_t again = 0; !good; again++) {
		entry->uid = mdir_native_id(base, again);
		good = take(t, entry->uid);
	}
}

bool mdir_ids(const struct below *b, bool dovecot, struct mdir_list *list, bool *fresh, struct err *e)
{
	uint32_t first = list->count, texts = 0;
	struct taken taken;

	while (first && list->entries[first - 1].page == MDIR_FRESH)
		first--;
	*fresh = first < list->count;
	if (!*fresh)
		return true;
	if (dovecot && !read_uidlist(b, list, first, e))
		return false;
	for (uint32_t n = 0; n < list->count; n++)
		texts += list->entries[n].text != 0;
	if (!put_in_order(list, first) || !taken_start(&taken, list->count + texts))
		return no_memory(b->path, e);
	for (uint32_t n = 0; n < list->count; n++) {
		struct mdir_entry *entry = &list->entries[n];

		if (n >= first) {
			give(&taken, list, entry);
		} else {
			(void)take(&taken, entry->uid);
			if (entry->text)
				(void)take(&taken, id_of_text(mdir_list_text(list, entry->text)));
		}
	}
	free(taken.ids);
	return true;
}
