/* SPDX-License-Identifier: Apache-2.0 */
#include "store/domain.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/alert_rest.h"
#include "store/pack.h"
#include "store/record.h"

enum { DOMAIN_FORMAT = 1, DOMAIN_MAX = 32 + DOMAIN_ADDRESS_MAX };

bool domain_name(const char *given, char name[DOMAIN_NAME_MAX + 1], struct err *e)
{
	char account[ACCOUNT_NAME_MAX + 1], whole[ACCOUNT_NAME_MAX + 1];
	int n = snprintf(account, sizeof account, "x@%s", given);

	if (n < 0 || n > 2 + DOMAIN_NAME_MAX)
		return err_set(e, ERR_CONFIG, "a domain's name has at most %d octets", DOMAIN_NAME_MAX);
	if (!*given || *given == '.' || given[strlen(given) - 1] == '.' || strstr(given, "..") || !account_name(account, NULL, whole, e))
		return err_set(e, ERR_CONFIG, "a domain is named like client1.com: no blanks, no @ # / ~ %%, no empty label");
	memcpy(name, whole + 2, strlen(whole + 2) + 1);
	return true;
}

static struct span pack(char value[DOMAIN_MAX], const struct domain_info *d)
{
	size_t len = strlen(d->address);

	value[0] = DOMAIN_FORMAT;
	pack_u64(value + 1, (uint64_t)d->made);
	pack_u64(value + 9, d->limits.quota);
	pack_u32(value + 17, d->limits.max_sessions);
	memcpy(value + 21, d->address, len);
	return (struct span){ value, 21 + len };
}

static bool unpack(struct span value, struct domain_info *d)
{
	uint8_t format = take_u8(&value);

	d->made = (int64_t)take_u64(&value);
	d->limits.quota = take_u64(&value);
	d->limits.max_sessions = take_u32(&value);
	d->accounts = 0;
	if (!value.at || format != DOMAIN_FORMAT || value.len > DOMAIN_ADDRESS_MAX)
		return false;
	memcpy(d->address, value.at, value.len);
	d->address[value.len] = '\0';
	return true;
}

uint64_t domain_quota(struct span value)
{
	struct domain_info info;

	return unpack(value, &info) ? info.limits.quota : ACCOUNT_QUOTA_DEFAULT;
}

static bool get(struct store *s, const char *name, struct domain_info *info)
{
	char value[DOMAIN_MAX];
	size_t len;

	if (strlen(name) > DOMAIN_NAME_MAX || !record_get(s, 'd', name, value, sizeof value, &len))
		return false;
	(void)snprintf(info->name, sizeof info->name, "%s", name);
	if (unpack((struct span){ value, len }, info))
		return true;
	log_error(NULL, "domain %s is damaged: restore it from a backup", name);
	return false;
}

bool domain_each(struct store *s, struct domain_info *info)
{
	char value[1], name[ACCOUNT_NAME_MAX + 1];
	size_t len;

	memcpy(name, info->name, sizeof info->name);
	while (record_next(s, 'd', name, value, sizeof value, &len))
		if (get(s, name, info))
			return true;
	return false;
}

/* Names of a kind that are in the domain. */
static size_t count(struct store *s, char kind, const char *domain)
{
	char name[ACCOUNT_NAME_MAX + 1] = "", value[1];
	size_t len, n = 0;

	while (record_next(s, kind, name, value, sizeof value, &len)) {
		const char *at = strchr(name, '@');

		n += at && strcmp(at + 1, domain) == 0;
	}
	return n;
}

bool domain_find(struct store *s, const char *given, struct domain_info *info, struct err *e)
{
	char name[DOMAIN_NAME_MAX + 1];

	if (!domain_name(given, name, e))
		return false;
	if (!get(s, name, info))
		return err_set(e, ERR_CONFIG, "there is no domain %.200s; make it first: postrider domain add %.200s", name, name);
	info->accounts = count(s, 'a', name);
	return true;
}

