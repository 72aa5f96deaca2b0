/* SPDX-License-Identifier: Apache-2.0
 * The vault at rest: "s" NAME in the partition "vault".
 *
 *     0  version     1  the key's id     9  when it was set     17  nonce     41  length of the secret, secret, zeros,
 * encrypted in blocks, and 16 octets that authenticate all, octets 0 to 16 and the name too. */
#include "store/vault.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/pack.h"
#include "store/room.h"
#include "store/vault_key.h"

enum {
	VERSION = 1, HEAD = 1 + VAULT_KEY_ID + 8, NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	LENGTH = 4, BLOCK = 64, PLAIN_MAX = (LENGTH + VAULT_SECRET_MAX + BLOCK - 1) / BLOCK * BLOCK, KEY_MAX = 1 + VAULT_NAME_MAX,
	RECORD_MAX = HEAD + NONCE + PLAIN_MAX + TAG,
};

static_assert((int)VAULT_WRAP == (int)VAULT_KEY && (int)VAULT_WRAPPED == (int)VAULT_KEY_ID + NONCE + VAULT_KEY + TAG, "sizes");

struct vault {
	pthread_mutex_t writing;	/* who changes records, or the file, from the look at what is there to the commit */
	pthread_mutex_t mutex;		/* of what follows; short, so that who reads does not wait for commits */
	struct vault_place place;
	char *state, *credentials;
	bool there;		/* `key` is the file's */
	uint8_t *key;		/* libsodium's memory: locked, between guards, in no core */
	uint8_t id[VAULT_KEY_ID];
};

/* For secrets; ends the process when there is none, as store_memory does. */
static void *secret_memory(size_t size)
{
	void *at = sodium_malloc(size);

	store_must(at);
	return at;
}

struct vault *vault_new(const char *state)
{
	struct vault *v = store_memory(sizeof *v);
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");

	(void)pthread_mutex_init(&v->writing, NULL);
	(void)pthread_mutex_init(&v->mutex, NULL);
	v->state = strdup(state);
	store_must(v->state);
	if (credentials && *credentials) {
		v->credentials = strdup(credentials);
		store_must(v->credentials);
	}
	v->place = (struct vault_place){ .state = v->state, .machine_id = "/etc/machine-id", .credentials = v->credentials };
	return v;
}

void vault_free(struct vault **out)
{
	struct vault *v = *out;

	if (!v)
		return;
	*out = NULL;
	(void)pthread_mutex_destroy(&v->writing);
	(void)pthread_mutex_destroy(&v->mutex);
	sodium_free(v->key);
	free(v->state);
	free(v->credentials);
	free(v);
}

static engine_part part(void)
{
	return engine_part_of("vault", SPAN(""));
}

static bool key_of(char at[KEY_MAX], const char *name, struct span *key, struct err *e)
{
	size_t len = strlen(name);

	*key = (struct span){ 0 };
	if (!len || len > VAULT_NAME_MAX || span_has_control(span_of(name)))
		return err_set(e, ERR_CONFIG, "a secret's name has 1 to %d octets, and no control characters", VAULT_NAME_MAX);
	at[0] = 's';
	memcpy(at + 1, name, len);
	*key = (struct span){ at, 1 + len };
	return true;
}

/* ---- the key */

/* How many records there are, and how many are of the key `id`. */
struct count {
	size_t all, ours;
};

static struct count count(struct store *s, const uint8_t id[VAULT_KEY_ID])
{
	struct view *view = store_view(s);
	struct span key = { 0 }, value;
	struct count n = { 0 };

	while (view_next(view, part(), SPAN("s"), &key, &value)) {
		n.all++;
		n.ours += value.len > HEAD && memcmp(value.at + 1, id, VAULT_KEY_ID) == 0;
	}
	view_end(&view);
	return n;
}

static void take_key(struct vault *v, uint8_t *key)
{
	sodium_free(v->key);
	v->key = key;
	vault_key_id(key, v->id);
	v->there = true;
}

