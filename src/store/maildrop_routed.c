/* SPDX-License-Identifier: Apache-2.0 */
#include "store/maildrop_routed.h"

#include <stdlib.h>

#include "store/mdir_inside.h"
#include "store/routed.h"
#include "store/routed_known.h"
#include "wire/mdirname.h"

/* One look through a maildrop. */
struct looking {
	const struct route_field *field;
	struct span address;
	struct maildrop *drop;
	engine_part part;		/* where its index is, or what was read is remembered */
	bool *keep, *read;		/* of each message: it is in the view; only its header tells */
	struct buf head;
	bool full;			/* more of it is not looked at */
	struct buf text;		/* the addresses of that header, */
	bool many;			/* unless they are too many to be kept */
	bool meant;
};

static void compare(void *user, struct span listed)
{
	struct looking *l = user;

	l->meant |= routed_means(listed, l->address);
}

static void note(void *user, struct span listed)
{
	struct looking *l = user;

	compare(l, listed);
	l->many |= !buf_add(&l->text, listed) || !buf_add_byte(&l->text, '\0');
}

/* Addresses of the index, each with a NUL behind: is the one that is looked for among them? */
static bool among(struct looking *l, struct span addresses)
{
	l->meant = false;
	while (addresses.len) {
		struct span listed = { addresses.at, span_find(addresses, '\0') };

		compare(l, listed);
		addresses = span_from(addresses, listed.len + 1);
	}
	return l->meant;
}

static size_t take_head(void *user, struct span octets)
{
	struct looking *l = user;
	size_t room = ROUTED_HEADER_MAX - l->head.len;

	l->full |= octets.len > room || !buf_add(&l->head, octets);
	if (octets.len > room)
		(void)!buf_add(&l->head, (struct span){ octets.at, room });
	return octets.len;
}

/* Whom does the header of message `number` list? It is looked at whenever twice as much of it is there. False: it cannot be read. */
static bool read_header(struct looking *l, uint32_t number)
{
	enum maildrop_got got = MAILDROP_MORE;
	struct maildrop_reading r;
	enum routed_whole whole;
	size_t enough = 1;

	maildrop_start(l->drop, number, &r);
	l->head.len = 0;
	l->full = false;
	do {
		while (got == MAILDROP_MORE && !l->full && l->head.len < enough)
			got = maildrop_piece(l->drop, &r, true, take_head, l);
		if (got == MAILDROP_GONE)
			return false;
		whole = l->full ? ROUTED_CUT : got == MAILDROP_END ? ROUTED_WHOLE : ROUTED_GOES_ON;
		enough = l->head.len * 2;
		l->meant = l->many = false;
		l->text.len = 0;
	} while (!routed_find(buf_span(&l->head), whole, l->field->name, note, l));
	return true;
}

/* What the index says of a message that lists somebody. */
static void look_up(struct looking *l, struct view *v, engine_part part, uint32_t n)
{
	char key[ROUTED_KEY];
	struct span value;

	if (!view_get(v, part, routed_key(key, maildrop_messages(l->drop)[n].uid), &value) || span_equal(value, (struct span){ "", 1 }))
		l->read[n] = true;
	else
		l->keep[n] = among(l, value);
}

/* A page of the index, beside the messages from *n on; what left it since they were read is in no view. */
static void judge_page(struct looking *l, struct view *v, engine_part part, struct span page, uint32_t *n)
{
	const struct drop_message *messages = maildrop_messages(l->drop);

	for (; page.len >= BOX_ENTRY; page = span_from(page, BOX_ENTRY)) {
		struct box_entry entry = box_entry_unpack(page.at);
		uint32_t number = (entry.flags & BOX_FIELD) >> BOX_FIELD_SHIFT;

		while (*n < maildrop_count(l->drop) && messages[*n].uid < entry.uid)
			++*n;
		if (*n == maildrop_count(l->drop) || messages[*n].uid != entry.uid)
			continue;
		if (!number || number != l->field->number)
			l->read[*n] = true;
		else if (entry.flags & BOX_LISTS)
			look_up(l, v, part, *n);
	}
}

