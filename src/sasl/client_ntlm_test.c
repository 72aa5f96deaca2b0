/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sasl/client_ntlm.h"

enum { OUT = 16 * 1024 };

/* MS-NLMP 4.2.1 and 4.2.4: the moment is 1601's first. */
static const struct ntlm_with user = {
	.user = SPAN("Domain\\User"), .password = SPAN("Password"), .now_s = -11644473600, .nonce = { 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa },
};

#define NUMBER "\x01\x23\x45\x67\x89\xab\xcd\xef"
#define W_DOMAIN "D\0o\0m\0a\0i\0n\0"
#define W_SERVER "S\0e\0r\0v\0e\0r\0"
#define INFO "\2\0\x0c\0" W_DOMAIN "\1\0\x0c\0" W_SERVER "\0\0\0\0"
/* 4.2.4.3: NegFlg, ServerChallenge, TargetInfo of 36 octets at 68. */
#define HEAD_2 "NTLMSSP\0\2\0\0\0\x0c\0\x0c\0\x38\0\0\0\x33\x82\x8a\xe2" NUMBER "\0\0\0\0\0\0\0\0"
static const struct span challenge = SPAN(HEAD_2 "\x24\0\x24\0\x44\0\0\0\6\0\x70\x17\0\0\0\x0f" W_SERVER INFO);

static size_t le(const char *at, unsigned octets)
{
	size_t v = 0;

	while (octets--)
		v = v << 8 | (unsigned char)at[octets];
	return v;
}

/* The n-th field of an AUTHENTICATE: LM, NT, domain, user, workstation, key. */
static struct span field(struct span message, unsigned n)
{
	const char *at = message.at + 12 + 8 * (size_t)n;
	size_t len = le(at, 2), offset = le(at + 4, 4);

	assert_int_equal(le(at + 2, 2), len);
	assert_true(offset <= message.len && len <= message.len - offset);
	return (struct span){ message.at + offset, len };
}

static bool answer(const struct ntlm_with *with, struct span in, struct buf *b, char memory[OUT], struct err *e)
{
	buf_lend(b, memory, OUT);
	return ntlm_answer(with, in, b, e);
}

#define IS(span, literal) assert_true(span_equal(span, SPAN(literal)))

