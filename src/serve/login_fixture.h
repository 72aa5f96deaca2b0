/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of logins: a store with accounts, admission, a loop, and a client
 * (sasl/client.h) that goes through a whole exchange with login.h; what was
 * said, after how many steps, and how many passwords were hashed for it.
 *
 *     world_begin(&limits); struct told t = try(MECH, "bob", "geheim"); … world_end()
 * Accounts: bob, sha1 (with SHA-1 keys), carl (recoverable), all with the password
 * "geheim"; anna, who has none; the alias chef of bob. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "net/loop.h"
#include "sasl/apop.h"
#include "serve/admission.h"
#include "serve/login.h"
#include "serve/schemes.h"
#include "store/alias.h"
#include "store/fixture.h"
#include "store/login.h"
#include "store/verifier.h"

#define STAMP "<1896.697170952@dbc.mtview.ca.us>"
#define BINDING "0123456789abcdef0123456789abcdef"

static struct world {
	const char *directory;
	struct store *store;
	struct admission *admission;
	struct logins *logins;
	struct loop *loop;
	struct timer *guard;
	_Atomic unsigned hashed;
	/* What an attempt comes with; a test changes it. */
	const char *from, *at;
	bool tls;
	struct span certificate;
	const struct login_answer *answer;	/* by answer() */
	unsigned answers;
} w;

struct told {
	enum login_said said;
	unsigned steps;		/* answers of the server, the last one among them */
	unsigned hashed;
	bool later;		/* the last one did not come at once */
	uint64_t ms;		/* until it came */
	char account[ACCOUNT_NAME_MAX + 1], how[16], why[512], user[LOGIN_USER_TEXT];
	char owner[ACCOUNT_NAME_MAX + 1], box[MAILBOX_NAME_MAX + 1], routed[ACCOUNT_NAME_MAX + 1];
	struct account_limits limits;
	bool verified;		/* the client is content with the server's proof */
};

static inline bool world_holds(const char *verifier, struct span password)
{
	w.hashed++;
	return scheme_holds(verifier, password);
}

static inline void world_late(void *user)
{
	(void)user;
	fail_msg("no answer came");
}

static inline void world_answer(void *user, const struct login_answer *a)
{
	assert_ptr_equal(user, &w);
	w.answer = a;
	w.answers++;
	loop_stop(w.loop);
}

[[maybe_unused]] static void world_begin(const struct admission_limits *limits)
{
	static const struct admission_limits none = { 0 };

	memset(&w, 0, sizeof w);
	w.directory = fixture_directory();
	w.store = fixture_store(w.directory);
	must(account_add(w.store, "bob", SPAN("geheim"), 0, &fixture_err));
	must(account_add(w.store, "sha1", SPAN("geheim"), ACCOUNT_SCRAM_SHA1, &fixture_err));
	must(account_add(w.store, "carl", SPAN("geheim"), ACCOUNT_RECOVERABLE, &fixture_err));
	must(alias_add(w.store, "chef", "bob", &fixture_err));
	w.admission = admission_new(limits ? limits : &none, &fixture_err);
	must(w.admission);
	w.logins = logins_new(&(struct logins_with){ .store = w.store, .admission = w.admission, .holds = world_holds }, &fixture_err);
	must(w.logins);
	w.loop = loop_new(&fixture_err);
	must(w.loop);
	w.guard = timer_new(w.loop, world_late, NULL);
	w.from = "192.0.2.1";
	w.at = "203.0.113.7";
	w.tls = true;
}

[[maybe_unused]] static void world_end(void)
{
	timer_free(&w.guard);
	loop_free(&w.loop);
	logins_free(&w.logins);
	admission_free(&w.admission);
	store_close(&w.store);
	fixture_remove(w.directory);
}

[[maybe_unused]] static struct login *world_login(enum sasl_mech mech)
{
	static union address from, at;
	struct login_who who = {
		.loop = w.loop, .peer = &from, .local = &at, .tls = w.tls, .client_certificate = w.certificate, .apop_stamp = STAMP,
		.host = "mail.x.example", .answer = world_answer, .user = &w,
	};
	struct login *x;

	assert_true(address_parse(w.from, 12345, &from) && address_parse(w.at, 995, &at));
	if (w.tls)
		who.tls_exporter = SPAN(BINDING);
	x = login_begin(w.logins, &who, mech, &fixture_err);
	must(x);
	return x;
}