/* By the box's index: who is in the view, and of whom only the header tells? */
static bool judge(struct looking *l, struct err *e)
{
	struct box_walk walk;
	struct span page;
	uint64_t number;
	struct view *v;
	uint32_t n = 0;

	if (!view_begin(l->drop->engine, &v, e))
		return false;
	box_walk_start(&walk, v, l->part, 0);
	while (box_walk_next(&walk, &number, &page))
		judge_page(l, v, l->part, page, &n);
	view_end(&v);
	return true;
}

/* By what a header is remembered: the octets that stand under it never become others. */
static uint64_t lasting_id(const struct looking *l, uint32_t n)
{
	struct mdir_file file;
	struct span base;

	if (!l->drop->mdir)
		return l->drop->messages[n].uid;
	if (!mdir_locate(l->drop, n + 1, false, &file))
		return 0;
	base = mdirname_base(span_of(file.name));
	return engine_part_of("file", base);
}

/* What was remembered of the headers that would be read; `messages` is for them. */
static bool recall(struct looking *l, struct known *k, struct known_message *messages, struct err *e)
{
	const struct known_message *m;
	struct span addresses;
	struct view *v;
	size_t count = 0;

	for (uint32_t n = 0; n < l->drop->count; n++)
		if (l->read[n])
			messages[count++] = (struct known_message){ lasting_id(l, n), n };
	known_start(k, l->drop->engine, l->part, l->field->number, messages, count);
	if (!view_begin(l->drop->engine, &v, e))
		return false;
	while (known_next(k, v, &m, &addresses)) {
		l->read[m->number] = false;
		l->keep[m->number] = among(l, addresses);
	}
	view_end(&v);
	return true;
}

/* Headers that nobody remembers. A name without a number cannot be told from others like it. */
static void read_headers(struct looking *l, struct known *k)
{
	for (uint32_t n = 0; n < l->drop->count; n++) {
		if (!l->read[n] || !read_header(l, n + 1))
			continue;
		l->keep[n] = l->meant;
		if (k && !l->many)
			known_put(k, lasting_id(l, n), buf_span(&l->text));
	}
}

static bool look_through(struct looking *l, struct known_message *messages, struct err *e)
{
	bool known = l->field->number;
	struct known k = { 0 };

	if (l->drop->mdir)
		memset(l->read, true, l->drop->count);
	else if (!judge(l, e))
		return false;
	if (known && !recall(l, &k, messages, e))
		return false;
	read_headers(l, known ? &k : NULL);
	known_end(&k);
	return true;
}

bool maildrop_route(struct store *s, struct maildrop *drop, const char *address, struct err *e)
{
	size_t count = drop->count;
	bool *verdicts = calloc(count + 1, 2 * sizeof *verdicts), good;
	struct known_message *messages = calloc(count + 1, sizeof *messages);
	struct looking l = { .field = route_field_now(s), .address = span_of(address), .drop = drop, .keep = verdicts,
		.part = drop->mdir ? engine_part_of("routed", span_of(drop->mdir->path)) : drop->part };

	buf_start(&l.head, ROUTED_HEADER_MAX);
	buf_start(&l.text, ROUTED_TEXT_MAX);
	good = (verdicts && messages) || err_set(e, ERR_LOCAL, "out of memory for a routed mailbox");
	if (good) {
		l.read = verdicts + count;
		good = look_through(&l, messages, e);
	}
	if (good)
		maildrop_keep(drop, l.keep);
	buf_end(&l.head);
	buf_end(&l.text);
	free(messages);
	free(verdicts);
	return good;
}

bool maildrop_open_routed(struct store *s, const char *box, const char *address, struct maildrop **drop, struct err *e)
{
	if (!maildrop_open(s, box, drop, e))
		return false;
	if (maildrop_route(s, *drop, address, e))
		return true;
	maildrop_close(drop);
	return false;
}
