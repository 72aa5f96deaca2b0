/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mbox.h"

#include "store/fixture.h"

static const char *file(void)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/mbox", fixture_directory());
	return path;
}

static void gone(const char *path)
{
	char directory[128];

	(void)snprintf(directory, sizeof directory, "%s", path);
	*strrchr(directory, '/') = '\0';
	fixture_remove(directory);
}

static void holds(const char *path, struct span want)
{
	char got[1024];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(got, 1, sizeof got, f);
	(void)fclose(f);
	if (n != want.len || memcmp(got, want.at, n) != 0)
		fail_msg("%.*s", (int)n, got);
}

#define HEAD "From anna@example.org Thu Jan  1 00:00:00 1970\n"

static void messages_are_quoted_at_any_split(void **state)
{
	static const struct row { struct span message, want; } rows[] = {
		{ SPAN("A: b\r\n\r\nbody\r\n"),         SPAN(HEAD "A: b\n\nbody\n\n") },
		{ SPAN(""),                             SPAN(HEAD "\n") },
		{ SPAN("no end"),                       SPAN(HEAD "no end\n\n") },
		{ SPAN("From x\r\n>From y\r\n>>From z\r\n"), SPAN(HEAD ">From x\n>>From y\n>>>From z\n\n") },
		{ SPAN("From\r\nFrome\r\n From x\r\nfrom x\r\n"), SPAN(HEAD "From\nFrome\n From x\nfrom x\n\n") },
		{ SPAN(">>\r\n> From x\r\n>>Fro"),      SPAN(HEAD ">>\n> From x\n>>Fro\n\n") },
		{ SPAN("a\rb\r\r\nc\nFrom d\r\n"),      SPAN(HEAD "a\rb\r\nc\n>From d\n\n") },
		{ SPAN("FFrom x\r\nFr\rom x\r\n\r"),    SPAN(HEAD "FFrom x\nFr\rom x\n\r\n\n") },
		{ SPAN("\0From \r\n"),                  SPAN(HEAD "\0From \n\n") },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut <= r->message.len; cut++) {
			const char *path = file();
			struct mbox_out *out;

			must(mbox_out_open(path, &out, &fixture_err));
			mbox_out_begin(out, "anna@example.org", 0);
			assert_true(mbox_out_add(out, (struct span){ r->message.at, cut }));
			assert_true(mbox_out_add(out, span_from(r->message, cut)));
			mbox_out_end(out);
			must(mbox_out_close(&out, &fixture_err));
			holds(path, r->want);
			gone(path);
		}
}

/* What the reader says, as text: [DATE] octets… */
static const char *told(struct span octets)
{
	static char text[4096];
	const char *path = file();
	FILE *f = fopen(path, "w");
	struct mbox_in *in;
	struct span got;
	int64_t date;
	size_t n = 0;

	assert_non_null(f);
	assert_int_equal(fwrite(octets.at, 1, octets.len, f), octets.len);
	(void)fclose(f);
	must(mbox_in_open(path, &in, &fixture_err));
	for (;;) {
		enum mbox_got what = mbox_in_next(in, &got, &date, &fixture_err);

		if (what == MBOX_MESSAGE)
			n += (size_t)snprintf(text + n, sizeof text - n, "[%lld]", (long long)date);
		else if (what == MBOX_OCTETS)
			n += (size_t)snprintf(text + n, sizeof text - n, "%.*s", (int)got.len, got.at);
		else {
			(void)snprintf(text + n, sizeof text - n, "%s", what == MBOX_END ? "|" : "!");
			break;
		}
	}
	mbox_in_close(&in);
	assert_null(in);
	gone(path);
	return text;
}

static void any_mbox_is_read(void **state)
{
	static const struct row { struct span file; const char *want; } rows[] = {
		{ SPAN(""), "|" },
		{ SPAN("From a Thu Jan  1 00:00:07 1970\nA: b\n\nbody\n\n"), "[7]A: b\n\nbody\n|" },
		{ SPAN("From a Fri Feb 13 23:31:30 2009\nx\n\nFrom b x\ny\n\n"), "[1234567890]x\n[0]y\n|" },
		{ SPAN("From a b\n\n"), "[0]|" },
		{ SPAN("From a b\n\nFrom c d\n\n"), "[0][0]|" },
		{ SPAN("From a b\nno end"), "[0]no end|" },
		{ SPAN("From a b\nx\n\n\nFrom c\ny\n\n\n"), "[0]x\n\n[0]y\n\n|" },	/* one empty line is the format's */
		{ SPAN("From a b\n>From x\n>>From y\n> From\n>x\n"), "[0]From x\n>From y\n> From\n>x\n|" },
		{ SPAN("From a b\nx\nFrom not quoted\n"), "[0]x\nFrom not quoted\n|" },
		{ SPAN("From a b\r\nx\r\n\r\nFrom c d\r\ny\r\n\r\n"), "[0]x\r\n[0]y\r\n|" },
		{ SPAN("From a b\n\nbody begins empty\n"), "[0]\nbody begins empty\n|" },
		{ SPAN("From "), "[0]|" },
		{ SPAN("A: b\n\nno mbox\n"), "!" },
		{ SPAN("\nFrom a b\n"), "!" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		assert_string_equal(told(r->file), r->want);
}

/* Lines longer than the reader's memory, and a From line that ends at its edge. */
static void lines_of_any_length_are_read(void **state)
{
	static const size_t lengths[] = { 65535 - 10, 65536, 65537, 200000 };

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		const char *path = file();
		char *line = fixture_octets(lengths[i]);
		FILE *f = fopen(path, "w");
		struct mbox_in *in;
		struct span got;
		int64_t date;
		size_t total = 0, messages = 0;
		enum mbox_got what;

		assert_non_null(f);
		for (int n = 0; n < 3; n++)
			(void)fprintf(f, "From a %s\n%s\n\n", n == 1 ? line : "b", line);
		(void)fclose(f);
		must(mbox_in_open(path, &in, &fixture_err));
		while ((what = mbox_in_next(in, &got, &date, &fixture_err)) != MBOX_END) {
			assert_int_not_equal(what, MBOX_FAILED);
			messages += what == MBOX_MESSAGE;
			total += what == MBOX_OCTETS ? got.len : 0;
		}
		assert_int_equal(messages, 3);
		assert_int_equal(total, 3 * (lengths[i] + 1));
		mbox_in_close(&in);
		free(line);
		gone(path);
	}
}

static void a_file_that_cannot_be_is_said(void **state)
{
	struct mbox_out *out;
	struct mbox_in *in;

	(void)state;
	assert_false(mbox_out_open("/dev/null/x", &out, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_false(mbox_in_open("/nonexistent", &in, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_false(mbox_out_open("/dev/full", &out, &fixture_err));	/* there already */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_quoted_at_any_split),
		cmocka_unit_test(any_mbox_is_read),
		cmocka_unit_test(lines_of_any_length_are_read),
		cmocka_unit_test(a_file_that_cannot_be_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
