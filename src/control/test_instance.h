/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a running instance in a thread, as far as control sees it: a store
 * held by "postrider run", its API with hooks, the control socket on a loop.
 *
 *     instance_start(&i, state) … the socket is state/control … instance_stop(&i)
 * The store has the account anna.  While i.deaf is true, answers of the store wait.
 * What goes wrong in here ends the program (assert). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "control/server.h"

struct instance {
	const char *state;
	pthread_t thread;
	pthread_barrier_t begun;
	struct loop *loop;
	struct store *store;
	struct api *api;
	struct control_server *server;
	struct wake *stop, *drain;
	atomic_bool deaf;
	atomic_uint reloads;
};

void instance_start(struct instance *i, const char *state);
void instance_hear(struct instance *i);	/* not deaf any more */
void instance_stop(struct instance *i);
