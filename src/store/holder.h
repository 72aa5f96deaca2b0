/* SPDX-License-Identifier: Apache-2.0
 *
 * A lock file that says who holds it.
 *
 * The lock is flock(2)'s: it goes with the process, however that ends, and a
 * file left behind locks nothing.  The file's one line, "PID SINCE WHAT", is
 * for the message that whoever comes second gets:
 * "SUBJECT is in use by process 123 (postrider collect), since 2026-…" (ERR_BUSY). */
#pragma once

#include "base/err.h"

[[nodiscard]] bool holder_take(const char *path, const char *subject, const char *what, int *fd, struct err *e);
/* To look at what it guards: beside others who look, but nobody who holds it; the file stays as it is, so who comes then
 * is not told who it is.  It must be there. */
[[nodiscard]] bool holder_look(const char *path, const char *subject, int *fd, struct err *e);
void holder_drop(int *fd);
/* What holds it, as its `what` said ("postrider run"), or held it last; false: that cannot be told. */
enum { HOLDER_WHAT = 64 };
bool holder_what(const char *path, char what[HOLDER_WHAT]);
