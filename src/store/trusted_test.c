/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"
#include "store/room.h"
#include "store/trusted.h"

#include <stdio.h>

#define A "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define B "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"	/* all but one */
#define SHA_A DIGITS "a"
#define SHA_B DIGITS "b"

static const char *directory;

static int set_up(void **state)
{
	directory = fixture_directory();
	*state = fixture_store(directory);
	return 0;
}

static int tear_down(void **state)
{
	struct store *s = *state;

	store_close(&s);
	fixture_remove(directory);
	return 0;
}

static struct store *again(void **state)	/* as another process would see it */
{
	struct store *s = *state;

	store_close(&s);
	return *state = fixture_store(directory);
}

static void accept_of(struct store *s, const char *host, uint16_t port, enum trusted_kind kind, const char *sha256, bool beside)
{
	must(trusted_add(s, &(struct trusted_new){ kind, host, port, NULL, sha256, sha256[63] == 'a' ? SPAN(A) : SPAN(B), beside, 1234 }, &fixture_err));
}

static void import_as(struct store *s, const char *name, const char *sha256)
{
	must(trusted_add(s, &(struct trusted_new){ TRUSTED_IMPORTED, NULL, 0, name, sha256, SPAN(A), false, 77 }, &fixture_err));
}

/* "name=kind+last digit" of each, in order. */
static const char *all_of(struct store *s, char text[2000])
{
	struct trusted one = { .at = "" };
	size_t used = 0;
	struct buf pem;

	text[0] = '\0';
	buf_start(&pem, TRUSTED_PEM_MAX);
	while (trusted_each(s, &one, &pem)) {
		assert_true(one.kind == TRUSTED_IMPORTED || span_equal(buf_span(&pem), one.sha256[63] == 'a' ? SPAN(A) : SPAN(B)));
		used += (size_t)snprintf(text + used, 2000 - used, "%s%s=%d%c", used ? " " : "", one.name, one.kind, one.sha256[63]);
	}
	buf_end(&pem);
	return text;
}

static void assert_all(struct store *s, const char *want)
{
	char text[2000];

	assert_string_equal(all_of(s, text), want);
}

static void what_was_accepted_stays(void **state)
{
	struct trusted one = { .at = "" };
	struct store *s = *state;

	accept_of(s, "POP.Example.org.", 995, TRUSTED_KEY, SHA_A, false);
	accept_of(s, "2001:DB8::1", 993, TRUSTED_AUTHORITY, SHA_B, false);
	import_as(s, "Corp-CA_1.x", SHA_A);
	s = again(state);
	assert_all(s, "[2001:db8::1]:993=2b pop.example.org:995=1a Corp-CA_1.x=3a");
	assert_true(trusted_each(s, &one, NULL) && trusted_each(s, &one, NULL));
	assert_string_equal(one.host, "pop.example.org");
	assert_int_equal(one.port, 995);
	assert_int_equal(one.since, 1234);
	assert_string_equal(one.sha256, SHA_A);
	assert_true(trusted_each(s, &one, NULL) && !one.host[0] && !one.port && one.since == 77);
	assert_false(trusted_each(s, &one, NULL));
}

static void the_last_replaces_those_before_unless_it_stands_beside(void **state)
{
	struct store *s = *state;

	accept_of(s, "a.example", 995, TRUSTED_KEY, SHA_A, false);
	accept_of(s, "a.example", 9955, TRUSTED_KEY, SHA_A, false);
	accept_of(s, "a.example", 995, TRUSTED_KEY, SHA_B, false);
	assert_all(s, "a.example:995=1b a.example:9955=1a");
	accept_of(s, "a.example", 995, TRUSTED_AUTHORITY, SHA_A, true);
	assert_all(s, "a.example:995=2a a.example:995=1b a.example:9955=1a");
	accept_of(s, "a.example", 995, TRUSTED_KEY, SHA_A, true);	/* the same as something else */
	assert_all(s, "a.example:995=1a a.example:995=1b a.example:9955=1a");
	accept_of(s, "a.example", 995, TRUSTED_KEY, SHA_A, false);
	assert_all(s, "a.example:995=1a a.example:9955=1a");
}

static void the_offer_goes_with_it(void **state)
{
	struct trust_entry entry;
	struct store *s = *state;

	trust_note(s, "a.example", 995, SPAN(A), "r");
	trust_note(s, "a.example", 110, SPAN(A), "r");
	(void)fixture_drain(s);
	accept_of(s, "A.example", 995, TRUSTED_KEY, SHA_A, false);
	s = again(state);
	assert_false(trust_get(s, "a.example", 995, &entry));
	assert_true(trust_get(s, "a.example", 110, &entry));
	trust_note(s, "a.example", 995, SPAN(B), "another");	/* what is offered later changes nothing of it */
	(void)fixture_drain(s);
	assert_true(trust_get(s, "a.example", 995, &entry));
	assert_all(s, "a.example:995=1a");
}

static void what_is_revoked_is_gone(void **state)
{
	struct store *s = *state;
	size_t count;

	accept_of(s, "a.example", 110, TRUSTED_KEY, SHA_A, false);
	accept_of(s, "a.example", 995, TRUSTED_KEY, SHA_A, false);
	accept_of(s, "a.example", 995, TRUSTED_AUTHORITY, SHA_B, true);
	accept_of(s, "aa.example", 995, TRUSTED_KEY, SHA_B, false);
	import_as(s, "one", SHA_A);
	import_as(s, "one", SHA_B);
	import_as(s, "two", SHA_A);
	assert_true(trusted_revoke(s, "a.example", 993, &count, &fixture_err) && count == 0);
	assert_true(trusted_revoke(s, "A.Example", 995, &count, &fixture_err) && count == 2);
	assert_all(again(state), "a.example:110=1a aa.example:995=1b one=3a one=3b two=3a");
	s = *state;
	accept_of(s, "a.example", 995, TRUSTED_KEY, SHA_A, false);
	assert_true(trusted_revoke(s, "a.example", 0, &count, &fixture_err) && count == 2);
	assert_true(trusted_forget(s, "on", &count, &fixture_err) && count == 0);
	assert_true(trusted_forget_sha256(s, SHA_B, &count, &fixture_err) && count == 2);
	assert_all(s, "one=3a two=3a");
	assert_true(trusted_forget(s, "one", &count, &fixture_err) && count == 1);
	assert_all(again(state), "two=3a");
}

