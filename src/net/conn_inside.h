/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection's inside, shared by conn.c (life, callbacks, deadlines),
 * conn_idle.c (what keeps an idle one alive, and whose it is), conn_out.c (what goes out), conn_accept.c (how a client's connection begins and
 * ends), conn_tls.c and conn_deflate.c (the filters between the socket's octets and
 * the user's).
 *
 * The user is called from conn.c's event handler only.  While it is, `calls` is
 * not 0 and what is sent is gathered; conn_settle sends it in one go at the
 * end of the event.  A connection ends once, by conn_end: its handles are
 * closed, and in the callback of the last one closed() is called and the memory
 * given back.  So whoever called into the user looks at `state` afterwards, and
 * may do so. */
#pragma once

#include <uv.h>

#include "base/buf.h"
#include "net/conn.h"
#include "net/dial.h"
#include "net/inside.h"
#include "net/tls_inside.h"
#include "wire/proxy.h"

enum { CONN_TLS_TEXT = 80, CONN_WHERE = 320, CONN_TLS_SLACK = 64 * 1024 };

enum conn_state {
	CONN_DIALLING,
	CONN_ARRIVING,		/* accepted; nothing was done about it yet but for a PROXY header */
	CONN_HANDSHAKING,	/* TLS is being set up */
	CONN_OPEN,
	CONN_LEAVING,		/* conn_close was called; the last octets go out */
	CONN_ENDED,		/* waits for its handles to close */
};

struct zip;

struct conn {
	struct conn *next, *prev;	/* in the loop's list */
	struct loop *loop;
	struct conn_user user;
	enum conn_state state;
	uint16_t port;
	enum conn_tls tls;
	struct tls_client *tls_client;
	struct tls_server *tls_server;
	uint32_t timeout_ms;
	struct dial *dial;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd;				/* -1: none */
	int events;			/* that `poll` waits for */
	unsigned handles;		/* not closed yet */
	int deaf;			/* the errno of a failed send: the peer takes no more, */
					/* but what it said last may still come */
	unsigned calls;			/* of the user, or work on an event, under way */
	bool paused, opened, heard;	/* heard: something came in, */
	bool told;			/* and the user got octets */
	bool tls_wanted;		/* conn_start_tls was called in this turn */
	bool upgraded;			/* TLS was started, not implicit */
	bool high;			/* the out-queue was full: drained() is owed */
	bool full;			/* the socket took no more when last asked */
	bool ready;			/* something came in while paused */
	bool technical;
	bool refused;			/* by every address of the host */
	int more;			/* MSG_MORE, or 0 */
	bool timed_out;		/* a deadline passed */
	bool serving;			/* by conn_accept */
	bool starved;			/* conn_try_send could not send all: drained() is owed */
	bool background;		/* it does not keep the loop running */
	bool woken;			/* the socket asked for more, in this event */
	bool ended;			/* the client closed its half */
	bool said;			/* we closed ours */
	size_t tried;			/* octets by conn_try_send in this event */
	struct proxy *proxy;		/* a PROXY header is wanted, and not complete yet */
	union address peer_address, local_address;
	struct buf out;

	const char *deadline_name;	/* NULL: none */
	uint32_t deadline_ms;
	uint64_t deadline_at;
	bool deadline_fixed;		/* octets do not re-arm it */

	SSL *ssl;			/* NULL: in clear */
	struct tls_peer peer;
	struct tls_offered *offered;	/* NULL: nothing, or nothing wrong with it */
	struct span cipher;		/* octets of this turn that TLS has not seen yet */

	struct zip *zip;		/* NULL: nothing is compressed */

	struct err why;
	char address[ADDRESS_TEXT];	/* with port; "" before connect */
	char tls_text[CONN_TLS_TEXT];
	const char *name;		/* the host without a dot at the end; behind `host` */
	char host[];			/* as the user wrote it */
};

/* Who is at the other end, for a text. */
static inline const char *conn_other(const struct conn *c)
{
	return c->serving ? "client" : "server";
}

/* conn.c */
/* In the loop's list, with a timer; NULL: no memory. */
struct conn *conn_new(struct loop *l, const char *host, const struct conn_user *u);
[[nodiscard]] bool conn_take_socket(struct conn *c, int fd);	/* false: closed */
void conn_take(struct conn *c, struct span in);	/* octets as they came */
void conn_end(struct conn *c, const struct err *why);	/* NULL = in order */
bool conn_fail(struct conn *c, enum err_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
void conn_fail_as(struct conn *c, const struct err *why);	/* with "host:port (address): " in front */
void conn_opened(struct conn *c);	/* or secured */
void conn_turn(struct conn *c, struct span in);	/* clear octets to the user */
void conn_watch(struct conn *c);
void conn_settle(struct conn *c);	/* the end of an event */

/* conn_deadline.c */
void conn_rearm(struct conn *c);	/* something came in, or was taken */
void conn_set_deadline(struct conn *c, uint32_t ms, const char *name, bool fixed);

/* conn_idle.c */
void conn_client_options(int fd);	/* of a socket that we connected */
void conn_listener_options(int fd);	/* what accept gives has them too */

/* conn_out.c */
void conn_flush(struct conn *c);	/* to the socket, as much as it takes */
[[nodiscard]] bool conn_queue(struct conn *c, struct span out);	/* as it is; false: out of memory */
void conn_queue_end(struct conn *c);
void conn_gathered(struct conn *c);	/* what was sent is all for now: to the socket with it */
[[nodiscard]] bool conn_put(struct conn *c, struct span piece);	/* into the queue, through TLS where it is up */

/* conn_accept.c */
bool conn_begins(const struct conn *c);	/* we speak first, as soon as we can */
void conn_arrive(struct conn *c);	/* the first event */
void conn_proxy_input(struct conn *c, struct span in);
void conn_half_closed(struct conn *c);	/* the client says no more */
bool conn_blocked(const struct conn *c);	/* something waits for the client to take it */
bool conn_over(struct conn *c);		/* a client that is gone, or has all: true when that is the end */
void conn_last_said(struct conn *c);	/* nothing is left to go out after conn_close */

/* conn_tls.c */
void conn_tls_begin(struct conn *c);
void conn_tls_input(struct conn *c, struct span cipher);
[[nodiscard]] bool conn_tls_send(struct conn *c, struct span out);
void conn_tls_bye(struct conn *c);	/* queues our close_notify */
void conn_tls_eof(struct conn *c);

/* conn_deflate.c */
void conn_input(struct conn *c, struct span in);	/* octets without TLS to the user, inflated where that was started */
bool conn_deflate_begins(struct conn *c);	/* it was started in the turn that ends; true once */
size_t conn_deflate_held(const struct conn *c);	/* octets not inflated yet: nothing is read before they are */
void conn_deflate_resume(struct conn *c);	/* a pause is over */
/* TLS has ended: true when that must wait for what is held.  `why` NULL: in order. */
bool conn_deflate_parts(struct conn *c, const struct err *why);
[[nodiscard]] bool conn_deflate_send(struct conn *c, struct span out);
void conn_deflate_flush(struct conn *c);
void conn_deflate_rest(struct conn *c);		/* gives the deflater's memory back, until something is sent */
void conn_deflate_end(struct conn *c, uv_close_cb closed);
void conn_deflate_free(struct conn *c);
