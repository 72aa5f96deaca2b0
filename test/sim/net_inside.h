/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the simulated network: net.c is net/conn.h, net_trouble.c what happens to all connections at once. */
#pragma once

#include "net/conn.h"
#include "server.h"
#include "sim.h"

enum { CONNS_MAX = 256, PIECES = 4, LATENCY_US = 40000, SECOND_US = 1000000 };

enum state { DIALLING, OPEN, LEAVING, ENDED, GONE };

struct way {			/* one direction */
	char *at;
	size_t len, cap;
	uint64_t left;		/* octets until the cut */
	bool moving;		/* an event will carry on */
};

struct conn {
	struct conn_user user;
	enum state state;
	struct session *session;
	struct way up;		/* to the server; down is the session's `out` */
	uint64_t down_left;
	bool down_moving, paused, high, silent, heard_end, background;
	enum cut cut;		/* how it will break */
	size_t grain;		/* octets a piece */
	uint64_t latency_us;
	uint64_t deadline_us, deadline_at;
	const char *deadline_name;
	bool deadline_queued, timed_out;
	struct err why;
};

struct net {
	struct conn *conns[CONNS_MAX];
	size_t count;
	uint64_t refuses_until_us, mute_until_us;	/* the server is away; the network takes nothing */
};

extern struct net net;

void net_cut(struct conn *c, enum cut how);	/* it breaks on the way */
void net_move_down(struct conn *c);		/* what the server says is on its way, if it is not yet */
