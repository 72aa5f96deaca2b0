/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "wire/submitted.h"

#define DATED "Date: x\r\nMessage-ID: y\r\n"
#define ADDED_DATE "Date: Thu, 26 Nov 2026 03:12:15 +0000\r\n"
#define ADDED_ID "Message-ID: <id.1@mail.example.org>\r\n"
#define NOBODY "it names no recipient in To, Cc or Bcc"
#define NO_ADDRESS(field) "its field " field " has something in it that is no address"
#define NOBODY_RESENT "it names no recipient in Resent-To, Resent-Cc or Resent-Bcc"

/* Who it is for, each with ';' behind, and the message that goes on; or the error. */
static const struct row {
	const char *name;
	struct span message;
	const char *to;
	struct span gone_on;
} rows[] = {
	{ "plain", SPAN(DATED "To: a@b\r\n\r\nbody\r\n"), "a@b;", SPAN(DATED "To: a@b\r\n\r\nbody\r\n") },
	{ "Date and Message-ID", SPAN("To: a@b\r\n\r\nx"), "a@b;", SPAN(ADDED_DATE ADDED_ID "To: a@b\r\n\r\nx") },
	{ "Date alone", SPAN("To: a@b\r\nmessage-id: 1\r\n\r\n"), "a@b;", SPAN(ADDED_DATE "To: a@b\r\nmessage-id: 1\r\n\r\n") },
	{ "Message-ID alone", SPAN("To: a@b\r\nDATE: 1\r\n\r\n"), "a@b;", SPAN(ADDED_ID "To: a@b\r\nDATE: 1\r\n\r\n") },
	{ "all three", SPAN(DATED "To: a@b, c@d\r\nCC: E <e@f>\r\nbcc: g\r\n\r\n"), "a@b;c@d;e@f;g;", SPAN(DATED "To: a@b, c@d\r\nCC: E <e@f>\r\n\r\n") },
	{ "fields twice", SPAN(DATED "Bcc: a@b\r\nTo: c@d\r\nTo: e@f\r\nBCC: g@h\r\n\r\nx"), "a@b;c@d;e@f;g@h;", SPAN(DATED "To: c@d\r\nTo: e@f\r\n\r\nx") },
	{ "a folded Bcc", SPAN("Bcc:\r\n a@b,\r\n\tc@d\r\n" DATED "\r\n c: d\r\n"), "a@b;c@d;", SPAN(DATED "\r\n c: d\r\n") },
	{ "an obsolete Bcc", SPAN(DATED "Bcc \t: a@b\r\nX: y\r\n\r\n"), "a@b;", SPAN(DATED "X: y\r\n\r\n") },
	{ "a Bcc by LF", SPAN(DATED "X: y\nBcc: a@b\nZ: z\n\nBcc: c@d\n"), "a@b;", SPAN(DATED "X: y\nZ: z\n\nBcc: c@d\n") },
	{ "a Bcc of the body", SPAN(DATED "To: a@b\r\n\r\nBcc: c@d\r\n"), "a@b;", SPAN(DATED "To: a@b\r\n\r\nBcc: c@d\r\n") },
	{ "nothing but Bcc", SPAN("Bcc: a@b"), "a@b;", SPAN(ADDED_DATE ADDED_ID) },
	{ "nothing but Bcc and an end", SPAN("Bcc: a@b\r\n\r\n"), "a@b;", SPAN(ADDED_DATE ADDED_ID "\r\n") },
	{ "no body", SPAN(DATED "To: a@b"), "a@b;", SPAN(DATED "To: a@b") },
	{ "duplicates", SPAN(DATED "To: a@b, A@B, c\r\nCc: <a@B>, C\r\nBcc: a@b, d@e\r\n\r\n"), "a@b;c;d@e;", SPAN(DATED "To: a@b, A@B, c\r\nCc: <a@B>, C\r\n\r\n") },
	{ "a bad one", SPAN(DATED "To: a@b, x y\r\n\r\n"), NO_ADDRESS("To"), SPAN("") },
	{ "a bad one of a Cc", SPAN(DATED "To: a@b\r\ncc: <c@d\r\n\r\n"), NO_ADDRESS("Cc"), SPAN("") },
	{ "a bad one of a Bcc", SPAN(DATED "To: a@b\r\nBcc: c@d, (e@f\r\n\r\n"), NO_ADDRESS("Bcc"), SPAN("") },
	{ "nobody in angles", SPAN(DATED "To: a@b, <>\r\n\r\n"), NO_ADDRESS("To"), SPAN("") },
	{ "a word beside", SPAN(DATED "To: Anna, Bert <a@b>\r\n\r\n"), "Anna;a@b;", SPAN(DATED "To: Anna, Bert <a@b>\r\n\r\n") },
	{ "empty groups", SPAN(DATED "To: undisclosed recipients:;, a@b,, (c),\r\nCc: x:;\r\nBcc:\r\n\r\n"), "a@b;", SPAN(DATED "To: undisclosed recipients:;, a@b,, (c),\r\nCc: x:;\r\n\r\n") },
	{ "a bad one that nobody asks for", SPAN(DATED "Resent-To: a@b\r\nTo: x y\r\n\r\n"), "a@b;", SPAN(DATED "Resent-To: a@b\r\nTo: x y\r\n\r\n") },
	{ "a bare CR", SPAN(DATED "To: a@b\r\nX: y\rBcc: c@d\r\n\r\n"), "line 4 of its header has a CR that ends no line", SPAN("") },
	{ "two CRs", SPAN(DATED "To: a@b\r\r\nBcc: c@d\r\n\r\n"), "line 3 of its header has a CR that ends no line", SPAN("") },
	{ "a CR at the end", SPAN(DATED "To: a@b\r"), "line 3 of its header has a CR that ends no line", SPAN("") },
	{ "a bare CR of the body", SPAN(DATED "To: a@b\r\n\r\nx\ry\r\n"), "a@b;", SPAN(DATED "To: a@b\r\n\r\nx\ry\r\n") },
	{ "nobody", SPAN(DATED "From: a@b\r\n\r\nTo: c@d\r\n"), NOBODY, SPAN("") },
	{ "nobody at all", SPAN(""), NOBODY, SPAN("") },
	{ "nobody good", SPAN("To: x:;\r\nCc:\r\n\r\n"), NOBODY, SPAN("") },
	{ "similar names", SPAN(DATED "Too: a@b\r\nX-Bcc: c@d\r\nTo: e@f\r\n\r\n"), "e@f;", SPAN(DATED "Too: a@b\r\nX-Bcc: c@d\r\nTo: e@f\r\n\r\n") },
	{ "resent", SPAN("Resent-To: a@b\r\nResent-Cc: c@d\r\nResent-Bcc: e@f\r\nTo: g@h\r\nBcc: i@j\r\n" DATED "\r\n"), "a@b;c@d;e@f;",
		SPAN("Resent-To: a@b\r\nResent-Cc: c@d\r\nTo: g@h\r\n" DATED "\r\n") },
	{ "resent to nobody", SPAN("Resent-To: x:;\r\nTo: g@h\r\n\r\n"), NOBODY_RESENT, SPAN("") },
	{ "resent, not said to whom", SPAN("Resent-From: a@b\r\n" DATED "To: g@h\r\n\r\n"), "g@h;", SPAN("Resent-From: a@b\r\n" DATED "To: g@h\r\n\r\n") },
	{ "resent twice", SPAN("Resent-From: x\r\nResent-To: a@b\r\nResent-From: y\r\nResent-To: c@d\r\nResent-Bcc: e@f\r\n" DATED "\r\n"), "a@b;",
		SPAN("Resent-From: x\r\nResent-To: a@b\r\nResent-From: y\r\nResent-To: c@d\r\n" DATED "\r\n") },
	{ "resent twice, dates", SPAN("Resent-To: a@b\r\nResent-Date: x\r\nResent-Date: y\r\nResent-To: c@d\r\n" DATED "\r\n"), "a@b;",
		SPAN("Resent-To: a@b\r\nResent-Date: x\r\nResent-Date: y\r\nResent-To: c@d\r\n" DATED "\r\n") },
	{ "resent thrice", SPAN("Resent-From: x\r\nResent-To: a@b\r\nResent-From: y\r\nResent-To: c@d\r\nResent-From: z\r\nResent-To: e@f\r\n" DATED "\r\n"), "a@b;",
		SPAN("Resent-From: x\r\nResent-To: a@b\r\nResent-From: y\r\nResent-To: c@d\r\nResent-From: z\r\nResent-To: e@f\r\n" DATED "\r\n") },
	{ "resent, to whom only before", SPAN("Resent-From: x\r\nResent-From: y\r\nResent-To: a@b\r\n" DATED "To: c@d\r\n\r\n"), "c@d;",
		SPAN("Resent-From: x\r\nResent-From: y\r\nResent-To: a@b\r\n" DATED "To: c@d\r\n\r\n") },
	{ "resent, with traces", SPAN("Received: 1\r\nResent-To: a@b\r\nReceived: 2\r\nResent-To: c@d\r\n" DATED "\r\n"), "a@b;",
		SPAN("Received: 1\r\nResent-To: a@b\r\nReceived: 2\r\nResent-To: c@d\r\n" DATED "\r\n") },
	{ "Return-Path", SPAN("Return-Path: <x@y>\r\n" DATED "To: a@b\r\n\r\n"), "a@b;", SPAN(DATED "To: a@b\r\n\r\n") },
	{ "mbox's lines", SPAN("From x@y Thu\r\n" DATED "From z\r\nTo: a@b\r\nFrom z\r\n\r\nFrom z\r\n"), "a@b;", SPAN(DATED "To: a@b\r\n\r\nFrom z\r\n") },
	{ "no field", SPAN(DATED "To: a@b\r\nhello\r\nBcc: c@d\r\n\r\n"), "line 4 of its header is no field", SPAN("") },
	{ "no header", SPAN("hello\r\n"), "line 1 of its header is no field", SPAN("") },
	{ "a fold first", SPAN(" To: a@b\r\n\r\n"), "line 1 of its header is no field", SPAN("") },
	{ "an empty line that is none", SPAN("To: a@b\r\n\r\r\nBcc: c@d\r\n"), "line 2 of its header is no field", SPAN("") },
	{ "NULs", SPAN(DATED "To: c@d\r\nX: \0\r\n\r\n\0"), "c@d;", SPAN(DATED "To: c@d\r\nX: \0\r\n\r\n\0") },
	{ "a NUL in an address", SPAN(DATED "To: a\0@b, c@d\r\n\r\n"), NO_ADDRESS("To"), SPAN("") },
};

