/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "wire/envelope.h"

#define MARK "postrider.0123456789abcdef@mail.example.org"
#define FIELDS .headers = { fields, COUNT(fields) }
#define NOBODY "its header names no recipient"

static const char *const fields[] = { "X-Real-To", "Delivered-To" };
static const char *const fixed[] = { "bert@example.net", "Carla <carla@example.net>, BERT@example.net" };
static const char *const others[] = { "postmaster@example.org" };

static const struct envelope_rules
	plain = { FIELDS, .no_recipient = ENVELOPE_HOLD },
	swapped = { FIELDS, .source_domain = "client1.com", .target_domain = "corp.example", .no_recipient = ENVELOPE_QUARANTINE },
	source = { FIELDS, .source_domain = "client1.com", .no_recipient = ENVELOPE_DELETE },
	target = { FIELDS, .target_domain = "corp.example", .no_recipient = ENVELOPE_HOLD },
	listed = { FIELDS, .source_domain = "client1.com", .target_domain = "x.y", .recipients = { fixed, 2 } },
	otherwise = { FIELDS, .source_domain = "client1.com", .target_domain = "x.y", .no_recipient = ENVELOPE_DELIVER, .otherwise = { others, 1 } },
	empty = { .no_recipient = ENVELOPE_DELIVER };

/* "found: recipients", each with ';' behind; or the outcome and why. */
static const struct row {
	const char *name;
	const struct envelope_rules *rules;
	const char *header, *want;
} rows[] = {
	{ "the first field", &plain, "Delivered-To: b@c\r\nX-Real-To: a@b\r\nTo: d@e\r\n\r\n", "X-Real-To: a@b;" },
	{ "the second field", &plain, "delivered-to: b@c\nTo: d@e\n\n", "Delivered-To: b@c;" },
	{ "several, and a list", &plain, "X-Real-To: a@b, c@d\r\nX-REAL-TO: A@B, e@f\r\n\r\n", "X-Real-To: a@b;c@d;e@f;" },
	{ "an earlier host's", &plain, "Delivered-To: a@b\r\nReceived: x\r\nDelivered-To: list@elsewhere\r\n\r\n", "Delivered-To: a@b;" },
	{ "nothing good in the first", &plain, "X-Real-To: x y\r\nDelivered-To: a@b\r\n\r\n", "Delivered-To: a@b;" },
	{ "a word alone", &plain, "X-Real-To: anna\r\nDelivered-To: a@b\r\n\r\n", "Delivered-To: a@b;" },
	{ "a word alone, swapped", &swapped, "X-Real-To: anna\r\n\r\n", "X-Real-To: anna@corp.example;" },
	{ "a word alone, source", &source, "X-Real-To: anna\r\n\r\n", "X-Real-To: anna@client1.com;" },
	{ "a word alone, target", &target, "X-Real-To: anna\r\n\r\n", "X-Real-To: anna@corp.example;" },
	{ "any domain to the target's", &target, "X-Real-To: anna@x, anna@y\r\n\r\n", "X-Real-To: anna@corp.example;" },
	{ "the catch-all's own address", &source, "Delivered-To: catchall@isp\r\nDelivered-To: anna@CLIENT1.com\r\n\r\n", "Delivered-To: anna@CLIENT1.com;" },
	{ "and further down", &source, "Delivered-To: catchall@isp\r\nReceived: x\r\nDelivered-To: anna@client1.com\r\nReceived: y\r\nDelivered-To: bert@client1.com\r\n\r\n",
		"Delivered-To: anna@client1.com;" },
	{ "To, Cc and Bcc", &swapped, "To: a@client1.com, b@other\r\nCc: C <c@Client1.Com>\r\nBcc: d@client1.com\r\nTo: a@client1.com\r\nResent-To: e@client1.com\r\n\r\n",
		"To, Cc, Bcc: a@corp.example;c@corp.example;d@corp.example;" },
	{ "To, when nobody says so", &plain, "To: a@client1.com\r\n\r\n", "hold: " NOBODY },
	{ "a word alone in To", &source, "To: anna\r\n\r\n", "delete: " NOBODY " in client1.com" },
	{ "a similar domain", &swapped, "X-Real-To: a@xclient1.com, a@client1.com.x\r\nTo: client1.com@x\r\n\r\n", "quarantine: " NOBODY " in client1.com" },
	{ "fields before To", &source, "To: b@client1.com\r\nDelivered-To: a@client1.com\r\n\r\n", "Delivered-To: a@client1.com;" },
	{ "To of the body", &source, "X: y\r\n\r\nTo: a@client1.com\r\n", "delete: " NOBODY " in client1.com" },
	{ "fixed ones", &listed, "X-Real-To: a@client1.com\r\n\r\n", "recipients: bert@example.net;carla@example.net;" },
	{ "fixed ones, no header", &listed, "", "recipients: bert@example.net;carla@example.net;" },
	{ "to somebody else", &otherwise, "X-Real-To: a@other\r\n\r\n", "no_recipient: postmaster@example.org;" },
	{ "not needed", &otherwise, "X-Real-To: a@client1.com\r\n\r\n", "X-Real-To: a@x.y;" },
	{ "rules that say nothing", &empty, "To: a@b\r\n\r\n", "hold: " NOBODY },
	{ "nothing at all", &plain, "", "hold: " NOBODY },
	{ "what looks like one is nobody", &target, "X-Real-To: postrider.0123456789abcdef, postrider.0123456789abcde\r\n\r\n", "X-Real-To: postrider.0123456789abcde@corp.example;" },
	{ "nor in To", &source, "To: postrider.0123456789abcdef@client1.com, b@client1.com\r\n\r\n", "To, Cc, Bcc: b@client1.com;" },
	{ "our mark is nobody", &plain, "Delivered-To: " MARK "\r\nDelivered-To: a@b\r\n\r\n", "Delivered-To: a@b;" },
	{ "our mark alone", &target, "Delivered-To: " MARK "\r\n\r\n", "hold: " NOBODY },
	{ "no mark", &plain, "Delivered-To: postrider.0123456789abcdeg@x\r\n\r\n", "Delivered-To: postrider.0123456789abcdeg@x;" },
	{ "folded, and not decoded", &plain, "X-Real-To: =?utf-8?q?a?=\r\n <a@b>,\r\n\t\"c d\"@e\r\n\r\n", "X-Real-To: a@b;c d@e;" },
	{ "an mbox's line", &plain, "From x@y Thu\r\nX-Real-To: a@b\r\n\r\n", "X-Real-To: a@b;" },
};

