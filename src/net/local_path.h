/* SPDX-License-Identifier: Apache-2.0
 *
 * The address of a Unix socket's path, whatever its length.
 *
 * A sockaddr_un takes 107 octets.  For a longer path its directory is opened, and
 * the address is /proc/self/fd/N/NAME; so NAME is at most 80 octets then.
 * The directory must stay open while the address is used. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

struct local_path {
	struct sockaddr_un at;
	int directory;		/* -1 = none was needed */
};

[[nodiscard]] bool local_path_start(struct local_path *p, const char *path, struct err *e);
void local_path_end(struct local_path *p);
/* Connected, and does not block from then on; -1: `full` when its queue is full and it may be tried again, else `e` says why. */
int local_path_dial(const char *path, bool *full, struct err *e);
/* May the process at the other end of `fd` talk to us?  Our own uid, or root. */
bool local_path_trusts(int fd, pid_t *process);
