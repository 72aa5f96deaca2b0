/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include "serve/submitting.h"
#include "wire/submitted.h"

enum { LIMIT = 1000000 };

static const char *directory;

static int begin([[maybe_unused]] void **state)
{
	directory = fixture_directory();
	return 0;
}

static int end([[maybe_unused]] void **state)
{
	fixture_remove(directory);
	return 0;
}

static struct submitting *start(const char *account, bool final, uint64_t size_max)
{
	const struct submitting_with with = { .state = directory, .size_max = size_max, .account = account, .domain = "main.example",
		.host = "mx.example", .peer = "[192.0.2.1]", .final = final };
	struct submitting *s = submitting_new(&with, &fixture_err);

	must(s);
	return s;
}

static struct fixture_text octets_of(const struct submitting *s)
{
	struct fixture_text t = { 0 };

	must(spool_read(s->spool, fixture_collect, &t, &fixture_err));
	return t;
}

#define MESSAGE "From: a@b.example\r\nTo: \"A B\" <bert@b.example>, carla\r\nBcc: secret@b.example\r\nReturn-Path: <x@y>\r\n\r\nBody\r\n\r\nTo: no@field\r\n"

/* What differs from time to time becomes the same. */
static void blank(struct fixture_text *t)
{
	for (char *c = t->at; c < t->at + t->len; c++)
		if (strchr("0123456789abcdef", *c) && *c)
			*c = '#';
}

static void it_is_rewritten_as_it_should_be([[maybe_unused]] void **state)
{
	struct submitting *s = start("anna", true, LIMIT);
	struct fixture_text t;
	char *rest;

	submitting_add(s, SPAN(MESSAGE));
	assert_int_equal(submitting_end(s), SUBMITTING_GOOD);
	assert_int_equal(s->size, strlen(MESSAGE));
	assert_string_equal(s->sender, "anna@main.example");
	assert_int_equal(s->recipient_count, 3);
	assert_string_equal(s->recipients[0], "bert@b.example");
	assert_string_equal(s->recipients[1], "carla@main.example");
	assert_string_equal(s->recipients[2], "secret@b.example");
	t = octets_of(s);
	assert_true(span_starts(span_of(t.at), SPAN("Return-Path: <anna@main.example>\r\nReceived: from [192.0.2.1]\r\n\tby mx.example (Postrider, XTND XMIT) with POP3 id ")));
	assert_non_null(strstr(t.at, " +0000\r\nDate: "));
	assert_non_null(strstr(t.at, "@mx.example>\r\nFrom: a@b.example\r\n"));
	rest = strstr(t.at, "From: a@b");
	assert_string_equal(rest, "From: a@b.example\r\nTo: \"A B\" <bert@b.example>, carla\r\n\r\nBody\r\n\r\nTo: no@field\r\n");
	free(t.at);
	submitting_free(&s);
	assert_null(s);
}

/* A target that passes it on: no Return-Path (RFC 5321 4.4).  What is there already is not added. */
static void what_is_there_is_not_added([[maybe_unused]] void **state)
{
	struct submitting *s = start("anna@client1.example", false, LIMIT);
	struct fixture_text t;

	submitting_add(s, SPAN("Date: Thu, 26 Nov 2026 03:00:00 +0100\r\nMessage-ID: <1@x>\r\nTo: a@b.example\r\n\r\n"));
	assert_int_equal(submitting_end(s), SUBMITTING_GOOD);
	assert_string_equal(s->sender, "anna@client1.example");
	t = octets_of(s);
	assert_true(span_starts(span_of(t.at), SPAN("Received: from ")));
	assert_non_null(strstr(t.at, " +0000\r\nDate: Thu, 26 Nov 2026 03:00:00 +0100\r\nMessage-ID: <1@x>\r\nTo: a@b.example\r\n\r\n"));
	free(t.at);
	submitting_free(&s);
}

