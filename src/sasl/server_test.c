/* SPDX-License-Identifier: Apache-2.0
 *
 * The server against our own client, and the mechanisms that only carry words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "sasl/fixture.h"

static const char exporter[32] = "0123456789abcdef0123456789abcde", unique[12] = "unique12345";

static const enum sasl_mech served[] = {
	SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1_PLUS, SASL_SCRAM_SHA_1, SASL_CRAM_MD5, SASL_PLAIN, SASL_LOGIN,
};

static struct sasl_server_with with_of(struct fixture_account *a, bool bindings)
{
	struct sasl_server_with with = { .host = "mail.example.org", .find = fixture_find, .user = a };

	if (bindings) {
		with.tls_exporter = (struct span){ exporter, sizeof exporter };
		with.tls_unique = (struct span){ unique, sizeof unique };
	}
	return with;
}

static struct sasl_credentials client_of(const char *user, struct span password, bool use_exporter)
{
	struct sasl_credentials c = { .user = user, .password = password, .service = "pop", .host = "mail.example.org" };

	if (use_exporter)
		c.tls_exporter = (struct span){ exporter, sizeof exporter };
	else
		c.tls_unique = (struct span){ unique, sizeof unique };
	return c;
}

struct outcome {
	enum sasl_said said;
	bool verified;		/* the client is content with us */
	struct err e;
	char name[64], password[64];
};

/* The client talks to the server until one of them ends it. */
static void converse(enum sasl_mech mech, const struct sasl_credentials *credentials, const struct sasl_server_with *with,
		     bool initial, struct outcome *o)
{
	struct sasl_client *c = sasl_client_new(mech, credentials, &o->e);
	struct sasl_server *s = sasl_server_new(mech, with, &o->e);
	bool first = sasl_mech_first(mech) && initial;
	struct buf response, challenge;
	struct sasl_proof proof;

	assert_non_null(c);
	assert_non_null(s);
	buf_start(&response, SASL_RESPONSE_MAX);
	buf_start(&challenge, SASL_CHALLENGE_MAX);
	if (first)
		assert_true(sasl_client_step(c, (struct span){ 0 }, &response, &o->e));
	o->said = SASL_SAYS_MORE;
	for (bool given = first; o->said == SASL_SAYS_MORE; given = true) {
		struct span r = buf_span(&response);

		challenge.len = 0;
		o->said = sasl_server_step(s, given ? &r : NULL, &challenge, &proof, &o->e);
		response.len = 0;
		if (o->said == SASL_SAYS_MORE && !sasl_client_step(c, buf_span(&challenge), &response, &o->e))
			break;
	}
	o->verified = sasl_client_verified(c);
	(void)snprintf(o->name, sizeof o->name, "%.*s", (int)proof.name.len, proof.name.at ? proof.name.at : "");
	(void)snprintf(o->password, sizeof o->password, "%.*s", (int)proof.password.len, proof.password.at ? proof.password.at : "");
	assert_int_equal(proof.authzid.len, 0);
	buf_wipe(&response);
	buf_wipe(&challenge);
	sasl_client_free(&c);
	sasl_server_free(&s);
	sasl_server_free(&s);
}

static void logs_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4 * COUNT(served); i++) {
		enum sasl_mech mech = served[i / 4];
		struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret, pass=") };
		struct sasl_server_with with = with_of(&anna, sasl_mech_plus(mech) || i & 1);
		struct sasl_credentials c = client_of("anna", anna.password, i & 1);
		struct outcome o = { 0 };

		converse(mech, &c, &with, i & 2, &o);
		if (o.said != (sasl_mech_clear(mech) ? SASL_SAYS_PASSWORD : SASL_SAYS_PROVED) || !o.verified)
			fail_msg("%s: %d %s", sasl_mech_name(mech), o.said, o.e.text);
		assert_string_equal(o.name, "anna");
		assert_string_equal(o.password, sasl_mech_clear(mech) ? "s3cret, pass=" : "");
		assert_int_equal(anna.asked, !sasl_mech_clear(mech));
	}
}

