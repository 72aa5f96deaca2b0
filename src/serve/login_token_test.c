/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins by token (OAUTHBEARER, XOAUTH2), judged by a fake: "token-NAME" is NAME's, where + is @ and / is #. */
#include "base/log.h"
#include "serve/login_fixture.h"
#include "store/domain.h"
#include "store/route.h"

struct asked {
	struct timer *timer;
	struct elsewhere_ask ask;
	char secret[64];
};

static struct fake {
	bool full, busy, unclaimed;
	unsigned asked, ended, said;
	char account[ACCOUNT_NAME_MAX + 1];
} fake;

static void fake_say(void *user)
{
	struct asked *a = user;
	bool right = strncmp(a->secret, "token-", 6) == 0;

	fake.said++;
	if (fake.busy)
		a->ask.done(a->ask.user, ELSEWHERE_BUSY, NULL, "the fake is down");
	else if (right)
		a->ask.done(a->ask.user, ELSEWHERE_RIGHT, fake.unclaimed ? NULL : a->secret + 6, NULL);
	else
		a->ask.done(a->ask.user, ELSEWHERE_WRONG, NULL, "the fake does not know it");
}

static void *fake_ask(void *context, const struct elsewhere_ask *ask, struct err *e)
{
	struct asked *a;

	assert_ptr_equal(context, &fake);
	assert_null(ask->service);
	assert_string_equal(ask->rhost, w.from);
	if (fake.full) {
		(void)err_set(e, ERR_BUSY, "the fake is full");
		return NULL;
	}
	a = calloc(1, sizeof *a);
	assert_non_null(a);
	a->ask = *ask;
	(void)snprintf(a->secret, sizeof a->secret, "%.*s", (int)ask->secret.len, ask->secret.at);
	for (char *c = a->secret; *c; c++)
		*c = *c == '+' ? '@' : *c == '/' ? '#' : *c;
	(void)snprintf(fake.account, sizeof fake.account, "%s", ask->account);
	a->timer = timer_new(ask->loop, fake_say, a);
	timer_set(a->timer, 1, 0);
	fake.asked++;
	return a;
}

static void fake_end(void *context, void *job)
{
	struct asked *a = job;

	assert_ptr_equal(context, &fake);
	timer_free(&a->timer);
	free(a);
	fake.ended++;
}

static const struct elsewhere judge = { &fake, fake_ask, fake_end };

static void begin(const struct admission_limits *limits, struct users *users)
{
	logins_free(&w.logins);
	if (limits) {
		admission_free(&w.admission);
		w.admission = admission_new(limits, &fixture_err);
		must(w.admission);
	}
	w.logins = logins_new(&(struct logins_with){ .store = w.store, .admission = w.admission, .users = users, .holds = world_holds, .token = &judge }, &fixture_err);
	must(w.logins);
	memset(&fake, 0, sizeof fake);
}

static void finish(void)
{
	assert_int_equal(fake.asked, fake.ended);
	world_end();
}

static struct span message(enum sasl_mech mech, const char *name, const char *token)
{
	static char text[1024];

	if (mech == SASL_XOAUTH2)
		(void)snprintf(text, sizeof text, "user=%s\1auth=Bearer %s\1\1", name, token);
	else
		(void)snprintf(text, sizeof text, "n,%s%s,\1host=mail.x.example\1auth=Bearer %s\1\1", *name ? "a=" : "", name, token);
	return span_of(text);
}

static uint64_t failures(void)
{
	struct admission_counts c;

	admission_counts(w.admission, &c);
	return c.failed_logins;
}

/* A refusal comes behind a challenge of JSON and what the client says to that; all that is looked at here, too. */
static struct told tell(enum sasl_mech mech, const char *name, const char *token)
{
	struct told t = { 0 };
	struct login *x = world_login(mech);
	uint64_t before = failures(), began = clock_mono_ms();
	const struct login_answer *a = world_await(login_step(x, true, message(mech, name, token)));

	t.steps = 1;
	if (a->said == LOGIN_SAYS_MORE) {
		assert_true(span_starts(a->challenge, mech == SASL_XOAUTH2 ? SPAN("{\"status\":\"401\"") : SPAN("{\"status\":\"invalid_token\"")));
		assert_int_equal(failures() - before, 1);	/* already: who goes now has failed */
		t.steps = 2;
		began = clock_mono_ms();
		a = login_step(x, true, SPAN("\1"));
		t.later = !a;
		a = world_await(a);
		assert_true(a->said == LOGIN_SAYS_WRONG || a->said == LOGIN_SAYS_BLOCKED);
		assert_int_equal(failures() - before, 1);
	} else {
		assert_int_equal(failures() - before, 0);
	}
	t.ms = clock_mono_ms() - began;
	told_of(&t, a);
	login_end(&x);
	return t;
}

