/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "serve/login_fixture.h"
#include "serve/login_inside.h"

/* Between the question and the answer the account changes: what was right is so no longer. */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned at_gate;

static bool holds_at_gate(const char *argon, struct span password)
{
	bool right = world_holds(argon, password);

	at_gate++;
	(void)pthread_mutex_lock(&gate);
	(void)pthread_mutex_unlock(&gate);
	return right;
}

static void gated(unsigned hashing, unsigned queue)
{
	logins_free(&w.logins);
	at_gate = 0;
	w.logins = logins_new(&(struct logins_with){ .store = w.store, .admission = w.admission, .holds = holds_at_gate, .hashing = hashing, .queue = queue },
		&fixture_err);
	must(w.logins);
}

static void wait_at_gate(unsigned count)
{
	while (at_gate < count)
		(void)sched_yield();
}

static void what_changes_meanwhile_is_wrong(void **state)
{
	(void)state;
	world_begin(NULL);
	gated(1, 8);
	for (int how = 0; how < 4; how++) {
		struct login *x = world_login(SASL_USER);
		const struct login_answer *a;

		(void)pthread_mutex_lock(&gate);
		assert_null(login_words(x, SPAN("chef"), SPAN("geheim")));
		wait_at_gate((unsigned)how + 1);
		if (how == 1)
			must(account_passwd(w.store, "bob", SPAN("geheim"), 0, &fixture_err));
		if (how == 2)
			must(alias_remove(w.store, "chef", &fixture_err) && alias_add(w.store, "chef", "sha1", &fixture_err));
		if (how == 3)
			must(account_remove(w.store, "sha1", true, 1000, &fixture_err));
		(void)pthread_mutex_unlock(&gate);
		a = world_await(NULL);
		assert_int_equal(a->said, how ? LOGIN_SAYS_WRONG : LOGIN_SAYS_GOOD);
		login_end(&x);
		if (how == 0)	/* it would be remembered */
			must(account_passwd(w.store, "bob", SPAN("geheim"), 0, &fixture_err));
	}
	world_end();
}

/* The same in SCRAM, between the client's two messages. */
static void keys_that_change_prove_nothing(void **state)
{
	struct sasl_credentials with = { .user = "bob", .password = SPAN("geheim"), .service = "pop", .host = "mail.x.example" };

	(void)state;
	world_begin(NULL);
	for (int change = 0; change < 2; change++) {
		struct sasl_client *c = sasl_client_new(SASL_SCRAM_SHA_256, &with, &fixture_err);
		struct login *x = world_login(SASL_SCRAM_SHA_256);
		const struct login_answer *a = NULL;
		struct span challenge = SPAN("");
		struct buf response;

		must(c);
		buf_start(&response, SASL_RESPONSE_MAX);
		for (int step = 0; step < 3; step++) {
			response.len = 0;
			must(sasl_client_step(c, challenge, &response, &fixture_err));
			if (step == 1 && change)
				must(account_passwd(w.store, "bob", SPAN("neu"), 0, &fixture_err));
			a = login_step(x, true, buf_span(&response));
			assert_non_null(a);
			challenge = a->challenge;
		}
		assert_int_equal(a->said, change ? LOGIN_SAYS_WRONG : LOGIN_SAYS_GOOD);
		buf_wipe(&response);
		sasl_client_free(&c);
		login_end(&x);
	}
	world_end();
}

/* Penalties --------------------------------------------------------------- */

enum { DELAY = 60 };

static const struct admission_limits strict = { .max_sessions = 100, .failed_delay_ms = DELAY, .failed_limit = 3, .failed_block_ms = 60000 };

