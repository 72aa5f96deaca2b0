/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/routing.h"
#include "wire/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define FIELDS .headers = { poprep, COUNT(poprep) }

enum { SAID = 4000 };

static const char *const poprep[] = { "X-Real-To", "Delivered-To", "X-Original-To", "Envelope-To" };
static const char *const fixed[] = { "support@corp.example", "Q <\"q a\"@corp.example>" };
static const char *const others[] = { "postmaster@corp.example" };

static const struct envelope_rules
	all = { FIELDS, .no_recipient = ENVELOPE_HOLD },
	client = { FIELDS, .source_domain = "client1.com", .no_recipient = ENVELOPE_QUARANTINE },
	swap = { FIELDS, .source_domain = "client1.com", .target_domain = "corp.example", .no_recipient = ENVELOPE_DELETE },
	list = { FIELDS, .recipients = { fixed, COUNT(fixed) } },
	postmaster = { FIELDS, .source_domain = "client1.com", .no_recipient = ENVELOPE_DELIVER, .otherwise = { others, COUNT(others) } };

static char directory[] = "/tmp/postrider-routing-XXXXXX";
static char mark_seen[ENVELOPE_MARK];	/* of the last lead told */
static struct err err;

#define must(call) do { if (!(call)) fail_msg("%s: %s", #call, err.text); } while (0)

static struct connection with;
static struct target target;

static void set(enum target_type type, const struct envelope_rules *targets, const struct envelope_rules *connections)
{
	with = (struct connection){ .name = "support", .has_envelope = connections };
	if (connections)
		with.envelope.rules = *connections;
	target = (struct target){ .name = "t", .type = type, .has_envelope = targets };
	if (targets)
		target.envelope.rules = *targets;
}

static struct spool *spooled(struct span octets)
{
	struct spool *s = spool_new(directory, &err);

	must(s && spool_add(s, octets, &err));
	return s;
}

/* The lead, its mark as MARK. */
static void tell_lead(struct span lead, char *out, size_t size)
{
	while (lead.len) {
		struct span line = { lead.at, span_find(lead, '\n') + 1 };

		assert_true(line.len >= 2 && line.len <= lead.len && line.at[line.len - 2] == '\r');
		lead = span_from(lead, line.len);
		line.len -= 2;
		if (span_starts(line, SPAN("Delivered-To: postrider."))) {
			(void)snprintf(mark_seen, sizeof mark_seen, "%.*s", (int)(line.len - 14), line.at + 14);
			line = SPAN("MARK");
		}
		(void)snprintf(out + strlen(out), size - strlen(out), "|%.*s", (int)line.len, line.at);
	}
}

/* "SENDER > RECIPIENT RECIPIENT |LEAD|LEAD", or "OUTCOME: WHY". */
static void tell(const struct routing *r, char *out, size_t size)
{
	static const char *const words[] = {
		[ENVELOPE_HOLD] = "hold", [ENVELOPE_DELETE] = "delete", [ENVELOPE_QUARANTINE] = "quarantine", [ENVELOPE_REFUSED] = "refused",
	};

	out[0] = '\0';
	if (r->what != ENVELOPE_DELIVER) {
		assert_int_equal(r->recipient_count, 0);
		assert_int_equal(r->lead.len, 0);
		(void)snprintf(out, size, "%s: %s", words[r->what], r->why);
		return;
	}
	assert_string_equal(r->why, "");
	(void)snprintf(out, size, "%s >", r->sender);
	for (size_t n = 0; n < r->recipient_count; n++)
		(void)snprintf(out + strlen(out), size - strlen(out), " %s", r->recipients[n]);
	tell_lead(r->lead, out, size);
}

static void expect(struct span message, const char *want)
{
	struct spool *s = spooled(message);
	char said[SAID];
	struct routing r;

	must(routing_between(&with, &target, s, &r, &err));
	tell(&r, said, sizeof said);
	routing_end(&r);
	assert_null(r.memory);
	assert_string_equal(said, want);
	spool_free(&s);
}