static void good(enum sasl_mech mech, const char *name, const char *token, const char *account)
{
	struct told t = tell(mech, name, token);

	if (t.said != LOGIN_SAYS_GOOD || strcmp(t.account, account) != 0 || strcmp(t.how, "token") != 0)
		fail_msg("%s with %s: %d %s %s: %s", name, token, t.said, t.account, t.how, t.why);
}

static void wrong(enum sasl_mech mech, const char *name, const char *token, const char *why)
{
	struct told t = tell(mech, name, token);

	if (t.said != LOGIN_SAYS_WRONG || t.steps != 2 || !strstr(t.why, why))
		fail_msg("%s with %s: %d: %s", name, token, t.said, t.why);
}

static const enum sasl_mech both[] = { SASL_OAUTHBEARER, SASL_XOAUTH2 };

static void whose_token_it_is_comes_in([[maybe_unused]] void **state)
{
	world_begin(NULL);
	begin(NULL, NULL);
	for (size_t n = 0; n < COUNT(both); n++) {
		good(both[n], "bob", "token-bob", "bob");
		good(both[n], "BOB", "token-bob", "bob");
		good(both[n], "chef", "token-bob", "bob");	/* the alias of bob, */
		good(both[n], "bob", "token-chef", "bob");	/* on either side */
		wrong(both[n], "bob", "token-carl", "not for this account");
		wrong(both[n], "carl", "token-chef", "not for this account");
		wrong(both[n], "bob", "stolen", "the fake does not know it");
		wrong(both[n], "nobody", "token-nobody", "no such account");
		wrong(both[n], "bob", "token-nobody", "not for this account");
		wrong(both[n], "bob", "token-bob/bob", "not for this account");
		wrong(both[n], "bob", "token-", "not for this account");
		wrong(both[n], "nobody", "token-bob", "no such account");
		wrong(both[n], "#bob", "token-bob", "no such account");
	}
	finish();
}

/* The judge may remember whom a token names: that another one asks with it stays wrong, however often. */
static void nobody_comes_in_by_another_one_s([[maybe_unused]] void **state)
{
	world_begin(NULL);
	begin(NULL, NULL);
	for (unsigned n = 0; n < 3; n++) {
		good(SASL_XOAUTH2, "bob", "token-bob", "bob");
		wrong(SASL_XOAUTH2, "carl", "token-bob", "not for this account");
		assert_int_equal(fake.asked, 2 * n + 2);	/* and nothing is remembered here */
	}
	/* Nor by a token in place of a password that was right. */
	assert_int_equal(try(SASL_PLAIN, "carl", "token-carl").said, LOGIN_SAYS_WRONG);
	finish();
}

static void without_a_name_it_is_the_token_s([[maybe_unused]] void **state)
{
	struct told t;

	world_begin(NULL);
	begin(NULL, NULL);
	t = tell(SASL_OAUTHBEARER, "", "token-chef");
	assert_int_equal(t.said, LOGIN_SAYS_GOOD);
	assert_string_equal(t.account, "bob");
	assert_string_equal(t.user, "chef");
	assert_string_equal(t.box, "");
	wrong(SASL_OAUTHBEARER, "", "token-nobody", "no such account");
	wrong(SASL_OAUTHBEARER, "", "token-", "no such account");
	wrong(SASL_OAUTHBEARER, "", "stolen", "the fake does not know it");
	fake.unclaimed = true;
	wrong(SASL_OAUTHBEARER, "", "token-bob", "not for this account");
	good(SASL_OAUTHBEARER, "bob", "token-bob", "bob");
	assert_int_equal(tell(SASL_XOAUTH2, "", "token-bob").said, LOGIN_SAYS_MALFORMED);
	finish();
}

static void names_are_taken_apart([[maybe_unused]] void **state)
{
	struct told t;

	world_begin(NULL);
	must(domain_add(w.store, "client1.com", &fixture_err));
	must(route_add(w.store, "*@client1.com", "bob", 0, &fixture_err));
	begin(NULL, NULL);
	t = tell(SASL_XOAUTH2, "~carl/lists/info#chef", "token-bob");
	assert_int_equal(t.said, LOGIN_SAYS_GOOD);
	assert_string_equal(t.account, "bob");
	assert_string_equal(t.owner, "carl");
	assert_string_equal(t.box, "lists/info");
	assert_string_equal(fake.account, "bob");
	t = tell(SASL_OAUTHBEARER, "private#bob", "token-bob");
	assert_int_equal(t.said, LOGIN_SAYS_GOOD);
	assert_string_equal(t.box, "private");
	/* By a route of the domain bob sees what is for it; who has that address is not bob. */
	t = tell(SASL_XOAUTH2, "any@client1.com", "token-bob");
	assert_int_equal(t.said, LOGIN_SAYS_GOOD);
	assert_string_equal(t.routed, "any@client1.com");
	wrong(SASL_XOAUTH2, "any@client1.com", "token-any+client1.com", "not for this account");
	wrong(SASL_XOAUTH2, "bob", "token-any+client1.com", "not for this account");
	wrong(SASL_OAUTHBEARER, "", "token-any+client1.com", "not for this account");
	finish();
}

