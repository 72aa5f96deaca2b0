/* SPDX-License-Identifier: Apache-2.0 */
#include "store/routed.h"

#include "store/fixture.h"
#include "store/maildrop_routed.h"

#define MARK "Delivered-To: postrider.0123456789abcdef@h\r\n"

static void list(void *user, struct span address)
{
	struct buf *story = user;

	assert_true(buf_add(story, address) && buf_add_byte(story, ';'));
}

static void addresses_are_found(void **state)
{
	static const struct row { const char *name; struct span head; const char *story; } rows[] = {
		{ "nothing", SPAN(""), "" },
		{ "no such field", SPAN("To: a@b\r\n\r\nX-Real-To: c@d\r\n"), "" },
		{ "one", SPAN("X-Real-To: a@b\r\n\r\n"), "a@b;" },
		{ "any case", SPAN("x-REAL-to: Anna@Example.ORG\r\n\r\n"), "anna@example.org;" },
		{ "several, lists, folds", SPAN("X-Real-To: a,\r\n <b@C>\r\nX: y\r\nX-Real-To: D\r\n\r\n"), "a;b@c;d;" },
		{ "bad ones", SPAN("X-Real-To: a b, c@d\r\nX-Real-To:\r\n\r\n"), "c@d;" },
		{ "no empty line", SPAN("X-Real-To: a@b"), "a@b;" },
		{ "the header ends at what is no field", SPAN("X: y\r\nhello\r\nX-Real-To: a@b\r\n"), "" },
		{ "an envelope's", SPAN("X-Real-To: a@b\r\nX-Real-To: c@d\r\n" MARK "X-Real-To: e@f\r\nX: y\r\nX-Real-To: g@h\r\n\r\n"), "a@b;c@d;" },
		{ "two envelopes", SPAN("X-Real-To: a@b\r\n" MARK "X-Real-To: c@d\r\n" MARK "X-Real-To: e@f\r\n\r\n"), "a@b;" },
		{ "somebody else's Delivered-To", SPAN("X-Real-To: a@b\r\nDelivered-To: c@d\r\nX-Real-To: e@f\r\n\r\n"), "a@b;e@f;" },
		{ "a mark with nothing above it", SPAN(MARK "X-Real-To: a@b\r\nX-Real-To: c@d\r\n\r\n"), "a@b;c@d;" },
		{ "a mark further down", SPAN("X-Real-To: a@b\r\nX: y\r\nX-Real-To: c@d\r\n" MARK "X-Real-To: e@f\r\n\r\n"), "a@b;c@d;e@f;" },
		{ "a mark below something else", SPAN("X: y\r\nX-Real-To: a@b\r\n" MARK "X-Real-To: e@f\r\n\r\n"), "a@b;e@f;" },
		{ "longer names", SPAN("X-Real-Too: a@b\r\nXX-Real-To: c@d\r\n\r\n"), "" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char memory[256];
		struct buf story;

		buf_lend(&story, memory, sizeof memory);
		assert_true(routed_find(r->head, ROUTED_WHOLE, "x-real-to", list, &story) && buf_terminate(&story));
		if (strcmp(memory, r->story) != 0)
			fail_msg("%s: %s, not %s", r->name, memory, r->story);
	}
}

/* Of a beginning it is said that more is needed, or what is found is what the whole says. */
static void a_beginning_says_no_more_than_it_knows(void **state)
{
	static const struct span heads[] = {
		SPAN("A: b\r\nX-Real-To: a@b,\r\n c@d\r\nX-Real-To: e@f\r\nZ: z\r\n\r\nX-Real-To: g@h\r\n"),
		SPAN("From x\r\nX-Real-To: a@b\nbody\nX-Real-To: g@h\n"), SPAN("\r\nX-Real-To: a@b\r\n"), SPAN("X-Real-To: a@b\r\n \r\n \r\n\r\nx"),
		SPAN("X-Real-To: a@b\r\n" MARK "X-Real-To: e@f\r\n\r\n"), SPAN("X-Real-To: a@b\r\nDelivered-To: c@d\r\nX-Real-To: e@f\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(heads); i++) {
		char all[256], some[256];
		struct buf story, part;
		bool ends = false;

		buf_lend(&story, all, sizeof all);
		assert_true(routed_find(heads[i], ROUTED_WHOLE, "x-real-to", list, &story));
		for (size_t n = 0; n <= heads[i].len; n++) {
			buf_lend(&part, some, sizeof some);
			if (routed_find((struct span){ heads[i].at, n }, ROUTED_GOES_ON, "x-real-to", list, &part)) {
				assert_true(span_equal(buf_span(&part), buf_span(&story)));
				ends = true;
			} else {
				assert_false(ends);
			}
			assert_true(span_starts(buf_span(&story), buf_span(&part)));
			buf_lend(&part, some, sizeof some);
			assert_true(routed_find((struct span){ heads[i].at, n }, ROUTED_CUT, "x-real-to", list, &part));
			assert_true(span_starts(buf_span(&story), buf_span(&part)));
		}
		assert_true(ends);
	}
}

/* Whoever routes by another field has told us to believe it. */
static void other_names_count_wherever_they_stand(void **state)
{
	struct span head = SPAN("X-Real-To: a@b\r\n" MARK "Envelope-To: c@d\r\n\r\n");
	char memory[256];
	struct buf story;

	(void)state;
	buf_lend(&story, memory, sizeof memory);
	assert_true(routed_find(head, ROUTED_WHOLE, "envelope-to", list, &story));
	assert_true(span_equal(buf_span(&story), SPAN("c@d;")));
	buf_lend(&story, memory, sizeof memory);
	assert_true(routed_find(SPAN("Envelope-To: a@b\r\n" MARK "Envelope-To: c@d\r\n\r\n"), ROUTED_WHOLE, "envelope-to", list, &story));
	assert_true(span_equal(buf_span(&story), SPAN("a@b;c@d;")));
}

static void an_address_is_meant(void **state)
{
	static const struct row { struct span listed, address; bool meant; } rows[] = {
		{ SPAN("abc@client1.com"), SPAN("abc@client1.com"), true }, { SPAN("abc@client1.com"), SPAN("ABC@Client1.COM"), true },
		{ SPAN("abc"), SPAN("Abc@client1.com"), true }, { SPAN("abc@client1.co"), SPAN("abc@client1.com"), false },
		{ SPAN("abcd@client1.com"), SPAN("abc@client1.com"), false }, { SPAN("ab"), SPAN("abc@client1.com"), false },
		{ SPAN("abc@other.org"), SPAN("abc@client1.com"), false }, { SPAN("client1.com"), SPAN("abc@client1.com"), false },
		{ SPAN("a@b"), SPAN("a@b@c"), true }, { SPAN("a"), SPAN("a@b@c"), false }, { SPAN("abc"), SPAN("abc"), true },
		{ SPAN("abc@x"), SPAN("abc"), false }, { SPAN(""), SPAN("abc@x"), false },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		assert_int_equal(routed_means(r->listed, r->address), r->meant);
}

/* Given in pieces as the store has them, at every cut. */
static void it_is_found_in_pieces(void **state)
{
	struct span m = SPAN("A: b\r\nX-Real-To: a@b,\r\n c@d\r\nX-Real-To: e\r\n\r\nX-Real-To: g@h\r\n");
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);

	(void)state;
	for (size_t cut = 0; cut <= m.len; cut++)
		for (size_t again = cut; again <= m.len; again += 7) {
			struct routed r = { 0 };

			routed_look(&r, s, (struct span){ m.at, cut }, false);
			routed_look(&r, s, (struct span){ m.at + cut, again - cut }, false);
			assert_false(r.done && again < m.len && !routed_value(&r).len);
			routed_look(&r, s, (struct span){ m.at + again, m.len - again }, true);
			assert_true(span_equal(routed_value(&r), SPAN("a@b\0c@d\0e\0")));
			assert_int_equal(routed_flags(&r), BOX_LISTS | 1 << BOX_FIELD_SHIFT);
			routed_end(&r);
		}
	store_close(&s);
	fixture_remove(directory);
}

static uint32_t number_now(struct store *s, const char *name)
{
	must(store_route_header(s, name, &fixture_err));
	return route_field_now(s)->number;
}

static void names_keep_their_numbers(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char name[ROUTED_NAME_MAX + 2];
	struct err e;

	(void)state;
	assert_int_equal(route_field_now(s)->number, 1);
	assert_int_equal(number_now(s, "Delivered-To"), 2);
	assert_string_equal(route_field_now(s)->name, "delivered-to");
	assert_int_equal(number_now(s, "X-Real-TO"), 1);
	assert_int_equal(number_now(s, "X"), 3);
	assert_int_equal(number_now(s, "delivered-to"), 2);
	store_close(&s);
	s = fixture_store(directory);
	assert_int_equal(route_field_now(s)->number, 1);
	assert_int_equal(number_now(s, "x"), 3);
	memset(name, 'a', sizeof name);
	name[ROUTED_NAME_MAX + 1] = '\0';
	assert_false(store_route_header(s, name, &e));
	assert_false(store_route_header(s, "", &e));
	assert_int_equal(route_field_now(s)->number, 3);
	assert_int_equal(number_now(s, name + 1), 4);
	for (unsigned n = 5; n <= BOX_FIELDS; n++) {
		(void)snprintf(name, sizeof name, "n%u", n);
		assert_int_equal(number_now(s, name), n);
	}
	assert_int_equal(number_now(s, "one-more"), 0);
	assert_int_equal(number_now(s, "n255"), 255);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_found),
		cmocka_unit_test(a_beginning_says_no_more_than_it_knows),
		cmocka_unit_test(other_names_count_wherever_they_stand),
		cmocka_unit_test(an_address_is_meant),
		cmocka_unit_test(it_is_found_in_pieces),
		cmocka_unit_test(names_keep_their_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
