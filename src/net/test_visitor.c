/* SPDX-License-Identifier: Apache-2.0 */
#include "net/test_visitor.h"

#include <assert.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/listener.h"

struct visitor {
	struct client *c;
	const struct conn_accepted *settings;
	struct listener *listener;
	uint16_t port;
	void (*talk)(struct server_peer *p, void *user);
	void *user;
};

int visitor_connect(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
	return fd;
}

bool visitor_tls(struct server_peer *p, SSL_CTX *ctx, SSL_SESSION *session)
{
	p->ssl = SSL_new(ctx);
	assert(p->ssl && SSL_set_fd(p->ssl, p->fd) == 1 && (!session || SSL_set_session(p->ssl, session) == 1));
	return SSL_connect(p->ssl) == 1;
}

static void *run_visitor(void *user)
{
	struct visitor *v = user;
	struct server_peer p = { .fd = visitor_connect(v->port) };

	v->talk(&p, v->user);
	peer_end(&p);
	return NULL;
}

static void accepted(void *user, int fd, const union address *from)
{
	struct visitor *v = user;
	struct conn_accepted s = *v->settings;

	s.peer = from;
	client_accept(v->c, fd, &s);
	v->c->user = v->user;
	listener_pause(v->listener, true);	/* the loop ends with the connection */
}

void visit(struct client *c, const struct conn_accepted *s, void (*talk)(struct server_peer *p, void *user), void *user)
{
	struct visitor v = { .c = c, .settings = s, .talk = talk, .user = user };
	struct err e;
	int fd = listen_socket(&(struct listen_settings){ .address = "127.0.0.1" }, &e);
	pthread_t thread;

	assert(fd >= 0);
	v.port = listen_port(fd);
	v.listener = listener_new(c->loop, fd, &(struct listener_user){ accepted, &v, "test" }, &e);
	assert(v.listener && pthread_create(&thread, NULL, run_visitor, &v) == 0);
	loop_run(c->loop);
	assert(!c->conn);
	(void)pthread_join(thread, NULL);
	listener_free(&v.listener);
}
