/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED	/* MD5's state after one block (CRAM-MD5): EVP does not give it */
#include "serve/schemes.h"

#include <assert.h>
#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/buf.h"
#include "serve/scheme_cost.h"
#include "wire/base64.h"
#include "wire/saslprep.h"

enum { DIGEST_MAX = 64, MD5_SIZE = 16, PBKDF2_SIZE = 20, BLOCK = 64, SHOWN_MAX = 24 };
static const uint64_t iterations_max = UINT32_MAX;	/* scheme_cost.h says how many are done */

enum kind { PLAIN, CRYPTED, ARGON, DIGEST, SALTED, MD5_EITHER, CRAM, PBKDF2, SCRAM };
enum coding { TEXT, HEX, BASE64, GUESSED };	/* GUESSED: hexadecimal when it has twice the digest's length */

static const struct scheme {
	const char *name;
	enum kind kind;
	enum coding coding;	/* where none is written */
	size_t size;		/* of the digest */
	const EVP_MD *(*hash)(void);
} schemes[] = {
	{ "PLAIN", PLAIN, TEXT, 0, NULL }, { "CLEARTEXT", PLAIN, TEXT, 0, NULL }, { "CLEAR", PLAIN, TEXT, 0, NULL },
	{ "CRYPT", CRYPTED, TEXT, 0, NULL }, { "DES-CRYPT", CRYPTED, TEXT, 0, NULL }, { "MD5-CRYPT", CRYPTED, TEXT, 0, NULL },
	{ "SHA256-CRYPT", CRYPTED, TEXT, 0, NULL }, { "SHA512-CRYPT", CRYPTED, TEXT, 0, NULL },
	{ "BLF-CRYPT", CRYPTED, TEXT, 0, NULL }, { "YESCRYPT", CRYPTED, TEXT, 0, NULL },
	{ "ARGON2I", ARGON, TEXT, 0, NULL }, { "ARGON2ID", ARGON, TEXT, 0, NULL },
	{ "PLAIN-MD5", DIGEST, GUESSED, 16, EVP_md5 }, { "LDAP-MD5", DIGEST, GUESSED, 16, EVP_md5 },
	{ "SHA", DIGEST, GUESSED, 20, EVP_sha1 }, { "SHA1", DIGEST, GUESSED, 20, EVP_sha1 },
	{ "SHA256", DIGEST, GUESSED, 32, EVP_sha256 }, { "SHA512", DIGEST, GUESSED, 64, EVP_sha512 },
	{ "SMD5", SALTED, BASE64, 16, EVP_md5 }, { "SSHA", SALTED, BASE64, 20, EVP_sha1 },
	{ "SSHA256", SALTED, BASE64, 32, EVP_sha256 }, { "SSHA512", SALTED, BASE64, 64, EVP_sha512 },
	{ "MD5", MD5_EITHER, TEXT, 16, EVP_md5 },
	{ "CRAM-MD5", CRAM, GUESSED, 32, NULL }, { "HMAC-MD5", CRAM, GUESSED, 32, NULL },
	{ "PBKDF2", PBKDF2, TEXT, 0, EVP_sha1 },
	{ "SCRAM-SHA-1", SCRAM, TEXT, 20, EVP_sha1 }, { "SCRAM-SHA-256", SCRAM, TEXT, 32, EVP_sha256 },
};

/* A verifier taken apart: its scheme, and its text decoded, with a NUL behind it. */
struct taken {
	const struct scheme *scheme;
	char memory[LOGIN_VERIFIER];
	struct buf raw;
};

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hex_decode(struct span in, struct buf *out)
{
	size_t before = out->len;

	for (size_t n = 0; n + 1 < in.len; n += 2) {
		int high = nibble(in.at[n]), low = nibble(in.at[n + 1]);

		if (high < 0 || low < 0 || !buf_add_byte(out, (char)(high << 4 | low))) {
			out->len = before;
			return false;
		}
	}
	return in.len % 2 == 0;
}

