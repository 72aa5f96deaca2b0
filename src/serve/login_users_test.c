/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins of users that are not the internal database's: those of a passwd-file, and those who are judged elsewhere, by a fake. */
#include "base/log.h"
#include "serve/login_fixture.h"
#include "serve/login_inside.h"

static char path[96];

/* Who judges: the account "pam", with "geheim", unless it is told what to say; on the loop, after a moment. */
struct asked {
	struct timer *timer;
	struct elsewhere_ask ask;
	char account[ACCOUNT_NAME_MAX + 1], service[16], secret[64], rhost[ADDRESS_TEXT];
};

static struct fake {
	enum elsewhere_said said;
	bool say, full;
	const char *claim, *why;
	unsigned asked, ended, told;
	struct asked *held;		/* with `hold`: nothing is said */
	bool hold, token;
} fake;

static void fake_say(void *user)
{
	struct asked *a = user;
	bool right = strcmp(a->secret, "geheim") == 0 && strcmp(a->account, "pam") == 0;

	fake.told++;
	a->ask.done(a->ask.user, fake.say ? fake.said : right ? ELSEWHERE_RIGHT : ELSEWHERE_WRONG, fake.claim, fake.why);
}

static void *fake_ask(void *context, const struct elsewhere_ask *ask, struct err *e)
{
	struct asked *a;

	assert_ptr_equal(context, &fake);
	if (fake.full) {
		(void)err_set(e, ERR_BUSY, "the fake is full");
		return NULL;
	}
	a = calloc(1, sizeof *a);
	assert_non_null(a);
	a->ask = *ask;
	(void)snprintf(a->account, sizeof a->account, "%s", ask->account);
	(void)snprintf(a->service, sizeof a->service, "%s", ask->service ? ask->service : "");
	(void)snprintf(a->secret, sizeof a->secret, "%.*s", (int)ask->secret.len, ask->secret.at);
	(void)snprintf(a->rhost, sizeof a->rhost, "%s", ask->rhost);
	assert_string_equal(a->rhost, w.from);
	assert_string_equal(a->service, fake.token ? "" : "fake");
	a->timer = timer_new(ask->loop, fake_say, a);
	fake.asked++;
	if (fake.hold)
		fake.held = a;
	else
		timer_set(a->timer, 1, 0);
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

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

static const char users_text[] =
	"file:{SSHA}hLrLrtElJYykdAerPrWAdJhC3hyeKOPU:1:1::/h/file::userdb_mail=maildir:~/Maildir\n"
	"plain:{PLAIN}geheim\n"
	"scram:{SCRAM-SHA-256}4096,s9riNA703L+see2GzJxyKg==,HIOJ5YmYtNXHNZoWN1jIu2M2Y90rd0TRPpmAvz6UtZ0=,NgGzS/v/2Asyv/sTpqNWONbtSyicB1tI3BGCiGBZRUM=\n"
	"sha1scram:{SCRAM-SHA-1}4096,Y9/eZXCx0gJOF7JL/Mm2IA==,Z3ecyCxBhudc7ewmOWeBvJ2YFsI=,sqDzyNk8uL54mo/nBPucr1tZE6A=\n"
	"near:{PLAIN}geheim::::::allow_nets=198.51.100.0/24\n"
	"as:{PLAIN}geheim::::::user=file\n"
	"bob:{PLAIN}neu\n";

static void reload(struct users *u, const char *order)
{
	struct pop3_users list[3];
	struct pop3_settings p = { .users = list };
	struct settings s = { .pop3 = &p };
	struct users_sources *read;

	for (; order[p.user_count]; p.user_count++)
		list[p.user_count] = order[p.user_count] == 'i' ? (struct pop3_users){ POP3_USERS_INTERNAL, NULL } :
			order[p.user_count] == 'f' ? (struct pop3_users){ POP3_USERS_PASSWD_FILE, path } : (struct pop3_users){ POP3_USERS_PAM, "fake" };
	read = users_read(u, &s, &fixture_err);
	must(read);
	users_take(u, &read);
}

static struct users *begin(const struct admission_limits *limits, const char *order)
{
	const struct pop3_users internal = { POP3_USERS_INTERNAL, NULL };
	struct pop3_settings p = { .users = &internal, .user_count = 1 };
	struct settings s = { .pop3 = &p };
	struct users *u;

	world_begin(limits);
	(void)snprintf(path, sizeof path, "%s/users", w.directory);
	put(users_text);
	u = users_new(w.store, &s, &fixture_err);
	must(u);
	reload(u, order);
	logins_free(&w.logins);
	w.logins = logins_new(&(struct logins_with){ .store = w.store, .admission = w.admission, .users = u, .holds = world_holds, .pam = &judge }, &fixture_err);
	must(w.logins);
	memset(&fake, 0, sizeof fake);
	return u;
}

static void end(struct users *u)
{
	assert_int_equal(fake.asked, fake.ended);
	logins_free(&w.logins);
	users_free(&u);
	world_end();
}

static void assert_refused(struct told t)
{
	if (t.said != LOGIN_SAYS_WRONG)
		fail_msg("%d by %s: %s", t.said, t.how, t.account);
}

static void users_of_a_file_log_in(void **state)
{
	struct users *u = begin(NULL, "fi");
	struct told t;

	(void)state;
	t = try(SASL_USER, "file", "geheim");
	assert_how(t, "hash", 1);
	assert_string_equal(t.account, "file");
	assert_how(try(SASL_PLAIN, "file", "geheim"), "cache", 0);
	assert_wrong(try(SASL_USER, "file", "falsch"));
	assert_how(try(SASL_USER, "plain", "geheim"), "secret", 0);
	assert_how(try(SASL_APOP, "plain", "geheim"), "proof", 0);
	assert_how(try(SASL_CRAM_MD5, "plain", "geheim"), "proof", 0);
	assert_refused(try(SASL_CRAM_MD5, "plain", "falsch"));
	t = try(SASL_SCRAM_SHA_256, "scram", "geheim");
	assert_how(t, "proof", 0);
	assert_true(t.verified);
	assert_how(try(SASL_SCRAM_SHA_1, "sha1scram", "geheim"), "proof", 0);
	assert_how(try(SASL_LOGIN, "scram", "geheim"), "hash", 1);
	/* Where the mechanism has nothing to go by, the refusal is a wrong password's. */
	assert_refused(try(SASL_APOP, "file", "geheim"));
	assert_refused(try(SASL_CRAM_MD5, "scram", "geheim"));
	assert_refused(try(SASL_SCRAM_SHA_256, "plain", "geheim"));
	assert_refused(try(SASL_SCRAM_SHA_1, "scram", "geheim"));
	/* The file's bob, by nothing of the database's bob. */
	assert_refused(try(SASL_USER, "bob", "geheim"));
	assert_refused(try(SASL_SCRAM_SHA_256, "bob", "geheim"));
	assert_how(try(SASL_USER, "bob", "neu"), "secret", 0);
	assert_how(try(SASL_SCRAM_SHA_1, "carl", "geheim"), "proof", 0);
	assert_refused(try(SASL_USER, "near", "geheim"));
	w.from = "198.51.100.7";
	assert_how(try(SASL_USER, "near", "geheim"), "secret", 0);
	t = try(SASL_USER, "as", "geheim");
	assert_string_equal(t.account, "file");
	end(u);
}

/* As many steps, one hash, the same words: also for who is in no file. */
static void nobody_can_be_told_from_somebody(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_USER, SASL_APOP, SASL_PLAIN, SASL_CRAM_MD5, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1 };
	struct users *u = begin(NULL, "if");

	(void)state;
	for (size_t n = 0; n < COUNT(mechs); n++) {
		struct told known = try(mechs[n], "file", "falsch"), unknown = try(mechs[n], "nobody", "falsch");

		assert_int_equal(known.said, LOGIN_SAYS_WRONG);
		assert_int_equal(unknown.said, LOGIN_SAYS_WRONG);
		assert_true(known.steps == unknown.steps && known.hashed == unknown.hashed && known.later == unknown.later);
	}
	end(u);
}

