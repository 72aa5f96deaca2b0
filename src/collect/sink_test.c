/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes that lie in Maildirs, as targets of visits. */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "collect/test_world.h"
#include "store/ledger.h"
#include "store/place.h"

static struct err err;

#define must(call) do { if (!(call)) fail_msg("%s: %s", #call, err.text); } while (0)

/* anna's mail lies in w->path with `suffix` from now on. */
static void lay(struct world *w, const char *suffix)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s%s", w->path, suffix);
	must(place_set_account(w->store, "anna", path, &err));
}

static uint64_t in_new(struct world *w, const char *suffix)
{
	char part[64];

	(void)snprintf(part, sizeof part, "..%s/new", suffix);
	return world_maildir(w, part);
}

static void a_mailbox_in_a_maildir_is_delivered_there(void **state)
{
	struct world *w = *state;

	lay(w, "");
	w->with.after = AFTER_DELETE;
	drop_fill(&w->drop, 'a', 5);
	world_expect(w, 5, 0, 0, ERR_NONE);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(world_maildir(w, "new"), 5);
	assert_int_equal(world_maildir(w, "tmp"), 0);
	w->mailbox.mailbox = "anna/lists/info";
	w->mailbox.canonical = "mailbox:anna/lists/info";
	drop_fill(&w->drop, 'b', 2);
	world_expect(w, 2, 0, 0, ERR_NONE);
	assert_int_equal(world_maildir(w, ".lists.info/new"), 2);
	assert_int_equal(world_maildir(w, "new"), 5);
	w->mailbox.mailbox = "anna/a.b";
	world_expect(w, 0, 0, 0, ERR_CONFIG);
	assert_non_null(strstr(w->result.why.text, "target box: mailbox anna/a.b: in a Maildir"));
}

/* What was taken is not taken again when the account moves, there and back. */
static void moving_makes_nothing_come_twice(void **state)
{
	struct world *w = *state;

	lay(w, "");
	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 3, 0, 0, ERR_NONE);
	must(place_set_account(w->store, "anna", "none", &err));
	world_expect(w, 0, 0, 0, ERR_NONE);
	drop_fill(&w->drop, 'a', 4);
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(world_mailbox(w), 1);
	assert_int_equal(world_maildir(w, "new"), 3);
}

/* Makes the only entry one that is pending for one target, as a crash leaves it. */
static void leave_pending(struct world *w, const struct ledger_target *target)
{
	struct ledger *l = world_ledger(w);
	struct ledger_entry entry;
	struct store_done d;

	assert_true(ledger_next(l, NULL, &entry));
	entry.state = LEDGER_PENDING;
	entry.target_count = 1;
	entry.targets[0] = *target;
	ledger_put(l, &entry, 0);
	ledger_flush(l);
	while (store_wait(w->store))
		while (store_next(w->store, &d))
			;
}

static struct ledger_target placing(struct world *w, const char *suffix)
{
	struct ledger_target t = { .state = LEDGER_TARGET_PLACING, .place = "1.M1P1Q1_0000000000000000.host,S=1,W=1" };
	char text[PATH_MAX];

	(void)snprintf(text, sizeof text, "mailbox:anna/INBOX in %s%s", w->path, suffix);
	t.target = ledger_target_tag(text);
	return t;
}

/* A file that was on its way into one Maildir tells nothing of another. */
static void an_intent_is_of_one_maildir(void **state)
{
	struct world *w = *state;
	struct ledger_target t;

	lay(w, "");
	drop_fill(&w->drop, 'a', 1);
	world_expect(w, 1, 0, 0, ERR_NONE);
	t = placing(w, "");
	leave_pending(w, &t);
	world_expect(w, 0, 0, 0, ERR_NONE);		/* it is not in tmp: it was delivered */
	assert_int_equal(world_maildir(w, "new"), 1);
	leave_pending(w, &t);
	lay(w, "2");
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(in_new(w, "/Mail2"), 1);
	t = placing(w, "2");
	leave_pending(w, &t);
	must(place_set_account(w->store, "anna", "none", &err));
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(world_mailbox(w), 1);
}