static void an_empty_challenge_asks_for_it([[maybe_unused]] void **state)
{
	world_begin(NULL);
	begin(NULL, NULL);
	for (size_t n = 0; n < COUNT(both); n++) {
		struct login *x = world_login(both[n]);
		const struct login_answer *a = world_await(login_step(x, false, (struct span){ 0 }));

		assert_int_equal(a->said, LOGIN_SAYS_MORE);
		assert_int_equal(a->challenge.len, 0);
		a = world_await(login_step(x, true, message(both[n], "bob", "token-bob")));
		assert_int_equal(a->said, LOGIN_SAYS_GOOD);
		login_end(&x);
	}
	finish();
}

static void who_cannot_judge_is_busy([[maybe_unused]] void **state)
{
	struct told t;

	world_begin(NULL);
	begin(NULL, NULL);
	fake.busy = true;
	t = tell(SASL_XOAUTH2, "bob", "token-bob");
	assert_int_equal(t.said, LOGIN_SAYS_BUSY);
	assert_string_equal(t.why, "the fake is down");
	fake.full = true;
	t = tell(SASL_OAUTHBEARER, "", "token-bob");
	assert_int_equal(t.said, LOGIN_SAYS_BUSY);
	assert_string_equal(t.why, "the fake is full");
	logins_free(&w.logins);
	w.logins = logins_new(&(struct logins_with){ .store = w.store, .admission = w.admission }, &fixture_err);
	must(w.logins);
	assert_int_equal(login_mechs(w.logins) & (1U << SASL_OAUTHBEARER | 1U << SASL_XOAUTH2), 0);
	assert_int_equal(tell(SASL_XOAUTH2, "bob", "token-bob").said, LOGIN_SAYS_BUSY);
	assert_int_equal(tell(SASL_XOAUTH2, "bob", "to\1ken").said, LOGIN_SAYS_MALFORMED);
	finish();
}

/* The refusal comes late, and the next try is asked about late; the endpoint hears nothing of it before. */
static void refusals_are_late([[maybe_unused]] void **state)
{
	static const struct admission_limits limits = { .failed_delay_ms = 100 };
	struct login *x;
	struct told t;
	uint64_t began;

	world_begin(NULL);
	begin(&limits, NULL);
	t = tell(SASL_OAUTHBEARER, "bob", "stolen");
	assert_true(t.said == LOGIN_SAYS_WRONG && t.later && t.ms >= 100);
	began = clock_mono_ms();
	x = world_login(SASL_XOAUTH2);		/* who does not wait for the refusal */
	assert_int_equal(world_await(login_step(x, true, message(SASL_XOAUTH2, "bob", "stolen")))->said, LOGIN_SAYS_MORE);
	login_end(&x);
	good(SASL_XOAUTH2, "bob", "token-bob", "bob");
	assert_true(clock_mono_ms() - began >= 200);
	t = tell(SASL_OAUTHBEARER, "", "stolen");
	assert_true(t.said == LOGIN_SAYS_WRONG && t.later && t.ms >= 100);
	began = clock_mono_ms();
	t = tell(SASL_OAUTHBEARER, "", "stolen");
	assert_true(clock_mono_ms() - began >= 200);
	finish();
}

static void one_too_many_blocks([[maybe_unused]] void **state)
{
	static const struct admission_limits limits = { .failed_limit = 2, .failed_delay_ms = 1, .failed_block_ms = 60000 };
	struct told t;

	world_begin(NULL);
	begin(&limits, NULL);
	assert_int_equal(tell(SASL_XOAUTH2, "bob", "stolen").said, LOGIN_SAYS_WRONG);
	t = tell(SASL_OAUTHBEARER, "", "stolen");
	assert_int_equal(t.said, LOGIN_SAYS_BLOCKED);
	assert_int_equal(t.steps, 2);
	t = tell(SASL_OAUTHBEARER, "", "token-bob");
	assert_int_equal(t.said, LOGIN_SAYS_BLOCKED);
	assert_int_equal(fake.asked, 2);
	finish();
}

