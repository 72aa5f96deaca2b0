/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dial.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/inside.h"
#include "net/local_path.h"
#include "net/resolve.h"

struct attempt {
	uv_poll_t poll;
	struct dial *dial;
	union address at;
	int fd;			/* -1: over */
	int error;		/* 0: none yet */
};

struct waiting {		/* addresses of one family, not tried yet */
	union address at[RESOLVE_MAX];
	size_t count, next;
};

struct dial {
	struct loop *loop;
	struct dial **slot;	/* NULL: over */
	struct dial_user user;
	const char *host, *source_text;
	uint16_t port;
	union address source;	/* AF_UNSPEC: any */
	uv_timer_t timer;	/* the next thing to try is due */
	size_t handles;		/* not closed yet; the last one frees the dial */
	struct resolve *lookup;
	bool looked_up, begun, unfit;	/* unfit: there were addresses of the family we may not use */
	bool full;			/* a Unix socket that takes no more for now */
	struct err lookup_why;
	struct waiting six, four;
	struct attempt attempts[DIAL_MAX];
	size_t count, under_way;
};

static void advance(struct dial *d);
static void on_start(uv_timer_t *uv);

static void on_closed(uv_handle_t *h)
{
	struct dial *d = h->data;

	if (--d->handles == 0)
		free(d);
}

static void on_attempt_closed(uv_handle_t *h)
{
	struct attempt *a = h->data;

	h->data = a->dial;
	on_closed(h);
}

/* Its socket is closed, or somebody else's from now on. */
static void end_attempt(struct attempt *a, bool keep)
{
	assert(a->fd >= 0);
	uv_close((uv_handle_t *)&a->poll, on_attempt_closed);
	if (!keep)
		(void)close(a->fd);
	a->fd = -1;
	a->dial->under_way--;
}

static void end(struct dial *d)
{
	assert(d->slot);
	*d->slot = NULL;
	d->slot = NULL;
	resolve_drop(&d->lookup);
	for (size_t i = 0; i < d->count; i++)
		if (d->attempts[i].fd >= 0)
			end_attempt(&d->attempts[i], false);
	uv_close((uv_handle_t *)&d->timer, on_closed);
}

void dial_drop(struct dial **slot)
{
	if (*slot)
		end(*slot);
}

static void succeed(struct attempt *a)
{
	struct dial *d = a->dial;
	union address at = a->at;
	int fd = a->fd;

	end_attempt(a, true);
	end(d);
	d->user.done(d->user.user, fd, &at, NULL);
}

void dial_tried(const struct dial *d, char *out, size_t size)
{
	size_t used = 0;

	*out = '\0';
	if (d->full)
		(void)snprintf(out, size, "it takes no more connections for now");
	for (size_t i = 0; i < d->count && used < size; i++) {
		const struct attempt *a = &d->attempts[i];
		char text[ADDRESS_TEXT];
		int n = snprintf(out + used, size - used, "%s%s: %s", i ? "; " : "", address_text(&a->at, false, text),
			a->error ? strerror(a->error) : "no answer");

		used += n > 0 ? (size_t)n : 0;
	}
}

static bool all_refused(const struct dial *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->attempts[i].error != ECONNREFUSED)
			return false;
	return true;
}

static void fail(struct dial *d)
{
	char tried[300];
	struct err why;

	if (d->user.refused)
		*d->user.refused = d->count && all_refused(d);
	if (d->count) {
		dial_tried(d, tried, sizeof tried);
		(void)err_set(&why, ERR_NET, "no connection (%s)%s", tried,
			all_refused(d) ? "; is `port` right, and the server running?" : "");
	} else if (d->unfit) {
		(void)err_set(&why, ERR_CONFIG, "source_address %s can reach no address of %s: it has only such of the other family",
			d->source_text, d->host);
	} else {
		assert(d->lookup_why.kind);
		why = d->lookup_why;
	}
	end(d);
	d->user.done(d->user.user, -1, NULL, &why);
}

static void on_event(uv_poll_t *uv, [[maybe_unused]] int status, [[maybe_unused]] int events)
{
	struct attempt *a = uv->data;
	socklen_t size = sizeof a->error;

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &a->error, &size) < 0)
		a->error = errno;
	if (a->error) {
		end_attempt(a, false);
		advance(a->dial);
	} else {
		succeed(a);
	}
}

/* False: over already; a->error says why. */
static bool connect_to(struct attempt *a, const union address *source)
{
	struct dial *d = a->dial;

	a->fd = socket(a->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0) {
		a->error = errno;
		return false;
	}
	if ((source->any.sa_family != AF_UNSPEC && bind(a->fd, &source->any, address_size(source)) < 0)
		|| (connect(a->fd, &a->at.any, address_size(&a->at)) < 0 && errno != EINPROGRESS)) {
		a->error = errno;
	} else if (uv_poll_init(&d->loop->uv, &a->poll, a->fd)) {
		a->error = EMFILE;
	} else {
		a->poll.data = a;
		d->handles++;
		d->under_way++;
		(void)uv_poll_start(&a->poll, UV_WRITABLE, on_event);
		return true;
	}
	(void)close(a->fd);
	a->fd = -1;
	return false;
}

