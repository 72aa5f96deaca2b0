/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a local socket's server in a thread with a loop of its own, that
 * does what its clients say.
 *
 *     local_server_start(&s, path, &settings) … local_server_stop(&s)
 * "expect N" takes N octets and says "took N SUM"; "fd" writes "hello" into the descriptor
 * that came along and says so; "much N" says N times "x"; "busy" and "idle" are local_busy; "hold" pauses for HOLD_MS; "bye" ends;
 * anything else is said back as "got LENGTH TEXT".
 * local_server_start fails the program when it cannot (assert), with `why` it gives the error back. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "net/local.h"

enum { HOLD_MS = 200 };

struct local_server {
	const char *path;
	struct local_settings settings;
	pthread_t thread;
	struct loop *loop;
	struct local *local;
	struct wake *stop;
	struct timer *release;
	struct local_peer *held;
	struct err why;
	atomic_uint came, gone, over;
	pthread_barrier_t begun;
};

extern const struct local_settings local_server_usual;	/* patient, 64 clients, lines of 1,000 octets */

void local_server_start(struct local_server *s, const char *path, const struct local_settings *settings);
bool local_server_try(struct local_server *s, const char *path, const struct local_settings *settings);	/* false: s->why, and nothing to stop */
void local_server_stop(struct local_server *s);