static bool coding_named(struct span name, enum coding *coding)
{
	if (span_equal_nocase(name, SPAN("HEX")))
		*coding = HEX;
	else if (span_equal_nocase(name, SPAN("B64")) || span_equal_nocase(name, SPAN("BASE64")))
		*coding = BASE64;
	else
		return false;
	return true;
}

/* "{SCHEME.CODING}"; *text becomes what is behind it. */
static const struct scheme *scheme_of(struct span *text, enum coding *coding)
{
	size_t end = span_find(*text, '}'), dot;
	struct span name;

	if (!text->len || text->at[0] != '{' || end == text->len)
		return NULL;
	name = (struct span){ text->at + 1, end - 1 };
	*text = span_from(*text, end + 1);
	dot = span_find(name, '.');
	for (const struct scheme *s = schemes; s < schemes + COUNT(schemes); s++) {
		if (!span_equal_nocase(span_of(s->name), (struct span){ name.at, dot }))
			continue;
		*coding = s->coding;
		return dot == name.len || coding_named(span_from(name, dot + 1), coding) ? s : NULL;
	}
	return NULL;
}

static bool decode(struct span text, const struct scheme *s, enum coding coding, struct buf *raw)
{
	switch (coding) {
	case TEXT:
		return buf_add(raw, text);
	case GUESSED:
		if (text.len == 2 * s->size && hex_decode(text, raw))
			return true;
		return base64_decode(text, raw);
	case HEX:
		return hex_decode(text, raw);
	case BASE64:
		return base64_decode(text, raw);
	}
	return false;
}

