/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/bounce.h"

enum { NOW = 1795662735 };

static const struct bounce_failed failed[] = {
	{ "anna@example.net", "5.1.1", "550 5.1.1 no such user" }, { "j\xc3\xb6rg@example.net", "4.0.0", NULL },
};

static struct bounce_facts facts(void)
{
	return (struct bounce_facts){ .host = "mail.example.org", .id = "0123abc", .from = "MAILER-DAEMON@mail.example.org", .to = "postmaster@example.org",
		.now = NOW, .arrived = NOW - 60, .connection = "support", .target = "relay", .sender = "bert@example.com", .failed = failed, .failed_count = 2,
		.header = SPAN("Subject: hello\r\nTo: anna@example.net\r\n\r\nbody\r\n") };
}

static char *written(const struct bounce_facts *f)
{
	size_t size = bounce_size(f);
	char *memory = malloc(size + 1);
	struct buf out;

	assert_non_null(memory);
	buf_lend(&out, memory, size);
	assert_true(bounce_write(f, &out));
	memory[out.len] = '\0';
	assert_int_equal(strlen(memory), out.len);
	return memory;
}

static void it_is_a_report([[maybe_unused]] void **state)
{
	struct bounce_facts f = facts();
	char *text = written(&f);

	assert_string_equal(text,
		"From: Mail Delivery System <MAILER-DAEMON@mail.example.org>\r\nTo: <postmaster@example.org>\r\nSubject: Undelivered mail\r\n"
		"Date: Thu, 26 Nov 2026 03:12:15 +0000\r\nMessage-ID: <0123abc@mail.example.org>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
		"Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"=_0123abc\"\r\n\r\n"
		"This is a message of several parts, as MIME has them.\r\n"
		"\r\n--=_0123abc\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
		"This is Postrider at mail.example.org.\r\n\r\n"
		"A message that was collected could not be delivered, and will not be tried again.\r\n\r\n"
		"Connection: support\r\nTarget: relay\r\nSender: <bert@example.com>\r\n"
		"\r\n<anna@example.net>:\r\n    550 5.1.1 no such user\r\n\r\n<j\xc3\xb6rg@example.net>:\r\n    refused\r\n"
		"\r\n--=_0123abc\r\nContent-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
		"Reporting-MTA: dns; mail.example.org\r\nArrival-Date: Thu, 26 Nov 2026 03:11:15 +0000\r\n"
		"\r\nFinal-Recipient: rfc822; anna@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
		"\r\nFinal-Recipient: utf-8; j\xc3\xb6rg@example.net\r\nAction: failed\r\nStatus: 5.0.0\r\n"
		"\r\n--=_0123abc\r\nContent-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
		"Subject: hello\r\nTo: anna@example.net\r\n\r\n--=_0123abc--\r\n");
	free(text);
}

static void to_who_submitted_it([[maybe_unused]] void **state)
{
	struct bounce_facts f = facts();
	char *text;

	f.connection = NULL;
	text = written(&f);
	assert_non_null(strstr(text, "A message that you sent could not be delivered to these recipients, and"));
	assert_null(strstr(text, "Connection:"));
	assert_non_null(strstr(text, "\r\n\r\nTarget: "));
	free(text);
}

/* Nothing that others said makes a line, a field or a part of its own. */
static void others_words_forge_nothing([[maybe_unused]] void **state)
{
	static const char evil[] = "x\r\n\r\n--=_0123abc\r\nStatus: 2.0.0\nX: y";
	const struct bounce_failed one = { evil, "5.1.1\r\nX: y", evil };
	struct bounce_facts f = facts();
	size_t parts = 0;
	char *text;

	f.failed = &one;
	f.failed_count = 1;
	f.connection = f.target = f.sender = evil;
	f.header = SPAN("A: b\r\n --=_0123abc\r\n--=_0123abc: evil\r\n--=_0123abc--:\nC: d\rE: f\r\n\r\n");
	text = written(&f);
	for (const char *p = text; (p = strstr(p, "\r\n--")); p++)
		parts++;
	assert_int_equal(parts, 4);
	assert_null(strstr(text, "\nStatus: 2"));
	assert_null(strstr(text, "\nX:"));
	assert_non_null(strstr(text, "Status: 5.0.0\r\n"));
	assert_non_null(strstr(text, "A: b\r\n --=_0123abc\r\nC: d?E: f\r\n"));
	free(text);
}