static void the_first_message(void **state)
{
	char memory[64];
	struct buf b;
	struct err e;

	(void)state;
	buf_lend(&b, memory, sizeof memory);
	assert_true(ntlm_first(&b, &e));
	IS(buf_span(&b), "NTLMSSP\0\1\0\0\0\7\x82\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
	buf_lend(&b, memory, 31);
	assert_false(ntlm_first(&b, &e));
	assert_int_equal(e.kind, ERR_LOCAL);
}

static void what_microsoft_says(void **state)
{
	char memory[OUT];
	struct buf b;
	struct err e;
	struct span out, nt;

	(void)state;
	assert_true(answer(&user, challenge, &b, memory, &e));
	out = buf_span(&b);
	assert_true(span_starts(out, SPAN("NTLMSSP\0\3\0\0\0")));
	IS(field(out, 0), "\x86\xc3\x50\x97\xac\x9c\xec\x10\x25\x54\x76\x4a\x57\xcc\xcc\x19\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa");
	nt = field(out, 1);
	assert_true(span_starts(nt, SPAN("\x68\xcd\x0a\xb8\x51\xe5\x1c\x96\xaa\xbc\x92\x7b\xeb\xef\x6a\x1c")));
	IS(span_from(nt, 16), "\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\0\0\0\0" INFO "\0\0\0\0");
	IS(field(out, 2), W_DOMAIN);
	IS(field(out, 3), "U\0s\0e\0r\0");
	assert_int_equal(field(out, 4).len, 0);
	assert_int_equal(field(out, 5).len, 0);
	assert_int_equal(le(out.at + 60, 4), 0x088203);	/* what we asked for and were given */
}

/* A server that names its time: that one, and no LM response. */
static void the_servers_time(void **state)
{
	struct span timed = SPAN(HEAD_2 "\x10\0\x10\0\x30\0\0\0" "\7\0\x08\0" "\x11\x22\x33\x44\x55\x66\x77\x01" "\0\0\0\0");
	char memory[OUT];
	struct buf b;
	struct err e;
	struct span lm;

	(void)state;
	assert_true(answer(&user, timed, &b, memory, &e));
	lm = field(buf_span(&b), 0);
	assert_int_equal(lm.len, 24);
	for (size_t n = 0; n < lm.len; n++)
		assert_int_equal(lm.at[n], 0);
	assert_memory_equal(field(buf_span(&b), 1).at + 24, "\x11\x22\x33\x44\x55\x66\x77\x01", 8);
}

static void our_time(void **state)
{
	struct ntlm_with with = user;
	char memory[OUT];
	struct buf b;
	struct err e;

	(void)state;
	with.now_s = 1;
	assert_true(answer(&with, challenge, &b, memory, &e));
	assert_int_equal(le(field(buf_span(&b), 1).at + 24, 8), 116444736010000000);
}

static void names(void **state)
{
	static const struct row {
		const char *user;
		struct span domain, name;
	} rows[] = {
		{ "anna", SPAN(""), SPAN("a\0n\0n\0a\0") },
		{ "anna@b.c", SPAN(""), SPAN("a\0n\0n\0a\0@\0b\0.\0c\0") },
		{ "D\\j\303\266", SPAN("D\0"), SPAN("j\0\366\0") },
		{ "\\x\\y", SPAN(""), SPAN("x\0\\\0y\0") },
		{ "\360\237\230\200", SPAN(""), SPAN("\x3d\xd8\x00\xde") },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct ntlm_with with = user;
		char memory[OUT];
		struct buf b;
		struct err e;

		with.user = span_of(r->user);
		assert_true(answer(&with, challenge, &b, memory, &e));
		assert_true(span_equal(field(buf_span(&b), 2), r->domain));
		assert_true(span_equal(field(buf_span(&b), 3), r->name));
	}
}

/* The key is of the name in capitals: both spellings prove the same, another letter does not. */
static void capitals(void **state)
{
	static const struct row {
		const char *one, *other;
		bool same;
	} rows[] = {
		{ "anna", "ANNA", true }, { "j\303\266rg", "J\303\226RG", true }, { "\303\277", "\305\270", true },
		{ "a\303\267", "a\303\227", false }, { "anna", "anne", false }, { "d\\anna", "D\\anna", false },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct ntlm_with with = user;
		char one[OUT], other[OUT];
		struct buf b, c;
		struct err e;

		with.user = span_of(r->one);
		assert_true(answer(&with, challenge, &b, one, &e));
		with.user = span_of(r->other);
		assert_true(answer(&with, challenge, &c, other, &e));
		assert_int_equal(span_equal(field(buf_span(&b), 1), field(buf_span(&c), 1)), r->same);
	}
}

/* A server without Unicode gets the octets of names. */
static void without_unicode(void **state)
{
	struct span old = SPAN("NTLMSSP\0\2\0\0\0\0\0\0\0\0\0\0\0\2\2\0\0" NUMBER);
	char memory[OUT];
	struct buf b;
	struct err e;

	(void)state;
	assert_true(answer(&user, old, &b, memory, &e));
	IS(field(buf_span(&b), 2), "Domain");
	IS(field(buf_span(&b), 3), "User");
	assert_int_equal(field(buf_span(&b), 1).len, 16 + 28 + 4 + 4);	/* no target information but its end */
}

static void what_is_no_challenge(void **state)
{
	static const struct span rows[] = {
		SPAN(""), SPAN("NTLMSSP\0"), SPAN("NTLMSSX\0\2\0\0\0\0\0\0\0\0\0\0\0\2\2\0\0" NUMBER), SPAN("NTLMSSP\0\3\0\0\0\0\0\0\0\0\0\0\0\2\2\0\0" NUMBER),
		SPAN("NTLMSSP\0\2\0\0\0\0\0\0\0\0\0\0\0\2\2\0\0\1\2\3\4\5\6\7"),
		SPAN(HEAD_2 "\x24\0\x24\0\x44\0\0\0\6\0\x70\x17\0\0\0\x0f" W_SERVER "\2\0"),		/* cut */
		SPAN(HEAD_2 "\4\0\4\0\xff\xff\xff\xff\0\0\0\0"), SPAN(HEAD_2 "\xff\xff\xff\xff\x30\0\0\0\0\0\0\0"),
		SPAN(HEAD_2 "\4\0\4\0\x30\0\0\0\2\0\1\0"),		/* a pair beyond the end */
		SPAN(HEAD_2 "\5\0\5\0\x30\0\0\0\2\0\1\0x"),		/* no end */
		SPAN(HEAD_2 "\4\0\4\0\x30\0\0\0\0\0\1\0"),
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		char memory[OUT];
		struct buf b;
		struct err e;

		assert_false(answer(&user, rows[n], &b, memory, &e));
		assert_int_equal(e.kind, ERR_PEER);
		assert_int_equal(b.len, 0);
	}
}

static void what_cannot_be_said(void **state)
{
	static char many[9000];
	struct ntlm_with with = user;
	char memory[OUT];
	struct buf b;
	struct err e;

	(void)state;
	with.user = SPAN("j\366rg");
	assert_false(answer(&with, challenge, &b, memory, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	with = user;
	with.password = SPAN("m\366we");
	assert_false(answer(&with, challenge, &b, memory, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	memset(many, 'x', sizeof many);
	with.password = (struct span){ many, sizeof many };
	assert_false(answer(&with, challenge, &b, memory, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	with.password = (struct span){ 0 };		/* nothing is a password, too */
	assert_true(answer(&with, challenge, &b, memory, &e));
	buf_lend(&b, memory, 100);
	assert_false(ntlm_answer(&user, challenge, &b, &e));
	assert_int_equal(e.kind, ERR_LOCAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_message), cmocka_unit_test(what_microsoft_says), cmocka_unit_test(the_servers_time), cmocka_unit_test(our_time),
		cmocka_unit_test(names), cmocka_unit_test(capitals), cmocka_unit_test(without_unicode), cmocka_unit_test(what_is_no_challenge),
		cmocka_unit_test(what_cannot_be_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
