/* SPDX-License-Identifier: Apache-2.0 */
#include "net/entrance.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

struct door {				/* one listening socket, on one loop */
	struct entrance *of;
	struct loop *loop;
	unsigned index;
	int fd;				/* -1: the listener has it */
	struct listener *listener;
	struct err why;			/* there is none */
};

struct entrance {
	struct loops *loops;
	struct entrance_user user;
	uint16_t port;
	bool deals;			/* the only door deals out what it accepts */
	unsigned turn;			/* whose it is, then */
	unsigned count;
	struct door doors[];
};

struct handed {				/* an accepted connection on its way to another loop */
	struct entrance *of;
	int fd;
	union address from;
};

static void take_handed(struct loop *l, unsigned index, void *user)
{
	struct handed *h = user;

	h->of->user.accepted(h->of->user.user, l, index, h->fd, &h->from);
	free(h);
}

/* Away with it where it cannot be handed on: the client tries again. */
static void hand_on(struct entrance *n, unsigned index, int fd, const union address *from)
{
	struct handed *h = malloc(sizeof *h);

	if (h) {
		*h = (struct handed){ n, fd, *from };
		if (loops_post(n->loops, index, take_handed, h))
			return;
	}
	free(h);
	(void)close(fd);
}

static void accepted(void *user, int fd, const union address *from)
{
	struct door *d = user;
	struct entrance *n = d->of;
	unsigned to = n->deals ? n->turn++ % loops_count(n->loops) : d->index;

	if (to == d->index)
		n->user.accepted(n->user.user, d->loop, d->index, fd, from);
	else
		hand_on(n, to, fd, from);
}

/* On the loops */

static void open_door(struct loop *l, [[maybe_unused]] unsigned index, void *user)
{
	struct door *d = user;
	int fd = d->fd;

	d->loop = l;
	d->fd = -1;
	d->listener = listener_new(l, fd, &(struct listener_user){ accepted, d, d->of->user.name }, &d->why);
}

static void close_door([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, void *user)
{
	struct door *d = user;

	listener_free(&d->listener);
}

static void stop_door([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, void *user)
{
	struct door *d = user;

	listener_pause(d->listener, true);
}

static void start_door([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, void *user)
{
	struct door *d = user;

	listener_pause(d->listener, false);
}

static void nothing([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, [[maybe_unused]] void *user)
{
}

/* From outside */

static struct entrance *entrance_new(struct loops *p, unsigned count, const struct entrance_user *u, struct err *e)
{
	struct entrance *n = calloc(1, sizeof *n + count * sizeof n->doors[0]);

	assert(u->accepted && u->name);
	if (!n) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	n->loops = p;
	n->user = *u;
	n->count = count;
	for (unsigned i = 0; i < count; i++)
		n->doors[i] = (struct door){ .of = n, .index = i, .fd = -1 };
	return n;
}

void entrance_close(struct entrance **out)
{
	struct entrance *n = *out;

	if (!n)
		return;
	*out = NULL;
	for (unsigned i = 0; i < n->count; i++) {
		if (n->doors[i].listener)
			loops_call(n->loops, i, close_door, &n->doors[i]);
		if (n->doors[i].fd >= 0)
			(void)close(n->doors[i].fd);
	}
	for (unsigned i = 0; n->deals && i < loops_count(n->loops); i++)
		loops_call(n->loops, i, nothing, NULL);	/* what was handed on comes before */
	free(n);
}

/* All sockets are there before the first one accepts. */
static struct entrance *begin(struct entrance *n, struct err *e)
{
	n->port = listen_port(n->doors[0].fd);
	for (unsigned i = 0; i < n->count; i++) {
		loops_call(n->loops, i, open_door, &n->doors[i]);
		if (n->doors[i].listener)
			continue;
		*e = n->doors[i].why;
		entrance_close(&n);
		return NULL;
	}
	return n;
}

struct entrance *entrance_open(struct loops *p, const struct listen_settings *s, const struct entrance_user *u, struct err *e)
{
	struct entrance *n = entrance_new(p, loops_count(p), u, e);
	struct listen_settings each = *s;

	if (!n)
		return NULL;
	each.shared = n->count > 1;
	each.joins = false;
	for (unsigned i = 0; i < n->count; i++) {
		n->doors[i].fd = listen_socket(&each, e);
		if (n->doors[i].fd < 0) {
			entrance_close(&n);
			return NULL;
		}
		each.port = listen_port(n->doors[i].fd);
		each.joins = true;
	}
	return begin(n, e);
}

struct entrance *entrance_inherit(struct loops *p, int fd, const struct entrance_user *u, struct err *e)
{
	struct entrance *n = entrance_new(p, 1, u, e);

	if (!n) {
		(void)close(fd);
		return NULL;
	}
	n->deals = true;
	n->doors[0].fd = fd;
	return begin(n, e);
}

uint16_t entrance_port(const struct entrance *n)
{
	return n->port;
}

void entrance_pause(struct entrance *n, bool on)
{
	for (unsigned i = 0; i < n->count; i++)
		loops_call(n->loops, i, on ? stop_door : start_door, &n->doors[i]);
}
