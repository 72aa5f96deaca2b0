/* SPDX-License-Identifier: Apache-2.0
 * When a connection is visited whose mailbox is watched meanwhile (IDLE). */
#include "collect/schedule_inside.h"

enum { SPREAD = SCHEDULE_WATCHED_S / 20 };

void schedule_watched(struct schedule *s, const char *name, int64_t now)
{
	struct planned *p = schedule_one(s, name);
	int64_t look = now + SCHEDULE_WATCHED_S - (int64_t)schedule_chance(s, SPREAD);

	schedule_clock(s, now);
	if (!p || p->running || p->due <= look)
		return;
	p->once_done = false;
	p->due = look;
	schedule_settle(p);
}

void schedule_news(struct schedule *s, const char *name, int64_t now)
{
	struct planned *p = schedule_one(s, name);

	schedule_clock(s, now);
	if (!p)
		return;
	p->again |= p->running;
	p->once_done = false;
	p->due = now;
	schedule_settle(p);
}

bool schedule_open(const struct schedule *s, const char *name, int64_t now)
{
	const struct planned *p = schedule_one(s, name);

	return p && p->enabled && hours_open(&p->hours, now);
}