bool domain_add(struct store *s, const char *given, struct err *e)
{
	struct domain_info info = { .made = clock_now_s(), .limits = { ACCOUNT_QUOTA_DEFAULT, ACCOUNT_SESSIONS_DEFAULT } }, old;
	char key[RECORD_KEY], value[DOMAIN_MAX];
	struct batch *b;

	if (!domain_name(given, info.name, e))
		return false;
	if (get(s, info.name, &old))
		return err_set(e, ERR_CONFIG, "domain %s is there already", info.name);
	b = store_batch(record_part());
	store_must(batch_absent(b, record_key(key, 'd', info.name)) && batch_put(b, record_key(key, 'd', info.name), pack(value, &info)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "domain %s", info.name);
}

bool domain_set(struct store *s, const struct domain_info *info, struct err *e)
{
	char key[RECORD_KEY], value[DOMAIN_MAX], other[DOMAIN_NAME_MAX + 1];
	struct domain_info old;
	struct batch *b;

	if (!domain_find(s, info->name, &old, e))
		return false;
	domain_of_address(s, info->address, other);
	if (*other && strcmp(other, old.name) != 0)
		return err_set(e, ERR_CONFIG, "address %s is that of domain %s", info->address, other);
	old.limits = info->limits;
	b = store_batch(record_part());
	if (*old.address)
		store_must(batch_remove(b, record_key(key, 'n', old.address)));
	memcpy(old.address, info->address, sizeof old.address);
	if (*old.address)
		store_must(batch_put(b, record_key(key, 'n', old.address), span_of(old.name)));
	store_must(batch_present(b, record_key(key, 'd', old.name)) && batch_put(b, record_key(key, 'd', old.name), pack(value, &old)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "domain %s", old.name);
}

bool domain_remove(struct store *s, const char *given, struct err *e)
{
	struct domain_info info;
	char key[RECORD_KEY], who[DOMAIN_NAME_MAX + 2];
	struct batch *b;
	size_t aliases, routes;

	if (!domain_find(s, given, &info, e))
		return false;
	aliases = count(s, 'l', info.name);
	routes = count(s, 'r', info.name);
	if (info.accounts || aliases || routes)
		return err_set(e, ERR_CONFIG, "domain %.150s has %zu accounts, %zu aliases and %zu routes; remove them first", info.name, info.accounts,
			aliases, routes);
	b = store_batch(record_part());
	store_must(batch_remove(b, record_key(key, 'd', info.name)));
	if (*info.address)
		store_must(batch_remove(b, record_key(key, 'n', info.address)));
	(void)snprintf(who, sizeof who, "@%s", info.name);
	store_must(batch_remove(b, record_key(key, 'm', who)));
	s->places.changes++;
	store_must(alert_forget(s, ALERT_DOMAIN, info.name, b));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "domain %s", info.name);
}

bool domain_must(struct store *s, const char *name, struct err *e)
{
	struct domain_info info = { .name = "" };
	const char *at = strchr(name, '@');

	if (!at || get(s, at + 1, &info) || !domain_each(s, &info))
		return true;
	return err_set(e, ERR_CONFIG, "%.150s: there is no domain %.100s; make it first: postrider domain add %.100s", name, at + 1, at + 1);
}

void domain_of_address(struct store *s, const char *address, char name[DOMAIN_NAME_MAX + 1])
{
	size_t len = 0;

	if (!*address || !record_get(s, 'n', address, name, DOMAIN_NAME_MAX, &len))
		len = 0;
	name[len] = '\0';
}

void domain_limits(struct store *s, const char *account, struct account_limits *limits)
{
	const char *at = strchr(account, '@');
	struct domain_info info;

	if (!at || !get(s, at + 1, &info))
		return;
	if (limits->quota == ACCOUNT_QUOTA_DEFAULT)
		limits->quota = info.limits.quota;
	if (limits->max_sessions == ACCOUNT_SESSIONS_DEFAULT)
		limits->max_sessions = info.limits.max_sessions;
}
