/* SPDX-License-Identifier: Apache-2.0
 *
 * Held messages by where they came from: walks, sums and the first that is due, of submissions or of one connection. */
#include <assert.h>

#include "store/held_inside.h"
#include "store/pack.h"
#include "store/room.h"

enum { SUMS = 5 * 8 };

/* KIND NAME "|" */
static struct span key_of(char key[HELD_OF_KEY], char kind, const char *connection)
{
	size_t len = strlen(connection);

	assert(len && len <= LEDGER_CONNECTION_MAX);
	key[0] = kind;
	memcpy(key + 1, connection, len);
	key[1 + len] = '|';
	return (struct span){ key, len + 2 };
}

static struct span key_with(char key[HELD_OF_KEY], struct span before, uint64_t n)
{
	assert(before.at == key && before.len + 8 <= HELD_OF_KEY);
	pack_u64(key + before.len, n);
	return (struct span){ key, before.len + 8 };
}

/* ---- sums */

static uint64_t submitted_octets(struct store *s)
{
	struct view *v = store_view(s);
	struct span value;
	uint64_t octets = view_get(v, held_part(), SPAN("t"), &value) ? take_u64(&value) : 0;

	view_end(&v);
	return octets;
}

static void take_sums(struct span value, struct held_sums *sums)
{
	*sums = (struct held_sums){ .waiting = take_u64(&value) };
	sums->failed = take_u64(&value);
	sums->octets = take_u64(&value);
	sums->quarantined = take_u64(&value);
	sums->quarantined_octets = take_u64(&value);
}

static void count(struct held_sums *sums, const struct held_info *h)
{
	sums->waiting += h->state == HELD_WAITING;
	sums->failed += h->state == HELD_FAILED;
	sums->quarantined += h->state == HELD_QUARANTINED;
	*(h->state == HELD_QUARANTINED ? &sums->quarantined_octets : &sums->octets) += h->size;
}

static void take_off(uint64_t *from, uint64_t n)
{
	*from -= *from < n ? *from : n;
}

static void uncount(struct held_sums *sums, const struct held_info *h)
{
	take_off(&sums->waiting, h->state == HELD_WAITING);
	take_off(&sums->failed, h->state == HELD_FAILED);
	take_off(&sums->quarantined, h->state == HELD_QUARANTINED);
	take_off(h->state == HELD_QUARANTINED ? &sums->quarantined_octets : &sums->octets, h->size);
}

static void submitted_sums(struct store *s, struct held_sums *sums)
{
	struct held_info info = { .id = 0 };

	*sums = (struct held_sums){ 0 };
	while (held_next_of(s, "", &info))
		count(sums, &info);
	sums->octets = submitted_octets(s);
}

void held_sums_of(struct store *s, const char *connection, struct held_sums *sums)
{
	char key[HELD_OF_KEY];
	struct span value;
	struct view *v;

	if (!*connection) {
		submitted_sums(s, sums);
		return;
	}
	v = store_view(s);
	take_sums(view_get(v, held_part(), key_of(key, 't', connection), &value) ? value : (struct span){ 0 }, sums);
	view_end(&v);
}

static void add_up(struct held_sums *sums, const struct held_sums *more)
{
	sums->waiting += more->waiting;
	sums->failed += more->failed;
	sums->octets += more->octets;
	sums->quarantined += more->quarantined;
	sums->quarantined_octets += more->quarantined_octets;
}

bool held_each_connection(struct store *s, char connection[LEDGER_CONNECTION_MAX + 1], struct held_sums *sums)
{
	char at[HELD_OF_KEY];
	struct span key = *connection ? key_of(at, 't', connection) : SPAN("t"), value;	/* "t" is the submissions' own */
	struct view *v = store_view(s);
	bool there = view_next(v, held_part(), SPAN("t"), &key, &value) && key.len > 2 && key.len - 2 <= LEDGER_CONNECTION_MAX;

	if (there) {
		memcpy(connection, key.at + 1, key.len - 2);
		connection[key.len - 2] = '\0';
		take_sums(value, sums);
	}
	view_end(&v);
	return there;
}

void held_sums(struct store *s, struct held_sums *sums)
{
	char connection[LEDGER_CONNECTION_MAX + 1] = "";
	struct held_sums one;

	submitted_sums(s, sums);
	while (held_each_connection(s, connection, &one))
		add_up(sums, &one);
}

uint64_t held_octets_of(struct store *s, const char *connection)
{
	struct held_sums sums;

	if (!*connection)
		return submitted_octets(s);
	held_sums_of(s, connection, &sums);
	return sums.octets;
}

/* ---- the index */

static void put_submitted(struct batch *b, uint64_t octets)
{
	char value[8];

	pack_u64(value, octets);
	store_must(batch_put(b, SPAN("t"), (struct span){ value, sizeof value }));
}

static void put_sums(struct batch *b, const char *connection, const struct held_sums *sums)
{
	char key[HELD_OF_KEY], value[SUMS];
	const struct span where = key_of(key, 't', connection);

	if (!sums->waiting && !sums->failed && !sums->quarantined) {
		store_must(batch_remove(b, where));
		return;
	}
	pack_u64(value, sums->waiting);
	pack_u64(value + 8, sums->failed);
	pack_u64(value + 16, sums->octets);
	pack_u64(value + 24, sums->quarantined);
	pack_u64(value + 32, sums->quarantined_octets);
	store_must(batch_put(b, where, (struct span){ value, sizeof value }));
}

