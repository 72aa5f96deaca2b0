/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "deliver/split.h"

static void names_are_made_safe([[maybe_unused]] void **state)
{
	static const struct { const char *given, *want; } cases[] = {
		{ "invoice.pdf", "invoice.pdf" }, { "a b/c\\d:e.txt", "a_b_c_d_e.txt" }, { "../../etc/passwd", "_._.._etc_passwd" }, { ".hidden", "_hidden" },
		{ "", "" }, { "...", "" }, { "/", "" }, { "_._", "" }, { "j\xc3\xb6rg.doc", "j\xc3\xb6rg.doc" }, { "x\xff\x01.y", "x__.y" }, { "a\"'`$%.b", "a_____.b" },
	};
	char name[SPLIT_NAME + 1], large[400];

	for (size_t n = 0; n < COUNT(cases); n++) {
		split_name(cases[n].given, name);
		if (strcmp(cases[n].given, "../../etc/passwd") == 0)
			assert_true(name[0] != '.' && !strchr(name, '/'));
		else
			assert_string_equal(name, cases[n].want);
	}
	for (size_t len = 90; len < 240; len++) {
		memset(large, 0, sizeof large);
		for (size_t n = 0; n < len; n += 2)
			memcpy(large + n, "\xc3\xb6", 2);
		memcpy(large + strlen(large), ".pdf", 5);
		split_name(large, name);
		assert_string_equal(name + strlen(name) - 4, ".pdf");
		assert_true(((unsigned char)name[strlen(name) - 5] & 0xc0) == 0x80);	/* no half of a character */
	}
}

/* What came of a message: "suffix type name charset flags size: octets" for each part. */
struct story {
	char text[20000];
	size_t len;
	int fails_at, begun;
};

static int begin_part(void *user, [[maybe_unused]] const struct split_part *part, struct err *e)
{
	struct story *s = user;
	FILE *f;
	int fd;

	if (s->fails_at == ++s->begun)
		return (void)err_set(e, ERR_LOCAL, "a test says so"), -1;
	f = tmpfile();
	assert_non_null(f);
	fd = dup(fileno(f));
	(void)fclose(f);
	return fd;
}

static bool part_written(void *user, const struct split_part *p, int fd, [[maybe_unused]] struct err *e)
{
	struct story *s = user;
	char octets[2000];
	ssize_t n = pread(fd, octets, sizeof octets - 1, 0);

	assert_true(n >= 0);
	octets[n] = '\0';
	assert_int_equal(lseek(fd, 0, SEEK_END), p->octets);
	(void)close(fd);
	s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%s %s [%s] [%s] [%s]%s%s: %s|", p->suffix, p->type, p->name, p->charset, p->id,
		p->body ? " body" : "", p->attachment ? " attachment" : "", octets);
	return true;
}

static struct story story;
static char why[SPLIT_TEXT];
static struct err err;

static enum split_done tell(struct span message)
{
	const struct split_sink sink = { begin_part, part_written, &story };
	FILE *f = tmpfile();
	enum split_done done;

	assert_non_null(f);
	assert_true(fwrite(message.at, 1, message.len, f) == message.len && fflush(f) == 0);
	story.text[0] = why[0] = '\0';
	story.len = 0;
	story.begun = 0;
	done = split_message(fileno(f), &sink, why, &err);
	(void)fclose(f);
	return done;
}

#define MIXED "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"

static const struct row {
	const char *name;
	struct span message;
	const char *want;
} rows[] = {
	{ "plain", SPAN("Subject: x\r\n\r\nhello\r\n"), "body.txt text/plain [] [] [] body: hello\r\n|" },
	{ "no header", SPAN("\r\nhello\r\n"), "body.txt text/plain [] [] [] body: hello\r\n|" },
	{ "no body", SPAN("Subject: x\r\n\r\n"), "body.txt text/plain [] [] [] body: |" },
	{ "no end", SPAN("Subject: x"), "body.txt text/plain [] [] [] body: |" },
	{ "base64 and a charset", SPAN("Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\nSvZyZw==\r\n"),
		"body.txt text/plain [] [utf-8] [] body: J\xc3\xb6rg|" },
	{ "a charset that nobody knows", SPAN("Content-Type: text/plain; charset=x-odd\r\n\r\nhello"), "body.txt text/plain [] [x-odd] [] body: hello|" },
	{ "body and attachments", SPAN(MIXED "--b\r\n\r\nhello\r\n--b\r\nContent-Type: application/pdf; name=\"a b.pdf\"\r\nContent-Disposition: attachment\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=../x.txt\r\n\r\nsecond\r\n--b--\r\nepilogue\r\n"),
		"body.txt text/plain [] [] [] body: hello|1.a_b.pdf application/pdf [a b.pdf] [] [] attachment: |2._._x.txt text/plain [../x.txt] [] [] attachment: second|" },
	{ "alternatives and an image", SPAN(MIXED "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nplain\r\n--c\r\nContent-Type: text/html\r\n\r\n<b>\r\n--c--\r\n"
		"--b\r\nContent-Type: image/png\r\nContent-ID: <i@x>\r\nContent-Disposition: inline\r\n\r\npng\r\n--b--\r\n"),
		"body.txt text/plain [] [] [] body: plain|body.html text/html [] [] [] body: <b>|1.bin image/png [] [] [i@x]: png|" },
	{ "a second text", SPAN(MIXED "--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"), "body.txt text/plain [] [] [] body: one|1.txt text/plain [] [] []: two|" },
	{ "a message in it", SPAN(MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nX-Odd:  y\r\n\r\ninner\r\n--b--\r\n"),
		"1.eml message/rfc822 [] [] []: Subject: in\r\nX-Odd:  y\r\n\r\ninner|" },
	{ "cut off", SPAN(MIXED "--b\r\n\r\none\r\n--b\r\nContent-Type: application/x; name=y"), "body.txt text/plain [] [] [] body: one|1.y application/x [y] [] []: |" },
	{ "an encoded name", SPAN("Content-Type: application/x\r\nContent-Disposition: attachment; filename*=utf-8''j%C3%B6rg%2F.x\r\n\r\n"),
		"1.j\xc3\xb6rg_.x application/x [j\xc3\xb6rg/.x] [] [] attachment: |" },
};

static void parts_of_messages([[maybe_unused]] void **state)
{
	if (!split_built())
		skip();
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		print_message("%s\n", r->name);
		assert_int_equal(tell(r->message), SPLIT_DONE);
		assert_string_equal(story.text, r->want);
	}
}

