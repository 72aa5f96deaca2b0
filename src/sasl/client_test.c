/* SPDX-License-Identifier: Apache-2.0
 *
 * Our client against GNU SASL's own server, and against what a liar would send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <gsasl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "sasl/client.h"
#include "wire/base64.h"

static const char binding[32] = "0123456789abcdef0123456789abcde";

/* What the server knows. */
struct server_side {
	const char *password;
	struct span exporter, unique;
};

static int know(Gsasl *library, Gsasl_session *session, Gsasl_property what)
{
	const struct server_side *side = gsasl_callback_hook_get(library);
	struct span cb = what == GSASL_CB_TLS_EXPORTER ? side->exporter : side->unique;
	const char *got;
	char text[128] = "";
	struct buf b;

	switch ((int)what) {
	case GSASL_REALM:
		return gsasl_property_set(session, what, "example.org");
	case GSASL_PASSWORD:
		return gsasl_property_set(session, what, side->password);
	case GSASL_SCRAM_ITER:
		return gsasl_property_set(session, what, "4096");
	case GSASL_VALIDATE_SIMPLE:
		got = gsasl_property_get(session, GSASL_PASSWORD);
		return got && !strcmp(got, side->password) ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
	case GSASL_VALIDATE_EXTERNAL:
		got = gsasl_property_get(session, GSASL_AUTHZID);
		return got && !strcmp(got, "anna") ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
	case GSASL_CB_TLS_EXPORTER:
	case GSASL_CB_TLS_UNIQUE:
		if (!cb.len)
			return GSASL_NO_CALLBACK;
		buf_lend(&b, text, sizeof text - 1);
		assert_true(base64_encode(cb, &b));
		return gsasl_property_set(session, what, text);
	}
	return GSASL_NO_CALLBACK;
}

struct exchange {
	struct server_side side;
	Gsasl *library;
	Gsasl_session *server;
	struct sasl_client *client;
	struct buf response;
	struct err e;
	int server_code;
};

static bool begin(struct exchange *x, enum sasl_mech mech, const struct sasl_credentials *with)
{
	x->server_code = GSASL_NEEDS_MORE;
	assert_int_equal(gsasl_init(&x->library), GSASL_OK);
	gsasl_callback_set(x->library, know);
	gsasl_callback_hook_set(x->library, &x->side);
	assert_int_equal(gsasl_server_start(x->library, sasl_mech_name(mech), &x->server), GSASL_OK);
	buf_start(&x->response, SASL_RESPONSE_MAX);
	x->client = sasl_client_new(mech, with, &x->e);
	return x->client;
}

static void end(struct exchange *x)
{
	sasl_client_free(&x->client);
	sasl_client_free(&x->client);
	buf_wipe(&x->response);
	gsasl_finish(x->server);
	gsasl_done(x->library);
}

/* One step of the server's, on our response; then ours on its challenge. */
static bool turn(struct exchange *x, bool spoil)
{
	char *challenge = NULL;
	size_t len = 0;
	bool went;

	x->server_code = gsasl_step(x->server, x->response.at ? x->response.at : "", x->response.len, &challenge, &len);
	x->response.len = 0;
	if (spoil && len > 10)		/* behind "v=", and "rspauth=" */
		challenge[10] = challenge[10] == 'A' ? 'B' : 'A';
	went = len == 0 || sasl_client_step(x->client, (struct span){ challenge, len }, &x->response, &x->e);
	gsasl_free(challenge);
	return went;
}

/* True: the server is content, the client has said nothing wrong. */
static bool converse(struct exchange *x, enum sasl_mech mech, unsigned spoil_at)
{
	if (sasl_mech_first(mech) && !sasl_client_step(x->client, (struct span){ 0 }, &x->response, &x->e))
		return false;
	for (unsigned n = 1; n < 8 && x->server_code == GSASL_NEEDS_MORE; n++)
		if (!turn(x, n == spoil_at))
			return false;
	return x->server_code == GSASL_OK;
}

static const struct sasl_credentials anna = {
	.user = "anna", .password = { "s3cret pass", 11 }, .service = "pop", .host = "mail.example.org",
};

static struct sasl_credentials bound(bool exporter)
{
	struct sasl_credentials with = anna;

	*(exporter ? &with.tls_exporter : &with.tls_unique) = (struct span){ binding, sizeof binding };
	return with;
}

