/* SPDX-License-Identifier: Apache-2.0
 * Mailboxes: opening them, and reading.  incoming.c appends. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/account.h"
#include "store/acl.h"
#include "store/box.h"
#include "store/intent.h"
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

bool box_head_unpack(struct span value, struct box_head *head)
{
	uint8_t format = take_u8(&value);

	head->next_uid = take_u64(&value);
	head->next_blob = take_u64(&value);
	head->count = take_u64(&value);
	head->bytes = take_u64(&value);
	return value.at && format == HEAD_FORMAT;
}

static struct mailbox *opened(struct store *s, engine_part part)
{
	struct mailbox *box = s->boxes[part % STORE_BUCKETS];

	while (box && box->part != part)
		box = box->next;
	return box;
}

uint64_t box_octets(struct store *s, const char *name)
{
	engine_part part = engine_part_of("mailbox", span_of(name));
	const struct mailbox *box = opened(s, part);
	struct box_head head = { 0 };
	struct span value;
	struct view *v;

	if (box)
		return box->head.bytes;
	v = store_view(s);
	if (view_get(v, part, SPAN("h"), &value) && !box_head_unpack(value, &head))
		head.bytes = 0;		/* who opens the box says that it is damaged */
	view_end(&v);
	return head.bytes;
}

static bool read_head(struct mailbox *box, uint32_t epoch, struct err *e)
{
	struct view *v = store_view(box->store);
	struct span value;
	bool there = view_get(v, box->part, SPAN("h"), &value), good = true;

	box->head = (struct box_head){ .next_uid = (uint64_t)epoch << 32 | 1, .next_blob = (uint64_t)epoch << 32 | 1 };
	box->head_there = there;
	if (there)
		good = box_head_unpack(value, &box->head);
	view_end(&v);
	box->next_blob = box->head.next_blob;
	return good ? true : err_set(e, ERR_LOCAL, "mailbox %s: its head is damaged", box->name);
}

bool box_account_must(struct store *s, const char *name, struct err *e)
{
	char account[ACCOUNT_NAME_MAX + 1];

	(void)snprintf(account, sizeof account, "%.*s", (int)strcspn(name, "/"), name);
	if (account_there(s, account))
		return true;
	return err_set(e, ERR_CONFIG, "mailbox %.150s: there is no account %.100s; make it first: postrider account add %.100s", name, account, account);
}

bool box_here(struct mailbox *box, struct err *e)
{
	if (box->places != box->store->places.changes) {
		if (!place_must_be_store(box->store, box->name, e))
			return false;
		box->places = box->store->places.changes;
	}
	return true;
}

static bool busy(const struct mailbox *box)
{
	return box->incomings || box->group || box->editing || edit_waits(box);
}