/* That the target has a message is true wherever it lay. */
static void a_target_that_has_it_has_it_after_a_move(void **state)
{
	struct world *w = *state;
	struct ledger_target t = { .state = LEDGER_TARGET_ACCEPTED, .target = ledger_target_tag("mailbox:anna/INBOX") };

	lay(w, "");
	drop_fill(&w->drop, 'a', 1);
	world_expect(w, 1, 0, 0, ERR_NONE);
	leave_pending(w, &t);
	lay(w, "2");
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_int_equal(in_new(w, "/Mail2"), 0);
	leave_pending(w, &t);
	must(place_set_account(w->store, "anna", "none", &err));
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(world_mailbox(w), 0);
}

static void one_maildir_is_one_target(void **state)
{
	struct world *w = *state;

	lay(w, "");
	w->with.deliver_count = 2;
	drop_fill(&w->drop, 'a', 1);
	world_expect(w, 0, 0, 0, ERR_CONFIG);
	assert_non_null(strstr(w->result.why.text, "target dir: "));
	assert_non_null(strstr(w->result.why.text, "is the Maildir of target box, too"));
	lay(w, "2");
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(world_maildir(w, "new"), 1);
	assert_int_equal(in_new(w, "/Mail2"), 1);
}

static void who_is_unknown_needs_a_maildir(void **state)
{
	struct world *w = *state;
	char text[PATH_MAX];

	(void)snprintf(text, sizeof text, "%s/%%u", w->path);
	store_maildirs(w->store, text);
	w->mailbox.mailbox = "dora/INBOX";
	drop_fill(&w->drop, 'a', 1);
	world_expect(w, 0, 0, 0, ERR_CONFIG);
	assert_non_null(strstr(w->result.why.text, "neither account dora"));
	w->mailbox.mailbox = "anna/INBOX";
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_int_equal(world_maildir(w, "anna/new"), 1);
}

uint64_t __real_maildir_moment(void);
uint64_t __wrap_maildir_moment(void);

static atomic_uint moments, elsewhere;
static pthread_t on_loop;

uint64_t __wrap_maildir_moment(void)
{
	moments++;
	elsewhere += !pthread_equal(pthread_self(), on_loop);
	return __real_maildir_moment();
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dots(const struct dirent *one)
{
	return one->d_name[0] != '.';
}

/* Threads write them side by side: yet they are in the order in which they came.  So it is the loop that says when that was. */
static void files_are_in_the_order_of_their_messages(void **state)
{
	struct world *w = *state;
	char path[PATH_MAX], text[400], size[32], last[32] = "";
	struct dirent **found;
	int count;

	for (int n = 0; n < DROP_MAX; n++) {
		char uid[16];
		int pad = DROP_MAX - n + 2;		/* the size tells which it is */

		(void)snprintf(uid, sizeof uid, "a%d", n);
		(void)snprintf(text, sizeof text, "Subject: %0*d\r\n\r\n", pad, n);
		drop_add(&w->drop, uid, text);
	}
	w->drop.lines = 500;
	w->deliver[0] = &w->maildir;
	moments = elsewhere = 0;
	on_loop = pthread_self();
	world_expect(w, DROP_MAX, 0, 0, ERR_NONE);
	(void)snprintf(path, sizeof path, "%s/new", w->path);
	assert_in_range(moments, DROP_MAX, DROP_MAX + 1);
	assert_int_equal(elsewhere, 0);
	count = scandir(path, &found, no_dots, by_name);
	assert_int_equal(count, DROP_MAX);
	for (int n = 0; n < count; n++) {
		const char *s = strstr(found[n]->d_name, ",S=");

		assert_non_null(s);
		(void)snprintf(size, sizeof size, "%.*s", (int)strcspn(s + 3, ","), s + 3);
		if (n && strtoul(size, NULL, 10) >= strtoul(last, NULL, 10))
			fail_msg("file %d of %s octets stands behind one of %s", n, size, last);
		memcpy(last, size, sizeof last);
		free(found[n]);
	}
	free(found);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)
	const struct CMUnitTest tests[] = {
		CASE(a_mailbox_in_a_maildir_is_delivered_there), CASE(moving_makes_nothing_come_twice), CASE(an_intent_is_of_one_maildir),
		CASE(a_target_that_has_it_has_it_after_a_move), CASE(one_maildir_is_one_target), CASE(who_is_unknown_needs_a_maildir),
		CASE(files_are_in_the_order_of_their_messages),
	};

	if (!log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &err))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