static struct submitted *read_one(struct span message, bool all, struct err *e)
{
	struct submitted *s = malloc(sizeof *s);

	assert_non_null(s);
	memset(s, 0xa5, sizeof *s);
	if (submitted_read(s, message, all, e))
		return s;
	assert_int_equal(e->kind, ERR_PEER);
	free(s);
	return NULL;
}

static void add(struct buf *b, struct span s)
{
	assert_true(buf_add(b, s));
}

static void check_row(const struct row *r, struct span message)
{
	char to[512] = "", out[1024];
	struct err e;
	struct submitted *s = read_one(message, true, &e);
	struct span kept;
	struct buf b;
	size_t at = 0;

	if (!s) {
		if (strcmp(e.text, r->to) != 0)
			fail_msg("%s: %s, not %s", r->name, e.text, r->to);
		return;
	}
	buf_lend(&b, to, sizeof to);
	for (size_t n = 0; n < s->count; n++)
		assert_true(buf_printf(&b, "%s;", s->recipients[n].text));
	if (strcmp(to, r->to) != 0)
		fail_msg("%s: %s, not %s", r->name, to, r->to);
	buf_lend(&b, out, sizeof out);
	assert_true(submitted_added(s, 1795662735, "id.1", "mail.example.org", &b));
	while (submitted_next(s, &at, &kept)) {
		assert_true(kept.len);
		add(&b, kept);
	}
	add(&b, span_from(message, s->header));
	if (!span_equal(buf_span(&b), r->gone_on))
		fail_msg("%s: %.*s", r->name, (int)b.len, b.at);
	free(s);
}

