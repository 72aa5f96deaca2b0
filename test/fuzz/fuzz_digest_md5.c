/* SPDX-License-Identifier: Apache-2.0
 *
 * DIGEST-MD5's client against any challenge: one octet says who we are and which turn it is, the rest is the challenge.
 *
 * Whatever it says: a response can be read back by a reader of this file's own, names the one user there is, and has the
 * digest that this file makes of what stands in it; the server's proof is that digest's twin, and nothing else passes. */
#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "sasl/client_digest.h"

enum { LAST_TURN = 4, TEXT = 8192 };

static const struct digest_with users[] = {
	{ SPAN("anna"), SPAN("s3cret"), "imap", "mail.example.org", SPAN("0123456789abcdef") },
	{ SPAN("anna@example.org"), SPAN("s3cret"), "pop", "mail.example.org", SPAN("0123456789abcdef") },
	{ SPAN("a\"n\\na"), SPAN(""), "smtp", "::1", SPAN("0123456789abcdef") },
	{ SPAN("anna@"), SPAN("p:w"), "imap", "mail.example.org", SPAN("0123456789abcdef") },
};
static const char proof[DIGEST_HEX] = "0123456789abcdef0123456789abcdef";

static void must(bool good)
{
	assert(good);
}

/* The next of a response, name="text", without its backslashes; false: it is another one. */
static bool text_of(const char **at, const char *name, char out[TEXT], size_t *len)
{
	const char *p = *at + strlen(name);

	*len = 0;
	if (strncmp(*at, name, strlen(name)) != 0)
		return false;
	for (; *p != '"'; p++) {
		p += *p == '\\';
		assert(*p);
		out[(*len)++] = *p;
	}
	assert(p[1] == ',');
	*at = p + 1;
	return true;
}

static void md5_hex(const struct buf *of, char out[DIGEST_HEX])
{
	unsigned char raw[16];

	must(EVP_Digest(of->len ? of->at : "", of->len, raw, NULL, EVP_md5(), NULL) == 1);
	for (size_t n = 0; n < sizeof raw; n++)
		(void)snprintf(out + 2 * n, 3, "%02x", raw[n]);
}

static void add(struct buf *b, const char *at, size_t len)
{
	must(buf_add(b, (struct span){ at, len }));
}

/* One octet a character where it can be, as RFC 2831 hashes it. */
static void add_latin(struct buf *b, const char *at, size_t len)
{
	size_t had = b->len;

	for (size_t n = 0; n < len; n++) {
		unsigned char c = (unsigned char)at[n], next = n + 1 < len ? (unsigned char)at[n + 1] : 0;

		if (c >= 0x80 && !((c == 0xc2 || c == 0xc3) && (next & 0xc0) == 0x80)) {
			b->len = had;
			add(b, at, len);
			return;
		}
		must(buf_add_byte(b, (char)(c < 0x80 ? c : (c & 3u) << 6 | (next & 0x3fu))));
		n += c >= 0x80;
	}
}

static void digest(const struct digest_with *with, const char *response, const char *method, char out[DIGEST_HEX])
{
	char user[TEXT], realm[TEXT], nonce[TEXT], a1[DIGEST_HEX], a2[DIGEST_HEX];
	size_t user_len, realm_len, nonce_len;
	unsigned char raw[16];
	struct buf b;

	must(text_of(&response, "username=\"", user, &user_len));
	(void)text_of(&response, ",realm=\"", realm, &realm_len);
	must(text_of(&response, ",nonce=\"", nonce, &nonce_len));
	buf_start(&b, 1 << 16);
	add(&b, user, user_len);
	add(&b, ":", 1);
	add_latin(&b, realm, realm_len);
	add(&b, ":", 1);
	add(&b, with->password.at, with->password.len);
	must(EVP_Digest(b.at, b.len, raw, NULL, EVP_md5(), NULL) == 1);
	b.len = 0;
	add(&b, (char *)raw, sizeof raw);
	add(&b, ":", 1);
	add(&b, nonce, nonce_len);
	must(buf_printf(&b, ":%.*s", (int)with->cnonce.len, with->cnonce.at));
	md5_hex(&b, a1);
	b.len = 0;
	must(buf_printf(&b, "%s:%s/%s", method, with->service, with->host));
	md5_hex(&b, a2);
	b.len = 0;
	must(buf_printf(&b, "%s:", a1));
	add(&b, nonce, nonce_len);
	must(buf_printf(&b, ":00000001:%.*s:auth:%s", (int)with->cnonce.len, with->cnonce.at, a2));
	md5_hex(&b, out);
	buf_end(&b);
}

static void check(const struct digest_with *with, const char *response, const char rspauth[DIGEST_HEX])
{
	char user[TEXT], want[DIGEST_HEX], proves[64];
	const char *said = NULL, *first = response;	/* said: behind all that may have the server's words in it */
	struct err e;
	size_t len;

	for (const char *at = response; (at = strstr(at, ",response=")); at++)
		said = at;
	assert(said);
	must(text_of(&first, "username=\"", user, &len));
	assert(len <= with->user.len && !memcmp(user, with->user.at, len));
	assert(len == with->user.len || with->user.at[len] == '@');
	digest(with, response, "AUTHENTICATE", want);
	assert(!strncmp(said + strlen(",response="), want, DIGEST_HEX - 1));
	digest(with, response, "", want);
	assert(!strcmp(rspauth, want));
	(void)snprintf(proves, sizeof proves, "rspauth=%s", rspauth);
	must(digest_verify(rspauth, span_of(proves), &e));
	proves[strlen("rspauth=") + (unsigned char)user[0] % 32] ^= 1;
	must(!digest_verify(rspauth, span_of(proves), &e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data + 1, size - 1 };
	char rspauth[DIGEST_HEX];
	const struct digest_with *with;
	struct buf b;
	struct err e = { 0 };

	if (!size)
		return 0;
	with = &users[data[0] % COUNT(users)];
	if (data[0] & LAST_TURN) {
		bool good = digest_verify(proof, in, &e);

		assert(good ? memmem(in.at, in.len, proof, DIGEST_HEX - 1) != NULL : e.kind == ERR_PEER || e.kind == ERR_AUTH);
		return 0;
	}
	buf_start(&b, 1 << 16);
	if (digest_answer(with, in, &b, rspauth, &e)) {
		assert(!memchr(b.at, '\0', b.len));
		must(buf_terminate(&b));
		check(with, b.at, rspauth);
	} else {
		assert(e.kind == ERR_PEER);
	}
	buf_end(&b);
	return 0;
}
