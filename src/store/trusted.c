/* SPDX-License-Identifier: Apache-2.0
 * What people accepted and imported: format, kind, since, BLAKE2b of key and all but itself, PEM. */
#include "store/trusted.h"

#include <assert.h>
#include <sodium.h>

#include "base/log.h"
#include "store/pack.h"
#include "store/trust_inside.h"

enum { TRUSTED_FORMAT = 1, SUM_AT = 1 + 1 + 8, SUM = 32, PEM_AT = SUM_AT + SUM };

static_assert(sizeof(((struct trusted *)0)->at) == TRUST_KEY_MAX + 1 && (int)TRUST_KEY_MAX <= (int)ENGINE_KEY_MAX, "a key is a place in the walk");
static_assert((int)TRUSTED_IMPORT_NAME_MAX < (int)TRUST_NAME_MAX, "a name of an import is a name");

static void sum_up(struct span key, const char *head, struct span pem, char sum[SUM])
{
	crypto_generichash_state h;
	char len[2] = { (char)(key.len >> 8), (char)key.len };

	(void)crypto_generichash_init(&h, NULL, 0, SUM);
	(void)crypto_generichash_update(&h, (const unsigned char *)len, sizeof len);
	(void)crypto_generichash_update(&h, (const unsigned char *)key.at, key.len);
	(void)crypto_generichash_update(&h, (const unsigned char *)head, SUM_AT);
	(void)crypto_generichash_update(&h, (const unsigned char *)pem.at, pem.len);
	(void)crypto_generichash_final(&h, (unsigned char *)sum, SUM);
}

static bool hex(struct span text)
{
	for (size_t n = 0; n < text.len; n++)
		if (!((text.at[n] >= '0' && text.at[n] <= '9') || (text.at[n] >= 'a' && text.at[n] <= 'f')))
			return false;
	return text.len == TRUSTED_SHA256;
}

