/* SPDX-License-Identifier: Apache-2.0
 * Accounts: "a" NAME in the "accounts" partition → when made, and how to prove
 * who one is. */
#include "store/account.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/pack.h"
#include "store/room.h"

enum {
	ACCOUNT_FORMAT = 1,
	ARGON_PASSES = 2,
	ARGON_MEMORY = 19 << 20,
	SCRAM_ITERATIONS = 4096,
	SCRAM_KEY = 32,
	SALT = 16,
	PASSWORD_MAX = 1024,
	RECORD_MAX = 64 + crypto_pwhash_STRBYTES + SALT + 2 * SCRAM_KEY + PASSWORD_MAX,
};

enum { CAN_LOGIN = 1, RECOVERABLE = 2 };

struct record {			/* an account at rest */
	uint8_t flags;
	int64_t made;
	char argon[crypto_pwhash_STRBYTES];
	uint32_t iterations;
	char salt[SALT], stored[SCRAM_KEY], server[SCRAM_KEY];
	struct span secret;	/* only of a recoverable account */
};

static engine_part accounts(void)
{
	return engine_part_of("accounts", SPAN(""));
}

static struct span account_key(char key[1 + ACCOUNT_NAME_MAX], const char *name)
{
	size_t len = strnlen(name, ACCOUNT_NAME_MAX);

	key[0] = 'a';
	memcpy(key + 1, name, len);
	return (struct span){ key, 1 + len };
}

static bool check_name(struct span name, struct err *e)
{
	size_t at = span_find(name, '@');

	if (!name.len || at == 0 || at + 1 == name.len || memchr(span_from(name, at + 1).at, '@', span_from(name, at + 1).len))
		return err_set(e, ERR_CONFIG, "an account is named NAME or NAME@DOMAIN");
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.at[i];

		if (c <= ' ' || c == 127)
			return err_set(e, ERR_CONFIG, "an account's name has no blanks and no control characters");
		if (strchr("#/~%", c))
			return err_set(e, ERR_CONFIG, "an account's name has no \"%c\"", c);
	}
	return true;
}

