/* SPDX-License-Identifier: Apache-2.0
 * The cache of untrusted certificates: "t" NAME → when, how often and why, "c" NAME → the chain. */
#include "store/trust_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/pack.h"

enum { HINT_MAX = 320, TRUST_FORMAT = 1, TRUST_KIND = 1, HEAD_SIZE = 2 + 8 + 8 + 4, RECORD_MAX = HEAD_SIZE + 512 };

struct trust_note {		/* waits for its commit; the first of the store's is under way */
	struct trust_note *next;
	struct deed deed;
	int64_t when;
	uint32_t times;
	char name[TRUST_NAME_MAX + 1];
	char reason[sizeof(((struct trust_entry *)0)->reason)];
	size_t len;
	char chain[];
};

static_assert(RECORD_MAX >= HEAD_SIZE + (int)sizeof(((struct trust_entry *)0)->reason) - 1, "a record holds every reason");
static_assert(TRUST_CHAIN_MAX + 2 * TRUST_KEY_MAX + RECORD_MAX < (int)ENGINE_BATCH_BYTES, "an entry fits into a batch");

engine_part trust_part(void)
{
	return engine_part_of("trust", SPAN(""));
}

struct span trust_key(char key[TRUST_KEY_MAX], char kind, const char *name)
{
	size_t len = strnlen(name, TRUST_NAME_MAX);

	key[0] = kind;
	memcpy(key + 1, name, len);
	return (struct span){ key, 1 + len };
}

