/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"


static void play(struct story *t, const struct story_row *row)
{
	story_start(t, row);
	story_play(t, row->peer, 0);
}

/* What SELECT told, and what changes later. */
static void the_mailbox(void **state)
{
	static const struct story_row row = { "mailbox", .ask = "sx", .peer = SPAN(LOGGED_IN "* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 90] x\r\n"
		"* OK [HIGHESTMODSEQ 9223372036854775807] x\r\nP2 OK [READ-ONLY] x\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 4 EXISTS\r\n") };
	const struct imc_mailbox *m;
	struct story t;

	(void)state;
	play(&t, &row);
	m = imc_selected(t.s);
	assert_true(m->validity == 5 && m->uid_next == 90 && m->modseq == INT64_MAX && m->read_only && !m->uids_not_sticky);
	assert_true(m->exists == 4 && m->expunged == 2);
	story_end(&t);
}

/* A message of any size takes no memory; a word of any size is refused. */
static void large_things(void **state)
{
	enum { PIECE = 65536, PIECES = 16 };
	static const struct story_row row = { "large", .ask = "f5;f6", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] {1048576}\r\n") };
	char *piece = malloc(PIECE);
	struct story t;

	(void)state;
	memset(piece, 'x', PIECE);
	play(&t, &row);
	t.told.len = 0;
	for (int i = 0; i < PIECES; i++)
		story_feed(&t, piece, PIECE);
	story_feed(&t, ")\r\n* ", 5);
	assert_int_equal(t.told.len, strlen("begin 5:") + (size_t)PIECE * PIECES + strlen("end 5;"));
	t.told.len = 0;
	story_feed(&t, piece, PIECE);
	assert_true(span_equal(buf_span(&t.told), SPAN("failed peer;")));
	story_end(&t);
	free(piece);
}

static void a_full_window(void **state)
{
	static const struct story_row row = { "window", .peer = SPAN(LOGGED_IN) };
	struct story t;
	char text[64];

	(void)state;
	play(&t, &row);
	for (int i = 0; i < IMC_WINDOW; i++) {
		assert_int_equal(imc_room(t.s), IMC_FETCH_MAX);
		(void)imc_noop(t.s);
		story_send(&t);
	}
	assert_int_equal(imc_room(t.s), 0);
	assert_int_equal(imc_outstanding(t.s), IMC_WINDOW);
	t.told.len = 0;
	for (int i = IMC_WINDOW; i > 0; i--) {
		int n = snprintf(text, sizeof text, "P%d OK\r\n", i + 1);

		story_feed(&t, text, (size_t)n);
	}
	assert_int_equal(imc_outstanding(t.s), 0);
	assert_true(imc_can_ask(t.s));
	story_end(&t);
}

/* Nothing is sent: the out-buffer fills, and asking waits for it. */
static void nothing_is_sent(void **state)
{
	static const struct story_row row = { "stuck", .peer = SPAN(LOGGED_IN) };
	char name[IMC_NAME_MAX];
	struct story t;
	int asked = 0;

	(void)state;
	memset(name, '"', sizeof name);
	play(&t, &row);
	for (; imc_can_ask(t.s); asked++)
		(void)imc_copy(t.s, SPAN("1:2"), (struct span){ name, sizeof name });
	assert_true(asked > 8 && asked < IMC_WINDOW);
	imc_sent(t.s, imc_out(t.s).len);
	assert_true(imc_can_ask(t.s));
	story_end(&t);
}

static void failure_comes_once(void **state)
{
	static const struct story_row row = { "once", .peer = SPAN(LOGGED_IN "what\r\n") };
	struct story t;

	(void)state;
	play(&t, &row);
	story_feed(&t, "* OK\r\n", 6);
	imc_eof(t.s);
	story_drain(&t);
	assert_true(span_equal(buf_span(&t.told), SPAN("ready;failed peer;")));
	assert_false(imc_can_ask(t.s));
	story_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mailbox),
		cmocka_unit_test(large_things),
		cmocka_unit_test(a_full_window),
		cmocka_unit_test(nothing_is_sent),
		cmocka_unit_test(failure_comes_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