static void rows_come_true(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char *copy = malloc(r->message.len + 1);

		assert_non_null(copy);
		memcpy(copy, r->message.at, r->message.len);
		check_row(r, (struct span){ copy, r->message.len });
		free(copy);
	}
}

static void the_header_is_enough(void **state)
{
	struct span m = SPAN(DATED "To: a@b\r\n\r\n");
	struct err e;
	struct submitted *s = read_one(m, false, &e);

	(void)state;
	assert_true(s && s->header == m.len && s->count == 1);
	free(s);
	for (size_t n = 0; n < m.len - 1; n++) {	/* with the last line's CR alone, too */
		assert_null(read_one((struct span){ m.at, n }, false, &e));
		assert_string_equal(e.text, "its header is longer than 256 KiB");
	}
}

static void received_fields_are_counted(void **state)
{
	struct err e;
	struct submitted *s = read_one(SPAN("Received: a\r\nreceived: b\r\n c\r\nTo: a@b\r\nReturn-Path: <>\r\n\r\nReceived: d\r\n"), true, &e);

	(void)state;
	assert_true(s && s->received == 2 && !s->has_date && !s->has_message_id);
	free(s);
}

static struct submitted *read_many(size_t recipients, size_t pad, struct err *e)
{
	struct buf b;
	struct submitted *s;