/* The refusal is held back, and so is the next attempt, the same for all mechanisms and for who is not there. */
static void wrong_words_cost_time(void **state)
{
	static const struct row { enum sasl_mech mech; const char *user; } rows[] = {
		{ SASL_USER, "bob" }, { SASL_USER, "nobody" }, { SASL_APOP, "carl" }, { SASL_APOP, "nobody" },
		{ SASL_APOP, "bob" }, { SASL_CRAM_MD5, "carl" }, { SASL_CRAM_MD5, "nobody" }, { SASL_LOGIN, "bob" },
		{ SASL_SCRAM_SHA_256, "bob" }, { SASL_SCRAM_SHA_256, "nobody" }, { SASL_EXTERNAL, "bob" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct told t;

		world_begin(&strict);
		t = try(r->mech, r->user, "falsch");
		assert_true(t.said == LOGIN_SAYS_WRONG && t.later && t.ms >= DELAY);
		t = try(r->mech, r->user, "falsch");		/* comes at once, waits a little, fails, waits twice that */
		assert_true(t.said == LOGIN_SAYS_WRONG && t.later && t.ms >= 2 * DELAY);
		t = try(r->mech, r->user, "falsch");
		assert_true(t.said == LOGIN_SAYS_BLOCKED);
		t = try(r->mech, r->user, "geheim");		/* right or not is not even looked at */
		assert_true(t.said == LOGIN_SAYS_BLOCKED && t.hashed == 0);
		w.from = "192.0.2.2";
		t = try(SASL_USER, "carl", "geheim");
		assert_int_equal(t.said, LOGIN_SAYS_GOOD);	/* whatever was tried with his name elsewhere */
		world_end();
	}
}

/* SCRAM's last message but one would tell that the proof was right: it waits for the attempt's turn. */
static void no_proof_is_judged_before_its_turn(void **state)
{
	struct sasl_credentials with = { .user = "carl", .password = SPAN("geheim"), .service = "pop", .host = "mail.x.example" };
	struct sasl_client *c;
	struct login *x;
	struct buf response;
	const struct login_answer *a;

	(void)state;
	world_begin(&(struct admission_limits){ .failed_delay_ms = 1000 });
	c = sasl_client_new(SASL_SCRAM_SHA_256, &with, &fixture_err);
	must(c);
	x = world_login(SASL_SCRAM_SHA_256);
	buf_start(&response, SASL_RESPONSE_MAX);
	must(sasl_client_step(c, SPAN(""), &response, &fixture_err));
	a = login_step(x, true, buf_span(&response));
	assert_true(a && a->said == LOGIN_SAYS_MORE);
	(void)admission_login_failed(w.admission, &x->attempt, clock_mono_ms());	/* another one, meanwhile */
	response.len = 0;
	must(sasl_client_step(c, a->challenge, &response, &fixture_err));
	assert_null(login_step(x, true, buf_span(&response)));
	memset(response.at, 'x', response.len);		/* it was kept */
	a = world_await(NULL);
	assert_int_equal(a->said, LOGIN_SAYS_MORE);
	response.len = 0;
	must(sasl_client_step(c, a->challenge, &response, &fixture_err));
	a = login_step(x, true, buf_span(&response));
	assert_true(a && a->said == LOGIN_SAYS_GOOD && sasl_client_verified(c));
	buf_wipe(&response);
	sasl_client_free(&c);
	login_end(&x);
	world_end();
}

static void who_is_right_waits_too_and_is_forgiven(void **state)
{
	struct admission_counts c;
	struct told t;

	(void)state;
	world_begin(&strict);
	assert_how(try(SASL_USER, "bob", "geheim"), "hash", 1);
	/* Known at this address until it fails here; then everybody waits, once. */
	t = try(SASL_USER, "bob", "falsch");
	assert_int_equal(t.said, LOGIN_SAYS_WRONG);
	t = try(SASL_USER, "bob", "geheim");
	assert_true(t.said == LOGIN_SAYS_GOOD && t.hashed == 0);
	assert_string_equal(t.how, "cache");
	admission_counts(w.admission, &c);
	assert_true(c.failed_logins == 1 && c.good_logins == 2);
	t = try(SASL_USER, "bob", "geheim");
	assert_true(t.said == LOGIN_SAYS_GOOD && !t.later);
	world_end();
}

/* Many at once: while none has failed all may come in to the queue, and come out of it one a delay. */
static void attempts_side_by_side_are_delayed(void **state)
{
	enum { MANY = 6 };
	struct admission_limits l = { .max_sessions = 100, .failed_delay_ms = 20000, .failed_limit = 100, .failed_block_ms = 60000 };
	struct login *x[MANY];

	(void)state;
	world_begin(&l);
	gated(1, 64);
	(void)pthread_mutex_lock(&gate);
	for (unsigned n = 0; n < MANY; n++) {
		x[n] = world_login(SASL_USER);
		assert_null(login_words(x[n], SPAN("bob"), SPAN("falsch")));
	}
	wait_at_gate(1);
	(void)pthread_mutex_unlock(&gate);
	timer_set(w.guard, 30000, 0);
	for (unsigned at = 0; at != MANY;) {
		struct timer *t = timer_new(w.loop, (void (*)(void *))loop_stop, w.loop);

		timer_set(t, 20, 0);
		loop_run(w.loop);
		timer_free(&t);
		at = 0;
		for (unsigned n = 0; n < MANY; n++)
			at += x[n]->at == AT_DELAY || x[n]->at == AT_QUEUE_TURN;
	}
	assert_int_equal(w.hashed, 1);
	for (unsigned n = 0; n < MANY; n++)
		login_end(&x[n]);
	world_end();
}

/* Ends and limits ------------------------------------------------------------ */

/* Who waits too long for a thread is told so, and nothing is counted; who has one is let end, for as long again. */
static void nobody_waits_for_ever(void **state)
{
	struct login *good, *running, *waiting;
	const struct login_answer *a;
	struct admission_counts c;

	(void)state;
	world_begin(NULL);
	gated(1, 8);
	good = world_login(SASL_USER);
	a = world_await(login_words(good, SPAN("bob"), SPAN("geheim")));	/* its timer is stopped: see below */
	assert_int_equal(a->said, LOGIN_SAYS_GOOD);
	(void)pthread_mutex_lock(&gate);
	w.logins->queue_ms = 1;	/* not before: hashes take what they take */
	w.answers = 0;
	running = world_login(SASL_USER);
	assert_null(login_words(running, SPAN("bob"), SPAN("wrong")));
	wait_at_gate(2);
	waiting = world_login(SASL_USER);
	assert_null(login_words(waiting, SPAN("sha1"), SPAN("wrong")));
	while (w.answers < 2)	/* both may come in one turn of the loop */
		(void)world_await(NULL);
	(void)pthread_mutex_unlock(&gate);
	a = &waiting->answer;
	assert_true(a->said == LOGIN_SAYS_BUSY && a->why.kind == ERR_BUSY && strcmp(a->user, "sha1") == 0 && strstr(a->why.text, "waited"));
	a = &running->answer;
	assert_true(a->said == LOGIN_SAYS_BUSY && strcmp(a->user, "bob") == 0 && strstr(a->why.text, "was hashed"));
	admission_counts(w.admission, &c);
	assert_int_equal(c.failed_logins, 0);
	login_end(&good);
	login_end(&running);
	login_end(&waiting);
	assert_int_equal(at_gate, 2);	/* what was given up was not hashed */
	w.logins->queue_ms = LOGIN_QUEUE_MS;
	assert_int_equal(try(SASL_USER, "sha1", "geheim").said, LOGIN_SAYS_GOOD);
	world_end();
}

static void a_full_queue_is_busy(void **state)
{
	struct login *running, *first, *second, *other;
	const struct login_answer *a;
	struct admission_counts c;

	(void)state;
	world_begin(NULL);
	gated(1, 4);		/* so one waits of a prefix */
	(void)pthread_mutex_lock(&gate);
	running = world_login(SASL_USER);
	assert_null(login_words(running, SPAN("bob"), SPAN("geheim")));
	wait_at_gate(1);
	first = world_login(SASL_USER);
	assert_null(login_words(first, SPAN("nobody"), SPAN("geheim")));
	second = world_login(SASL_PLAIN);
	a = login_step(second, true, SPAN("\0bob\0geheim"));
	assert_non_null(a);
	assert_true(a->said == LOGIN_SAYS_BUSY && a->why.kind == ERR_BUSY);
	assert_string_equal(a->user, "bob");
	w.from = "198.51.100.1";
	other = world_login(SASL_USER);
	assert_null(login_words(other, SPAN("sha1"), SPAN("geheim")));
	(void)pthread_mutex_unlock(&gate);
	for (int n = 0; n < 3; n++)
		a = world_await(NULL);
	assert_int_equal(w.answers, 3);
	admission_counts(w.admission, &c);
	assert_true(c.failed_logins == 1 && c.good_logins == 2);
	login_end(&running);
	login_end(&first);
	login_end(&second);
	login_end(&other);
	world_end();
}

/* In each state; nothing comes after, nothing leaks, and what was hashed for nobody counts. */
static void it_ends_at_any_time(void **state)
{
	struct admission_counts c;
	struct login *x, *queued;

	(void)state;
	world_begin(&strict);
	gated(1, 64);
	x = world_login(SASL_USER);		/* nothing was said */
	login_end(&x);
	login_end(&x);
	x = world_login(SASL_SCRAM_SHA_256);	/* in the middle of an exchange */
	assert_int_equal(login_step(x, true, SPAN("n,,n=bob,r=abcdefgh"))->said, LOGIN_SAYS_MORE);
	login_end(&x);
	(void)pthread_mutex_lock(&gate);
	x = world_login(SASL_USER);
	assert_null(login_words(x, SPAN("bob"), SPAN("falsch")));
	wait_at_gate(1);
	queued = world_login(SASL_USER);
	assert_null(login_words(queued, SPAN("bob"), SPAN("falsch")));
	login_end(&queued);			/* in the queue */
	login_end(&x);				/* while it is hashed */
	admission_counts(w.admission, &c);
	assert_int_equal(c.failed_logins, 0);
	(void)pthread_mutex_unlock(&gate);
	do
		admission_counts(w.admission, &c);
	while (!c.failed_logins);
	assert_int_equal(c.failed_logins, 1);
	x = world_login(SASL_USER);		/* before its turn, with the password kept */
	assert_null(login_words(x, SPAN("bob"), SPAN("falsch")));
	assert_int_equal(x->at, AT_TURN);
	login_end(&x);
	x = world_login(SASL_APOP);
	w.from = "192.0.2.77";
	login_end(&x);
	x = world_login(SASL_APOP);		/* while the refusal is held back */
	assert_null(login_words(x, SPAN("eva"), SPAN("00000000000000000000000000000000")));
	assert_int_equal(x->at, AT_DELAY);
	login_end(&x);
	assert_int_equal(w.answers, 0);
	world_end();
}

/* The service stops, while passwords are hashed that nobody waits for any more. */
static void it_stops_while_passwords_are_hashed(void **state)
{
	struct login *x[3];

	(void)state;
	world_begin(NULL);
	gated(2, 64);
	(void)pthread_mutex_lock(&gate);
	for (unsigned n = 0; n < 3; n++) {
		x[n] = world_login(SASL_USER);
		assert_null(login_words(x[n], SPAN("bob"), SPAN("falsch")));
	}
	wait_at_gate(2);
	for (unsigned n = 0; n < 3; n++)
		login_end(&x[n]);
	(void)pthread_mutex_unlock(&gate);
	world_end();
}

static void ending_it(void *user, const struct login_answer *a)
{
	struct login **x = user;

	assert_int_equal(a->said, LOGIN_SAYS_WRONG);
	login_end(x);
	loop_stop(w.loop);
}

static void the_answer_may_end_it(void **state)
{
	union address from, at;
	struct login *x;
	struct login_who who = { .peer = &from, .local = &at, .answer = ending_it, .user = &x };

	(void)state;
	for (int strictly = 0; strictly < 2; strictly++) {
		world_begin(strictly ? &strict : NULL);
		who.loop = w.loop;
		assert_true(address_parse("192.0.2.1", 1, &from) && address_parse("192.0.2.2", 1, &at));
		x = login_begin(w.logins, &who, SASL_USER, &fixture_err);
		must(x);
		assert_null(login_words(x, SPAN("nobody"), SPAN("x")));
		timer_set(w.guard, 30000, 0);
		loop_run(w.loop);
		assert_null(x);
		world_end();
	}
}

/* While it is hashed, and in every wait, there is one copy of a password, where it waits. */
static void one_copy_waits(void **state)
{
	static const struct span plain = SPAN("\0bob\0geheim");
	const struct admission_limits slow = { .failed_delay_ms = 60000 };

	(void)state;
	for (unsigned penalty = 0; penalty < 2; penalty++) {
		struct login *x, *before;

		world_begin(penalty ? &slow : NULL);
		gated(1, 8);
		before = world_login(SASL_APOP);
		if (penalty)
			assert_null(login_words(before, SPAN("bob"), SPAN("no digest")));	/* counted; the refusal is held back */
		x = world_login(SASL_PLAIN);
		(void)pthread_mutex_lock(&gate);
		assert_null(login_step(x, true, plain));
		assert_int_equal(x->at, penalty ? AT_TURN : AT_QUEUE);
		assert_null(x->sasl);
		assert_int_equal(x->kept != NULL, penalty);
		if (penalty)
			assert_true(span_equal(x->words, SPAN("geheim")) && x->words.at == x->kept && x->kept_len == 6);
		(void)pthread_mutex_unlock(&gate);
		login_end(&x);
		login_end(&before);
		world_end();
	}
}

/* Whoever saw a digest over no stamp could say it again. */
static void apop_needs_a_stamp(void **state)
{
	(void)state;
	world_begin(NULL);
	for (unsigned stamp = 0; stamp < 2; stamp++) {
		struct login *x = world_login(SASL_APOP);
		char digest[APOP_DIGEST];
		const struct login_answer *a;

		if (!stamp)
			x->who.apop_stamp = "";
		assert_true(apop_digest(span_of(x->who.apop_stamp), SPAN("geheim"), digest));
		a = world_await(login_words(x, SPAN("carl"), (struct span){ digest, 32 }));
		assert_int_equal(a->said, stamp ? LOGIN_SAYS_GOOD : LOGIN_SAYS_WRONG);
		login_end(&x);
	}
	world_end();
}

/* An authzid that is cut to the account's name is another one. */
static void a_longer_authzid_is_another(void **state)
{
	char name[ACCOUNT_NAME_MAX + 1], text[2 * ACCOUNT_NAME_MAX + 32];

	(void)state;
	memset(name, 'x', ACCOUNT_NAME_MAX);
	name[ACCOUNT_NAME_MAX] = '\0';
	world_begin(NULL);
	must(account_add(w.store, name, SPAN("geheim"), 0, &fixture_err));
	for (unsigned more = 0; more < 2; more++) {
		struct login *x = world_login(SASL_PLAIN);
		int n = snprintf(text, sizeof text, "%s%s\t%s\tgeheim", name, more ? "y" : "", name);
		const struct login_answer *a;

		for (int i = 0; i < n; i++)
			text[i] = (char)(text[i] == '\t' ? '\0' : text[i]);
		a = world_await(login_step(x, true, (struct span){ text, (size_t)n }));
		assert_int_equal(a->said, more ? LOGIN_SAYS_WRONG : LOGIN_SAYS_GOOD);
		login_end(&x);
	}
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changes_meanwhile_is_wrong),
		cmocka_unit_test(keys_that_change_prove_nothing),
		cmocka_unit_test(wrong_words_cost_time),
		cmocka_unit_test(no_proof_is_judged_before_its_turn),
		cmocka_unit_test(who_is_right_waits_too_and_is_forgiven),
		cmocka_unit_test(attempts_side_by_side_are_delayed),
		cmocka_unit_test(nobody_waits_for_ever),
		cmocka_unit_test(a_full_queue_is_busy),
		cmocka_unit_test(it_ends_at_any_time),
		cmocka_unit_test(it_stops_while_passwords_are_hashed),
		cmocka_unit_test(the_answer_may_end_it),
		cmocka_unit_test(one_copy_waits),
		cmocka_unit_test(apop_needs_a_stamp),
		cmocka_unit_test(a_longer_authzid_is_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
