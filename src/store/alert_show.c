/* SPDX-License-Identifier: Apache-2.0
 * Which alert is the next one of an account, and that it was shown. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/alert_rest.h"
#include "store/box.h"
#include "store/quota.h"
#include "store/record.h"

enum { NEARLY_FULL = 90, FULL = 100 };

struct looked {
	char was[ALERT_TOLD];	/* "w" as it stands there */
	bool there, damaged;
	struct alert_told told;
	bool found;
	enum alert_scope scope;
	uint64_t id;
	uint64_t quota;
};

static void read_told(struct view *v, engine_part part, const char *account, struct looked *l)
{
	char key[RECORD_KEY];
	struct span value;

	if (!view_get(v, part, record_key(key, 'w', account), &value))
		return;
	if (value.len != sizeof l->was || !alert_told_unpack(value, &l->told)) {
		log_error(NULL, "what %s was told of alerts is damaged: all of them are shown again", account);
		l->told = (struct alert_told){ 0 };
		l->damaged = true;
		return;
	}
	l->there = true;
	memcpy(l->was, value.at, value.len);
}

static bool find(struct view *v, engine_part part, const char *account, struct looked *l)
{
	const char *at = strchr(account, '@');

	l->scope = ALERT_ACCOUNT;
	if (alert_next_of(v, part, l->scope, account, &l->id))
		return true;
	l->scope = ALERT_DOMAIN;
	l->id = l->told.domain;
	if (at && alert_next_of(v, part, l->scope, at + 1, &l->id))
		return true;
	l->scope = ALERT_SERVER;
	l->id = l->told.server;
	return alert_next_of(v, part, l->scope, "", &l->id);
}

static void look(struct store *s, const char *account, struct looked *l)
{
	engine_part part = record_part();
	struct view *v = store_view(s);

	*l = (struct looked){ 0 };
	read_told(v, part, account, l);
	l->found = find(v, part, account, l);
	l->quota = quota_seen(v, part, account);
	view_end(&v);
}

static uint8_t level(uint64_t usage, uint64_t quota)
{
	unsigned percent = quota_percent(usage, quota);

	return percent >= FULL ? 2 : percent >= NEARLY_FULL ? 1 : 0;
}

/* What was said of the quota is no longer so, or not all of it was said. */
static bool moved(uint8_t now, const struct looked *l)
{
	return now > l->told.level || (!now && l->told.level);
}

bool alert_pending(struct store *s, const char *account)
{
	struct looked l;
	uint64_t usage = 0;

	look(s, account, &l);
	if (l.found || (!l.quota && !l.told.level))
		return l.found;
	return (l.quota && !quota_known(s, account, &usage)) || moved(level(usage, l.quota), &l);
}

struct showing {
	struct deed deed;
	struct store *store;
	uint64_t ticket;
};

static void on_shown(void *user, const struct err *why)
{
	struct showing *w = user;
	struct answers *a = answers_new(1);

	answers_add(a, w->ticket);
	store_answer(w->store, &a, why);
	free(w);
}

static void commit(struct store *s, struct batch **b, uint64_t ticket)
{
	struct showing *w = store_memory(sizeof *w);

	*w = (struct showing){ .deed = { .then = on_shown, .user = w }, .store = s, .ticket = ticket };
	store_owe(s, ticket);
	store_do(s, b, &w->deed);
}

/* What the account was told becomes `told`, if it is still what was looked at. */
static void put_told(struct batch *b, const char *account, const struct looked *l, const struct alert_told *told)
{
	char key[RECORD_KEY], value[ALERT_TOLD];
	struct span k = record_key(key, 'w', account);

	store_must(l->there ? batch_equals(b, k, (struct span){ l->was, sizeof l->was }) : l->damaged ? batch_present(b, k) : batch_absent(b, k));
	store_must(batch_put(b, k, alert_told_pack(value, told)));
}

static void put_level(struct store *s, const char *account, const struct looked *l, uint8_t now, uint64_t ticket)
{
	struct alert_told told = l->told;
	struct batch *b = store_batch(record_part());

	told.level = now;
	put_told(b, account, l, &told);
	commit(s, &b, ticket);
}

/* Only of the store's thread: it may have to count. */
static uint8_t level_now(struct store *s, const char *account, const struct looked *l)
{
	return l->quota ? level(quota_usage(s, account), l->quota) : 0;
}

static bool show_quota(struct store *s, const char *account, const struct looked *l, struct alert *alert, uint64_t ticket)
{
	uint8_t now = l->quota || l->told.level ? level_now(s, account, l) : 0;

	if (!moved(now, l))
		return false;
	put_level(s, account, l, now, now ? ticket : 0);
	*alert = (struct alert){ .scope = ALERT_QUOTA };
	if (now == 2)
		(void)snprintf(alert->text, sizeof alert->text, "mailbox is full: new mail waits until some is removed");
	else
		(void)snprintf(alert->text, sizeof alert->text, "mailbox is %u %% full", quota_percent(quota_usage(s, account), l->quota));
	return now;
}

/* A damaged one must not be in the way for ever. */
static void read_alert(struct store *s, const char *account, const struct looked *l, struct alert *alert)
{
	char key[ALERT_KEY];
	struct view *v = store_view(s);
	struct span value;

	if (!view_get(v, record_part(), alert_key(key, l->id), &value) || !alert_unpack(value, alert)) {
		log_error(NULL, "alert %llu, shown to %s, is damaged: add it again", (unsigned long long)l->id, account);
		*alert = (struct alert){ .scope = l->scope, .text = "an alert that cannot be read; ask the postmaster" };
	}
	view_end(&v);
	alert->id = l->id;
}

bool alert_show(struct store *s, const char *account, struct alert *alert, uint64_t ticket)
{
	char index[ALERT_INDEX], key[ALERT_KEY];
	const char *of = "", *at = strchr(account, '@');
	struct looked l;
	struct alert_told told;
	struct batch *b;

	look(s, account, &l);
	if (!l.found)
		return show_quota(s, account, &l, alert, ticket);
	read_alert(s, account, &l, alert);
	if (l.scope != ALERT_SERVER)
		of = l.scope == ALERT_DOMAIN ? at + 1 : account;
	b = store_batch(record_part());
	store_must(batch_present(b, alert_index(index, l.scope, of, l.id)));
	if (l.scope == ALERT_ACCOUNT) {
		store_must(batch_remove(b, alert_index(index, l.scope, of, l.id)) && batch_remove(b, alert_key(key, l.id)));
	} else {
		told = l.told;
		*(l.scope == ALERT_DOMAIN ? &told.domain : &told.server) = l.id;
		put_told(b, account, &l, &told);
	}
	commit(s, &b, ticket);
	return true;
}

void alert_usage_fell(struct store *s, const char *account)
{
	struct looked l;

	look(s, account, &l);
	if (l.told.level && !level_now(s, account, &l))
		put_level(s, account, &l, 0, 0);
}
