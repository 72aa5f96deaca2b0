/* SPDX-License-Identifier: Apache-2.0
 * Operations on mailboxes, and lists of what is in them. */
#include <stdio.h>

#include "base/clock.h"
#include "control/json.h"
#include "control/operation.h"
#include "store/maildrop.h"
#include "wire/header.h"

enum { PAGE = 128, HEADERS_PAGE = 100, SUBJECT_MAX = 80 };

bool call_mailbox(const struct api_call *c, char name[MAILBOX_NAME_MAX + 1], struct err *e)
{
	const char *given = call_text(c, "mailbox");
	struct span s = span_of(given);
	size_t slash = span_find(s, '/');
	char part[ACCOUNT_NAME_MAX + 1], account[ACCOUNT_NAME_MAX + 1];

	if (slash == s.len || slash > ACCOUNT_NAME_MAX)
		return err_set(e, ERR_CONFIG, "%.300s is not ACCOUNT/BOX; write for example anna/INBOX", given);
	memcpy(part, given, slash);
	part[slash] = '\0';
	if (!account_name(part, c->api->main_domain, account, e))
		return false;
	if (snprintf(name, MAILBOX_NAME_MAX + 1, "%s%s", account, given + slash) > MAILBOX_NAME_MAX)
		return err_set(e, ERR_CONFIG, "the name of mailbox %.300s is too long", given);
	return true;
}

/* A box of the store that has mail, though the account's mail lies in a Maildir now: nobody sees it. */
static bool hidden(struct store *s, const char *name)
{
	struct place place;
	struct err e;

	return !place_find(s, name, NULL, &place, &e) || place.kind == PLACE_MAILDIR;
}

/* Looked at without opening: opened boxes stay in memory, and a service may have many. */
static bool list(struct api_call *c, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	uint64_t messages, octets;
	struct page p;

	if (!page_start(&p, c, name, sizeof name, e))
		return false;
	while (page_room(&p) && mailbox_each(c->api->store, name)) {
		if (!maildrop_peek(c->api->store, name, &messages, &octets, e)) {
			json_decref(p.rows);
			return false;
		}
		if (!hidden(c->api->store, name))
			page_add(&p, json_pack("{s:o, s:o, s:o}", "mailbox", json_text(name), "messages", json_number(messages), "octets", json_number(octets)));
		else if (messages)
			page_add(&p, json_pack("{s:o, s:o, s:o, s:b}", "mailbox", json_text(name), "messages", json_number(messages), "octets",
				json_number(octets), "hidden", true));
		else
			p.left--;
	}
	return page_end(&p, name, e);
}

/* Accounts whose mail lies in a Maildir; a page is over, too, when that many accounts were looked at. */
static bool maildirs(struct api_call *c, struct err *e)
{
	struct account_info info;
	struct page p;

	if (!page_start(&p, c, info.name, sizeof info.name, e))
		return false;
	while (page_room(&p) && account_each(c->api->store, &info)) {
		char box[ACCOUNT_NAME_MAX + sizeof "/INBOX"];
		struct place place;
		struct err why;

		(void)snprintf(box, sizeof box, "%s/INBOX", info.name);
		if (!place_find(c->api->store, box, NULL, &place, &why) || place.kind == PLACE_STORE)
			p.left--;
		else
			page_add(&p, json_pack("{s:o, s:o}", "mailbox", json_text(box), "maildir", json_text(place.path)));
	}
	return page_end(&p, info.name, e);
}

/* For who does with files what is to be done in a Maildir: the service opens no path of a caller's. */
static bool where(struct api_call *c, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1], account[MAILBOX_NAME_MAX + 1], path[PATH_MAX];
	struct place place;

	if (!call_mailbox(c, name, e) || !place_find(c->api->store, name, NULL, &place, e))
		return false;
	(void)snprintf(account, sizeof account, "%.*s", (int)strcspn(name, "/"), name);
	(void)snprintf(path, sizeof path, "%.*s", (int)place.account_len, place.path);
	return call_answer(c, json_pack("{s:o, s:o, s:o, s:b}", "mailbox", json_text(name), "maildir", *place.path ? json_text(place.path) : json_null(),
		"account_maildir", *path ? json_text(path) : json_null(), "known", account_there(c->api->store, account)), e);
}

static bool named(struct api_call *c, const char *name, struct err *e)
{
	return call_answer(c, json_pack("{s:o}", "mailbox", json_text(name)), e);
}

static bool add(struct api_call *c, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];

	return call_mailbox(c, name, e) && mailbox_add(c->api->store, name, e) && named(c, name, e);
}

static bool remove_box(struct api_call *c, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	struct mailbox *box;

	if (!call_mailbox(c, name, e) || !mailbox_open(c->api->store, name, false, &box, e))
		return false;
	if (mailbox_count(box) && !call_flag(c, "with_messages"))
		return err_set(e, ERR_CONFIG, "mailbox %s has %llu messages; --with-messages removes them with it", name,
			(unsigned long long)mailbox_count(box));
	return mailbox_destroy(c->api->store, name, clock_now_s(), e) && named(c, name, e);
}

