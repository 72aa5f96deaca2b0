/* SPDX-License-Identifier: Apache-2.0 */
#include "net/test_client.h"

#include <assert.h>
#include <stdio.h>

enum { GOT_MAX = 64 << 20 };

static void tell(struct client *c, const char *word)
{
	size_t used = strlen(c->story), len = strlen(word);

	if (used >= len && !strcmp(c->story + used - len, word))
		return;
	(void)snprintf(c->story + used, sizeof c->story - used, "%s%s", used ? " " : "", word);
}

static bool got_ends(const struct client *c, const char *with)
{
	size_t len = with ? strlen(with) : 0;

	return len && c->got.len >= len && !memcmp(c->got.at + c->got.len - len, with, len);
}

static void opened(void *user)
{
	struct client *c = user;

	tell(c, "opened");
	(void)snprintf(c->peer, sizeof c->peer, "%s", conn_peer(c->conn));
	(void)snprintf(c->tls_text, sizeof c->tls_text, "%s", conn_tls_text(c->conn));
	if (c->deadline_ms)
		conn_deadline(c->conn, c->deadline_ms, "greeting");
	if (c->say)
		assert(conn_send(c->conn, span_of(c->say)));
	if (c->on_opened)
		c->on_opened(c);
}

static size_t turn(void *user, struct span in)
{
	struct client *c = user;
	bool good;

	tell(c, "turn");
	c->turns++;
	c->longest = in.len > c->longest ? in.len : c->longest;
	if (c->on_turn)
		return c->on_turn(c, in);
	good = buf_add(&c->got, in);
	assert(good);
	if (got_ends(c, c->tls_at))
		conn_start_tls(c->conn);
	if (got_ends(c, c->close_at))
		conn_close(c->conn);
	return in.len;
}

static void secured(void *user)
{
	struct client *c = user;

	tell(c, "secured");
	(void)snprintf(c->tls_text, sizeof c->tls_text, "%s", conn_tls_text(c->conn));
	if (c->say_secured)
		assert(conn_send(c->conn, span_of(c->say_secured)));
}

static void drained(void *user)
{
	struct client *c = user;

	tell(c, "drained");
	if (c->on_drained)
		c->on_drained(c);
}

static void connected(void *user)
{
	struct client *c = user;

	c->connected = !c->story[0] && conn_peer(c->conn)[0] && !conn_is_tls(c->conn);
}

static void closed(void *user, const struct err *why)
{
	struct client *c = user;

	tell(c, "closed");
	c->why = *why;
	c->technical = conn_tls_technical(c->conn);
	c->tls = conn_is_tls(c->conn);
	conn_tls_certificate(c->conn, c->certificate, sizeof c->certificate);
	if (c->on_closed)
		c->on_closed(c);
	c->conn = NULL;
}

void client_start(struct client *c)
{
	struct err e;

	*c = (struct client){ 0 };
	buf_start(&c->got, GOT_MAX);
	c->loop = loop_new(&e);
	assert(c->loop);
}

static void begin(struct client *c)
{
	c->story[0] = '\0';
	c->got.len = 0;
	c->turns = 0;
}

static void end_of_beginning(struct client *c, struct conn *conn, const struct err *e)
{
	c->conn = conn;
	if (!conn) {
		tell(c, "refused");
		c->why = *e;
	}
}

void client_open(struct client *c, const struct conn_settings *s)
{
	const struct conn_user u = {
		.connected = connected, .opened = opened, .turn = turn, .secured = secured, .drained = drained, .closed = closed, .user = c,
	};
	struct err e;

	begin(c);
	end_of_beginning(c, conn_open(c->loop, s, &u, &e), &e);
}

void client_accept(struct client *c, int fd, const struct conn_accepted *s)
{
	const struct conn_user u = { .opened = opened, .turn = turn, .secured = secured, .drained = drained, .closed = closed, .user = c };
	struct err e;

	begin(c);
	end_of_beginning(c, conn_accept(c->loop, fd, s, &u, &e), &e);
}

void client_run(struct client *c, const struct conn_settings *s)
{
	client_open(c, s);
	loop_run(c->loop);
	assert(!c->conn);
}

void client_end(struct client *c)
{
	loop_free(&c->loop);
	buf_end(&c->got);
}
