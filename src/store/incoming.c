/* SPDX-License-Identifier: Apache-2.0
 * Messages on their way into a mailbox: collected in pieces; what is longer
 * than one is staged while it comes.  group.c makes them exist. */
#include "store/incoming.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/disk.h"
#include "store/pack.h"

enum { FIRST_CAP = 4096, RECLAIM_SLICE = 1024 };

struct incoming *incoming_new(struct mailbox *box, struct err *e)
{
	struct incoming *in;
	uint32_t epoch;

	if (!box_here(box, e))
		return NULL;
	if (!box->made) {
		if (!box_account_must(box->store, box->name, e) || !box_make(box->store, box->name, &epoch, e))
			return NULL;
		box->made = true;
		if (!box->head.count)
			box->head.next_uid = box->next_blob = (uint64_t)epoch << 32 | 1;
	}
	in = calloc(1, sizeof *in);
	if (!in) {
		(void)err_set(e, ERR_LOCAL, "out of memory for a message");
		return NULL;
	}
	box->incomings++;
	in->box = box;
	in->blob = box->next_blob++;
	return in;
}

void incoming_free(struct incoming **in)
{
	(*in)->box->incomings--;
	digest_free(&(*in)->digest);
	routed_end(&(*in)->routed);
	free((*in)->piece);
	free((*in)->why);
	free(*in);
	*in = NULL;
}

/* Lines that begin with a dot: at byte 0, or behind CRLF.  `last` are the two
 * octets before. */
static uint32_t count_dots(struct span s, const char last[2])
{
	uint32_t dots = 0;

	for (const char *p = s.at, *end = s.at + s.len; p < end && (p = memchr(p, '.', (size_t)(end - p))); p++) {
		char before = p > s.at ? p[-1] : last[1];
		char before_that = p > s.at + 1 ? p[-2] : p > s.at ? last[1] : last[0];

		dots += before == '\n' && before_that == '\r';
	}
	return dots;
}

static void look_at(struct incoming *in, struct span s)
{
	static const char start[2] = { '\r', '\n' };

	in->dots += count_dots(s, in->size ? in->last : start);
	in->size += s.len;
	in->last[0] = s.len > 1 ? s.at[s.len - 2] : in->last[1];
	in->last[1] = s.at[s.len - 1];
}

static struct span stage_key(char key[9], uint64_t blob)
{
	key[0] = 't';
	pack_u64(key + 1, blob);
	return (struct span){ key, 9 };
}

struct span incoming_stage_key(const struct incoming *in, char key[9])
{
	return stage_key(key, in->blob);
}

static void settle(struct incoming **in);

struct stage {
	struct deed deed;
	struct incoming *in;
};

static void on_staged(void *user, const struct err *why)
{
	struct stage *stage = user;
	struct incoming *in = stage->in;

	if (why && !in->why) {
		in->why = store_memory(sizeof *in->why);
		*in->why = *why;
	}
	free(stage);
	in->under_way--;
	if (!in->under_way)
		settle(&in);
}

/* The piece becomes durable on its own.  The count of pieces is its
 * precondition: when one fails, no later one can be there. */
static void stage_piece(struct incoming *in)
{
	struct batch *b = store_batch(in->box->part);
	struct stage *stage = store_memory(sizeof *stage);
	char at[9], was[4], is[4];
	struct span key = stage_key(at, in->blob);

	pack_u32(was, in->pieces);
	pack_u32(is, in->pieces + 1);
	store_must(in->pieces ? batch_equals(b, key, (struct span){ was, 4 }) : batch_absent(b, key));
	store_must(batch_put(b, key, (struct span){ is, 4 }));
	digest_add(in->digest, (struct span){ in->piece, in->len });
	routed_look(&in->routed, in->box->store, (struct span){ in->piece, in->len }, false);
	store_must(batch_blob_owned(b, in->blob, in->pieces, in->piece, in->len));
	in->piece = NULL;
	in->len = in->cap = 0;
	in->pieces++;
	in->under_way++;
	stage->in = in;
	stage->deed = (struct deed){ .then = on_staged, .user = stage };
	store_do(in->box->store, &b, &stage->deed);
}

static bool may_stage(struct incoming *in)
{
	if (in->why || in->over || disk_has_spare(store_state(in->box->store)))
		return !in->why && !in->over;
	in->why = store_memory(sizeof *in->why);
	(void)err_set(in->why, ERR_LOCAL, "store: no space left on the disk: what there is is kept for smaller things");
	return false;
}

/* It will be refused: it does no more than to be counted, and to have a digest. */
static void pass_piece(struct incoming *in)
{
	digest_add(in->digest, (struct span){ in->piece, in->len });
	in->len = 0;
}

static bool grow(struct incoming *in, size_t need)
{
	size_t cap = in->cap * 2 > need ? in->cap * 2 : need;
	char *more;

	if (need <= in->cap)
		return true;
	if (cap < FIRST_CAP)
		cap = FIRST_CAP;
	if (cap > MAILBOX_PIECE || in->pieces)
		cap = MAILBOX_PIECE;
	more = realloc(in->piece, cap);
	if (!more)
		return false;
	in->piece = more;
	in->cap = cap;
	return true;
}

