/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that get a message: input, environment, and a thread each. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/child_inside.h"
#include "net/loop.h"

enum { PIECE = 32 * 1024, STACK = 256 * 1024 };

/* One run: the program, and what it is still to be given. */
struct run {
	struct child child;
	const struct child_task *task;
	const atomic_bool *stop;
	struct child_end *end;
	int in;			/* -1: it has all of it, or wants no more */
	uint64_t at;		/* of the piece */
	size_t from, len;	/* what is left of it */
	uint64_t began;
	char piece[PIECE];
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static bool ended(struct run *r, enum child_how how)
{
	r->end->how = how;
	return true;
}

/* As much as it takes now.  False: there is no more to be had, though there should be. */
static bool feed(struct run *r)
{
	while (r->in >= 0) {
		ssize_t n;

		if (r->from == r->len) {
			r->at += r->len;
			r->from = r->len = 0;
			if (!r->task->input(r->task->input_user, r->at, r->piece, sizeof r->piece, &r->len, &r->end->why))
				return false;
			if (!r->len) {
				close_fd(&r->in);
				return true;
			}
		}
		n = write(r->in, r->piece + r->from, r->len - r->from);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0 && errno != EINTR)
			close_fd(&r->in);	/* EPIPE: it wants no more */
		if (n > 0)
			r->from += (size_t)n;
	}
	return true;
}

/* What it prints is read, so that it is never stopped by a full pipe, and forgotten. */
static void read_away(struct run *r)
{
	char away[4096];
	size_t n;

	while (child_read(&r->child.out, away, sizeof away, &n) > 0)
		continue;
	child_read_complaint(&r->child);
}

static void follow(struct run *r)
{
	struct child *c = &r->child;
	bool over = false;

	while (!over) {
		struct pollfd fds[] = { { c->out, POLLIN, 0 }, { c->err, POLLIN, 0 }, { r->in, POLLOUT, 0 } };
		uint64_t lasted = clock_mono_ms() - r->began;

		c->reaped = waitpid(c->pid, &c->status, WNOHANG) == c->pid;
		read_away(r);
		if (c->reaped)
			over = ended(r, WIFEXITED(c->status) ? CHILD_EXITED : CHILD_KILLED);
		else if (!feed(r))
			over = ended(r, CHILD_FAILED);
		else if (lasted >= r->task->timeout_ms)
			over = ended(r, CHILD_TIMED_OUT);
		else if (r->stop && atomic_load(r->stop))
			over = ended(r, CHILD_STOPPED);
		else
			(void)poll(fds, COUNT(fds), lasted < CHILD_TICK_SOON_MS ? CHILD_TICK_MS : CHILD_TICK_LONG_MS);
	}
	if (!c->reaped)
		child_end_group(c);
}

static void judge(struct run *r)
{
	struct child_end *end = r->end;
	int status = r->child.status;

	(void)snprintf(end->said, sizeof end->said, "%s", child_complaint(&r->child));
	switch (end->how) {
	case CHILD_EXITED:
		end->status = WEXITSTATUS(status);
		break;
	case CHILD_KILLED:
		end->status = WTERMSIG(status);
		(void)err_set(&end->why, ERR_LOCAL, "killed by signal %d", end->status);
		break;
	case CHILD_TIMED_OUT:
		(void)err_set(&end->why, ERR_LOCAL, "did not end within %g s", r->task->timeout_ms / 1000.0);
		break;
	case CHILD_STOPPED:
		(void)err_set(&end->why, ERR_LOCAL, "stopped before it ended");
		break;
	case CHILD_FAILED:
		break;
	}
}

static bool pipes_open(int pipes[3][2], struct err *e)
{
	for (int n = 0; n < 3; n++)
		if (pipe2(pipes[n], O_CLOEXEC) < 0)
			return err_errno(e, ERR_LOCAL, "no pipe to a program");
	return true;
}

