/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages into the held area, and out of it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/held_inside.h"
#include "store/pack.h"
#include "store/room.h"

enum { IN_BATCH = 3, RANDOM_BITS = 24, TRIES = 100 };	/* pieces of a batch are in memory twice, while it is committed */

/* ---- adding */

struct adding {
	struct store *store;
	struct batch *batch;
	uint64_t id, staged;		/* staged: pieces that the store has */
	uint32_t pieces, in_batch, expected;
	char *piece;
	size_t len;
	struct err *e;
};

/* What is in the batch is committed by itself, under the word that it is nobody's yet. */
static bool stage(struct adding *a)
{
	char key[HELD_KEY], value[4];

	if (!a->staged) {
		pack_u32(value, a->expected);
		store_must(batch_put(a->batch, held_key(key, 's', a->id), (struct span){ value, sizeof value }));
	}
	if (!engine_commit_wait(a->store->engine, &a->batch, a->e))
		return false;
	a->staged = a->pieces;
	a->in_batch = 0;
	a->batch = store_batch(held_part());
	return true;
}

static bool end_piece(struct adding *a)
{
	if (!a->len)
		return true;
	if (a->in_batch == IN_BATCH && !stage(a))
		return false;
	store_must(batch_blob(a->batch, a->id, a->pieces++, (struct span){ a->piece, a->len }));
	a->in_batch++;
	a->len = 0;
	return true;
}

static bool take_octets(void *user, struct span octets)
{
	struct adding *a = user;

	while (octets.len) {
		size_t n = MAILBOX_PIECE - a->len < octets.len ? MAILBOX_PIECE - a->len : octets.len;

		memcpy(a->piece + a->len, octets.at, n);
		a->len += n;
		octets = span_from(octets, n);
		if (a->len == MAILBOX_PIECE && !end_piece(a))
			return false;
	}
	return true;
}

void held_put_recipients(struct batch *b, uint64_t id, const char *const *recipients, size_t count)
{
	struct buf all;
	char key[HELD_KEY];

	buf_start(&all, HELD_RECIPIENTS_MAX * (HELD_ADDRESS_MAX + 1));
	for (size_t n = 0; n < count; n++)
		store_must(buf_add(&all, span_of(recipients[n])) && buf_add(&all, SPAN("\n")));
	if (all.len)
		store_must(batch_put(b, held_key(key, 'r', id), buf_span(&all)));
	buf_end(&all);
}

static bool check(const struct held_new *what, struct err *e)
{
	bool good = what->recipient_count <= HELD_RECIPIENTS_MAX && strlen(what->sender) <= HELD_ADDRESS_MAX;

	for (size_t n = 0; good && n < what->recipient_count; n++)
		good = strlen(what->recipients[n]) <= HELD_ADDRESS_MAX && !strchr(what->recipients[n], '\n');
	assert(what->state != HELD_FAILED);
	if (what->origin && strchr(what->origin->connection, '|'))
		return err_set(e, ERR_CONFIG, "a connection's name has no |");
	if (good && strlen(what->target) <= HELD_TARGET_MAX && strlen(what->account) <= ACCOUNT_NAME_MAX)
		return true;
	return err_set(e, ERR_CONFIG, "an envelope as long as this cannot be held");
}

/* Grows with time; the random part keeps ids of one second apart. */
static uint64_t new_id(struct store *s, int64_t now)
{
	struct held_info known;
	uint64_t id = 0;

	for (unsigned n = 0; n < TRIES && (!id || held_get(s, id, &known)); n++) {
		random_fill(&id, sizeof id);
		id = (uint64_t)now << RANDOM_BITS | (id & ((1u << RANDOM_BITS) - 1));
	}
	return id ? id : 1;
}

/* Is there room for it?  What is quarantined is accepted mail: there is always. */
static bool room(struct store *s, const struct held_info *h, uint64_t most, struct err *e)
{
	uint64_t most_of = most ? most : HELD_MAX, octets = held_octets_of(s, h->origin.connection);

	if (h->state == HELD_QUARANTINED || (octets <= most_of && h->size <= most_of - octets))
		return true;
	return held_submitted(h) ? err_set(e, ERR_BUSY, "the held area is full") :
		err_set(e, ERR_BUSY, "what is held for this connection has %llu octets: no room for %llu more (held_max %llu)", (unsigned long long)octets,
			(unsigned long long)h->size, (unsigned long long)most_of);
}

static bool finish(struct adding *a, const struct held_info *h, const struct held_new *what)
{
	char key[HELD_KEY];
	bool good;

	(void)pthread_mutex_lock(&held_turn);
	good = room(a->store, h, what->most, a->e);
	if (good) {
		held_put(a->batch, h, a->pieces);
		held_put_recipients(a->batch, h->id, what->recipients, what->recipient_count);
		held_index(a->store, a->batch, NULL, h);
		store_must(batch_absent(a->batch, held_record_key(key, h)));
		if (a->staged)
			store_must(batch_remove(a->batch, held_key(key, 's', h->id)));
		good = engine_commit_wait(a->store->engine, &a->batch, a->e);
	}
	(void)pthread_mutex_unlock(&held_turn);
	return good;
}