struct first_piece {
	char from[SUBJECT_MAX], subject[SUBJECT_MAX];
};

static bool look(void *user, struct span octets)
{
	struct first_piece *p = user;
	struct span value;

	if (header_find(octets, "From", &value))
		header_value(value, p->from, sizeof p->from);
	if (header_find(octets, "Subject", &value))
		header_value(value, p->subject, sizeof p->subject);
	return true;
}

/* The header is in the first piece, or of no use here; a body that is gone has none. */
static void add_header(struct mailbox *box, uint64_t uid, json_t *row)
{
	struct first_piece p = { .from = "" };
	struct mailbox_reading r;
	struct err e;

	if (mailbox_read_start(box, uid, &r, &e) && r.left)
		(void)!mailbox_read_piece(box, &r, look, &p, &e);
	(void)json_object_set_new(row, "from", json_text(p.from));
	(void)json_object_set_new(row, "subject", json_text(p.subject));
}

static json_t *message_json(struct mailbox *box, const struct mailbox_entry *entry, uint64_t number, bool header)
{
	char uid[MAILBOX_UID_TEXT], arrived[MOMENT_TEXT];
	json_t *row = json_pack("{s:o, s:s, s:o, s:s, s:b}", "number", json_number(number), "uid", mailbox_uid(box, entry, uid),
		"octets", json_number(entry->size), "arrived", moment_text(entry->arrived, arrived), "seen", (entry->flags & MAILBOX_SEEN) != 0);

	if (row && header)
		add_header(box, entry->uid, row);
	return row;
}

/* Entries of which the first is the one that was listed last, `uid`, or stands before it: so none is passed over when
 * others are removed, by the store's other thread at any moment; each call has one view.  *position becomes that of the first. */
static size_t entries_behind(struct mailbox *box, uint64_t *position, uint64_t uid, struct mailbox_entry entries[PAGE])
{
	for (;;) {
		uint64_t from = *position ? *position - 1 : 0;
		size_t got = mailbox_entries(box, from, entries, PAGE);

		if (!from || (got && entries[0].uid <= uid)) {
			*position = from;
			return got;
		}
		*position = *position > PAGE ? *position - PAGE : 0;
	}
}

/* A cursor is POSITION.UID. */
static bool read_cursor(const char *cursor, uint64_t *position, uint64_t *uid, struct err *e)
{
	struct span s = span_of(cursor);
	size_t dot = span_find(s, '.');

	*position = *uid = 0;
	if (!s.len || (span_number((struct span){ s.at, dot }, UINT64_MAX, position) && span_number(span_from(s, dot + 1), UINT64_MAX, uid)))
		return true;
	return err_set(e, ERR_CONFIG, "after is not what an answer's next said");
}

static bool messages(struct api_call *c, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1], cursor[64];
	struct mailbox_entry entries[PAGE];
	bool header = call_flag(c, "header");
	uint64_t position, after;
	struct mailbox *box;
	struct page p;
	bool fresh;
	size_t got;

	if (!call_mailbox(c, name, e) || !mailbox_open(c->api->store, name, false, &box, e) || !page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	if (!read_cursor(cursor, &position, &after, e)) {
		json_decref(p.rows);
		return false;
	}
	if (header && p.left > HEADERS_PAGE)
		p.left = HEADERS_PAGE;
	do {
		fresh = false;
		got = entries_behind(box, &position, after, entries);
		for (size_t n = 0; n < got && page_room(&p); n++) {
			position++;
			if (entries[n].uid <= after)
				continue;
			after = entries[n].uid;
			fresh = true;
			page_add(&p, message_json(box, &entries[n], position, header));
		}
	} while (page_room(&p) && (fresh || got == PAGE));
	(void)snprintf(cursor, sizeof cursor, "%llu.%llu", (unsigned long long)position, (unsigned long long)after);
	return page_end(&p, cursor, e);
}

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_box[] = { ARG_MAILBOX, ARGS_END };
static const struct arg args_remove[] = { ARG_MAILBOX, { "with_messages", ARG_FLAG, false, 0 }, ARGS_END };
static const struct arg args_messages[] = { ARG_MAILBOX, { "header", ARG_FLAG, false, 0 }, ARGS_PAGE, ARGS_END };

const struct operation api_mailboxes[] = {
	{ .name = "mailbox.add", .args = args_box, .run = add },
	{ .name = "mailbox.list", .quiet = true, .args = args_page, .run = list },
	{ .name = "mailbox.maildirs", .quiet = true, .args = args_page, .run = maildirs },
	{ .name = "mailbox.messages", .quiet = true, .args = args_messages, .run = messages },
	{ .name = "mailbox.place", .quiet = true, .args = args_box, .run = where },
	{ .name = "mailbox.remove", .args = args_remove, .run = remove_box },
	{ .name = NULL },
};
