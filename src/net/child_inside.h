/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of child.h share: a program under way, and how it is begun and followed. */
#pragma once

#include <sys/types.h>

#include "net/child.h"

enum { CHILD_TICK_MS = 5, CHILD_TICK_LONG_MS = 50, CHILD_TICK_SOON_MS = 2000 };

struct child {
	pid_t pid;		/* also its process group */
	int out, err;		/* our ends; -1 once at their end */
	int status;
	bool reaped;
	char complaint[CHILD_SAID_MAX + 1];	/* the beginning of its standard error */
	size_t complaint_len;
};

struct child_files {		/* its 0, 1 and 2; -1: /dev/null */
	int in, out, err;
};

/* Its own group, no signal of ours ignored or blocked, nothing of ours open.  Returns an errno. */
int child_spawn(pid_t *pid, const char *const *argv, const char *const *environment, const struct child_files *files);
/* Not for blocking on: reads what is there.  1 = octets, 0 = none now, -1 = the end. */
int child_read(int *fd, char *at, size_t room, size_t *n);
void child_read_complaint(struct child *c);
void child_end_group(struct child *c);	/* kills it, and waits */
/* The first line of it, safe to be shown. */
const char *child_complaint(struct child *c);
