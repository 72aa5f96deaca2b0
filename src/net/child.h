/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that we run: password commands and command targets.
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
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

[[nodiscard]] bool child_output(const char *command, uint32_t timeout_ms, const atomic_bool *stop, struct buf *out, struct err *e);

/* A program with arguments, octets on its standard input, and an environment; no shell.
 *
 *     child_start(loop, &task, done, user, &e) → done(user, &end) on the loop's thread; child_stop before that ends it sooner
 * It gets nothing of ours but these: no other descriptors, no variables, no ignored signals; its
 * group is its own, and at the time-out (or child_stop) all of the group is killed.  What it prints goes nowhere, but
 * for the first line of its standard error.  Octets that it does not read are no failure: its exit status counts.
 * What it leaves running in the background, when it ends itself, is left alone.
 * All of its input is there before it starts, in the pipe or in a file: whenever we are killed, it reads the end where the end is.
 * The thread of a run is its own, so that slow programs keep no job waiting.
 *
 * child_run is the same and blocks. */
enum { CHILD_SAID_MAX = 200 };

struct child_task {			/* borrowed until done */
	const char *const *argv;	/* ended by NULL; argv[0] with a slash, or looked for in our PATH */
	const char *const *environment;	/* all of it, NAME=VALUE, ended by NULL */
	/* Octets of the input from `at` on, at most `room`; *n = 0: that is the end.  Called on the run's thread.  False: they
	 * cannot be had, the program must not take what it has for a message: its group is killed. */
	bool (*input)(void *input_user, uint64_t at, char *out, size_t room, size_t *n, struct err *e);
	/* Input that a pipe does not hold, as a file at its beginning, which the run closes; -1: as `input`'s false.  On the run's
	 * thread.  NULL: it is given in pieces while the program runs, which takes what it has for all if we are killed. */
	int (*input_file)(void *input_user, struct err *e);
	void *input_user;
	uint32_t timeout_ms;
};

enum child_how { CHILD_EXITED, CHILD_KILLED, CHILD_TIMED_OUT, CHILD_STOPPED, CHILD_FAILED };

struct child_end {
	enum child_how how;
	int status;			/* EXITED: its status; KILLED: the signal */
	char said[CHILD_SAID_MAX + 1];	/* safe to be shown; may be empty */
	struct err why;			/* but for EXITED: in words; FAILED: it could not be started, or its input not be read */
};

struct loop;
struct child_start;

void child_run(const struct child_task *task, const atomic_bool *stop, struct child_end *end);
/* NULL: there is no thread or memory for it, and `done` is never called. */
[[nodiscard]] struct child_start *child_start(struct loop *l, const struct child_task *task, void (*done)(void *user, const struct child_end *end), void *user, struct err *e);
void child_stop(struct child_start *c);			/* `done` is called soon, on the loop */
/* Ends it and waits for that; `done` is not called.  Before the loop is freed. */
void child_forget(struct child_start **c);

/* A process beside ours: `argv` (argv[0] as above) with `socket` as its descriptor 0, /dev/null as 1 and 2, and nothing else of
 * ours: no other descriptors, no variables, no ignored signals; in a group of its own.  Who starts it waits for it. */
[[nodiscard]] bool child_beside(const char *const *argv, int socket, pid_t *pid, struct err *e);
