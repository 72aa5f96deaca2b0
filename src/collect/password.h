/* SPDX-License-Identifier: Apache-2.0
 *
 * A visit's password, or the access token in its place: got before the visit connects, and shown nowhere.
 *
 * password_get answers by visit_password_known, at once or later, from a job or from whom tokens are asked (tokens.h).  A
 * token is got before each attempt, since a visit may last longer than one.  When an attempt ends because it holds no more,
 * password_again says so, and the next one gets another. */
#pragma once

#include "base/err.h"
#include "collect/tokens.h"

struct visit;

struct visit_token {
	struct tokens_wait *wait;	/* for it */
	bool old;		/* it is of a visit before */
	bool kept;		/* the same, and its session: no other logs in with it */
	bool refused;		/* in this attempt the server said that it holds no more */
	bool again;		/* another one was taken for that, and no login was good since */
	unsigned count;		/* so many were taken for that in this visit */
};

/* password.c */
void password_get(struct visit *v);
void visit_password_known(struct visit *v, const struct err *why);
size_t password_room(const struct connection *c);	/* octets of the longest */
bool password_needless(const struct connection *c);	/* a ticket or a certificate may do in its place */
void password_missing(const struct visit *v, struct err *e);	/* says it, if that may be the reason */
bool password_costs(const struct connection *c);	/* a command is run for it, or somebody is asked: not without need */
void password_kept(struct visit *v, struct span secret);	/* of the session that watched: to be hidden, and to be known as expired */
void password_stop(struct visit *v);	/* a token is waited for no more */
/* v->why says that the access token holds no more: the next attempt gets another one, once for each login. */
bool password_again(struct visit *v);

/* secret.c */
void secret_hide(const struct visit *v, char *text);	/* the password becomes asterisks */
void secret_hide_said(const struct visit *v, char *text);	/* the same in an error: in what somebody said, not in our own words */
bool secret_peer(const struct visit *v, struct err *e, struct span words);	/* err_peer, the password hidden */
