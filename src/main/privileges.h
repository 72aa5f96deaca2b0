/* SPDX-License-Identifier: Apache-2.0
 *
 * Who the service is: from root to the user of `run_as`, for good.
 *
 *     privileges_find(settings.run_as, &p, &e)     who we are, and who to become
 *     permitted_state(&p, state, &e)               permitted.h: what that user may do,
 *     permitted_files(&p, &settings)               asked while there still is a way out
 *     privileges_drop(&p, &e)                      false: end the process
 *     … only now the store, threads, loops, listeners
 *
 * Why before the listeners, not behind them: capabilities belong to threads, and
 * capset(2) changes only its own.  A drop that comes when threads run would need all of them
 * to take part (libpsx); one before them is inherited by each.  What root did before
 * would belong to root: the store's files, a lock, the control socket.  And the first
 * opening of port 110 is then done as every later one (SIGHUP) must be: so
 * it cannot happen that a reload fails where the start went well.
 *
 * What is kept: CAP_NET_BIND_SERVICE, permitted and effective, of every thread that
 * will be.  Nothing is inheritable or ambient, so programs that we run have nothing at
 * all; the bounding set holds only that one, if it was ours to change; no_new_privs
 * makes set-uid programs harmless (a password command that wants sudo fails).
 * HOME, USER and LOGNAME become the user's.  Then it is tried whether root can be had
 * back, in every way there is, and whether the kernel says of us what was meant;
 * if not, privileges_drop fails.
 *
 * Not root (systemd's User=, or a person at a shell): no change of user; capabilities
 * are brought down to the same, and who had any gets no_new_privs.  Root without run_as
 * stays root, with a warning.
 * A sandbox (seccomp, Landlock) is not here.  This file speaks to the kernel without libcap:
 * two system calls with fixed structs are easier to check than a library. */
#pragma once

#include <sys/types.h>

#include "base/err.h"

enum { PRIVILEGES_NAME = 64, PRIVILEGES_HOME = 1024, PRIVILEGES_GROUPS = 256 };

enum privileges_how { PRIVILEGES_ROOT, PRIVILEGES_USER, PRIVILEGES_BECOME };

struct privileges {
	enum privileges_how how;	/* the rest is set for PRIVILEGES_BECOME only */
	char user[PRIVILEGES_NAME], group[PRIVILEGES_NAME], home[PRIVILEGES_HOME];
	uid_t uid;
	gid_t gid;
	gid_t groups[PRIVILEGES_GROUPS];	/* all of them, `gid` too */
	int group_count;
};

/* `run_as` may be NULL.  ERR_CONFIG: there is no such user, it is root, or we are
 * somebody else and cannot become it. */
[[nodiscard]] bool privileges_find(const char *run_as, struct privileges *p, struct err *e);
/* ERR_LOCAL, or our own fault: other threads run already.  What happened so far is not undone. */
[[nodiscard]] bool privileges_drop(const struct privileges *p, struct err *e);