/* A wrong password, and a name that is not there, look alike to the client and in the answer. */
static void is_refused(void **state)
{
	static const struct { const char *name; struct span password; } rows[] = {
		{ "anna", SPAN("another") }, { "nobody", SPAN("s3cret") }, { "Anna", SPAN("s3cret") }, { "anna", SPAN("s3cret ") },
	};

	(void)state;
	for (size_t i = 0; i < 5 * COUNT(rows); i++) {
		enum sasl_mech mech = served[i % 5];
		struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
		struct sasl_server_with with = with_of(&anna, sasl_mech_plus(mech));
		struct sasl_credentials c = client_of(rows[i / 5].name, rows[i / 5].password, true);
		struct outcome o = { 0 };

		converse(mech, &c, &with, true, &o);
		assert_int_equal(o.said, SASL_SAYS_REFUSED);
		assert_int_equal(o.e.kind, ERR_AUTH);
		assert_string_equal(o.name, rows[i / 5].name);
		assert_false(o.verified && mech != SASL_CRAM_MD5);
	}
}

/* A man in the middle has another TLS session with us than with the client. */
static void another_channel(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		enum sasl_mech mech = i & 1 ? SASL_SCRAM_SHA_256_PLUS : SASL_SCRAM_SHA_1_PLUS;
		struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
		struct sasl_server_with with = with_of(&anna, true);
		struct sasl_credentials c = client_of("anna", anna.password, i & 2);
		struct outcome o = { 0 };

		with.tls_exporter = SPAN("the channel of somebody else....");
		with.tls_unique = SPAN("unique12346\0");
		converse(mech, &c, &with, true, &o);
		assert_int_equal(o.said, SASL_SAYS_REFUSED);
		assert_int_equal(o.e.kind, ERR_AUTH);
		assert_non_null(strstr(o.e.text, "binding"));
		assert_false(o.verified);
	}
}

/* SASLprep: our client prepares, so the keys are those of the prepared password; CRAM-MD5 takes either. */
static void passwords_that_are_prepared(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1, SASL_CRAM_MD5 };
	static const struct { struct span set, prepared; } rows[] = {
		{ SPAN("\xe2\x85\xa8"), SPAN("IX") }, { SPAN("a\xc2\xa0" "b"), SPAN("a b") }, { SPAN("I\xc2\xadX"), SPAN("IX") },
		{ SPAN("\xc3\xa9t\xc3\xa9"), SPAN("\xc3\xa9t\xc3\xa9") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * COUNT(mechs); i++) {
		struct fixture_account anna = { .name = "anna", .password = rows[i / COUNT(mechs)].set, .prepared = rows[i / COUNT(mechs)].prepared };
		struct sasl_server_with with = with_of(&anna, false);
		struct sasl_credentials c = client_of("anna", anna.password, true);
		struct outcome o = { 0 };

		converse(mechs[i % COUNT(mechs)], &c, &with, true, &o);
		if (o.said != SASL_SAYS_PROVED)
			fail_msg("%zu %s: %s", i, sasl_mech_name(mechs[i % COUNT(mechs)]), o.e.text);
	}
}

struct talk {
	enum sasl_mech mech;
	const char *said[3];		/* in this order; "-" is no response, "0" an empty one */
	size_t len[3];			/* 0: of the text */
	enum sasl_said want;
	enum err_kind kind;
	const char *name, *authzid, *password;
};

