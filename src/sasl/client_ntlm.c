/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/client_ntlm.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/provider.h>

#include "wire/utf8.h"

enum {
	HASH = 16, NAME_MAX_OCTETS = 1024, PASSWORD_MAX_OCTETS = 16 * 1024, INFO_MAX = 4096, HEAD = 64, TYPE_2_HEAD = 32, INFO_AT = 40,
	UNICODE = 0x1, OEM = 0x2, REQUEST_TARGET = 0x4, NTLM = 0x200, ALWAYS_SIGN = 0x8000, EXTENDED = 0x80000,
	ASKED = UNICODE | OEM | REQUEST_TARGET | NTLM | ALWAYS_SIGN | EXTENDED,
	AV_END = 0, AV_TIMESTAMP = 7, TIME = 8,
};
static const int64_t epoch_1601_s = 11644473600;

static const char signature[8] = "NTLMSSP";

struct challenge {
	uint32_t flags;
	struct span nonce, info, time;	/* time is empty where the server names none */
};

/* ---- little numbers */

static uint32_t get(struct span s, size_t at, unsigned octets)
{
	uint32_t v = 0;

	for (unsigned n = 0; n < octets; n++)
		v |= (uint32_t)(unsigned char)s.at[at + n] << 8 * n;
	return v;
}

static bool put(struct buf *out, uint64_t v, unsigned octets)
{
	for (unsigned n = 0; n < octets; n++)
		if (!buf_add_byte(out, (char)(v >> 8 * n)))
			return false;
	return true;
}

/* ---- reading the CHALLENGE (MS-NLMP 2.2.1.2) */

static bool odd(struct err *e, const char *why)
{
	return err_set(e, ERR_PEER, "NTLM: the server's challenge makes no sense: %s", why);
}

/* The AV pairs: whole to their end, and the time among them. */
static bool read_info(struct challenge *c)
{
	for (size_t at = 0; at + 4 <= c->info.len;) {
		uint32_t id = get(c->info, at, 2), len = get(c->info, at + 2, 2);

		if (id == AV_END) {
			c->info.len = at + 4;
			return len == 0;
		}
		at += 4;
		if (len > c->info.len - at)
			return false;
		if (id == AV_TIMESTAMP && len == TIME)
			c->time = (struct span){ c->info.at + at, TIME };
		at += len;
	}
	return false;
}

static bool read_challenge(struct span in, struct challenge *c, struct err *e)
{
	uint32_t len, at;

	*c = (struct challenge){ 0 };
	if (in.len < TYPE_2_HEAD || memcmp(in.at, signature, sizeof signature) != 0 || get(in, 8, 4) != 2)
		return odd(e, "it is no CHALLENGE message");
	c->flags = get(in, 20, 4);
	c->nonce = (struct span){ in.at + 24, 8 };
	c->info = SPAN("\0\0\0\0");		/* none: the end alone */
	len = in.len >= INFO_AT + 8 ? get(in, INFO_AT, 2) : 0;
	at = len ? get(in, INFO_AT + 4, 4) : 0;
	if (!len)
		return true;
	if (at > in.len || len > in.len - at || len > INFO_MAX)
		return odd(e, "its target information lies outside of it");
	c->info = (struct span){ in.at + at, len };
	return read_info(c) || odd(e, "its target information has no end");
}

/* ---- texts */

static uint32_t upper(uint32_t c)
{
	if (c == 0xff)
		return 0x178;
	if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7))
		return c - 0x20;
	return c;
}

/* UTF-16LE; false: no UTF-8, or no room. */
static bool add_wide(struct buf *out, struct span text, bool in_capitals)
{
	uint32_t c;

	while (text.len) {
		if (!utf8_take(&text, &c))
			return false;
		if (in_capitals)
			c = upper(c);
		if (c > 0xffff ? !put(out, 0xd800 + ((c - 0x10000) >> 10), 2) || !put(out, 0xdc00 + ((c - 0x10000) & 0x3ff), 2) : !put(out, c, 2))
			return false;
	}
	return true;
}

static void split_user(struct span whole, struct span *domain, struct span *user)
{
	size_t at = span_find(whole, '\\');

	*domain = at < whole.len ? (struct span){ whole.at, at } : (struct span){ 0 };
	*user = at < whole.len ? span_from(whole, at + 1) : whole;
}

/* ---- hashes (MS-NLMP 3.3.2) */

/* MD4 is not among what OpenSSL 3 has at hand; a context of our own keeps it out of everybody else's. */
static bool md4(struct span text, unsigned char out[HASH])
{
	OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
	OSSL_PROVIDER *legacy = library ? OSSL_PROVIDER_load(library, "legacy") : NULL;
	EVP_MD *md = legacy ? EVP_MD_fetch(library, "MD4", NULL) : NULL;
	bool good = md && EVP_Digest(text.len ? text.at : "", text.len, out, NULL, md, NULL) == 1;

	EVP_MD_free(md);
	if (legacy)
		(void)OSSL_PROVIDER_unload(legacy);
	OSSL_LIB_CTX_free(library);
	return good;
}

