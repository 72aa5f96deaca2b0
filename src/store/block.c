/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block.h"

#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "store/pack.h"
#include "store/record.h"

enum { BLOCK_FORMAT = 1, BLOCK_MAX = 17 + BLOCK_WHY_MAX, SWEEP = 1000 };

/* Only the form: what it means is net's to say. */
static bool check(const char *network, struct err *e)
{
	size_t len = strlen(network);
	const char *slash = strchr(network, '/');

	if (len <= BLOCK_NETWORK_MAX && slash && slash > network && slash[1] && !slash[1 + strspn(slash + 1, "0123456789")] &&
	    strspn(network, "0123456789abcdef:.") == (size_t)(slash - network))
		return true;
	return err_set(e, ERR_CONFIG, "a network is written like 192.0.2.0/24 or 2001:db8::/32");
}

static struct span pack(char value[BLOCK_MAX], const struct block_info *b)
{
	size_t len = strlen(b->why);

	value[0] = BLOCK_FORMAT;
	pack_u64(value + 1, (uint64_t)b->since);
	pack_u64(value + 9, (uint64_t)b->until);
	memcpy(value + 17, b->why, len);
	return (struct span){ value, 17 + len };
}

static bool unpack(struct span value, struct block_info *b)
{
	uint8_t format = take_u8(&value);

	b->since = (int64_t)take_u64(&value);
	b->until = (int64_t)take_u64(&value);
	if (!value.at || format != BLOCK_FORMAT || value.len > BLOCK_WHY_MAX)
		return false;
	memcpy(b->why, value.at, value.len);
	b->why[value.len] = '\0';
	text_clean(b->why, strlen(b->why));
	return true;
}

static bool ended(const struct block_info *b, int64_t now)
{
	return b->until && b->until <= now;
}

static bool get(struct store *s, const char *network, struct block_info *info)
{
	char value[BLOCK_MAX + 1];
	size_t len;

	if (!record_get(s, 'b', network, value, sizeof value, &len))
		return false;
	memmove(info->network, network, strlen(network) + 1);	/* it may be the very same */
	if (unpack((struct span){ value, len }, info))
		return true;
	log_error(NULL, "block of %s is damaged: it does not hold; add it again", network);
	return false;
}

/* The next network's name, whatever has become of it. */
static bool next(struct store *s, char network[BLOCK_NETWORK_MAX + 1])
{
	char name[ACCOUNT_NAME_MAX + 1], value[1];
	size_t len;

	memcpy(name, network, strlen(network) + 1);
	while (record_next(s, 'b', name, value, sizeof value, &len))
		if (strlen(name) <= BLOCK_NETWORK_MAX) {	/* a longer one is nothing of ours */
			memcpy(network, name, strlen(name) + 1);
			return true;
		}
	return false;
}

bool block_each(struct store *s, int64_t now, struct block_info *info)
{
	while (next(s, info->network))
		if (get(s, info->network, info) && !ended(info, now))
			return true;
	return false;
}

bool block_sweep(struct store *s, int64_t now, struct err *e)
{
	struct block_info info = { .network = "" };
	bool more = next(s, info.network);

	while (more) {
		struct batch *b = store_batch(record_part());
		size_t n = 0;

		for (; more && n < SWEEP; more = next(s, info.network)) {
			char key[RECORD_KEY];

			if (!get(s, info.network, &info) || !ended(&info, now))
				continue;
			store_must(batch_remove(b, record_key(key, 'b', info.network)));
			n++;
		}
		if (!n)
			batch_free(&b);
		else if (!engine_commit_wait(s->engine, &b, e))
			return err_in(e, "ended blocks");
	}
	return true;
}

/* Is there room for one more? */
static bool room(struct store *s)
{
	char network[BLOCK_NETWORK_MAX + 1] = "";
	size_t n = 0;

	while (next(s, network))
		n++;
	return n < BLOCKS_MAX;
}

bool block_add(struct store *s, const char *network, int64_t until, const char *why, int64_t now, struct err *e)
{
	struct block_info info = { .since = now, .until = until }, old;
	char key[RECORD_KEY], value[BLOCK_MAX];
	struct batch *b;
	bool there;

	if (!check(network, e))
		return false;
	if (strlen(why) > BLOCK_WHY_MAX)
		return err_set(e, ERR_CONFIG, "the reason of a block has at most %d octets", BLOCK_WHY_MAX);
	if (until < 0 || (until && until <= now))
		return err_set(e, ERR_CONFIG, "a block of %s cannot end before it begins", network);
	there = get(s, network, &old);
	if (!there && !room(s) && !block_sweep(s, now, e))
		return false;
	if (!there && !room(s))
		return err_set(e, ERR_CONFIG, "there are %d blocks already; remove some: postrider block list", BLOCKS_MAX);
	if (there && !ended(&old, now))
		info.since = old.since;
	(void)snprintf(info.why, sizeof info.why, "%s", why);
	text_clean(info.why, strlen(info.why));
	b = store_batch(record_part());
	store_must(batch_put(b, record_key(key, 'b', network), pack(value, &info)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "block of %s", network);
}

bool block_remove(struct store *s, const char *network, int64_t now, struct err *e)
{
	struct block_info info;
	char key[RECORD_KEY];
	struct batch *b;

	if (!check(network, e))
		return false;
	if (!get(s, network, &info) || ended(&info, now))
		return err_set(e, ERR_CONFIG, "there is no block of %s made by hand", network);
	b = store_batch(record_part());
	store_must(batch_remove(b, record_key(key, 'b', network)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "block of %s", network);
}
