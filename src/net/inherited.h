/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets that systemd opened for us (sd_listen_fds(3)).
 *
 * The environment says so: LISTEN_PID is ours, LISTEN_FDS tells how many there
 * are, from descriptor 3 on, LISTEN_FDNAMES their names ("pop3:pop3s"), as the
 * socket units have them in FileDescriptorName=.  Not being ours, or not
 * being there, is no error: there are none. */
#pragma once

#include "base/err.h"

enum { INHERITED_MAX = 64, INHERITED_FIRST = 3, INHERITED_NAME = 64 };

struct inherited {
	size_t count;
	struct {
		int fd;
		char name[INHERITED_NAME];	/* "unknown" where there is none */
	} list[INHERITED_MAX];
};

/* What the three texts say (NULL = not set) to the process `self`.  ERR_CONFIG: they are broken. */
[[nodiscard]] bool inherited_parse(const char *pid, const char *count, const char *names, uint32_t self, struct inherited *all, struct err *e);
/* The process's own: each is checked to be a listening TCP socket and made
 * close-on-exec; the environment is cleared, so that children do not think
 * that it is theirs.  For the main thread before others run. */
[[nodiscard]] bool inherited_take(struct inherited *all, struct err *e);
