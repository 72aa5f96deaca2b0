/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"
#include "store/room.h"
#include "store/trust.h"
#include "store/trusted.h"

#define A "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define B "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

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

static void again(void **state)		/* as another process would see it */
{
	struct store *s = *state;

	store_close(&s);
	*state = fixture_store(directory);
}

static bool holds(struct store *s, const char *name, const char *want)
{
	struct buf chain;
	bool same;

	buf_start(&chain, TRUST_CHAIN_MAX);
	must(trust_chain(s, name, &chain, &fixture_err));
	same = span_equal(buf_span(&chain), span_of(want));
	buf_end(&chain);
	return same;
}

static void an_offer_is_kept(void **state)
{
	struct trust_entry entry;
	struct store *s = *state;

	trust_note(s, "POP.Example.org", 995, SPAN(A), "unknown authority");
	again(state);
	s = *state;
	assert_true(trust_get(s, "pop.EXAMPLE.org.", 995, &entry));
	assert_string_equal(entry.name, "pop.example.org:995");
	assert_string_equal(entry.host, "pop.example.org");
	assert_int_equal(entry.port, 995);
	assert_int_equal(entry.times, 1);
	assert_true(entry.first_seen > 1600000000 && entry.first_seen == entry.last_seen);
	assert_string_equal(entry.reason, "unknown authority");
	assert_true(holds(s, entry.name, A));
	assert_false(trust_get(s, "pop.example.org", 110, &entry));
	assert_false(trust_get(s, "example.org", 995, &entry));
}

static void the_same_again_counts(void **state)
{
	struct trust_entry entry;
	struct store *s = *state;

	for (int i = 0; i < 5; i++)		/* without waiting: the first is under way, the others wait */
		trust_note(s, "a.example", 995, SPAN(A), i == 4 ? "expired" : "unknown authority");
	assert_int_equal(s->under_way, 1);
	(void)fixture_drain(s);
	assert_null(s->notes);
	assert_true(trust_get(s, "a.example", 995, &entry));
	assert_int_equal(entry.times, 5);
	assert_string_equal(entry.reason, "expired");
	again(state);
	s = *state;
	trust_note(s, "a.example", 995, SPAN(A), "expired");
	(void)fixture_drain(s);
	assert_true(trust_get(s, "a.example", 995, &entry));
	assert_int_equal(entry.times, 6);
}

static void another_chain_begins_anew(void **state)
{
	struct trust_entry entry;
	struct store *s = *state;

	for (int i = 0; i < 3; i++)
		trust_note(s, "a.example", 995, SPAN(A), "one");
	trust_note(s, "a.example", 995, SPAN(B), "two");
	(void)fixture_drain(s);
	assert_true(trust_get(s, "a.example", 995, &entry));
	assert_int_equal(entry.times, 1);
	assert_string_equal(entry.reason, "two");
	assert_true(holds(s, "a.example:995", B));
}

/* Put as `trust accept` will, seen `when`. */
static void put_entry(struct store *s, const char *name, uint32_t when)
{
	char key[80], value[22] = { 1, 1 };
	struct batch *b = store_batch(engine_part_of("trust", SPAN("")));

	for (int i = 0; i < 4; i++)
		value[14 + i] = (char)(when >> (24 - 8 * i));
	key[0] = 't';
	memcpy(key + 1, name, strlen(name));
	must(batch_put(b, (struct span){ key, 1 + strlen(name) }, (struct span){ value, sizeof value }));
	key[0] = 'c';
	must(batch_put(b, (struct span){ key, 1 + strlen(name) }, SPAN(A)));
	must(engine_commit_wait(s->engine, &b, &fixture_err));
}

static size_t count_keys(struct store *s, struct span kind)
{
	struct span key = { 0 }, value;
	struct view *v = store_view(s);
	size_t n = 0;

	while (view_next(v, engine_part_of("trust", SPAN("")), kind, &key, &value))
		n++;
	view_end(&v);
	return n;
}

