/* SPDX-License-Identifier: Apache-2.0
 * Mailboxes: opening them, and reading.  incoming.c appends. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/account.h"
#include "store/box.h"
#include "store/pack.h"

enum { HEAD_FORMAT = 1, HEAD = 33 };

struct span box_head_value(char value[HEAD], const struct box_head *head)
{
	value[0] = HEAD_FORMAT;
	pack_u64(value + 1, head->next_uid);
	pack_u64(value + 9, head->next_blob);
	pack_u64(value + 17, head->count);
	pack_u64(value + 25, head->bytes);
	return (struct span){ value, HEAD };
}

static bool head_unpack(struct span value, struct box_head *head)
{
	uint8_t format = take_u8(&value);

	head->next_uid = take_u64(&value);
	head->next_blob = take_u64(&value);
	head->count = take_u64(&value);
	head->bytes = take_u64(&value);
	return value.at && format == HEAD_FORMAT;
}

void box_entry_pack(char at[BOX_ENTRY], const struct box_entry *entry)
{
	pack_u64(at, entry->uid);
	pack_u64(at + 8, entry->blob);
	pack_u64(at + 16, entry->stored);
	pack_u64(at + 24, (uint64_t)entry->arrived);
	pack_u32(at + 32, entry->dots);
	pack_u32(at + 36, entry->flags);
}

static struct box_entry entry_unpack(const char *at)
{
	return (struct box_entry){ .uid = unpack_u64(at), .blob = unpack_u64(at + 8), .stored = unpack_u64(at + 16),
		.arrived = (int64_t)unpack_u64(at + 24), .dots = unpack_u32(at + 32), .flags = unpack_u32(at + 36) };
}

struct span box_page_key(char key[9], uint64_t page)
{
	key[0] = 'i';
	pack_u64(key + 1, page);
	return (struct span){ key, 9 };
}

static struct mailbox *opened(struct store *s, engine_part part)
{
	struct mailbox *box = s->boxes[part % STORE_BUCKETS];

	while (box && box->part != part)
		box = box->next;
	return box;
}

static bool read_head(struct mailbox *box, uint32_t epoch, struct err *e)
{
	struct view *v = store_view(box->store);
	struct span value;
	bool there = view_get(v, box->part, SPAN("h"), &value), good = true;

	box->head = (struct box_head){ .next_uid = (uint64_t)epoch << 32 | 1, .next_blob = 1 };
	box->head_there = there;
	if (there)
		good = head_unpack(value, &box->head);
	view_end(&v);
	box->next_blob = box->head.next_blob;
	return good ? true : err_set(e, ERR_LOCAL, "mailbox %s: its head is damaged", box->name);
}

static bool account_must(struct store *s, const char *name, struct err *e)
{
	char account[ACCOUNT_NAME_MAX + 1];

	(void)snprintf(account, sizeof account, "%.*s", (int)strcspn(name, "/"), name);
	if (account_there(s, account))
		return true;
	return err_set(e, ERR_CONFIG, "mailbox %.150s: there is no account %.100s; make it first: postrider account add %.100s", name, account, account);
}

bool mailbox_open(struct store *s, const char *given, bool make, struct mailbox **box, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	struct mailbox *m;
	engine_part part;
	uint32_t epoch = 0;
	bool made;

	if (!box_name(given, name, e))
		return false;
	part = engine_part_of("mailbox", span_of(name));
	m = opened(s, part);
	made = m ? m->made : box_find(s, name, &epoch);
	if (!made && !account_must(s, name, e))
		return false;
	if (!made && !make)
		return err_set(e, ERR_CONFIG, "there is no mailbox %s; make it first: postrider mailbox add %s", name, name);
	if (!m) {
		m = store_memory(sizeof *m);
		*m = (struct mailbox){ .store = s, .part = part, .made = made, .last = &m->first };
		memcpy(m->name, name, sizeof name);
		if (!read_head(m, epoch, e)) {
			free(m);
			return false;
		}
		m->next = s->boxes[part % STORE_BUCKETS];
		s->boxes[part % STORE_BUCKETS] = m;
	}
	*box = m;
	return true;
}

bool mailbox_add(struct store *s, const char *given, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	uint32_t epoch;
	struct mailbox *box;

	if (!box_name(given, name, e) || !account_must(s, name, e))
		return false;
	if (box_find(s, name, &epoch))
		return err_set(e, ERR_CONFIG, "mailbox %s is there already", name);
	if (!box_make(s, name, &epoch, e))
		return false;
	box = opened(s, engine_part_of("mailbox", span_of(name)));
	if (box)		/* opened to be made with its first message */
		box->made = read_head(box, epoch, e);
	return !box || box->made;
}