static void states_of_a_status([[maybe_unused]] void **state)
{
	static const struct { const char *given; bool good; } cases[] = {
		{ "5.1.1", true }, { "5.123.456", true }, { "4.1.1", false }, { "5.1", false }, { "5.1.1.1", false }, { "5..1", false }, { "5.1.", false },
		{ "5.1234.1", false }, { "", false }, { "5", false }, { "5.1.x", false }, { NULL, false },
	};

	for (size_t n = 0; n < COUNT(cases); n++) {
		const struct bounce_failed one = { "a@b", cases[n].given, "" };
		struct bounce_facts f = facts();
		char want[40], *text;

		f.failed = &one;
		f.failed_count = 1;
		text = written(&f);
		(void)snprintf(want, sizeof want, "\r\nStatus: %s\r\n", cases[n].good ? cases[n].given : "5.0.0");
		assert_non_null(strstr(text, want));
		free(text);
	}
}

/* The largest there can be of everything has room, and lines stay short. */
static void what_is_large_is_cut([[maybe_unused]] void **state)
{
	static struct bounce_failed many[BOUNCE_RECIPIENTS + 5];
	static char words[2000], header[3 * BOUNCE_HEADER];
	struct bounce_facts f = facts();
	char *text, *line;

	memset(words, '\xc3', sizeof words - 1);
	for (size_t n = 0; n < COUNT(many); n++)
		many[n] = (struct bounce_failed){ words, words, words };
	f.failed = many;
	f.failed_count = COUNT(many);
	f.connection = f.target = f.sender = words;
	for (size_t n = 0; n < COUNT(header); n += 3)
		memcpy(header + n, n ? "\n:\n" : "A:\n", 3);
	f.header = (struct span){ header, sizeof header };
	free(written(&f));
	memset(header, 'a', sizeof header);
	memcpy(header, "A:\0", 3);
	text = written(&f);
	assert_non_null(strstr(text, "\r\nand 5 more\r\n"));
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		assert_true(strcspn(line, "\r\n") <= BOUNCE_LINE);
	}
	free(text);
}

/* The caller puts it between. */
static void all_of_it([[maybe_unused]] void **state)
{
	struct bounce_facts f = facts();
	char *text, memory[64];
	struct buf end;

	f.whole = true;
	text = written(&f);
	assert_string_equal(strstr(text, "\r\n--=_0123abc\r\nContent-Type: message/"), "\r\n--=_0123abc\r\nContent-Type: message/global-delivery-status\r\n"
		"Content-Transfer-Encoding: 8bit\r\n\r\nReporting-MTA: dns; mail.example.org\r\nArrival-Date: Thu, 26 Nov 2026 03:11:15 +0000\r\n"
		"\r\nFinal-Recipient: rfc822; anna@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
		"\r\nFinal-Recipient: utf-8; j\xc3\xb6rg@example.net\r\nAction: failed\r\nStatus: 5.0.0\r\n"
		"\r\n--=_0123abc\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
	buf_lend(&end, memory, sizeof memory);
	assert_true(bounce_end(&f, &end));
	assert_true(span_equal(buf_span(&end), SPAN("\r\n--=_0123abc--\r\n")));
	free(text);
}

static void no_room_is_said([[maybe_unused]] void **state)
{
	struct bounce_facts f = facts();
	char *text = written(&f), *memory = malloc(bounce_size(&f));
	struct buf out;

	assert_non_null(memory);
	for (size_t room = 0; room < strlen(text); room++) {
		buf_lend(&out, memory, room);
		assert_false(bounce_write(&f, &out));
	}
	free(memory);
	free(text);
}

static void none_for_a_bounce([[maybe_unused]] void **state)
{
	assert_true(bounce_allowed("a@b"));
	assert_false(bounce_allowed(""));
	assert_false(bounce_allowed("<>"));
	assert_false(bounce_allowed(BOUNCE_SENDER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_report),
		cmocka_unit_test(to_who_submitted_it),
		cmocka_unit_test(others_words_forge_nothing),
		cmocka_unit_test(states_of_a_status),
		cmocka_unit_test(what_is_large_is_cut),
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(no_room_is_said),
		cmocka_unit_test(none_for_a_bounce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
