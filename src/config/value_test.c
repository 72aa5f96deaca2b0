/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/settings.h"
#include "config/value.h"

static const struct number {
	const char *text;
	uint64_t value;
	const char *why;	/* NULL: good */
} durations[] = {
	{ "0", 0, NULL }, { "0s", 0, NULL }, { "30s", 30000, NULL }, { "15min", 900000, NULL }, { "2h", 7200000, NULL }, { "7d", 604800000, NULL },
	{ "7D", 604800000, NULL },
	{ "", 0, "an empty text is no duration" }, { "5", 0, "5 has no unit (s, min, h, d)" }, { "5m", 0, "5m is no duration" },
	{ "-5s", 0, "-5s is no duration" }, { "5 s", 0, "5 s is no duration" }, { "s", 0, "s is no duration" }, { "1.5h", 0, "1.5h is no duration" },
	{ "106751991167d", 106751991167ull * 86400000, NULL }, { "106751991168d", 0, "106751991168d is too much" },
	{ "99999999999999999999s", 0, "99999999999999999999s is too much" },
}, sizes[] = {
	{ "0", 0, NULL }, { "17", 17, NULL }, { "5B", 5, NULL }, { "1KB", 1024, NULL }, { "25MB", 25 << 20, NULL }, { "1gb", 1 << 30, NULL }, { "2TB", 2ull << 40, NULL },
	{ "", 0, "an empty text is no size" }, { "MB", 0, "MB is no size" }, { "25 MB", 0, "25 MB is no size" }, { "25MiB", 0, "25MiB is no size" },
	{ "8388607TB", 8388607ull << 40, NULL }, { "8388608TB", 0, "8388608TB is too much" },
}, uints[] = {		/* in 3..70000 */
	{ "3", 3, NULL }, { "70000", 70000, NULL }, { "0003", 3, NULL },
	{ "", 0, "an empty text is not a decimal number" }, { "2", 0, "2 is not in 3..70000" }, { "70001", 0, "70001 is not in 3..70000" },
	{ "4294967299", 0, "4294967299 is not in 3..70000" }, { "18446744073709551619", 0, "18446744073709551619 is not in 3..70000" },
	{ "0x10", 0, "0x10 is not a decimal number" }, { "+5", 0, "+5 is not a decimal number" }, { "5 ", 0, "5  is not a decimal number" },
};

static void judge(const struct number *n, bool good, uint64_t value, const struct err *e)
{
	assert_int_equal(good, !n->why);
	assert_int_equal(value, n->why ? 42 : n->value);	/* untouched on false */
	if (n->why)
		assert_string_equal(e->text, n->why);
}

static void numbers(void **state)
{
	struct err e;

	(void)state;
	for (size_t n = 0; n < COUNT(durations); n++) {
		uint64_t value = 42;
		bool good = value_duration(durations[n].text, &value, &e);

		judge(&durations[n], good, value, &e);
	}
	for (size_t n = 0; n < COUNT(sizes); n++) {
		uint64_t value = 42;
		bool good = value_size(sizes[n].text, &value, &e);

		judge(&sizes[n], good, value, &e);
	}
	for (size_t n = 0; n < COUNT(uints); n++) {
		uint64_t value = 42;
		bool good = value_uint(uints[n].text, 3, 70000, &value, &e);

		judge(&uints[n], good, value, &e);
	}
}

static void truth(void **state)
{
	static const struct { const char *text; int truth; } rows[] = {
		{ "true", 1 }, { "false", 0 }, { "yes", 1 }, { "no", 0 }, { "on", 1 }, { "off", 0 }, { "TRUE", 1 },
		{ "1", -1 }, { "0", -1 }, { "", -1 }, { "truee", -1 },
	};
	struct err e;

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		bool value = rows[n].truth == 0;

		assert_int_equal(value_bool(rows[n].text, &value, &e), rows[n].truth >= 0);
		assert_int_equal(value, rows[n].truth == 1);
	}
}

