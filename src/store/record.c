/* SPDX-License-Identifier: Apache-2.0 */
#include "store/record.h"

#include "base/buf.h"
#include "base/log.h"
#include "store/pack.h"

/* Format 1 kept a recoverable secret in clear text; it is not read any more. */
enum { RECORD_FORMAT_1 = 1, RECORD_FORMAT = 2 };

engine_part record_part(void)
{
	return engine_part_of("accounts", SPAN(""));
}

struct span record_key(char key[RECORD_KEY], char kind, const char *name)
{
	size_t len = strnlen(name, ACCOUNT_NAME_MAX);

	key[0] = kind;
	memcpy(key + 1, name, len);
	return (struct span){ key, 1 + len };
}

static char *add(char *at, const void *octets, size_t len)
{
	memcpy(at, octets, len);
	return at + len;
}

static char *add_keys(char *at, const struct scram_keys *k, size_t size)
{
	at = add(at, k->salt, sizeof k->salt);
	at = add(at, k->stored, size);
	return add(at, k->server, size);
}

struct span record_pack(char value[RECORD_MAX], const struct record *r)
{
	char *at = value;

	*at++ = RECORD_FORMAT;
	*at++ = (char)r->flags;
	pack_u64(at, (uint64_t)r->made);
	pack_u64(at + 8, r->limits.quota);
	pack_u32(at + 16, r->limits.max_sessions);
	pack_u32(at + 20, r->verifier.sha256.iterations);
	pack_u32(at + 24, r->verifier.sha1.iterations);
	at = add(at + 28, r->verifier.argon, VERIFIER_ARGON);
	at = add_keys(at, &r->verifier.sha256, SCRAM_KEY_MAX);
	at = add_keys(at, &r->verifier.sha1, SCRAM_SHA1_KEY);
	at = add(at, r->sealed, r->sealed_len);
	return (struct span){ value, (size_t)(at - value) };
}

static void take(struct span *s, void *to, size_t len)
{
	struct span from = take_span(s, len);

	if (from.at)
		memcpy(to, from.at, len);
}

static void take_keys(struct span *s, struct scram_keys *k, size_t size)
{
	take(s, k->salt, sizeof k->salt);
	take(s, k->stored, size);
	take(s, k->server, size);
}

bool record_unpack(struct span value, struct record *r)
{
	uint8_t format = take_u8(&value);

	*r = (struct record){ .flags = take_u8(&value), .limits = { ACCOUNT_QUOTA_DEFAULT, ACCOUNT_SESSIONS_DEFAULT } };
	r->made = (int64_t)take_u64(&value);
	if (format == RECORD_FORMAT) {
		r->limits.quota = take_u64(&value);
		r->limits.max_sessions = take_u32(&value);
	}
	r->verifier.sha256.iterations = take_u32(&value);
	if (format == RECORD_FORMAT)
		r->verifier.sha1.iterations = take_u32(&value);
	take(&value, r->verifier.argon, VERIFIER_ARGON);
	r->verifier.argon[VERIFIER_ARGON - 1] = '\0';
	take_keys(&value, &r->verifier.sha256, SCRAM_KEY_MAX);
	if (format == RECORD_FORMAT_1)
		r->flags &= (uint8_t)~RECORD_RECOVERABLE;
	if (format != RECORD_FORMAT)
		return format == RECORD_FORMAT_1 && value.at;
	take_keys(&value, &r->verifier.sha1, SCRAM_SHA1_KEY);
	if (!value.at || value.len > SEAL_MAX)
		return false;
	r->sealed_len = value.len;
	take(&value, r->sealed, value.len);
	return true;
}

uint64_t record_quota(struct span value)
{
	uint64_t quota;

	if (take_u8(&value) != RECORD_FORMAT)
		return ACCOUNT_QUOTA_DEFAULT;
	(void)take_span(&value, 1 + 8);
	quota = take_u64(&value);
	return value.at ? quota : ACCOUNT_QUOTA_DEFAULT;
}

bool record_find(struct store *s, const char *name, struct record *r)
{
	char value[RECORD_MAX];
	size_t len;
	bool there = record_get(s, 'a', name, value, sizeof value, &len);

	if (there && !record_unpack((struct span){ value, len }, r)) {
		log_error(NULL, "account %s is damaged: restore it from a backup", name);
		there = false;
	}
	wipe(value, sizeof value);
	return there;
}

static void copy(struct span from, char *value, size_t max, size_t *len)
{
	*len = from.len < max ? from.len : max;
	if (*len)
		memcpy(value, from.at, *len);
}

bool record_get(struct store *s, char kind, const char *name, char *value, size_t max, size_t *len)
{
	char key[RECORD_KEY];
	struct view *v = store_view(s);
	struct span got;
	bool there = strlen(name) <= ACCOUNT_NAME_MAX && view_get(v, record_part(), record_key(key, kind, name), &got);

	if (there)
		copy(got, value, max, len);
	view_end(&v);
	return there;
}

bool record_next(struct store *s, char kind, char name[ACCOUNT_NAME_MAX + 1], char *value, size_t max, size_t *len)
{
	char at[RECORD_KEY];
	struct span key = record_key(at, kind, name), got;
	struct view *v = store_view(s);
	bool there = view_next(v, record_part(), (struct span){ &kind, 1 }, &key, &got) && key.len - 1 <= ACCOUNT_NAME_MAX;

	if (there) {
		memcpy(name, key.at + 1, key.len - 1);
		name[key.len - 1] = '\0';
		copy(got, value, max, len);
	}
	view_end(&v);
	return there;
}

static bool add_to(struct batch *b, struct span key, struct span value)
{
	return value.len ? batch_put(b, key, value) : batch_remove(b, key);
}

bool record_add(struct store *s, struct batch **b, struct span key, struct span value, struct err *e)
{
	if (add_to(*b, key, value))
		return true;
	if (!engine_commit_wait(s->engine, b, e))
		return false;
	*b = store_batch(record_part());
	store_must(add_to(*b, key, value));
	return true;
}
