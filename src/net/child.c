/* SPDX-License-Identifier: Apache-2.0 */
#include "net/child_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

int child_read(int *fd, char *at, size_t room, size_t *n)
{
	ssize_t got;

	if (*fd < 0)
		return -1;
	do
		got = read(*fd, at, room);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		*n = (size_t)got;
		return 1;
	}
	if (got < 0 && errno == EAGAIN)
		return 0;
	(void)close(*fd);
	*fd = -1;
	return -1;
}

/* False: there is more than the limit. */
static bool read_output(struct child *c, struct buf *out)
{
	char more;
	size_t n;

	for (;;) {
		size_t left = out->max - out->len;
		int got = child_read(&c->out, left ? out->at + out->len : &more, left ? left : 1, &n);

		if (got <= 0)
			return true;
		if (!left)
			return false;
		out->len += n;
	}
}

void child_read_complaint(struct child *c)
{
	char rest[512];
	size_t n;

	for (;;) {
		size_t left = CHILD_SAID_MAX - c->complaint_len;

		if (child_read(&c->err, left ? c->complaint + c->complaint_len : rest, left ? left : sizeof rest, &n) <= 0)
			return;
		if (left)
			c->complaint_len += n;
	}
}

void child_end_group(struct child *c)
{
	(void)kill(-c->pid, SIGKILL);
	while (!c->reaped)
		c->reaped = waitpid(c->pid, &c->status, 0) == c->pid || errno != EINTR;
}

/* Until the command itself ends: what it left running in the background may
 * keep the pipes open for ever. */
static bool follow(struct child *c, uint64_t until, uint32_t timeout_ms, const atomic_bool *stop, struct buf *out, struct err *e)
{
	for (;;) {
		struct pollfd fds[] = { { c->out, POLLIN, 0 }, { c->err, POLLIN, 0 } };

		c->reaped = waitpid(c->pid, &c->status, WNOHANG) == c->pid;
		child_read_complaint(c);
		if (!read_output(c, out)) {
			child_end_group(c);
			return err_set(e, ERR_CONFIG, "printed more than %zu octets", out->max);
		}
		if (c->reaped)
			return true;
		if (clock_mono_ms() >= until) {
			child_end_group(c);
			return err_set(e, ERR_CONFIG, "did not end within %g s", timeout_ms / 1000.0);
		}
		if (stop && atomic_load(stop)) {
			child_end_group(c);
			return err_set(e, ERR_LOCAL, "stopped before it ended");
		}
		(void)poll(fds, 2, CHILD_TICK_MS);	/* negative descriptors are passed over */
	}
}

const char *child_complaint(struct child *c)
{
	c->complaint_len = span_find((struct span){ c->complaint, c->complaint_len }, '\n');
	c->complaint[c->complaint_len] = '\0';
	text_clean(c->complaint, c->complaint_len);
	return c->complaint;
}

static bool judge(struct child *c, struct err *e)
{
	if (WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0)
		return true;
	if (WIFSIGNALED(c->status))
		(void)err_set(e, ERR_CONFIG, "killed by signal %d", WTERMSIG(c->status));
	else
		(void)err_set(e, ERR_CONFIG, "exit status %d", WEXITSTATUS(c->status));
	if (*child_complaint(c)) {
		char said[sizeof e->text];

		memcpy(said, e->text, sizeof said);
		(void)err_set(e, ERR_CONFIG, "%s: it said \"%s\"", said, c->complaint);
	}
	return false;
}

static int set_files(posix_spawn_file_actions_t *actions, const struct child_files *files)
{
	const int own[] = { files->in, files->out, files->err };
	int failed = 0;

	for (int n = 0; !failed && n < 3; n++) {
		if (own[n] >= 0)
			failed = posix_spawn_file_actions_adddup2(actions, own[n], n);
		else
			failed = posix_spawn_file_actions_addopen(actions, n, "/dev/null", n ? O_WRONLY : O_RDONLY, 0);
	}
	return failed ? failed : posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

int child_spawn(pid_t *pid, const char *const *argv, const char *const *environment, const struct child_files *files)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t how;
	sigset_t none, all;
	int failed;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if (posix_spawn_file_actions_init(&actions))
		return ENOMEM;
	if (posix_spawnattr_init(&how)) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	(void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setpgroup(&how, 0);
	(void)posix_spawnattr_setsigmask(&how, &none);
	(void)posix_spawnattr_setsigdefault(&how, &all);
	failed = set_files(&actions, files);
	failed = failed ? failed : posix_spawnp(pid, argv[0], &actions, &how, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)environment);
	(void)posix_spawnattr_destroy(&how);
	(void)posix_spawn_file_actions_destroy(&actions);
	return failed;
}

bool child_beside(const char *const *argv, int socket, pid_t *pid, struct err *e)
{
	const char *const none[] = { NULL };

	errno = child_spawn(pid, argv, none, &(struct child_files){ socket, -1, -1 });
	return !errno || err_errno(e, ERR_LOCAL, "%s cannot be started", argv[0]);
}

static bool start(struct child *c, const char *command, struct err *e)
{
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	int out[2], err[2], failed;

	if (pipe2(out, O_CLOEXEC) < 0)
		return err_errno(e, ERR_LOCAL, "no pipe to a command");
	if (pipe2(err, O_CLOEXEC) < 0) {
		(void)err_errno(e, ERR_LOCAL, "no pipe to a command");
		(void)close(out[0]);
		(void)close(out[1]);
		return false;
	}
	failed = child_spawn(&c->pid, argv, (const char *const *)environ, &(struct child_files){ -1, out[1], err[1] });
	(void)close(out[1]);
	(void)close(err[1]);
	c->out = out[0];
	c->err = err[0];
	(void)fcntl(c->out, F_SETFL, O_NONBLOCK);
	(void)fcntl(c->err, F_SETFL, O_NONBLOCK);
	if (!failed)
		return true;
	(void)close(c->out);
	(void)close(c->err);
	errno = failed;
	return err_errno(e, ERR_LOCAL, "/bin/sh cannot be started");
}

bool child_output(const char *command, uint32_t timeout_ms, const atomic_bool *stop, struct buf *out, struct err *e)
{
	uint64_t until = clock_mono_ms() + timeout_ms;
	struct child c = { 0 };
	bool good;

	/* All the room at once: what is read may be a secret, and growing leaves copies behind. */
	if (out->len < out->max && !buf_room(out, out->max - out->len))
		return err_set(e, ERR_LOCAL, "out of memory");
	if (!start(&c, command, e))
		return false;
	good = follow(&c, until, timeout_ms, stop, out, e) && judge(&c, e);
	if (c.out >= 0)
		(void)close(c.out);
	if (c.err >= 0)
		(void)close(c.err);
	return good;
}