static const struct form {
	value_form *form;
	const char *text;
	bool good;
} forms[] = {
	{ value_address, "192.0.2.1", true }, { value_address, "::1", true }, { value_address, "2001:db8::1", true },
	{ value_address, "", false }, { value_address, "h", false }, { value_address, "192.0.2.256", false }, { value_address, "[::1]", false },
	{ value_address, "192.0.2.1/24", false },
	{ value_network, "192.0.2.0/24", true }, { value_network, "192.0.2.1", true }, { value_network, "2001:db8::/128", true },
	{ value_network, "0.0.0.0/0", true }, { value_network, "192.0.2.0/33", false }, { value_network, "::/129", false },
	{ value_network, "192.0.2.0/", false }, { value_network, "/24", false }, { value_network, "192.0.2.0/+4", false },
	{ value_network, "0000:0000:0000:0000:0000:0000:0000:00000000:0000/1", false },
	{ value_network, "192.0.2.1/24", false }, { value_network, "192.0.2.128/25", true }, { value_network, "192.0.2.128/24", false },
	{ value_network, "0.0.0.1/0", false }, { value_network, "2001:db8::/32", true }, { value_network, "2001:db8::1/127", false },
	{ value_network, "::ffff:192.0.2.0/120", true }, { value_network, "fe80::1%eth0/128", false },
	{ value_field, "X-Real-To", true }, { value_field, "X-Real-To:", false }, { value_field, "X Real", false },
	{ value_field, "", false }, { value_field, "\xc3\xa4", false },
	{ value_socket, "127.0.0.1:8110", true }, { value_socket, "[::1]:1", true }, { value_socket, "localhost:65535", true },
	{ value_socket, "127.0.0.1", false }, { value_socket, ":1", false }, { value_socket, "h:0", false }, { value_socket, "h:65536", false },
	{ value_socket, "::1:1", false }, { value_socket, "h:", false },
	{ value_pin, "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", true },
	{ value_pin, "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff", true },
	{ value_pin, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef", false },
	{ value_pin, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeffa", false },
	{ value_pin, "0:0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false },
	{ value_pin, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff:", false },
	{ value_pin, "0g112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false }, { value_pin, "", false },
	{ value_hours, "always", true }, { value_hours, "Mon-Fri 08:00-18:00", true }, { value_hours, "Sat", true }, { value_hours, "00:00-24:00", true },
	{ value_hours, "Mon Wed 08:00-09:30", true }, { value_hours, "mon-fri", true },
	{ value_hours, "", false }, { value_hours, "Mon-Fri 8-18", false }, { value_hours, "Mon-Foo", false }, { value_hours, "08:00-18:00 Mon", false },
	{ value_hours, "08:00-24:01", false }, { value_hours, "08:60-09:00", false }, { value_hours, "Mon-Fri 08:00", false }, { value_hours, "always Mon", false },
	{ value_user, "postrider", true }, { value_user, "_pop3-1.x", true }, { value_user, "pc$", true }, { value_user, "7up", true },
	{ value_user, "1000", false }, { value_user, "-R", false }, { value_user, ".x", false }, { value_user, "a$b", false },
	{ value_user, "a b", false }, { value_user, "a;b", false }, { value_user, "\xc3\xa4", false }, { value_user, "", false },
	{ value_users, "internal", true }, { value_users, "passwd-file:/x", true }, { value_users, "pam:x", true },
	{ value_users, "pam:Pop3_a.b-1", true }, { value_users, "pam:../x", false }, { value_users, "pam:a/b", false }, { value_users, "pam:.x", false },
	{ value_users, "pam:a b", false }, { value_users, "pam:\xc3\xa4", false },
	{ value_users, "pam:1234567890123456789012345678901234567890123456789012345678901234", true },
	{ value_users, "pam:12345678901234567890123456789012345678901234567890123456789012345", false },
	{ value_users, "pam:", false }, { value_users, "ldap:x", false }, { value_users, "", false },
	{ value_endpoint, "https://a", true }, { value_endpoint, "HTTPS://a.example:1/x?y", true }, { value_endpoint, "https://[2001:db8::1]:1/x", true },
	{ value_endpoint, "http://127.0.0.1:8080/x", true }, { value_endpoint, "http://localhost/", true }, { value_endpoint, "http://[::1]:1", true },
	{ value_endpoint, "http://127.1.2.3", true }, { value_endpoint, "http://128.0.0.1/", false }, { value_endpoint, "http://127.example.org/", false },
	{ value_endpoint, "http://127.0.0.1.example.org/", false }, { value_endpoint, "http://localhost.example.org/", false }, { value_endpoint, "http://[::2]/", false },
	{ value_endpoint, "https://", false }, { value_endpoint, "https:///x", false }, { value_endpoint, "https://:1/x", false }, { value_endpoint, "ftp://a", false },
	{ value_endpoint, "a", false }, { value_endpoint, "", false }, { value_endpoint, "https://a b", false }, { value_endpoint, "https://\xc3\xa4", false },
	{ value_endpoint, "https://n:p@a/", false }, { value_endpoint, "http://127.0.0.1@a/", false }, { value_endpoint, "https://a/@b", true },
	{ value_proxy, "socks5://h:1080", true }, { value_proxy, "h:1080", true }, { value_proxy, "socks5://h", false }, { value_proxy, "http://h:1", false },
	{ value_no_recipient, "hold", true }, { value_no_recipient, "delete", true }, { value_no_recipient, "quarantine", true },
	{ value_no_recipient, "a@b, c@d", true }, { value_no_recipient, "", false }, { value_no_recipient, "burn", false },
};

static void forms_of_texts(void **state)
{
	(void)state;
	for (const struct form *f = forms; f < forms + COUNT(forms); f++) {
		struct err e = { ERR_NONE, "" };

		if (f->form(f->text, &e) != f->good)
			fail_msg("%s: %s", f->text, e.text);
		assert_int_equal(e.kind, f->good ? ERR_NONE : ERR_CONFIG);
	}
}

static void mechanisms_and_choices(void **state)
{
	static const char *const names[] = { "one", "two", NULL };
	uint32_t which = 9;
	uint8_t m = 99;
	struct err e;

	(void)state;
	for (uint8_t n = 0; n < MECHANISMS; n++) {
		assert_true(value_mechanism(value_mechanism_name(n), &m, &e));
		assert_int_equal(m, n);
	}
	assert_true(value_mechanism("Scram-SHA-256", &m, &e));
	assert_int_equal(m, MECHANISM_SCRAM_SHA_256);
	assert_false(value_mechanism("", &m, &e));
	assert_true(value_mechanism_built(MECHANISM_PLAIN));
	assert_true(value_mechanism_built(MECHANISM_NTLM));
	assert_true(value_mechanism_keyless(MECHANISM_GSSAPI) && value_mechanism_keyless(MECHANISM_EXTERNAL));
	assert_false(value_mechanism_keyless(MECHANISM_NTLM));
	assert_true(value_mechanism_token(MECHANISM_XOAUTH2) && value_mechanism_token(MECHANISM_OAUTHBEARER) && !value_mechanism_token(MECHANISM_PLAIN));
	assert_true(value_choice("two", names, &which, &e));
	assert_int_equal(which, 1);
	assert_false(value_choice("Two", names, &which, &e));
	assert_string_equal(e.text, "Two is none of one, two");
	assert_false(value_choice("a text that goes on and on and on, much longer than anybody would want to read it in an error", names, &which, &e));
	assert_string_equal(e.text, "a text that goes on and on and on, much longer than anybody would want to read i is none of one, two");
}

static void texts(void **state)
{
	struct err e;

	(void)state;
	assert_true(value_text("", 3, &e));
	assert_true(value_text("\xc3\xbc\xc3\xbc\xc3\xbc", 3, &e));
	assert_true(value_text("abcd", 0, &e));
	assert_false(value_text("abcd", 3, &e));
	assert_string_equal(e.text, "4 characters are too many, 3 are the most");
	assert_false(value_text("a\rb", 0, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(truth),
		cmocka_unit_test(forms_of_texts),
		cmocka_unit_test(mechanisms_and_choices),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
