/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes that are watched between visits (PRODUCT 2.1 `idle`; IMAP IDLE, RFC 2177, and NOTIFY, RFC 5465), inside the room.
 *
 * A visit that has come to its end does not log out: its connection and its session become a watch's (watch_begin), which
 * says IDLE and needs little memory.  The connection's next visit takes both over (watch_take), says DONE, and looks into its
 * mailboxes as any other, whatever the server told meanwhile: so each end of IDLE is followed by a complete look.  A watch
 * tells (collector_with.news) that a visit is wanted: once for what came, or when its connection has ended; who visits
 * by a schedule does so every few minutes anyhow, which is what keeps the connection alive, and finds out one that is dead:
 * a visit whose session does not answer goes on with a fresh one.
 * What the server told from the moment on at which the visit began to list, counts too: nothing is missed in between.
 *
 * A server that refuses IDLE, that ends it (or the connection) within WATCH_SHORT_S three times in a row, or that has too many sessions of an
 * account (watch_crowded), is not asked for that connection for WATCH_DENIED_S: it is polled.  When an account is crowded,
 * one more session of it ends, so that visits find room; that connection is polled too.
 *
 * Everything runs on the loop's thread.  A watch borrows nothing of the settings: watches_settle, told of new ones, ends those
 * whose connection is another now, and from then on takes no session of a visit that began by others. */
#pragma once

#include "collect/collect.h"
#include "net/conn.h"

enum { WATCH_SHORT_S = 60, WATCH_SHORT_MAX = 3, WATCH_DENIED_S = 3600 };

struct visit;
struct watches;

/* `news` as in collector_with. */
[[nodiscard]] struct watches *watches_new(struct loop *loop, void (*news)(void *user, const char *connection), void *user);
void watches_free(struct watches **w);		/* their connections are forgotten at once */
void watches_settle(struct watches *w, const struct settings *settings);	/* borrowed until the next call */
/* Says goodbye without waiting for an answer; NULL: to all.  Nothing is told of it. */
void watches_end(struct watches *w, const char *connection);
void watches_distrust(struct watches *w);	/* trust has changed: those to servers that lost it end, and a visit is wanted */
bool watches_show(const struct watches *w, const char *connection, struct collector_watch *shown);

bool watch_wanted(const struct visit *v);	/* the server can, and nothing speaks against it */
bool watch_may_notify(const struct visit *v);	/* false: it holds at this server for a moment only, again and again */
void watch_not_notified(const struct visit *v);	/* it was lost over NOTIFY: that is one of those moments */
/* Not from within a call of the connection or the session.  The visit has no connection then, as if it had left; or it is
 * closed instead.  What watched for that connection until now ends.
 * `again`: a visit is wanted behind this one. */
void watch_begin(struct visit *v, bool again);
bool watch_waits(const struct visit *v);	/* there is a session for this visit */
/* Its connection and its session become the visit's; false: there is none (any more). */
bool watch_take(struct visit *v, const struct conn_user *user);
/* The server watches other mailboxes than are there now, or the session is gone: another visit begins one of its own. */
void watch_anew(const struct visit *v);
void watch_crowded(struct visit *v);		/* the server let us not in: too many sessions */
