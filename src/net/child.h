/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that we run: a password command now, command targets later.
 *
 * child_output runs `command` with /bin/sh -c (the user wrote it in his own
 * configuration) in its own process group with stdin from /dev/null, reads at
 * most `out`'s limit of its standard output and waits for it; on time-out the
 * whole group is killed.  It blocks: for jobs and for main, never on a loop.
 * Errors: ERR_CONFIG with exit status or signal and the first line of standard
 * error; ERR_LOCAL. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

[[nodiscard]] bool child_output(const char *command, uint32_t timeout_ms, struct buf *out, struct err *e);
