/* SPDX-License-Identifier: Apache-2.0
 * The socket, and who comes to it; local_peer.c is the talk with one client. */
#include "net/local.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/local_inside.h"
#include "net/local_path.h"

enum { BACKLOG = 64, A_TURN = 8, TICK_MS = 1000 };

/* The file */

/* Is somebody alive behind it?  A queue that is full counts, too. */
static bool somebody_listens(const struct local_path *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)&at->at, sizeof at->at) < 0 && (errno == ECONNREFUSED || errno == ENOENT);

	if (fd >= 0)
		(void)close(fd);
	return !refused;
}

static bool clear_the_way(const struct local_path *at, const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT || err_errno(e, ERR_LOCAL, "socket %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_LOCAL, "%s is in the way of a socket, and is none itself; remove it", path);
	if (somebody_listens(at))
		return err_set(e, ERR_BUSY, "socket %s is in use: another process listens there", path);
	return unlink(path) == 0 || errno == ENOENT || err_errno(e, ERR_LOCAL, "socket %s of a dead process cannot be removed", path);
}

/* The mode of a socket before bind(2) becomes that of its file, less the umask: it is never any other. */
static int bound(const struct local_path *at, const char *path, struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)&at->at, sizeof at->at) == 0) {
		if (chmod(path, 0600) == 0 && listen(fd, BACKLOG) == 0)		/* chmod: the umask may have taken too much */
			return fd;
		(void)err_errno(e, ERR_LOCAL, "socket %s", path);
		(void)unlink(path);
	} else {
		(void)err_errno(e, ERR_LOCAL, "socket %s cannot be made", path);
	}
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static int listening(const char *path, struct err *e)
{
	struct local_path at;
	int fd = -1;

	if (!local_path_start(&at, path, e))
		return -1;
	if (clear_the_way(&at, path, e))
		fd = bound(&at, path, e);
	local_path_end(&at);
	return fd;
}

/* Clients */

static void say_full(const struct local *s, int fd)
{
	if (s->settings.full)
		(void)!send(fd, s->settings.full, strlen(s->settings.full), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

static void came(struct local *s, int fd)
{
	pid_t process = 0;

	if (!local_path_trusts(fd, &process)) {
		log_warn(NULL, "%s: process %ld of another user was turned away", s->path, (long)process);
		(void)close(fd);
	} else if (s->count >= s->settings.most) {
		say_full(s, fd);
	} else if (!local_peer_new(s, fd, process)) {
		(void)close(fd);
	}
}

/* Without descriptors the socket stays readable: it rests until the next tick. */
static void on_listen(uv_poll_t *uv, [[maybe_unused]] int status, [[maybe_unused]] int events)
{
	struct local *s = uv->data;

	for (unsigned n = 0; n < A_TURN; n++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			came(s, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			(void)uv_poll_stop(uv);
		return;
	}
}

static void on_tick(uv_timer_t *uv)
{
	struct local *s = uv->data;

	(void)uv_poll_start(&s->poll, UV_READABLE, on_listen);
	for (struct local_peer *p = s->peers, *next; p; p = next) {
		next = p->next;
		local_peer_tick(p, uv_now(uv->loop));
	}
}

static void on_idle(uv_idle_t *uv)
{
	struct local *s = uv->data;

	(void)uv_idle_stop(uv);
	for (struct local_peer *p = s->peers, *next; p; p = next) {
		next = p->next;
		local_peer_turn(p);
	}
}

void local_again(struct local *s)
{
	if (!s->freed)
		(void)uv_idle_start(&s->idle, on_idle);
}

/* Beginning and end */

void local_handle_closed(uv_handle_t *h)
{
	struct local *s = h->data;

	if (--s->handles)
		return;
	free(s->path);
	free(s);
}

struct local *local_new(struct loop *l, const char *path, const struct local_settings *settings, const struct local_user *u, struct err *e)
{
	struct local *s = calloc(1, sizeof *s);
	uint32_t soon = settings->idle_ms < settings->line_ms ? settings->idle_ms : settings->line_ms;
	struct stat st;

	if (s)
		s->path = strdup(path);
	if (!s || !s->path) {
		(void)err_set(e, ERR_LOCAL, "out of memory for a socket");
	} else if ((s->fd = listening(path, e)) >= 0) {
		if (lstat(path, &st) == 0) {
			s->device = st.st_dev;
			s->inode = st.st_ino;
		}
		s->loop = l;
		s->settings = *settings;
		s->user = *u;
		(void)uv_poll_init(&l->uv, &s->poll, s->fd);
		(void)uv_timer_init(&l->uv, &s->tick);
		(void)uv_idle_init(&l->uv, &s->idle);
		s->poll.data = s->tick.data = s->idle.data = s;
		s->handles = 3;
		soon = soon / 4 < TICK_MS ? soon / 4 + 1 : TICK_MS;
		(void)uv_timer_start(&s->tick, on_tick, soon, soon);
		(void)uv_poll_start(&s->poll, UV_READABLE, on_listen);
		return s;
	}
	if (s)
		free(s->path);
	free(s);
	return NULL;
}

void local_free(struct local **out)
{
	struct local *s = *out;
	struct stat st;

	if (!s)
		return;
	*out = NULL;
	s->freed = true;
	if (lstat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode)
		(void)unlink(s->path);
	while (s->peers)
		local_peer_close(s->peers);
	uv_close((uv_handle_t *)&s->poll, local_handle_closed);
	uv_close((uv_handle_t *)&s->tick, local_handle_closed);
	uv_close((uv_handle_t *)&s->idle, local_handle_closed);
	(void)close(s->fd);
}