#define NOBODY "its header names no recipient"
#define BODY "\r\n\r\nX-Real-To: mallory@client1.com\r\n"

/* What came out of catch-all boxes, as their providers write it; a target of type mailbox, the rules the connection's. */
static const struct row {
	const char *name;
	const struct envelope_rules *rules;
	const char *message, *want;
} rows[] = {
	{ "X-Real-To", &all, "Return-Path: <bob@x>\r\nX-Real-To: anna@client1.com\r\nReceived: y\r\nTo: list@z" BODY,
		"bob@x > anna@client1.com|X-Real-To: anna@client1.com|MARK" },
	{ "X-Real-To, more than one", &all, "X-Real-To: anna@client1.com, bert@client1.com\r\nX-Real-To: carla@client1.com" BODY,
		" > anna@client1.com bert@client1.com carla@client1.com|X-Real-To: anna@client1.com|X-Real-To: bert@client1.com|X-Real-To: carla@client1.com|MARK" },
	{ "Postfix", &client, "Return-Path: <>\r\nX-Original-To: anna@client1.com\r\nDelivered-To: catchall@isp.example\r\nReceived: y" BODY,
		" > anna@client1.com|X-Real-To: anna@client1.com|MARK" },
	{ "qmail", &client, "Return-Path: <b@c>\nDelivered-To: anna@client1.com\nReceived: (qmail 1)\nDelivered-To: bert@client1.com\n\nbody",
		"b@c > anna@client1.com|X-Real-To: anna@client1.com|MARK" },
	{ "Exim", &client, "Return-path: <b@c>\r\nEnvelope-to: anna@client1.com\r\nDelivery-date: now\r\nReceived: y" BODY,
		"b@c > anna@client1.com|X-Real-To: anna@client1.com|MARK" },
	{ "To and Cc", &client, "Return-Path: <b@c>\r\nTo: Anna <anna@client1.com>, x@y\r\nCc: bert@client1.com" BODY,
		"b@c > anna@client1.com bert@client1.com|X-Real-To: anna@client1.com|X-Real-To: bert@client1.com|MARK" },
	{ "Bcc that was left in", &client, "Bcc: anna@client1.com" BODY, " > anna@client1.com|X-Real-To: anna@client1.com|MARK" },
	{ "To, without a domain to look for", &all, "To: anna@client1.com" BODY, "hold: " NOBODY },
	{ "To of somebody else", &client, "To: x@y" BODY, "quarantine: " NOBODY " in client1.com" },
	{ "the domain swapped", &swap, "X-Real-To: Anna@Client1.COM, x@y" BODY, " > Anna@corp.example|X-Real-To: Anna@corp.example|MARK" },
	{ "a word alone", &client, "X-Real-To: anna" BODY, " > anna@client1.com|X-Real-To: anna@client1.com|MARK" },
	{ "a word alone, swapped", &swap, "X-Real-To: anna" BODY, " > anna@corp.example|X-Real-To: anna@corp.example|MARK" },
	{ "a word alone, whose?", &all, "X-Real-To: anna" BODY, "hold: " NOBODY },
	{ "nobody, swapped", &swap, "Subject: x" BODY, "delete: " NOBODY " in client1.com" },
	{ "fixed", &list, "X-Real-To: anna@client1.com" BODY,
		" > support@corp.example \"q a\"@corp.example|X-Real-To: support@corp.example|X-Real-To: \"q a\"@corp.example|MARK" },
	{ "fixed, of an empty message", &list, "", " > support@corp.example \"q a\"@corp.example|X-Real-To: support@corp.example|X-Real-To: \"q a\"@corp.example|MARK" },
	{ "the postmaster", &postmaster, "To: x@y" BODY, " > postmaster@corp.example|X-Real-To: postmaster@corp.example|MARK" },
	{ "a sender in quotes", &all, "Return-Path: <\"b b\"@c>\r\nX-Real-To: a@b" BODY, "\"b b\"@c > a@b|X-Real-To: a@b|MARK" },
	{ "a sender that is none", &all, "Return-Path: <b@c> x\r\nX-Real-To: a@b" BODY, " > a@b|X-Real-To: a@b|MARK" },
	{ "no header", &all, "\r\nX-Real-To: anna@client1.com\r\n", "hold: " NOBODY },
};

