/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of sessions as they are now, asked of each loop (serve.h, serve_each_session). */
#pragma once

#include "serve/serve.h"
#include "serve/worker.h"

/* `workers`: one a loop.  By whoever may call loops_call. */
size_t serve_list(struct loops *loops, struct worker **workers, uint64_t after, struct serve_session *out, size_t max);