static const struct talk talks[] = {
	{ SASL_PLAIN, { "\0anna\0pass" }, { 10 }, SASL_SAYS_PASSWORD, ERR_NONE, "anna", "", "pass" },
	{ SASL_PLAIN, { "-", "\0anna\0pass" }, { 0, 10 }, SASL_SAYS_PASSWORD, ERR_NONE, "anna", "", "pass" },
	{ SASL_PLAIN, { "boss\0anna\0pass" }, { 14 }, SASL_SAYS_PASSWORD, ERR_NONE, "anna", "boss", "pass" },
	{ SASL_PLAIN, { "\0a\0\xe9\xff\r\n\t " }, { 9 }, SASL_SAYS_PASSWORD, ERR_NONE, "a", "", "\xe9\xff\r\n\t " },
	{ SASL_PLAIN, { "\0anna\0" }, { 6 }, SASL_SAYS_PASSWORD, ERR_NONE, "anna", "", "" },
	{ SASL_PLAIN, { "\0\xe9\0p" }, { 4 }, SASL_SAYS_PASSWORD, ERR_NONE, "\xe9", "", "p" },
	{ SASL_PLAIN, { "0" }, { 0 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_PLAIN, { "anna" }, { 4 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_PLAIN, { "\0" }, { 1 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_PLAIN, { "\0anna" }, { 5 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_PLAIN, { "\0\0pass" }, { 6 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "pass" },
	{ SASL_PLAIN, { "\0\0" }, { 2 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_PLAIN, { "\0anna\0pa\0ss" }, { 11 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_PLAIN, { "\0anna\0pass\0" }, { 11 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_PLAIN, { "\0an\nna\0pass" }, { 11 }, SASL_SAYS_REFUSED, ERR_PEER, "an\nna", "", "pass" },
	{ SASL_PLAIN, { "a\x7f\0anna\0pass" }, { 12 }, SASL_SAYS_REFUSED, ERR_PEER, "anna", "a\x7f", "pass" },
	{ SASL_LOGIN, { "-", "anna", "pass" }, { 0 }, SASL_SAYS_PASSWORD, ERR_NONE, "anna", "", "pass" },
	{ SASL_LOGIN, { "anna", "pass" }, { 0 }, SASL_SAYS_PASSWORD, ERR_NONE, "anna", "", "pass" },
	{ SASL_LOGIN, { "-", "anna", "0" }, { 0 }, SASL_SAYS_PASSWORD, ERR_NONE, "anna", "", "" },
	{ SASL_LOGIN, { "-", "anna", "\xe9\r" }, { 0 }, SASL_SAYS_PASSWORD, ERR_NONE, "anna", "", "\xe9\r" },
	{ SASL_LOGIN, { "-", "0" }, { 0 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_LOGIN, { "0" }, { 0 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_LOGIN, { "-", "an\0na" }, { 0, 5 }, SASL_SAYS_REFUSED, ERR_PEER, "", "", "" },
	{ SASL_LOGIN, { "-", "an\tna" }, { 0 }, SASL_SAYS_REFUSED, ERR_PEER, "an\tna", "", "" },
	{ SASL_LOGIN, { "-", "anna", "pa\0ss" }, { 0, 0, 5 }, SASL_SAYS_REFUSED, ERR_PEER, "anna", "", "" },
	{ SASL_EXTERNAL, { "-", "0" }, { 0 }, SASL_SAYS_NAMED, ERR_NONE, "", "", "" },
	{ SASL_EXTERNAL, { "0" }, { 0 }, SASL_SAYS_NAMED, ERR_NONE, "", "", "" },
	{ SASL_EXTERNAL, { "anna" }, { 0 }, SASL_SAYS_NAMED, ERR_NONE, "", "anna", "" },
	{ SASL_EXTERNAL, { "-", "anna" }, { 0 }, SASL_SAYS_NAMED, ERR_NONE, "", "anna", "" },
	{ SASL_EXTERNAL, { "an\0na" }, { 5 }, SASL_SAYS_REFUSED, ERR_PEER, "", "an", "" },
};

static void check(const struct talk *t, enum sasl_said said, const struct sasl_proof *p, const struct err *e)
{
	bool names = t->want == SASL_SAYS_REFUSED || (span_equal(p->name, span_of(t->name)) && span_equal(p->authzid, span_of(t->authzid)));

	if (said != t->want || e->kind != t->kind || !names || !(t->want == SASL_SAYS_REFUSED || span_equal(p->password, span_of(t->password))))
		fail_msg("row %td: %d, %s, name %.*s", t - talks, said, e->text, (int)p->name.len, p->name.at);
}

static void words(void **state)
{
	struct sasl_server_with with = with_of(NULL, false);

	(void)state;
	for (const struct talk *t = talks; t < talks + COUNT(talks); t++) {
		struct err e = { 0 };
		struct sasl_server *s = sasl_server_new(t->mech, &with, &e);
		enum sasl_said said = SASL_SAYS_MORE;
		struct sasl_proof proof;
		struct buf challenge;

		buf_start(&challenge, SASL_CHALLENGE_MAX);
		for (size_t i = 0; i < COUNT(t->said) && t->said[i]; i++) {
			struct span r = { t->said[i], t->len[i] ? t->len[i] : strlen(t->said[i]) };
			bool none = span_equal(r, SPAN("-"));

			if (span_equal(r, SPAN("0")))
				r = (struct span){ 0 };
			assert_int_equal(said, SASL_SAYS_MORE);
			said = sasl_server_step(s, none ? NULL : &r, &challenge, &proof, &e);
		}
		check(t, said, &proof, &e);
		buf_end(&challenge);
		sasl_server_free(&s);
	}
}

static void the_longest(void **state)
{
	static char big[SASL_SERVER_RESPONSE_MAX + 1];
	struct sasl_server_with with = with_of(NULL, false);

	(void)state;
	memset(big, 'x', sizeof big);
	big[0] = big[SASL_NAME_MAX + 1] = '\0';
	for (size_t n = sizeof big - 1; n <= sizeof big; n++) {
		struct err e = { 0 };
		struct sasl_server *s = sasl_server_new(SASL_PLAIN, &with, &e);
		struct sasl_proof proof;
		struct buf none = { 0 };
		struct span r = { big, n };

		assert_int_equal(sasl_server_step(s, &r, &none, &proof, &e), n < sizeof big ? SASL_SAYS_PASSWORD : SASL_SAYS_REFUSED);
		assert_int_equal(e.kind, n < sizeof big ? ERR_NONE : ERR_PEER);
		assert_int_equal(proof.name.len, n < sizeof big ? SASL_NAME_MAX : 0);
		sasl_server_free(&s);
	}
}

static void what_cannot_begin(void **state)
{
	static const char wide[200];
	struct fixture_account anna = { .name = "anna" };
	struct sasl_server_with with = with_of(&anna, false);
	struct sasl_proof proof;
	struct sasl_server *s;
	struct err e = { 0 };
	struct buf small;
	char memory[4];

	(void)state;
	assert_null(sasl_server_new(SASL_SCRAM_SHA_256_PLUS, &with, &e));
	assert_int_equal(e.kind, ERR_LOCAL);
	with.tls_unique = (struct span){ wide, sizeof wide };
	e.kind = ERR_NONE;
	assert_null(sasl_server_new(SASL_SCRAM_SHA_256_PLUS, &with, &e));
	assert_int_equal(e.kind, ERR_LOCAL);
	with = with_of(&anna, false);
	s = sasl_server_new(SASL_CRAM_MD5, &with, &e);
	buf_lend(&small, memory, sizeof memory);
	e.kind = ERR_NONE;
	assert_int_equal(sasl_server_step(s, NULL, &small, &proof, &e), SASL_SAYS_REFUSED);
	assert_int_equal(e.kind, ERR_LOCAL);
	sasl_server_free(&s);
}

/* One octet more than a name may have. */
static void a_name_too_long(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_PLAIN, SASL_LOGIN, SASL_EXTERNAL, SASL_PLAIN };
	static char text[2 * SASL_NAME_MAX];
	struct sasl_server_with with = with_of(NULL, false);

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < COUNT(mechs); i++) {
		struct err e = { 0 };
		struct sasl_server *s = sasl_server_new(mechs[i], &with, &e);
		struct sasl_proof proof;
		struct buf none = { 0 };
		struct span r = { text, SASL_NAME_MAX + 1 };

		if (mechs[i] == SASL_PLAIN) {		/* as a name, then as an authzid */
			text[i ? SASL_NAME_MAX + 1 : 0] = text[SASL_NAME_MAX + (i ? 3 : 2)] = '\0';
			r.len = SASL_NAME_MAX + 5;
		}
		assert_int_equal(sasl_server_step(s, &r, &none, &proof, &e), SASL_SAYS_REFUSED);
		assert_int_equal(e.kind, ERR_PEER);
		assert_true(!proof.name.len && !proof.authzid.len);
		memset(text, 'x', sizeof text);
		sasl_server_free(&s);
	}
}

static void *log_in_often(void *wrong)
{
	struct fixture_account anna = { .name = "anna", .password = SPAN("s3cret") };
	struct sasl_server_with with = with_of(&anna, true);
	struct sasl_credentials c = client_of("anna", wrong ? SPAN("wrong") : anna.password, true);
	uintptr_t bad = 0;

	for (size_t i = 0; i < 4 * COUNT(served); i++) {
		enum sasl_mech mech = served[i % COUNT(served)];
		struct outcome o = { 0 };

		converse(mech, &c, &with, true, &o);
		bad += o.said != (sasl_mech_clear(mech) ? SASL_SAYS_PASSWORD : wrong ? SASL_SAYS_REFUSED : SASL_SAYS_PROVED);
	}
	return (void *)bad;
}

static void in_many_threads(void **state)
{
	pthread_t threads[4];
	void *bad;

	(void)state;
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_in_often, i & 1 ? "wrong" : NULL), 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &bad), 0);
		assert_null(bad);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_in),
		cmocka_unit_test(is_refused),
		cmocka_unit_test(another_channel),
		cmocka_unit_test(passwords_that_are_prepared),
		cmocka_unit_test(words),
		cmocka_unit_test(the_longest),
		cmocka_unit_test(a_name_too_long),
		cmocka_unit_test(what_cannot_begin),
		cmocka_unit_test(in_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