bool box_busy(const struct store *s, const char *account)
{
	size_t len = strlen(account);

	for (size_t n = 0; n < STORE_BUCKETS; n++)
		for (const struct mailbox *box = s->boxes[n]; box; box = box->next)
			if (strncmp(box->name, account, len) == 0 && box->name[len] == '/' && busy(box))
				return true;
	return false;
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
	if (m ? !box_here(m, e) : !place_must_be_store(s, name, e))
		return false;
	made = m ? m->made : box_find(s, name, &epoch);
	if (!made && !box_account_must(s, name, e))
		return false;
	if (!made && !make)
		return err_set(e, ERR_CONFIG, "there is no mailbox %s; make it first: postrider mailbox add %s", name, name);
	if (!m) {
		m = store_memory(sizeof *m);
		*m = (struct mailbox){ .store = s, .part = part, .made = made, .places = s->places.changes, .last = &m->first, .edits_last = &m->edits };
		memcpy(m->name, name, sizeof name);
		if (made && (!read_head(m, epoch, e) || !edit_resume(m, e))) {
			edit_free_all(m);
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

	if (!box_name(given, name, e) || !place_must_be_store(s, name, e) || !box_account_must(s, name, e))
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

bool mailbox_destroy(struct store *s, const char *given, int64_t now, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	struct mailbox *box;
	uint64_t octets;
	uint32_t epoch;

	if (!box_name(given, name, e))
		return false;
	if (!box_find(s, name, &epoch))
		return err_set(e, ERR_CONFIG, "there is no mailbox %s", name);
	box = opened(s, engine_part_of("mailbox", span_of(name)));
	if (box && busy(box))
		return err_set(e, ERR_BUSY, "mailbox %s: mail is coming in or going just now; try again", name);
	octets = box_octets(s, name);
	/* The rights first: who makes the box anew must not find them. */
	if (!acl_forget(s, name, e) || !box_bury(s, name, now, e))
		return false;
	if (box) {
		box->made = box->head_there = false;
		box->head = (struct box_head){ 0 };
		box->walk.position = box->walk.page = 0;
		box->unmark_count = 0;
	}
	quota_moved(s, name, octets, 0, 0);
	return true;
}

void mailbox_free_all(struct store *s)
{
	for (size_t n = 0; n < STORE_BUCKETS; n++)
		while (s->boxes[n]) {
			struct mailbox *box = s->boxes[n];

			s->boxes[n] = box->next;
			assert(!box->group && !box->first && !box->editing);
			edit_free_all(box);
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

size_t mailbox_entries(struct mailbox *box, uint64_t from, struct mailbox_entry *out, size_t max)
{
	struct view *v = store_view(box->store);
	struct box_intent intent;
	struct box_walk walk;
	struct span page;
	uint64_t position, number;
	size_t n = 0;

	if (!box->made)
		max = 0;
	if (from < box->walk.position)
		box->walk.position = box->walk.page = 0;
	position = box->walk.position;
	box_walk_start(&walk, v, box->part, box->walk.page);
	if (!intent_read(v, box->part, &intent))
		store_damaged(box->name, "what is leaving it");
	while (n < max && box_walk_next(&walk, &number, &page)) {
		uint64_t begins = position;

		for (; page.len >= BOX_ENTRY && n < max; page = span_from(page, BOX_ENTRY)) {
			struct box_entry e = box_entry_unpack(page.at);

			if (uids_has(&intent.going, e.uid) || position++ < from)
				continue;
			out[n++] = (struct mailbox_entry){ .uid = e.uid, .size = box_entry_size(&e), .arrived = e.arrived, .dots = e.dots,
				.flags = (e.flags & ~(uint32_t)BOX_INSIDE) | (uids_has(&intent.seen, e.uid) ? MAILBOX_SEEN : 0) };
		}
		if (position > from) {
			box->walk.position = begins;
			box->walk.page = number;
		}
	}
	intent_free(&intent);
	view_end(&v);
	return n;
}

const char *mailbox_uid(const struct mailbox *box, const struct mailbox_entry *entry, char out[MAILBOX_UID_TEXT])
{
	(void)box;		/* one day a Maildir's box has ids of its own */
	(void)snprintf(out, MAILBOX_UID_TEXT, "%016llx", (unsigned long long)entry->uid);
	return out;
}

static bool going(struct view *v, engine_part part, uint64_t uid)
{
	struct box_intent intent;
	bool goes = !intent_read(v, part, &intent) || uids_has(&intent.going, uid);

	intent_free(&intent);
	return goes;
}

bool box_entry_find(struct view *v, engine_part part, uint64_t uid, struct box_entry *entry)
{
	char key[9];
	struct span page;

	if (!view_get(v, part, box_page_key(key, uid / BOX_PAGE), &page))
		return false;
	for (; page.len >= BOX_ENTRY; page = span_from(page, BOX_ENTRY)) {
		*entry = box_entry_unpack(page.at);
		if (entry->uid == uid)
			return !going(v, part, uid);
	}
	return false;
}

bool mailbox_read_start(struct mailbox *box, uint64_t uid, struct mailbox_reading *r, struct err *e)
{
	struct view *v = store_view(box->store);
	struct box_entry entry;
	bool there = box->made && box_entry_find(v, box->part, uid, &entry);

	view_end(&v);
	if (!there)
		return err_set(e, ERR_LOCAL, "mailbox %s: message %016llx is not there any more", box->name, (unsigned long long)uid);
	*r = (struct mailbox_reading){ .uid = uid, .blob = entry.blob, .left = entry.stored };
	return true;
}

bool mailbox_read_piece(struct mailbox *box, struct mailbox_reading *r, bool (*use)(void *user, struct span octets), void *user, struct err *e)
{
	struct view *v = store_view(box->store);
	struct span octets;
	bool there = view_blob(v, box->part, r->blob, r->piece, &octets) && octets.len && octets.len <= r->left, used = there && use(user, octets);

	if (there) {
		r->left -= octets.len;
		r->piece++;
	}
	view_end(&v);
	if (!there)
		return err_set(e, ERR_LOCAL, "mailbox %s: message %016llx: piece %u is missing or damaged", box->name,
			(unsigned long long)r->uid, (unsigned)r->piece);
	return used || err_set(e, ERR_LOCAL, "mailbox %s: reading was ended", box->name);
}

bool mailbox_read(struct mailbox *box, uint64_t uid, bool (*use)(void *user, struct span octets), void *user, struct err *e)
{
	struct mailbox_reading r;

	if (!mailbox_read_start(box, uid, &r, e))
		return false;
	while (r.left)
		if (!mailbox_read_piece(box, &r, use, user, e))
			return false;
	return true;
}
