/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "serve/says.h"

static const union address *from(const char *text)
{
	static union address a;

	assert_true(address_parse(text, 40000, &a));
	return &a;
}

#define LONG_10 "0123456789"
#define LONG_100 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10

static const struct row {
	const char *address, *mechanism, *tls;
	struct span user;
	const char *reason, *want;
} logins[] = {
	{ "192.0.2.1", "PLAIN", NULL, SPAN("anna"), "wrong password",
		"login failed address=192.0.2.1 mechanism=PLAIN tls=no user=\"anna\" reason=\"wrong password\"" },
	{ "2001:db8::1", "SCRAM-SHA-256-PLUS", "TLSv1.3", SPAN("anna@client1.com"), "no such user",
		"login failed address=2001:db8::1 mechanism=SCRAM-SHA-256-PLUS tls=TLSv1.3 user=\"anna@client1.com\" reason=\"no such user\"" },
	{ "::ffff:192.0.2.1", "USER", NULL, SPAN(""), NULL, "login failed address=192.0.2.1 mechanism=USER tls=no user=\"\" reason=\"\"" },
	{ "192.0.2.1", NULL, NULL, SPAN("x address=198.51.100.7"), "", "login failed address=192.0.2.1 mechanism=none tls=no user=\"x address=198.51.100.7\" reason=\"\"" },
	{ "192.0.2.1", "USER", NULL, SPAN("x\" address=\"198.51.100.7\\"), "said \"no\"",
		"login failed address=192.0.2.1 mechanism=USER tls=no user=\"x' address='198.51.100.7?\" reason=\"said 'no'\"" },
	{ "192.0.2.1", "USER", NULL, SPAN("a\nwarn\r\t\0\x7f\xff\xc3"), "", "login failed address=192.0.2.1 mechanism=USER tls=no user=\"a?warn??????\" reason=\"\"" },
	{ "192.0.2.1", "USER", NULL, SPAN("J\xc3\xbcrgen"), "", "login failed address=192.0.2.1 mechanism=USER tls=no user=\"J\xc3\xbcrgen\" reason=\"\"" },
	{ "192.0.2.1", "USER", NULL, SPAN(LONG_100 LONG_100), "", "login failed address=192.0.2.1 mechanism=USER tls=no user=\"" LONG_100 LONG_100 "\" reason=\"\"" },
	{ "192.0.2.1", "USER", NULL, SPAN(LONG_100 LONG_100 "0"), "",
		"login failed address=192.0.2.1 mechanism=USER tls=no user=\"" LONG_100 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 LONG_10 "0123456...\" reason=\"\"" },
};

static void failed_logins(void **state)
{
	char out[SAYS_MAX];

	(void)state;
	for (const struct row *r = logins; r < logins + COUNT(logins); r++) {
		const struct says_login s = { from(r->address), r->mechanism, r->tls, r->user, r->reason };

		assert_string_equal(says_login_failed(&s, out), r->want);
	}
}

/* Whatever octets a client sends, behind the address there are two quoted texts, and nothing else. */
static void any_octets_stay_within_their_quotes(void **state)
{
	static char any[4096];
	char out[SAYS_MAX];
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		static const char picks[] = "\"\\ =\n\r";
		struct says_login s = { .address = from("192.0.2.1"), .mechanism = "LOGIN" };
		size_t quotes = 0;

		for (size_t i = 0; i < sizeof any; i++) {
			seed = seed * 1664525 + 1013904223;
			any[i] = seed >> 30 ? (char)(seed >> 16) : picks[(seed >> 16) % (sizeof picks - 1)];
		}
		s.user = (struct span){ any, (size_t)round % sizeof any };
		any[sizeof any - 1] = '\0';
		s.reason = any + 1000;
		(void)says_login_failed(&s, out);
		for (const char *c = out; *c; c++) {
			quotes += *c == '"';
			assert_true((unsigned char)*c >= ' ' && *c != 127 && *c != '\\');
		}
		assert_int_equal(quotes, 4);
		assert_memory_equal(out, "login failed address=192.0.2.1 mechanism=LOGIN tls=no user=\"", 60);
		assert_string_equal(out + strlen(out) - 1, "\"");
	}
}

/* A character is whole or not there. */
static void a_cut_is_between_characters(void **state)
{
	char user[SAYS_USER_MAX + 10], out[SAYS_MAX];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		struct says_login s = { .address = from("192.0.2.1"), .user = { user, sizeof user } };

		memset(user, 'x', sizeof user);
		for (size_t i = shift; i + 3 <= sizeof user; i += 3)
			memcpy(user + i, "\xe2\x82\xac", 3);
		user[sizeof user - 1] = user[sizeof user - 2] = 'x';
		assert_null(strchr(says_login_failed(&s, out), '?'));
		assert_non_null(strstr(out, "\xe2\x82\xac...\" reason="));
	}
}

