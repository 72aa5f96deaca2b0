/* SPDX-License-Identifier: Apache-2.0 */
#include "store/routed.h"

#include <stdlib.h>

#include "store/maildrop_routed.h"
#include "store/pack.h"
#include "wire/envelope.h"

static const struct route_field x_real_to = { .number = 1, .name = "x-real-to" };

static void fold(char *at, size_t len)
{
	for (size_t n = 0; n < len; n++)
		if (at[n] >= 'A' && at[n] <= 'Z')
			at[n] = (char)(at[n] - 'A' + 'a');
}

const struct route_field *route_field_now(struct store *s)
{
	const struct route_field *field = atomic_load(&s->route_field);

	return field ? field : &x_real_to;
}

void route_fields_free(struct store *s)
{
	while (s->route_fields) {
		struct route_field *field = s->route_fields;

		s->route_fields = field->next;
		free(field);
	}
}

/* Its number in the directory, and the greatest there is. */
static bool number_of(struct store *s, struct span key, uint32_t *number, uint32_t *last)
{
	engine_part names = engine_part_of("names", SPAN(""));
	struct view *v = store_view(s);
	struct span at = { 0 }, value;
	bool there = false;

	*last = x_real_to.number;
	while (view_next(v, names, SPAN("n"), &at, &value)) {
		uint32_t n = take_u32(&value);

		if (n > *last)
			*last = n;
		if (span_equal(at, key)) {
			*number = n;
			there = true;
		}
	}
	view_end(&v);
	return there;
}

/* Gives it a number that was never given before; none (0) when they are used up. */
static bool number_new(struct store *s, struct span key, uint32_t last, uint32_t *number, struct err *e)
{
	struct batch *b;
	char value[4];

	*number = 0;
	if (last >= BOX_FIELDS)
		return true;
	b = store_batch(engine_part_of("names", SPAN("")));
	*number = last + 1;
	pack_u32(value, *number);
	store_must(batch_absent(b, key) && batch_put(b, key, (struct span){ value, sizeof value }));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "route_header");
}

bool store_route_header(struct store *s, const char *name, struct err *e)
{
	char at[1 + ROUTED_NAME_MAX] = "n";
	struct span key = { at, 1 + strlen(name) };
	struct route_field *field;
	uint32_t number, last;

	if (key.len == 1 || key.len > sizeof at)
		return err_set(e, ERR_CONFIG, "route_header: a name has 1 to %d octets", ROUTED_NAME_MAX);
	memcpy(at + 1, name, key.len - 1);
	fold(at + 1, key.len - 1);
	if (span_equal(span_from(key, 1), span_of(x_real_to.name))) {
		atomic_store(&s->route_field, NULL);
		return true;
	}
	for (field = s->route_fields; field; field = field->next)
		if (span_equal(span_from(key, 1), span_of(field->name)))
			break;
	if (!field) {
		if (!number_of(s, key, &number, &last) && !number_new(s, key, last, &number, e))
			return false;
		field = store_memory(sizeof *field);
		field->number = number <= BOX_FIELDS ? number : 0;
		memcpy(field->name, at + 1, key.len - 1);
		field->next = s->route_fields;
		s->route_fields = field;
	}
	atomic_store(&s->route_field, field);
	return true;
}

/* Is what is before `left` a header with its empty line? */
static bool ended(struct span head, struct span left)
{
	size_t n = head.len - left.len;

	if (!n || head.at[n - 1] != '\n')
		return false;
	n--;
	n -= n && head.at[n - 1] == '\r';
	return !n || head.at[n - 1] == '\n';
}

bool routed_find(struct span head, enum routed_whole whole, const char *name, void (*use)(void *user, struct span address), void *user)
{
	struct span left = head, wanted = span_of(name);
	bool ours = span_equal_nocase(wanted, SPAN(ENVELOPE_REAL_TO)), above = false;
	struct header_field field;
	struct address a;

	while (header_next(&left, &field)) {
		if (whole != ROUTED_WHOLE && !left.len)		/* who knows what follows it */
			break;
		if (!span_equal_nocase(field.name, wanted)) {
			if (above && envelope_is_mark(&field))
				return true;
			ours = above = false;
			continue;
		}
		above = ours;
		while (addresses_next(&field.value, &a)) {
			fold(a.text, a.len);
			use(user, (struct span){ a.text, a.len });
		}
	}
	return whole != ROUTED_GOES_ON || ended(head, left) || (left.len && span_find(left, '\n') < left.len);
}

static void keep(void *user, struct span address)
{
	struct routed *r = user;

	r->many |= !buf_add(&r->text, address) || !buf_add_byte(&r->text, '\0');
}

void routed_look(struct routed *r, struct store *s, struct span piece, bool last)
{
	struct span head = piece;
	bool cut;

	if (r->done)
		return;
	if (!r->field) {
		r->field = route_field_now(s);
		buf_start(&r->head, ROUTED_HEADER_MAX);
		buf_start(&r->text, ROUTED_TEXT_MAX);
	}
	cut = r->head.len + piece.len > ROUTED_HEADER_MAX;
	piece.len -= cut ? r->head.len + piece.len - ROUTED_HEADER_MAX : 0;
	if (r->head.len || !last)
		r->failed |= !buf_add(&r->head, piece);
	if (r->head.len)
		head = buf_span(&r->head);
	r->text.len = 0;
	r->many = false;
	r->done = r->failed || !r->field->number ||
		routed_find(head, last && !cut ? ROUTED_WHOLE : cut ? ROUTED_CUT : ROUTED_GOES_ON, r->field->name, keep, r);
	if (r->done)
		buf_end(&r->head);
}

struct span routed_value(const struct routed *r)
{
	return r->many ? (struct span){ "", 1 } : buf_span(&r->text);
}

uint32_t routed_flags(const struct routed *r)
{
	if (!r->done || r->failed || !r->field->number)
		return 0;
	return r->field->number << BOX_FIELD_SHIFT | (routed_value(r).len ? BOX_LISTS : 0);
}

void routed_end(struct routed *r)
{
	buf_end(&r->head);
	buf_end(&r->text);
}

struct span routed_key(char key[ROUTED_KEY], uint64_t uid)
{
	key[0] = 'x';
	pack_u64(key + 1, uid);
	return (struct span){ key, ROUTED_KEY };
}

/* The octets before the last '@'; all when there is none. */
static size_t local_part(struct span address)
{
	size_t n = address.len;

	while (n && address.at[n - 1] != '@')
		n--;
	return n ? n - 1 : address.len;
}

bool routed_means(struct span listed, struct span address)
{
	return span_equal_nocase(listed, address) || span_equal_nocase(listed, (struct span){ address.at, local_part(address) });
}
