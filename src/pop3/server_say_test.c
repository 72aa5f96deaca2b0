/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/server_story.h"

/* Words of every length: a reply has 512 octets at most, and is one line. */
static void words_are_cut(void **state)
{
	(void)state;
	for (size_t len = 1; len < 1000; len += len < 480 || len > 520 ? 37 : 1) {
		char answers[1024] = "perm ";
		struct server_row row = { "words", .answers = answers, .peer = SPAN(IN "QUIT\r\n"), .want = IN_WANT "bye good;" };
		struct server_story t;
		size_t reply = 16 + len + 2;

		memset(answers + 5, 'w', len);
		answers[5 + len] = '\0';
		server_story_start(&t, &row);
		server_story_play(&t, row.peer, 0, false);
		server_story_is(&t, 0);
		assert_int_equal(t.sent.len, 8 + 5 + (reply < P3D_REPLY_MAX ? reply : P3D_REPLY_MAX) + 5);
		server_story_end(&t);
	}
}

/* The longest of replies, one after the other: each is whole, however full out was. */
static void long_replies_in_a_full_out(void **state)
{
	enum { MANY = 40 };
	char peer_memory[MANY * 16], answers_memory[MANY * 606], words[600];
	struct server_row row = { "long", .answers = answers_memory };
	struct buf peer, answers;
	struct server_story t;

	(void)state;
	memset(words, 'w', sizeof words);
	buf_lend(&peer, peer_memory, sizeof peer_memory);
	buf_lend(&answers, answers_memory, sizeof answers_memory);
	for (int i = 0; i < MANY; i++)		/* of many lengths */
		assert_true(buf_printf(&answers, "perm %.*s|", 100 + 10 * i, words) && buf_add(&peer, SPAN("USER a\nPASS b\n")));
	row.peer = buf_span(&peer);
	server_story_start(&t, &row);
	t.lazy = true;
	server_story_play(&t, row.peer, 0, false);
	for (size_t i = 0, n = 0; i < t.sent.len; i += n + 1) {
		n = span_find((struct span){ t.sent.at + i, t.sent.len - i }, '\n');
		assert_true(t.sent.at[i] == '+' || t.sent.at[i] == '-');
	}
	assert_true(t.sent.len > 3 * P3D_OUT_MIN);
	server_story_end(&t);
}

/* A character that the cut parts is no character any more. */
static void a_character_is_not_cut(void **state)
{
	(void)state;
	for (size_t len = 480; len < 500; len++) {
		char answers[1024] = "perm ";
		struct server_row row = { "words", .answers = answers, .peer = SPAN("UTF8\r\n" IN), .want = IN_WANT };
		struct server_story t;
		bool whole = 16 + len + 2 <= P3D_REPLY_MAX - 2;

		memset(answers + 5, 'w', len);
		memcpy(answers + 5 + len, "\xc3\xa4", 3);
		server_story_start(&t, &row);
		server_story_play(&t, row.peer, 0, false);
		server_story_is(&t, 0);
		assert_int_equal(memmem(t.sent.at, t.sent.len, "\xc3\xa4", 2) != NULL, whole);
		assert_int_equal(memchr(t.sent.at, 0xc3, t.sent.len) != NULL, whole);
		server_story_end(&t);
	}
}

static void the_longest_greeting(void **state)
{
	static char greeting[P3D_GREETING_MAX + 1];
	struct server_row row = { "greeting", .greeting = greeting, .peer = SPAN(""), .want = "" };
	struct server_story t;

	(void)state;
	memset(greeting, 'g', P3D_GREETING_MAX);
	server_story_start(&t, &row);
	server_story_play(&t, row.peer, 0, false);
	assert_int_equal(t.sent.len, 4 + P3D_GREETING_MAX + 2);
	server_story_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_cut),
		cmocka_unit_test(long_replies_in_a_full_out),
		cmocka_unit_test(a_character_is_not_cut),
		cmocka_unit_test(the_longest_greeting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
