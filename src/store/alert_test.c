/* SPDX-License-Identifier: Apache-2.0 */
#include "store/alert.h"

#include "store/alert_rest.h"
#include "store/domain.h"
#include "store/fixture.h"
#include "store/record.h"

static const char *directory;
static struct store *s;

static int begin(void **state)
{
	(void)state;
	directory = fixture_directory();
	s = fixture_store(directory);
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_close(&s);
	fixture_remove(directory);
	return 0;
}

static uint64_t add(enum alert_scope scope, const char *of, const char *text)
{
	uint64_t id = 0;

	must(alert_add(s, scope, of, text, 1000, &id, &fixture_err));
	return id;
}

/* Keys of these kinds, of which nothing may be left. */
static size_t keys(const char *kinds)
{
	size_t n = 0;

	for (const char *kind = kinds; *kind; kind++) {
		struct view *v = store_view(s);
		struct span key = { 0 }, value;

		while (view_next(v, record_part(), (struct span){ kind, 1 }, &key, &value))
			n++;
		view_end(&v);
	}
	return n;
}

static const char hundred[] = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

static void what_is_kept(void **state)
{
	static const struct row { enum alert_scope scope; const char *of, *given, *name, *text; } rows[] = {
		{ ALERT_ACCOUNT, "anna", "hello", "anna", "hello" },
		{ ALERT_ACCOUNT, "Anna@Client1.com", " two\r\nlines\t\n", "anna@client1.com", "two  lines" },
		{ ALERT_ACCOUNT, "of.another.source@x", "x", "of.another.source@x", "x" },
		{ ALERT_DOMAIN, "Client1.COM", "gr\xc3\xbc\xc3\x9f", "client1.com", "gr\xc3\xbc\xc3\x9f" },
		{ ALERT_SERVER, "whatever", "a\x1b[31m\x7f\xff", "", "a?[31m??" },
	};
	struct alert a = { .id = 0 };
	uint64_t last = 0;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		uint64_t id = add(r->scope, r->of, r->given);

		assert_true(id > last);
		last = id;
		assert_true(alert_each(s, &a));
		assert_true(a.id == id && a.scope == r->scope && a.made == 1000);
		assert_string_equal(a.of, r->name);
		assert_string_equal(a.text, r->text);
	}
	assert_false(alert_each(s, &a));
}

