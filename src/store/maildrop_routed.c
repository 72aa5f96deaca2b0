/* SPDX-License-Identifier: Apache-2.0 */
#include "store/maildrop_routed.h"

#include <stdlib.h>

#include "store/routed.h"

/* One look through a maildrop. */
struct looking {
	const struct route_field *field;
	struct span address;
	struct maildrop *drop;
	bool *keep, *read;		/* of each message: it is in the view; only its header tells */
	struct buf head;
	bool full;			/* more of it is not looked at */
	bool meant;
};

static void compare(void *user, struct span listed)
{
	struct looking *l = user;

	l->meant |= routed_means(listed, l->address);
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

/* Does the header of message `number` list the address? It is looked at whenever twice as much of it is there. */
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
		l->meant = false;
	} while (!routed_find(buf_span(&l->head), whole, l->field->name, compare, l));
	return l->meant;
}

/* What the index says of a message that lists somebody. */
static void look_up(struct looking *l, struct view *v, engine_part part, uint32_t n)
{
	char key[ROUTED_KEY];
	struct span value;

	if (!view_get(v, part, routed_key(key, maildrop_messages(l->drop)[n].uid), &value) || span_equal(value, (struct span){ "", 1 })) {
		l->read[n] = true;
		return;
	}
	l->meant = false;
	while (value.len) {
		struct span listed = { value.at, span_find(value, '\0') };

		compare(l, listed);
		value = span_from(value, listed.len + 1);
	}
	l->keep[n] = l->meant;
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

static bool judge(struct looking *l, struct store *s, const char *box, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	struct box_walk walk;
	struct span page;
	uint64_t number;
	engine_part part;
	struct view *v;
	uint32_t n = 0;

	if (!box_name(box, name, e) || !view_begin(store_engine(s), &v, e))
		return false;
	part = engine_part_of("mailbox", span_of(name));
	box_walk_start(&walk, v, part, 0);
	while (box_walk_next(&walk, &number, &page))
		judge_page(l, v, part, page, &n);
	view_end(&v);
	return true;
}

/* `box` NULL: there is no index, all headers are read. */
static bool narrow(struct store *s, const char *box, struct maildrop *drop, const char *address, struct err *e)
{
	uint32_t count = maildrop_count(drop);
	bool *verdicts = calloc((size_t)count + 1, 2 * sizeof *verdicts), good;
	struct looking l = { .field = route_field_now(s), .address = span_of(address), .drop = drop, .keep = verdicts };

	if (!verdicts)
		return err_set(e, ERR_LOCAL, "out of memory for a routed mailbox");
	l.read = verdicts + count;
	buf_start(&l.head, ROUTED_HEADER_MAX);
	if (!box)
		memset(l.read, true, count);
	good = !box || judge(&l, s, box, e);
	for (uint32_t n = 0; good && n < count; n++)
		if (l.read[n])
			l.keep[n] = read_header(&l, n + 1);
	if (good)
		maildrop_keep(drop, l.keep);
	buf_end(&l.head);
	free(verdicts);
	return good;
}

bool maildrop_open_routed(struct store *s, const char *box, const char *address, struct maildrop **drop, struct err *e)
{
	if (!maildrop_open(s, box, drop, e))
		return false;
	if (narrow(s, box, *drop, address, e))
		return true;
	maildrop_close(drop);
	return false;
}

bool maildrop_route(struct store *s, struct maildrop *drop, const char *address, struct err *e)
{
	return narrow(s, NULL, drop, address, e);
}
