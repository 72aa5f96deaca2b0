/* SPDX-License-Identifier: Apache-2.0
 *
 * A relay: mails to one SMTP or LMTP server, over connections that are kept.
 *
 *     relay_new(loop, &settings, &e)   settings and all they point to are borrowed until relay_free
 *     relay_send(r, &ask) → ask.done(user, results, count), later, never from within
 *     relay_free(&r)
 * All of it belongs to the loop's thread.  `parallel` connections at most; each is used again for as many mails as there are,
 * and the next mail's commands ride behind a message where the server pipelines (smtp/client.h).  One that had nothing to do for
 * RELAY_IDLE_MS says QUIT.  Where a kept connection turns out to be gone before anything of a mail was answered, the mail is tried
 * once more, over another.  A server where pipelining broke is talked to in lock-step from then on.
 * An answer has its time of RFC 5321 section 4.5.3.2 until it is whole: octets that drip do not prolong it.
 * Where there is a login, the first connection's must be good before there is a second: a wrong password is one failure at the server.
 * When no connection can be had, all mails that wait are deferred with the reason, and `back_off` is told, which is for
 * whoever asks: relay_send does not look at it.  Where one more than there are cannot be had, there are no more for a while.
 *
 * The message and the addresses are borrowed until `done`; results are as smtp/client.h tells them, one a recipient, and live for
 * the call.  From within `done` relay_send may be called, relay_free not.
 * relay_free calls no `done` any more: a message that is going out breaks off, one whose answer is outstanding may have been taken.
 * `holds` in an ask: where any of its recipients was accepted, the connection that it went over ends no other message until
 * relay_release(r, holds), which may come from within `done`: commands, and all of the next message but its end, go out before.
 * A connection that ends meanwhile leaves its place taken until then: so no more than `parallel` messages that were accepted, or
 * whose answer is outstanding, are unreleased at any time.
 * The loop is kept alive by mails that are not done, and by connecting; not by connections that are there.  relay_rest lets go
 * of those that have nothing to do, with QUIT. */
#pragma once

#include "deliver/back_off.h"
#include "net/conn.h"
#include "smtp/client.h"
#include "store/spool.h"

enum { RELAY_TEXT_MAX = 300, RELAY_IDLE_MS = 10 * 1000 };

struct relay_settings {
	struct conn_settings server;	/* host may be a Unix socket's path; timeout_ms is not used: RFC 5321's are */
	struct smc_login login;		/* `secure` follows from server.tls; channel_binding is not done */
	const char *user;		/* password: login.password */
	uint32_t parallel;		/* at least 1 */
	uint32_t answer_ms;		/* longest time for an answer; 0: RFC 5321's alone */
	struct back_off *back_off;	/* NULL: nobody wants to know */
	unsigned *weaker;		/* NULL, or kept by the caller: mechanisms (bits) weaker than one by which the server
					 * could not prove who it is.  None of them is tried until a login was good */
	struct store *store;		/* keeps what a server offered that was not trusted; NULL: nobody does */
	/* NULL, or: no connection is left, no mail waits and nothing is unreleased, so the password is not needed before the next
	 * relay_send.  May come more than once, never from within a call of ours. */
	void (*alone)(void *user);
	void *alone_user;
};

struct relay_result {
	enum smc_outcome outcome;
	enum err_kind kind;
	unsigned code, status[3];
	bool ours;			/* `text` is not the server's */
	bool down;			/* the server was not reached, or ended before it saw anything of the message */
	char text[RELAY_TEXT_MAX + 1];
};

struct relay_ask {
	const struct spool *message;
	const char *sender;
	const char *const *recipients;
	size_t recipient_count;		/* 1 to SMC_RECIPIENTS_MAX */
	void (*done)(void *user, const struct relay_result *results, size_t count);
	void *user;
	const void *holds;		/* NULL: no; else no other ask has the same until its release */
};

struct relay;

[[nodiscard]] struct relay *relay_new(struct loop *l, const struct relay_settings *s, struct err *e);
void relay_send(struct relay *r, const struct relay_ask *ask);
void relay_release(struct relay *r, const void *holds);
/* The mail of this `user` that no connection has taken yet is forgotten, and its `done` never comes; false: one has. */
bool relay_unsend(struct relay *r, const void *user);
size_t relay_waiting(const struct relay *r);		/* mails that are not done */
size_t relay_connections(const struct relay *r);
bool relay_unreleased(const struct relay *r);		/* of connections that have ended */
void relay_rest(struct relay *r);
/* What people trust has changed: connections to a server that counts no more end, with what they are at. */
void relay_distrust(struct relay *r);
void relay_free(struct relay **r);
