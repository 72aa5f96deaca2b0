/* SPDX-License-Identifier: Apache-2.0
 *
 * An account's sessions, and from where its user is known. */
#include <assert.h>

#include "serve/admission_inside.h"

enum { MS = 1000 };

/* Known users ------------------------------------------------------------- */

static uint32_t seconds(uint64_t now_ms)
{
	return (uint32_t)(now_ms / MS) + 1;
}

static bool lately(uint32_t good_s, uint64_t now_ms)
{
	return good_s && seconds(now_ms) < good_s + ADMISSION_KNOWN_MS / MS;
}

bool admission_known_has(struct admission *a, const struct admission_attempt *t, uint64_t now_ms)
{
	struct shard *s = shard_of(&a->known, t->user);
	struct known *k = table_find(&s->table, t->user);
	bool has = false;

	for (size_t i = 0; k && i < ADMISSION_KNOWN_FROM; i++)
		has = has || (k->from[i] == t->address[0] && lately(k->good_s[i], now_ms));
	(void)pthread_mutex_unlock(&s->lock);
	return has;
}

/* The account's entry, made when it is not there; NULL: out of memory. */
static struct known *know(struct shard *s, const uint64_t user[2], uint64_t now_ms)
{
	struct known *k = table_find(&s->table, user);

	if (!k)
		k = table_add(&s->table, user, now_ms);
	if (k) {
		table_touch(&s->table, k, 0);
		k->entry.until_ms = now_ms + ADMISSION_KNOWN_MS;
	}
	return k;
}

/* In place of the same address, else of the oldest. */
void admission_known_note(struct admission *a, const struct admission_attempt *t, uint64_t now_ms)
{
	struct shard *s = shard_of(&a->known, t->user);
	struct known *k = know(s, t->user, now_ms);
	size_t at = 0;

	for (size_t i = 0; k && i < ADMISSION_KNOWN_FROM; i++) {
		if (k->good_s[i] && k->from[i] == t->address[0]) {
			at = i;
			break;
		}
		if (k->good_s[i] < k->good_s[at])
			at = i;
	}
	if (k) {
		k->from[at] = t->address[0];
		k->good_s[at] = seconds(now_ms);
	}
	(void)pthread_mutex_unlock(&s->lock);
}

void admission_known_drop(struct admission *a, const struct admission_attempt *t)
{
	struct shard *s = shard_of(&a->known, t->user);
	struct known *k = table_find(&s->table, t->user);

	for (size_t i = 0; k && i < ADMISSION_KNOWN_FROM; i++)
		if (k->from[i] == t->address[0])
			k->good_s[i] = 0;
	(void)pthread_mutex_unlock(&s->lock);
}

/* Sessions ----------------------------------------------------------------- */

/* Is it too soon for a login?  If not, this is one. */
static bool too_soon(struct admission *a, const uint64_t user[2], uint32_t delay_ms, uint64_t now_ms, uint32_t *wait_s)
{
	struct shard *s = shard_of(&a->known, user);
	struct known *k = know(s, user, now_ms);
	uint64_t next = k && k->login_ms ? k->login_ms - 1 + delay_ms : 0;
	bool soon = delay_ms && next > now_ms;

	if (soon)
		*wait_s = (uint32_t)((next - now_ms + MS - 1) / MS);
	else if (k)
		k->login_ms = now_ms + 1;
	(void)pthread_mutex_unlock(&s->lock);
	return soon;
}

enum admission_user_said admission_user_enter(struct admission *a, struct admission_seat *seat, struct span account, uint32_t limit,
	bool exclusive, uint64_t now_ms, uint32_t *wait_s)
{
	struct admission_limits l = admission_limits_now(a);
	uint32_t max = limit == ADMISSION_USER_DEFAULT ? l.max_per_user : limit;
	enum admission_user_said said = ADMISSION_USER_GOOD;
	uint64_t key[2];
	struct shard *s;
	struct place *p;

	assert(seat->holds & SEAT_SESSION && !(seat->holds & SEAT_USER));
	*wait_s = 0;
	admission_count_user(a, account, key);
	s = shard_of(&a->accounts, key);
	p = table_find(&s->table, key);
	if (p && (p->alone || exclusive))
		said = ADMISSION_USER_IN_USE;
	else if (p && max && p->sessions >= max)
		said = ADMISSION_USER_FULL;
	else if (too_soon(a, key, l.login_delay_ms, now_ms, wait_s))
		said = ADMISSION_USER_TOO_SOON;
	else if (!p && !(p = table_add(&s->table, key, now_ms)))
		said = ADMISSION_USER_FULL;
	else {
		p->sessions++;
		p->alone = exclusive;
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (said == ADMISSION_USER_GOOD) {
		seat->holds |= SEAT_USER;
		memcpy(seat->user, key, sizeof seat->user);
	}
	return said;
}

void admission_user_leave(struct admission *a, struct admission_seat *seat)
{
	struct shard *s;
	struct place *p;

	if (!(seat->holds & SEAT_USER))
		return;
	s = shard_of(&a->accounts, seat->user);
	p = table_find(&s->table, seat->user);
	assert(p && p->sessions);
	if (!--p->sessions)
		table_remove(&s->table, p);
	(void)pthread_mutex_unlock(&s->lock);
	seat->holds &= ~(unsigned)SEAT_USER;
}