/* IPv6 first, then the families in turn. */
static const union address *next_address(struct dial *d)
{
	bool six_left = d->six.next < d->six.count, four_left = d->four.next < d->four.count;
	bool six_was_last = d->count && d->attempts[d->count - 1].at.any.sa_family == AF_INET6;

	if (d->count == DIAL_MAX || (!six_left && !four_left))
		return NULL;
	if (six_left && (!six_was_last || !four_left))
		return &d->six.at[d->six.next++];
	return &d->four.at[d->four.next++];
}

static void on_timer(uv_timer_t *uv)
{
	struct dial *d = uv->data;

	d->begun = true;
	advance(d);
}

/* Tries addresses until one is under way, or none is left. */
static void advance(struct dial *d)
{
	const union address *at;

	while ((at = next_address(d))) {
		struct attempt *a = &d->attempts[d->count++];

		*a = (struct attempt){ .dial = d, .at = *at, .fd = -1 };
		if (connect_to(a, &d->source)) {
			loop_timer(d->loop, &d->timer, on_timer, DIAL_NEXT_MS);
			return;
		}
	}
	if (!d->under_way && d->looked_up)
		fail(d);
}

static void found(void *user, const union address *at, size_t count, bool last, const struct err *why)
{
	struct dial *d = user;
	bool six = false;

	for (size_t i = 0; i < count; i++) {
		struct waiting *w = at[i].any.sa_family == AF_INET6 ? &d->six : &d->four;

		if (d->source.any.sa_family != AF_UNSPEC && d->source.any.sa_family != at[i].any.sa_family) {
			d->unfit = true;
			continue;
		}
		six = six || w == &d->six;
		if (w->count < RESOLVE_MAX)
			w->at[w->count++] = at[i];
	}
	d->looked_up = last;
	if (why)
		d->lookup_why = *why;
	if (d->begun) {			/* something is, or was, under way: go on if it is not */
		if (!d->under_way)
			advance(d);
	} else if (last || six) {
		d->begun = true;
		advance(d);
	} else if (count) {
		loop_timer(d->loop, &d->timer, on_timer, DIAL_WAIT_FOR_V6_MS);
	}
}

/* A socket of this machine: connected at once, or not at all, but for one whose queue is full. */
static void dial_local(struct dial *d)
{
	union address nowhere = { .v6 = { .sin6_family = AF_UNSPEC } };
	struct err why;
	bool full;
	int fd = local_path_dial(d->host, &full, &why);

	if (full) {
		d->full = true;
		loop_timer(d->loop, &d->timer, on_start, DIAL_FULL_MS);
		return;
	}
	end(d);
	d->user.done(d->user.user, fd, &nowhere, fd < 0 ? &why : NULL);
}

static void on_start(uv_timer_t *uv)
{
	struct dial *d = uv->data;

	if (d->host[0] == '/') {
		dial_local(d);
		return;
	}
	resolve_start(d->loop, d->host, d->port, &(struct resolve_user){ found, d }, &d->lookup);
}

/* An address of this machine, or the settings are wrong: tried here, once. */
static bool check_source(const char *text, union address *source, struct err *e)
{
	bool good;
	int fd;

	if (!address_parse(text, 0, source))
		return err_set(e, ERR_CONFIG, "source_address: \"%s\" is not an address", text);
	fd = socket(source->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	good = fd >= 0 && bind(fd, &source->any, address_size(source)) == 0;
	if (!good)
		(void)err_errno(e, ERR_CONFIG, "source_address: %s cannot be used on this machine", text);
	if (fd >= 0)
		(void)close(fd);
	return good;
}

bool dial_start(struct loop *l, const char *host, uint16_t port, const char *source, const struct dial_user *u,
	struct dial **slot, struct err *e)
{
	union address from = { .v6 = { .sin6_family = AF_UNSPEC } };
	struct dial *d;

	if (source && !check_source(source, &from, e))
		return false;
	d = calloc(1, sizeof *d);
	if (!d)
		return err_set(e, ERR_LOCAL, "out of memory");
	d->loop = l;
	d->slot = slot;
	d->user = *u;
	d->host = host;
	d->port = port;
	d->source_text = source;
	d->source = from;
	(void)uv_timer_init(&l->uv, &d->timer);
	d->timer.data = d;
	d->handles = 1;
	loop_timer(l, &d->timer, on_start, 0);
	*slot = d;
	return true;
}
