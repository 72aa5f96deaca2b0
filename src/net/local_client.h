/* SPDX-License-Identifier: Apache-2.0
 *
 * The other end of a local socket (local.h): for commands, so it blocks.
 *
 *     c = local_connect(path, timeout_ms, &e); local_tell(c, line, fd, &e) …
 *     local_hear(c, most, &line, &e), local_take(c, n, use, user, &e) … local_leave(&c)
 * No call waits longer than timeout_ms for the next octet, either way.  A span that was
 * heard is borrowed until the next call.  What was read is overwritten afterwards.
 * Errors: ERR_NET; ERR_PEER for a line that is too long;
 * ERR_LOCAL. */
#pragma once

#include "base/err.h"

struct local_client;

/* *gone: nobody listens there at all. */
[[nodiscard]] struct local_client *local_connect(const char *path, uint32_t timeout_ms, bool *gone, struct err *e);
/* `fd`, when it is not -1, goes along; it stays the caller's. */
[[nodiscard]] bool local_tell(struct local_client *c, struct span octets, int fd, struct err *e);
[[nodiscard]] bool local_hear(struct local_client *c, size_t most, struct span *line, struct err *e);	/* without its LF */
[[nodiscard]] bool local_take(struct local_client *c, uint64_t octets, bool (*use)(void *user, struct span piece), void *user, struct err *e);
void local_patience(struct local_client *c, uint32_t timeout_ms);	/* from now on */
void local_break(struct local_client *c);	/* from any thread: the call that waits fails, and all that come */
void local_leave(struct local_client **c);