/* The answer now, or when it comes. */
[[maybe_unused]] static const struct login_answer *world_await(const struct login_answer *a)
{
	if (a)
		return a;
	w.answer = NULL;
	timer_set(w.guard, 30000, 0);
	loop_run(w.loop);
	timer_stop(w.guard);
	assert_non_null(w.answer);
	return w.answer;
}

[[maybe_unused]] static void told_of(struct told *t, const struct login_answer *a)
{
	t->said = a->said;
	t->limits = a->limits;
	memcpy(t->account, a->account, sizeof t->account);
	memcpy(t->owner, a->owner, sizeof t->owner);
	memcpy(t->box, a->box, sizeof t->box);
	memcpy(t->routed, a->routed, sizeof t->routed);
	memcpy(t->user, a->user, sizeof t->user);
	(void)snprintf(t->how, sizeof t->how, "%s", a->how ? a->how : "");
	(void)snprintf(t->why, sizeof t->why, "%s", a->why.kind ? a->why.text : "");
}

static inline const struct login_answer *try_words(struct login *x, enum sasl_mech mech, const char *user, struct span password)
{
	char digest[APOP_DIGEST];

	if (mech == SASL_USER)
		return login_words(x, span_of(user), password);
	assert_true(apop_digest(SPAN(STAMP), password, digest));
	return login_words(x, span_of(user), (struct span){ digest, 32 });
}

static inline const struct login_answer *try_exchange(struct login *x, enum sasl_mech mech, const char *user, struct span password, struct told *t)
{
	struct sasl_credentials with = { .user = user, .password = password, .service = "pop", .host = "mail.x.example", .tls_exporter = SPAN(BINDING) };
	struct sasl_client *c = sasl_client_new(mech, &with, &fixture_err);
	const struct login_answer *a;
	struct buf response;
	struct span challenge = SPAN("");

	must(c);
	buf_start(&response, SASL_RESPONSE_MAX);
	if (!sasl_mech_first(mech)) {
		t->steps++;
		a = world_await(login_step(x, false, (struct span){ 0 }));
		assert_int_equal(a->said, LOGIN_SAYS_MORE);
		challenge = a->challenge;
	}
	for (;;) {
		response.len = 0;
		must(sasl_client_step(c, challenge, &response, &fixture_err));
		t->steps++;
		a = login_step(x, true, buf_span(&response));
		t->later = !a;
		a = world_await(a);
		if (a->said != LOGIN_SAYS_MORE)
			break;
		challenge = a->challenge;
	}
	t->verified = sasl_client_verified(c);
	buf_wipe(&response);
	sasl_client_free(&c);
	return a;
}

[[maybe_unused]] static struct told try_octets(enum sasl_mech mech, const char *user, struct span password)
{
	struct told t = { 0 };
	unsigned before = w.hashed;
	uint64_t began = clock_mono_ms();
	struct login *x = world_login(mech);
	const struct login_answer *a;

	if (mech == SASL_USER || mech == SASL_APOP) {
		t.steps = 1;
		t.verified = true;
		a = try_words(x, mech, user, password);
		t.later = !a;
		a = world_await(a);
	} else {
		a = try_exchange(x, mech, user, password, &t);
	}
	told_of(&t, a);
	t.ms = clock_mono_ms() - began;
	login_end(&x);
	t.hashed = w.hashed - before;
	return t;
}

[[maybe_unused]] static struct told try(enum sasl_mech mech, const char *user, const char *password)
{
	return try_octets(mech, user, span_of(password));
}

[[maybe_unused]] static void assert_how(struct told t, const char *how, unsigned hashed)
{
	if (t.said != LOGIN_SAYS_GOOD || strcmp(t.how, how) != 0 || t.hashed != hashed)
		fail_msg("%d by %s with %u hashes, not by %s with %u: %s", t.said, t.how, t.hashed, how, hashed, t.why);
}

[[maybe_unused]] static void assert_wrong(struct told t)
{
	if (t.said != LOGIN_SAYS_WRONG || t.hashed != 1)
		fail_msg("%d by %s with %u hashes", t.said, t.how, t.hashed);
}