static void describe(struct held_info *h, const struct held_new *what, uint64_t size, int64_t now)
{
	*h = (struct held_info){ .state = what->state, .made = now, .since = now, .tried = now, .attempts = 1,
		.next = what->state == HELD_WAITING ? what->next : 0, .recipient_count = (uint32_t)what->recipient_count, .size = size };
	if (what->origin && *what->origin->connection)
		h->origin = *what->origin;
	(void)snprintf(h->account, sizeof h->account, "%s", what->account);
	(void)snprintf(h->target, sizeof h->target, "%s", what->target);
	(void)snprintf(h->sender, sizeof h->sender, "%s", what->sender);
	held_set_why(h, what->why);
}

bool held_add(struct store *s, const struct held_new *what, const struct spool *message, int64_t now, uint64_t *id, struct err *e)
{
	struct held_info h;
	struct adding a = { .store = s, .e = e };
	struct err unread;
	bool good;

	if (!check(what, e))
		return false;
	describe(&h, what, spool_own_size(message), now);
	if (!room(s, &h, what->most, e))
		return err_in(e, "held area");
	a.expected = (uint32_t)((h.size + MAILBOX_PIECE - 1) / MAILBOX_PIECE);
	a.piece = malloc(MAILBOX_PIECE);
	if (!a.piece)
		return err_set(e, ERR_LOCAL, "out of memory");
	h.id = a.id = new_id(s, now);
	a.batch = store_batch(held_part());
	good = spool_own_read(message, take_octets, &a, &unread);
	if (!good && a.batch)	/* else it was the store that failed, and said so */
		*e = unread;
	good = good && end_piece(&a) && finish(&a, &h, what);
	if (a.batch)
		batch_free(&a.batch);
	if (!good && a.staged) {
		struct err ignored;

		(void)!held_clear(s, a.id, a.expected, &ignored);	/* else held_settle does */
	}
	free(a.piece);
	*id = h.id;
	return good || err_in(e, "held area");
}

static bool texts_of(struct span lines, size_t wanted, const char ***out, size_t *count, struct err *e)
{
	const char **all = calloc(1, (wanted + 1) * sizeof *all + lines.len + 1);
	char *text = (char *)(all + wanted + 1);

	if (!all)
		return err_set(e, ERR_LOCAL, "out of memory");
	if (lines.len)
		memcpy(text, lines.at, lines.len);
	for (*count = 0; *count < wanted && *text; ++*count) {
		all[*count] = text;
		text += strcspn(text, "\n");
		if (*text)
			*text++ = '\0';
	}
	*out = all;
	return true;
}

static bool load_recipients(struct store *s, const struct held_info *h, const char ***out, size_t *count, struct err *e)
{
	struct view *v = store_view(s);
	struct span lines = { 0 };
	char key[HELD_KEY];
	bool good;

	if (!view_get(v, held_part(), held_key(key, 'r', h->id), &lines))
		lines = (struct span){ 0 };
	good = texts_of(lines, h->recipient_count < HELD_RECIPIENTS_MAX ? h->recipient_count : HELD_RECIPIENTS_MAX, out, count, e);
	view_end(&v);
	return good;
}

static bool load_octets(struct store *s, uint64_t id, uint32_t pieces, struct spool *message, struct err *e)
{
	bool good = true;

	for (uint32_t n = 0; good && n < pieces; n++) {
		struct view *v = store_view(s);
		struct span octets;

		good = view_blob(v, held_part(), id, n, &octets) ? spool_add(message, octets, e) : err_set(e, ERR_LOCAL, "octets are missing");
		view_end(&v);
	}
	return good;
}

bool held_load(struct store *s, uint64_t id, struct spool **message, const char ***recipients, size_t *count, struct err *e)
{
	struct held_info h;
	uint32_t pieces;

	if (!held_find(s, id, &h, &pieces))
		return held_no_such(id, e);
	*message = spool_new(s->state, e);
	if (!*message)
		return false;
	if (load_octets(s, id, pieces, *message, e)) {
		if (spool_size(*message) != h.size)
			(void)err_set(e, ERR_LOCAL, "it is not as long as it was");
		else if (load_recipients(s, &h, recipients, count, e))
			return true;
	}
	spool_free(message);
	return err_in(e, "held message");
}

bool held_piece(struct store *s, uint64_t id, uint32_t piece, bool (*take)(void *user, struct span octets), void *user, struct err *e)
{
	struct held_info h;
	uint32_t pieces;
	struct span octets;
	struct view *v;
	bool good;

	if (!held_find(s, id, &h, &pieces))
		return held_no_such(id, e);
	if (piece >= pieces)
		return true;
	v = store_view(s);
	good = view_blob(v, held_part(), id, piece, &octets) || err_set(e, ERR_LOCAL, "held message: octets are missing");
	if (good && !take(user, octets))
		good = err_set(e, ERR_LOCAL, "held message: what reads it has no room");
	view_end(&v);
	return good;
}

bool held_recipients(struct store *s, uint64_t id, const char ***recipients, size_t *count, struct err *e)
{
	struct held_info h;
	uint32_t pieces;

	return held_find(s, id, &h, &pieces) ? load_recipients(s, &h, recipients, count, e) : held_no_such(id, e);
}
