/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "sasl/client.h"
#include "sasl/client_digest.h"

enum { TEXT = 8192 };

static const struct digest_with chris = { SPAN("chris"), SPAN("secret"), "imap", "elwood.innosoft.com", SPAN("OA6MHXh6VqTrRk") };

static bool answers(const struct digest_with *with, struct span challenge, char out[TEXT], char rspauth[DIGEST_HEX], struct err *e)
{
	struct buf b;
	bool good;

	buf_lend(&b, out, TEXT);
	good = digest_answer(with, challenge, &b, rspauth, e);
	assert_true(buf_terminate(&b));
	return good;
}

/* RFC 2831 section 4, both examples. */
static void what_the_rfc_says(void **state)
{
	struct digest_with acap = chris;
	char out[TEXT], rspauth[DIGEST_HEX];
	struct err e;

	(void)state;
	assert_true(answers(&chris, SPAN("realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",algorithm=md5-sess,charset=utf-8"), out, rspauth, &e));
	assert_string_equal(out, "username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",cnonce=\"OA6MHXh6VqTrRk\",nc=00000001,"
		"qop=auth,digest-uri=\"imap/elwood.innosoft.com\",response=d388dad90d4bbd760a152321f2143af7,charset=utf-8");
	assert_string_equal(rspauth, "ea40f60335c427b5527b84dbabcdfffd");
	acap.service = "acap";
	acap.cnonce = SPAN("OA9BSuZWMSpW8m");
	assert_true(answers(&acap, SPAN("realm=\"elwood.innosoft.com\",nonce=\"OA9BSXrbuRhWay\",qop=\"auth\",algorithm=md5-sess,charset=utf-8"), out, rspauth, &e));
	assert_non_null(strstr(out, "response=6084c6db3fede7352c551284490fd0fc,"));
	assert_string_equal(rspauth, "2f0b3d7c3c2e486600ef710726aa2eae");
}

#define ASKED "nonce=\"n\",algorithm=md5-sess"

/* Which of what a server says is kept, and how it is written back. */
static void what_is_said(void **state)
{
	static const struct row {
		const char *user, *challenge, *want;
	} rows[] = {
		{ "anna", ASKED, "username=\"anna\",nonce=\"n\"," },
		{ "anna", ASKED ",realm=\"\"", "username=\"anna\",realm=\"\",nonce=\"n\"," },
		{ "anna", "realm=\"a\",realm=\"b\"," ASKED, "username=\"anna\",realm=\"a\"," },
		{ "anna@B.org", "realm=\"a\",realm=\"b.org\"," ASKED, "username=\"anna\",realm=\"b.org\"," },
		{ "anna@c.org", "realm=\"a\",realm=\"b.org\"," ASKED, "username=\"anna@c.org\",realm=\"a\"," },
		{ "anna@", "realm=\"\"," ASKED, "username=\"anna@\",realm=\"\"," },
		{ "a\"n\\a", "realm=\"x\\\"y\\\\z\"," ASKED, "username=\"a\\\"n\\\\a\",realm=\"x\\\"y\\\\z\"," },
		{ "anna", " ,, NONCE = \"n\\n\" ,\t algorithm=MD5-SESS , qop = \"auth-int, auth\" ,", "username=\"anna\",nonce=\"nn\"," },
		{ "anna", ASKED ",qop=auth,cipher=\"rc4\",maxbuf=4096,stale=true,new=\"thing\"", "username=\"anna\",nonce=\"n\"," },
		{ "j\303\266rg", ASKED, "username=\"j\366rg\"," },
		{ "j\303\266rg", ASKED ",charset=UTF-8", "username=\"j\303\266rg\"," },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct digest_with with = chris;
		char out[TEXT], rspauth[DIGEST_HEX];
		struct err e;

		with.user = span_of(r->user);
		assert_true(answers(&with, span_of(r->challenge), out, rspauth, &e));
		assert_true(span_starts(span_of(out), span_of(r->want)));
	}
}

static void md5_hex(const void *at, size_t len, char out[DIGEST_HEX])
{
	unsigned char raw[16];

	assert_int_equal(EVP_Digest(at, len, raw, NULL, EVP_md5(), NULL), 1);
	for (size_t n = 0; n < sizeof raw; n++)
		(void)snprintf(out + 2 * n, 3, "%02x", raw[n]);
}

/* The same digest by another hand: `secret` is user:realm:password as it is hashed. */
static void proof_of(const char *secret, const char *nonce, char out[DIGEST_HEX])
{
	char a1[TEXT], h1[DIGEST_HEX], h2[DIGEST_HEX], all[TEXT];
	int len;

	assert_int_equal(EVP_Digest(secret, strlen(secret), (unsigned char *)a1, NULL, EVP_md5(), NULL), 1);
	len = snprintf(a1 + 16, sizeof a1 - 16, ":%s:OA6MHXh6VqTrRk", nonce);
	md5_hex(a1, 16 + (size_t)len, h1);
	len = snprintf(all, sizeof all, "AUTHENTICATE:imap/elwood.innosoft.com");
	md5_hex(all, (size_t)len, h2);
	len = snprintf(all, sizeof all, "%s:%s:00000001:OA6MHXh6VqTrRk:auth:%s", h1, nonce, h2);
	md5_hex(all, (size_t)len, out);
}

static void what_is_hashed(void **state)
{
	static const struct row {
		const char *user, *password, *challenge, *secret, *nonce;
	} rows[] = {
		{ "anna", "s3cret pass", ASKED, "anna::s3cret pass", "n" },
		{ "anna", "", ASKED ",realm=\"r\"", "anna:r:", "n" },
		{ "anna@r", "p", ASKED ",realm=\"R\"", "anna:R:p", "n" },
		{ "j\303\266rg", "m\303\266we", ASKED ",charset=utf-8,realm=\"\303\274\"", "j\366rg:\374:m\366we", "n" },
		{ "j\303\266rg", "\342\202\254uro", ASKED ",charset=utf-8", "j\366rg::\342\202\254uro", "n" },	/* no euro sign there */
		{ "\320\260nna", "p\303\266", ASKED ",charset=utf-8", "\320\260nna::p\366", "n" },
		{ "anna", "m\366we", ASKED, "anna::m\366we", "n" },		/* no UTF-8 */
		{ "anna", "p", "nonce=\"a\\\"b\",algorithm=md5-sess", "anna::p", "a\"b" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct digest_with with = chris;
		char out[TEXT], rspauth[DIGEST_HEX], proof[DIGEST_HEX];
		struct err e;

		with.user = span_of(r->user);
		with.password = span_of(r->password);
		assert_true(answers(&with, span_of(r->challenge), out, rspauth, &e));
		proof_of(r->secret, r->nonce, proof);
		assert_non_null(strstr(out, proof));
	}
}

static void what_is_no_challenge(void **state)
{
	static const struct row {
		struct span challenge;
		enum err_kind kind;
		const char *why;
	} rows[] = {
		{ SPAN(""), ERR_PEER, "not one nonce" },
		{ SPAN("algorithm=md5-sess"), ERR_PEER, "not one nonce" },
		{ SPAN("nonce=\"\",algorithm=md5-sess"), ERR_PEER, "not one nonce" },
		{ SPAN(ASKED ",nonce=\"n\""), ERR_PEER, "not one nonce" },
		{ SPAN("nonce=\"n\""), ERR_PEER, "md5-sess" },
		{ SPAN("nonce=\"n\",algorithm=md5"), ERR_PEER, "md5-sess" },
		{ SPAN(ASKED ",algorithm=md5-sess"), ERR_PEER, "md5-sess" },
		{ SPAN(ASKED ",charset=latin-1"), ERR_PEER, "utf-8" },
		{ SPAN(ASKED ",charset=utf-8,charset=utf-8"), ERR_PEER, "utf-8" },
		{ SPAN(ASKED ",qop=\"auth-int,auth-conf\""), ERR_PEER, "security layer" },
		{ SPAN(ASKED ",qop=\"?\""), ERR_PEER, "security layer" },
		{ SPAN(ASKED ",qop=auth,qop=auth"), ERR_PEER, "two lists" },
		{ SPAN("nonce=\"n,algorithm=md5-sess"), ERR_PEER, "no list" },
		{ SPAN("nonce=\"n\\"), ERR_PEER, "no list" },
		{ SPAN("nonce=\"n\\\""), ERR_PEER, "no list" },
		{ SPAN("nonce=\"n\"algorithm=md5-sess"), ERR_PEER, "no list" },
		{ SPAN("nonce"), ERR_PEER, "no list" }, { SPAN("=n"), ERR_PEER, "no list" }, { SPAN("nonce="), ERR_PEER, "no list" },
		{ SPAN(ASKED ",x=\"\0\""), ERR_PEER, "NUL" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char out[TEXT], rspauth[DIGEST_HEX];
		struct err e;

		assert_false(answers(&chris, r->challenge, out, rspauth, &e));
		assert_int_equal(e.kind, r->kind);
		assert_non_null(strstr(e.text, r->why));
		assert_string_equal(out, "");
	}
}

static void a_challenge_of_any_length(void **state)
{
	char text[DIGEST_CHALLENGE_MAX + 1] = ASKED ",x=\"", out[TEXT], rspauth[DIGEST_HEX];
	size_t at = strlen(text);
	struct err e;

	(void)state;
	memset(text + at, 'y', sizeof text - at);
	text[DIGEST_CHALLENGE_MAX - 1] = '"';
	assert_true(answers(&chris, (struct span){ text, DIGEST_CHALLENGE_MAX }, out, rspauth, &e));
	text[DIGEST_CHALLENGE_MAX - 1] = 'y';
	text[DIGEST_CHALLENGE_MAX] = '"';
	assert_false(answers(&chris, (struct span){ text, sizeof text }, out, rspauth, &e));
	assert_non_null(strstr(e.text, "longer than 2048"));
}

static void names_that_cannot_be_said(void **state)
{
	static const char *const users[] = { "\342\202\254uro", "\366", "an\nna" };

	(void)state;
	for (size_t n = 0; n < COUNT(users); n++) {
		struct digest_with with = chris;
		char out[TEXT], rspauth[DIGEST_HEX];
		struct err e;

		with.user = span_of(users[n]);
		assert_false(answers(&with, SPAN(ASKED), out, rspauth, &e));
		assert_int_equal(e.kind, ERR_CONFIG);
	}
}

static void the_servers_proof(void **state)
{
	static const char want[DIGEST_HEX] = "ea40f60335c427b5527b84dbabcdfffd";
	static const struct row {
		const char *challenge;
		enum err_kind kind;
	} rows[] = {
		{ "rspauth=ea40f60335c427b5527b84dbabcdfffd", ERR_NONE },
		{ " RSPAUTH = \"ea40f60335c427b5527b84dbabcdfffd\" ,", ERR_NONE },
		{ "rspauth=ea40f60335c427b5527b84dbabcdfffe", ERR_AUTH },
		{ "rspauth=ea40f60335c427b5527b84dbabcdfff", ERR_AUTH },
		{ "rspauth=0", ERR_AUTH },
		{ "", ERR_PEER }, { "rspauth", ERR_PEER }, { "rspauth=\"\"", ERR_PEER }, { "response=ea40f60335c427b5527b84dbabcdfffd", ERR_PEER },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct err e = { 0 };

		assert_int_equal(digest_verify(want, span_of(r->challenge), &e), r->kind == ERR_NONE);
		assert_int_equal(e.kind, r->kind);
	}
}

static void what_servers_disagree_on(void **state)
{
	(void)state;
	assert_true(sasl_mech_disputed(SASL_DIGEST_MD5, SPAN("anna"), SPAN("p\xc3\xa4ss")));
	assert_true(sasl_mech_disputed(SASL_DIGEST_MD5, SPAN("\xc3\x84nna"), SPAN("pass")));
	assert_false(sasl_mech_disputed(SASL_DIGEST_MD5, SPAN("anna"), SPAN("pass")));
	assert_false(sasl_mech_disputed(SASL_DIGEST_MD5, SPAN("anna"), SPAN("\xe2\x82\xac")));	/* not in it: UTF-8 for everybody */
	assert_false(sasl_mech_disputed(SASL_DIGEST_MD5, SPAN("anna"), SPAN("p\xe4ss")));		/* no UTF-8: as it is */
	assert_false(sasl_mech_disputed(SASL_CRAM_MD5, SPAN("anna"), SPAN("p\xc3\xa4ss")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_servers_disagree_on),
		cmocka_unit_test(what_the_rfc_says), cmocka_unit_test(what_is_said), cmocka_unit_test(what_is_hashed),
		cmocka_unit_test(what_is_no_challenge), cmocka_unit_test(a_challenge_of_any_length), cmocka_unit_test(names_that_cannot_be_said),
		cmocka_unit_test(the_servers_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