static char *repeated(const char *head, const char *unit, size_t count, size_t *len)
{
	size_t n = strlen(unit);
	char *text = malloc(strlen(head) + n * count + 1);

	assert_non_null(text);
	*len = strlen(head);
	memcpy(text, head, *len + 1);
	for (size_t i = 0; i < count; i++, *len += n)
		memcpy(text + *len, unit, n);
	return text;
}

/* What would cost too much is left whole, and nothing is begun. */
static void what_costs_too_much_stays_whole([[maybe_unused]] void **state)
{
	static const struct { const char *name, *head, *unit; size_t count; const char *why; } cases[] = {
		{ "boundaries", MIXED, "--b\r\n", SPLIT_LINES + 1, "boundaries" },
		{ "parts", MIXED, "--b\r\n\r\n", SPLIT_PARTS + 1, "parts" },
		{ "one long field", "Subject: ", "xxxxxxxx", SPLIT_HEADER, "header" },
		{ "a long header", "", "A: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", SPLIT_HEADER / 16, "header" },
		{ "a part's header", MIXED "--b\r\n", "A: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", SPLIT_HEADER / 16, "header" },
		{ "an inner message's", MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\n", "A: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", SPLIT_HEADER / 16, "header" },
	};

	if (!split_built())
		skip();
	for (size_t n = 0; n < COUNT(cases); n++) {
		size_t len;
		char *text = repeated(cases[n].head, cases[n].unit, cases[n].count, &len);

		print_message("%s\n", cases[n].name);
		assert_int_equal(tell((struct span){ text, len }), SPLIT_NOT);
		assert_non_null(strstr(why, cases[n].why));
		assert_int_equal(story.begun, 0);
		free(text);
	}
}

/* Long lines and many of them in a body are no matter; nor is depth, which GMime bounds. */
static void large_bodies_are_fine([[maybe_unused]] void **state)
{
	static const struct { const char *head, *unit; size_t count; } cases[] = {
		{ "A: b\r\n\r\n", "xxxxxxxx", SPLIT_HEADER }, { MIXED "--b\r\n\r\n", "xxxxxxxxxxxxxxx\r\n", SPLIT_HEADER }, { "", "Content-Type: message/rfc822\r\n\r\n", 20000 },
	};

	if (!split_built())
		skip();
	for (size_t n = 0; n < COUNT(cases); n++) {
		size_t len;
		char *text = repeated(cases[n].head, cases[n].unit, cases[n].count, &len);

		assert_int_equal(tell((struct span){ text, len }), SPLIT_DONE);
		assert_int_equal(story.begun, 1);
		free(text);
	}
}

static void a_full_disk_is_said([[maybe_unused]] void **state)
{
	if (!split_built())
		skip();
	story.fails_at = 2;
	assert_int_equal(tell(SPAN(MIXED "--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b\r\n\r\nthree\r\n--b--\r\n")), SPLIT_FAILED);
	assert_string_equal(err.text, "a test says so");
	assert_int_equal(story.begun, 2);
	story.fails_at = 0;
}

static void without_gmime_it_is_said([[maybe_unused]] void **state)
{
	if (split_built())
		skip();
	assert_int_equal(tell(SPAN("\r\nx")), SPLIT_NOT);
	assert_non_null(strstr(why, "GMime"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_made_safe),
		cmocka_unit_test(parts_of_messages),
		cmocka_unit_test(what_costs_too_much_stays_whole),
		cmocka_unit_test(large_bodies_are_fine),
		cmocka_unit_test(a_full_disk_is_said),
		cmocka_unit_test(without_gmime_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
