/* SPDX-License-Identifier: Apache-2.0
 * When a connection is visited whose mailbox is watched meanwhile (IDLE). */
#include "collect/schedule_inside.h"

enum { SPREAD = SCHEDULE_WATCHED_S / 20, EMPTY_SOON = 3 };

/* False news are to cost neither side much: behind a look that found nothing the next one waits. */
static int64_t news_moment(struct planned *p, int64_t now)
{
	int64_t wait = p->empty != 0, since = now - p->looked;

	if (since < 0 || since >= SCHEDULE_NEWS_MAX_S) {	/* it was quiet for long, or the clock was set */
		p->empty = 0;
		return now;
	}
	for (uint32_t n = EMPTY_SOON; n < p->empty && wait < SCHEDULE_NEWS_MAX_S; n++)
		wait *= 2;
	if (wait > SCHEDULE_NEWS_MAX_S)
		wait = SCHEDULE_NEWS_MAX_S;
	return since >= wait ? now : p->looked + wait;
}

int64_t news_over(struct planned *p, bool good, int64_t now)
{
	if (p->found)
		p->empty = 0;
	else if (p->by_news && good)
		p->empty += p->empty < UINT32_MAX;
	if (p->found || p->by_news)
		p->looked = now;
	p->by_news = false;
	return p->news ? news_moment(p, now) : SCHEDULE_NEVER;
}

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
	int64_t moment;

	schedule_clock(s, now);
	if (!p)
		return;
	p->news = true;
	p->once_done = false;
	if (p->running)
		return;
	moment = news_moment(p, now);
	if (moment < p->due)
		p->due = moment;
	schedule_settle(p);
}

void schedule_found(struct schedule *s, const char *name)
{
	struct planned *p = schedule_one(s, name);

	if (p)
		p->found = p->running;
}

bool schedule_open(const struct schedule *s, const char *name, int64_t now)
{
	const struct planned *p = schedule_one(s, name);

	return p && p->enabled && hours_open(&p->hours, now);
}
