/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole visits against a maildrop with faults: what arrives, what the ledger
 * says, what is left on the server (PRODUCT 2.3). */
#include <stdio.h>

#include "base/log.h"
#include "collect/test_world.h"
#include "store/ledger.h"
#include "store/mailbox.h"

#define OLD "Date: Mon, 1 Jan 2001 00:00:00 +0000\r\nSubject: old\r\n\r\nlong ago\r\n"

static void keeps_and_takes_once(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 5);
	world_expect(w, 5, 0, 0, ERR_NONE);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.retrs, 0);
	assert_int_equal(w->drop.count, 5);
	assert_int_equal(world_mailbox(w), 5);
}

static void deletes_what_it_has(void **state)
{
	struct world *w = *state;

	w->with.after = AFTER_DELETE;
	w->deliver[0] = &w->maildir;
	drop_fill(&w->drop, 'a', 20);
	world_expect(w, 20, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_maildir(w, "new"), 20);
	assert_int_equal(world_maildir(w, "tmp"), 0);
	drop_fill(&w->drop, 'b', 3);		/* the same texts under new ids are new mail */
	world_expect(w, 3, 0, 0, ERR_NONE);
	assert_int_equal(world_maildir(w, "new"), 23);
}

static void delivers_to_two_targets(void **state)
{
	struct world *w = *state;

	w->with.deliver_count = 2;
	drop_fill(&w->drop, 'a', 7);
	world_expect(w, 7, 0, 0, ERR_NONE);
	assert_int_equal(world_mailbox(w), 7);
	assert_int_equal(world_maildir(w, "new"), 7);
}

static void a_refused_message_is_one_message(void **state)
{
	struct world *w = *state;

	w->with.after = AFTER_DELETE;
	w->drop.refuse_retr = 2;
	drop_fill(&w->drop, 'a', 4);
	world_expect(w, 3, 0, 1, ERR_NONE);
	assert_int_equal(w->drop.count, 1);
	w->drop.refuse_retr = 0;
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(world_mailbox(w), 4);
}

static void a_cut_download_is_not_delivered(void **state)
{
	struct world *w = *state;

	w->with.after = AFTER_DELETE;
	w->drop.cut_retr = 3;
	drop_fill(&w->drop, 'a', 4);
	world_expect(w, 2, 0, 0, ERR_NET);
	assert_int_equal(w->drop.count, 4);	/* no QUIT, no deletion */
	w->drop.cut_retr = 0;
	world_expect(w, 2, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_mailbox(w), 4);
}

static void quit_without_an_answer(void **state)
{
	struct world *w = *state;

	w->with.after = AFTER_DELETE;
	w->drop.mute_quit = true;
	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 3, 0, 0, ERR_PEER);
	w->drop.mute_quit = false;
	w->drop.refuse_quit = true;
	drop_fill(&w->drop, 'a', 3);		/* still listed: the same messages, whatever was asked */
	world_expect(w, 0, 0, 0, ERR_PEER);
	w->drop.refuse_quit = false;
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_mailbox(w), 3);
}

static void an_id_that_comes_back_is_new(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 2);
	world_expect(w, 2, 0, 0, ERR_NONE);
	w->drop.count = 1;
	world_expect(w, 0, 0, 0, ERR_NONE);
	drop_fill(&w->drop, 'a', 2);
	world_expect(w, 1, 0, 0, ERR_NONE);
}

static void ids_change_wholesale(void **state)
{
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 12);
	world_expect(w, 12, 0, 0, ERR_NONE);
	drop_fill(&w->drop, 'b', 12);
	drop_add(&w->drop, "b99", "Subject: new\r\n\r\nreally\r\n");
	w->drop.cut_retr = 6;
	world_expect(w, 0, 0, 0, ERR_NET);
	w->drop.cut_retr = 0;
	world_expect(w, 1, 0, 0, ERR_NONE);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.retrs, 0);
	assert_int_equal(world_mailbox(w), 13);
}

static void doubled_and_blank_ids(void **state)
{
	struct world *w = *state;

	drop_add(&w->drop, "same", "Subject: one\r\n\r\n");
	drop_add(&w->drop, "same", "Subject: two\r\n\r\n");
	drop_add(&w->drop, "", "Subject: blank\r\n\r\n");
	world_expect(w, 3, 0, 0, ERR_NONE);
	world_expect(w, 0, 0, 0, ERR_NONE);
	w->drop.messages[0] = w->drop.messages[1];
	drop_add(&w->drop, "same", "Subject: three\r\n\r\n");
	w->drop.messages[1] = w->drop.messages[3];
	w->drop.count = 3;
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(world_mailbox(w), 4);
}

static void a_server_without_uidl(void **state)
{
	struct world *w = *state;

	w->drop.no_uidl = true;
	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 0, 0, 0, ERR_CONFIG);
	w->with.after = AFTER_DELETE;
	w->drop.refuse_quit = true;
	world_expect(w, 3, 0, 0, ERR_PEER);
	w->drop.refuse_quit = false;
	world_expect(w, 0, 0, 0, ERR_NONE);	/* told apart by content, and deleted now */
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_mailbox(w), 3);
}

static void selects_by_size_number_and_age(void **state)
{
	struct world *w = *state;

	drop_add(&w->drop, "old", OLD);
	drop_add(&w->drop, "large", "Subject: large\r\n\r\n0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\r\n");
	drop_add(&w->drop, "a", "Subject: a\r\n\r\n");
	drop_add(&w->drop, "b", "Subject: b\r\n\r\n");
	w->with.max_size = 80;
	w->with.newer_than_s = 86400;
	w->with.max_messages = 1;
	world_expect(w, 1, 2, 0, ERR_NONE);
	assert_int_equal(w->drop.retrs, 1);
	w->with.newer_than_s = 0;
	world_expect(w, 1, 1, 0, ERR_NONE);	/* what was too old stays skipped, what is too large is looked at again */
	w->with.max_size = 0;
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(world_mailbox(w), 3);
}

