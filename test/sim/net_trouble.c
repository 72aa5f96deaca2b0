/* SPDX-License-Identifier: Apache-2.0
 * What happens to all connections at once: news, a server that restarts, a network that is silent, peace. */
#include "net_inside.h"

void net_look(void)
{
	for (size_t n = 0; n < net.count; n++) {
		struct conn *c = net.conns[n];

		if (c->state != OPEN || c->silent)
			continue;
		imapd_news(c->session);
		net_move_down(c);
		if (c->session->cut)
			net_cut(c, c->session->cut);
		c->session->cut = CUT_NEVER;
	}
}

/* The server goes, with a word or without, and comes back. */
void net_restart(uint64_t away_us)
{
	net.refuses_until_us = world->now_us + away_us;
	for (size_t n = 0; n < net.count; n++) {
		struct conn *c = net.conns[n];

		if (c->state != OPEN || c->silent)
			continue;
		if (!one_in(3)) {
			net_cut(c, CUT_RESET);
			continue;
		}
		session_say(c->session, "* BYE going down");
		c->session->closing = true;
		net_move_down(c);
	}
}

/* No packet arrives any more, and nobody is told. */
void net_mute(uint64_t us)
{
	net.mute_until_us = world->now_us + us;
	for (size_t n = 0; n < net.count; n++)
		if (net.conns[n]->state == OPEN)
			net_cut(net.conns[n], CUT_SILENT);
}

/* From now on nothing breaks; what is broken stays so. */
void net_peace(void)
{
	net.refuses_until_us = net.mute_until_us = 0;
	for (size_t n = 0; n < net.count; n++) {
		net.conns[n]->up.left = net.conns[n]->down_left = UINT64_MAX;
		if (net.conns[n]->session)
			net.conns[n]->session->lost_count = 0;
	}
}

/* RFC 2177: a server may end who says nothing for half an hour. */
void net_heard(void)
{
	for (size_t n = 0; n < net.count; n++) {
		const struct conn *c = net.conns[n];

		if (c->state == OPEN && !c->silent && c->session->idling && world->now_us - c->session->heard_us > 29ull * 60 * SECOND_US)
			violation("IDLE goes on for more than 29 minutes");
	}
}