/* What is remembered lets in nobody else, nor him after the file changed. */
static void the_cache_follows_the_file(void **state)
{
	struct users *u = begin(NULL, "fi");

	(void)state;
	assert_how(try(SASL_USER, "file", "geheim"), "hash", 1);
	assert_how(try(SASL_USER, "file", "geheim"), "cache", 0);
	/* The same account and verifier, by another source's word: not what was proved. */
	put("file:{SSHA}hLrLrtElJYykdAerPrWAdJhC3hyeKOPU::::::nologin\nother:{SSHA}hLrLrtElJYykdAerPrWAdJhC3hyeKOPU\n#\n");
	reload(u, "fi");
	assert_refused(try(SASL_USER, "file", "geheim"));
	assert_how(try(SASL_USER, "other", "geheim"), "hash", 1);
	put("file:{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
	reload(u, "fi");
	assert_wrong(try(SASL_USER, "file", "geheim"));
	assert_refused(try(SASL_USER, "other", "geheim"));
	reload(u, "i");
	assert_refused(try(SASL_USER, "file", "geheim"));
	end(u);
}

static void who_is_judged_elsewhere(void **state)
{
	struct users *u = begin(NULL, "ifp");
	struct told t;

	(void)state;
	t = try(SASL_USER, "pam", "geheim");
	assert_how(t, "pam", 0);
	assert_true(t.later && fake.asked == 1);
	assert_string_equal(t.account, "pam");
	assert_how(try(SASL_PLAIN, "PAM", "geheim"), "cache", 0);
	assert_int_equal(fake.asked, 1);
	fake.why = "no such luck\n";
	t = try(SASL_USER, "pam", "falsch");
	assert_int_equal(t.said, LOGIN_SAYS_WRONG);
	assert_string_equal(t.why, "no such luck?");
	assert_true(t.hashed == 0 && fake.asked == 2);
	assert_refused(try(SASL_USER, "nobody", "geheim"));
	/* Nothing but a password says that there is such a user. */
	assert_refused(try(SASL_APOP, "pam", "geheim"));
	assert_refused(try(SASL_CRAM_MD5, "pam", "geheim"));
	assert_refused(try(SASL_SCRAM_SHA_256, "pam", "geheim"));
	assert_int_equal(fake.asked, 3);
	/* Who is known elsewhere is not asked about. */
	assert_refused(try(SASL_USER, "bob", "falsch"));
	assert_refused(try(SASL_USER, "file", "falsch"));
	assert_int_equal(fake.asked, 3);
	end(u);
}

static void what_elsewhere_may_say(void **state)
{
	static const struct row { bool say; enum elsewhere_said what; const char *claim; enum login_said said; } rows[] = {
		{ true, ELSEWHERE_BUSY, NULL, LOGIN_SAYS_BUSY }, { true, ELSEWHERE_WRONG, NULL, LOGIN_SAYS_WRONG }, { true, ELSEWHERE_WRONG, "pam", LOGIN_SAYS_WRONG },
		{ true, ELSEWHERE_RIGHT, "pam", LOGIN_SAYS_GOOD }, { true, ELSEWHERE_RIGHT, "Pam", LOGIN_SAYS_GOOD }, { true, ELSEWHERE_RIGHT, "bob", LOGIN_SAYS_WRONG },
		{ true, ELSEWHERE_RIGHT, "", LOGIN_SAYS_WRONG }, { true, ELSEWHERE_RIGHT, "pam@x.example", LOGIN_SAYS_WRONG },
	};
	struct users *u = begin(NULL, "ip");
	struct admission_counts before, after;

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		char password[16];

		(void)snprintf(password, sizeof password, "p%zu", n);
		fake.say = rows[n].say;
		fake.said = rows[n].what;
		fake.claim = rows[n].claim;
		admission_counts(w.admission, &before);
		if (try(SASL_USER, "pam", password).said != rows[n].said)
			fail_msg("row %zu", n);
		admission_counts(w.admission, &after);
		assert_int_equal(after.failed_logins - before.failed_logins, rows[n].said == LOGIN_SAYS_WRONG);
	}
	fake.full = true;
	admission_counts(w.admission, &before);
	assert_int_equal(try(SASL_USER, "pam", "voll").said, LOGIN_SAYS_BUSY);
	admission_counts(w.admission, &after);
	assert_int_equal(after.failed_logins, before.failed_logins);
	end(u);
}