static void sessions(void **state)
{
	struct says_session s = {
		.address = from("192.0.2.1"), .mechanism = "PLAIN", .tls = "TLSv1.3", .user = SPAN("anna@client1.com"),
		.messages = 3, .octets = UINT64_MAX, .deleted = 2, .left = 5, .lasted_ms = 61002, .end = SAYS_QUIT,
	};
	char out[SAYS_MAX];

	(void)state;
	assert_string_equal(says_session_over(&s, out), "session over address=192.0.2.1 mechanism=PLAIN tls=TLSv1.3 user=\"anna@client1.com\" "
		"messages=3 octets=18446744073709551615 deleted=2 left=5 seconds=61.002 reason=quit");
	s = (struct says_session){ .address = from("2001:db8::7"), .end = SAYS_LOGIN_TIMEOUT, .lasted_ms = 999 };
	assert_string_equal(says_session_over(&s, out), "session over address=2001:db8::7 mechanism=none tls=no user=\"\" "
		"messages=0 octets=0 deleted=0 left=0 seconds=0.999 reason=login-timeout");
	for (s.end = SAYS_QUIT; s.end < SAYS_ENDS; s.end++)	/* each has a word of its own */
		for (enum says_end other = SAYS_QUIT; other < s.end; other++) {
			struct says_session o = s;
			char line[SAYS_MAX];

			o.end = other;
			assert_string_not_equal(says_session_over(&s, out), says_session_over(&o, line));
		}
}

static void network(const char *text, struct network *n)
{
	assert_true(network_parse(text, n));
}

static void at_the_door(void **state)
{
	static const char *const words[] = { "access", "denied", "blocked", "address-full", "full" };
	char out[SAYS_MAX], want[200];
	struct network n;

	(void)state;
	for (enum says_door why = SAYS_ACCESS; why < SAYS_DOORS; why++) {
		(void)snprintf(want, sizeof want, "refused address=192.0.2.1 reason=%s", words[why]);
		assert_string_equal(says_refused(from("192.0.2.1"), why, out), want);
	}
	network("192.0.2.1", &n);
	assert_string_equal(says_blocked(&n, 10, 900 * 1000, out), "blocked address=192.0.2.1 failures=10 seconds=900");
	assert_string_equal(says_denied(&n, out), "denied address=192.0.2.1 until=restart reason=overlong");
	network("2001:db8:0:7::/64", &n);
	assert_string_equal(says_blocked(&n, 10, 1, out), "blocked address=2001:db8:0:7::/64 failures=10 seconds=1");
	assert_string_equal(says_denied(&n, out), "denied address=2001:db8:0:7::/64 until=restart reason=overlong");
}

static void submissions(void **state)
{
	static const char *const words[] = { "delivered", "held", "over-limit", "too-large", "bad", "refused", "failed" };
	struct says_submitted s = { .address = from("192.0.2.1"), .user = SPAN("an\"na"), .octets = 10, .recipients = 2, .reason = "it said \"no\"\n" };
	char out[SAYS_MAX], want[200];

	(void)state;
	for (s.outcome = SAYS_DELIVERED; s.outcome < SAYS_OUTCOMES; s.outcome++) {
		(void)snprintf(want, sizeof want, "submitted address=192.0.2.1 user=\"an'na\" octets=10 recipients=2 outcome=%s reason=\"it said 'no'?\"",
			words[s.outcome]);
		assert_string_equal(says_submitted(&s, out), want);
	}
}

static void held_messages(void **state)
{
	static const char *const words[] = { "delivered", "deferred", "failed", "returned" };
	struct says_held h = { .id = "0123456789abcdef", .attempts = 3, .account = "anna", .target = "command:x \"y\"" };
	char out[SAYS_MAX], want[200];

	static_assert(COUNT(words) == SAYS_HELD_OUTCOMES, "a word for each outcome");
	(void)state;
	for (h.what = SAYS_HELD_DELIVERED; h.what < SAYS_HELD_OUTCOMES; h.what++) {
		(void)snprintf(want, sizeof want, "held message id=0123456789abcdef outcome=%s attempts=3 account=\"anna\" target=\"command:x 'y'\" reason=\"\"",
			words[h.what]);
		assert_string_equal(says_held(&h, out), want);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(failed_logins),
		cmocka_unit_test(any_octets_stay_within_their_quotes),
		cmocka_unit_test(a_cut_is_between_characters),
		cmocka_unit_test(sessions),
		cmocka_unit_test(at_the_door),
		cmocka_unit_test(submissions),
		cmocka_unit_test(held_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
