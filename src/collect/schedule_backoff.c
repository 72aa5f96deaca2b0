/* SPDX-License-Identifier: Apache-2.0
 * What an error means for the next visits: its class, and who waits for how long. */
#include <assert.h>

#include "collect/schedule_hint.h"
#include "collect/schedule_inside.h"

static const char *const class_names[] = { "none", "uncounted", "counted", "fatal" };
static_assert(COUNT(class_names) == SCHEDULE_CLASSES, "a name for each class");

const char *schedule_class_name(enum schedule_class class)
{
	return class_names[class];
}

enum schedule_class schedule_class(const struct err *why)
{
	switch (why->kind) {
	case ERR_NONE:
	case ERR_KINDS:
		return SCHEDULE_GOOD;
	case ERR_BUSY:
	case ERR_LOCAL:
		return SCHEDULE_UNCOUNTED;
	case ERR_NET:
	case ERR_PEER:
		return hint_read(why).throttled ? SCHEDULE_UNCOUNTED : SCHEDULE_COUNTED;
	case ERR_AUTH:
		return hint_read(why).throttled ? SCHEDULE_UNCOUNTED : SCHEDULE_FATAL;
	case ERR_TLS:
	case ERR_CONFIG:
		break;
	}
	return SCHEDULE_FATAL;
}

/* The nth time in a row: doubled n - 1 times, at most `most` (or once, if that is more), and a little more by chance. */
static int64_t doubled(struct schedule *s, int64_t once, uint32_t nth, int64_t most)
{
	int64_t delay = once;

	if (!once)
		return 0;
	while (--nth && delay < most)
		delay *= 2;
	if (delay > most)
		delay = most > once ? most : once;
	return delay + (int64_t)schedule_chance(s, (uint64_t)delay / 10 + 1);
}

/* Who watches wants to know soon that the server is there again. */
static int64_t host_delay(const struct planned *p)
{
	return p->idle && p->host_delay > SCHEDULE_AGAIN_S ? SCHEDULE_AGAIN_S : p->host_delay;
}

static void later(int64_t *until, int64_t moment)
{
	if (moment > *until)
		*until = moment;
}

static int64_t short_most(const struct planned *p)
{
	return p->account_delay ? p->account_delay : SCHEDULE_HOST_MAX_S;
}

/* Of several visits that began before the host was found out only the first counts. */
static bool host_failed(struct schedule *s, struct planned *p, int64_t delay, int64_t now)
{
	struct host *h = p->host;

	if (!h)
		return false;
	if (!h->failures || p->began > h->noted) {
		h->failures += h->failures < UINT32_MAX;
		h->noted = now;
		later(&h->until, now + (delay ? delay : doubled(s, host_delay(p), h->failures, SCHEDULE_HOST_MAX_S)));
	}
	p->kept.of_host = true;
	p->kept.backoff_until = h->until;
	return true;
}

static bool host_answered(struct host *h)
{
	bool changed = h && h->failures;

	if (changed) {
		h->failures = 0;
		h->until = h->noted = 0;
	}
	return changed;
}

static bool throttled(struct schedule *s, struct planned *p, const struct hint *hint, int64_t now)
{
	int64_t delay = hint->delay_s + (int64_t)schedule_chance(s, (uint64_t)hint->delay_s / 10 + 1);

	p->kept.throttled += p->kept.throttled < UINT32_MAX;
	if (hint->host)
		return host_failed(s, p, hint->delay_s ? delay : 0, now);
	if (!hint->delay_s)
		delay = doubled(s, p->host_delay, p->kept.throttled, short_most(p));
	p->kept.backoff_until = delay ? now + delay : 0;
	return host_answered(p->host);
}

static void account_failed(struct schedule *s, struct planned *p, enum schedule_class class, int64_t now)
{
	int64_t delay = class == SCHEDULE_FATAL ? doubled(s, p->account_delay, p->kept.failures, SCHEDULE_ACCOUNT_MAX_S) :
		doubled(s, host_delay(p), p->kept.failures, short_most(p));

	p->kept.backoff_until = delay ? now + delay : 0;
}

bool backoff_note(struct schedule *s, struct planned *p, const struct err *why, int64_t now)
{
	const struct hint hint = hint_read(why);
	bool asked = hint.throttled && why->kind != ERR_LOCAL && why->kind != ERR_TLS && why->kind != ERR_CONFIG;

	p->kept.backoff_until = 0;
	p->kept.of_host = false;
	p->kept.untrusted = why->kind == ERR_TLS;
	if (!asked)
		p->kept.throttled = 0;
	switch (p->class) {
	case SCHEDULE_GOOD:
		p->kept.failures = 0;
		return host_answered(p->host);
	case SCHEDULE_UNCOUNTED:
		if (asked)
			return throttled(s, p, &hint, now);
		return why->kind == ERR_BUSY && host_answered(p->host);
	case SCHEDULE_COUNTED:
	case SCHEDULE_FATAL:
		p->kept.failures += p->kept.failures < UINT32_MAX;
		if (why->kind == ERR_NET && !hint.said && !p->answered)
			return host_failed(s, p, 0, now);
		account_failed(s, p, p->class, now);
		return (why->kind == ERR_PEER || why->kind == ERR_AUTH || hint.said || p->answered) && host_answered(p->host);
	case SCHEDULE_CLASSES:
		break;
	}
	return false;
}

void schedule_trusted(struct schedule *s, int64_t now)
{
	schedule_clock(s, now);
	for (size_t n = 0; n < s->count; n++) {
		struct planned *p = s->all[n];

		if (!p->kept.untrusted)
			continue;
		p->kept.backoff_until = 0;
		p->kept.untrusted = false;
		p->again |= p->running;
		p->once_done = false;
		p->due = now;
		schedule_settle(p);
	}
}