void mailbox_free_all(struct store *s)
{
	for (size_t n = 0; n < STORE_BUCKETS; n++)
		while (s->boxes[n]) {
			struct mailbox *box = s->boxes[n];

			s->boxes[n] = box->next;
			assert(!box->group && !box->first);
			free(box->unmarks);
			free(box);
		}
}

uint64_t mailbox_count(const struct mailbox *box)
{
	return box->head.count;
}

uint64_t mailbox_bytes(const struct mailbox *box)
{
	return box->head.bytes;
}

static struct mailbox_entry entry_shown(const char *at)
{
	struct box_entry e = entry_unpack(at);

	return (struct mailbox_entry){ .uid = e.uid, .size = e.stored + (e.flags & BOX_NO_END ? 2 : 0), .arrived = e.arrived,
		.flags = e.flags & ~(uint32_t)BOX_NO_END, .dots = e.dots };
}

/* A key between those of the page before and of `page`. */
static struct span key_before(char key[10], uint64_t page)
{
	if (!page)
		return (struct span){ 0 };
	(void)box_page_key(key, page - 1);
	key[9] = '\xff';
	return (struct span){ key, 10 };
}

size_t mailbox_entries(struct mailbox *box, uint64_t from, struct mailbox_entry *out, size_t max)
{
	char at[10];
	struct span key, value;
	struct view *v;
	uint64_t position;
	size_t n = 0;

	if (from < box->walk.position)
		box->walk.position = box->walk.page = 0;
	position = box->walk.position;
	key = key_before(at, box->walk.page);
	v = store_view(box->store);
	while (n < max && view_next(v, box->part, SPAN("i"), &key, &value)) {
		uint64_t count = value.len / BOX_ENTRY;

		if (position + count > from) {
			box->walk.position = position;
			box->walk.page = key.len == 9 ? unpack_u64(key.at + 1) : 0;
		}
		for (; from < position + count && n < max; from++)
			out[n++] = entry_shown(value.at + (from - position) * BOX_ENTRY);
		position += count;
	}
	view_end(&v);
	return n;
}

const char *mailbox_uid(const struct mailbox *box, const struct mailbox_entry *entry, char out[MAILBOX_UID_TEXT])
{
	(void)box;		/* one day a Maildir's box has ids of its own */
	(void)snprintf(out, MAILBOX_UID_TEXT, "%016llx", (unsigned long long)entry->uid);
	return out;
}

bool box_entry_find(struct view *v, const struct mailbox *box, uint64_t uid, struct box_entry *entry)
{
	char key[9];
	struct span page;

	if (!view_get(v, box->part, box_page_key(key, uid / BOX_PAGE), &page))
		return false;
	for (; page.len >= BOX_ENTRY; page = span_from(page, BOX_ENTRY)) {
		*entry = entry_unpack(page.at);
		if (entry->uid == uid)
			return true;
	}
	return false;
}

enum piece { PIECE_USED, PIECE_STOP, PIECE_MISSING };

static enum piece read_piece(struct mailbox *box, const struct box_entry *entry, uint32_t piece, uint64_t *left,
	bool (*use)(void *user, struct span octets), void *user)
{
	struct view *v = store_view(box->store);
	enum piece got = PIECE_MISSING;
	struct span octets;

	if (view_blob(v, box->part, entry->blob, piece, &octets) && octets.len && octets.len <= *left) {
		*left -= octets.len;
		got = use(user, octets) ? PIECE_USED : PIECE_STOP;
	}
	view_end(&v);
	return got;
}

bool mailbox_read(struct mailbox *box, uint64_t uid, bool (*use)(void *user, struct span octets), void *user, struct err *e)
{
	struct view *v = store_view(box->store);
	struct box_entry entry;
	bool there = box_entry_find(v, box, uid, &entry);
	uint64_t left;

	view_end(&v);
	if (!there)
		return err_set(e, ERR_LOCAL, "mailbox %s: message %016llx is not there any more", box->name, (unsigned long long)uid);
	left = entry.stored;
	for (uint32_t piece = 0; left; piece++)
		switch (read_piece(box, &entry, piece, &left, use, user)) {
		case PIECE_USED:
			break;
		case PIECE_STOP:
			return err_set(e, ERR_LOCAL, "mailbox %s: reading was ended", box->name);
		case PIECE_MISSING:
			return err_set(e, ERR_LOCAL, "mailbox %s: message %016llx: piece %u is missing or damaged", box->name,
				(unsigned long long)uid, (unsigned)piece);
		}
	return true;
}
