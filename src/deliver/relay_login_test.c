/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/relay_fixture.h"

static void login_over_starttls(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_PLAIN };
	static const struct tls_settings unverified = { .versions = 1u << TLS_1_2 | 1u << TLS_1_3, .verify_depth = 1 };
	struct tls_contexts *contexts = tls_contexts_new(&fixture_err);
	struct pki self = { 0 };
	struct plan plan = { .capabilities = "250-AUTH PLAIN\r\n250 PIPELINING\r\n" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	pki_make(&self, &(struct pki_wish){ .name = "self", .names = "IP:127.0.0.1" });
	plan.tls = pki_server(&self, NULL);
	t->with.server.tls_client = tls_client_get(contexts, &unverified, &fixture_err);
	must(t->with.server.tls_client);
	t->with.user = "anna";
	t->with.login.password = SPAN("geheim");
	t->with.login.mechs = mechs;
	t->with.login.mech_count = COUNT(mechs);
	t->with.login.starttls = t->with.login.starttls_required = true;
	give(t, s, 1);
	run(t);
	assert_int_equal(t->results[0][0].outcome, SMC_ACCEPTED);
	assert_int_equal(plan.logins, 1);
	assert_true(plan.secure);
	spool_free(&s);
	trial_end(t);
	SSL_CTX_free(plan.tls);
	pki_free(&self);
	tls_contexts_free(&contexts);
}

/* SCRAM's first step is a job's.  A refusal is about the settings, and no mail's fault. */
static void refused_logins(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_256, SASL_PLAIN };
	static const struct row {
		const char *name, *capabilities, *to_auth;
		enum err_kind kind;
		const char *text;
	} rows[] = {
		{ "the wrong password", "250 AUTH SCRAM-SHA-256\r\n", "535 5.7.8 no\r\n", ERR_AUTH, "check `user` and `password`" },
		{ "not now", "250 AUTH SCRAM-SHA-256\r\n", "454 4.7.0 later\r\n", ERR_BUSY, "later" },
		{ "a challenge that is none", "250 AUTH SCRAM-SHA-256\r\n", "334 eA==\r\n", ERR_PEER, "that we cancelled" },
		{ "gone", "250 AUTH SCRAM-SHA-256\r\n", "", ERR_NET, "" },
		{ "nothing offered", "250 PIPELINING\r\n", NULL, ERR_CONFIG, "offers none" },
		{ "clear text only", "250 AUTH PLAIN\r\n", NULL, ERR_CONFIG, "clear" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct plan plan = { .capabilities = r->capabilities, .to_auth = r->to_auth };
		struct trial *t = trial(&plan, 0);
		struct spool *s = message(t, SPAN("hi\r\n"));
		const struct relay_result *result = &t->results[0][0];

		t->with.user = "anna";
		t->with.login.password = SPAN("geheim");
		t->with.login.mechs = mechs;
		t->with.login.mech_count = COUNT(mechs);
		give(t, s, 1);
		run(t);
		if (result->outcome != SMC_DEFERRED || result->kind != r->kind || !strstr(result->text, r->text))
			fail_msg("%s: %d, %s, \"%s\"", r->name, result->outcome, err_kind_name(result->kind), result->text);
		spool_free(&s);
		trial_end(t);
	}
}

/* AUTH that showed the password, refused with two mails waiting for two connections: one failure at the server. */
static void one_failure(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_CRAM_MD5 };
	struct plan plan = { .capabilities = "250 AUTH CRAM-MD5\r\n", .to_auth = "535 5.7.8 no\r\n" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	t->with.user = "anna";
	t->with.login.password = SPAN("geheim");
	t->with.login.mechs = mechs;
	t->with.login.mech_count = COUNT(mechs);
	t->with.parallel = 2;
	give(t, s, 1);
	give(t, s, 1);
	run(t);
	assert_int_equal(t->results[0][0].kind, ERR_AUTH);
	assert_int_equal(t->results[1][0].kind, ERR_AUTH);
	assert_int_equal(plan.connections, 1);
	spool_free(&s);
	trial_end(t);
}

/* What follows a server that could not prove who it is: nothing weaker over the next connection, until a login was good. */
static void after_a_false_proof(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_1, SASL_PLAIN };
	unsigned weaker = 0;
	struct plan plan = { .capabilities = "250 AUTH SCRAM-SHA-1\r\n", .to_auth = "235 2.7.0 ok\r\n" };
	struct trial *t = trial(&plan, 0);
	struct spool *s = message(t, SPAN("hi\r\n"));

	(void)state;
	t->with.weaker = &weaker;
	t->with.user = "anna";
	t->with.login.password = SPAN("geheim");
	t->with.login.mechs = mechs;
	t->with.login.mech_count = COUNT(mechs);
	t->with.login.clear_allowed = true;
	give(t, s, 1);
	run(t);
	assert_int_equal(t->results[0][0].kind, ERR_AUTH);
	assert_int_equal(weaker, ladder_weaker_than(SASL_SCRAM_SHA_1));
	plan.capabilities = "250 AUTH PLAIN\r\n";
	plan.to_auth = NULL;
	give(t, s, 1);
	run(t);
	assert_int_equal(t->results[1][0].kind, ERR_AUTH);
	assert_int_equal(plan.logins, 0);
	weaker = ladder_weaker_than(SASL_PLAIN);	/* PLAIN itself may be tried */
	give(t, s, 1);
	run(t);
	assert_int_equal(t->results[2][0].outcome, SMC_ACCEPTED);
	assert_int_equal(plan.logins, 1);
	assert_int_equal(weaker, 0);
	spool_free(&s);
	trial_end(t);
}

/* A step is in a job when all ends. */
static void freed_in_a_step(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_256 };
	struct plan plan = { .capabilities = "250 AUTH SCRAM-SHA-256\r\n", .to_auth = "" };

	(void)state;
	for (uint64_t ms = 0; ms < 12; ms++) {
		struct trial *t = trial(&plan, 0);
		struct spool *s = message(t, SPAN("hi\r\n"));

		t->with.user = "anna";
		t->with.login.password = SPAN("geheim");
		t->with.login.mechs = mechs;
		t->with.login.mech_count = COUNT(mechs);
		give(t, s, 1);
		settle_for(t, ms);
		relay_free(&t->relay);
		spool_free(&s);
		trial_end(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_over_starttls),
		cmocka_unit_test(refused_logins),
		cmocka_unit_test(one_failure),
		cmocka_unit_test(after_a_false_proof),
		cmocka_unit_test(freed_in_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