static void catch_all_boxes([[maybe_unused]] void **state)
{
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		print_message("%s\n", r->name);
		set(TARGET_MAILBOX, NULL, r->rules);
		expect(span_of(r->message), r->want);
	}
}

static void by_type_of_target([[maybe_unused]] void **state)
{
	static const struct { enum target_type type; const char *want; } types[] = {
		{ TARGET_MAILBOX, "b@c > a@d|X-Real-To: a@d|MARK" }, { TARGET_MAILDIR, "b@c > a@d|X-Real-To: a@d|MARK" }, { TARGET_FOLDER, "b@c > a@d|MARK" },
		{ TARGET_SMTP, "b@c > a@d|MARK" }, { TARGET_LMTP, "b@c > a@d|MARK" }, { TARGET_COMMAND, "b@c > a@d|MARK" },
	};
	struct span message = SPAN("Return-Path: <b@c>\r\nX-Real-To: a@d\r\n\r\n");

	for (size_t n = 0; n < COUNT(types); n++) {
		set(types[n].type, &all, NULL);
		expect(message, types[n].want);
		set(types[n].type, NULL, NULL);
		expect(message, "b@c >");
	}
}

static void whose_envelope_counts([[maybe_unused]] void **state)
{
	struct span message = SPAN("X-Real-To: a@client1.com, b@d\r\n\r\n");

	set(TARGET_SMTP, NULL, NULL);
	assert_null(routing_rules(&with, &target));
	set(TARGET_SMTP, &all, NULL);
	assert_non_null(routing_rules(&with, &target));
	set(TARGET_SMTP, NULL, &all);
	assert_non_null(routing_rules(&with, &target));
	set(TARGET_SMTP, NULL, &client);
	expect(message, " > a@client1.com|MARK");
	set(TARGET_SMTP, &all, &client);
	expect(message, " > a@client1.com b@d|MARK");
	set(TARGET_SMTP, &swap, &all);
	expect(message, " > a@corp.example|MARK");
}

/* What went out with a lead and comes back: refused; by way of another connection it goes on, and what stands above the mark counts alone. */
static void loops([[maybe_unused]] void **state)
{
	char again[1000], hops[1000] = "X-Real-To: a@b\r\n";

	set(TARGET_MAILBOX, NULL, &all);
	expect(SPAN("X-Real-To: a@b\r\n\r\n"), " > a@b|X-Real-To: a@b|MARK");
	(void)snprintf(again, sizeof again, "Received: z\r\nX-Real-To: a@b\r\nDelivered-To: %s\r\nX-Real-To: mallory@b\r\n\r\n", mark_seen);
	set(TARGET_MAILBOX, NULL, &all);
	expect(span_of(again), "refused: a loop: it was delivered from here to the same recipients before (Delivered-To)");
	with.name = "other";
	expect(span_of(again), " > a@b|X-Real-To: a@b|MARK");
	for (unsigned n = 0; n < ENVELOPE_HOPS; n++)
		(void)snprintf(hops + strlen(hops), sizeof hops - strlen(hops), "Received: x\r\n");
	set(TARGET_SMTP, NULL, &all);
	expect(span_of(hops), " > a@b|MARK");
	(void)snprintf(hops + strlen(hops), sizeof hops - strlen(hops), "Received: x\r\n\r\n");
	set(TARGET_SMTP, NULL, &all);
	expect(span_of(hops), "refused: a loop: it has more than 50 Received fields");
}

