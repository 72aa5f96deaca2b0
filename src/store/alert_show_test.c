/* SPDX-License-Identifier: Apache-2.0
 * Which alert comes next, and that none comes twice. */
#include "store/alert_rest.h"
#include "store/domain.h"
#include "store/fixture.h"
#include "store/quota.h"
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
	(void)fixture_drain(s);
	store_close(&s);
	fixture_remove(directory);
	return 0;
}

static void again(void)
{
	store_close(&s);
	s = fixture_store(directory);
}

static uint64_t add(enum alert_scope scope, const char *of, const char *text)
{
	uint64_t id = 0;

	must(alert_add(s, scope, of, text, 1000, &id, &fixture_err));
	return id;
}

/* What an attempt to log in is told; "" = nothing. */
static const char *told(const char *account)
{
	static struct alert a;
	struct store_done d;

	if (!alert_pending(s, account))
		return "";
	if (!alert_show(s, account, &a, 77)) {
		(void)fixture_drain(s);
		return "";
	}
	must(store_wait(s) && store_next(s, &d));
	assert_true(d.good && d.ticket == 77);
	return a.text;
}

static void each_once_in_their_order(void **state)
{
	(void)state;
	(void)add(ALERT_SERVER, "", "server 1");
	(void)add(ALERT_ACCOUNT, "a@x.example", "account 1");
	(void)add(ALERT_DOMAIN, "x.example", "domain 1");
	(void)add(ALERT_DOMAIN, "x.example", "domain 2");
	(void)add(ALERT_ACCOUNT, "a@x.example", "account 2");
	(void)add(ALERT_SERVER, "", "server 2");
	assert_string_equal(told("a@x.example"), "account 1");
	assert_string_equal(told("a@x.example"), "account 2");
	assert_string_equal(told("a@x.example"), "domain 1");
	again();
	assert_string_equal(told("a@x.example"), "domain 2");
	assert_string_equal(told("a@x.example"), "server 1");
	again();
	assert_string_equal(told("a@x.example"), "server 2");
	assert_string_equal(told("a@x.example"), "");
	again();
	assert_string_equal(told("a@x.example"), "");
	/* Others are told theirs, and what is only a part of a name's is not theirs. */
	assert_string_equal(told("b@x.example"), "domain 1");
	assert_string_equal(told("a@x.example2"), "server 1");
	assert_string_equal(told("a@x"), "server 1");
	assert_string_equal(told("x.example"), "server 1");
	/* An account's is gone, the wider ones stay. */
	for (struct alert a = { .id = 0 }; alert_each(s, &a);)
		assert_int_not_equal(a.scope, ALERT_ACCOUNT);
	(void)add(ALERT_DOMAIN, "x.example", "domain 3");
	assert_string_equal(told("a@x.example"), "domain 3");
	assert_string_equal(told("a@x.example"), "");
}

static void a_removed_one_is_not_shown_and_hides_none(void **state)
{
	uint64_t one, two;

	(void)state;
	one = add(ALERT_SERVER, "", "one");
	two = add(ALERT_SERVER, "", "two");
	must(alert_remove(s, one, &fixture_err));
	assert_string_equal(told("anna"), "two");
	must(alert_remove(s, two, &fixture_err));
	(void)add(ALERT_SERVER, "", "three");
	assert_string_equal(told("anna"), "three");
	assert_string_equal(told("anna"), "");
}

static void an_account_made_anew_knows_nothing(void **state)
{
	(void)state;
	(void)add(ALERT_SERVER, "", "server");
	assert_string_equal(told("anna"), "server");
	assert_string_equal(told("anna"), "");
	(void)add(ALERT_ACCOUNT, "anna", "for the old one");
	must(account_remove(s, "anna", false, 1, &fixture_err) && account_add(s, "anna", SPAN(""), 0, &fixture_err));
	assert_string_equal(told("anna"), "server");
	assert_string_equal(told("anna"), "");
}

/* Two sessions that log in at the same moment. */
static void two_at_once_do_not_tell_the_same(void **state)
{
	struct alert one, other;
	struct store_done d;
	unsigned good = 0, busy = 0;

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		good = busy = 0;
		(void)(n ? add(ALERT_SERVER, "", "x") : add(ALERT_ACCOUNT, "anna", "x"));
		assert_true(alert_show(s, "anna", &one, 1) && alert_show(s, "anna", &other, 2));
		while (store_wait(s))
			while (store_next(s, &d)) {
				good += d.good && d.ticket == 1;
				busy += !d.good && d.ticket == 2 && d.why.kind == ERR_BUSY;
			}
		assert_true(good == 1 && busy == 1);
		assert_false(alert_show(s, "anna", &other, 3));
		assert_false(alert_pending(s, "anna"));
	}
}

static void set_quota(const char *account, uint64_t quota)
{
	must(account_set(s, account, &(struct account_limits){ quota, ACCOUNT_SESSIONS_DEFAULT }, &fixture_err));
}

static void fill(const char *box, size_t len)
{
	char *octets = fixture_octets(len);

	memcpy(octets + len - 2, "\r\n", 2);
	fixture_append(fixture_box(s, box), (struct span){ octets, len }, NULL, 1);
	free(octets);
	assert_int_equal(fixture_drain(s), 1);
}