static struct span index_key(char key[HELD_OF_KEY], const struct held_info *h)
{
	return key_with(key, key_of(key, 'i', h->origin.connection), h->id);
}

static struct span due_key(char key[HELD_OF_KEY], const struct held_info *h)
{
	struct span at = key_of(key, 'd', h->origin.connection);

	at = key_with(key, at, h->next > 0 ? (uint64_t)h->next : 0);
	return key_with(key, at, h->id);
}

static struct span unsettled_key(char key[HELD_OF_KEY], const struct held_info *h)
{
	return key_with(key, key_of(key, 'u', h->origin.connection), h->id);
}

/* What is new, or quarantined since, is nothing that the ledger must know of already. */
static bool unsettles(const struct held_info *was, const struct held_info *is)
{
	return !was || (was->state != HELD_QUARANTINED && is->state == HELD_QUARANTINED);
}

void held_index(struct store *s, struct batch *b, const struct held_info *was, const struct held_info *is)
{
	const struct held_info *any = was ? was : is;
	char key[HELD_OF_KEY];
	struct held_sums sums;

	if (held_submitted(any)) {
		uint64_t octets = submitted_octets(s) + (is ? is->size : 0);

		take_off(&octets, was ? was->size : 0);
		put_submitted(b, octets);
		return;
	}
	held_sums_of(s, any->origin.connection, &sums);
	if (was) {
		uncount(&sums, was);
		if (was->state == HELD_WAITING)
			store_must(batch_remove(b, due_key(key, was)));
		if (!is) {
			store_must(batch_remove(b, index_key(key, was)));
			store_must(batch_remove(b, unsettled_key(key, was)));
		}
	}
	if (is) {
		count(&sums, is);
		if (is->state == HELD_WAITING)
			store_must(batch_put(b, due_key(key, is), SPAN("\1")));
		store_must(batch_put(b, index_key(key, is), SPAN("\1")));
		if (unsettles(was, is))
			store_must(batch_put(b, unsettled_key(key, is), SPAN("\1")));
	}
	put_sums(b, any->origin.connection, &sums);
}

/* ---- walks */

bool held_next_of(struct store *s, const char *connection, struct held_info *info)
{
	char key[HELD_OF_KEY];
	const struct span prefix = *connection ? key_of(key, 'i', connection) : SPAN("h");
	uint64_t id = info->id;

	while (held_next_id(s, prefix, &id))
		if (held_get(s, id, info))
			return true;
	return false;
}

bool held_next_due(struct store *s, const char *connection, int64_t *moment, struct held_info *info)
{
	char at[HELD_OF_KEY];
	const struct span prefix = key_of(at, 'd', connection);
	bool there = true;

	while (there) {
		struct span key = key_with(at, key_with(at, prefix, (uint64_t)*moment), info->id), value;
		struct view *v = store_view(s);
		uint64_t id = 0;

		there = view_next(v, held_part(), prefix, &key, &value) && key.len == prefix.len + 16;
		if (there) {
			*moment = (int64_t)unpack_u64(key.at + prefix.len);
			id = unpack_u64(key.at + prefix.len + 8);
		}
		view_end(&v);
		if (there && held_get(s, id, info))
			return true;
		info->id = id;
	}
	return false;
}

bool held_next_unsettled(struct store *s, const char *connection, struct held_info *info)
{
	char key[HELD_OF_KEY];
	uint64_t id = info->id;

	while (held_next_id(s, key_of(key, 'u', connection), &id))
		if (held_get(s, id, info))
			return true;
	return false;
}

bool held_settled(struct store *s, const char *connection, const uint64_t *ids, size_t count, struct err *e)
{
	struct batch *b = store_batch(held_part());
	bool good;

	(void)pthread_mutex_lock(&held_turn);
	for (size_t n = 0; n < count; n++) {
		char key[HELD_OF_KEY];

		store_must(batch_remove(b, key_with(key, key_of(key, 'u', connection), ids[n])));
	}
	good = engine_commit_wait(s->engine, &b, e) || err_in(e, "held messages");
	(void)pthread_mutex_unlock(&held_turn);
	return good;
}

bool held_next(struct store *s, struct held_info *info)
{
	uint64_t at = info->id;

	for (;;) {
		uint64_t one = at, other = at;
		bool submitted = held_next_id(s, SPAN("h"), &one), brought = held_next_id(s, SPAN("k"), &other);

		if (!submitted && !brought)
			return false;
		at = submitted && (!brought || one < other) ? one : other;
		if (held_get(s, at, info))
			return true;
	}
}

static int64_t submitted_due(struct store *s)
{
	struct held_info info = { .id = 0 };
	int64_t first = INT64_MAX;

	while (held_next_of(s, "", &info))
		if (info.state == HELD_WAITING && info.next < first)
			first = info.next;
	return first;
}

int64_t held_due(struct store *s, const char *connection)
{
	char at[HELD_OF_KEY];
	struct span prefix, key = { 0 }, value;
	int64_t first = INT64_MAX;
	struct view *v;

	if (!*connection)
		return submitted_due(s);
	prefix = key_of(at, 'd', connection);
	v = store_view(s);
	if (view_next(v, held_part(), prefix, &key, &value) && key.len == prefix.len + 16)
		first = (int64_t)unpack_u64(key.at + prefix.len);
	view_end(&v);
	return first;
}