/* Tokens that nobody put a name on count together only where they come from one place. */
static void strangers_hinder_nobody_without_a_name([[maybe_unused]] void **state)
{
	static const struct admission_limits limits = { .failed_delay_ms = 20000 };
	struct login *x;

	world_begin(NULL);
	begin(&limits, NULL);
	for (unsigned n = 0; n < 2; n++) {
		x = world_login(SASL_OAUTHBEARER);
		assert_int_equal(world_await(login_step(x, true, message(SASL_OAUTHBEARER, "", "stolen")))->said, LOGIN_SAYS_MORE);
		login_end(&x);
		w.from = "198.51.100.7";
	}
	assert_int_equal(failures(), 2);
	w.from = "203.0.113.99";
	good(SASL_OAUTHBEARER, "", "token-bob", "bob");
	finish();
}

/* At any time, and nothing comes afterwards. */
static void who_goes_hears_nothing([[maybe_unused]] void **state)
{
	struct login *x;

	world_begin(NULL);
	begin(NULL, NULL);
	x = world_login(SASL_XOAUTH2);
	assert_null(login_step(x, true, message(SASL_XOAUTH2, "bob", "token-bob")));
	login_end(&x);
	assert_true(fake.ended == 1 && fake.said == 0 && w.answers == 0);
	x = world_login(SASL_XOAUTH2);
	assert_int_equal(world_await(login_step(x, true, message(SASL_XOAUTH2, "bob", "stolen")))->said, LOGIN_SAYS_MORE);
	login_end(&x);
	assert_int_equal(failures(), 1);
	finish();
}

/* For the log: what was counted and not said. */
static void what_was_not_said_is_left([[maybe_unused]] void **state)
{
	static const struct admission_limits none = { 0 }, late = { .failed_delay_ms = 20000 }, last = { .failed_limit = 1, .failed_block_ms = 60000 };
	struct login *x;

	world_begin(NULL);
	begin(&none, NULL);
	x = world_login(SASL_XOAUTH2);
	assert_null(login_left(x));
	assert_int_equal(world_await(login_step(x, true, message(SASL_XOAUTH2, "bob", "stolen")))->said, LOGIN_SAYS_MORE);
	assert_int_equal(login_left(x)->said, LOGIN_SAYS_WRONG);
	assert_string_equal(login_left(x)->why.text, "the fake does not know it");
	assert_string_equal(login_left(x)->user, "bob");
	assert_int_equal(world_await(login_step(x, true, SPAN("")))->said, LOGIN_SAYS_WRONG);
	assert_null(login_left(x));
	login_end(&x);
	begin(&last, NULL);
	x = world_login(SASL_XOAUTH2);
	assert_int_equal(world_await(login_step(x, true, message(SASL_XOAUTH2, "bob", "stolen")))->said, LOGIN_SAYS_MORE);
	assert_int_equal(login_left(x)->said, LOGIN_SAYS_BLOCKED);
	login_end(&x);
	begin(&late, NULL);			/* and of a password */
	x = world_login(SASL_APOP);
	assert_null(login_left(x));
	assert_null(login_words(x, SPAN("carl"), SPAN("00000000000000000000000000000000")));
	assert_int_equal(login_left(x)->said, LOGIN_SAYS_WRONG);
	login_end(&x);
	x = world_login(SASL_XOAUTH2);		/* nothing is proved yet */
	w.from = "203.0.113.50";
	assert_null(login_step(x, true, message(SASL_XOAUTH2, "anna", "stolen")));
	assert_null(login_left(x));
	login_end(&x);
	finish();
}

static void the_account_must_be_known_to_a_source([[maybe_unused]] void **state)
{
	const struct pop3_users list[] = { { POP3_USERS_INTERNAL, NULL }, { POP3_USERS_PAM, "fake" } };
	struct pop3_settings p = { .users = list, .user_count = 2 };
	struct settings s = { .pop3 = &p };
	struct users *u;

	world_begin(NULL);
	u = users_new(w.store, &s, &fixture_err);
	must(u);
	begin(NULL, u);
	good(SASL_XOAUTH2, "bob", "token-bob", "bob");
	wrong(SASL_XOAUTH2, "pamuser", "token-pamuser", "");
	wrong(SASL_OAUTHBEARER, "", "token-pamuser", "");
	logins_free(&w.logins);
	users_free(&u);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_token_it_is_comes_in), cmocka_unit_test(nobody_comes_in_by_another_one_s),
		cmocka_unit_test(without_a_name_it_is_the_token_s), cmocka_unit_test(names_are_taken_apart),
		cmocka_unit_test(an_empty_challenge_asks_for_it), cmocka_unit_test(who_cannot_judge_is_busy), cmocka_unit_test(refusals_are_late),
		cmocka_unit_test(one_too_many_blocks), cmocka_unit_test(strangers_hinder_nobody_without_a_name),
		cmocka_unit_test(who_goes_hears_nothing), cmocka_unit_test(the_account_must_be_known_to_a_source),
		cmocka_unit_test(what_was_not_said_is_left),
	};
	struct err e;

	return log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
