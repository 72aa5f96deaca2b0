/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a server on loopback, in a thread, that says what a test wants.
 *
 *     server_start(&s, "127.0.0.1", talk, user) … s.port … server_stop(&s)
 * An address may be the path of a Unix socket, which the test removes.  talk(peer, user) runs in the server's thread for one connection after the
 * other; everything a peer_* function does blocks.  After talk the connection
 * is closed in order, if it is still there.  server_stop waits for the talks of
 * all connections made so far; so each must see the end of its own, or leave.
 * Trouble of the test's own ends the program (assert); what the other
 * side does comes as `false`. */
#pragma once

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <zlib.h>

#include "base/span.h"

struct server_peer {
	int fd;			/* -1: closed */
	SSL *ssl;		/* NULL: in clear */
	struct peer_zip *zip;	/* NULL: not compressed */
};

struct peer_zip {		/* raw deflate, both ways */
	z_stream in, out;
	char got[4096];
	size_t cut;		/* what is sent leaves in pieces of so many octets; 0: whole */
	bool more;		/* the inflater had more than fitted */
};

struct server {
	uint16_t port;
	int fd, stop[2];
	pthread_t thread;
	void (*talk)(struct server_peer *p, void *user);
	void *user;
	atomic_uint accepted;
};

void server_start(struct server *s, const char *address, void (*talk)(struct server_peer *p, void *user), void *user);
void server_stop(struct server *s);
/* A port that refuses: bound and closed again. */
uint16_t server_refusing_port(void);

bool peer_send(struct server_peer *p, struct span out);
bool peer_say(struct server_peer *p, const char *text);
/* Octets up to `room`; 0 at the end. */
size_t peer_read(struct server_peer *p, char *at, size_t room);
/* One line without its line end; false at the connection's end. */
bool peer_line(struct server_peer *p, char *line, size_t size);
bool peer_tls(struct server_peer *p, SSL_CTX *ctx);	/* the handshake */
void peer_deflate(struct server_peer *p, struct peer_zip *zip);	/* from now on; *zip is the caller's until the peer ends */
bool peer_send_as(struct server_peer *p, struct span out, int flush);	/* zlib's; peer_send flushes */
bool peer_send_raw(struct server_peer *p, struct span out);	/* below the compression */
void peer_end(struct server_peer *p);			/* in order: close_notify, FIN */
void peer_cut(struct server_peer *p);			/* FIN alone */
void peer_reset(struct server_peer *p);			/* RST */
void peer_wait_end(struct server_peer *p);		/* until the other side closes */