static bool mac(const unsigned char key[HASH], struct span a, struct span b, unsigned char out[HASH])
{
	char memory[INFO_MAX + NAME_MAX_OCTETS];
	struct buf all;
	unsigned len = 0;

	buf_lend(&all, memory, sizeof memory);
	return buf_add(&all, a) && buf_add(&all, b) && HMAC(EVP_md5(), key, HASH, (unsigned char *)memory, all.len, out, &len) && len == HASH;
}

/* NTOWFv2: ERR_CONFIG for what is not UTF-8. */
static bool key_of(const struct ntlm_with *with, unsigned char key[HASH], struct err *e)
{
	char name_memory[2 * NAME_MAX_OCTETS], password_memory[PASSWORD_MAX_OCTETS];
	unsigned char nt[HASH];
	struct span domain, user;
	struct buf name, password;
	bool fits, good;

	split_user(with->user, &domain, &user);
	buf_lend(&name, name_memory, NAME_MAX_OCTETS);
	buf_lend(&password, password_memory, sizeof password_memory);
	fits = add_wide(&name, user, true) && add_wide(&name, domain, false) && add_wide(&password, with->password, false);
	good = fits && md4(buf_span(&password), nt) && mac(nt, buf_span(&name), (struct span){ 0 }, key);
	wipe(password_memory, sizeof password_memory);
	wipe(nt, sizeof nt);
	if (!fits)
		return err_set(e, ERR_CONFIG, "NTLM: the user's name or the password is not UTF-8, or too long");
	return good || err_set(e, ERR_LOCAL, "NTLM needs MD4, of OpenSSL's legacy provider (legacy.so), which this system does not have");
}

/* ---- the messages */

bool ntlm_first(struct buf *out, struct err *e)
{
	bool good = buf_add(out, (struct span){ signature, sizeof signature }) && put(out, 1, 4) && put(out, ASKED, 4) && put(out, 0, 8) && put(out, 0, 8);

	return good || err_set(e, ERR_LOCAL, "NTLM: no room for a response");
}

/* What is behind the proof in the NT response (MS-NLMP 2.2.2.7). */
static bool add_blob(const struct ntlm_with *with, const struct challenge *c, struct buf *out)
{
	uint64_t now = (uint64_t)(with->now_s + epoch_1601_s) * 10000000;

	return put(out, 0x0101, 2) && put(out, 0, 6) && (c->time.len ? buf_add(out, c->time) : put(out, now, TIME)) &&
	       buf_add(out, (struct span){ (const char *)with->nonce, NTLM_NONCE }) && put(out, 0, 4) && buf_add(out, c->info) && put(out, 0, 4);
}

/* LM response, NT response, domain, user; `ends` says where each is over.  The LM response is nothing where the server
 * names its time (MS-NLMP 3.1.5.1.2). */
static bool add_parts(const struct ntlm_with *with, const struct challenge *c, const unsigned char key[HASH], struct buf *out, size_t ends[4])
{
	char memory[INFO_MAX + 64];
	unsigned char proof[HASH], lm[HASH];
	struct span nonce = { (const char *)with->nonce, NTLM_NONCE }, domain, user;
	bool wide = c->flags & UNICODE;
	struct buf blob;

	split_user(with->user, &domain, &user);
	buf_lend(&blob, memory, sizeof memory);
	if (!add_blob(with, c, &blob) || !mac(key, c->nonce, buf_span(&blob), proof) || !mac(key, c->nonce, nonce, lm))
		return false;
	if (c->time.len ? !put(out, 0, 8) || !put(out, 0, 8) || !put(out, 0, 8) : !buf_add(out, (struct span){ (char *)lm, HASH }) || !buf_add(out, nonce))
		return false;
	ends[0] = out->len;
	if (!buf_add(out, (struct span){ (char *)proof, HASH }) || !buf_add(out, buf_span(&blob)))
		return false;
	ends[1] = out->len;
	if (!(wide ? add_wide(out, domain, false) : buf_add(out, domain)))
		return false;
	ends[2] = out->len;
	if (!(wide ? add_wide(out, user, false) : buf_add(out, user)))
		return false;
	ends[3] = out->len;
	return true;
}

static bool field(struct buf *out, size_t from, size_t to)
{
	return put(out, to - from, 2) && put(out, to - from, 2) && put(out, HEAD + from, 4);
}

bool ntlm_answer(const struct ntlm_with *with, struct span challenge, struct buf *out, struct err *e)
{
	char memory[INFO_MAX + 4 * NAME_MAX_OCTETS];
	unsigned char key[HASH];
	size_t ends[4];
	struct challenge c;
	struct buf parts;
	bool good;

	if (!read_challenge(challenge, &c, e) || !key_of(with, key, e))
		return false;
	buf_lend(&parts, memory, sizeof memory);
	good = add_parts(with, &c, key, &parts, ends);
	wipe(key, sizeof key);
	good = good && buf_room(out, HEAD + parts.len) && buf_add(out, (struct span){ signature, sizeof signature }) && put(out, 3, 4) &&
	       field(out, 0, ends[0]) && field(out, ends[0], ends[1]) && field(out, ends[1], ends[2]) && field(out, ends[2], ends[3]) &&
	       field(out, ends[3], ends[3]) && field(out, ends[3], ends[3]) &&	/* no workstation, no session key */
	       put(out, ASKED & c.flags, 4) && buf_add(out, buf_span(&parts));
	return good || err_set(e, ERR_LOCAL, "NTLM: no room for a response");
}
