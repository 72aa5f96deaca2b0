/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: the user of one connection, and the story of what it was told.
 *
 *     client_start(&c); c.say = …; client_run(&c, &settings); … client_end(&c)
 * client_run opens a connection, and a loop of its own runs until closed() came.
 * The story is one word a call: "opened", "turn", "secured", "drained", "closed";
 * the same word twice in a row is told once.  What came in is in `got`.
 * Before client_run a test says what the client does: `say` is sent when it
 * is opened; it starts TLS when `got` ends in `tls_at`, sends `say_secured` when
 * secured, and closes when `got` ends in `close_at`.  Or it puts calls of its own
 * into `turn` and the like. */
#pragma once

#include "base/buf.h"
#include "net/conn.h"

struct client {
	struct loop *loop;
	struct conn *conn;
	const char *say, *tls_at, *say_secured, *close_at;
	uint32_t deadline_ms;		/* "greeting", set when opened */
	void (*on_opened)(struct client *c);
	size_t (*on_turn)(struct client *c, struct span in);
	void (*on_drained)(struct client *c);
	void (*on_closed)(struct client *c);	/* `conn` is there for the last time */
	void *user;			/* the test's */

	char story[200];
	struct buf got;
	unsigned turns;
	size_t longest;			/* turn */
	struct err why;			/* of closed */
	bool technical, tls, connected;	/* connected() came first, and the peer was known */
	char tls_text[80], peer[80], certificate[480];
};

void client_start(struct client *c);
void client_open(struct client *c, const struct conn_settings *s);	/* on c->loop, without running it */
void client_accept(struct client *c, int fd, const struct conn_accepted *s);	/* the other side of one */
void client_run(struct client *c, const struct conn_settings *s);
void client_end(struct client *c);