bool incoming_add(struct incoming *in, struct span octets, struct err *e)
{
	if (octets.len)
		look_at(in, octets);
	while (octets.len) {
		size_t n = MAILBOX_PIECE - in->len;

		if (!n) {
			if (!in->digest && !(in->digest = digest_new(e)))
				return false;
			in->over = in->over || in->size > quota_room(in->box->store, in->box->name);
			if (may_stage(in))
				stage_piece(in);
			else
				pass_piece(in);
			continue;
		}
		if (n > octets.len)
			n = octets.len;
		if (!grow(in, in->len + n))
			return err_set(e, ERR_LOCAL, "out of memory for a message");
		memcpy(in->piece + in->len, octets.at, n);
		in->len += n;
		octets = span_from(octets, n);
	}
	return true;
}

void incoming_digest(struct incoming *in, uint8_t digest[32])
{
	struct digest *d = in->digest ? in->digest : in->box->store->digest;

	digest_add(d, (struct span){ in->piece, in->len });
	digest_end(d, digest);
	digest_again(d);
}

bool incoming_full(const struct incoming *in)
{
	return in->under_way >= BOX_STAGING_MAX || in->box->waiting_octets >= BOX_WAITING_MAX;
}

uint64_t incoming_size(const struct incoming *in)
{
	return in->size;
}

/* Nobody waits for this: what fails is tried again when the store is opened next. */
static void on_discarded(void *user, const struct err *why)
{
	(void)why;
	free(user);
}

static void reclaim_blob(struct store *s, engine_part part, uint64_t blob, uint32_t pieces)
{
	char key[9];

	for (uint32_t first = 0; first < pieces; first += RECLAIM_SLICE) {
		uint32_t n = pieces - first < RECLAIM_SLICE ? pieces - first : RECLAIM_SLICE;
		struct batch *b = store_batch(part);
		struct deed *deed = store_memory(sizeof *deed);

		store_must(batch_blob_remove(b, blob, first, n));
		if (first + n == pieces)
			store_must(batch_remove(b, stage_key(key, blob)));
		*deed = (struct deed){ .then = on_discarded, .user = deed };
		store_do(s, &b, deed);
	}
}

void incoming_discard(struct incoming **in)
{
	/* Of pieces that failed none is there: to remove them too does no harm. */
	reclaim_blob((*in)->box->store, (*in)->box->part, (*in)->blob, (*in)->pieces);
	incoming_free(in);
}

void incoming_refuse(struct incoming **in, const struct err *why)
{
	struct answers *a = answers_new(1);
	struct store *s = (*in)->box->store;

	answers_add(a, (*in)->ticket);
	store_answer(s, &a, why);
	incoming_discard(in);
}

/* No piece is under way: what becomes of it, if its end is known? */
static void settle(struct incoming **in)
{
	if ((*in)->aborted)
		incoming_discard(in);
	else if ((*in)->ended)
		box_send((*in)->box);
}

void incoming_finish(struct incoming **incoming, const struct mailbox_source *source, int64_t arrived, uint32_t flags, uint64_t ticket)
{
	struct incoming *in = *incoming;

	assert(!(flags & BOX_INSIDE));
	*incoming = NULL;
	in->ended = true;
	in->has_source = source;
	if (source)
		in->source = *source;
	in->arrived = arrived;
	in->flags = flags;
	if (in->size && !(in->last[0] == '\r' && in->last[1] == '\n'))
		in->flags |= BOX_NO_END;
	routed_look(&in->routed, in->box->store, (struct span){ in->piece, in->len }, true);
	in->flags |= routed_flags(&in->routed);
	in->ticket = ticket;
	store_owe(in->box->store, ticket);
	*in->box->last = in;
	in->box->last = &in->next;
	in->box->waiting++;
	in->box->waiting_octets += in->len;
	if (!in->under_way)
		settle(&in);
}

void incoming_abort(struct incoming **incoming)
{
	struct incoming *in = *incoming;

	if (!in)
		return;
	*incoming = NULL;
	in->ended = in->aborted = true;
	if (!in->under_way)
		settle(&in);
}

static void reclaim(struct store *s, engine_part part)
{
	struct view *v = store_view(s);
	struct span key = { 0 }, value;

	while (view_next(v, part, SPAN("t"), &key, &value))
		if (key.len == 9 && value.len == 4)
			reclaim_blob(s, part, unpack_u64(key.at + 1), unpack_u32(value.at));
	view_end(&v);
}

/* An intent that was durable comes true; parts of one that was not are removed. */
static void end_intent(struct store *s, const char *name)
{
	engine_part part = engine_part_of("mailbox", span_of(name));
	struct view *v = store_view(s);
	struct span key = { 0 }, value;
	bool parts = view_next(v, part, SPAN("q"), &key, &value);
	struct mailbox *box;
	struct err e;

	view_end(&v);
	if (!parts)
		return;
	if (!mailbox_open(s, name, false, &box, &e))
		log_error(NULL, "%s", e.text);
	else
		edit_end_crashed(box);
}

void mailbox_reclaim_all(struct store *s)
{
	char name[MAILBOX_NAME_MAX + 1] = "";
	struct store_done d;

	while (mailbox_each(s, name)) {
		reclaim(s, engine_part_of("mailbox", span_of(name)));
		end_intent(s, name);
	}
	while (store_wait(s))
		(void)store_next(s, &d);	/* no tickets: nobody has asked for any */
}
