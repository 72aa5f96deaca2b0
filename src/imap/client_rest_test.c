/* SPDX-License-Identifier: Apache-2.0 */
#include "imap/client_story.h"

#define IN_BOX CAPA("") IN("IDLE QRESYNC ENABLE UIDPLUS") "* ENABLED QRESYNC\r\nP2 OK\r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 9] x\r\n* OK [HIGHESTMODSEQ 95] x\r\nP3 OK\r\n"

static void start(struct story *t, const struct story_row *row)
{
	story_start(t, row);
	story_play(t, row->peer, 0);
}

static void feed(struct story *t, const char *text)
{
	story_feed(t, text, strlen(text));
}

static void it_is_small(void **state)
{
	(void)state;
	assert_true(imc_rested_size() <= 256);
}

/* What the caller may ask about is the same as before. */
static void nothing_is_forgotten(void **state)
{
	static const struct story_row row = { "memory", .ask = "y5 90 x", .peer = SPAN(IN_BOX) };
	struct imc_mailbox box;
	unsigned capabilities;
	struct story t;

	(void)state;
	start(&t, &row);
	box = *imc_selected(t.s);
	capabilities = imc_capabilities(t.s);
	assert_true(box.uid_next == 9 && box.modseq == 95);
	for (int i = 0; i < 2; i++) {
		story_rest(&t);
		assert_memory_equal(&box, imc_selected(t.s), sizeof box);
		assert_int_equal(capabilities, imc_capabilities(t.s));
		assert_true(imc_qresync(t.s) && imc_greeted(t.s) && imc_can_ask(t.s) && !imc_outstanding(t.s));
		assert_int_equal(imc_mechanism(t.s), SASL_USER);
		assert_int_equal(imc_idle(t.s), 4 + i);
		story_send(&t);
		story_rest(&t);
		assert_true(imc_outstanding(t.s) == 1 && imc_idling(t.s) && !imc_can_ask(t.s));
		imc_idle_done(t.s);
		assert_true(imc_may_rest(t.s));		/* DONE waits for "+" */
		story_rest(&t);
		feed(&t, "+\r\n");
		feed(&t, i ? "P5 OK\r\n" : "P4 OK\r\n");
	}
	assert_true(span_equal(buf_span(&t.sent), SPAN(LOGIN_SENT "P2 ENABLE QRESYNC\r\nP3 SELECT \"x\" (QRESYNC (5 90))\r\nP4 IDLE\r\nDONE\r\nP5 IDLE\r\nDONE\r\n")));
	story_end(&t);
}

/* Each of these is a moment at which the working memory is needed. */
static void when_it_may_not(void **state)
{
	static const struct { struct story_row row; bool may; } all[] = {
		{ { "ready", .peer = SPAN(LOGGED_IN) }, true },
		{ { "before the greeting", .peer = SPAN("* O") }, false },
		{ { "before the login", .peer = SPAN(CAPA("")) }, false },
		{ { "asked", .ask = "n", .peer = SPAN(LOGGED_IN) }, false },
		{ { "asked, and answered", .ask = "n", .peer = SPAN(LOGGED_IN "P2 OK\r\n") }, true },
		{ { "an answer ENABLE waits for", .peer = SPAN(CAPA("") IN("ENABLE QRESYNC")) }, false },
		{ { "one octet of a response", .peer = SPAN(LOGGED_IN "*") }, false },
		{ { "blanks are nothing", .peer = SPAN(LOGGED_IN " ") }, true },
		{ { "a response without its LF", .peer = SPAN(LOGGED_IN "* 3 EXISTS\r") }, false },
		{ { "words without their end", .peer = SPAN(LOGGED_IN "* OK x") }, false },
		{ { "a whole one", .peer = SPAN(LOGGED_IN "* OK x\r\n") }, true },
		{ { "within a literal", .peer = SPAN(LOGGED_IN "* LIST {3}\r\nab") }, false },
		{ { "within a list", .peer = SPAN(LOGGED_IN "* 1 FETCH (FLAGS (") }, false },
		{ { "failed", .peer = SPAN(LOGGED_IN "what\r\n") }, false },
		{ { "after BYE", .peer = SPAN(LOGGED_IN "* BYE x\r\n") }, false },
		{ { "after the logout", .ask = "q", .peer = SPAN(LOGGED_IN) }, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		struct story t;

		start(&t, &all[i].row);
		if (imc_may_rest(t.s) != all[i].may)
			fail_msg("%s", all[i].row.name);
		story_end(&t);
	}
}

static void nor_with_something_to_send_or_to_tell(void **state)
{
	static const struct story_row row = { "to send", .ask = "y5 90 x", .peer = SPAN(IN_BOX) };
	struct imc_event ev;
	struct story t;

	(void)state;
	start(&t, &row);
	(void)imc_idle(t.s);
	assert_false(imc_may_rest(t.s));
	story_send(&t);
	assert_true(imc_may_rest(t.s));
	imc_feed(t.s, SPAN("* 4 EXISTS\r\n"));
	assert_false(imc_may_rest(t.s));
	assert_int_equal(imc_next(t.s, &ev), IMC_NEWS);
	assert_int_equal(imc_next(t.s, &ev), IMC_NOTHING);
	assert_true(imc_may_rest(t.s));
	imc_eof(t.s);
	assert_false(imc_may_rest(t.s));
	story_end(&t);
}

/* Nothing of the login stays in the memory, wherever it was said: here as a literal, and by SASL. */
static void no_secret_stays(void **state)
{
	static const struct story_row all[] = {
		{ "LOGIN", .peer = SPAN(CAPA("") "+ s3cret?\r\n" STEP "+ s3cret?\r\n" STEP IN("")), .user = "\xc3\xa4", .password = SPAN("\xc3\xa4s3cret") },
		{ "PLAIN", .mechs = "plain", .peer = SPAN(CAPA("AUTH=PLAIN") "+ \r\n" STEP "P1 OK [CAPABILITY IMAP4rev1 s3cret] s3cret\r\n" STEP), .answers = "s3cret|" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		struct story t;

		start(&t, &all[i]);
		assert_true(t.ready);
		story_rest(&t);		/* looks for it */
		story_end(&t);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_small),
		cmocka_unit_test(nothing_is_forgotten),
		cmocka_unit_test(when_it_may_not),
		cmocka_unit_test(nor_with_something_to_send_or_to_tell),
		cmocka_unit_test(no_secret_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