/* The whole exchange; login_token_test.c looks at its parts. */
static struct told try_token(const char *name, const char *token)
{
	struct login *x = world_login(SASL_XOAUTH2);
	const struct login_answer *a;
	struct told t = { 0 };
	char message[128];

	(void)snprintf(message, sizeof message, "user=%s\1auth=Bearer %s\1\1", name, token);
	a = world_await(login_step(x, true, span_of(message)));
	if (a->said == LOGIN_SAYS_MORE)
		a = world_await(login_step(x, true, SPAN("")));
	told_of(&t, a);
	login_end(&x);
	return t;
}

/* A token is asked about each time, and whom only PAM knows it lets in never. */
static void tokens_are_judged_elsewhere(void **state)
{
	struct users *u = begin(NULL, "ifp");

	(void)state;
	assert_int_equal(try_token("bob", "token").said, LOGIN_SAYS_BUSY);	/* by nobody */
	logins_free(&w.logins);
	w.logins = logins_new(&(struct logins_with){ .store = w.store, .admission = w.admission, .users = u, .token = &judge }, &fixture_err);
	must(w.logins);
	fake.token = fake.say = true;
	fake.said = ELSEWHERE_RIGHT;
	assert_how(try_token("bob", "token"), "token", 0);
	assert_how(try_token("bob", "token"), "token", 0);
	assert_how(try_token("file", "token"), "token", 0);
	assert_int_equal(fake.asked, 3);
	assert_refused(try_token("pam", "token"));
	assert_refused(try_token("anna", "token"));	/* she cannot log in */
	fake.claim = "carl";
	assert_refused(try_token("bob", "token"));
	fake.claim = "chef";				/* bob's alias */
	assert_how(try_token("bob", "token"), "token", 0);
	must(route_add(w.store, "*@shop.example", "bob", ACCOUNT_ANY_DOMAIN, &fixture_err));
	fake.claim = "anybody@shop.example";		/* an address is no account */
	assert_refused(try_token("bob", "token"));
	assert_refused(try_token("anybody@shop.example", "token"));
	fake.claim = NULL;
	fake.said = ELSEWHERE_WRONG;
	assert_refused(try_token("bob", "token"));
	assert_int_equal(fake.asked, 10);
	end(u);
}

