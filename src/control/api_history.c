/* SPDX-License-Identifier: Apache-2.0
 * Operations on the ledger.  A ledger is named by a token of CONNECTION|MAILBOX, the mailbox as on the wire.
 *
 * The order of people, by when a message was first seen, is not the order at rest.  So
 * whoever wants it asks for the index of what fits (history_filter.h), page by page, sorts, and asks for entries. */
#include <stdio.h>
#include <stdlib.h>

#include "control/history_filter.h"
#include "control/json.h"
#include "store/held_ledger.h"
#include "wire/utf7.h"

enum { NAME = LEDGER_CONNECTION_MAX + 1 + LEDGER_MAILBOX_MAX + 1, KEY = sizeof(((struct ledger_name *)0)->key), ID_TEXT = 65,
	LOOK_MAX = 4096 };	/* entries looked at for one page, which must not take long */

static void hex(const char *octets, size_t len, char *out)
{
	for (size_t n = 0; n < len; n++)
		(void)snprintf(out + 2 * n, 3, "%02x", (unsigned char)octets[n]);
	out[2 * len] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unhex(const char *text, char *out, size_t size, size_t *len)
{
	for (*len = 0; text[0]; text += 2) {
		int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

		if (low < 0 || *len == size)
			return false;
		out[(*len)++] = (char)(high << 4 | low);
	}
	return true;
}

static json_t *mailbox_json(const char *mailbox)
{
	char shown[LEDGER_MAILBOX_MAX * 3];

	utf7_show(span_of(mailbox), shown, sizeof shown);
	return mailbox[0] ? json_text(shown) : json_null();
}

/* To count takes as long as the ledger is. */
static json_t *ledger_json(struct store *s, const struct ledger_name *name, bool uncounted)
{
	char whole[NAME];
	struct ledger *l;
	struct err e;

	(void)snprintf(whole, sizeof whole, "%s|%s", name->connection, name->mailbox);
	if (!ledger_open(s, name->connection, name->mailbox, &l, &e))
		return NULL;
	return json_pack("{s:o, s:o, s:o, s:o}", "ledger", token_of(span_of(whole)), "connection", json_text(name->connection),
		"mailbox", mailbox_json(name->mailbox), "entries", uncounted ? json_null() : json_number(ledger_count(l)));
}

/* The cursor is where the walk is: its key has any octets, so it stands in hexadecimal. */
static bool ledgers(struct api_call *c, struct err *e)
{
	char cursor[2 * KEY + 1];
	struct ledger_name name = { 0 };
	struct page p;

	if (!page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	if (!unhex(cursor, name.key, sizeof name.key, &name.key_len)) {
		json_decref(p.rows);
		return err_set(e, ERR_CONFIG, "after is not what an answer's next said");
	}
	while (page_room(&p) && ledger_each(c->api->store, call_text(c, "connection"), &name))
		page_add(&p, ledger_json(c->api->store, &name, call_flag(c, "uncounted")));
	hex(name.key, name.key_len, cursor);
	return page_end(&p, cursor, e);
}

/* One that is there: to open it must not make it. */
static bool find(const struct api_call *c, struct ledger_name *at, struct ledger **l, struct err *e)
{
	char whole[NAME], *bar;

	if (!token_read(call_text(c, "ledger"), whole, sizeof whole) || !(bar = strchr(whole, '|')))
		return err_set(e, ERR_CONFIG, "ledger is none of history.ledgers");
	*bar = '\0';
	for (*at = (struct ledger_name){ 0 }; ledger_each(c->api->store, whole, at);)
		if (strcmp(at->mailbox, bar + 1) == 0)
			return ledger_open(c->api->store, at->connection, at->mailbox, l, e);
	return err_set(e, ERR_CONFIG, "there is no such ledger any more");
}

/* Of what fits, page by page; a page may have no rows, and a `next`. */
static void add_index(struct page *p, struct ledger *l, const struct history_filter *f, uint8_t last[32], bool first)
{
	struct ledger_entry entry;
	size_t looked = 0;
	char id[ID_TEXT];

	while (page_room(p) && ledger_next(l, first ? NULL : last, &entry)) {
		first = false;
		memcpy(last, entry.id, sizeof entry.id);
		if (history_filter_takes(f, &entry)) {
			hex((const char *)entry.id, sizeof entry.id, id);
			page_add(p, json_pack("{s:s, s:o}", "id", id, "first_seen", json_moment(entry.first_seen)));
		}
		if (++looked == LOOK_MAX)
			p->left = 0;
	}
}

static bool index_of(struct api_call *c, struct err *e)
{
	char cursor[ID_TEXT];
	uint8_t last[32] = { 0 };
	struct history_filter f;
	struct ledger_name name;
	struct ledger *l;
	struct page p;
	size_t len;

	if (!find(c, &name, &l, e) || !history_filter_read(&f, c, e) || !page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	if (!unhex(cursor, (char *)last, sizeof last, &len) || (len && len != sizeof last)) {
		json_decref(p.rows);
		return err_set(e, ERR_CONFIG, "after is not what an answer's next said");
	}
	add_index(&p, l, &f, last, !len);
	hex((const char *)last, sizeof last, cursor);
	return page_end(&p, cursor, e);
}

/* Are these filters good?  With no ledger there is no index to say so. */
static bool check(struct api_call *c, struct err *e)
{
	struct history_filter f;

	return history_filter_read(&f, c, e) && call_answer(c, json_object(), e);
}

/* Copies that no entry mentions, for it is done: of what is quarantined, or was released. */
struct loose {
	struct loose_copy {
		uint8_t entry[32];
		uint64_t id;
	} *all;
	size_t count, cap;
};

static int by_entry(const void *a, const void *b)
{
	const struct loose_copy *one = a, *two = b;
	int order = memcmp(one->entry, two->entry, sizeof one->entry);

	return order ? order : (one->id > two->id) - (one->id < two->id);
}

static bool gather(struct store *s, const struct ledger_name *of, struct loose *x, struct err *e)
{
	struct held_info info = { .id = 0 };

	while (held_next_of(s, of->connection, &info)) {
		if (strcmp(info.origin.mailbox, of->mailbox) != 0 || (info.state != HELD_QUARANTINED && !info.released))
			continue;
		if (x->count == x->cap) {
			size_t cap = x->cap ? 2 * x->cap : 16;
			struct loose_copy *more = reallocarray(x->all, cap, sizeof *more);

			if (!more)
				return err_set(e, ERR_LOCAL, "out of memory");
			x->all = more;
			x->cap = cap;
		}
		memcpy(x->all[x->count].entry, info.origin.id, sizeof x->all->entry);
		x->all[x->count++].id = info.id;
	}
	if (x->count)
		qsort(x->all, x->count, sizeof *x->all, by_entry);
	return true;
}

/* The first that is of this entry or behind it. */
static size_t first_of(const struct loose *x, const uint8_t entry[32])
{
	size_t low = 0, high = x->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(x->all[middle].entry, entry, sizeof x->all->entry) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Of what is held of it: ids for held.show. */
static json_t *copies_json(const struct ledger_entry *entry, const struct loose *x)
{
	json_t *all = json_array();
	char id[HELD_ID_TEXT];

	for (uint32_t n = 0; n < entry->target_count; n++)
		if (entry->targets[n].state == LEDGER_TARGET_HELD && *entry->targets[n].place)
			(void)json_array_append_new(all, json_text(entry->targets[n].place));
	for (size_t n = first_of(x, entry->id); n < x->count && memcmp(x->all[n].entry, entry->id, sizeof entry->id) == 0; n++)
		if (!held_mentions(entry, x->all[n].id))
			(void)json_array_append_new(all, json_string(held_id_text(x->all[n].id, id)));
	return all;
}

static json_t *entry_json(const struct ledger_name *of, const struct ledger_entry *entry, const struct loose *x)
{
	char digest[ID_TEXT] = "", id[ID_TEXT];

	hex((const char *)entry->id, sizeof entry->id, id);
	if (entry->has_digest)
		hex((const char *)entry->digest, sizeof entry->digest, digest);
	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "connection", json_text(of->connection),
		"mailbox", mailbox_json(of->mailbox), "uid", json_text(entry->uid), "state", ledger_state_name(entry->state),
		"size", json_number(entry->size), "attempts", json_number(entry->attempts), "sha256", digest,
		"first_seen", json_moment(entry->first_seen), "changed", json_moment(entry->changed), "accepted", json_moment(entry->accepted),
		"error", json_text(entry->error), "copies", copies_json(entry, x), "id", id);
}

static bool entries_of(struct api_call *c, const struct ledger_name *of, struct ledger *l, const struct loose *x, struct err *e)
{
	const json_t *ids = json_object_get(c->args, "ids"), *one;
	struct ledger_entry entry;
	struct page p;
	char cursor[2];
	uint8_t id[32];
	size_t n, len;

	if (!page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	json_array_foreach(ids, n, one) {
		if (!page_room(&p))
			break;
		if (!unhex(json_string_value(one), (char *)id, sizeof id, &len) || len != sizeof id) {
			json_decref(p.rows);
			return err_set(e, ERR_CONFIG, "member %zu of ids is no id of history.index", n);
		}
		if (ledger_get(l, id, &entry) && entry.state != LEDGER_ALIAS)
			page_add(&p, entry_json(of, &entry, x));
	}
	return call_answer(c, p.rows ? json_pack("{s:o, s:o}", "rows", p.rows, "given", json_number(n)) : NULL, e);
}

/* Those that are gone meanwhile are left out; the page may end before the ids do, and then `given` says how many were looked at. */
static bool entries(struct api_call *c, struct err *e)
{
	struct loose x = { 0 };
	struct ledger_name name;
	struct ledger *l;
	bool good = find(c, &name, &l, e) && gather(c->api->store, &name, &x, e) && entries_of(c, &name, l, &x, e);

	free(x.all);
	return good;
}

/* What is held stays known (held_rescan). */
static bool forget(struct api_call *c, struct err *e)
{
	const char *connection = call_text(c, "connection");
	struct store_lock *lock = NULL;
	struct held_rescanned r;
	struct ledger_name name;
	struct ledger *l;
	bool good;

	if (call_has(c, "ledger") && !find(c, &name, &l, e))
		return false;
	if (call_has(c, "ledger") && strcmp(name.connection, connection) != 0)
		return err_set(e, ERR_CONFIG, "that ledger is not of connection %s", connection);
	if (!store_lock_take(c->api->store, connection, &lock, e))
		return false;
	good = call_has(c, "ledger") ? held_rescan_one(c->api->store, &name, &r, e) : held_rescan(c->api->store, connection, &r, e);
	store_lock_drop(&lock);
	return good && call_answer(c, json_pack("{s:o, s:o, s:o}", "ledgers", json_number(r.ledgers), "entries", json_number(r.forgotten),
		"kept", json_number(r.kept)), e);
}

/* Targets that refused a message, or had no room to be waited for, are asked again by the next visit. */
struct asking {
	struct store_lock *lock;
	uint64_t count;
};

static bool again(struct api_call *c, struct err *e)
{
	struct ledger_name name;
	struct asking *a;
	struct ledger *l;

	if (!find(c, &name, &l, e))
		return false;
	if (!held_would_ask(c->api->store, l))
		return call_answer(c, json_pack("{s:i}", "messages", 0), e);
	a = c->mine = calloc(1, sizeof *a);
	if (!a)
		return err_set(e, ERR_LOCAL, "out of memory");
	if (!store_lock_take(c->api->store, name.connection, &a->lock, e))
		return err_in(e, "messages that were refused can be asked for again when its visit has ended");
	c->later = true;
	a->count = held_ask_again(c->api->store, l, call_ticket(c));
	return true;
}

/* How many history.again would ask for. */
static bool waiting(struct api_call *c, struct err *e)
{
	struct ledger_name name;
	struct ledger *l;

	return find(c, &name, &l, e) && call_answer(c, json_pack("{s:o}", "messages", json_number(held_would_ask(c->api->store, l))), e);
}

static bool again_did(struct api_call *c, struct err *e)
{
	const struct asking *a = c->mine;

	return call_answer(c, json_pack("{s:o}", "messages", json_number(a->count)), e);
}

static void again_end(struct api_call *c)
{
	struct asking *a = c->mine;

	if (a)
		store_lock_drop(&a->lock);
	free(a);
	c->mine = NULL;
}

#define CONNECTION(must) { "connection", ARG_TEXT, must, LEDGER_CONNECTION_MAX }
#define LEDGER { "ledger", ARG_TEXT, true, 3 * NAME }

static const struct arg args_ledgers[] = { CONNECTION(false), { "uncounted", ARG_FLAG, false, 0 }, ARGS_PAGE, ARGS_END };
static const struct arg args_index[] = { LEDGER, ARGS_HISTORY, ARGS_PAGE, ARGS_END };
static const struct arg args_filters[] = { ARGS_HISTORY, ARGS_END };
static const struct arg args_entries[] = { LEDGER, { "ids", ARG_TEXTS, true, API_ROWS_MAX }, ARGS_END };
static const struct arg args_again[] = { LEDGER, ARGS_END };
static const struct arg args_forget[] = { CONNECTION(true), { "ledger", ARG_TEXT, false, 3 * NAME }, ARGS_END };

const struct operation api_histories[] = {
	{ .name = "history.again", .args = args_again, .run = again, .did = again_did, .end = again_end },
	{ .name = "history.check", .quiet = true, .args = args_filters, .run = check },
	{ .name = "history.entries", .quiet = true, .args = args_entries, .run = entries },
	{ .name = "history.forget", .args = args_forget, .run = forget },
	{ .name = "history.index", .quiet = true, .args = args_index, .run = index_of },
	{ .name = "history.ledgers", .quiet = true, .args = args_ledgers, .run = ledgers },
	{ .name = "history.waiting", .quiet = true, .args = args_again, .run = waiting },
	{ .name = NULL },
};