static bool import_name(const char *name)
{
	size_t len = strlen(name);

	for (const char *p = name; *p; p++)
		if (!((*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') || strchr(".-_", *p)))
			return false;
	return len && len <= TRUSTED_IMPORT_NAME_MAX && !hex(span_of(name));
}

/* A key into name and sha256. */
static bool split_key(struct span key, struct trusted *one)
{
	struct span name = span_from(key, 1), sha = { 0 };

	if (key.len < 1 + 1 + 1 + TRUSTED_SHA256 || key.len > TRUST_KEY_MAX)
		return false;
	name.len -= 1 + TRUSTED_SHA256;
	sha = span_from(key, key.len - TRUSTED_SHA256);
	if (name.at[name.len] != ' ' || !hex(sha) || memchr(key.at, '\0', key.len))
		return false;
	memcpy(one->name, name.at, name.len);
	one->name[name.len] = '\0';
	memcpy(one->sha256, sha.at, sha.len);
	one->sha256[sha.len] = '\0';
	one->host[0] = '\0';
	one->port = 0;
	return key.at[0] == 'i' ? import_name(one->name) : trust_split(name, one->host, &one->port);
}

static bool unpack(struct span key, struct span value, struct trusted *one, struct span *pem)
{
	char sum[SUM];

	if (value.len <= PEM_AT || value.at[0] != TRUSTED_FORMAT)
		return false;
	*pem = span_from(value, PEM_AT);
	sum_up(key, value.at, *pem, sum);
	if (sodium_memcmp(sum, value.at + SUM_AT, SUM) != 0 || !split_key(key, one))
		return false;
	one->kind = (enum trusted_kind)value.at[1];
	one->since = (int64_t)unpack_u64(value.at + 2);
	return key.at[0] == 'i' ? one->kind == TRUSTED_IMPORTED : one->kind == TRUSTED_KEY || one->kind == TRUSTED_AUTHORITY;
}

static struct span make_key(char key[TRUST_KEY_MAX], char kind, const char *name, const char *sha256)
{
	struct span made = trust_key(key, kind, name);

	key[made.len++] = ' ';
	memcpy(key + made.len, sha256, TRUSTED_SHA256);
	made.len += TRUSTED_SHA256;
	return made;
}

/* All keys of a kind, and those of a name. */
static void count_keys(struct view *v, char kind, const char *name, size_t *all, size_t *of)
{
	struct span key = { 0 }, value;

	*all = *of = 0;
	while (view_next(v, trust_part(), (struct span){ &kind, 1 }, &key, &value)) {
		struct span its = span_from(key, 1);

		*all += 1;
		*of += its.len > TRUSTED_SHA256 && span_equal((struct span){ its.at, its.len - TRUSTED_SHA256 - 1 }, span_of(name));
	}
}

/* Removes of a kind those that are meant, damaged ones, too; returns how many. */
static size_t add_removals(struct view *v, struct batch *b, char kind, bool (*is)(struct span name, struct span sha256, const void *user), const void *user)
{
	struct span key = { 0 }, value;
	size_t count = 0;

	while (view_next(v, trust_part(), (struct span){ &kind, 1 }, &key, &value)) {
		struct span its = span_from(key, 1);

		if (its.len <= TRUSTED_SHA256)
			continue;
		if (!is((struct span){ its.at, its.len - TRUSTED_SHA256 - 1 }, span_from(its, its.len - TRUSTED_SHA256), user))
			continue;
		store_must(batch_remove(b, key));
		count++;
	}
	return count;
}

static bool is_named(struct span name, [[maybe_unused]] struct span sha256, const void *user)
{
	return span_equal(name, span_of(user));
}

static bool has_sha256([[maybe_unused]] struct span name, struct span sha256, const void *user)
{
	return span_equal(sha256, span_of(user));
}

struct server {
	char name[TRUST_NAME_MAX + 1];
	bool every_port;
};

static bool is_of(struct span name, [[maybe_unused]] struct span sha256, const void *user)
{
	const struct server *of = user;
	char host[TRUST_HOST_MAX + 1], whole[TRUST_NAME_MAX + 1];
	uint16_t port;

	if (!of->every_port)
		return span_equal(name, span_of(of->name));
	return trust_split(name, host, &port) && trust_name(host, 0, whole) && !strcmp(whole, of->name);
}

static bool remove_all(struct store *s, char kind, bool (*is)(struct span, struct span, const void *), const void *user, size_t *count, struct err *e)
{
	struct batch *b = store_batch(trust_part());
	struct view *v = store_view(s);

	*count = add_removals(v, b, kind, is, user);
	view_end(&v);
	if (*count)
		return engine_commit_wait(s->engine, &b, e) || err_in(e, "trust");
	batch_free(&b);
	return true;
}

bool trusted_revoke(struct store *s, const char *host, uint16_t port, size_t *count, struct err *e)
{
	struct server of = { .every_port = !port };

	if (!trust_name(host, port, of.name))
		return err_set(e, ERR_CONFIG, "this is no host: %.100s", host);
	return remove_all(s, 'a', is_of, &of, count, e);
}

bool trusted_forget(struct store *s, const char *name, size_t *count, struct err *e)
{
	return remove_all(s, 'i', is_named, name, count, e);
}

bool trusted_forget_sha256(struct store *s, const char *sha256, size_t *count, struct err *e)
{
	size_t accepted;

	if (!remove_all(s, 'a', has_sha256, sha256, &accepted, e) || !remove_all(s, 'i', has_sha256, sha256, count, e))
		return false;
	*count += accepted;
	return true;
}

/* Is there room for one more, and what goes for it? */
static bool make_room(struct view *v, struct batch *b, char kind, const char *name, const struct trusted_new *n, struct err *e)
{
	size_t all, of;

	count_keys(v, kind, name, &all, &of);
	if (kind == 'a')
		trust_add_removal(b, name);
	if (kind == 'a' && !n->beside) {
		all -= add_removals(v, b, kind, is_named, name);
		of = 0;
	}
	if (kind == 'a' && of >= TRUSTED_EACH)
		return err_set(e, ERR_CONFIG, "%.270s has %d accepted certificates already; postrider trust revoke takes them back", name, TRUSTED_EACH);
	return all < TRUSTED_MAX || err_set(e, ERR_CONFIG, "%d certificates are %s already; postrider trust revoke takes some back", TRUSTED_MAX,
		kind == 'a' ? "accepted" : "imported");
}

static bool take_name(const struct trusted_new *n, char name[TRUST_NAME_MAX + 1], struct err *e)
{
	if (!hex(span_of(n->sha256)))
		return err_set(e, ERR_CONFIG, "this is no SHA-256: %.100s", n->sha256);
	if (!n->pem.len || n->pem.len > TRUSTED_PEM_MAX)
		return err_set(e, ERR_CONFIG, "a certificate has at most %d octets", TRUSTED_PEM_MAX);
	if (n->kind != TRUSTED_IMPORTED)
		return (n->port && trust_name(n->host, n->port, name)) || err_set(e, ERR_CONFIG, "this is no host and port: %.100s:%u", n->host, n->port);
	if (!import_name(n->name))
		return err_set(e, ERR_CONFIG, "a name has 1 to %d of the characters A-Z a-z 0-9 . - _ : %.100s", TRUSTED_IMPORT_NAME_MAX, n->name);
	memcpy(name, n->name, strlen(n->name) + 1);
	return true;
}

bool trusted_add(struct store *s, const struct trusted_new *n, struct err *e)
{
	char name[TRUST_NAME_MAX + 1], key[TRUST_KEY_MAX], head[PEM_AT], kind = n->kind == TRUSTED_IMPORTED ? 'i' : 'a';
	struct span is, had;
	struct batch *b;
	struct view *v;
	struct buf value;
	bool good;

	if (!take_name(n, name, e))
		return false;
	is = make_key(key, kind, name, n->sha256);
	head[0] = TRUSTED_FORMAT;
	head[1] = (char)n->kind;
	pack_u64(head + 2, (uint64_t)n->now);
	sum_up(is, head, n->pem, head + SUM_AT);
	buf_start(&value, PEM_AT + TRUSTED_PEM_MAX);
	store_must(buf_add(&value, (struct span){ head, sizeof head }) && buf_add(&value, n->pem));
	b = store_batch(trust_part());
	v = store_view(s);
	good = make_room(v, b, kind, name, n, e) || view_get(v, trust_part(), is, &had);
	view_end(&v);
	if (good)
		store_must(batch_put(b, is, buf_span(&value)));
	buf_end(&value);
	if (good)
		return engine_commit_wait(s->engine, &b, e) || err_in(e, "trust");
	batch_free(&b);
	return false;
}

bool trusted_each(struct store *s, struct trusted *one, struct buf *pem)
{
	static const char kinds[] = { 'a', 'i' };
	struct view *v = store_view(s);
	bool there = false;

	for (size_t n = 0; !there && n < COUNT(kinds); n++) {
		struct span key = { one->at, strlen(one->at) }, value, its;

		if (one->at[0] > kinds[n])
			continue;
		if (one->at[0] != kinds[n])
			key = (struct span){ 0 };
		while (!there && view_next(v, trust_part(), (struct span){ &kinds[n], 1 }, &key, &value)) {
			there = unpack(key, value, one, &its);
			if (!there)
				log_warn(NULL, "an entry of what is trusted is damaged, and trusts nobody: %.*s", (int)(key.len < 300 ? key.len : 300), key.at);
			if (there && pem) {
				pem->len = 0;
				store_must(buf_add(pem, its));
			}
		}
		if (there) {
			memcpy(one->at, key.at, key.len);
			one->at[key.len] = '\0';
		}
	}
	view_end(&v);
	return there;
}
