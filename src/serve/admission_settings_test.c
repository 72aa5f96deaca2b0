/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings_pop3.h"
#include "serve/fixture.h"

static const char *except[] = { "192.0.2.0/24", "2001:db8::/32" }, *some[] = { "10.0.0.1" }, *others[] = { "10.0.1.0/24", "::1" };

static struct pop3_listener listeners[] = { { .name = "plain" }, { .name = "one", .trusted = { some, 1 } }, { .name = "two", .trusted = { others, 2 } } };

static struct pop3_settings settings(void)
{
	return (struct pop3_settings){ .listeners = listeners, .listener_count = COUNT(listeners), .max_sessions = 3, .max_per_address = 2, .max_per_user = 1,
		.access = POP3_GRANT, .except = { except, 2 }, .login_delay_s = 60, .overlong = POP3_BLOCK, .failed_delay_ms = 5000, .failed_limit = 3, .failed_block_ms = 7000 };
}

static enum admission_said enter(struct admission *a, const char *from, struct admission_seat *seat)
{
	union address address = fixture_address(from);

	*seat = (struct admission_seat){ 0 };
	return admission_enter(a, &address, 1, seat);
}

static void what_is_configured_holds(void **state)
{
	struct pop3_settings p = settings();
	struct admission *a = admission_new_configured(&p, &fixture_err);
	union address from = fixture_address("198.51.100.1"), proxy = fixture_address("10.0.1.7");
	struct admission_seat one, two, three, four;
	struct admission_attempt t;
	uint32_t wait_s;

	(void)state;
	assert_non_null(a);
	assert_int_equal(enter(a, "192.0.2.1", &one), ADMISSION_ACCESS);
	assert_int_equal(enter(a, "2001:db8:1::1", &one), ADMISSION_ACCESS);
	assert_int_equal(enter(a, "198.51.100.1", &one), ADMISSION_GOOD);
	assert_int_equal(enter(a, "198.51.100.1", &two), ADMISSION_GOOD);
	assert_int_equal(enter(a, "198.51.100.1", &three), ADMISSION_ADDRESS_FULL);
	assert_int_equal(enter(a, "10.0.0.1", &three), ADMISSION_GOOD);
	assert_int_equal(enter(a, "10.0.0.2", &four), ADMISSION_FULL);
	assert_int_equal(admission_user_enter(a, &one, SPAN("anna"), ADMISSION_USER_DEFAULT, false, 1, &wait_s), ADMISSION_USER_GOOD);
	assert_int_equal(admission_user_enter(a, &two, SPAN("anna"), ADMISSION_USER_DEFAULT, false, 1, &wait_s), ADMISSION_USER_FULL);
	assert_int_equal(admission_user_enter(a, &two, SPAN("anna"), 2, false, 1, &wait_s), ADMISSION_USER_TOO_SOON);
	assert_int_equal(wait_s, 60);
	admission_login_start(a, &from, SPAN("bert"), 1, &t);
	assert_int_equal(admission_login_failed(a, &t, 1).delay_ms, 5000);
	assert_int_equal(admission_login_failed(a, &t, 1).delay_ms, 10000);
	assert_true(admission_login_failed(a, &t, 1).blocked);
	assert_int_equal(enter(a, "198.51.100.1", &four), ADMISSION_BLOCKED);
	admission_leave(a, &two);
	assert_int_equal(admission_enter(a, &from, 7001, &two), ADMISSION_GOOD);
	assert_false(admission_overlong(a, &proxy));
	assert_true(admission_overlong(a, &from));
	admission_leave(a, &one);
	admission_leave(a, &two);
	admission_leave(a, &three);
	admission_free(&a);
}

static void what_is_reloaded_holds(void **state)
{
	struct pop3_settings p = settings();
	struct admission *a = admission_new_configured(&p, &fixture_err);
	const char *wrong[] = { "192.0.2.1/24" };
	union address from = fixture_address("198.51.100.1");
	struct admission_seat seat;

	(void)state;
	p.access = POP3_DENY;
	p.overlong = POP3_DROP;
	p.listener_count = 1;
	p.login_delay_s = UINT32_MAX;
	assert_true(admission_reload_configured(a, &p, &fixture_err));
	assert_int_equal(enter(a, "198.51.100.1", &seat), ADMISSION_ACCESS);
	assert_int_equal(enter(a, "10.0.0.1", &seat), ADMISSION_ACCESS);
	assert_false(admission_overlong(a, &from));
	assert_int_equal(enter(a, "192.0.2.1", &seat), ADMISSION_GOOD);
	admission_leave(a, &seat);
	p.except = (struct texts){ wrong, 1 };
	assert_false(admission_reload_configured(a, &p, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "192.0.2.1/24"));
	assert_null(admission_new_configured(&p, &fixture_err));
	assert_int_equal(enter(a, "192.0.2.1", &seat), ADMISSION_GOOD);	/* as before */
	admission_leave(a, &seat);
	admission_free(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_configured_holds),
		cmocka_unit_test(what_is_reloaded_holds),
	};

	return cmocka_run_group_tests_name("admission_settings", tests, NULL, NULL);
}