static void what_is_refused(void **state)
{
	char text[ALERT_TEXT_MAX + 2] = "";
	const struct row { enum alert_scope scope; const char *of, *text, *why; } rows[] = {
		{ ALERT_ACCOUNT, "anna", "", "an alert has a text" }, { ALERT_SERVER, "", " \r\n ", "an alert has a text" },
		{ ALERT_ACCOUNT, "", "x", "an account is named" }, { ALERT_ACCOUNT, "a b", "x", "an account's name has no blanks" },
		{ ALERT_DOMAIN, "a..b", "x", "a domain is named like" }, { ALERT_DOMAIN, "", "x", "a domain is named like" },
		{ ALERT_QUOTA, "anna", "x", "the alert of the quota" }, { ALERT_SERVER, "", text, "the text of an alert has at most 400 octets" },
	};
	uint64_t id;

	(void)state;
	memset(text, 'x', ALERT_TEXT_MAX + 1);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		assert_false(alert_add(s, r->scope, r->of, r->text, 1, &id, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		if (!span_starts(span_of(fixture_err.text), span_of(r->why)))
			fail_msg("%s: %s", r->why, fixture_err.text);
	}
	text[ALERT_TEXT_MAX] = '\0';
	(void)add(ALERT_SERVER, "", text);
	assert_int_equal(keys("tk"), 2);
}

static void the_longest_there_is(void **state)
{
	char name[ACCOUNT_NAME_MAX + 1], text[ALERT_TEXT_MAX + 1];
	struct alert a = { .id = 0 };

	(void)state;
	for (size_t n = 0; n < ACCOUNT_NAME_MAX; n++)
		name[n] = hundred[n % 100];
	name[ACCOUNT_NAME_MAX] = '\0';
	memset(text, 'y', ALERT_TEXT_MAX);
	text[ALERT_TEXT_MAX] = '\0';
	(void)add(ALERT_ACCOUNT, name, text);
	assert_true(alert_each(s, &a));
	assert_string_equal(a.of, name);
	assert_string_equal(a.text, text);
}

static void ids_are_never_used_twice(void **state)
{
	struct alert a = { .id = 0 };
	uint64_t one = add(ALERT_SERVER, "", "one"), two = add(ALERT_SERVER, "", "two");

	(void)state;
	must(alert_remove(s, two, &fixture_err) && alert_remove(s, one, &fixture_err));
	assert_false(alert_each(s, &a));
	assert_int_equal(keys("tk"), 0);
	assert_false(alert_remove(s, one, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	store_close(&s);
	s = fixture_store(directory);
	assert_true(add(ALERT_SERVER, "", "three") > two);
}

static void there_is_an_end(void **state)
{
	uint64_t id;

	(void)state;
	for (unsigned n = 0; n < ALERTS_OF_MAX; n++)
		(void)add(ALERT_ACCOUNT, "anna", "x");
	assert_false(alert_add(s, ALERT_ACCOUNT, "anna", "x", 1, &id, &fixture_err));
	assert_true(span_starts(span_of(fixture_err.text), SPAN("account anna has 50 alerts already")));
	(void)add(ALERT_ACCOUNT, "ann", "x");
	(void)add(ALERT_DOMAIN, "anna", "x");
	(void)add(ALERT_SERVER, "", "x");
}

/* An account and a domain that are made anew are told nothing that was for the old ones. */
static void they_go_with_whom_they_were_for(void **state)
{
	struct alert a = { .id = 0 };
	struct domain_info info = { .name = "" };

	(void)state;
	must(domain_add(s, "x.example", &fixture_err) && account_add(s, "a@x.example", SPAN(""), 0, &fixture_err));
	for (unsigned n = 0; n < ALERTS_OF_MAX; n++) {
		(void)add(ALERT_ACCOUNT, "a@x.example", "account's");
		(void)add(ALERT_DOMAIN, "x.example", "domain's");
	}
	(void)add(ALERT_ACCOUNT, "a@x.example2", "another's");
	must(account_remove(s, "a@x.example", false, 1, &fixture_err));
	assert_int_equal(keys("t"), ALERTS_OF_MAX + 1);
	must(domain_remove(s, "x.example", &fixture_err));
	assert_int_equal(keys("tk"), 2);
	assert_true(alert_each(s, &a));
	assert_string_equal(a.text, "another's");
	assert_false(domain_each(s, &info));
}

static void put(struct span key, struct span value)
{
	struct batch *b = store_batch(record_part());

	must(batch_put(b, key, value) && engine_commit_wait(s->engine, &b, &fixture_err));
}

static void a_damaged_one_is_passed_over(void **state)
{
	char key[ALERT_KEY];
	struct alert a = { .id = 0 };

	(void)state;
	put(alert_key(key, add(ALERT_SERVER, "", "one")), SPAN("\1nothing"));
	put(alert_key(key, add(ALERT_SERVER, "", "two")), SPAN("\1" "12345678" "\3" "\0\0\0\0" "scope"));
	put(alert_key(key, add(ALERT_SERVER, "", "three")), SPAN("\1" "12345678" "\0" "\0\0\0\x50" "name"));
	put(SPAN("tx"), SPAN("x"));
	(void)add(ALERT_SERVER, "", "good");
	assert_true(alert_each(s, &a));
	assert_string_equal(a.text, "good");
	assert_false(alert_each(s, &a));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_kept), CASE(what_is_refused), CASE(the_longest_there_is), CASE(ids_are_never_used_twice), CASE(there_is_an_end),
		CASE(they_go_with_whom_they_were_for), CASE(a_damaged_one_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
