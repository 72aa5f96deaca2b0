/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: one connection of somebody to us, and what we saw of it.
 *
 *     client_start(&c); c.say = …; visit(&c, &settings, talk, user); … client_end(&c)
 * `talk` is the visitor: it runs in a thread of its own, connected to a port of
 * 127.0.0.1 where c->loop listens; what it does with peer_* (test_server.h)
 * blocks, and afterwards its end is closed in order.  Our side is `c`, a
 * user as in test_client.h.  visit returns when closed() came and `talk` is over;
 * a connection that conn_accept refused is "refused" in the story. */
#pragma once

#include "net/test_client.h"
#include "net/test_server.h"

void visit(struct client *c, const struct conn_accepted *s, void (*talk)(struct server_peer *p, void *user), void *user);
/* A visitor's TLS handshake, resuming `session` if that is not NULL. */
bool visitor_tls(struct server_peer *p, SSL_CTX *ctx, SSL_SESSION *session);
/* A connected socket; blocks. */
int visitor_connect(uint16_t port);
