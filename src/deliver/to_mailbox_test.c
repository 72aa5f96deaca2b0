/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/fixture.h"
#include "store/place.h"

enum { LARGE = 12000000 };	/* more than the store takes at once, and than a turn has */

static const struct target anna = { .name = "a", .type = TARGET_MAILBOX, .canonical = "mailbox:anna/INBOX", .mailbox = "anna/INBOX" };
static const struct target nobody = { .name = "n", .type = TARGET_MAILBOX, .canonical = "mailbox:nobody/INBOX", .mailbox = "nobody/INBOX" };

static void it_is_there_octet_for_octet([[maybe_unused]] void **state)
{
	static const size_t sizes[] = { 0, 1, 100000, LARGE };

	for (size_t n = 0; n < COUNT(sizes); n++) {
		struct world *w = world(sizes[n]);
		char *octets = fixture_octets(sizes[n]);

		assert_int_equal(world_delivers(w, &anna, NULL), DELIVER_ACCEPTED);
		assert_int_equal(mailbox_count(fixture_box(w->store, "anna/INBOX")), 1);
		fixture_holds(fixture_box(w->store, "anna/INBOX"), 0, (struct span){ octets, sizes[n] });
		free(octets);
		world_end(w);
	}
}

static void what_cannot_work_is_refused([[maybe_unused]] void **state)
{
	struct world *w = world(10);

	assert_int_equal(world_delivers(w, &nobody, NULL), DELIVER_REFUSED);
	assert_non_null(strstr(w->why, "nobody"));
	assert_string_equal(w->told, "");
	world_end(w);
}

/* As after a crash between the mailbox's commit and that of whoever holds the message. */
static void a_mark_makes_it_once([[maybe_unused]] void **state)
{
	struct mailbox_source source = fixture_source(7, 1), mark = { 0 };
	const struct deliver_ask more = { .source = &source };
	struct world *w = world(10);
	struct mailbox *box = fixture_box(w->store, "anna/INBOX");
	struct deliver_target *t = deliver_target_new(&anna, &fixture_err);

	assert_int_equal(world_delivers(w, &anna, &more), DELIVER_ACCEPTED);
	assert_int_equal(world_delivers(w, &anna, &more), DELIVER_ACCEPTED);
	assert_int_equal(mailbox_count(box), 1);
	assert_true(mailbox_marks(box, source.connection, &mark));
	deliver_settled(w->all, t, &source);
	assert_int_equal(world_delivers(w, &anna, NULL), DELIVER_ACCEPTED);	/* the mark goes with the next batch */
	mark = (struct mailbox_source){ 0 };
	assert_false(mailbox_marks(box, source.connection, &mark));
	assert_int_equal(mailbox_count(box), 2);
	deliver_target_put(&t);
	world_end(w);
}

/* The account has its mail in a Maildir, and so has every folder of it. */
static void a_box_may_lie_in_a_maildir([[maybe_unused]] void **state)
{
	static const struct target folder = { .name = "f", .type = TARGET_MAILBOX, .canonical = "mailbox:anna/lists", .mailbox = "anna/lists" };
	const struct deliver_ask more = { .placing = world_placing };
	struct world *w = world(10);
	char path[128], sub[160], name[256];

	(void)snprintf(path, sizeof path, "%s/Mail", w->directory);
	must(place_set_account(w->store, "anna", path, &fixture_err));
	assert_int_equal(world_delivers(w, &anna, &more), DELIVER_ACCEPTED);
	assert_int_equal(world_files(path, "new", name), 1);
	assert_string_equal(w->placed, name);
	assert_int_equal(world_delivers(w, &folder, NULL), DELIVER_ACCEPTED);
	(void)snprintf(sub, sizeof sub, "%s/.lists", path);
	assert_int_equal(world_files(sub, "new", name), 1);
	for (unsigned n = 0; n < 3; n++)
		world_asks_for(w, &anna, NULL);
	deliveries_free(&w->all);
	world_end(w);
}

static void many_at_once([[maybe_unused]] void **state)
{
	struct world *w = world(3000000);

	for (unsigned n = 0; n < 8; n++)
		world_asks_for(w, &anna, NULL);
	assert_int_equal(deliveries_waiting(w->all), 8);
	world_runs(w);
	for (unsigned n = 0; n < 8; n++)
		assert_int_equal(w->said[n], DELIVER_ACCEPTED);
	assert_int_equal(mailbox_count(fixture_box(w->store, "anna/INBOX")), 8);
	assert_int_equal(deliveries_waiting(w->all), 0);
	world_end(w);
}

/* Nobody is told, and what was staged does no harm. */
static void they_can_be_forgotten([[maybe_unused]] void **state)
{
	struct world *w = world(LARGE);

	for (unsigned n = 0; n < 3; n++)
		world_asks_for(w, &anna, NULL);
	deliveries_free(&w->all);
	(void)fixture_drain(w->store);
	assert_int_equal(w->done, 0);
	assert_int_equal(mailbox_count(fixture_box(w->store, "anna/INBOX")), 0);
	world_end(w);
}

static size_t in_new(struct world *w, const char *maildir)
{
	char path[200], name[256];

	(void)snprintf(path, sizeof path, "%s/%s", w->directory, maildir);
	return world_files(path, "new", name);
}

/* As soon as the account's mail lies there; and nobody's is not made. */
static void a_mailbox_in_a_maildir_is_delivered_there([[maybe_unused]] void **state)
{
	const struct target folder = { .name = "f", .type = TARGET_MAILBOX, .canonical = "mailbox:anna/a/b", .mailbox = "anna/a/b" };
	const struct target wrong = { .name = "w", .type = TARGET_MAILBOX, .canonical = "mailbox:anna/a.b", .mailbox = "anna/a.b" };
	struct mailbox_source source = fixture_source(7, 1);
	const struct deliver_ask more = { .source = &source, .placing = world_placing };
	struct world *w = world(10);
	char text[200];

	(void)snprintf(text, sizeof text, "%s/%%u", w->directory);
	store_maildirs(w->store, text);
	assert_int_equal(world_delivers(w, &anna, &more), DELIVER_ACCEPTED);
	assert_int_equal(world_delivers(w, &folder, NULL), DELIVER_ACCEPTED);
	assert_int_equal(in_new(w, "anna"), 1);
	assert_int_equal(in_new(w, "anna/.a.b"), 1);
	assert_int_equal(world_delivers(w, &wrong, NULL), DELIVER_REFUSED);
	assert_int_equal(world_delivers(w, &nobody, NULL), DELIVER_REFUSED);
	assert_non_null(strstr(w->why, "neither account nobody nor its Maildir"));
	for (unsigned n = 0; n < 3; n++)
		world_asks_for(w, &anna, NULL);
	deliveries_free(&w->all);
	assert_int_equal(in_new(w, "anna"), 4);
	store_maildirs(w->store, NULL);
	assert_int_equal(mailbox_count(fixture_box(w->store, "anna/INBOX")), 0);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_there_octet_for_octet),
		cmocka_unit_test(what_cannot_work_is_refused),
		cmocka_unit_test(a_mark_makes_it_once),
		cmocka_unit_test(a_box_may_lie_in_a_maildir),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(they_can_be_forgotten),
		cmocka_unit_test(a_mailbox_in_a_maildir_is_delivered_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