static bool missing(struct store *s, size_t records, struct err *e)
{
	return err_set(e, ERR_CONFIG, "%s/vault.key is missing, and %zu secret%s sealed under it: put it back from a copy, or import a recovery file "
		"(postrider secret import); or remove them (postrider secret remove), and set them again", s->state, records, records == 1 ? " is" : "s are");
}

/* With the mutex.  `make`: where there is neither a file nor any record, there is a key from now on. */
static bool load(struct store *s, bool make, struct err *e)
{
	struct vault *v = s->vault;
	static const uint8_t nobodys[VAULT_KEY_ID];
	uint8_t *key;
	size_t records;
	bool there, good;

	if (v->there)
		return true;
	key = secret_memory(VAULT_KEY);
	good = vault_key_read(&v->place, key, &there, e);
	if (good && !there) {
		records = count(s, nobodys).all;
		if (records)
			good = missing(s, records, e);
		else if (!make)
			good = err_set(e, ERR_CONFIG, "there are no secrets yet, and no key for them");
		else {
			random_fill(key, VAULT_KEY);
			good = vault_key_make(&v->place, key, e);
		}
	}
	if (good)
		take_key(v, key);
	else
		sodium_free(key);
	return good;
}

/* *key is the caller's, to be freed by sodium_free. */
static bool key_for(struct store *s, bool make, uint8_t **key, uint8_t id[VAULT_KEY_ID], struct err *e)
{
	struct vault *v = s->vault;
	bool good;

	(void)pthread_mutex_lock(&v->mutex);
	good = load(s, make, e);
	if (good) {
		*key = secret_memory(VAULT_KEY);
		memcpy(*key, v->key, VAULT_KEY);
		memcpy(id, v->id, VAULT_KEY_ID);
	}
	(void)pthread_mutex_unlock(&v->mutex);
	return good;
}

/* A new record goes beside others that the same key opens. */
static bool may_seal(struct store *s, const uint8_t id[VAULT_KEY_ID], struct err *e)
{
	struct count n = count(s, id);

	return !n.all || n.ours || err_set(e, ERR_CONFIG, "%s/vault.key is not the key of the %zu secret%s here: put the right one back, or import its recovery file "
		"(postrider secret import); or remove them (postrider secret remove), and set them again", s->state, n.all, n.all == 1 ? "" : "s");
}

/* ---- records */

/* What is authenticated beside the secret: the head, then the name. */
static size_t about(char at[HEAD + KEY_MAX], const char *head, struct span key)
{
	memcpy(at, head, HEAD);
	memcpy(at + HEAD, key.at, key.len);
	return HEAD + key.len;
}

static struct span seal(const uint8_t *with, const uint8_t id[VAULT_KEY_ID], struct span key, struct span secret, char *record)
{
	size_t padded = (LENGTH + secret.len + BLOCK - 1) / BLOCK * BLOCK, ad_len;
	uint8_t *plain = secret_memory(padded), *at = (uint8_t *)record;
	char ad[HEAD + KEY_MAX];

	record[0] = VERSION;
	memcpy(record + 1, id, VAULT_KEY_ID);
	pack_u64(record + 1 + VAULT_KEY_ID, (uint64_t)clock_now_s());
	random_fill(at + HEAD, NONCE);
	memset(plain, 0, padded);
	pack_u32((char *)plain, (uint32_t)secret.len);
	memcpy(plain + LENGTH, secret.at, secret.len);
	ad_len = about(ad, record, key);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(at + HEAD + NONCE, NULL, plain, padded, (const uint8_t *)ad, ad_len, NULL, at + HEAD, with);
	sodium_free(plain);
	return (struct span){ record, HEAD + NONCE + padded + TAG };
}

static bool set_record(struct store *s, struct span key, struct span secret, struct err *e)
{
	uint8_t *with, id[VAULT_KEY_ID];
	char *record;
	struct batch *b;
	bool good;

	if (!key_for(s, true, &with, id, e))
		return false;
	good = may_seal(s, id, e);
	if (good) {
		record = store_memory(RECORD_MAX);
		b = store_batch(part());
		store_must(batch_put(b, key, seal(with, id, key, secret, record)));
		free(record);
		good = engine_commit_wait(s->engine, &b, e);
	}
	sodium_free(with);
	return good;
}