static void the_oldest_offer_goes(void **state)
{
	struct trust_entry entry;
	struct store *s = *state;
	char name[40];

	for (uint32_t i = 0; i < TRUST_HOSTS_MAX - 1; i++) {
		(void)snprintf(name, sizeof name, "h%u.example:995", i);
		put_entry(s, name, 5000 + i * 7 % 1000);	/* h0 is the oldest */
	}
	must(trusted_add(s, &(struct trusted_new){ TRUSTED_KEY, "accepted.example", 995, NULL, SHA, SPAN(A), false, 10 }, &fixture_err));
	trust_note(s, "fits.example", 995, SPAN(B), "r");
	(void)fixture_drain(s);
	assert_true(trust_get(s, "h0.example", 995, &entry));
	trust_note(s, "h1.example", 995, SPAN(B), "r");	/* known: nobody goes for it */
	(void)fixture_drain(s);
	assert_true(trust_get(s, "h0.example", 995, &entry));
	for (int i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof name, "new%d.example", i);
		trust_note(s, name, 995, SPAN(B), "r");
	}
	(void)fixture_drain(s);
	assert_int_equal(count_keys(s, SPAN("t")), TRUST_HOSTS_MAX);
	assert_int_equal(count_keys(s, SPAN("c")), TRUST_HOSTS_MAX);
	assert_false(trust_get(s, "h0.example", 995, &entry));
	assert_int_equal(count_keys(s, SPAN("a")), 1);
	assert_true(trust_get(s, "fits.example", 995, &entry));
	assert_true(trust_get(s, "h1.example", 995, &entry));
	for (int i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof name, "new%d.example", i);
		assert_true(trust_get(s, name, 995, &entry));
	}
}

static void entries_are_walked_in_order(void **state)
{
	static const struct row { const char *host; uint16_t port; const char *name; } rows[] = {
		{ "2001:DB8::1", 993, "[2001:db8::1]:993" }, { "a.example", 110, "a.example:110" }, { "a.example", 995, "a.example:995" },
		{ "b.example", 65535, "b.example:65535" },
	};
	struct trust_entry entry = { .name = "" };
	struct store *s = *state;

	for (size_t i = COUNT(rows); i-- > 0;)
		trust_note(s, rows[i].host, rows[i].port, SPAN(A), "r");
	(void)fixture_drain(s);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(trust_each(s, &entry));
		assert_string_equal(entry.name, rows[i].name);
		assert_int_equal(entry.port, rows[i].port);
		assert_int_equal(strcasecmp(entry.host, rows[i].host), 0);
	}
	assert_false(trust_each(s, &entry));
}

static void limits_hold(void **state)
{
	static char much[TRUST_CHAIN_MAX + 1], host[TRUST_HOST_MAX + 2], reason[2000];
	struct trust_entry entry = { .name = "" };
	struct store *s = *state;
	struct buf small;

	memset(much, 'x', sizeof much);
	memset(host, 'h', sizeof host - 1);
	memset(reason, 'r', sizeof reason - 1);
	trust_note(s, host, 995, SPAN(A), "r");			/* too long by one */
	trust_note(s, "", 995, SPAN(A), "r");
	trust_note(s, "empty.example", 995, SPAN(""), "r");
	trust_note(s, "much.example", 995, (struct span){ much, sizeof much }, "r");
	(void)fixture_drain(s);
	assert_false(trust_each(s, &entry));
	host[TRUST_HOST_MAX] = '\0';
	trust_note(s, host, 65535, (struct span){ much, TRUST_CHAIN_MAX }, reason);
	again(state);
	s = *state;
	assert_true(trust_get(s, host, 65535, &entry));
	assert_int_equal(strlen(entry.reason), sizeof entry.reason - 1);
	buf_start(&small, 100);
	assert_false(trust_chain(s, entry.name, &small, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_false(trust_chain(s, "nobody:1", &small, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	buf_end(&small);
}

static void damage_is_nothing_known(void **state)
{
	static const struct { const char *key; struct span value; } rows[] = {
		{ "tshort.example:1", SPAN("\1\1") }, { "tlater.example:1", SPAN("\2\1aaaaaaaabbbbbbbbccccreason") },
		{ "tnoport.example", SPAN("\1\1aaaaaaaabbbbbbbbccccreason") }, { "t:5", SPAN("\1\1aaaaaaaabbbbbbbbccccreason") },
		{ "t[:5", SPAN("\1\1aaaaaaaabbbbbbbbccccreason") },
	};
	struct trust_entry entry = { .name = "" };
	struct store *s = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct batch *b = store_batch(engine_part_of("trust", SPAN("")));

		must(batch_put(b, span_of(rows[i].key), rows[i].value));
		must(engine_commit_wait(s->engine, &b, &fixture_err));
	}
	assert_false(trust_each(s, &entry));
	assert_false(trust_get(s, "short.example", 1, &entry));
	trust_note(s, "short.example", 1, SPAN(A), "r");
	(void)fixture_drain(s);
	assert_true(trust_get(s, "short.example", 1, &entry) && entry.times == 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_offer_is_kept),
		TEST(the_same_again_counts),
		TEST(another_chain_begins_anew),
		TEST(the_oldest_offer_goes),
		TEST(entries_are_walked_in_order),
		TEST(limits_hold),
		TEST(damage_is_nothing_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
