/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection, ours to a server or a client's to us: the one place that knows
 * sockets, TLS and deadlines.
 *
 * conn_open (a client's side) resolves the name (c-ares, or an address as it is;
 * "localhost" per RFC 6761), tries its addresses by happy eyeballs (RFC 8305:
 * IPv6 first, 250 ms apart), handshakes if `tls` is implicit, and calls back:
 *     connected(user)         the socket is there, TLS is not yet; may be NULL, calls
 *                             nothing of the connection but conn_peer, and never
 *                             comes to one that was accepted
 *     opened(user)            ready to talk (TLS, if implicit, is up)
 *     turn(user, in) → used   bytes came in; returns how many it consumed:
 *                             all, but for a TLS start or compression (below)
 *     drained(user)           the out-queue went below CONN_OUT_LOW again
 *     closed(user, why)       once, the last call: why->kind ERR_NONE when the
 *                             peer closed in order (TLS close_notify or FIN)
 * Calls come from the loop only, never from within conn_* functions.  `in`
 * is lent for the call: an idle connection owns no buffer.  Under TLS a turn
 * gathers the records that came together, up to CONN_IN_MAX.
 *
 * TLS start (STLS): conn_start_tls from within turn, which must return how much
 * it consumed; or in drained or between calls, if the user has kept nothing unread.
 * After the end it does nothing: sending the answer may have found that nobody is
 * there.  Bytes received and not consumed at that moment, or arriving in clear
 * before our ClientHello's answer, end the connection as ERR_PEER ("data before
 * TLS"), for all protocols.  When TLS is up: secured(user).
 *
 * Compression (RFC 4978): conn_start_deflate from within turn; turn must return
 * how much it consumed, and the rest, as all that comes later, is inflated for
 * the turns that follow: above TLS, when that is up, and each of CONN_IN_MAX at
 * most.  What is sent from then on is deflated, and flushed where it leaves.  What
 * is held unread meanwhile is bounded, however large it would become.
 *
 * Deadlines: conn_deadline sets the one running deadline and its name; when it
 * passes, the connection closes with ERR_NET "no NAME within N s".  Each turn
 * with bytes re-arms it (that is, it is a deadline on silence).  Connecting (the
 * name included) and the TLS handshake have theirs from the settings, 0 = none;
 * those are not re-armed.  The user's calls have no effect then.
 *
 * Out: conn_send copies what the socket does not take at once into a queue of
 * at most CONN_OUT_MAX octets (false, and closing, above it).  What is sent
 * within a call is gathered and leaves in one write at its end.  Not before
 * opened() and not during the handshake of conn_start_tls (asserted); after
 * the end it is false.  When the peer takes no more, what it said last is still
 * read, and closed() tells why.
 * Pause: conn_pause(true) stops reading (back-pressure); bytes already read in
 * this turn still come, but nothing is inflated.  A paused connection's deadline stands still.
 * conn_close closes when the queue is out, or after 5 s (TLS close_notify when
 * up); closed() follows later with ERR_NONE.  No other call comes meanwhile.
 * The conn is freed by the loop after closed().
 * Errors: ERR_PEER also for what cannot be inflated; ERR_NET (resolve, connect, time-out, reset, cut inside TLS without
 * close_notify), ERR_TLS, ERR_PEER; texts name host, port and address.
 *
 * conn_accept (a server's side) takes a socket that a listener accepted; all of
 * the above holds, with the client where the server stands, and:
 *     a PROXY header comes first where it is wanted, then TLS, if implicit, then
 *     opened(); `timeout_ms` is the deadline of each
 *     octets in clear behind STLS, in the same turn or before the ClientHello,
 *     end the connection as ERR_PEER
 *     the deadline is one on the client's silence in both directions: each octet
 *     that the client takes re-arms it, and while something waits to go out it
 *     runs in a pause too
 *     a client that has closed its half (FIN, close_notify) still gets what was
 *     sent, and drained() goes on for conn_try_send; then closed() comes with
 *     ERR_NONE.  Whoever works on an answer in a job pauses meanwhile: its
 *     client's end is read after that, else there would be nothing left to wait for
 *     a client that is gone while something waits for it, or in a pause, is
 *     ERR_NET at once: what it said last does not count any more
 *     after conn_close what the client still sends is read and dropped until it
 *     closes too, so that no reset takes our last words away; at most 5 s
 * Errors begin with the client's address and port. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/tls.h"
#include "net/tls_server.h"

enum { CONN_OUT_MAX = 1 << 20, CONN_OUT_LOW = 64 * 1024, CONN_IN_MAX = 64 * 1024, CONN_TRY_QUEUE = 34 * 1024, CONN_TRY_TURN = 256 * 1024 };

enum { CONN_OFFERED_CERTIFICATES = 10, CONN_OFFERED_MAX = 64 * 1024 };

enum conn_tls { CONN_TLS_NONE, CONN_TLS_IMPLICIT };

struct conn_settings {		/* borrowed until opened or closed; a connection that was opened borrows nothing */
	const char *host;		/* a name, an address, or the path of a Unix socket: it begins with "/" */
	uint16_t port;			/* not of a Unix socket */
	enum conn_tls tls;
	struct tls_client *tls_client;	/* for implicit and for conn_start_tls; kept by the connection; may be NULL with none */
	const char *source_address;	/* NULL = any */
	uint32_t connect_timeout_ms, timeout_ms;
};

struct conn_accepted {		/* settings of conn_accept; borrowed for the call */
	const union address *peer;	/* as accept told it; NULL = the socket is asked */
	enum conn_tls tls;
	struct tls_server *tls_server;	/* for implicit and for conn_start_tls; kept by the connection; may be NULL with none */
	uint32_t timeout_ms;
	unsigned proxy;			/* bits of enum proxy_version: such a header must come first; 0 = none */
	const struct network *trusted;	/* who may send it: all others are refused */
	size_t trusted_count;
};

struct conn;

struct conn_user {
	void (*connected)(void *user);
	void (*opened)(void *user);
	size_t (*turn)(void *user, struct span in);
	void (*secured)(void *user);	/* may be NULL where conn_start_tls is not called */
	void (*drained)(void *user);
	void (*closed)(void *user, const struct err *why);
	void *user;
};

[[nodiscard]] struct conn *conn_open(struct loop *l, const struct conn_settings *s, const struct conn_user *u, struct err *e);
/* `fd` is taken, also when it fails.  ERR_PEER: a PROXY header is wanted and the peer is none of `trusted`. */
[[nodiscard]] struct conn *conn_accept(struct loop *l, int fd, const struct conn_accepted *s, const struct conn_user *u, struct err *e);
[[nodiscard]] bool conn_send(struct conn *c, struct span out);
/* Sends what is valid only now, without a queue: returns how many octets of it
 * went, straight to the socket behind what was sent before (through TLS: in
 * records, of which CONN_TRY_QUEUE octets may wait).  Fewer than asked for: the
 * socket takes no more, or CONN_TRY_TURN went in this turn and it is another
 * connection's; drained() follows, and the rest is tried again.  0 after the end.
 * Not with compression, and where conn_send may not be called. */
size_t conn_try_send(struct conn *c, struct span out);
/* More follows at once: what is sent until it does not waits for it in the kernel (200 ms at most), so
 * that a packet is not cut where one of several sends ends. */
void conn_more(struct conn *c, bool follows);
size_t conn_unsent(const struct conn *c);
/* And what the other side has not acknowledged yet: what it takes is seen by this, octet by octet. */
size_t conn_untaken(const struct conn *c);
/* Octets of the other side's have come that no turn has seen yet, or may be on their way to one. */
bool conn_waits(const struct conn *c);
void conn_start_tls(struct conn *c);
/* False (ERR_LOCAL): no memory; the connection is as before. */
[[nodiscard]] bool conn_start_deflate(struct conn *c, struct err *e);
void conn_deadline(struct conn *c, uint32_t ms, const char *name);	/* 0 = none; `name` must be static */
void conn_pause(struct conn *c, bool on);
void conn_close(struct conn *c);
void conn_drop(struct conn *c);	/* at once: its descriptor is free, what waited is lost; closed() as after conn_close */
/* As conn_drop, but no call comes any more: the user may go.  Not from within one of its calls. */
void conn_forget(struct conn **c);
/* A connection that was opened changes hands: from now on all calls go to `u`, closed() among them, also when it has ended
 * already and nobody was told yet.  Octets that wait, and a drained() that is owed, come to the new user; what was sent and not
 * taken stays in the queue.  Deadline, pause and TLS are as they were.  From within a call (but not closed()): what that
 * call returns is still the old user's word, and all later ones are the new one's.  Not during the handshake of conn_start_tls
 * (asserted).  `connected` and `opened` do not come again, and may be NULL.  A connection outlives the contexts that its TLS is of, so
 * it goes on when settings or trust change: whoever keeps it decides whether it may (conn_tls_trusted). */
void conn_adopt(struct conn *c, const struct conn_user *u);
/* Nothing will be sent for long: gives back what an idle connection still owns and can make again, the deflater's 64 KiB.
 * All else that is lent goes back by itself when a turn ends.  What was sent is not held back, and anything may be sent later. */
void conn_rest(struct conn *c);
/* It was opened, and nobody was told yet that it has ended: false while conn_close's last octets leave, too. */
bool conn_is_open(const struct conn *c);
/* From now on it does not keep the loop running, once it is there: of one that was opened, the name and the dialling do. */
void conn_background(struct conn *c);
/* The handshake broke for a technical reason (no TLS spoken, reset, version), or nobody listens where TLS begins at once:
 * what tls.required = false may forgive; never chain, pin, date, revocation. */
bool conn_tls_technical(const struct conn *c);
/* The handshake ended because the server's certificate was not accepted (chain,
 * name, date, revocation, pin, depth, weak key): what the server offered, to be
 * asked inside closed(), which is how long it lives.  The chain is PEM, the
 * server's own certificate first, at most CONN_OFFERED_CERTIFICATES and whole
 * ones only, together at most CONN_OFFERED_MAX octets.  Nothing proves that
 * the server has the keys: the handshake did not come that far.  `reason` is the
 * error's text without host and port.  False: it was something else. */
struct conn_offered {
	struct span chain;
	const char *reason;
};
bool conn_tls_offered(const struct conn *c, struct conn_offered *offered);
/* False: its server's certificate counts only because a person accepted it or its
 * authority, and that was taken back meanwhile (tls_trust.h).  Then it is to end. */
bool conn_tls_trusted(const struct conn *c);
/* A deadline passed; to be asked inside closed(). */
bool conn_timed_out(const struct conn *c);
bool conn_is_tls(const struct conn *c);
const char *conn_peer(const struct conn *c);	/* "192.0.2.1:995"; "" before connect, and of a Unix socket's server */
/* The client's own address behind a PROXY header; and which of ours it called (both AF_UNSPEC before connect). */
const union address *conn_peer_address(const struct conn *c);
const union address *conn_local_address(const struct conn *c);
/* The certificate of a client that was asked for one, verified, as PEM for
 * certificates_read: for SASL EXTERNAL.  False: it has none, or no memory. */
[[nodiscard]] bool conn_tls_client_certificate(const struct conn *c, struct buf *pem);
bool conn_tls_resumed(const struct conn *c);	/* the session is one from before */
const char *conn_tls_text(const struct conn *c);	/* "TLSv1.3 TLS_AES_256_GCM_SHA384", "" in clear */
/* The server's certificate on one line: `"mail" for a.example, b.example, issued
 * by "Some CA", valid until 2030-01-31`; "" without TLS.  Safe to show. */
void conn_tls_certificate(const struct conn *c, char *out, size_t size);
/* Channel bindings for SASL (RFC 9266, RFC 5929) into `out`; 0 when not to be had. */
size_t conn_tls_exporter(const struct conn *c, char out[32]);
size_t conn_tls_unique(const struct conn *c, char out[64]);
