/* SPDX-License-Identifier: Apache-2.0
 *
 * Any password that can be set can be proved, by our client, with every mechanism; and no other one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "serve/login_fixture.h"
#include "wire/saslprep.h"

enum { PASSWORDS = 32, LONGEST = 9 };

static const enum sasl_mech mechs[] = {
	SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1_PLUS, SASL_SCRAM_SHA_1, SASL_CRAM_MD5, SASL_APOP, SASL_PLAIN, SASL_LOGIN, SASL_USER,
};

/* What passwords are put together of.  First what SASLprep lets through or maps: ASCII, emoji, composed and not,
 * what becomes nothing; then what it forbids: Latin-1, controls, both directions. */
static const char *const parts[] = {
	"a", "Z", "0", " ", ",", "=", "%", "\"", "\\", "\xf0\x9f\x98\x80", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", "\xc3\xa9", "e\xcc\x81",
	"\xef\xac\x81", "\xc2\xad", "\xe2\x85\xa8", "\xc2\xa0", "\xe3\x80\x80", "\xe1\x84\x80\xe1\x85\xa1", "\xf0\x9f\x84\xb0", "\xe1\xba\x9e",
	"\xe9", "\xff", "\xd7\x90", "\xd8\xa7", "\t", "\x01", "\x7f", "\xef\xbf\xbd", "\xee\x80\x80", "\xc3", "\xed\xa0\x80",
};

enum { PREPARES = 21 };

static uint32_t chance(uint32_t below)
{
	static uint32_t n = 20261126;

	n = n * 1664525 + 1013904223;
	return (n >> 16) % below;
}

static size_t make_up(char out[64])
{
	uint32_t of = chance(2) ? COUNT(parts) : PREPARES;
	size_t len = 0;

	for (unsigned k = 1 + chance(LONGEST); k--;) {
		const char *part = parts[chance(of)];

		if (len + strlen(part) < 60)
			len += (size_t)snprintf(out + len, 64 - len, "%s", part);
	}
	return len;
}

static bool same_prepared(struct span a, struct span b)
{
	char one[SASLPREP_MAX], two[SASLPREP_MAX];

	return span_equal(saslprep_password(a, one), saslprep_password(b, two));
}

/* Mechanisms with the secret itself let either form in; those with keys only see the prepared one. */
static bool let_in(enum sasl_mech mech, struct span set, struct span given)
{
	char one[SASLPREP_MAX];

	if (sasl_mech_slow(mech))
		return same_prepared(set, given);
	return span_equal(set, given) || (mech == SASL_CRAM_MD5 && span_equal(saslprep_password(set, one), given));
}

static void hold(struct span set, struct span given)
{
	for (size_t i = 0; i < COUNT(mechs); i++) {
		struct told t = try_octets(mechs[i], "carl", given);
		bool good = let_in(mechs[i], set, given);

		if (t.said != (good ? LOGIN_SAYS_GOOD : LOGIN_SAYS_WRONG) || (good && !t.verified))
			fail_msg("%s: %s instead of %s: %d %s", sasl_mech_name(mechs[i]), given.at, set.at, t.said, t.why);
	}
}

static void any_password(void **state)
{
	unsigned changed = 0;

	(void)state;
	world_begin(NULL);
	for (unsigned n = 0; n < PASSWORDS; n++) {
		char text[64] = "", other[64] = "", memory[SASLPREP_MAX];
		struct span password = { text, 0 }, prepared;

		password.len = make_up(text);
		must(account_passwd(w.store, "carl", password, ACCOUNT_RECOVERABLE, &fixture_err));
		hold(password, password);
		prepared = saslprep_password(password, memory);
		if (!span_equal(prepared, password)) {
			changed++;
			memory[prepared.len] = '\0';
			hold(password, prepared);
		}
		if (n % 4 == 0)
			hold(password, (struct span){ other, make_up(other) });
	}
	print_message("%u of %u change\n", changed, PASSWORDS);
	assert_true(changed > PASSWORDS / 4);
	world_end();
}

/* SCRAM's clients prepare the name, others do not: they come to one account, or all to none. */
static void any_form_of_a_name(void **state)
{
	static const char *const names[] = { "\xc3\xa9ric", "e\xcc\x81ric", "e\xcc\x81r\xc2\xadIC" };

	(void)state;
	world_begin(NULL);
	must(account_add(w.store, "\xc3\xa9ric", SPAN("geheim"), ACCOUNT_RECOVERABLE, &fixture_err));
	for (size_t i = 0; i < COUNT(mechs) * COUNT(names); i++) {
		struct told t = try(mechs[i % COUNT(mechs)], names[i / COUNT(mechs)], "geheim");

		if (t.said != LOGIN_SAYS_GOOD || strcmp(t.account, "\xc3\xa9ric") != 0)
			fail_msg("%s %s: %d %s", sasl_mech_name(mechs[i % COUNT(mechs)]), names[i / COUNT(mechs)], t.said, t.why);
		t = try(mechs[i % COUNT(mechs)], names[i / COUNT(mechs)], "falsch");
		assert_int_equal(t.said, LOGIN_SAYS_WRONG);
	}
	world_end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_password),
		cmocka_unit_test(any_form_of_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
