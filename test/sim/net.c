/* SPDX-License-Identifier: Apache-2.0
 * In place of src/net's connections: a client's end, a model server's end, and
 * between them two directions with delays, pieces and cuts, all seeded. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "net_inside.h"

struct net net;

static void move_up(struct conn *c);

/* ---- the end */

/* The server gets what is still under way, or a part of it, and then the end. */
static void leave_server(struct conn *c)
{
	size_t n = one_in(3) && !peaceful() ? below(c->up.len + 1) : c->up.len;

	if (!c->session || c->session->gone)
		return;
	if (n && !c->silent)
		session_input(c->session, (struct span){ c->up.at, n });
	c->up.len = 0;
	session_gone(c->session);
}

static void on_ended(void *user)
{
	struct conn *c = user;

	leave_server(c);
	if (!c->background)
		loop_hold(-1);
	c->state = GONE;
	c->user.closed(c->user.user, &c->why);
}

static void finish(struct conn *c, enum err_kind kind, const char *what)
{
	if (c->state >= ENDED)
		return;
	c->state = ENDED;
	c->why.kind = kind;
	if (kind)
		(void)err_set(&c->why, kind, "192.0.2.1: %s (simulated)", what);
	told("net: the connection ends: %s", what);
	event_at(log_below(c->latency_us), on_ended, c);
}

void net_cut(struct conn *c, enum cut how)
{
	if (c->silent || c->state >= ENDED)
		return;
	c->up.left = c->down_left = UINT64_MAX;		/* once */
	world->cuts++;
	switch (how) {
	case CUT_NEVER:
		return;
	case CUT_RESET:
		told("net: reset");
		session_gone(c->session);
		finish(c, ERR_NET, "connection reset by peer");
		return;
	case CUT_END:
		told("net: the server's end is closed");
		session_gone(c->session);
		c->session->closing = true;
		if (one_in(2))
			c->session->out_len = c->session->out_at;
		net_move_down(c);
		return;
	case CUT_SILENT:
		told("net: silence");
		c->silent = true;
		session_gone(c->session);
		return;
	}
}

void net_crash(void)
{
	for (size_t n = 0; n < net.count; n++)
		if (net.conns[n]->state != GONE && net.conns[n]->state != DIALLING)
			leave_server(net.conns[n]);
}

/* ---- moving octets */

static size_t piece_of(const struct conn *c, size_t there)
{
	size_t n = c->grain > 1 ? 1 + below(c->grain) : 1;

	return n < there ? n : there;
}

static void on_down(void *user)
{
	struct conn *c = user;
	struct session *s = c->session;
	size_t n, used;
	char *lent;

	c->down_moving = false;
	if (c->state != OPEN || c->paused || c->silent)
		return;
	n = piece_of(c, s->out_len - s->out_at);
	if (n > c->down_left)
		n = (size_t)c->down_left;
	c->down_left -= n;
	if (n) {
		lent = malloc(n);	/* of its own, so that ASan sees who keeps it */
		assert(lent);
		memcpy(lent, s->out + s->out_at, n);
		s->out_at += n;
		c->deadline_at = world->now_us + c->deadline_us;
		used = c->user.turn(c->user.user, (struct span){ lent, n });
		free(lent);
		if (used != n)
			violation("net: a turn consumed %zu of %zu octets", used, n);
	}
	if (!c->down_left)
		net_cut(c, c->cut);
	net_move_down(c);
}

void net_move_down(struct conn *c)
{
	if (c->down_moving || c->paused || c->silent || c->state != OPEN)
		return;
	if (c->session->out_len == c->session->out_at) {
		c->session->out_len = c->session->out_at = 0;
		if (c->session->closing)
			finish(c, ERR_NONE, "closed by the server");
		return;
	}
	c->down_moving = true;
	event_at(1 + log_below(c->latency_us), on_down, c);
}