static void wrong_ones_are_refused(void **state)
{
	static char much[TRUSTED_PEM_MAX + 1];
	static const struct row { const char *name; struct trusted_new n; } rows[] = {
		{ "no host", { TRUSTED_KEY, "", 995, NULL, SHA_A, SPAN(A), false, 1 } },
		{ "no port", { TRUSTED_KEY, "a.example", 0, NULL, SHA_A, SPAN(A), false, 1 } },
		{ "no digest", { TRUSTED_KEY, "a.example", 995, NULL, DIGITS, SPAN(A), false, 1 } },
		{ "a digest in capitals", { TRUSTED_KEY, "a.example", 995, NULL, DIGITS "A", SPAN(A), false, 1 } },
		{ "no certificate", { TRUSTED_KEY, "a.example", 995, NULL, SHA_A, SPAN(""), false, 1 } },
		{ "too much of one", { TRUSTED_KEY, "a.example", 995, NULL, SHA_A, { much, sizeof much }, false, 1 } },
		{ "no name", { TRUSTED_IMPORTED, NULL, 0, "", SHA_A, SPAN(A), false, 1 } },
		{ "a name with a blank", { TRUSTED_IMPORTED, NULL, 0, "a b", SHA_A, SPAN(A), false, 1 } },
		{ "a name that is a digest", { TRUSTED_IMPORTED, NULL, 0, SHA_B, SHA_A, SPAN(A), false, 1 } },
		{ "a name that is too long", { TRUSTED_IMPORTED, NULL, 0, SHA_B "g", SHA_A, SPAN(A), false, 1 } },
	};
	struct store *s = *state;

	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		if (trusted_add(s, &r->n, &fixture_err) || fixture_err.kind != ERR_CONFIG)
			fail_msg("%s", r->name);
	assert_all(s, "");
}

static void limits_hold(void **state)
{
	struct store *s = *state;
	char sha[] = SHA_A, host[40];
	struct trusted_new n = { TRUSTED_KEY, "a.example", 995, NULL, sha, SPAN(A), true, 1 };

	for (int i = 0; i < TRUSTED_EACH; i++) {
		sha[0] = "0123456789abcdef"[i];
		must(trusted_add(s, &n, &fixture_err));
	}
	must(trusted_add(s, &n, &fixture_err));		/* one of them again */
	n.sha256 = SHA_B;
	assert_false(trusted_add(s, &n, &fixture_err));
	n.beside = false;
	must(trusted_add(s, &n, &fixture_err));
	for (int i = 1; i < TRUSTED_MAX; i++) {
		(void)snprintf(host, sizeof host, "h%d.example", i);
		accept_of(s, host, 995, TRUSTED_KEY, SHA_A, false);
	}
	n.host = "more.example";
	assert_false(trusted_add(s, &n, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "1000"));
	accept_of(s, "h7.example", 995, TRUSTED_KEY, SHA_B, false);	/* in place of another */
	import_as(s, "one", SHA_A);		/* those are counted apart */
}

/* One octet of key or value another: nobody is trusted. */
static void damage_trusts_nobody(void **state)
{
	struct store *s = *state;
	char key[500], value[500], text[2000];
	struct span k = { 0 }, v;
	size_t key_len, value_len;
	struct view *view;

	accept_of(s, "a.example", 995, TRUSTED_AUTHORITY, SHA_A, false);
	view = store_view(s);
	assert_true(view_next(view, engine_part_of("trust", SPAN("")), SPAN("a"), &k, &v));
	memcpy(key, k.at, key_len = k.len);
	memcpy(value, v.at, value_len = v.len);
	view_end(&view);
	for (size_t n = 1; n <= key_len + value_len; n++) {	/* the last row: it is cut */
		struct batch *b = store_batch(engine_part_of("trust", SPAN("")));
		char *at = n < key_len ? &key[n] : &value[(n - key_len) % value_len], was = *at;

		store_must(batch_remove(b, (struct span){ key, key_len }));
		*at ^= 1;
		store_must(batch_put(b, (struct span){ key, key_len }, (struct span){ value, value_len - (n == key_len + value_len) }));
		must(engine_commit_wait(s->engine, &b, &fixture_err));
		if (all_of(s, text)[0])
			fail_msg("octet %zu: %s", n, text);
		b = store_batch(engine_part_of("trust", SPAN("")));
		store_must(batch_remove(b, (struct span){ key, key_len }));
		*at = was;
		store_must(batch_put(b, (struct span){ key, key_len }, (struct span){ value, value_len }));
		must(engine_commit_wait(s->engine, &b, &fixture_err));
	}
	assert_all(s, "a.example:995=2a");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_was_accepted_stays),
		TEST(the_last_replaces_those_before_unless_it_stands_beside),
		TEST(the_offer_goes_with_it),
		TEST(what_is_revoked_is_gone),
		TEST(wrong_ones_are_refused),
		TEST(limits_hold),
		TEST(damage_trusts_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