/* False: *e, which may be NULL, says why.  Wiped by drop() in any case. */
static bool take(struct taken *t, const char *verifier, struct err *e)
{
	static const struct scheme internal = { "ARGON2ID", ARGON, TEXT, 0, NULL };
	struct span text = span_of(verifier);
	enum coding coding = TEXT;
	struct err ignored;

	e = e ? e : &ignored;
	memset(t, 0, sizeof *t);
	buf_lend(&t->raw, t->memory, sizeof t->memory);
	t->scheme = text.len && text.at[0] == '$' ? &internal : scheme_of(&text, &coding);
	if (!t->scheme) {
		size_t shown = span_find(span_of(verifier), '}');

		if (shown < SHOWN_MAX && verifier[shown] && verifier[0] == '{' && strspn(verifier + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._") == shown - 1)
			return err_set(e, ERR_CONFIG, "the scheme %.*s} is not known", (int)shown, verifier);
		return err_set(e, ERR_CONFIG, "its password has a scheme that is not known");
	}
	if (decode(text, t->scheme, coding, &t->raw) && buf_terminate(&t->raw))
		return true;
	return err_set(e, ERR_CONFIG, "what is behind {%s} is not written as it should be", t->scheme->name);
}

static void drop(struct taken *t)
{
	wipe(t->memory, sizeof t->memory);
}

static bool same(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

/* ---- each kind: does it hold, and is it written as it should be */

static bool digest_holds(const struct taken *t, struct span password)
{
	unsigned char out[DIGEST_MAX];
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	struct span salt = span_from(buf_span(&t->raw), t->scheme->size);
	bool good = c && EVP_DigestInit_ex(c, t->scheme->hash(), NULL) == 1 && EVP_DigestUpdate(c, password.at, password.len) == 1 &&
		(t->scheme->kind != SALTED || EVP_DigestUpdate(c, salt.at, salt.len) == 1) && EVP_DigestFinal_ex(c, out, NULL) == 1;

	EVP_MD_CTX_free(c);
	good = good && same(out, t->raw.at, t->scheme->size);
	wipe(out, sizeof out);
	return good;
}

static bool crypt_holds(const char *setting, const char *password)
{
	struct crypt_data *data = calloc(1, sizeof *data);	/* 32 KiB */
	const char *out = data ? crypt_r(password, setting, data) : NULL;
	bool good = out && out[0] != '*' && strlen(out) == strlen(setting) && same(out, setting, strlen(setting));

	if (data)
		wipe(data, sizeof *data);
	free(data);
	return good;
}

static void put_state(const MD5_CTX *c, unsigned char out[MD5_SIZE])
{
	const MD5_LONG words[] = { c->A, c->B, c->C, c->D };

	for (size_t n = 0; n < MD5_SIZE; n++)
		out[n] = (unsigned char)(words[n / 4] >> n % 4 * 8);
}

/* RFC 2195's key, as its two blocks left MD5: the outer one first, as Dovecot writes them. */
static bool cram_holds(const struct taken *t, struct span password)
{
	unsigned char key[BLOCK] = { 0 }, block[BLOCK], out[2 * MD5_SIZE];
	static const unsigned char pads[] = { 0x5c, 0x36 };
	MD5_CTX c;
	bool good = true;

	if (password.len > sizeof key)
		good = EVP_Digest(password.at, password.len, key, NULL, EVP_md5(), NULL) == 1;
	else if (password.len)
		memcpy(key, password.at, password.len);
	for (size_t pad = 0; pad < COUNT(pads); pad++) {
		for (size_t n = 0; n < sizeof block; n++)
			block[n] = key[n] ^ pads[pad];
		good = MD5_Init(&c) == 1 && MD5_Update(&c, block, sizeof block) == 1 && good;
		put_state(&c, out + pad * MD5_SIZE);
	}
	good = same(out, t->raw.at, sizeof out) && good;
	wipe(key, sizeof key);
	wipe(block, sizeof block);
	wipe(&c, sizeof c);
	wipe(out, sizeof out);
	return good;
}

struct pbkdf2 {
	struct span salt;
	uint64_t rounds;
	char memory[PBKDF2_SIZE];
};

/* The text up to `end`, which is behind it; *text becomes the rest. */
static bool cut(struct span *text, char end, struct span *part)
{
	size_t len = span_find(*text, end);

	if (len == text->len)
		return false;
	*part = (struct span){ text->at, len };
	*text = span_from(*text, len + 1);
	return true;
}

/* $1$SALT$ROUNDS$HEX */
static bool pbkdf2_parse(const struct taken *t, struct pbkdf2 *p)
{
	struct span text = buf_span(&t->raw), rounds;
	struct buf hash;

	if (!span_starts(text, SPAN("$1$")))
		return false;
	text = span_from(text, 3);
	buf_lend(&hash, p->memory, sizeof p->memory);
	return cut(&text, '$', &p->salt) && cut(&text, '$', &rounds) && span_number(rounds, iterations_max, &p->rounds) && p->rounds &&
		text.len == 2 * (size_t)PBKDF2_SIZE && hex_decode(text, &hash);
}

static bool pbkdf2_holds(const struct taken *t, struct span password)
{
	struct pbkdf2 p;
	unsigned char out[PBKDF2_SIZE];
	bool good = pbkdf2_parse(t, &p) && PKCS5_PBKDF2_HMAC(password.at ? password.at : "", (int)password.len, (const unsigned char *)p.salt.at,
		(int)p.salt.len, (int)p.rounds, t->scheme->hash(), PBKDF2_SIZE, out) == 1;

	good = good && same(out, p.memory, sizeof out);
	wipe(out, sizeof out);
	return good;
}

struct scram {
	uint64_t iterations;
	char salt[LOGIN_VERIFIER], stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
	size_t salt_len;
};

static bool scram_parse(const struct taken *t, struct scram *k)
{
	struct span text = buf_span(&t->raw), count, salt, stored;
	struct buf a, b, c;

	buf_lend(&a, k->salt, sizeof k->salt);
	buf_lend(&b, k->stored, sizeof k->stored);
	buf_lend(&c, k->server, sizeof k->server);
	if (!cut(&text, ',', &count) || !cut(&text, ',', &salt) || !cut(&text, ',', &stored))
		return false;
	if (!span_number(count, iterations_max, &k->iterations) || !k->iterations || !base64_decode(salt, &a) || !base64_decode(stored, &b) ||
	    !base64_decode(text, &c))
		return false;
	k->salt_len = a.len;
	return a.len && b.len == t->scheme->size && c.len == t->scheme->size;
}

/* RFC 5802 section 3: StoredKey := H(HMAC(SaltedPassword, "Client Key")). */
static bool scram_holds(const struct taken *t, struct span password)
{
	struct scram k;
	char memory[SASLPREP_MAX];
	unsigned char salted[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
	int size = (int)t->scheme->size;
	const EVP_MD *hash = t->scheme->hash();
	struct span of = saslprep_password(password, memory);
	bool good = scram_parse(t, &k) && PKCS5_PBKDF2_HMAC(of.at ? of.at : "", (int)of.len, (const unsigned char *)k.salt, (int)k.salt_len,
			(int)k.iterations, hash, size, salted) == 1 &&
		HMAC(hash, salted, size, (const unsigned char *)"Client Key", 10, client, NULL) &&
		EVP_Digest(client, (size_t)size, stored, NULL, hash, NULL) == 1 && same(stored, k.stored, (size_t)size);

	if (of.at == memory)
		wipe(memory, of.len);
	wipe(salted, sizeof salted);
	wipe(client, sizeof client);
	wipe(&k, sizeof k);
	return good;
}

static bool plain_holds(const struct taken *t, struct span password)
{
	char padded[LOGIN_VERIFIER] = { 0 };
	bool good;

	if (password.len < sizeof padded && password.len)
		memcpy(padded, password.at, password.len);
	good = same(padded, t->memory, sizeof padded) && password.len == t->raw.len;
	wipe(padded, sizeof padded);
	return good;
}

/* MD5: "$1$…", or else a digest. */
static bool as_md5(struct taken *t)
{
	static const struct scheme crypted = { "MD5-CRYPT", CRYPTED, TEXT, 0, NULL }, digest = { "PLAIN-MD5", DIGEST, GUESSED, 16, EVP_md5 };
	char text[LOGIN_VERIFIER];
	size_t len = t->raw.len;
	bool good;

	if (span_starts(buf_span(&t->raw), SPAN("$1$"))) {
		t->scheme = &crypted;
		return true;
	}
	t->scheme = &digest;
	memcpy(text, t->memory, len);
	t->raw.len = 0;
	good = decode((struct span){ text, len }, &digest, GUESSED, &t->raw);
	wipe(text, len);
	return good;
}

/* False with *e set: it would cost too much. */
static bool well_formed(struct taken *t, struct err *e)
{
	struct pbkdf2 p;
	struct scram k;
	bool good = false;

	switch (t->scheme->kind) {
	case PLAIN:
		return strlen(t->memory) == t->raw.len;
	case CRYPTED:
		return strlen(t->memory) == t->raw.len && (crypt_checksalt(t->memory) == CRYPT_SALT_OK ||
			crypt_checksalt(t->memory) == CRYPT_SALT_METHOD_LEGACY) && scheme_cost_crypt(t->memory, e);
	case ARGON:
		return strlen(t->memory) == t->raw.len && crypto_pwhash_str_needs_rehash(t->memory, 1, crypto_pwhash_MEMLIMIT_MIN) >= 0 &&
			scheme_cost_argon(t->memory, e);
	case DIGEST:
	case CRAM:
		return t->raw.len == t->scheme->size;
	case SALTED:
		return t->raw.len > t->scheme->size;
	case MD5_EITHER:
		return as_md5(t) && well_formed(t, e);
	case PBKDF2:
		return pbkdf2_parse(t, &p) && scheme_cost_iterations(p.rounds, e);
	case SCRAM:
		good = scram_parse(t, &k) && scheme_cost_iterations(k.iterations, e);
		wipe(&k, sizeof k);
		return good;
	}
	return false;
}

static bool holds(const struct taken *t, struct span password)
{
	char text[ACCOUNT_PASSWORD_MAX + 1];
	bool good = false;

	if (password.len >= sizeof text)
		return false;
	if (password.len)
		memcpy(text, password.at, password.len);
	text[password.len] = '\0';
	if (strlen(text) != password.len) {	/* nobody has one with a NUL; HMAC's key would be the same with and without */
		wipe(text, sizeof text);
		return false;
	}
	switch (t->scheme->kind) {
	case PLAIN:
		good = plain_holds(t, password);
		break;
	case CRYPTED:
		good = crypt_holds(t->memory, text);
		break;
	case ARGON:
		good = crypto_pwhash_str_verify(t->memory, text, password.len) == 0;
		break;
	case DIGEST:
	case SALTED:
		good = digest_holds(t, (struct span){ text, password.len });
		break;
	case CRAM:
		good = cram_holds(t, password);
		break;
	case PBKDF2:
		good = pbkdf2_holds(t, password);
		break;
	case SCRAM:
		good = scram_holds(t, (struct span){ text, password.len });
		break;
	case MD5_EITHER:	/* well_formed made one of the two of it */
		break;
	}
	wipe(text, password.len);
	return good;
}

/* ---- for others */

bool scheme_whole(struct span text, char verifier[LOGIN_VERIFIER])
{
	struct buf b;

	buf_lend(&b, verifier, LOGIN_VERIFIER);
	return ((text.len && text.at[0] == '{') || buf_add(&b, SPAN("{CRYPT}"))) && buf_add(&b, text) && buf_terminate(&b);
}

enum scheme_state scheme_check(const char *verifier, struct err *e)
{
	struct taken t;
	enum scheme_state state = SCHEME_GOOD;
	struct err cost = { 0 };

	if (!take(&t, verifier, e))
		state = SCHEME_BAD;
	else if (!t.raw.len || ((t.memory[0] == '!' || t.memory[0] == '*') && t.scheme->kind == CRYPTED))
		state = SCHEME_LOCKED;
	else if (!well_formed(&t, &cost)) {
		if (cost.kind)
			(void)err_set(e, ERR_CONFIG, "one check of what is behind {%s} would cost too much: %s", t.scheme->name, cost.text);
		else
			(void)err_set(e, ERR_CONFIG, "what is behind {%s} is not written as it should be", t.scheme->name);
		state = SCHEME_BAD;
	}
	drop(&t);
	return state;
}

bool scheme_holds(const char *verifier, struct span password)
{
	struct taken t;
	struct err ignored;
	bool good = take(&t, verifier, NULL) && t.raw.len && well_formed(&t, &ignored) && holds(&t, password);

	drop(&t);
	return good;
}

bool scheme_secret(const char *verifier, char secret[ACCOUNT_PASSWORD_MAX], size_t *len)
{
	struct taken t;
	bool good;

	static_assert((int)LOGIN_VERIFIER <= (int)ACCOUNT_PASSWORD_MAX, "what is kept in a verifier fits into a secret");
	good = take(&t, verifier, NULL) && t.scheme->kind == PLAIN && t.raw.len;
	if (good) {
		memcpy(secret, t.memory, t.raw.len);
		*len = t.raw.len;
	}
	drop(&t);
	return good;
}

bool scheme_scram(const char *verifier, bool sha1, struct scram_keys *keys, size_t *salt_len)
{
	struct taken t;
	struct scram k;
	bool good = take(&t, verifier, NULL) && t.scheme->kind == SCRAM && (t.scheme->size == SCRAM_SHA1_KEY) == sha1 && scram_parse(&t, &k) &&
		k.salt_len <= SCRAM_SALT;

	if (good) {
		*keys = (struct scram_keys){ .iterations = (uint32_t)k.iterations };
		memcpy(keys->salt, k.salt, k.salt_len);
		memcpy(keys->stored, k.stored, t.scheme->size);
		memcpy(keys->server, k.server, t.scheme->size);
		*salt_len = k.salt_len;
	}
	drop(&t);
	wipe(&k, sizeof k);
	return good;
}
