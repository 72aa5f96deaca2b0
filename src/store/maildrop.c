/* SPDX-License-Identifier: Apache-2.0 */
#include "store/maildrop.h"

#include <assert.h>
#include <stdlib.h>

#include "store/intent.h"
#include "store/mdir_inside.h"
#include "store/pack.h"

enum { TOUCH = 4096, WANTED_AT_ONCE = 1000 };

static_assert((int)DROP_SEEN == (int)MAILBOX_SEEN, "one flag, one value");

/* The head of the box, zeros when it is not made. */
static bool find(struct store *s, const char *given, char name[MAILBOX_NAME_MAX + 1], struct view *v, struct box_head *head, struct err *e)
{
	struct span value;
	uint32_t epoch;

	*head = (struct box_head){ 0 };
	if (!box_name(given, name, e))
		return false;
	if (!box_find(s, name, &epoch) || !view_get(v, engine_part_of("mailbox", span_of(name)), SPAN("h"), &value))
		return true;
	return box_head_unpack(value, head) || err_set(e, ERR_LOCAL, "mailbox %s: its head is damaged", name);
}

bool maildrop_peek(struct store *s, const char *given, uint64_t *messages, uint64_t *octets, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	struct box_head head;
	struct view *v;
	bool good;

	if (!view_begin(store_engine(s), &v, e))
		return false;
	good = find(s, given, name, v, &head, e);
	view_end(&v);
	*messages = head.count;
	*octets = head.bytes;
	return good;
}

static bool add(struct maildrop *drop, const struct box_entry *entry, bool seen, size_t *cap)
{
	uint64_t size = box_entry_size(entry);
	uint32_t flags = entry->flags & MAILBOX_SEEN || seen ? DROP_SEEN : 0;

	if (drop->count == *cap) {
		struct drop_message *more = *cap < UINT32_MAX / 2 ? reallocarray(drop->messages, *cap * 2, sizeof *more) : NULL;

		if (!more)
			return false;
		drop->messages = more;
		*cap *= 2;
	}
	flags |= entry->dots ? 0 : DROP_PLAIN;
	flags |= entry->flags & BOX_NO_END ? DROP_NO_END : 0;
	drop->messages[drop->count++] = drop_message_of(entry->uid, entry->blob, size, flags);
	drop->octets += size;
	return true;
}

static bool damaged(const char *name, const char *what, struct err *e)
{
	return err_set(e, ERR_LOCAL, "mailbox %s: %s; restore it from a backup", name, what);
}

/* Without touching one of them: a disk that has them all before it needs a quarter of the time that it
 * takes when it is asked for one after another. */
static void want_pages(const struct maildrop *drop, struct view *v)
{
	struct box_walk walk;
	struct span page;
	uint64_t number;

	box_walk_start(&walk, v, drop->part, 0);
	while (box_walk_next(&walk, &number, &page))
		view_wanted(v, page);
}

/* The pages, each looked at before it is believed, without what is leaving. */
static bool read_pages(struct maildrop *drop, struct view *v, const char *name, const struct box_intent *intent, size_t cap, struct err *e)
{
	struct box_walk walk;
	struct span page;
	uint64_t number;

	box_walk_start(&walk, v, drop->part, 0);
	while (box_walk_next(&walk, &number, &page)) {
		if (!box_page_good(page, number))
			return damaged(name, "a page of its index is damaged", e);
		for (; page.len; page = span_from(page, BOX_ENTRY)) {
			struct box_entry entry = box_entry_unpack(page.at);

			if (intent->parts && uids_has(&intent->going, entry.uid))
				continue;
			if (!add(drop, &entry, intent->parts && uids_has(&intent->seen, entry.uid), &cap))
				return err_set(e, ERR_LOCAL, "out of memory for mailbox %s", name);
		}
	}
	return true;
}

static bool read_all(struct maildrop *drop, struct view *v, const char *name, const struct box_head *head, struct err *e)
{
	/* What the head says is not believed before the pages have said the same. */
	size_t cap = head->count < 1 << 20 ? (size_t)head->count + 1 : 1 << 20;
	struct box_intent intent;
	bool good;

	drop->messages = reallocarray(NULL, cap, sizeof *drop->messages);
	if (!drop->messages)
		return err_set(e, ERR_LOCAL, "out of memory for mailbox %s", name);
	if (!intent_read(v, drop->part, &intent))
		return damaged(name, "what is leaving it is damaged", e);
	if (head->count > WANTED_AT_ONCE)
		want_pages(drop, v);
	good = !head->next_uid || read_pages(drop, v, name, &intent, cap, e);
	intent_free(&intent);
	if (good && (drop->count != head->count || drop->octets != head->bytes))
		good = damaged(name, "its index is not what its head counts", e);
	return good;
}

bool maildrop_open(struct store *s, const char *given, struct maildrop **out, struct err *e)
{
	struct maildrop *drop = calloc(1, sizeof *drop);
	char name[MAILBOX_NAME_MAX + 1];
	struct box_head head;
	struct view *v = NULL;
	bool good;

	if (!drop)
		return err_set(e, ERR_LOCAL, "out of memory for mailbox %s", given);
	drop->engine = store_engine(s);
	good = view_begin(drop->engine, &v, e) && find(s, given, name, v, &head, e);
	if (good) {
		drop->part = engine_part_of("mailbox", span_of(name));
		drop->head = head;
		good = read_all(drop, v, name, &head, e);
	}
	view_end(&v);
	if (good)
		*out = drop;
	else
		maildrop_close(&drop);
	return good;
}

