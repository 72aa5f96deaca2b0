/* SPDX-License-Identifier: Apache-2.0 */
#include "main/pam_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { CHILD_PIPE = 3, FAILED = 1 };

/* A conversation. */
struct slot {
	pid_t pid;		/* 0: the slot is free */
	int pipe;		/* its answer; -1: it was given */
	bool mute;		/* nothing comes by it any more */
	uint64_t id, until_ms;
};

struct waiting {
	uint64_t until_ms;
	struct pam_request request;
};

struct helper {
	int socket;
	struct pam_helper_with with;
	struct slot slots[PAM_AT_ONCE];
	struct waiting queue[PAM_QUEUE];	/* the oldest first */
	size_t count;
};

/* ---- answers */

static void reply(const struct helper *h, uint64_t id, enum elsewhere_said said, const char *why)
{
	struct pam_reply r;

	memset(&r, 0, sizeof r);
	r.id = id;
	r.said = said;
	(void)snprintf(r.why, sizeof r.why, "%s", why);
	(void)send(h->socket, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL);	/* who does not read gives up by himself */
}

static void answered(const struct helper *h, struct slot *s, enum elsewhere_said said, const char *why)
{
	reply(h, s->id, said, why);
	(void)close(s->pipe);
	s->pipe = -1;
}

static void kill_group(const struct slot *s)
{
	if (kill(-s->pid, SIGKILL) < 0)
		(void)kill(s->pid, SIGKILL);	/* it has not made its group yet */
}

/* What it wrote, if it has: in one piece, since a pipe's writes of that size are. */
static bool read_answer(const struct helper *h, struct slot *s)
{
	struct pam_reply r;
	ssize_t n;

	do
		n = read(s->pipe, &r, sizeof r);
	while (n < 0 && errno == EINTR);
	r.why[PAM_WHY_MAX] = '\0';
	s->mute = n >= 0;
	if (n == sizeof r)
		answered(h, s, r.said, r.why);
	return n == sizeof r;
}

static void tell_end(const struct helper *h, struct slot *s, int status)
{
	char why[PAM_WHY_MAX];

	if (WIFSIGNALED(status))
		(void)snprintf(why, sizeof why, "PAM: a module was killed by signal %d", WTERMSIG(status));
	else
		(void)snprintf(why, sizeof why, "PAM: a module ended the process, exit status %d", WEXITSTATUS(status));
	answered(h, s, ELSEWHERE_BUSY, why);
}

/* ---- conversations */

/* In the child: nothing but the request, the pipe, and /dev/null. */
static bool strip(int out)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(out, CHILD_PIPE) < 0)
		return false;
	for (int fd = 0; fd < CHILD_PIPE; fd++)
		if (dup2(null, fd) < 0)
			return false;
	if (fcntl(CHILD_PIPE, F_SETFD, FD_CLOEXEC) < 0)
		return false;
	closefrom(CHILD_PIPE + 1);
	(void)sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	(void)sigaction(SIGTERM, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static _Noreturn void converse(struct helper *h, pid_t parent, int out)
{
	const char *confdir = h->with.confdir;
	struct pam_request r = h->queue[0].request;
	struct pam_reply answer;

	memset(&answer, 0, sizeof answer);
	answer.id = r.id;
	answer.said = ELSEWHERE_BUSY;
	wipe(h->queue, sizeof h->queue);	/* others' passwords are none of its modules' business */
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent || !strip(out))
		_exit(FAILED);
	pam_talk(&r, confdir, &answer);
	wipe(&r, sizeof r);
	_exit(write(CHILD_PIPE, &answer, sizeof answer) == sizeof answer ? 0 : FAILED);
}

static void drop_first(struct helper *h)
{
	h->count--;
	memmove(&h->queue[0], &h->queue[1], h->count * sizeof h->queue[0]);
	wipe(&h->queue[h->count], sizeof h->queue[0]);
}

/* The request that came first.  False: it cannot be done. */
static bool begin(struct helper *h, struct slot *s)
{
	pid_t parent = getpid();
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	s->pid = fork();
	if (s->pid == 0)
		converse(h, parent, pipes[1]);
	(void)close(pipes[1]);
	if (s->pid < 0) {
		s->pid = 0;
		(void)close(pipes[0]);
		return false;
	}
	(void)setpgid(s->pid, s->pid);
	s->pipe = pipes[0];
	s->mute = false;
	s->id = h->queue[0].request.id;
	s->until_ms = clock_mono_ms() + h->with.timeout_ms;
	return true;
}

static void begin_all(struct helper *h)
{
	uint64_t now = clock_mono_ms();

	while (h->count && h->queue[0].until_ms <= now) {
		reply(h, h->queue[0].request.id, ELSEWHERE_BUSY, "PAM: too many logins, and those before are slow");
		drop_first(h);
	}
	for (size_t n = 0; n < PAM_AT_ONCE && h->count; n++) {
		if (h->slots[n].pid)
			continue;
		if (!begin(h, &h->slots[n]))
			reply(h, h->queue[0].request.id, ELSEWHERE_BUSY, "PAM: no process or pipe for it");
		drop_first(h);
	}
}