static void feed_server(struct conn *c, size_t n)
{
	if (n > c->up.left)
		n = (size_t)c->up.left;
	c->up.left -= n;
	if (n)
		session_input(c->session, (struct span){ c->up.at, n });
	memmove(c->up.at, c->up.at + n, c->up.len - n);
	c->up.len -= n;
	if (!c->up.left)
		net_cut(c, c->cut);
	else if (c->session->cut)
		net_cut(c, c->session->cut);
	c->session->cut = CUT_NEVER;
}

static void on_up(void *user)
{
	struct conn *c = user;

	c->up.moving = false;
	if ((c->state != OPEN && c->state != LEAVING) || c->silent)
		return;
	if (c->up.len)
		feed_server(c, piece_of(c, c->up.len));
	if (c->state == LEAVING) {
		if (!c->up.len)
			finish(c, ERR_NONE, "closed by us");
		else
			move_up(c);
		return;
	}
	if (c->high && c->up.len < CONN_OUT_LOW && c->state == OPEN) {
		c->high = false;
		c->user.drained(c->user.user);
	}
	move_up(c);
	net_move_down(c);
}

static void move_up(struct conn *c)
{
	if (c->up.moving || !c->up.len || c->silent || c->state >= ENDED)
		return;
	c->up.moving = true;
	event_at(1 + log_below(c->latency_us), on_up, c);
}

/* ---- opening */

static enum cut some_cut(void)
{
	static const enum cut cuts[] = { CUT_RESET, CUT_END, CUT_SILENT };

	return cuts[below(COUNT(cuts))];
}

static void settle(struct conn *c)
{
	static const size_t grains[] = { 1, 1, 7, 60, 600, 1460, 1460, CONN_IN_MAX };
	size_t slow = world->plan.watched && peaceful() ? 3 : 0;	/* they would take longer than what is promised then */

	c->grain = grains[slow + below(COUNT(grains) - slow)];
	c->latency_us = 2 + log_below(LATENCY_US);
	c->down_left = c->up.left = UINT64_MAX;
	if (peaceful() || !percent(world->plan.fault_percent))
		return;
	c->cut = some_cut();
	if (one_in(3))
		c->up.left = 1 + log_below(2000);
	else
		c->down_left = 1 + log_below(30000);
}

static void on_dialled(void *user)
{
	struct conn *c = user;

	if (c->state != DIALLING)
		return;
	if (net.refuses_until_us > world->now_us) {
		finish(c, ERR_NET, "connection refused");
		return;
	}
	if (net.mute_until_us > world->now_us) {
		c->latency_us = 60ull * SECOND_US;
		finish(c, ERR_NET, "no connection within 30 s");
		return;
	}
	if (fault(30)) {
		finish(c, ERR_NET, "connection refused");
		return;
	}
	if (fault(60)) {		/* nobody answers */
		c->latency_us = 60ull * SECOND_US;
		finish(c, ERR_NET, "no connection within 30 s");
		return;
	}
	c->session = session_new();
	settle(c);
	told("net: connected, pieces of %zu", c->grain);
	c->state = OPEN;
	c->user.opened(c->user.user);
	net_move_down(c);
}

/* Those that are gone make room. */
static void remember(struct conn *c)
{
	size_t kept = 0;

	for (size_t n = 0; net.count == CONNS_MAX && n < CONNS_MAX; n++)
		if (net.conns[n]->state != GONE)
			net.conns[kept++] = net.conns[n];
	net.count = net.count == CONNS_MAX ? kept : net.count;
	assert(net.count < CONNS_MAX);
	net.conns[net.count++] = c;
}

struct conn *conn_open(struct loop *l, const struct conn_settings *s, const struct conn_user *u, struct err *e)
{
	struct conn *c = calloc(1, sizeof *c);

	(void)l;
	assert(c && s->tls == CONN_TLS_NONE);
	if (fault(500)) {
		(void)err_set(e, ERR_LOCAL, "no descriptors left (simulated)");
		free(c);
		return NULL;
	}
	remember(c);
	c->user = *u;
	c->latency_us = 1000;
	loop_hold(1);
	event_at(1 + log_below(SECOND_US), on_dialled, c);
	return c;
}