void maildrop_close(struct maildrop **drop)
{
	if (!*drop)
		return;
	if ((*drop)->mdir)
		mdir_free(*drop);
	free((*drop)->messages);
	free(*drop);
	*drop = NULL;
}

uint32_t maildrop_count(const struct maildrop *drop)
{
	return drop->count;
}

uint64_t maildrop_octets(const struct maildrop *drop)
{
	return drop->octets;
}

struct drop_message *maildrop_messages(struct maildrop *drop)
{
	return drop->messages;
}

void maildrop_keep(struct maildrop *drop, const bool *keep)
{
	uint32_t kept = 0;

	if (drop->mdir)
		mdir_stop(drop);	/* what it has open is under an old number */
	drop->octets = 0;
	for (uint32_t n = 0; n < drop->count; n++)
		if (keep[n]) {
			if (drop->mdir && drop->mdir->texts)
				drop->mdir->texts[kept] = drop->mdir->texts[n];
			drop->messages[kept++] = drop->messages[n];
			drop->octets += drop_octets(&drop->messages[n]);
		}
	drop->count = kept;
}

static const struct drop_message *at(const struct maildrop *drop, uint32_t number)
{
	assert(number >= 1 && number <= drop->count);
	return &drop->messages[number - 1];
}

size_t maildrop_marked(const struct maildrop *drop, uint32_t flags, uint32_t but, uint64_t **uids)
{
	size_t n = 0;

	for (const struct drop_message *m = drop->messages; m < drop->messages + drop->count; m++)
		n += drop_flags(m) & flags && !(drop_flags(m) & but);
	*uids = NULL;
	if (!n)
		return 0;
	*uids = store_memory(n * sizeof **uids);
	n = 0;
	for (const struct drop_message *m = drop->messages; m < drop->messages + drop->count; m++)
		if (drop_flags(m) & flags && !(drop_flags(m) & but))
			(*uids)[n++] = m->uid;
	return n;
}

/* As long as the head is what it was, nothing came or went. */
static bool untouched(const struct maildrop *drop, struct view *v)
{
	struct box_head head;
	struct span value;

	return view_get(v, drop->part, SPAN("h"), &value) && box_head_unpack(value, &head) && memcmp(&head, &drop->head, sizeof head) == 0;
}

bool maildrop_there(const struct maildrop *drop, uint32_t number)
{
	struct box_entry entry;
	struct view *v;
	struct err e;
	bool there;

	if (drop->mdir)
		return mdir_there(drop, number);
	if (!view_begin(drop->engine, &v, &e))
		return false;
	there = untouched(drop, v) || box_entry_find(v, drop->part, at(drop, number)->uid, &entry);
	view_end(&v);
	return there;
}

void maildrop_start(const struct maildrop *drop, uint32_t number, struct maildrop_reading *r)
{
	const struct drop_message *m = at(drop, number);

	if (drop->mdir) {
		mdir_start(drop, number, r);
		return;
	}
	*r = (struct maildrop_reading){ .number = number, .left = drop_octets(m) - (drop_flags(m) & DROP_NO_END ? 2 : 0) };
}

/* What is still to be read of a piece. */
static bool rest_of(const struct maildrop *drop, struct view *v, const struct maildrop_reading *r, struct span *octets)
{
	if (!view_blob(v, drop->part, at(drop, r->number)->body, r->piece, octets) || octets->len <= r->skip)
		return false;
	*octets = span_from(*octets, r->skip);
	return octets->len <= r->left;
}

static void advance(struct maildrop_reading *r, size_t taken, bool all)
{
	r->left -= taken;
	r->skip = all ? 0 : r->skip + taken;
	r->piece += all;
}

enum maildrop_got maildrop_piece(const struct maildrop *drop, struct maildrop_reading *r, bool wait,
	size_t (*use)(void *user, struct span octets), void *user)
{
	bool there, absent = false;
	struct span octets;
	struct view *v;
	struct err e;

	if (drop->mdir)
		return mdir_piece(drop, r, wait, use, user);
	if (!r->left)
		return MAILDROP_END;
	if (!view_begin(drop->engine, &v, &e))
		return MAILDROP_GONE;
	there = rest_of(drop, v, r, &octets);
	if (there && !wait)
		absent = !view_in_memory(v, octets);
	if (there && !absent) {
		size_t taken = use(user, octets);

		assert(taken <= octets.len);
		advance(r, taken, taken == octets.len);
	}
	view_end(&v);
	if (absent)
		return MAILDROP_ABSENT;
	return !there ? MAILDROP_GONE : r->left ? MAILDROP_MORE : MAILDROP_END;
}

void maildrop_touch(const struct maildrop *drop, const struct maildrop_reading *reading, uint64_t octets)
{
	struct maildrop_reading r = *reading;
	uint64_t until = r.left > octets ? r.left - octets : 0;

	if (drop->mdir) {
		mdir_touch(drop, reading, octets);
		return;
	}
	while (r.left > until) {
		const volatile char *touched;
		struct span piece;
		struct view *v;
		struct err e;
		bool there;

		if (!view_begin(drop->engine, &v, &e))
			return;
		there = rest_of(drop, v, &r, &piece);
		for (size_t n = 0; there && n < piece.len; n += TOUCH) {
			touched = piece.at + n;
			(void)*touched;
		}
		if (there) {
			touched = piece.at + piece.len - 1;
			(void)*touched;
			advance(&r, piece.len, true);
		}
		view_end(&v);
		if (!there)
			return;
	}
}

void maildrop_stop(const struct maildrop *drop)
{
	if (drop->mdir)
		mdir_stop(drop);
}