static const char *const outcomes[] = {
	[ENVELOPE_DELIVER] = "deliver", [ENVELOPE_HOLD] = "hold", [ENVELOPE_DELETE] = "delete", [ENVELOPE_QUARANTINE] = "quarantine",
	[ENVELOPE_REFUSED] = "refused",
};

static struct envelope v;

static void tell(char *out, size_t size)
{
	size_t n;

	if (v.what != ENVELOPE_DELIVER) {
		assert_true(!v.count && !v.found);
		(void)snprintf(out, size, "%s: %s", outcomes[v.what], v.why);
		return;
	}
	assert_string_equal(v.why, "");
	n = (size_t)snprintf(out, size, "%s: ", v.found);
	for (size_t i = 0; i < v.count; i++)
		n += (size_t)snprintf(out + n, size - n, "%s;", v.recipients[i].text);
}

static void whom_it_is_for([[maybe_unused]] void **state)
{
	char said[1000];

	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		print_message("%s\n", r->name);
		envelope_read(&v, span_of(r->header), r->rules);
		tell(said, sizeof said);
		assert_string_equal(said, r->want);
	}
}

static void too_many_are_refused([[maybe_unused]] void **state)
{
	static char header[8000];
	size_t n = (size_t)snprintf(header, sizeof header, "X-Real-To: ");

	for (unsigned i = 0; i < ENVELOPE_RECIPIENTS; i++)
		n += (size_t)snprintf(header + n, sizeof header - n, "u%u@client1.com,\r\n ", i);
	envelope_read(&v, (struct span){ header, n }, &plain);
	assert_int_equal(v.what, ENVELOPE_DELIVER);
	assert_int_equal(v.count, ENVELOPE_RECIPIENTS);
	n += (size_t)snprintf(header + n, sizeof header - n, "one.more@client1.com\r\n");
	envelope_read(&v, (struct span){ header, n }, &plain);
	assert_int_equal(v.what, ENVELOPE_REFUSED);
	assert_int_equal(v.count, 0);
	assert_non_null(strstr(v.why, "100"));
}

static void domains_that_do_not_fit([[maybe_unused]] void **state)
{
	static char domain[ADDRESS_MAX + 1], header[400];
	const struct envelope_rules rules = { FIELDS, .target_domain = domain, .no_recipient = ENVELOPE_HOLD };

	memset(domain, 'd', ADDRESS_MAX - 2);
	(void)snprintf(header, sizeof header, "X-Real-To: a@b\r\n\r\n");
	envelope_read(&v, span_of(header), &rules);
	assert_int_equal(v.what, ENVELOPE_DELIVER);
	assert_int_equal(v.recipients[0].len, ADDRESS_MAX);
	(void)snprintf(header, sizeof header, "X-Real-To: aa@b\r\n\r\n");
	envelope_read(&v, span_of(header), &rules);
	assert_int_equal(v.what, ENVELOPE_HOLD);
}