static void any_split_is_the_same([[maybe_unused]] void **state)
{
	static const char *const messages[] = { MESSAGE, "To: a@b.example\r\n", "To: a@b.example\r\n\r\n", "To: a@b.example\r\n\r\n\r\n" };

	for (size_t n = 0; n < COUNT(messages); n++) {
		struct span all = span_of(messages[n]);
		struct fixture_text want = { 0 };

		for (size_t cut = 0; cut <= all.len; cut++) {
			struct submitting *s = start("anna", true, LIMIT);
			struct fixture_text t;

			submitting_add(s, (struct span){ all.at, cut });
			submitting_add(s, span_from(all, cut));
			assert_int_equal(submitting_end(s), SUBMITTING_GOOD);
			t = octets_of(s);
			blank(&t);
			if (want.at)
				assert_string_equal(t.at, want.at);
			else
				want = t;
			if (want.at != t.at)
				free(t.at);
			submitting_free(&s);
		}
		free(want.at);
	}
}

static void octet_by_octet([[maybe_unused]] void **state)
{
	struct span all = SPAN(MESSAGE);
	struct submitting *s = start("anna", true, LIMIT);
	struct fixture_text t;

	for (size_t n = 0; n < all.len; n++)
		submitting_add(s, (struct span){ all.at + n, 1 });
	assert_int_equal(submitting_end(s), SUBMITTING_GOOD);
	t = octets_of(s);
	assert_non_null(strstr(t.at, "carla\r\n\r\nBody\r\n\r\nTo: no@field\r\n"));
	free(t.at);
	submitting_free(&s);
}

static void what_is_wrong([[maybe_unused]] void **state)
{
	static const struct {
		const char *text, *repeated;
		unsigned times;
		enum submitting_said said;
		const char *why;
	} rows[] = {
		{ "Subject: x\r\n\r\n", "", 0, SUBMITTING_BAD, "recipient" },
		{ "", "", 0, SUBMITTING_BAD, "recipient" },
		{ "To: a@b.example\r\n", "Received: x\r\n", SUBMITTING_HOPS, SUBMITTING_GOOD, "" },
		{ "To: a@b.example\r\n", "Received: x\r\n", SUBMITTING_HOPS + 1, SUBMITTING_BAD, "51 servers" },
		{ "To: a@b.example\r\n", "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 6000, SUBMITTING_BAD, "header" },
		{ "To: a@b.example\r\n\r\n", "0123456789abcdef0123456789abcdef0123456789abcdef\r\n", 19900, SUBMITTING_GOOD, "" },
		{ "To: a@b.example\r\n\r\n", "0123456789abcdef0123456789abcdef0123456789abcdef\r\n", 20000, SUBMITTING_TOO_LARGE, "larger than 1000000 octets" },
	};

	for (size_t n = 0; n < COUNT(rows); n++) {
		struct submitting *s = start("anna", true, LIMIT);

		submitting_add(s, span_of(rows[n].text));
		for (unsigned k = 0; k < rows[n].times; k++)
			submitting_add(s, span_of(rows[n].repeated));
		if (submitting_end(s) != rows[n].said || !strstr(s->why.text, rows[n].why))
			fail_msg("row %zu: %d %s", n, (int)s->said, s->why.text);
		assert_int_equal(s->spool != NULL, s->said == SUBMITTING_GOOD);	/* nothing is kept of it */
		submitting_free(&s);
	}
}

/* The disk is full, or there is none. */
static void a_failure_of_ours_is_none_of_the_message([[maybe_unused]] void **state)
{
	const struct submitting_with with = { .state = "/nonexistent/state", .size_max = LIMIT, .account = "anna", .domain = "d", .host = "h", .peer = "[]" };
	struct submitting *s = submitting_new(&with, &fixture_err);
	char *octets = fixture_octets(SPOOL_MEMORY);

	must(s);
	submitting_add(s, SPAN("To: a@b.example\r\n\r\n"));
	submitting_add(s, (struct span){ octets, SPOOL_MEMORY });
	submitting_add(s, SPAN("more"));
	assert_int_equal(submitting_end(s), SUBMITTING_FAILED);
	assert_int_equal(s->size, SPOOL_MEMORY + 23);
	free(octets);
	submitting_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_rewritten_as_it_should_be, begin, end),
		cmocka_unit_test_setup_teardown(what_is_there_is_not_added, begin, end),
		cmocka_unit_test_setup_teardown(any_split_is_the_same, begin, end),
		cmocka_unit_test_setup_teardown(octet_by_octet, begin, end),
		cmocka_unit_test_setup_teardown(what_is_wrong, begin, end),
		cmocka_unit_test_setup_teardown(a_failure_of_ours_is_none_of_the_message, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