static void logs_in(void **state)
{
	static const enum sasl_mech mechs[] = {
		SASL_EXTERNAL, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1, SASL_DIGEST_MD5, SASL_CRAM_MD5, SASL_PLAIN, SASL_LOGIN,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(mechs); i++) {
		struct exchange x = { .side = { .password = "s3cret pass" } };

		assert_true(begin(&x, mechs[i], &anna));
		assert_int_equal(sasl_client_verified(x.client), !sasl_mech_slow(mechs[i]) && mechs[i] != SASL_DIGEST_MD5);
		assert_true(converse(&x, mechs[i], 0));
		assert_true(sasl_client_verified(x.client));
		end(&x);
	}
}

static void a_wrong_password_is_refused(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1, SASL_DIGEST_MD5, SASL_CRAM_MD5, SASL_PLAIN, SASL_LOGIN };

	(void)state;
	for (size_t i = 0; i < COUNT(mechs); i++) {
		struct exchange x = { .side = { .password = "another" } };

		assert_true(begin(&x, mechs[i], &anna));
		assert_false(converse(&x, mechs[i], 0));
		end(&x);
	}
}

static void channel_binding(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_1_PLUS };

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(mechs); i++) {
		struct sasl_credentials with = bound(i & 1);
		struct exchange x = { .side = { .password = "s3cret pass" } };

		x.side.exporter = with.tls_exporter;
		x.side.unique = with.tls_unique;
		assert_true(begin(&x, mechs[i / 2], &with));
		assert_true(converse(&x, mechs[i / 2], 0));
		assert_true(sasl_client_verified(x.client));
		end(&x);
	}
}

/* A man in the middle has another TLS session with the server than with us. */
static void another_channel_is_refused(void **state)
{
	struct sasl_credentials with = bound(true);
	struct exchange x = { .side = { .password = "s3cret pass", .exporter = SPAN("the channel of somebody else....") } };

	(void)state;
	assert_true(begin(&x, SASL_SCRAM_SHA_256_PLUS, &with));
	assert_false(converse(&x, SASL_SCRAM_SHA_256_PLUS, 0));
	assert_false(sasl_client_verified(x.client));
	end(&x);
}

static void plus_without_a_binding(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_null(sasl_client_new(SASL_SCRAM_SHA_256_PLUS, &anna, &e));
	assert_int_equal(e.kind, ERR_LOCAL);
}

static void a_wrong_server_signature(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1, SASL_DIGEST_MD5 };

	(void)state;
	for (size_t i = 0; i < COUNT(mechs); i++) {
		struct exchange x = { .side = { .password = "s3cret pass" } };

		assert_true(begin(&x, mechs[i], &anna));
		assert_false(converse(&x, mechs[i], 2));
		assert_int_equal(x.e.kind, ERR_AUTH);
		assert_false(sasl_client_verified(x.client));
		end(&x);
	}
}

/* Whatever stands in its place: it is not to look as if the server had refused a mechanism. */
static void what_is_no_server_signature(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1, SASL_DIGEST_MD5 };
	static const struct span instead[] = { SPAN(""), SPAN("v="), SPAN("v=!"), SPAN("rspauth"), SPAN("x=y"), SPAN("a\0b"), SPAN("realm=\"") };

	(void)state;
	for (size_t i = 0; i < COUNT(mechs) * COUNT(instead); i++) {
		enum sasl_mech mech = mechs[i / COUNT(instead)];
		struct exchange x = { .side = { .password = "s3cret pass" } };

		assert_true(begin(&x, mech, &anna));
		assert_true(!sasl_mech_first(mech) || sasl_client_step(x.client, (struct span){ 0 }, &x.response, &x.e));
		assert_true(turn(&x, false));
		assert_false(sasl_client_step(x.client, instead[i % COUNT(instead)], &x.response, &x.e));
		if (x.e.kind != ERR_AUTH || !strstr(x.e.text, "did not prove"))
			fail_msg("%s, %zu: %s %s", sasl_mech_name(mech), i % COUNT(instead), err_kind_name(x.e.kind), x.e.text);
		end(&x);
	}
}