static void read_one(const char *header)
{
	envelope_read(&v, span_of(header), &plain);
	assert_int_equal(v.what, ENVELOPE_DELIVER);
}

/* It tells the connection and the set of recipients, not their order or case. */
static void marks_tell_apart([[maybe_unused]] void **state)
{
	static const struct { const char *header, *connection; bool same; } cases[] = {
		{ "X-Real-To: b@c, a@b\r\n\r\n", "support", true }, { "X-Real-To: A@b, B@c\r\n\r\n", "support", true },
		{ "X-Real-To: a@b\r\n\r\n", "support", false }, { "X-Real-To: a@b, b@c, c@d\r\n\r\n", "support", false },
		{ "X-Real-To: a@b, b@c\r\n\r\n", "sales", false },
	};
	char mark[ENVELOPE_MARK], other[ENVELOPE_MARK];

	read_one("X-Real-To: a@b, b@c\r\n\r\n");
	envelope_mark(&v, "support", "mail.example.org", mark);
	for (size_t n = 0; n < COUNT(cases); n++) {
		read_one(cases[n].header);
		envelope_mark(&v, cases[n].connection, "mail.example.org", other);
		assert_int_equal(strcmp(mark, other) == 0, cases[n].same);
	}
	assert_int_equal(strlen(mark), strlen(MARK));
}

static void what_comes_back_is_a_loop([[maybe_unused]] void **state)
{
	static const struct { const char *header; bool good; } cases[] = {
		{ "Received: x\r\n\r\n", true }, { "Delivered-To: a@b\r\n\r\n", true }, { "Received: x\r\nDELIVERED-to: " MARK "\r\n\r\n", false },
		{ "Delivered-To: c@d, <Postrider.0123456789ABCDEF@MAIL.example.org>\r\n\r\n", false },
		{ "Delivered-To: postrider.1123456789abcdef@mail.example.org\r\n\r\n", true }, { "X-Real-To: " MARK "\r\n\r\n", true },
		{ "\r\nDelivered-To: " MARK "\r\n", true },
	};

	for (size_t n = 0; n < COUNT(cases); n++) {
		read_one("X-Real-To: a@b\r\n\r\n");
		assert_int_equal(envelope_guard(&v, span_of(cases[n].header), MARK), cases[n].good);
		assert_int_equal(v.what, cases[n].good ? ENVELOPE_DELIVER : ENVELOPE_REFUSED);
		assert_int_equal(v.count, cases[n].good);
		assert_true(cases[n].good || strstr(v.why, "loop"));
	}
}

static void many_hops_are_a_loop([[maybe_unused]] void **state)
{
	char header[(ENVELOPE_HOPS + 1) * 14 + 1];
	size_t n = 0;

	for (unsigned i = 0; i < ENVELOPE_HOPS; i++)
		n += (size_t)snprintf(header + n, sizeof header - n, "Received: x\r\n");
	read_one("X-Real-To: a@b\r\n\r\n");
	assert_true(envelope_guard(&v, (struct span){ header, n }, MARK));
	n += (size_t)snprintf(header + n, sizeof header - n, "received: x\r\n");
	assert_false(envelope_guard(&v, (struct span){ header, n }, MARK));
	assert_non_null(strstr(v.why, "50 Received"));
}

static void paths_are_quoted_where_they_must([[maybe_unused]] void **state)
{
	static const char *const paths[] = {
		"anna@c", "a.b@c", "\"anna k\"@c", "\"a\\\"b\\\\c\"@d", "\"a@b\"@c", "\".a\"@c", "\"a..b\"@c", "\"a.\"@c", "\"\"@c", "j\xc3\xb6rg@c", "\"a,b\"@c",
	};
	char memory[ENVELOPE_PATH];

	for (size_t n = 0; n < COUNT(paths); n++) {
		struct span list = span_of(paths[n]);
		struct address a;
		struct buf out;

		if (!addresses_next(&list, &a))
			continue;	/* an empty word is no address to addresses_next */
		for (size_t room = 0; room < strlen(paths[n]); room++) {
			buf_lend(&out, memory, room);
			assert_false(envelope_path(&a, &out));
		}
		buf_lend(&out, memory, sizeof memory);
		assert_true(envelope_path(&a, &out));
		assert_true(span_equal(buf_span(&out), span_of(paths[n])));
	}
}