static void many_recipients([[maybe_unused]] void **state)
{
	char message[4000] = "X-Real-To: a@b";
	struct spool *s;
	struct routing r;

	for (unsigned n = 1; n < ENVELOPE_RECIPIENTS; n++)
		(void)snprintf(message + strlen(message), sizeof message - strlen(message), ", a%u@b", n);
	s = spooled(span_of(message));
	set(TARGET_MAILDIR, NULL, &all);
	must(routing_between(&with, &target, s, &r, &err));
	assert_int_equal(r.recipient_count, ENVELOPE_RECIPIENTS);
	assert_string_equal(r.recipients[ENVELOPE_RECIPIENTS - 1], "a99@b");
	routing_end(&r);
	spool_free(&s);
	(void)snprintf(message + strlen(message), sizeof message - strlen(message), ", b@b\r\n\r\n");
	set(TARGET_MAILDIR, NULL, &all);
	expect(span_of(message), "refused: its header names more than 100 recipients");
}

/* What is set for one target is not seen by the next. */
static void a_lead_is_not_looked_at([[maybe_unused]] void **state)
{
	struct spool *s = spooled(SPAN("X-Real-To: a@b\r\n\r\n"));
	struct routing r;
	char said[SAID];

	must(spool_lead(s, SPAN("X-Real-To: c@d\r\n"), &err));
	set(TARGET_SMTP, NULL, &all);
	must(routing_between(&with, &target, s, &r, &err));
	tell(&r, said, sizeof said);
	assert_string_equal(said, " > a@b|MARK");
	routing_end(&r);
	spool_free(&s);
}

/* A field at every place around the bound, and a piece's: it counts if it is whole, and what follows it is begun or the header's end. */
static void long_headers([[maybe_unused]] void **state)
{
	enum { LINE = 100 };
	static const char field[] = "X-Real-To: anna@client1.com\r\n";
	size_t size = 2 * ROUTING_HEADER_MAX, len = sizeof field - 1;
	char *message = malloc(size);

	assert_non_null(message);
	for (size_t from = ROUTING_HEADER_MAX - 40; from < ROUTING_HEADER_MAX + 40; from++) {
		for (size_t n = 0; n < size; n++)
			message[n] = n % LINE == LINE - 2 ? '\r' : n % LINE == LINE - 1 ? '\n' : n % LINE == 1 ? ':' : 'x';
		memcpy(message + from - 2, "\r\n", 2);
		memcpy(message + from, field, len);
		memcpy(message + from + len, "y: z\r\n", 6);
		set(TARGET_SMTP, NULL, &all);
		expect((struct span){ message, size }, from + len < ROUTING_HEADER_MAX ? " > anna@client1.com|MARK" : "hold: " NOBODY);
	}
	memset(message, 'x', size);	/* one line without end */
	memcpy(message, "X-Real-To: a@b, ", 16);
	set(TARGET_SMTP, NULL, &all);
	expect((struct span){ message, size }, "hold: " NOBODY);
	free(message);
}

/* The end of the header is found wherever a piece ends, and where a line's end is cut there is none. */
static void ends_of_headers([[maybe_unused]] void **state)
{
	enum { PIECE = 16 * 1024, SIZE = 3 * PIECE };
	char *message = malloc(SIZE);

	assert_non_null(message);
	for (size_t at = PIECE - 40; at < PIECE + 40; at++) {
		memset(message, 'x', SIZE);
		memcpy(message, "X-Real-To: a@b\r\nY: ", 19);
		memcpy(message + at, "\r\n\r\nX-Real-To: c@d\r\n", 20);
		set(TARGET_SMTP, NULL, &all);
		expect((struct span){ message, SIZE }, " > a@b|MARK");
		memset(message, 'x', SIZE);
		memcpy(message, "Y: ", 3);
		memcpy(message + at, "\r\nY: ", 5);
		memcpy(message + SIZE - 100, "\r\nX-Real-To: a@b\r\n\r\n", 20);
		expect((struct span){ message, SIZE }, " > a@b|MARK");
	}
	free(message);
}

static int start([[maybe_unused]] void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

static int stop([[maybe_unused]] void **state)
{
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(catch_all_boxes), cmocka_unit_test(by_type_of_target), cmocka_unit_test(whose_envelope_counts),
		cmocka_unit_test(loops), cmocka_unit_test(many_recipients), cmocka_unit_test(a_lead_is_not_looked_at),
		cmocka_unit_test(long_headers), cmocka_unit_test(ends_of_headers),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
