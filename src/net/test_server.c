/* SPDX-License-Identifier: Apache-2.0 */
#define ZLIB_CONST
#include "net/test_server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"
#include "net/local_path.h"

static int listen_on(const char *address, uint16_t *port)
{
	socklen_t size = sizeof(union address);
	union address a;
	bool good = address_parse(address, *port, &a);
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	assert(good && fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	assert(bind(fd, &a.any, address_size(&a)) == 0 && listen(fd, 64) == 0);
	assert(getsockname(fd, &a.any, &size) == 0);
	*port = ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
	return fd;
}

/* A Unix socket.  With a short queue, so that a test can fill it. */
static int listen_at(const char *path)
{
	struct local_path p;
	struct err e;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = local_path_start(&p, path, &e);

	assert(good && fd >= 0);
	assert(bind(fd, (const struct sockaddr *)&p.at, sizeof p.at) == 0 && listen(fd, 1) == 0);
	local_path_end(&p);
	return fd;
}

static void *serve(void *arg)
{
	struct server *s = arg;

	for (;;) {
		struct pollfd fds[] = { { s->fd, POLLIN, 0 }, { s->stop[0], POLLIN, 0 } };
		struct server_peer p = { .fd = -1 };

		(void)poll(fds, 2, -1);
		if (!fds[0].revents && fds[1].revents)
			return NULL;
		p.fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		if (p.fd < 0)
			continue;
		s->accepted++;
		s->talk(&p, s->user);
		peer_end(&p);
	}
}

void server_start(struct server *s, const char *address, void (*talk)(struct server_peer *p, void *user), void *user)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGPIPE, &ignore, NULL);
	*s = (struct server){ .talk = talk, .user = user };
	s->fd = address[0] == '/' ? listen_at(address) : listen_on(address, &s->port);
	assert(pipe2(s->stop, O_CLOEXEC) == 0);
	assert(pthread_create(&s->thread, NULL, serve, s) == 0);
}

void server_stop(struct server *s)
{
	assert(write(s->stop[1], "", 1) == 1);
	assert(pthread_join(s->thread, NULL) == 0);
	(void)close(s->fd);
	(void)close(s->stop[0]);
	(void)close(s->stop[1]);
}

uint16_t server_refusing_port(void)
{
	uint16_t port = 0;

	(void)close(listen_on("127.0.0.1", &port));
	return port;
}

bool peer_send_raw(struct server_peer *p, struct span out)
{
	while (out.len) {
		size_t n = 0;

		if (p->fd < 0)
			return false;
		if (p->ssl) {
			if (SSL_write_ex(p->ssl, out.at, out.len, &n) != 1)
				return false;
		} else {
			ssize_t sent = send(p->fd, out.at, out.len, MSG_NOSIGNAL);

			if (sent < 0 && errno != EINTR)
				return false;
			n = sent < 0 ? 0 : (size_t)sent;
		}
		out = span_from(out, n);
	}
	return true;
}

bool peer_send_as(struct server_peer *p, struct span out, int flush)
{
	z_stream *z = &p->zip->out;
	char piece[8192];

	z->next_in = (const Bytef *)out.at;
	z->avail_in = (uInt)out.len;
	do {
		struct span made;

		z->next_out = (Bytef *)piece;
		z->avail_out = sizeof piece;
		(void)deflate(z, flush);
		made = (struct span){ piece, sizeof piece - z->avail_out };
		while (made.len) {
			size_t n = p->zip->cut && p->zip->cut < made.len ? p->zip->cut : made.len;

			if (!peer_send_raw(p, (struct span){ made.at, n }))
				return false;
			made = span_from(made, n);
		}
	} while (!z->avail_out);
	return true;
}

bool peer_send(struct server_peer *p, struct span out)
{
	return p->zip ? peer_send_as(p, out, Z_SYNC_FLUSH) : peer_send_raw(p, out);
}

bool peer_say(struct server_peer *p, const char *text)
{
	return peer_send(p, span_of(text));
}

static size_t read_raw(struct server_peer *p, char *at, size_t room)
{
	size_t n;
	ssize_t got;

	if (p->fd < 0)
		return 0;
	if (p->ssl)
		return SSL_read_ex(p->ssl, at, room, &n) == 1 ? n : 0;
	do
		got = recv(p->fd, at, room, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? 0 : (size_t)got;
}

static size_t read_inflated(struct server_peer *p, char *at, size_t room)
{
	z_stream *z = &p->zip->in;
	int result;

	do {
		if (!z->avail_in && !p->zip->more) {
			z->next_in = (const Bytef *)p->zip->got;
			z->avail_in = (uInt)read_raw(p, p->zip->got, sizeof p->zip->got);
			if (!z->avail_in)
				return 0;
		}
		z->next_out = (Bytef *)at;
		z->avail_out = (uInt)room;
		result = inflate(z, Z_SYNC_FLUSH);
		assert(result == Z_OK || result == Z_BUF_ERROR);
		p->zip->more = !z->avail_out;
	} while (z->avail_out == room);
	return room - z->avail_out;
}

size_t peer_read(struct server_peer *p, char *at, size_t room)
{
	return p->zip ? read_inflated(p, at, room) : read_raw(p, at, room);
}

void peer_deflate(struct server_peer *p, struct peer_zip *zip)
{
	size_t cut = zip->cut;
	int in, out;

	*zip = (struct peer_zip){ .cut = cut };
	in = inflateInit2(&zip->in, -15);
	out = deflateInit2(&zip->out, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	assert(in == Z_OK && out == Z_OK);
	p->zip = zip;
}

bool peer_line(struct server_peer *p, char *line, size_t size)
{
	size_t len = 0;
	char c;

	while (peer_read(p, &c, 1)) {
		if (c == '\n') {
			line[len && line[len - 1] == '\r' ? len - 1 : len] = '\0';
			return true;
		}
		assert(len + 1 < size);
		line[len++] = c;
	}
	return false;
}

bool peer_tls(struct server_peer *p, SSL_CTX *ctx)
{
	p->ssl = SSL_new(ctx);
	assert(p->ssl && SSL_set_fd(p->ssl, p->fd) == 1);
	return SSL_accept(p->ssl) == 1;
}

void peer_cut(struct server_peer *p)
{
	if (p->fd < 0)
		return;
	if (p->zip) {
		(void)inflateEnd(&p->zip->in);
		(void)deflateEnd(&p->zip->out);
		p->zip = NULL;
	}
	SSL_free(p->ssl);
	p->ssl = NULL;
	(void)close(p->fd);
	p->fd = -1;
}

void peer_end(struct server_peer *p)
{
	if (p->ssl && SSL_is_init_finished(p->ssl))
		(void)SSL_shutdown(p->ssl);
	if (p->fd >= 0)
		(void)shutdown(p->fd, SHUT_WR);
	peer_cut(p);
}

void peer_reset(struct server_peer *p)
{
	struct linger now = { 1, 0 };

	if (p->fd >= 0)
		(void)setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	peer_cut(p);
}

void peer_wait_end(struct server_peer *p)
{
	char rest[4096];

	while (peer_read(p, rest, sizeof rest))
		;
}
