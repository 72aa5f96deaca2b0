/* SPDX-License-Identifier: Apache-2.0
 *
 * A running instance: `postrider run` (PRODUCT section 1).
 *
 *     instance_new(cli, &i, &e) → instance_run(i), until a signal ends it → instance_free(&i)
 * The main thread has the home loop: signals, the store's answers, the control socket,
 * timers.  Sessions have the loops of the pool, `workers` of them.
 * SIGHUP reads the configuration again: listeners, certificates, limits, connections; what cannot
 * be used changes nothing, and the log says why.  Visits under way end by what they began with.
 * SIGTERM and SIGINT drain: addresses close, visits fetch no more, and both they and the sessions that are
 * amid something get INSTANCE_PATIENCE_MS.  A second signal ends at once: what visits have
 * complete is made durable still, which takes INSTANCE_HURRY_MS at the most; a visit that
 * does not end then is left as by a crash, which loses nothing and doubles nothing. */
#pragma once

#include "collect/collect.h"
#include "main/cli.h"
#include "net/loops.h"
#include "serve/serve.h"
#include "serve/submissions.h"

enum { INSTANCE_PATIENCE_MS = 30 * 1000, INSTANCE_HURRY_MS = COLLECTOR_DROP_MS + 2000 };

struct instance;

[[nodiscard]] bool instance_new(struct cli *cli, struct instance **i, struct err *e);
/* First of all that takes time: SIGHUP, which would end us before instance_run has the loop take it. */
void instance_begin(void);
void instance_run(struct instance *i);
void instance_free(struct instance **i);
