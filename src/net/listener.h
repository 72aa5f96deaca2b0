/* SPDX-License-Identifier: Apache-2.0
 *
 * A listening socket on a loop.
 *
 *     fd = listen_socket(&settings, &e) … l = listener_new(loop, fd, &user, &e)
 *     → accepted(user, fd, from) for each connection … listener_free(&l)
 * listen_socket and listen_port may be used on any thread; the rest belongs to the
 * loop.  With `shared`, several sockets have one address, each on a loop of its
 * own, and the kernel deals connections out (SO_REUSEPORT); the second one gets the
 * port from listen_port of the first.  entrance.h does that for a pool of loops.
 *
 * accepted() owns `fd` (non-blocking, close-on-exec): conn_accept takes it.  It may
 * pause the listener, not free it.  At most LISTEN_A_TURN are accepted before
 * others have their turn.  When the process has no more descriptors, or the kernel
 * no memory, accepting rests for LISTEN_REST_MS, with a line in the log.
 *
 * A paused listener lets connections wait in the kernel's queue.  listener_free
 * hands over those that wait there already, so that a reload refuses nobody:
 * accepted() is called from within it.  Connections are no business of
 * their listener once accepted. */
#pragma once

#include "base/err.h"
#include "net/address.h"
#include "net/loop.h"

enum { LISTEN_BACKLOG = 1024, LISTEN_A_TURN = 32, LISTEN_REST_MS = 500 };

struct listen_settings {
	const char *address;	/* as address_parse takes it; "::" is IPv4 too, */
	bool v6only;		/* but for this */
	uint16_t port;		/* 0: any that is free */
	bool shared;		/* others of ours will have this address too; */
	bool joins;		/* this is one of those others: without, an address that is taken is an error */
	int backlog;		/* 0: LISTEN_BACKLOG */
};

/* -1: ERR_CONFIG (no address of this machine, no right to that port) or ERR_LOCAL; the text names address and port. */
[[nodiscard]] int listen_socket(const struct listen_settings *s, struct err *e);
uint16_t listen_port(int fd);		/* 0: it is no socket of the internet */

struct listener;

struct listener_user {
	void (*accepted)(void *user, int fd, const union address *from);
	void *user;
	const char *name;	/* for the log; borrowed */
};

/* `fd` listens already; it is taken, also when this fails. */
[[nodiscard]] struct listener *listener_new(struct loop *l, int fd, const struct listener_user *u, struct err *e);
void listener_pause(struct listener *l, bool on);
void listener_free(struct listener **l);

/* For a connection that is not wanted: says `words`, as far as they leave at once, and closes it. */
void listener_refuse(int fd, struct span words);