/* Its input is whole before it starts, if it can be: in the pipe, or in a file instead. */
static bool give(struct run *r, int *in, struct err *e)
{
	if (!feed(r))
		return false;
	if (r->in < 0 || !r->task->input_file)
		return true;
	close_fd(&r->in);
	close_fd(in);
	*in = r->task->input_file(r->task->input_user, e);
	return *in >= 0;
}

static bool begin(struct run *r, struct err *e)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } }, failed = 0;
	bool good = pipes_open(pipes, e);

	if (good) {
		r->in = pipes[0][1];
		r->child.out = pipes[1][0];
		r->child.err = pipes[2][0];
		pipes[0][1] = pipes[1][0] = pipes[2][0] = -1;
		(void)fcntl(r->in, F_SETFL, O_NONBLOCK);
		(void)fcntl(r->child.out, F_SETFL, O_NONBLOCK);
		(void)fcntl(r->child.err, F_SETFL, O_NONBLOCK);
		good = give(r, &pipes[0][0], e);
	}
	if (good)
		failed = child_spawn(&r->child.pid, r->task->argv, r->task->environment, &(struct child_files){ pipes[0][0], pipes[1][1], pipes[2][1] });
	for (int n = 0; n < 3; n++) {
		close_fd(&pipes[n][0]);
		close_fd(&pipes[n][1]);
	}
	errno = failed;
	return good && (!failed || err_errno(e, ERR_LOCAL, "%s cannot be started", r->task->argv[0]));
}

void child_run(const struct child_task *task, const atomic_bool *stop, struct child_end *end)
{
	struct run *r = calloc(1, sizeof *r);

	*end = (struct child_end){ .how = CHILD_FAILED };
	if (!r) {
		(void)err_set(&end->why, ERR_LOCAL, "out of memory");
		return;
	}
	r->task = task;
	r->stop = stop;
	r->end = end;
	r->in = r->child.out = r->child.err = -1;
	r->began = clock_mono_ms();
	if (begin(r, &end->why)) {
		follow(r);
		judge(r);
	}
	close_fd(&r->in);
	close_fd(&r->child.out);
	close_fd(&r->child.err);
	free(r);
}

/* ---- a thread each */

struct child_start {
	const struct child_task *task;
	void (*done)(void *user, const struct child_end *end);
	void *user;
	struct wake *wake;
	pthread_t thread;
	atomic_bool stop;
	struct child_end end;
};

static void *run_thread(void *user)
{
	struct child_start *c = user;

	child_run(c->task, &c->stop, &c->end);
	wake_send(c->wake);
	return NULL;
}

static void on_end(void *user)
{
	struct child_start *c = user;

	(void)pthread_join(c->thread, NULL);
	wake_free(&c->wake);
	c->done(c->user, &c->end);
	free(c);
}

static bool start_thread(struct child_start *c)
{
	pthread_attr_t how;
	bool good;

	if (pthread_attr_init(&how))
		return false;
	good = pthread_attr_setstacksize(&how, STACK) == 0 && pthread_create(&c->thread, &how, run_thread, c) == 0;
	(void)pthread_attr_destroy(&how);
	return good;
}

struct child_start *child_start(struct loop *l, const struct child_task *task, void (*done)(void *user, const struct child_end *end), void *user, struct err *e)
{
	struct child_start *c = calloc(1, sizeof *c);

	if (!c) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	c->task = task;
	c->done = done;
	c->user = user;
	c->wake = wake_new(l, on_end, c, e);
	if (c->wake && start_thread(c))
		return c;
	if (c->wake)
		(void)err_set(e, ERR_LOCAL, "no thread for a program");
	wake_free(&c->wake);
	free(c);
	return NULL;
}

void child_stop(struct child_start *c)
{
	atomic_store(&c->stop, true);
}

void child_forget(struct child_start **child)
{
	struct child_start *c = *child;

	*child = NULL;
	if (!c)
		return;
	child_stop(c);
	(void)pthread_join(c->thread, NULL);
	wake_free(&c->wake);
	free(c);
}