static void what_goes_on_top([[maybe_unused]] void **state)
{
	static const char want[] = "X-Real-To: a@b\r\nX-Real-To: \"c d\"@e\r\nDelivered-To: " MARK "\r\n";
	char memory[400];
	struct buf out;

	read_one("X-Real-To: a@b, \"c d\"@e\r\n\r\n");
	buf_lend(&out, memory, sizeof memory);
	assert_true(envelope_added(&v, MARK, "X-Real-To", &out));
	assert_true(span_equal(buf_span(&out), SPAN(want)));
	buf_lend(&out, memory, sizeof memory);
	assert_true(envelope_added(&v, MARK, NULL, &out));
	assert_true(span_equal(buf_span(&out), SPAN("Delivered-To: " MARK "\r\n")));
	buf_lend(&out, memory, sizeof want - 2);
	assert_false(envelope_added(&v, MARK, "X-Real-To", &out));
}

/* A catch-all that reads what another one wrote: only what stands above the mark counts, whatever follows it. */
static void what_went_on_top_counts_alone([[maybe_unused]] void **state)
{
	char memory[400], said[400];
	struct buf out;

	read_one("X-Real-To: a@b\r\n\r\n");
	buf_lend(&out, memory, sizeof memory);
	assert_true(envelope_added(&v, MARK, ENVELOPE_REAL_TO, &out) && buf_add(&out, SPAN("X-Real-To: mallory@b\r\n\r\n")));
	envelope_read(&v, buf_span(&out), &plain);
	tell(said, sizeof said);
	assert_string_equal(said, "X-Real-To: a@b;");
}

static void marks_are_known([[maybe_unused]] void **state)
{
	static const struct { const char *header; bool is; } cases[] = {
		{ "Delivered-To: " MARK "\r\n", true }, { "delivered-to: <" MARK ">\r\n", true }, { "X-Real-To: " MARK "\r\n", false },
		{ "Delivered-To: a@b\r\n", false }, { "Delivered-To: postrider.0123456789abcde@h\r\n", false }, { "Delivered-To:\r\n", false },
	};

	for (size_t n = 0; n < COUNT(cases); n++) {
		struct span header = span_of(cases[n].header);
		struct header_field field;

		assert_true(header_next(&header, &field));
		assert_int_equal(envelope_is_mark(&field), cases[n].is);
	}
}

static void whom_it_is_from([[maybe_unused]] void **state)
{
	static const struct { const char *header, *want; } cases[] = {
		{ "Return-Path: <anna@example.org>\r\n\r\n", "anna@example.org" }, { "X: y\r\nRETURN-PATH:anna@example.org\r\n", "anna@example.org" },
		{ "Return-Path: <>\r\n\r\n", "" }, { "Return-Path:\r\n\r\n", "" }, { "From: anna@example.org\r\n\r\n", "" },
		{ "Return-Path: <>\r\nReturn-Path: <anna@example.org>\r\n\r\n", "" },
		{ "Return-Path: <b@c>\r\nReturn-Path: <anna@example.org>\r\n\r\n", "b@c" },
		{ "Return-Path:\r\n <anna@example.org>\r\n\r\n", "anna@example.org" }, { "Return-Path: <@relay,@other:anna@example.org>\n\n", "anna@example.org" },
		{ "Return-Path: <\"anna k\"@example.org>\r\n\r\n", "anna k@example.org" }, { "Return-Path: <MAILER-DAEMON>\r\n\r\n", "" },
		{ "Return-Path: <a@b> <c@d>\r\n\r\n", "" }, { "Return-Path: a@b, c@d\r\n\r\n", "" }, { "Return-Path: <a@b>, x y\r\n\r\n", "" },
		{ "Return-Path: Anna <a@b>\r\n\r\n", "" }, { "Return-Path: <a@b\r\n\r\n", "" }, { "Return-Path: <a\x01@b>\r\n\r\n", "" },
		{ "Return-Path: <a@b> SIZE=1\r\n\r\n", "" }, { "\r\nReturn-Path: <a@b>\r\n", "" }, { "", "" },
	};

	for (size_t n = 0; n < COUNT(cases); n++) {
		struct address a = { .len = 1 };

		print_message("%s\n", cases[n].header);
		assert_int_equal(envelope_sender(span_of(cases[n].header), &a), cases[n].want[0] != '\0');
		assert_string_equal(a.text, cases[n].want);
		assert_int_equal(a.len, strlen(cases[n].want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whom_it_is_for),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(domains_that_do_not_fit),
		cmocka_unit_test(marks_tell_apart),
		cmocka_unit_test(what_comes_back_is_a_loop),
		cmocka_unit_test(many_hops_are_a_loop),
		cmocka_unit_test(paths_are_quoted_where_they_must),
		cmocka_unit_test(what_goes_on_top),
		cmocka_unit_test(what_went_on_top_counts_alone),
		cmocka_unit_test(marks_are_known),
		cmocka_unit_test(whom_it_is_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