/* A login that ends meanwhile ends the job, and hears nothing. */
static void who_goes_hears_nothing(void **state)
{
	struct users *u = begin(NULL, "p");
	struct login *x = world_login(SASL_USER);

	(void)state;
	fake.hold = true;
	assert_null(login_words(x, SPAN("pam"), SPAN("geheim")));
	assert_true(fake.asked == 1 && fake.held);
	login_end(&x);
	assert_true(fake.ended == 1 && fake.told == 0 && w.answers == 0);
	end(u);
}

static void no_judge_is_busy(void **state)
{
	struct users *u = begin(NULL, "p");
	struct told t;

	(void)state;
	logins_free(&w.logins);
	w.logins = logins_new(&(struct logins_with){ .store = w.store, .admission = w.admission, .users = u }, &fixture_err);
	t = try(SASL_USER, "pam", "geheim");
	assert_int_equal(t.said, LOGIN_SAYS_BUSY);
	assert_non_null(strstr(t.why, "nobody here who could judge"));
	end(u);
}

/* A guess beside others that failed gets no answer before its turn, nor any but "blocked" from a blocked address. */
static void guesses_side_by_side_wait(void **state)
{
	static const struct admission_limits limits = { .failed_limit = 2, .failed_delay_ms = 1, .failed_block_ms = 60000 };
	struct users *u = begin(&limits, "p");
	struct login *x = world_login(SASL_USER);
	const struct login_answer *a;

	(void)state;
	fake.hold = true;
	assert_null(login_words(x, SPAN("pam"), SPAN("geheim")));
	fake.hold = false;
	assert_refused(try(SASL_USER, "pam", "a"));
	assert_int_equal(try(SASL_USER, "pam", "b").said, LOGIN_SAYS_BLOCKED);
	timer_set(fake.held->timer, 1, 0);
	a = world_await(NULL);
	assert_int_equal(a->said, LOGIN_SAYS_BLOCKED);
	login_end(&x);
	end(u);
}

static void the_maildir_comes_with_the_answer(void **state)
{
	static const struct row { const char *name, *mail; } rows[] = { { "file", "/h/file/Maildir" }, { "as", "/h/file/Maildir" }, { "plain", "" }, { "carl", "" } };
	struct users *u = begin(NULL, "fi");

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct login *x = world_login(SASL_USER);
		const struct login_answer *a = world_await(login_words(x, span_of(rows[n].name), SPAN("geheim")));

		assert_int_equal(a->said, LOGIN_SAYS_GOOD);
		assert_string_equal(a->mail, rows[n].mail);
		login_end(&x);
	}
	end(u);
}

static void mechanisms_that_can_work(void **state)
{
	struct users *u = begin(NULL, "p");
	uint32_t clear = 1U << SASL_USER | 1U << SASL_PLAIN | 1U << SASL_LOGIN;

	(void)state;
	assert_int_equal(login_mechs(w.logins), clear);
	put("a:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\n");
	reload(u, "f");
	assert_int_equal(login_mechs(w.logins), clear | 1U << SASL_EXTERNAL);
	put("a:{PLAIN}x\n");
	reload(u, "f");
	assert_int_equal(login_mechs(w.logins), clear | 1U << SASL_EXTERNAL | 1U << SASL_CRAM_MD5 | 1U << SASL_APOP);
	end(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_of_a_file_log_in),
		cmocka_unit_test(nobody_can_be_told_from_somebody),
		cmocka_unit_test(the_cache_follows_the_file),
		cmocka_unit_test(who_is_judged_elsewhere),
		cmocka_unit_test(what_elsewhere_may_say),
		cmocka_unit_test(tokens_are_judged_elsewhere),
		cmocka_unit_test(who_goes_hears_nothing),
		cmocka_unit_test(no_judge_is_busy),
		cmocka_unit_test(guesses_side_by_side_wait),
		cmocka_unit_test(the_maildir_comes_with_the_answer),
		cmocka_unit_test(mechanisms_that_can_work),
	};
	struct err e;

	return log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