bool trust_name(const char *host, uint16_t port, char name[TRUST_NAME_MAX + 1])
{
	bool six = strchr(host, ':');
	size_t len = strlen(host);

	if (len && host[len - 1] == '.')
		len--;
	if (!len || len > TRUST_HOST_MAX)
		return false;
	(void)snprintf(name, TRUST_NAME_MAX + 1, six ? "[%.*s]:%u" : "%.*s:%u", (int)len, host, port);
	for (char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
	return true;
}

bool trust_split(struct span name, char host[TRUST_HOST_MAX + 1], uint16_t *port)
{
	size_t colon = name.len;
	uint64_t number;

	while (colon && name.at[colon - 1] != ':')
		colon--;
	if (colon < 2 || name.len > TRUST_NAME_MAX || !span_number(span_from(name, colon), UINT16_MAX, &number))
		return false;
	*port = (uint16_t)number;
	name.len = colon - 1;
	if (name.at[0] == '[')
		name = (struct span){ name.at + 1, name.len >= 2 ? name.len - 2 : 0 };
	if (!name.len || name.len > TRUST_HOST_MAX)
		return false;
	memcpy(host, name.at, name.len);
	host[name.len] = '\0';
	return true;
}

static struct span pack(char value[RECORD_MAX], const struct trust_entry *entry)
{
	size_t len = strlen(entry->reason);

	value[0] = TRUST_FORMAT;
	value[1] = TRUST_KIND;
	pack_u64(value + 2, (uint64_t)entry->first_seen);
	pack_u64(value + 10, (uint64_t)entry->last_seen);
	pack_u32(value + 18, entry->times);
	memcpy(value + HEAD_SIZE, entry->reason, len);
	return (struct span){ value, HEAD_SIZE + len };
}

/* False: damaged, or of a later format. */
static bool unpack(struct span name, struct span value, struct trust_entry *entry)
{
	uint8_t format = take_u8(&value);

	(void)take_u8(&value);
	entry->first_seen = (int64_t)take_u64(&value);
	entry->last_seen = (int64_t)take_u64(&value);
	entry->times = take_u32(&value);
	if (!value.at || format != TRUST_FORMAT || value.len >= sizeof entry->reason)
		return false;
	memcpy(entry->reason, value.at, value.len);
	entry->reason[value.len] = '\0';
	if (!trust_split(name, entry->host, &entry->port))
		return false;
	memcpy(entry->name, name.at, name.len);
	entry->name[name.len] = '\0';
	return true;
}

static bool find(struct view *v, const char *name, struct trust_entry *entry)
{
	char key[TRUST_KEY_MAX];
	struct span value;

	return view_get(v, trust_part(), trust_key(key, 't', name), &value) && unpack(span_of(name), value, entry);
}

static bool has_chain(struct view *v, const char *name, struct span chain)
{
	char key[TRUST_KEY_MAX];
	struct span value;

	return view_get(v, trust_part(), trust_key(key, 'c', name), &value) && span_equal(value, chain);
}

/* The name of the one to go when there is no room for another; "" when there is. */
static void oldest(struct view *v, char name[TRUST_NAME_MAX + 1])
{
	int64_t when = INT64_MAX;
	struct span key = { 0 }, value;
	struct trust_entry entry;
	size_t count = 0;

	name[0] = '\0';
	while (view_next(v, trust_part(), SPAN("t"), &key, &value)) {
		struct span its = span_from(key, 1);
		bool good = unpack(its, value, &entry);
		int64_t its_when = good ? entry.last_seen : INT64_MIN;

		count++;
		if (its.len > TRUST_NAME_MAX || its_when >= when)
			continue;
		when = its_when;
		memcpy(name, its.at, its.len);
		name[its.len] = '\0';
	}
	if (count < TRUST_HOSTS_MAX)
		name[0] = '\0';
}

void trust_add_removal(struct batch *b, const char *name)
{
	char key[TRUST_KEY_MAX];

	store_must(batch_remove(b, trust_key(key, 't', name)));
	store_must(batch_remove(b, trust_key(key, 'c', name)));
}

static void committed(void *user, const struct err *why);

/* The first note that waits goes to the engine. */
static void commit_first(struct store *s)
{
	struct trust_note *n = s->notes;
	struct trust_entry entry = { .times = 0 };
	char key[TRUST_KEY_MAX], value[RECORD_MAX], gone[TRUST_NAME_MAX + 1] = "";
	struct view *v = store_view(s);
	struct batch *b = store_batch(trust_part());
	bool there = find(v, n->name, &entry), same = there && has_chain(v, n->name, (struct span){ n->chain, n->len });

	if (!there)
		oldest(v, gone);
	view_end(&v);
	if (!same)
		entry = (struct trust_entry){ .first_seen = n->when };
	entry.last_seen = n->when;
	entry.times = entry.times > UINT32_MAX - n->times ? UINT32_MAX : entry.times + n->times;
	memcpy(entry.reason, n->reason, sizeof entry.reason);
	if (gone[0])
		trust_add_removal(b, gone);
	store_must(batch_put(b, trust_key(key, 't', n->name), pack(value, &entry)));
	if (!same)
		store_must(batch_put(b, trust_key(key, 'c', n->name), (struct span){ n->chain, n->len }));
	n->deed = (struct deed){ .then = committed, .user = s };
	store_do(s, &b, &n->deed);
}

static void committed(void *user, const struct err *why)
{
	struct store *s = user;
	struct trust_note *n = s->notes;

	if (why)
		log_warn(NULL, "what %s offered could not be kept: %s", n->name, why->text);
	s->notes = n->next;
	free(n);
	if (s->notes)
		commit_first(s);
}

/* A note of that name which waits behind the one under way is taken out. */
static struct trust_note *take_waiting(struct store *s, const char *name)
{
	for (struct trust_note **p = s->notes ? &s->notes->next : &s->notes; *p; p = &(*p)->next) {
		struct trust_note *n = *p;

		if (strcmp(n->name, name) != 0)
			continue;
		*p = n->next;
		return n;
	}
	return NULL;
}

void trust_note(struct store *s, const char *host, uint16_t port, struct span chain, const char *reason)
{
	struct trust_note *n, *old, **last = &s->notes;
	char name[TRUST_NAME_MAX + 1];

	if (!chain.len || chain.len > TRUST_CHAIN_MAX || !trust_name(host, port, name))
		return;
	n = store_memory(sizeof *n + chain.len);
	n->when = clock_now_s();
	n->times = 1;
	n->len = chain.len;
	memcpy(n->chain, chain.at, chain.len);
	memcpy(n->name, name, sizeof name);
	(void)snprintf(n->reason, sizeof n->reason, "%s", reason);
	old = take_waiting(s, name);
	if (old && span_equal((struct span){ old->chain, old->len }, chain))
		n->times += old->times;
	free(old);
	while (*last)
		last = &(*last)->next;
	*last = n;
	if (n == s->notes)
		commit_first(s);
}

bool trust_each(struct store *s, struct trust_entry *entry)
{
	char at[TRUST_KEY_MAX];
	struct span key = trust_key(at, 't', entry->name), value;
	struct view *v = store_view(s);
	bool there;

	do
		there = view_next(v, trust_part(), SPAN("t"), &key, &value);
	while (there && !unpack(span_from(key, 1), value, entry));
	view_end(&v);
	return there;
}

bool trust_get(struct store *s, const char *host, uint16_t port, struct trust_entry *entry)
{
	char name[TRUST_NAME_MAX + 1];
	struct view *v;
	bool there;

	if (!trust_name(host, port, name))
		return false;
	v = store_view(s);
	there = find(v, name, entry);
	view_end(&v);
	return there;
}

bool trust_chain(struct store *s, const char *name, struct buf *chain, struct err *e)
{
	struct view *v = store_view(s);
	char key[TRUST_KEY_MAX];
	struct span value;
	bool there = view_get(v, trust_part(), trust_key(key, 'c', name), &value), fits = there && buf_add(chain, value);

	view_end(&v);
	if (!there)
		return err_set(e, ERR_CONFIG, "nothing untrusted is known of %.270s", name);
	return fits || err_set(e, ERR_LOCAL, "the certificates of %.270s take too much memory", name);
}

void trust_hint(struct err *e, const char *host, uint16_t port)
{
	char hint[HINT_MAX];
	size_t used = strlen(e->text);
	int len = snprintf(hint, sizeof hint, strchr(host, ':') ? "; see `postrider trust show [%s]:%u`" : "; see `postrider trust show %s:%u`",
		host, port);

	if (len > 0 && (size_t)len < sizeof hint && used + (size_t)len < sizeof e->text)
		memcpy(e->text + used, hint, (size_t)len + 1);
}