/* ---- conn.h */

bool conn_send(struct conn *c, struct span out)
{
	assert(c->state != DIALLING);
	if (c->state != OPEN)
		return false;
	if (c->up.len + out.len > CONN_OUT_MAX) {
		finish(c, ERR_NET, "the server does not take what it is sent");
		return false;
	}
	if (c->up.len + out.len > c->up.cap) {
		c->up.cap = 2 * (c->up.len + out.len);
		c->up.at = realloc(c->up.at, c->up.cap);
		assert(c->up.at);
	}
	memcpy(c->up.at + c->up.len, out.at, out.len);
	c->up.len += out.len;
	c->high = c->high || c->up.len >= CONN_OUT_LOW;
	move_up(c);
	return true;
}

size_t conn_unsent(const struct conn *c)
{
	return c->up.len;
}

static void on_deadline(void *user)
{
	struct conn *c = user;
	char what[80];

	c->deadline_queued = false;
	if (c->state != OPEN || !c->deadline_us || c->paused)
		return;
	if (c->deadline_at > world->now_us) {
		c->deadline_queued = true;
		event_at(c->deadline_at - world->now_us, on_deadline, c);
		return;
	}
	c->timed_out = true;
	(void)snprintf(what, sizeof what, "no %s within %u s", c->deadline_name, (unsigned)(c->deadline_us / SECOND_US));
	finish(c, ERR_NET, what);
}

bool conn_timed_out(const struct conn *c)
{
	return c->timed_out;
}

void conn_deadline(struct conn *c, uint32_t ms, const char *name)
{
	if (c->state != OPEN)
		return;
	c->deadline_us = (uint64_t)ms * 1000;
	c->deadline_at = world->now_us + c->deadline_us;
	c->deadline_name = name;
	if (!ms || c->deadline_queued)
		return;
	c->deadline_queued = true;
	event_at(c->deadline_us, on_deadline, c);
}

void conn_pause(struct conn *c, bool on)
{
	bool was = c->paused;

	c->paused = on;
	if (on || !was || c->state != OPEN)
		return;
	net_move_down(c);
	if (c->deadline_us)
		conn_deadline(c, (uint32_t)(c->deadline_us / 1000), c->deadline_name);
}

static void on_left(void *user)
{
	struct conn *c = user;

	if (c->state == LEAVING)
		finish(c, ERR_NONE, "closed by us, not all was sent");
}

void conn_close(struct conn *c)
{
	if (c->state == DIALLING) {
		finish(c, ERR_NONE, "closed by us");
		return;
	}
	if (c->state != OPEN)
		return;
	c->state = LEAVING;
	if (!c->up.len) {
		finish(c, ERR_NONE, "closed by us");
		return;
	}
	event_at(5ull * SECOND_US, on_left, c);
	move_up(c);
}

void conn_drop(struct conn *c)
{
	if (c->state == DIALLING || c->state == OPEN || c->state == LEAVING)
		finish(c, ERR_NONE, "closed by us");
}

void conn_adopt(struct conn *c, const struct conn_user *u)
{
	assert(c->state != DIALLING && c->state != GONE);
	c->user = *u;
}

void conn_background(struct conn *c)
{
	if (!c->background && c->state != GONE)
		loop_hold(-1);
	c->background = true;
}

static void on_forgotten([[maybe_unused]] void *user, [[maybe_unused]] const struct err *why)
{
}

void conn_forget(struct conn **out)
{
	struct conn *c = *out;

	*out = NULL;
	if (!c)
		return;
	c->user.closed = on_forgotten;
	conn_drop(c);
}

void conn_rest([[maybe_unused]] struct conn *c)
{
}

bool conn_is_open(const struct conn *c)
{
	return c->state == OPEN;
}