static void follow(const struct helper *h, struct slot *s, uint64_t now)
{
	siginfo_t end = { 0 };
	int status = 0;

	if (s->pipe >= 0 && !s->mute)
		(void)read_answer(h, s);
	if (s->mute)
		kill_group(s);
	if (s->pipe >= 0 && now >= s->until_ms) {
		answered(h, s, ELSEWHERE_BUSY, "PAM: no answer in time");
		kill_group(s);
	}
	if (waitid(P_PID, (id_t)s->pid, &end, WEXITED | WNOHANG | WNOWAIT) < 0 || !end.si_pid)
		return;
	kill_group(s);		/* what it left behind, while the number still is its own */
	(void)waitpid(s->pid, &status, 0);
	if (s->pipe >= 0 && !read_answer(h, s))	/* it may have come just before the end */
		tell_end(h, s, status);
	s->pid = 0;
}

/* ---- requests */

static void take(struct helper *h, const struct pam_request *r)
{
	struct waiting *w = &h->queue[h->count];

	if (!pam_request_good(r)) {
		reply(h, r->id, ELSEWHERE_BUSY, "PAM: the question has not the form of one");
	} else if (h->count == PAM_QUEUE) {
		reply(h, r->id, ELSEWHERE_BUSY, "PAM: too many logins");
	} else {
		w->until_ms = clock_mono_ms() + h->with.timeout_ms;
		w->request = *r;
		h->count++;
	}
}

/* One: the next ones come by as soon as slots have been looked at.  False: it was the last. */
static bool receive(struct helper *h)
{
	struct pam_request r;
	ssize_t n = recv(h->socket, &r, sizeof r, MSG_DONTWAIT);
	bool waits = n < 0 && (errno == EAGAIN || errno == EINTR);

	if (n == sizeof r)
		take(h, &r);
	wipe(&r, sizeof r);
	return n == sizeof r || waits;
}

/* ---- the whole */

static void on_child(int number)
{
	(void)number;		/* that ppoll returns is all */
}

/* SIGCHLD comes during ppoll only.  It ends by its socket alone: a terminal's or a manager's signals are for `run`, whose logins it judges to the end. */
static bool prepare(sigset_t *waiting)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE };
	struct sigaction on = { .sa_handler = on_child };
	sigset_t child;

	(void)umask(077);
	for (size_t n = 0; n < COUNT(ignored); n++)
		(void)sigaction(ignored[n], &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	(void)sigemptyset(waiting);
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	return sigaction(SIGCHLD, &on, NULL) == 0 && sigprocmask(SIG_BLOCK, &child, NULL) == 0;
}

static int look_after(struct helper *h, const sigset_t *waiting)
{
	bool there = true;

	while (there) {
		struct pollfd fds[PAM_AT_ONCE + 1] = { { h->socket, POLLIN, 0 } };
		uint64_t now = clock_mono_ms(), until = h->count ? h->queue[0].until_ms : UINT64_MAX;
		struct timespec left = { 0 };

		for (size_t n = 0; n < PAM_AT_ONCE; n++) {
			const struct slot *s = &h->slots[n];

			fds[n + 1] = (struct pollfd){ s->pid && !s->mute ? s->pipe : -1, POLLIN, 0 };
			if (s->pid && s->pipe >= 0 && s->until_ms < until)
				until = s->until_ms;
		}
		if (until > now && until != UINT64_MAX)
			left = (struct timespec){ (time_t)((until - now) / 1000), (long)((until - now) % 1000) * 1000000 };
		if (ppoll(fds, COUNT(fds), until == UINT64_MAX ? NULL : &left, waiting) < 0 && errno != EINTR)
			return FAILED;
		now = clock_mono_ms();
		for (size_t n = 0; n < PAM_AT_ONCE; n++)
			if (h->slots[n].pid)
				follow(h, &h->slots[n], now);
		there = receive(h);
		begin_all(h);
	}
	return 0;
}

int pam_helper_run(int socket, const struct pam_helper_with *with)
{
	struct helper *h = calloc(1, sizeof *h);
	sigset_t waiting;
	int status = FAILED;

	if (!h || !prepare(&waiting))
		goto out;
	h->socket = socket;
	h->with = *with;
	reply(h, 0, ELSEWHERE_RIGHT, "");
	status = look_after(h, &waiting);
	for (size_t n = 0; n < PAM_AT_ONCE; n++)
		if (h->slots[n].pid)
			kill_group(&h->slots[n]);
	wipe(h, sizeof *h);
out:
	free(h);
	return status;
}
