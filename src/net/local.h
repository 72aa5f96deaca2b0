/* SPDX-License-Identifier: Apache-2.0
 *
 * A Unix stream socket for other programs on this machine, on a loop: lines,
 * octets behind lines, and descriptors.
 *
 *     s = local_new(loop, "/var/lib/postrider/control", &settings, &user, &e)
 *     → came(user, p) for each client, then line(peer, line, fd), octets(peer, piece) …, gone(peer)
 *     … local_say(p, octets) … local_free(&s)
 * Only clients with our own uid, or root's, are let in, and `most` at a time.  The socket's
 * file has mode 0600 before anybody can connect to it; a path that is longer than
 * a socket's address may be is reached through its directory.  A file that a dead process
 * left is replaced; where somebody listens, or the file is no socket, that is an
 * error.  Who shares the directory with others of our uid holds a lock around local_new.
 *
 * What comes: a line without its line end (LF, or CRLF), at most `line_max` octets, with the
 * descriptor that was sent with it (-1 = none; the user closes it).  Inside `line` the
 * user may announce raw octets with local_expect: they come next, in pieces, before the next
 * line.  local_pause stops both until it is taken back, which is all the back-pressure
 * there is; called within line or octets it holds from the next line or piece on.  A descriptor
 * belongs to the first line of what came with it: who sends one waits for the answers to all before.
 * What goes out is kept until the client takes it: who has much to say waits for
 * `drained`, which comes when all is gone, and never from within local_say.
 *
 * A client that is slow or hostile costs its memory (line_max), and nobody else's
 * time: the loop reads LOCAL_PIECE octets a turn.  It ends when a line is too long, is not
 * complete line_ms after it began, or when for idle_ms nothing moved while it was
 * the client's turn (paused, or busy: it is ours).  What is read is overwritten afterwards.
 * All belongs to the loop's thread.  local_end may be called anywhere, also from
 * within; `gone` comes later, on the loop, or from local_free, which is not for within. */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "net/loop.h"

enum { LOCAL_PIECE = 64 * 1024 };

struct local;
struct local_peer;

struct local_settings {
	unsigned most;		/* clients at once */
	size_t line_max;
	uint32_t line_ms, idle_ms;
	const char *full;	/* said to a client above `most`; NULL = nothing */
	const char *overlong;	/* said before a client ends for its line; NULL = nothing */
};

struct local_user {
	void *(*came)(void *user, struct local_peer *p);	/* → `peer` of the others; NULL: it is sent away */
	void (*line)(void *peer, struct span line, int fd);	/* borrowed; the user may overwrite nothing */
	void (*octets)(void *peer, struct span octets);
	void (*drained)(void *peer);
	void (*over)(void *peer);	/* it says no more, but listens (shutdown(2)): local_end it when all is answered */
	void (*gone)(void *peer);	/* the last call; the local_peer is no more */
	void *user;
};

[[nodiscard]] struct local *local_new(struct loop *l, const char *path, const struct local_settings *s, const struct local_user *u, struct err *e);
void local_free(struct local **s);	/* removes the file, when it is still ours */

void local_say(struct local_peer *p, struct span octets);	/* copied */
size_t local_unsent(const struct local_peer *p);
void local_expect(struct local_peer *p, uint64_t octets);	/* within `line`, or while it has been paused since */
void local_pause(struct local_peer *p, bool on);
void local_busy(struct local_peer *p, bool on);	/* an answer is being made: it is not the client's turn, but what it says is read */
void local_end(struct local_peer *p, bool say_all);	/* say_all: when all that was said is gone, or nobody takes it */
pid_t local_process(const struct local_peer *p);	/* of the client, for the log */