static void age_without_top(void **state)
{
	struct world *w = *state;

	w->drop.no_top = true;
	w->with.newer_than_s = 86400;
	drop_add(&w->drop, "old", OLD);
	drop_add(&w->drop, "a", "Subject: a\r\n\r\n");
	world_expect(w, 1, 1, 0, ERR_NONE);
	assert_int_equal(w->drop.tops, 0);
	assert_int_equal(world_mailbox(w), 1);
}

static void pulls_first_and_last(void **state)
{
	static const enum pull pulls[] = { PULL_LAST, PULL_FIRST, PULL_LAST_UNREAD, PULL_FIRST_UNREAD };
	struct mailbox_entry entries[4];
	struct world *w = *state;
	struct mailbox *box;
	struct err e;

	for (size_t n = 0; n < 4; n++)	/* told apart by their sizes: 1, 2, 3, 4 lines */
		drop_add(&w->drop, &"dcba"[n], n == 0 ? "A: 1\r\n" : n == 1 ? "A: 12\r\n" : n == 2 ? "A: 123\r\n" : "A: 1234\r\n");
	for (size_t n = 0; n < COUNT(pulls); n++) {
		w->with.pull = pulls[n];
		world_expect(w, 1, 0, 0, ERR_NONE);
	}
	assert_true(mailbox_open(w->store, "anna/INBOX", false, &box, &e));
	assert_int_equal(mailbox_entries(box, 0, entries, 4), 4);
	assert_int_equal(entries[0].size, 9);
	assert_int_equal(entries[1].size, 6);
	assert_int_equal(entries[2].size, 8);
	assert_int_equal(entries[3].size, 7);
}

static void fetches_with_top(void **state)
{
	struct world *w = *state;

	w->with.use_top = true;
	drop_fill(&w->drop, 'a', 2);
	world_expect(w, 2, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.retrs, 0);
	w->drop.no_top = true;
	world_expect(w, 0, 0, 0, ERR_CONFIG);
}

static void baseline_passes_over(void **state)
{
	struct world *w = *state;

	w->with.after = AFTER_DELETE;
	drop_fill(&w->drop, 'a', 3);
	world_visit(w, VISIT_BASELINE);
	assert_int_equal(w->result.skipped, 3);
	drop_add(&w->drop, "new", "Subject: new\r\n\r\n");
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 3);	/* skipped mail is never deleted */
}

static void deletes_after_days(void **state)
{
	struct world *w = *state;
	struct ledger_entry entry;
	struct ledger *l;
	struct err e;

	w->with.delete_after_s = 3 * 86400;
	drop_fill(&w->drop, 'a', 2);
	world_expect(w, 2, 0, 0, ERR_NONE);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 2);
	assert_true(ledger_open(w->store, "test", "", &l, &e));
	assert_true(ledger_next(l, NULL, &entry));
	entry.accepted -= 4 * 86400;
	ledger_put(l, &entry, 0);
	world_expect(w, 0, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 1);
}

static void lock_step_and_wrong_password(void **state)
{
	struct world *w = *state;

	w->drop.no_pipelining = true;
	drop_fill(&w->drop, 'a', 3);
	w->drop.wrong_password = true;
	world_expect(w, 0, 0, 0, ERR_AUTH);
	assert_null(strstr(w->result.why.text, "secret"));
	w->drop.wrong_password = false;
	world_expect(w, 3, 0, 0, ERR_NONE);
}

/* As a crash leaves it: in the mailbox with its mark, and the ledger without it. */
static void a_mark_counts_as_delivered(void **state)
{
	struct world *w = *state;
	struct mailbox_source source = { .digest = { 1 } };
	struct incoming *in;
	struct mailbox *box;
	struct ledger *l;
	uint8_t base[32];
	struct err e;

	assert_true(ledger_open(w->store, "test", "", &l, &e));
	assert_true(mailbox_open(w->store, "anna/INBOX", true, &box, &e));
	ledger_pop3_base(SPAN("127.0.0.1"), SPAN("anna"), SPAN("a0"), base);
	ledger_pop3_id(base, 0, source.id);
	memcpy(source.connection, ledger_tag(l), sizeof source.connection);
	in = incoming_new(box, &e);
	assert_true(in && incoming_add(in, SPAN("Subject: number 0\r\n\r\nhello\r\n"), &e));
	incoming_finish(&in, &source, 1, 0, 1);
	assert_true(store_wait(w->store));
	while (store_next(w->store, &(struct store_done){ 0 }))
		continue;
	drop_fill(&w->drop, 'a', 2);
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.retrs, 1);
	assert_int_equal(world_mailbox(w), 2);
}

int main(void)
{
	struct err e;
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_start, world_stop)
		CASE(keeps_and_takes_once), CASE(deletes_what_it_has), CASE(delivers_to_two_targets),
		CASE(a_refused_message_is_one_message), CASE(a_cut_download_is_not_delivered), CASE(quit_without_an_answer),
		CASE(an_id_that_comes_back_is_new), CASE(ids_change_wholesale), CASE(doubled_and_blank_ids),
		CASE(a_server_without_uidl), CASE(selects_by_size_number_and_age), CASE(age_without_top),
		CASE(pulls_first_and_last), CASE(fetches_with_top), CASE(baseline_passes_over), CASE(deletes_after_days),
		CASE(lock_step_and_wrong_password), CASE(a_mark_counts_as_delivered),
	};

	if (!log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &e))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
