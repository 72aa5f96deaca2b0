/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two files of local.h share: the server, and one client of it.
 *
 * A client's turn is taken on the loop only: when its socket can be read or
 * written, on a tick, or soon after local_again. */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "net/inside.h"
#include "net/local.h"

struct local {
	uv_poll_t poll;
	uv_timer_t tick;
	uv_idle_t idle;
	struct loop *loop;
	struct local_settings settings;
	struct local_user user;
	char *path;
	dev_t device;
	ino_t inode;
	int fd;
	unsigned count, handles;	/* clients; handles of libuv, those of clients too */
	struct local_peer *peers;
	bool freed;
};

struct local_peer {
	uv_poll_t poll;
	struct local *server;
	struct local_peer *next, **at;
	void *user;			/* what `came` gave */
	int fd, passed;			/* passed: a descriptor for the next line; -1 = none */
	pid_t process;
	char *in;			/* what came and was not eaten */
	size_t len, cap, seen;		/* seen: of it there is no line end */
	uint64_t expect;		/* raw octets, before the next line */
	struct buf out;
	size_t sent;			/* of out */
	uint64_t moved_ms, began_ms;	/* last octet either way; the line that is not whole yet */
	bool paused, busy, over, told_over;	/* over: nothing more comes */
	bool ending, closed;		/* ending: what was said goes out, then it closes */
	bool said;			/* drained() is due when all is gone */
};

bool local_peer_new(struct local *s, int fd, pid_t process);	/* false: fd is the caller's still */
void local_peer_turn(struct local_peer *p);
void local_peer_tick(struct local_peer *p, uint64_t now_ms);
void local_peer_close(struct local_peer *p);
void local_again(struct local *s);	/* everyone's turn, soon */
void local_handle_closed(uv_handle_t *h);