bool account_name(const char *given, const char *main_domain, char name[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	bool add = main_domain && *main_domain && !strchr(given, '@');
	int n = snprintf(name, ACCOUNT_NAME_MAX + 1, "%s%s%s", given, add ? "@" : "", add ? main_domain : "");

	if (n < 0 || n > ACCOUNT_NAME_MAX)
		return err_set(e, ERR_CONFIG, "an account's name has at most %d octets", ACCOUNT_NAME_MAX);
	for (char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
	return check_name(span_of(name), e);
}

/* RFC 5802 section 3: StoredKey := H(HMAC(SaltedPassword, "Client Key")). */
static bool scram_keys(struct record *r, struct span password)
{
	unsigned char salted[SCRAM_KEY], client[SCRAM_KEY];
	unsigned len = 0;
	bool good;

	r->iterations = SCRAM_ITERATIONS;
	random_fill(r->salt, sizeof r->salt);
	good = PKCS5_PBKDF2_HMAC(password.at, (int)password.len, (const unsigned char *)r->salt, SALT, SCRAM_ITERATIONS,
	           EVP_sha256(), SCRAM_KEY, salted) == 1 &&
	       HMAC(EVP_sha256(), salted, SCRAM_KEY, (const unsigned char *)"Client Key", 10, client, &len) &&
	       EVP_Digest(client, SCRAM_KEY, (unsigned char *)r->stored, &len, EVP_sha256(), NULL) == 1 &&
	       HMAC(EVP_sha256(), salted, SCRAM_KEY, (const unsigned char *)"Server Key", 10, (unsigned char *)r->server, &len);
	wipe(salted, sizeof salted);
	wipe(client, sizeof client);
	return good;
}

static bool make_record(struct record *r, struct span password, bool recoverable, struct err *e)
{
	*r = (struct record){ .made = clock_now_s() };
	if (!password.len)
		return true;
	if (password.len > PASSWORD_MAX)
		return err_set(e, ERR_CONFIG, "a password has at most %d octets", PASSWORD_MAX);
	if (crypto_pwhash_str_alg(r->argon, password.at, password.len, ARGON_PASSES, ARGON_MEMORY, crypto_pwhash_ALG_ARGON2ID13) != 0 ||
	    !scram_keys(r, password))
		return err_set(e, ERR_LOCAL, "out of memory for hashing a password");
	r->flags = CAN_LOGIN | (recoverable ? RECOVERABLE : 0);
	if (recoverable)
		r->secret = password;
	return true;
}

static struct span pack(char value[RECORD_MAX], const struct record *r)
{
	char *at = value;

	*at++ = ACCOUNT_FORMAT;
	*at++ = (char)r->flags;
	pack_u64(at, (uint64_t)r->made);
	pack_u32(at + 8, r->iterations);
	at += 12;
	memcpy(at, r->argon, sizeof r->argon);
	at += sizeof r->argon;
	memcpy(at, r->salt, sizeof r->salt);
	at += sizeof r->salt;
	memcpy(at, r->stored, sizeof r->stored);
	at += sizeof r->stored;
	memcpy(at, r->server, sizeof r->server);
	at += sizeof r->server;
	if (r->secret.len)
		memcpy(at, r->secret.at, r->secret.len);
	at += r->secret.len;
	return (struct span){ value, (size_t)(at - value) };
}

static void copy(struct span from, char *to)
{
	if (from.at)
		memcpy(to, from.at, from.len);
}

static bool unpack(struct span value, struct record *r)
{
	uint8_t format = take_u8(&value);

	*r = (struct record){ .flags = take_u8(&value) };
	r->made = (int64_t)take_u64(&value);
	r->iterations = take_u32(&value);
	copy(take_span(&value, sizeof r->argon), r->argon);
	copy(take_span(&value, sizeof r->salt), r->salt);
	copy(take_span(&value, sizeof r->stored), r->stored);
	copy(take_span(&value, sizeof r->server), r->server);
	r->argon[sizeof r->argon - 1] = '\0';
	return format == ACCOUNT_FORMAT && value.at;
}

/* The record without its secret, which borrows the engine's pages. */
static bool find(struct store *s, const char *name, struct record *r)
{
	char key[1 + ACCOUNT_NAME_MAX];
	struct view *v = store_view(s);
	struct span value;
	bool there = view_get(v, accounts(), account_key(key, name), &value);

	if (there && !unpack(value, r))
		store_damaged(name, "its account");
	view_end(&v);
	return there;
}

bool account_there(struct store *s, const char *name)
{
	struct record r;
	bool there = find(s, name, &r);

	wipe(&r, sizeof r);
	return there;
}

static bool put(struct store *s, const char *name, const struct record *r, bool there, struct err *e)
{
	char key[1 + ACCOUNT_NAME_MAX], value[RECORD_MAX];
	struct span k = account_key(key, name);
	struct batch *b = store_batch(accounts());
	bool good;

	store_must(there ? batch_present(b, k) : batch_absent(b, k));
	store_must(batch_put(b, k, pack(value, r)));
	good = engine_commit_wait(s->engine, &b, e);
	wipe(value, sizeof value);
	return good || err_in(e, "account %.100s", name);
}

bool account_add(struct store *s, const char *given, struct span password, bool recoverable, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];
	struct record r;
	bool good;

	if (!account_name(given, NULL, name, e))
		return false;
	if (account_there(s, name))
		return err_set(e, ERR_CONFIG, "account %.300s is there already", name);
	good = make_record(&r, password, recoverable, e) && put(s, name, &r, false, e);
	wipe(&r, sizeof r);
	return good;
}

static bool no_such(const char *name, struct err *e)
{
	return err_set(e, ERR_CONFIG, "there is no account %.200s; make it first: postrider account add %.200s", name, name);
}

bool account_passwd(struct store *s, const char *given, struct span password, bool recoverable, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];
	struct record old, r;
	bool good;

	if (!account_name(given, NULL, name, e))
		return false;
	if (!find(s, name, &old))
		return no_such(name, e);
	good = make_record(&r, password, recoverable, e);
	r.made = old.made;
	good = good && put(s, name, &r, true, e);
	wipe(&r, sizeof r);
	wipe(&old, sizeof old);
	return good;
}

bool account_each(struct store *s, struct account_info *info)
{
	char at[1 + ACCOUNT_NAME_MAX];
	struct span key = account_key(at, info->name), value;
	struct view *v = store_view(s);
	struct record r;
	bool there = view_next(v, accounts(), SPAN("a"), &key, &value) && key.len - 1 <= ACCOUNT_NAME_MAX;

	if (there) {
		memcpy(info->name, key.at + 1, key.len - 1);
		info->name[key.len - 1] = '\0';
		if (!unpack(value, &r))
			store_damaged(info->name, "its account");
		info->made = r.made;
		info->can_login = r.flags & CAN_LOGIN;
		info->recoverable = r.flags & RECOVERABLE;
		wipe(&r, sizeof r);
	}
	view_end(&v);
	return there;
}

/* What no password hashes to: who has no account costs as much as who has one. */
#define NOBODY "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

bool account_check(struct store *s, const char *given, struct span password, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];
	struct record r = { 0 };
	struct err ignored;
	bool there = account_name(given, NULL, name, &ignored) && find(s, name, &r), good;

	if (!there || !(r.flags & CAN_LOGIN)) {
		(void)snprintf(r.argon, sizeof r.argon, "%s", NOBODY);
		there = false;
	}
	good = crypto_pwhash_str_verify(r.argon, password.at ? password.at : "", password.len) == 0 && there;
	wipe(&r, sizeof r);
	return good || err_set(e, ERR_AUTH, "wrong name or password");
}
