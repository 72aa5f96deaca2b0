/* SPDX-License-Identifier: Apache-2.0
 *
 * How late a connection is: since when there should have been a complete look at its server. */
#include "collect/schedule_inside.h"

/* When the next look was to be there; SCHEDULE_NEVER: none is expected. */
static int64_t expected(const struct planned *p, int64_t now)
{
	int64_t look = p->kept.success && p->kept.success <= now ? p->kept.success : p->known;

	if (!p->enabled)
		return SCHEDULE_NEVER;
	if (p->idle_since)
		return (p->alive > look ? p->alive : look) + SCHEDULE_IDLE_S;
	if (!p->interval)
		return p->once_done ? SCHEDULE_NEVER : hours_next(&p->hours, p->known);
	return hours_next(&p->hours, look + p->interval + p->interval / 20);
}

int64_t schedule_lag(const struct planned *p, int64_t now, bool *late)
{
	int64_t due = expected(p, now), lag = due < now ? now - due : 0;
	bool long_visit = p->running && !p->kept.failures && !p->idle_since;

	*late = lag > SCHEDULE_LATE_S && lag > p->interval && !long_visit;
	return lag;
}

void schedule_idle(struct schedule *s, const char *name, int64_t since, int64_t alive)
{
	struct planned *p = schedule_one(s, name);

	if (!p)
		return;
	p->idle_since = since;
	p->alive = since ? alive : 0;
}
