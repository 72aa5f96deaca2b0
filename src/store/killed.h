/* SPDX-License-Identifier: Apache-2.0
 *
 * For this room's tests: a child that is killed, as by kill -9, before its
 * n-th system call.  With n from 1 up, until it ends by itself, it was killed
 * at every place where a kill makes a difference to what is on the disk.
 * Counts the calls of its first thread; needs ptrace(2), or skips the test. */
#pragma once

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "store/fixture.h"

static inline int killed_wait(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) != child)
		assert_int_equal(errno, EINTR);
	return status;
}

/* Its own children come to us (PR_SET_CHILD_SUBREAPER): until they have ended, what they hold is held. */
static inline void killed_orphans(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* Counts system calls as they begin; true: killed at the n-th. */
static inline bool killed_count(pid_t child, size_t n)
{
	bool inside = false;
	int number = 0;

	for (;;) {
		int status;

		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, number), 0);
		status = killed_wait(child);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
		number = WSTOPSIG(status);
		if (number != (SIGTRAP | 0x80))
			continue;	/* a signal: it gets it */
		number = 0;
		inside = !inside;
		if (inside && --n == 0) {
			assert_int_equal(kill(child, SIGKILL), 0);
			assert_true(WIFSIGNALED(killed_wait(child)));
			killed_orphans();
			return true;
		}
	}
}

/* False: `run` ended, with fewer calls.  It must end well. */
[[maybe_unused]] static bool killed_at(size_t n, bool (*run)(void *user), void *user)
{
	pid_t child;
	int status;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(77);
		(void)raise(SIGSTOP);
		_exit(run(user) ? 0 : 1);
	}
	status = killed_wait(child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	return killed_count(child, n);
}
