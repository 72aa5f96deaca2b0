/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/queues.h"

#include <assert.h>
#include <stdlib.h>

#include "deliver/inside.h"

/* ---- queues */

void queue_put(struct queue *q, struct delivery *d)
{
	assert(!d->queue);
	if (!q->first)
		q->last = &q->first;
	d->queue = q;
	d->queue_next = NULL;
	d->queue_at = q->last;
	*q->last = d;
	q->last = &d->queue_next;
}

void queue_leave(struct delivery *d)
{
	if (!d->queue)
		return;
	*d->queue_at = d->queue_next;
	if (d->queue_next)
		d->queue_next->queue_at = d->queue_at;
	else
		d->queue->last = d->queue_at;
	d->queue = NULL;
}

/* ---- lines */

struct line {
	struct line *next;		/* of its bucket */
	struct line *next_open;
	bool open;			/* to be looked at: it may begin one */
	struct queue waiting;
	size_t under_way, joined;	/* joined: they wait, or are under way */
	char canonical[];
};

/* FNV-1a. */
static size_t bucket_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return (hash ^ hash >> 32) % DELIVERY_BUCKETS;
}

static struct line *line_of(struct deliveries *all, const char *canonical)
{
	struct line **bucket = &all->lines[bucket_of(canonical)];
	size_t size = strlen(canonical) + 1;

	for (struct line *n = *bucket; n; n = n->next)
		if (strcmp(n->canonical, canonical) == 0)
			return n;
	struct line *n = calloc(1, sizeof *n + size);

	if (!n)
		abort();	/* as of any small thing of the store's: nobody could be told */
	memcpy(n->canonical, canonical, size);
	n->next = *bucket;
	*bucket = n;
	return n;
}

static void open_line(struct deliveries *all, struct line *n)
{
	if (n->open)
		return;
	n->open = true;
	n->next_open = NULL;
	if (!all->open)
		all->open_last = &all->open;
	*all->open_last = n;
	all->open_last = &n->next_open;
}

static void free_unused(struct deliveries *all, struct line *n)
{
	struct line **at = &all->lines[bucket_of(n->canonical)];

	if (n->joined || n->open)
		return;
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	free(n);
}

void line_join(struct delivery *d)
{
	struct line *n = line_of(d->all, d->target->canonical);

	d->line = n;
	n->joined++;
	queue_put(&n->waiting, d);
	open_line(d->all, n);
}

struct delivery *line_begins(struct deliveries *all)
{
	while (all->open) {
		struct line *n = all->open;
		struct delivery *d = n->waiting.first;

		all->open = n->next_open;
		n->open = false;
		if (d && n->under_way < d->target->parallel) {
			n->under_way++;
			d->begun = true;
			queue_leave(d);
			if (n->waiting.first)
				open_line(all, n);
			return d;
		}
		free_unused(all, n);
	}
	return NULL;
}

static void leave(struct deliveries *all, struct line *n, bool begun)
{
	assert(n->joined && n->under_way >= begun);
	n->joined--;
	n->under_way -= begun;
	if (n->waiting.first)
		open_line(all, n);
	else
		free_unused(all, n);
}

void line_leave(struct delivery *d)
{
	struct line *n = d->line;

	if (!n)
		return;
	d->line = NULL;
	queue_leave(d);
	leave(d->all, n, d->begun);
}

/* ---- finding one */

static size_t user_bucket(const void *user)
{
	uintptr_t p = (uintptr_t)user;

	return (p >> 4 ^ p >> 13 ^ p >> 21) % DELIVERY_BUCKETS;
}

/* ---- ended, and not released */

struct unreleased {
	struct unreleased *next;
	const void *user;
	struct deliver_target *target;	/* kept */
	struct line *line;		/* where it has its place; NULL: nowhere */
};

void unreleased_put(struct delivery *d)
{
	struct unreleased **bucket = &d->all->unreleased[user_bucket(d->ask.user)], *u = calloc(1, sizeof *u);

	if (!u)
		abort();	/* as of any small thing of the store's: nobody could be told */
	assert(d->ended && d->ask.holds && d->ask.user);
	*u = (struct unreleased){ .next = *bucket, .user = d->ask.user, .target = deliver_target_keep(d->target), .line = d->line };
	d->line = NULL;
	*bucket = u;
}

bool unreleased_take(struct deliveries *all, const void *user, struct deliver_target **t)
{
	struct unreleased **at = &all->unreleased[user_bucket(user)], *u;

	while ((u = *at) && u->user != user)
		at = &u->next;
	if (!u)
		return false;
	*at = u->next;
	*t = u->target;
	if (u->line)
		leave(all, u->line, true);
	free(u);
	return true;
}

void unreleased_free(struct deliveries *all)
{
	struct deliver_target *t;

	for (size_t n = 0; n < DELIVERY_BUCKETS; n++)
		while (all->unreleased[n] && unreleased_take(all, all->unreleased[n]->user, &t))
			deliver_target_put(&t);
}

void found_put(struct delivery *d)
{
	struct delivery **bucket = &d->all->by_user[user_bucket(d->ask.user)];

	d->next_user = *bucket;
	*bucket = d;
}

void found_ticket(struct delivery *d, uint64_t ticket)
{
	struct delivery **bucket = &d->all->by_ticket[ticket % DELIVERY_BUCKETS];

	assert(ticket && !d->ticket);
	d->ticket = ticket;
	d->next_ticket = *bucket;
	*bucket = d;
}

void found_drop(struct delivery *d)
{
	struct delivery **at = &d->all->by_user[user_bucket(d->ask.user)];

	while (*at != d)
		at = &(*at)->next_user;
	*at = d->next_user;
	if (!d->ticket)
		return;
	at = &d->all->by_ticket[d->ticket % DELIVERY_BUCKETS];
	while (*at != d)
		at = &(*at)->next_ticket;
	*at = d->next_ticket;
}

struct delivery *found_by_ticket(const struct deliveries *all, uint64_t ticket)
{
	struct delivery *d = all->by_ticket[ticket % DELIVERY_BUCKETS];

	while (d && d->ticket != ticket)
		d = d->next_ticket;
	return d;
}

struct delivery *found_by_user(const struct deliveries *all, const void *user)
{
	struct delivery *d = all->by_user[user_bucket(user)];

	while (d && (d->ask.user != user || d->ended))
		d = d->next_user;
	return d;
}
