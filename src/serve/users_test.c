/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/users.h"

#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "sasl/client.h"
#include "serve/schemes.h"
#include "store/alias.h"
#include "store/fixture.h"

#define MECH(name) (1U << SASL_##name)
#define CLEAR (MECH(USER) | MECH(PLAIN) | MECH(LOGIN))

static const char *directory;
static struct store *store;
static char path[96];

static void put(const char *text)
{
	char other[104];
	FILE *f;

	(void)snprintf(other, sizeof other, "%s.new", path);
	f = fopen(other, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0 && fclose(f) == 0 && rename(other, path) == 0);
}

static struct users *users(const struct pop3_users *list, size_t count, const char *main_domain)
{
	struct pop3_settings p = { .users = list, .user_count = count };
	struct settings s = { .pop3 = &p, .main_domain = main_domain };
	struct users *u = users_new(store, &s, &fixture_err);

	must(u);
	return u;
}

static bool take(struct users *u, const struct pop3_users *list, size_t count)
{
	struct pop3_settings p = { .users = list, .user_count = count };
	struct settings s = { .pop3 = &p };
	struct users_sources *read = users_read(u, &s, &fixture_err);

	if (read)
		users_take(u, &read);
	assert_null(read);
	return u && !fixture_err.kind;
}

static void begin(void)
{
	directory = fixture_directory();
	store = fixture_store(directory);
	(void)snprintf(path, sizeof path, "%s/users", directory);
	must(account_add(store, "bob", SPAN("geheim"), ACCOUNT_RECOVERABLE, &fixture_err));
	must(account_add(store, "only", SPAN("geheim"), 0, &fixture_err));
	put("anna:{PLAIN}x\nbob:{PLAIN}file\nfile:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\nlocked:!\n");
	fixture_err = (struct err){ 0 };
}

static void end(struct users **u)
{
	users_free(u);
	store_close(&store);
	fixture_remove(directory);
}

/* anna is in the database, but cannot log in there. */
static void the_first_source_that_knows_a_name_answers(void **state)
{
	static const struct row { const char *order, *name, *source; bool known, there, elsewhere, somebody; const char *password; } rows[] = {
		{ "if", "anna", "internal", true, false, false, true, NULL }, { "fi", "anna", "file", true, true, false, true, "x" },
		{ "if", "bob", "internal", true, true, false, true, "geheim" }, { "fi", "bob", "file", true, true, false, true, "file" },
		{ "if", "file", "file", true, true, false, true, "geheim" }, { "fi", "only", "internal", true, true, false, true, "geheim" },
		{ "f", "only", "file", false, false, false, false, NULL }, { "if", "nobody", "file", false, false, false, false, NULL },
		{ "fi", "nobody", "internal", false, false, false, false, NULL }, { "fi", "locked", "file", true, false, false, true, NULL },
		{ "p", "bob", "pam:login", true, true, true, false, NULL }, { "ifp", "bob", "internal", true, true, false, true, "geheim" },
		{ "ifp", "file", "file", true, true, false, true, "geheim" }, { "ifp", "nobody", "pam:login", true, true, true, false, NULL },
		{ "ifp", "locked", "file", true, false, false, true, NULL }, { "i", "file", "internal", false, false, false, false, NULL },
	};

	(void)state;
	begin();
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct pop3_users list[3];
		struct users *u;
		struct account_login l;
		char source[200];

		for (size_t n = 0; r->order[n]; n++)
			list[n] = r->order[n] == 'i' ? (struct pop3_users){ POP3_USERS_INTERNAL, NULL } :
				r->order[n] == 'f' ? (struct pop3_users){ POP3_USERS_PASSWD_FILE, path } : (struct pop3_users){ POP3_USERS_PAM, "login" };
		(void)snprintf(source, sizeof source, strcmp(r->source, "file") ? "%s" : "passwd-file:%s", strcmp(r->source, "file") ? r->source : path);
		u = users(list, strlen(r->order), NULL);
		users_find(u, r->name, NULL, &l);
		if (l.known != r->known || l.there != r->there || l.elsewhere != r->elsewhere || strcmp(l.source, source) || users_knows(u, r->name) != r->somebody)
			fail_msg("%s of %s: %d %d %d %s", r->name, r->order, l.known, l.there, l.elsewhere, l.source);
		if (r->elsewhere)
			assert_string_equal(l.verifier, "pam:login");
		else
			assert_int_equal(scheme_holds(l.verifier, span_of(r->password ? r->password : "x?")), !!r->password);
		/* Keys and secret are never another source's. */
		assert_int_equal(l.secret_len, r->password && strcmp(r->name, "file") && strcmp(r->name, "only") ? strlen(r->password) : 0);
		assert_string_equal(l.name, r->name);
		login_wipe(&l);
		users_free(&u);
	}
	store_close(&store);
	fixture_remove(directory);
}

