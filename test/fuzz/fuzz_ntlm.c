/* SPDX-License-Identifier: Apache-2.0
 *
 * NTLM's client against any CHALLENGE.
 *
 * Whatever it says: the fields of what we answer lie behind each other in it and fill it, the name is ours, the target information
 * is the server's, up to its end, and the proof is the HMAC of all that with the key that MS-NLMP 4.2.4.1.1 has for this password. */
#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "fuzz.h"
#include "sasl/client_ntlm.h"

enum { NT = 1, DOMAIN, NAME, FIELDS = 6, HEAD = 64, PROOF = 16, LM_SIZE = 24, BLOB_HEAD = 28 };

static const struct ntlm_with with = { .user = SPAN("Domain\\User"), .password = SPAN("Password"), .now_s = 1, .nonce = { 1, 2, 3, 4, 5, 6, 7, 8 } };
static const unsigned char key[16] = { 0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93, 0xa3, 0x00, 0x1e, 0xf2, 0x2e, 0xf0, 0x2e, 0x3f };

static size_t number(const char *at, unsigned octets)
{
	size_t v = 0;

	while (octets--)
		v = v << 8 | (unsigned char)at[octets];
	return v;
}

static struct span field(struct span message, unsigned n)
{
	const char *at = message.at + 12 + 8 * (size_t)n;
	size_t len = number(at, 2), offset = number(at + 4, 4);

	assert(number(at + 2, 2) == len && offset <= message.len && len <= message.len - offset);
	return (struct span){ message.at + offset, len };
}

static void check_proof(struct span nt, const char *nonce)
{
	struct span blob = span_from(nt, PROOF);
	unsigned char want[EVP_MAX_MD_SIZE];
	struct buf all;
	unsigned len = 0;

	buf_start(&all, 1 << 16);
	assert(buf_add(&all, (struct span){ nonce, 8 }) && buf_add(&all, blob));
	assert(HMAC(EVP_md5(), key, sizeof key, (unsigned char *)all.at, all.len, want, &len) && len == PROOF);
	assert(memcmp(want, nt.at, PROOF) == 0);
	buf_end(&all);
}

static void check(struct span in, struct span out)
{
	struct span nt = field(out, NT), info;
	bool wide = in.at[20] & 1;
	size_t at = HEAD;

	assert(out.len >= HEAD && span_starts(out, SPAN("NTLMSSP\0\3\0\0\0")));
	for (unsigned n = 0; n < FIELDS; n++) {
		assert(field(out, n).at == out.at + at);
		at += field(out, n).len;
	}
	assert(at == out.len && field(out, 0).len == LM_SIZE);
	assert(span_equal(field(out, DOMAIN), wide ? SPAN("D\0o\0m\0a\0i\0n\0") : SPAN("Domain")));
	assert(span_equal(field(out, NAME), wide ? SPAN("U\0s\0e\0r\0") : SPAN("User")));
	assert(nt.len >= PROOF + BLOB_HEAD + 4 + 4 && !memcmp(nt.at + PROOF + 16, with.nonce, NTLM_NONCE));
	info = span_from(nt, PROOF + BLOB_HEAD);
	info.len -= 4;
	assert(!memcmp(info.at + info.len - 4, "\0\0\0\0", 4));
	assert(info.len == 4 || memmem(in.at, in.len, info.at, info.len));
	check_proof(nt, in.at + 24);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct err e = { 0 };
	struct buf b;

	buf_start(&b, 1 << 16);
	if (ntlm_answer(&with, in, &b, &e))
		check(in, buf_span(&b));
	else
		assert(e.kind == ERR_PEER && !b.len);
	buf_end(&b);
	return 0;
}
