/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection's inside, shared by conn.c (life, callbacks, deadlines),
 * conn_out.c (what goes out) and conn_tls.c (the filter between the socket's
 * octets and the user's).
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

enum { CONN_TLS_TEXT = 80, CONN_WHERE = 320, CONN_TLS_SLACK = 64 * 1024 };

enum conn_state {
	CONN_DIALLING,
	CONN_HANDSHAKING,	/* TLS is being set up */
	CONN_OPEN,
	CONN_LEAVING,		/* conn_close was called; the last octets go out */
	CONN_ENDED,		/* waits for its handles to close */
};

struct conn {
	struct conn *next, *prev;	/* in the loop's list */
	struct loop *loop;
	struct conn_user user;
	enum conn_state state;
	uint16_t port;
	enum conn_tls tls;
	struct tls_client *tls_client;
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
	struct buf out;

	const char *deadline_name;	/* NULL: none */
	uint32_t deadline_ms;
	uint64_t deadline_at;
	bool deadline_fixed;		/* octets do not re-arm it */

	SSL *ssl;			/* NULL: in clear */
	struct tls_peer peer;
	struct tls_offered *offered;	/* NULL: nothing, or nothing wrong with it */
	struct span cipher;		/* octets of this turn that TLS has not seen yet */

	struct err why;
	char address[ADDRESS_TEXT];	/* with port; "" before connect */
	char tls_text[CONN_TLS_TEXT];
	const char *name;		/* the host without a dot at the end; behind `host` */
	char host[];			/* as the user wrote it */
};

/* conn.c */
void conn_end(struct conn *c, const struct err *why);	/* NULL = in order */
bool conn_fail(struct conn *c, enum err_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
void conn_fail_as(struct conn *c, const struct err *why);	/* with "host:port (address): " in front */
void conn_opened(struct conn *c);	/* or secured */
void conn_turn(struct conn *c, struct span in);	/* clear octets to the user */
void conn_watch(struct conn *c);
void conn_set_deadline(struct conn *c, uint32_t ms, const char *name, bool fixed);

/* conn_out.c */
void conn_flush(struct conn *c);	/* to the socket, as much as it takes */

/* conn_tls.c */
void conn_tls_begin(struct conn *c);
void conn_tls_input(struct conn *c, struct span cipher);
[[nodiscard]] bool conn_tls_send(struct conn *c, struct span out);
void conn_tls_bye(struct conn *c);	/* queues our close_notify */
void conn_tls_eof(struct conn *c);