/* TLS 1.2 has both, and servers of its time know tls-unique alone. */
static void of_two_bindings_tls_unique(void **state)
{
	struct sasl_credentials with = bound(true);
	struct exchange x = { 0 };

	(void)state;
	with.tls_unique = SPAN("the first Finished");
	assert_true(begin(&x, SASL_SCRAM_SHA_256_PLUS, &with));
	assert_true(sasl_client_step(x.client, (struct span){ 0 }, &x.response, &x.e));
	assert_true(span_starts(buf_span(&x.response), SPAN("p=tls-unique,,n=anna,r=")));
	end(&x);
}

/* What we say first: n or p of RFC 5802 section 6, and which binding. */
static void the_first_word_names_the_binding(void **state)
{
	static const struct row {
		enum sasl_mech mech;
		bool binding, exporter;
		const char *want;
	} rows[] = {
		{ SASL_SCRAM_SHA_256,      false, false, "n,,n=anna,r=" },
		{ SASL_SCRAM_SHA_256,      true,  true,  "n,,n=anna,r=" },
		{ SASL_SCRAM_SHA_1,        true,  false, "n,,n=anna,r=" },
		{ SASL_SCRAM_SHA_256_PLUS, true,  true,  "p=tls-exporter,,n=anna,r=" },
		{ SASL_SCRAM_SHA_1_PLUS,   true,  false, "p=tls-unique,,n=anna,r=" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct sasl_credentials with = r->binding ? bound(r->exporter) : anna;
		struct exchange x = { 0 };

		assert_true(begin(&x, r->mech, &with));
		assert_true(sasl_client_step(x.client, (struct span){ 0 }, &x.response, &x.e));
		assert_true(span_starts(buf_span(&x.response), span_of(r->want)));
		end(&x);
	}
}

/* A server-first message of SCRAM: %s stands for our own nonce. */
static bool step_with(enum sasl_mech mech, struct span tail, struct err *e)
{
	struct exchange x = { 0 };
	struct buf challenge;
	bool went;

	buf_start(&challenge, 4096);
	assert_true(begin(&x, mech, &anna));
	assert_true(sasl_client_step(x.client, (struct span){ 0 }, &x.response, &x.e));
	assert_true(buf_add(&challenge, SPAN("r=")));
	assert_true(buf_add(&challenge, span_from(buf_span(&x.response), strlen("n,,n=anna,r="))));
	assert_true(buf_add(&challenge, tail));
	x.response.len = 0;
	went = sasl_client_step(x.client, buf_span(&challenge), &x.response, e);
	assert_false(sasl_client_verified(x.client));
	buf_end(&challenge);
	end(&x);
	return went;
}

static void server_first_messages(void **state)
{
	static const struct row {
		const char *name;
		struct span tail;
		enum err_kind want;
	} rows[] = {
		{ "an honest one",           SPAN("xyz,s=c2FsdA==,i=4096"), ERR_NONE },
		{ "an extension behind",     SPAN("xyz,s=c2FsdA==,i=4096,x=1"), ERR_NONE },
		{ "four million",            SPAN("xyz,s=c2FsdA==,i=4000000"), ERR_PEER },
		{ "one too many",            SPAN("xyz,s=c2FsdA==,i=600001"), ERR_PEER },
		{ "wraps 64 bits to 1",      SPAN("xyz,s=c2FsdA==,i=18446744073709551617"), ERR_PEER },
		{ "none",                    SPAN("xyz,s=c2FsdA==,i=0"), ERR_PEER },
		{ "negative",                SPAN("xyz,s=c2FsdA==,i=-1"), ERR_PEER },
		{ "no number",               SPAN("xyz,s=c2FsdA==,i="), ERR_PEER },
		{ "no count",                SPAN("xyz,s=c2FsdA=="), ERR_PEER },
		{ "a second count",          SPAN("xyz,s=c2FsdA==,x=1,i=4000000"), ERR_PEER },
		{ "a NUL",                   SPAN("xyz,s=c2FsdA==,i=1\0,i=4000000"), ERR_PEER },
		{ "salt is not base64",      SPAN("xyz,s=!,i=4096"), ERR_PEER },
		{ "nothing",                 SPAN(""), ERR_PEER },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct err e = { 0 };
		bool went = step_with(SASL_SCRAM_SHA_256, r->tail, &e);

		if (went != (r->want == ERR_NONE) || e.kind != r->want)
			fail_msg("%s: %s %s", r->name, err_kind_name(e.kind), e.text);
	}
}

static void the_servers_refusal_inside(void **state)
{
	struct exchange x = { 0 };

	(void)state;
	assert_true(begin(&x, SASL_SCRAM_SHA_1, &anna));
	assert_true(sasl_client_step(x.client, (struct span){ 0 }, &x.response, &x.e));
	assert_false(sasl_client_step(x.client, SPAN("e=unknown-user"), &x.response, &x.e));
	assert_int_equal(x.e.kind, ERR_AUTH);
	assert_non_null(strstr(x.e.text, "e=unknown-user"));
	end(&x);
}

static void a_nonce_that_is_not_ours(void **state)
{
	struct exchange x = { 0 };

	(void)state;
	assert_true(begin(&x, SASL_SCRAM_SHA_1, &anna));
	assert_true(sasl_client_step(x.client, (struct span){ 0 }, &x.response, &x.e));
	assert_false(sasl_client_step(x.client, SPAN("r=somebodyelsesnonce,s=c2FsdA==,i=4096"), &x.response, &x.e));
	assert_int_equal(x.e.kind, ERR_AUTH);
	end(&x);
}

/* Spaces, quotes, Latin-1, an empty one: PLAIN carries what it is given. */
static void passwords_as_they_are(void **state)
{
	static const struct span passwords[] = { SPAN(""), SPAN(" a b "), SPAN("\"\\^"), SPAN("\xe9t\xe9"), SPAN("\xc3\xa9\r\n") };

	(void)state;
	for (size_t i = 0; i < COUNT(passwords); i++) {
		struct sasl_credentials with = anna;
		struct exchange x = { 0 };
		char want[64] = "\0anna\0";

		with.password = passwords[i];
		memcpy(want + 6, passwords[i].at, passwords[i].len);
		assert_true(begin(&x, SASL_PLAIN, &with));
		assert_true(sasl_client_step(x.client, (struct span){ 0 }, &x.response, &x.e));
		assert_int_equal(x.response.len, 6 + passwords[i].len);
		assert_memory_equal(x.response.at, want, x.response.len);
		end(&x);
	}
}

static void credentials_that_do_not_fit(void **state)
{
	struct sasl_credentials with = anna;
	struct exchange x = { 0 };
	struct err e = { 0 };

	(void)state;
	with.password = SPAN("a\0b");
	assert_null(sasl_client_new(SASL_PLAIN, &with, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	with = anna;
	with.user = "\xe9t\xe9";	/* Latin-1 is no UTF-8 */
	assert_true(begin(&x, SASL_SCRAM_SHA_256, &with));
	assert_false(sasl_client_step(x.client, (struct span){ 0 }, &x.response, &x.e));
	assert_int_equal(x.e.kind, ERR_CONFIG);
	end(&x);
}

static void no_step_after_the_end(void **state)
{
	struct exchange x = { 0 };

	(void)state;
	assert_true(begin(&x, SASL_PLAIN, &anna));
	assert_true(sasl_client_step(x.client, (struct span){ 0 }, &x.response, &x.e));
	assert_false(sasl_client_step(x.client, SPAN("more"), &x.response, &x.e));
	assert_int_equal(x.e.kind, ERR_PEER);
	end(&x);
}

static void a_response_that_does_not_fit(void **state)
{
	struct exchange x = { 0 };
	char memory[4];
	struct buf small;

	(void)state;
	buf_lend(&small, memory, sizeof memory);
	assert_true(begin(&x, SASL_PLAIN, &anna));
	assert_false(sasl_client_step(x.client, (struct span){ 0 }, &small, &x.e));
	assert_int_equal(x.e.kind, ERR_LOCAL);
	end(&x);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_in),
		cmocka_unit_test(a_wrong_password_is_refused),
		cmocka_unit_test(channel_binding),
		cmocka_unit_test(another_channel_is_refused),
		cmocka_unit_test(plus_without_a_binding),
		cmocka_unit_test(a_wrong_server_signature),
		cmocka_unit_test(what_is_no_server_signature),
		cmocka_unit_test(the_first_word_names_the_binding),
		cmocka_unit_test(of_two_bindings_tls_unique),
		cmocka_unit_test(server_first_messages),
		cmocka_unit_test(the_servers_refusal_inside),
		cmocka_unit_test(a_nonce_that_is_not_ours),
		cmocka_unit_test(passwords_as_they_are),
		cmocka_unit_test(credentials_that_do_not_fit),
		cmocka_unit_test(no_step_after_the_end),
		cmocka_unit_test(a_response_that_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
