/* SPDX-License-Identifier: Apache-2.0 */
#include "store/quota.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/alert_rest.h"
#include "store/box.h"
#include "store/domain.h"
#include "store/record.h"

enum { BUCKETS_FIRST = 64 };

struct quota {			/* an account that was counted */
	struct quota *next;
	uint64_t usage;		/* durable; written under the mutex */
	uint64_t held;		/* on its way to the disk */
	char account[];
};

/* Only the store's thread changes it; the others read under the mutex. */
struct quotas {
	pthread_mutex_t mutex;
	struct quota **buckets;
	size_t size, count;	/* size: a power of two */
};

void quotas_start(struct store *s)
{
	struct quotas *all = store_memory(sizeof *all);

	(void)pthread_mutex_init(&all->mutex, NULL);
	all->size = BUCKETS_FIRST;
	all->buckets = store_memory(all->size * sizeof(struct quota *));
	s->quotas = all;
}

void quotas_free(struct store *s)
{
	struct quotas *all = s->quotas;

	if (!all)
		return;
	for (size_t n = 0; n < all->size; n++)
		while (all->buckets[n]) {
			struct quota *q = all->buckets[n];

			all->buckets[n] = q->next;
			free(q);
		}
	free(all->buckets);
	(void)pthread_mutex_destroy(&all->mutex);
	free(all);
	s->quotas = NULL;
}

/* FNV-1a: the names are those of our accounts. */
static size_t bucket(const char *account, size_t size)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *account; account++)
		h = (h ^ (unsigned char)*account) * 0x100000001b3;
	return (size_t)(h ^ h >> 32) & (size - 1);
}

static struct quota *find(const struct quotas *all, const char *account)
{
	struct quota *q = all->buckets[bucket(account, all->size)];

	while (q && strcmp(q->account, account) != 0)
		q = q->next;
	return q;
}

static void grow(struct quotas *all)
{
	size_t size = all->size * 2;
	struct quota **buckets = store_memory(size * sizeof *buckets);

	for (size_t n = 0; n < all->size; n++)
		while (all->buckets[n]) {
			struct quota *q = all->buckets[n], **to = &buckets[bucket(q->account, size)];

			all->buckets[n] = q->next;
			q->next = *to;
			*to = q;
		}
	free(all->buckets);
	all->buckets = buckets;
	all->size = size;
}

static uint64_t walk(struct store *s, const char *account)
{
	char box[MAILBOX_NAME_MAX + 1], prefix[ACCOUNT_NAME_MAX + 2];
	int len = snprintf(prefix, sizeof prefix, "%s/", account);
	uint64_t usage = 0;

	if (len > MAILBOX_NAME_MAX)
		return 0;		/* too long a name to have any */
	memcpy(box, prefix, (size_t)len + 1);
	while (mailbox_each(s, box) && span_starts(span_of(box), span_of(prefix)))
		usage += box_octets(s, box);
	return usage;
}

static struct quota *counted(struct store *s, const char *account)
{
	struct quotas *all = s->quotas;
	struct quota *q = find(all, account), **to;
	size_t len = strlen(account);

	if (q)
		return q;
	q = store_memory(sizeof *q + len + 1);
	memcpy(q->account, account, len + 1);
	q->usage = walk(s, account);
	(void)pthread_mutex_lock(&all->mutex);
	if (all->count >= all->size)
		grow(all);
	to = &all->buckets[bucket(account, all->size)];
	q->next = *to;
	*to = q;
	all->count++;
	(void)pthread_mutex_unlock(&all->mutex);
	return q;
}

uint64_t quota_usage(struct store *s, const char *account)
{
	return counted(s, account)->usage;
}

bool quota_known(struct store *s, const char *account, uint64_t *usage)
{
	struct quotas *all = s->quotas;
	const struct quota *q;

	(void)pthread_mutex_lock(&all->mutex);
	q = find(all, account);
	if (q)
		*usage = q->usage;
	(void)pthread_mutex_unlock(&all->mutex);
	return q;
}

uint64_t quota_seen(struct view *v, engine_part part, const char *account)
{
	char key[RECORD_KEY];
	const char *at = strchr(account, '@');
	uint64_t quota = ACCOUNT_QUOTA_DEFAULT;
	struct span value;

	if (view_get(v, part, record_key(key, 'a', account), &value))
		quota = record_quota(value);
	if (quota == ACCOUNT_QUOTA_DEFAULT && at && view_get(v, part, record_key(key, 'd', at + 1), &value))
		quota = domain_quota(value);
	return quota == ACCOUNT_QUOTA_DEFAULT ? 0 : quota;
}

uint64_t quota_in_force(struct store *s, const char *account)
{
	struct view *v = store_view(s);
	uint64_t quota = quota_seen(v, record_part(), account);

	view_end(&v);
	return quota;
}

unsigned quota_percent(uint64_t usage, uint64_t quota)
{
	uint64_t percent;

	if (!quota)
		return 0;
	percent = usage > UINT64_MAX / 100 ? usage / (quota / 100 ? quota / 100 : 1) : usage * 100 / quota;
	return percent > 9999 ? 9999 : (unsigned)percent;
}

static void owner_of(const char *box, char account[ACCOUNT_NAME_MAX + 1])
{
	(void)snprintf(account, ACCOUNT_NAME_MAX + 1, "%.*s", (int)strcspn(box, "/"), box);
}

uint64_t quota_room(struct store *s, const char *box)
{
	char account[ACCOUNT_NAME_MAX + 1];
	const struct quota *q;
	uint64_t quota;

	owner_of(box, account);
	quota = quota_in_force(s, account);
	if (!quota)
		return UINT64_MAX;
	q = counted(s, account);
	return q->usage + q->held < quota ? quota - q->usage - q->held : 0;
}

uint64_t quota_left(struct store *s, const char *given)
{
	char box[MAILBOX_NAME_MAX + 1];
	struct err e;

	return box_name(given, box, &e) ? quota_room(s, box) : UINT64_MAX;
}

/* ---- for appends and removals */

uint64_t quota_hold(struct store *s, const char *box, uint64_t octets)
{
	char account[ACCOUNT_NAME_MAX + 1];
	struct quota *q;

	owner_of(box, account);
	q = find(s->quotas, account);
	if (!q)
		return 0;	/* who is counted later counts what is durable then, and hears of this by quota_moved */
	q->held += octets;
	return octets;
}

void quota_moved(struct store *s, const char *box, uint64_t before, uint64_t after, uint64_t held)
{
	char account[ACCOUNT_NAME_MAX + 1];
	struct quota *q;

	owner_of(box, account);
	q = find(s->quotas, account);
	assert(q || !held);
	if (q) {
		assert(q->held >= held && q->usage + after >= before);
		q->held -= held;
		(void)pthread_mutex_lock(&s->quotas->mutex);
		q->usage = q->usage + after - before;
		(void)pthread_mutex_unlock(&s->quotas->mutex);
	}
	if (after < before)
		alert_usage_fell(s, account);
}

void quota_over(struct store *s, const char *box, uint64_t taken, uint64_t octets, struct err *why)
{
	char account[ACCOUNT_NAME_MAX + 1];
	const struct quota *q;

	owner_of(box, account);
	q = counted(s, account);
	(void)err_set(why, ERR_BUSY, "over quota: %.200s has %llu of its %llu octets, the message has %llu", account,
		(unsigned long long)(q->usage + q->held + taken), (unsigned long long)quota_in_force(s, account), (unsigned long long)octets);
}
