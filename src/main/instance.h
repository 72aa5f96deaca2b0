/* SPDX-License-Identifier: Apache-2.0
 *
 * A running instance: `postrider run` (PRODUCT section 1).
 *
 *     instance_new(cli, &i, &e) → instance_run(i), until a signal ends it → instance_free(&i)
 * The main thread has the home loop: signals, the store's answers, the control socket,
 * timers.  Sessions have the loops of the pool, `workers` of them.
 * SIGHUP reads the configuration again: listeners, certificates, limits; what cannot
 * be used changes nothing, and the log says why.  SIGTERM and SIGINT drain: addresses
 * close, sessions that are amid something get INSTANCE_PATIENCE_MS, a second signal ends at once. */
#pragma once

#include "main/cli.h"
#include "net/loops.h"
#include "serve/serve.h"

enum { INSTANCE_PATIENCE_MS = 30 * 1000 };

struct instance;

[[nodiscard]] bool instance_new(struct cli *cli, struct instance **i, struct err *e);
void instance_run(struct instance *i);
void instance_free(struct instance **i);