	buf_start(&b, 1 << 20);
	add(&b, SPAN("To: "));
	for (size_t n = 0; n < recipients; n++)
		assert_true(buf_printf(&b, ",\r\n a%zu@b, A%zu@B", n, n));
	add(&b, SPAN("\r\nX: "));
	while (b.len + 4 < pad)
		assert_true(buf_add_byte(&b, 'x'));
	add(&b, SPAN("\r\n\r\n"));
	s = read_one(buf_span(&b), true, e);
	buf_end(&b);
	return s;
}

static void limits_hold(void **state)
{
	struct err e;
	struct submitted *s = read_many(SUBMITTED_RECIPIENTS, SUBMITTED_HEADER, &e);

	(void)state;
	assert_true(s && s->count == 100 && s->header == SUBMITTED_HEADER);
	assert_string_equal(s->recipients[99].text, "a99@b");
	free(s);
	assert_null(read_many(SUBMITTED_RECIPIENTS + 1, 0, &e));
	assert_string_equal(e.text, "it has more than 100 recipients");
	assert_null(read_many(1, SUBMITTED_HEADER + 1, &e));
	assert_string_equal(e.text, "its header is longer than 256 KiB");
}

static void no_room_is_said(void **state)
{
	char memory[SUBMITTED_ADDED + 4];
	struct err e;
	struct submitted *s = read_one(SPAN("To: a@b\r\n\r\n"), true, &e);
	struct buf b;

	(void)state;
	assert_non_null(s);
	for (size_t n = 0; n < 59; n++) {
		buf_lend(&b, memory, n);
		assert_false(submitted_added(s, 0, "a", "b", &b));
	}
	buf_lend(&b, memory, sizeof memory);
	assert_true(submitted_added(s, 0, "a", "b", &b));
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_true),
		cmocka_unit_test(the_header_is_enough),
		cmocka_unit_test(received_fields_are_counted),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(no_room_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
