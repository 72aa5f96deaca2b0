/* SPDX-License-Identifier: Apache-2.0 */
#include "store/allowance.h"

#include <pthread.h>
#include <stdio.h>

#include "base/log.h"
#include "store/account.h"
#include "store/pack.h"
#include "store/room.h"

enum { DAY_S = 24 * 3600, VALUE = 12, AT_ONCE = 1000 };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;	/* read, then write: one process has the store */

static engine_part part(void)
{
	return engine_part_of("allowance", SPAN(""));
}

static uint64_t day_of(int64_t now)
{
	return now > 0 ? (uint64_t)now / DAY_S : 0;
}

/* A day and a count; what is damaged counts as nothing. */
static uint32_t count_in(struct span value, uint64_t day)
{
	uint64_t its = take_u64(&value);
	uint32_t count = take_u32(&value);

	return value.at && its == day ? count : 0;
}

static uint32_t used(struct store *s, const char *account, uint64_t day)
{
	struct view *v = store_view(s);
	struct span value;
	uint32_t n = view_get(v, part(), span_of(account), &value) ? count_in(value, day) : 0;

	view_end(&v);
	return n;
}

static bool put(struct store *s, const char *account, uint64_t day, uint32_t count, struct err *e)
{
	struct batch *b = store_batch(part());
	char value[VALUE];

	pack_u64(value, day);
	pack_u32(value + 8, count);
	store_must(batch_put(b, span_of(account), (struct span){ value, sizeof value }));
	return engine_commit_wait(s->engine, &b, e);
}

uint32_t allowance_left(struct store *s, const char *account, uint32_t limit, int64_t now)
{
	uint32_t n = used(s, account, day_of(now));

	return n < limit ? limit - n : 0;
}

bool allowance_take(struct store *s, const char *account, uint32_t limit, int64_t now, struct err *e)
{
	uint64_t day = day_of(now);
	uint32_t n;
	bool good;

	(void)pthread_mutex_lock(&turn);
	n = used(s, account, day);
	if (n >= limit)
		good = err_set(e, ERR_BUSY, "%u messages were submitted today, more are not allowed", (unsigned)n);
	else
		good = put(s, account, day, n + 1, e);
	(void)pthread_mutex_unlock(&turn);
	return good;
}

void allowance_give(struct store *s, const char *account, int64_t now)
{
	uint64_t day = day_of(now);
	struct err e;
	uint32_t n;

	(void)pthread_mutex_lock(&turn);
	n = used(s, account, day);
	if (n && !put(s, account, day, n - 1, &e))
		log_warn(NULL, "a submission that failed stays counted: %s", e.text);
	(void)pthread_mutex_unlock(&turn);
}

/* The next account whose count is of another day. */
static bool next_old(struct store *s, uint64_t day, char name[ENGINE_KEY_MAX], size_t *len)
{
	struct view *v = store_view(s);
	struct span key = { name, *len }, value;
	bool found = false;

	while (!found && view_next(v, part(), SPAN(""), &key, &value))
		found = take_u64(&value) < day;
	if (found) {
		memcpy(name, key.at, key.len);
		*len = key.len;
	}
	view_end(&v);
	return found;
}

void allowance_settle(struct store *s, int64_t now)
{
	char name[ENGINE_KEY_MAX];
	size_t len = 0;
	bool more = next_old(s, day_of(now), name, &len);
	struct err e;

	while (more) {
		struct batch *b = store_batch(part());

		for (size_t n = 0; more && n < AT_ONCE; n++, more = next_old(s, day_of(now), name, &len))
			store_must(batch_remove(b, (struct span){ name, len }));
		if (!engine_commit_wait(s->engine, &b, &e)) {
			log_warn(NULL, "counts of submissions: %s", e.text);
			return;
		}
	}
}
