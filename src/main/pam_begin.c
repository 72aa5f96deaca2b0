/* SPDX-License-Identifier: Apache-2.0 */
#include "main/pam_begin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "main/pam_helper.h"
#include "net/child.h"

#define CONFDIR "POSTRIDER_PAM_CONFDIR"

enum { PATIENCE_MS = 5000, ROOM = 1024 * 1024, FAILED = 1 };

static const char *confdir(void)
{
	return secure_getenv(CONFDIR);
}

static bool spawn(int ours, int its, struct pam_helper *h, struct err *e)
{
	const char *const argv[] = { "/proc/self/exe", PAM_HELPER_OPTION, confdir(), NULL };
	const int room = ROOM;

	(void)setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	(void)setsockopt(its, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	if (!child_beside(argv, its, &h->pid, e))
		return err_in(e, "the helper for PAM");
	h->fd = ours;
	return true;
}

bool pam_begin_again(void *context, struct pam_helper *h, struct err *e)
{
	int pair[2];
	bool good;

	(void)context;
	*h = (struct pam_helper){ -1, 0 };
	if (!POSTRIDER_PAM)
		return err_set(e, ERR_CONFIG, "this build has no PAM");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, ERR_LOCAL, "no sockets for the helper for PAM");
	good = spawn(pair[0], pair[1], h, e);
	(void)close(pair[1]);
	if (!good)
		(void)close(pair[0]);
	return good;
}

static bool says_hello(const struct pam_helper *h)
{
	struct pollfd fd = { h->fd, POLLIN, 0 };
	struct pam_reply r;

	return poll(&fd, 1, PATIENCE_MS) == 1 && recv(h->fd, &r, sizeof r, MSG_DONTWAIT) == sizeof r && r.id == 0;
}

static bool there(const char *folder, const char *service)
{
	char path[512];

	return snprintf(path, sizeof path, "%s/%s", folder, service) < (int)sizeof path && access(path, F_OK) == 0;
}

void pam_begin_check(const struct settings *s)
{
	const struct pop3_settings *p = s->pop3;
	const char *own = confdir();

	for (size_t n = 0; POSTRIDER_PAM && p && n < p->user_count; n++) {
		const char *service = p->users[n].text;

		if (p->users[n].kind != POP3_USERS_PAM || there(own ? own : "/etc/pam.d", service) || (!own && there("/usr/lib/pam.d", service)))
			continue;
		log_warn(NULL, "users: there is no %s/%s: PAM judges pam:%s by its service \"other\"", own ? own : "/etc/pam.d", service, service);
	}
}

bool pam_begin_wants(const struct settings *s)
{
	for (size_t n = 0; s->pop3 && n < s->pop3->user_count; n++)
		if (s->pop3->users[n].kind == POP3_USERS_PAM)
			return true;
	return false;
}

bool pam_begin(const struct settings *s, struct pam_helper *h, struct err *e)
{
	*h = (struct pam_helper){ -1, 0 };
	if (!pam_begin_wants(s))
		return true;
	if (!pam_begin_again(NULL, h, e))
		return false;
	if (says_hello(h)) {
		pam_begin_check(s);
		if (geteuid() != 0)
			log_warn(NULL, "users: PAM is asked without root, which modules such as pam_unix need to see other users' passwords; "
				"start as root and write run_as");
		return true;
	}
	(void)close(h->fd);
	(void)kill(h->pid, SIGKILL);
	(void)waitpid(h->pid, NULL, 0);
	*h = (struct pam_helper){ -1, 0 };
	return err_set(e, ERR_LOCAL, "the helper for PAM does not start");
}

/* The socket is what it is all about: who types the option by hand has none. */
static bool is_ours(int fd)
{
	socklen_t size = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

int pam_begin_helper(int argc, char **argv)
{
#if POSTRIDER_PAM
	const struct pam_helper_with with = { .confdir = argc > 2 ? argv[2] : NULL, .timeout_ms = PAM_TIMEOUT_MS };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "postrider-pam", 0, 0, 0);
	if (is_ours(STDIN_FILENO) && chdir("/") == 0)
		return pam_helper_run(STDIN_FILENO, &with);
#else
	(void)argc;
	(void)argv;
	(void)is_ours;
#endif
	return FAILED;
}
