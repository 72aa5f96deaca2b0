/* SPDX-License-Identifier: Apache-2.0
 *
 * An address of ours, on all loops of a pool.
 *
 *     n = entrance_open(pool, &settings, &user, &e) → accepted(user, loop, index, fd, from),
 *     on the thread of that loop … entrance_pause … entrance_close(&n)
 * entrance_open makes one socket a loop, and the kernel deals connections out
 * (SO_REUSEPORT).  entrance_inherit takes one socket that listens already (from
 * systemd): the first loop accepts, and hands what it accepted on to the loops
 * in turn.  Either way a connection stays on the loop where it was announced.
 * accepted() owns `fd`, as a listener's user does; it must be ready for calls from
 * all loops at once, and takes none of the calls below.
 * Calls are for a thread outside of the pool.  entrance_close returns when no
 * call is under way and none will come; connections go on. */
#pragma once

#include "net/listener.h"
#include "net/loops.h"

struct entrance;

struct entrance_user {
	void (*accepted)(void *user, struct loop *l, unsigned index, int fd, const union address *from);
	void *user;
	const char *name;	/* for the log; borrowed */
};

/* `shared` and `joins` of the settings are the entrance's own affair. */
[[nodiscard]] struct entrance *entrance_open(struct loops *p, const struct listen_settings *s, const struct entrance_user *u, struct err *e);
/* `fd` is taken, also when this fails. */
[[nodiscard]] struct entrance *entrance_inherit(struct loops *p, int fd, const struct entrance_user *u, struct err *e);
uint16_t entrance_port(const struct entrance *n);
void entrance_pause(struct entrance *n, bool on);
void entrance_close(struct entrance **n);