bool vault_set(struct store *s, const char *name, struct span secret, struct err *e)
{
	char at[KEY_MAX];
	struct span key;
	bool good;

	if (!key_of(at, name, &key, e))
		return false;
	if (!secret.len || secret.len > VAULT_SECRET_MAX)
		return err_set(e, ERR_CONFIG, "a secret has 1 to %d octets", VAULT_SECRET_MAX);
	(void)pthread_mutex_lock(&s->vault->writing);
	good = set_record(s, key, secret, e) || err_in(e, "secret %s", name);
	(void)pthread_mutex_unlock(&s->vault->writing);
	return good;
}

/* A copy, so that no view is held while the key is read. */
static char *record_of(struct store *s, struct span key, size_t *len)
{
	struct view *view = store_view(s);
	struct span value;
	char *record = NULL;

	if (view_get(view, part(), key, &value) && value.len) {
		record = store_memory(value.len);
		memcpy(record, value.at, *len = value.len);
	}
	view_end(&view);
	return record;
}

/* The secret is in plain, behind its length. */
static bool open_record(struct span record, struct span key, const uint8_t *with, uint8_t *plain, size_t *len)
{
	const uint8_t *at = (const uint8_t *)record.at;
	char ad[HEAD + KEY_MAX];
	size_t ad_len = about(ad, record.at, key), padded = record.len - HEAD - NONCE - TAG;

	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, at + HEAD + NONCE, padded + TAG, (const uint8_t *)ad, ad_len, at + HEAD, with) != 0)
		return false;
	*len = unpack_u32((const char *)plain);
	return *len && *len <= padded - LENGTH;
}

static bool add_whole(struct buf *secret, struct span octets, struct err *e)
{
	if (octets.len > secret->max - secret->len)
		return err_set(e, ERR_CONFIG, "it is longer than it can be here");
	return (buf_room(secret, octets.len) && buf_add(secret, octets)) || err_set(e, ERR_LOCAL, "out of memory");
}

static bool unseal(struct store *s, struct span record, struct span key, struct buf *secret, struct err *e)
{
	uint8_t *with, *plain, id[VAULT_KEY_ID];
	bool good = record.len >= HEAD + NONCE + BLOCK + TAG && record.len <= RECORD_MAX && record.at[0] == VERSION;
	size_t len = 0;

	if (!good)
		return err_set(e, ERR_CONFIG, "its record is damaged: set it again");
	if (!key_for(s, false, &with, id, e))
		return false;
	if (memcmp(record.at + 1, id, VAULT_KEY_ID) != 0) {
		sodium_free(with);
		return err_set(e, ERR_CONFIG, "it is sealed under another key than %s/vault.key, or damaged: put the right key back, import its recovery file "
			"(postrider secret import), or set it again", s->state);
	}
	plain = secret_memory(record.len);
	good = open_record(record, key, with, plain, &len) || err_set(e, ERR_CONFIG, "its record is damaged: set it again");
	good = good && add_whole(secret, (struct span){ (const char *)plain + LENGTH, len }, e);
	sodium_free(plain);
	sodium_free(with);
	return good;
}

bool vault_get(struct store *s, const char *name, struct buf *secret, struct err *e)
{
	char at[KEY_MAX], *record;
	struct span key;
	size_t len = 0;
	bool good;

	if (!key_of(at, name, &key, e))
		return false;
	record = record_of(s, key, &len);
	if (!record)
		return err_set(e, ERR_CONFIG, "there is no secret %s: postrider secret set '%s'", name, name);
	good = unseal(s, (struct span){ record, len }, key, secret, e);
	free(record);
	return good || err_in(e, "secret %s", name);
}

bool vault_remove(struct store *s, const char *name, struct err *e)
{
	char at[KEY_MAX];
	struct batch *b;
	struct span key;
	bool good;

	if (!key_of(at, name, &key, e))
		return false;
	(void)pthread_mutex_lock(&s->vault->writing);
	good = vault_there(s, name) || err_set(e, ERR_CONFIG, "there is no secret %s", name);
	if (good) {
		b = store_batch(part());
		store_must(batch_remove(b, key));
		good = engine_commit_wait(s->engine, &b, e) || err_in(e, "secret %s", name);
	}
	(void)pthread_mutex_unlock(&s->vault->writing);
	return good;
}

