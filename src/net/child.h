/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that we run: a password command now, command targets later.
 *
 * child_output runs `command` with /bin/sh -c (the user wrote it in his own
 * configuration) in its own process group with stdin from /dev/null, adds its
 * standard output to `out` and waits for it; on time-out, or when it prints more
 * than `out`'s limit allows, or *stop becomes true (any thread; NULL: never), the whole group is killed.  What it leaves running in
 * the background is not waited for.  It blocks: for jobs and for main, never on
 * a loop.  Errors: ERR_CONFIG with exit status or signal and the first line of
 * standard error, time-out, too much output; ERR_LOCAL.  What was printed before
 * an error stays in `out`. */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "base/err.h"

[[nodiscard]] bool child_output(const char *command, uint32_t timeout_ms, const atomic_bool *stop, struct buf *out, struct err *e);
