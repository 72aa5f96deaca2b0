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

#define FLAGS_OF(list) LOGGED_IN "* OK [PERMANENTFLAGS " list "] x\r\nP2 OK\r\n"

static void permanent_flags(void **state)
{
	static const struct { struct story_row row; bool has; unsigned flags; } all[] = {
		{ { "well-formed", .ask = "sx", .peer = SPAN(FLAGS_OF("(\\Seen \\Deleted $X \\*)")) }, true, IMC_SEEN | IMC_DELETED },
		{ { "none", .ask = "sx", .peer = SPAN(FLAGS_OF("()")) }, true, 0 },
		{ { "not told", .ask = "sx", .peer = SPAN(LOGGED_IN "* FLAGS (\\Seen)\r\nP2 OK\r\n") }, false, 0 },
		{ { "cut", .ask = "sx", .peer = SPAN(FLAGS_OF("(\\Seen")) }, false, 0 },
		{ { "no list", .ask = "sx", .peer = SPAN(FLAGS_OF("\\Seen")) }, false, 0 },
		{ { "of a mailbox that is refused", .ask = "sx", .peer = SPAN(LOGGED_IN "* OK [PERMANENTFLAGS (\\Seen)] x\r\nP2 NO\r\n") }, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		const struct imc_mailbox *m;
		struct story t;

		play(&t, &all[i].row);
		m = imc_selected(t.s);
		if (m->has_permanent != all[i].has || m->permanent != all[i].flags)
			fail_msg("%s: %d %u", all[i].row.name, m->has_permanent, m->permanent);
		story_end(&t);
	}
}

/* VANISHED counts as EXPUNGE does, told now, not of earlier times. */
static void what_vanished(void **state)
{
	static const struct story_row row = { "vanished", .ask = "y5 90 x", .peer = SPAN(CAPA("") IN("ENABLE QRESYNC") "* ENABLED QRESYNC\r\nP2 OK\r\n* 9 EXISTS\r\n"
		"* OK [HIGHESTMODSEQ 95] x\r\n* VANISHED (EARLIER) 1:4\r\nP3 OK\r\n* VANISHED 5,8:9\r\n") };
	static const struct story_row none = { "no modseq", .ask = "sx", .peer = SPAN(LOGGED_IN "* OK [HIGHESTMODSEQ 95] x\r\n* OK [NOMODSEQ] x\r\nP2 OK\r\n") };
	const struct imc_mailbox *m;
	struct story t;

	(void)state;
	play(&t, &row);
	m = imc_selected(t.s);
	assert_true(imc_qresync(t.s) && m->exists == 6 && m->expunged == 3 && m->modseq == 95);
	story_feed(&t, SPAN("* VANISHED 1:4294967295\r\n* VANISHED 1\r\n").at, 40);
	assert_true(m->exists == 0 && m->expunged == 9);	/* no more than there were */
	story_end(&t);
	play(&t, &none);
	assert_true(!imc_qresync(t.s) && imc_selected(t.s)->modseq == 0);
	story_end(&t);
}

static void capabilities(void **state)
{
	static const struct story_row row = { "capabilities", .peer = SPAN(CAPA("") IN("qresync ENABLE COMPRESS=DEFLATE UNSELECT SPECIAL-USE COMPRESS=LZW X")) };
	struct story t;

	(void)state;
	play(&t, &row);
	assert_int_equal(imc_capabilities(t.s), IMC_CAPA_ANSWERED | IMC_CAPA_QRESYNC | IMC_CAPA_CONDSTORE | IMC_CAPA_ENABLE | IMC_CAPA_COMPRESS |
		IMC_CAPA_UNSELECT | IMC_CAPA_SPECIAL_USE);
	story_end(&t);
}

/* What was told before CLOSED is the other mailbox's; UNSELECT leaves none. */
static void another_mailbox(void **state)
{
	static const struct story_row row = { "another", .ask = "y5 90 x|y5 90 y|u", .peer = SPAN(CAPA("") IN("ENABLE QRESYNC UNSELECT") "* ENABLED QRESYNC\r\nP2 OK\r\n"
		"* 9 EXISTS\r\nP3 OK\r\n" STEP "* 4 EXISTS\r\n* VANISHED 7\r\n* OK [CLOSED] x\r\n* OK [UIDNEXT 3] x\r\nP4 OK\r\n") };
	const struct imc_mailbox *m;
	struct story t;

	(void)state;
	play(&t, &row);
	m = imc_selected(t.s);
	assert_true(m->exists == 0 && m->expunged == 0 && m->uid_next == 3);
	story_feed(&t, "P5 OK\r\n", 7);
	assert_true(m->uid_next == 0);
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

/* Words of any length beside a code, and long lines, take no memory; one that never ends is none. */
static void long_lines(void **state)
{
	enum { PIECE = 65536 };
	static const struct story_row row = { "long", .ask = "n", .peer = SPAN(LOGGED_IN "* OK [ALERT ") };
	char *piece = malloc(PIECE);
	struct story t;

	(void)state;
	memset(piece, 'x', PIECE);
	play(&t, &row);
	t.told.len = 0;
	story_feed(&t, piece, PIECE);
	story_feed(&t, "] ", 2);
	for (int i = 1; i < TOKEN_TEXT_MAX / PIECE; i++)
		story_feed(&t, piece, PIECE);
	assert_int_equal(t.told.len, 0);
	story_feed(&t, "\r\nP2 OK ", 8);
	assert_int_equal(t.told.len, strlen("warning [];") + IMC_WORD_MAX);
	t.told.len = 0;
	for (int i = 0; i <= TOKEN_TEXT_MAX / PIECE; i++)
		story_feed(&t, piece, PIECE);
	assert_true(span_equal(buf_span(&t.told), SPAN("failed peer;")));
	story_end(&t);
	free(piece);
}

/* NUL belongs to a message like any octet. */
static void octets_of_any_kind(void **state)
{
	static const struct story_row row = { "NUL", .ask = "f5", .peer = SPAN(LOGGED_IN "* 1 FETCH (UID 5 BODY[] ~{4}\r\na\0\r\xff)\r\nP2 OK\r\n") };
	struct story t;

	(void)state;
	play(&t, &row);
	assert_true(span_equal(buf_span(&t.told), SPAN("ready;begin 5:a\0\r\xff" "end 5;done 2;")));
	story_end(&t);
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

/* The answer to COMPRESS ends what is eaten. */
static void compression(void **state)
{
	static const struct story_row row = { "compress", .how = COMPRESS, .peer = SPAN(CAPA("")) };
	static const struct span in = SPAN(IN("COMPRESS=DEFLATE")), answer = SPAN("P2 OK\r\n\xff\xfe"), later = SPAN("* 3 EXISTS\r\n");
	struct imc_event ev;
	struct story t;

	(void)state;
	play(&t, &row);
	story_feed(&t, in.at, in.len);
	imc_feed(t.s, answer);
	assert_int_equal(imc_next(t.s, &ev), IMC_COMPRESS);
	assert_int_equal(imc_next(t.s, &ev), IMC_NOTHING);
	assert_int_equal(imc_unread(t.s), 2);
	assert_false(imc_can_ask(t.s));
	imc_compressed(t.s);
	assert_int_equal(imc_unread(t.s), 0);
	assert_int_equal(imc_next(t.s, &ev), IMC_READY);
	story_feed(&t, later.at, later.len);
	assert_int_equal(imc_selected(t.s)->exists, 3);
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
		cmocka_unit_test(permanent_flags),
		cmocka_unit_test(what_vanished),
		cmocka_unit_test(capabilities),
		cmocka_unit_test(another_mailbox),
		cmocka_unit_test(large_things),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(octets_of_any_kind),
		cmocka_unit_test(a_full_window),
		cmocka_unit_test(nothing_is_sent),
		cmocka_unit_test(compression),
		cmocka_unit_test(failure_comes_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