/* "*" leads nobody away whom a file knows; a route is for who is not there. */
static void a_route_comes_behind_the_users_of_files(void **state)
{
	static const struct row { const char *name, *account, *routed; bool known; } rows[] = {
		{ "x@x.example", "x@x.example", "", true }, { "X%X.example", "x@x.example", "", true }, { "y@x.example", "bob", "y@x.example", true },
		{ "bob", "bob", "", true }, { "nobody", "nobody", "", false }, { "z@y.example", "z@y.example", "", false },
	};
	const struct pop3_users list[] = { { POP3_USERS_INTERNAL, NULL }, { POP3_USERS_PASSWD_FILE, path } };
	struct resolved r;
	struct users *u;

	(void)state;
	begin();
	must(route_add(store, "*@x.example", "bob", ACCOUNT_ANY_DOMAIN, &fixture_err));
	put("x@x.example:{PLAIN}x\n");
	u = users(list, 2, NULL);
	for (const struct row *w = rows; w < rows + COUNT(rows); w++)
		if (users_resolve(u, span_of(w->name), NULL, NULL, &r) != w->known || strcmp(r.account, w->account) || strcmp(r.routed, w->routed))
			fail_msg("%s: %s %s", w->name, r.account, r.routed);
	end(&u);
}

/* What costs how much: an unknown name is like some user of the last source, the same one at each try. */
static void nobody_costs_what_somebody_does(void **state)
{
	const struct pop3_users list[] = { { POP3_USERS_INTERNAL, NULL }, { POP3_USERS_PASSWD_FILE, path } };
	struct account_login one, again;
	struct users *u;
	unsigned seen = 0;

	(void)state;
	begin();
	u = users(list, 2, NULL);
	for (unsigned n = 0; n < 64; n++) {
		char name[16];

		(void)snprintf(name, sizeof name, "nobody%u", n);
		users_find(u, name, NULL, &one);
		users_find(u, name, NULL, &again);
		assert_memory_equal(&one, &again, sizeof one);
		assert_true(!one.there && !one.secret_len && one.verifier[0] == '{');
		seen |= strncmp(one.verifier, "{SHA}", 5) == 0 ? 1 : 2;
	}
	assert_int_equal(seen, 3);
	assert_true(take(u, list, 1));
	users_find(u, "nobody0", NULL, &one);
	assert_string_equal(one.verifier, verifier_of_nobody());
	end(&u);
}

static void mechanisms_are_what_can_work(void **state)
{
	static const uint32_t scram = MECH(SCRAM_SHA_1) | MECH(SCRAM_SHA_1_PLUS) | MECH(SCRAM_SHA_256) | MECH(SCRAM_SHA_256_PLUS), secret = MECH(APOP) | MECH(CRAM_MD5);
	const struct pop3_users file = { POP3_USERS_PASSWD_FILE, path }, internal = { POP3_USERS_INTERNAL, NULL }, pam = { POP3_USERS_PAM, "x" };
	struct users *u;

	(void)state;
	begin();
	u = users(&internal, 1, NULL);
	assert_int_equal(users_mechs(u), CLEAR | secret | scram | MECH(EXTERNAL));
	assert_true(take(u, &pam, 1));
	assert_int_equal(users_mechs(u), CLEAR);
	assert_true(take(u, &file, 1));
	assert_int_equal(users_mechs(u), CLEAR | secret | MECH(EXTERNAL));
	put("a:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\n");
	assert_true(take(u, &file, 1));		/* a reload looks at once */
	assert_int_equal(users_mechs(u), CLEAR | MECH(EXTERNAL));
	end(&u);
}

static void a_change_of_the_file_is_seen_by_itself(void **state)
{
	const struct pop3_users list[] = { { POP3_USERS_INTERNAL, NULL }, { POP3_USERS_PASSWD_FILE, path } };
	uint64_t late = clock_mono_ms() + 30000;
	struct users *u;

	(void)state;
	begin();
	u = users(list, 1, "main.example");
	assert_false(users_knows(u, "anna@main.example"));
	assert_true(take(u, list, 2));		/* the thread slept without files */
	put("new:{PLAIN}x\n");
	while (!users_knows(u, "new") && clock_mono_ms() < late)
		(void)poll(NULL, 0, 10);
	assert_true(users_knows(u, "new") && !users_knows(u, "file"));
	end(&u);
}

/* All or nothing: a file that is not there leaves everything as it was. */
static void a_refused_reload_changes_nothing(void **state)
{
	const struct pop3_users file = { POP3_USERS_PASSWD_FILE, path }, both[] = { { POP3_USERS_PASSWD_FILE, path }, { POP3_USERS_PASSWD_FILE, "/tmp/postrider-no-such-file" } };
	struct pop3_settings p = { .users = both, .user_count = 2 };
	struct settings s = { .pop3 = &p };
	struct users *u;

	(void)state;
	begin();
	u = users(&file, 1, NULL);
	assert_null(users_read(u, &s, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_string_equal(fixture_err.text, "pop3: users: /tmp/postrider-no-such-file: No such file or directory");
	assert_true(users_knows(u, "file"));
	p.user_count = 1;
	assert_true(users_check(&s, &fixture_err));
	p.user_count = 2;
	assert_false(users_check(&s, &fixture_err));
	assert_string_equal(fixture_err.text, "pop3: users: /tmp/postrider-no-such-file: No such file or directory");
	assert_null(users_new(store, &s, &fixture_err));
	assert_int_equal(unlink(path), 0);
	fixture_err = (struct err){ 0 };
	assert_true(take(u, &file, 1) && users_knows(u, "file"));	/* vanished: the last good one */
	end(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_source_that_knows_a_name_answers),
		cmocka_unit_test(a_route_comes_behind_the_users_of_files),
		cmocka_unit_test(nobody_costs_what_somebody_does),
		cmocka_unit_test(mechanisms_are_what_can_work),
		cmocka_unit_test(a_change_of_the_file_is_seen_by_itself),
		cmocka_unit_test(a_refused_reload_changes_nothing),
	};
	struct err e;

	return log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