bool vault_there(struct store *s, const char *name)
{
	struct span key, value;
	struct view *view;
	char at[KEY_MAX];
	struct err e;
	bool there;

	if (!key_of(at, name, &key, &e))
		return false;
	view = store_view(s);
	there = view_get(view, part(), key, &value);
	view_end(&view);
	return there;
}

bool vault_each(struct store *s, struct vault_info *info)
{
	struct view *view = store_view(s);
	char at[KEY_MAX + 1];
	size_t len = strlen(info->name);
	struct span key = { at, len ? 1 + len : 0 }, value;
	bool there;

	at[0] = 's';
	memcpy(at + 1, info->name, len);
	do
		there = view_next(view, part(), SPAN("s"), &key, &value);
	while (there && (key.len < 2 || key.len > KEY_MAX));
	if (there) {
		memcpy(info->name, key.at + 1, key.len - 1);
		info->name[key.len - 1] = '\0';
		info->set = value.len > HEAD ? (int64_t)unpack_u64(value.at + 1 + VAULT_KEY_ID) : 0;
	}
	view_end(&view);
	return there;
}

/* ---- moving: the key's id, a nonce, the key encrypted */

bool vault_export(struct store *s, const uint8_t wrap[VAULT_WRAP], uint8_t wrapped[VAULT_WRAPPED], struct err *e)
{
	uint8_t *key, *nonce = wrapped + VAULT_KEY_ID;

	if (!key_for(s, false, &key, wrapped, e))
		return false;
	random_fill(nonce, NONCE);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE, NULL, key, VAULT_KEY, wrapped, VAULT_KEY_ID, NULL, nonce, wrap);
	sodium_free(key);
	return true;
}

static bool unwrap(const uint8_t wrap[VAULT_WRAP], const uint8_t wrapped[VAULT_WRAPPED], uint8_t *key)
{
	const uint8_t *nonce = wrapped + VAULT_KEY_ID;
	uint8_t id[VAULT_KEY_ID];

	if (crypto_aead_xchacha20poly1305_ietf_decrypt(key, NULL, NULL, nonce + NONCE, VAULT_KEY + TAG, wrapped, VAULT_KEY_ID, nonce, wrap) != 0)
		return false;
	vault_key_id(key, id);
	return memcmp(id, wrapped, sizeof id) == 0;
}

/* The old file goes only when it is certain that it has the same key. */
static bool put_in_place(struct store *s, const uint8_t *key, const uint8_t id[VAULT_KEY_ID], struct err *e)
{
	struct count n = count(s, id);
	uint8_t *old;
	bool there, same;
	struct err why;

	if (n.all && !n.ours)
		return err_set(e, ERR_CONFIG, "this recovery file is of another vault: it opens none of the %zu secret%s here", n.all, n.all == 1 ? "" : "s");
	old = secret_memory(VAULT_KEY);
	same = vault_key_read(&s->vault->place, old, &there, &why) && there && sodium_memcmp(old, key, VAULT_KEY) == 0;
	sodium_free(old);
	return vault_key_replace(&s->vault->place, key, !same, e);
}

bool vault_import(struct store *s, const uint8_t wrap[VAULT_WRAP], const uint8_t wrapped[VAULT_WRAPPED], struct err *e)
{
	struct vault *v = s->vault;
	uint8_t *key = secret_memory(VAULT_KEY);
	bool good = unwrap(wrap, wrapped, key) || err_set(e, ERR_CONFIG, "the master password is wrong, or the recovery file is damaged");

	(void)pthread_mutex_lock(&v->writing);
	good = good && put_in_place(s, key, wrapped, e);
	if (good) {
		(void)pthread_mutex_lock(&v->mutex);
		take_key(v, key);
		(void)pthread_mutex_unlock(&v->mutex);
	} else {
		sodium_free(key);
	}
	(void)pthread_mutex_unlock(&v->writing);
	return good;
}