static void remove_oldest(const char *name)
{
	struct mailbox *box = fixture_box(s, name);
	uint64_t uid = fixture_entry(box, 0).uid;

	mailbox_remove(box, &uid, 1, NULL, 0, 1, 1);
	assert_int_equal(fixture_drain(s), 1);
}

#define FULL "mailbox is full: new mail waits until some is removed"

static void the_quota_tells_once_each_until_there_is_room_again(void **state)
{
	(void)state;
	set_quota("anna", 1000);
	fill("anna/INBOX", 899);
	assert_string_equal(told("anna"), "");
	fill("anna/lists", 1 + 2);
	assert_string_equal(told("anna"), "mailbox is 90 % full");
	again();
	assert_string_equal(told("anna"), "");
	fill("anna/lists", 50);
	assert_string_equal(told("anna"), "");
	fill("anna/lists", 48);
	assert_string_equal(told("anna"), FULL);
	assert_string_equal(told("anna"), "");
	/* 95 %: not said again before it was less than 90. */
	remove_oldest("anna/lists");
	remove_oldest("anna/lists");
	assert_string_equal(told("anna"), "");
	fill("anna/lists", 53);
	assert_string_equal(told("anna"), "");
	/* Nobody logs in between: it was less all the same. */
	remove_oldest("anna/lists");
	remove_oldest("anna/lists");
	remove_oldest("anna/INBOX");
	fill("anna/INBOX", 930);
	assert_string_equal(told("anna"), "mailbox is 93 % full");
	assert_string_equal(told("anna"), "");
}

/* The same where the account was not counted since the start. */
static void what_fell_before_anybody_counted(void **state)
{
	(void)state;
	set_quota("anna", 1000);
	fill("anna/INBOX", 950);
	assert_string_equal(told("anna"), "mailbox is 95 % full");
	again();
	must(mailbox_destroy(s, "anna/INBOX", 1, &fixture_err));
	again();
	fill("anna/INBOX", 1000);
	assert_string_equal(told("anna"), FULL);
	set_quota("anna", 5000);
	assert_string_equal(told("anna"), "");	/* and so it was seen that there is room */
	set_quota("anna", 1001);
	assert_string_equal(told("anna"), "mailbox is 99 % full");
	set_quota("anna", 0);
	assert_string_equal(told("anna"), "");
	assert_false(alert_pending(s, "anna"));
	set_quota("anna", 500);
	assert_string_equal(told("anna"), FULL);
	assert_false(alert_pending(s, "anna"));
}

static void what_others_say_comes_first(void **state)
{
	struct domain_info info = { .name = "x.example", .limits = { 100, ACCOUNT_SESSIONS_DEFAULT } };

	(void)state;
	must(domain_add(s, "x.example", &fixture_err) && account_add(s, "a@x.example", SPAN(""), 0, &fixture_err));
	fill("a@x.example/INBOX", 95);
	must(domain_set(s, &info, &fixture_err));
	(void)add(ALERT_SERVER, "", "server");
	assert_string_equal(told("a@x.example"), "server");
	assert_string_equal(told("a@x.example"), "mailbox is 95 % full");
	assert_string_equal(told("a@x.example"), "");
	assert_string_equal(told("anna"), "server");
}

static void put(struct span key, struct span value)
{
	struct batch *b = store_batch(record_part());

	must(batch_put(b, key, value) && engine_commit_wait(s->engine, &b, &fixture_err));
}

/* It must not keep anybody out. */
static void damage_is_passed_over(void **state)
{
	char key[ALERT_KEY], record[RECORD_KEY];

	(void)state;
	put(alert_key(key, add(ALERT_SERVER, "", "one")), SPAN("\1nothing"));
	assert_string_equal(told("anna"), "an alert that cannot be read; ask the postmaster");
	put(alert_key(key, add(ALERT_ACCOUNT, "anna", "one")), SPAN("\1nothing"));
	assert_string_equal(told("anna"), "an alert that cannot be read; ask the postmaster");
	assert_string_equal(told("anna"), "");
	(void)add(ALERT_SERVER, "", "two");
	put(record_key(record, 'w', "anna"), SPAN("nothing"));
	assert_string_equal(told("anna"), "an alert that cannot be read; ask the postmaster");
	assert_string_equal(told("anna"), "two");
	assert_string_equal(told("anna"), "");
}

/* What is not durable was not shown. */
static void nothing_pending_costs_no_commit(void **state)
{
	struct alert a;

	(void)state;
	set_quota("anna", 1000);
	assert_true(alert_pending(s, "anna"));		/* it must be counted, which is for the store's thread */
	assert_false(alert_show(s, "anna", &a, 1));
	assert_false(store_wait(s));
	assert_false(alert_pending(s, "anna"));
	assert_false(alert_pending(s, "nobody"));
	assert_false(alert_pending(s, ""));
	assert_false(alert_show(s, "nobody", &a, 1));
	assert_int_equal(store_waiting(s), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_once_in_their_order), CASE(a_removed_one_is_not_shown_and_hides_none), CASE(an_account_made_anew_knows_nothing),
		CASE(two_at_once_do_not_tell_the_same), CASE(the_quota_tells_once_each_until_there_is_room_again), CASE(what_fell_before_anybody_counted),
		CASE(what_others_say_comes_first), CASE(damage_is_passed_over), CASE(nothing_pending_costs_no_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
