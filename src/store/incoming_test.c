/* SPDX-License-Identifier: Apache-2.0 */
#include "store/incoming.h"

#include "store/digest.h"
#include "store/fixture.h"

/* The same octets, cut in two at every place, make the same message. */
static void dots_and_ends_are_seen_at_any_split(void **state)
{
	static const struct row { struct span octets; uint32_t dots; size_t more; } rows[] = {
		{ SPAN(""), 0, 0 },
		{ SPAN("."), 1, 2 },
		{ SPAN(".\r\n"), 1, 0 },
		{ SPAN("..\r\n"), 1, 0 },
		{ SPAN("a.b\r\n.c\r\n"), 1, 0 },
		{ SPAN("\r\n.\r\n.\r\n"), 2, 0 },
		{ SPAN("a\n.b\r\n"), 0, 0 },		/* a lone LF ends no line */
		{ SPAN("a\r.b\r\n"), 0, 0 },
		{ SPAN("a\r\r\n.b"), 1, 2 },
		{ SPAN("a\n\r.b\r"), 0, 2 },
		{ SPAN("a\r\n\n."), 0, 2 },
		{ SPAN("\0\r\n.\0\n"), 1, 2 },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	uint64_t position = 0;

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut <= r->octets.len; cut++, position++) {
			struct incoming *in = incoming_new(box, &fixture_err);
			struct mailbox_entry entry;

			must(in);
			must(incoming_add(in, (struct span){ r->octets.at, cut }, &fixture_err));
			must(incoming_add(in, span_from(r->octets, cut), &fixture_err));
			incoming_finish(&in, NULL, 1, 0, 1);
			assert_null(in);
			assert_int_equal(fixture_drain(s), 1);
			entry = fixture_entry(box, position);
			if (entry.dots != r->dots || entry.size != r->octets.len + r->more || entry.flags)
				fail_msg("row %d cut at %zu", (int)(r - rows), cut);
			fixture_holds(box, position, r->octets);
		}
	store_close(&s);
	fixture_remove(directory);
}

/* One octet at a time is the same too. */
static void single_octets_make_a_message(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct incoming *in = incoming_new(box, &fixture_err);
	struct span text = SPAN("Subject: x\r\n\r\n.\r\n..\r\n.");

	(void)state;
	for (size_t i = 0; i < text.len; i++)
		must(incoming_add(in, (struct span){ text.at + i, 1 }, &fixture_err));
	incoming_finish(&in, NULL, 1, MAILBOX_SEEN, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_int_equal(fixture_entry(box, 0).dots, 3);
	assert_int_equal(fixture_entry(box, 0).flags, MAILBOX_SEEN);
	fixture_holds(box, 0, text);
	store_close(&s);
	fixture_remove(directory);
}

/* Around every size at which something changes: page, tail, piece. */
static void messages_of_any_size_come_back_whole(void **state)
{
	static const size_t around[] = { 1, 1344, 4080, 4080 + 1344, 2 * 4096 - 16, 65536 - 16, 65536, 65536 + 4096, 2 * (65536 - 16),
		5 * (65536 - 16) + 100, 1000000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(1000001);
	uint64_t position = 0, bytes = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(around); i++)
		for (size_t len = around[i] - 1; len <= around[i] + 1; len++) {
			fixture_append(box, (struct span){ octets, len }, NULL, 1);
			bytes += len ? len + 2 : 0;	/* with the CRLF that its end lacks */
		}
	assert_int_equal(fixture_drain(s), 3 * COUNT(around));
	store_close(&s);
	s = fixture_store(directory);
	box = fixture_box(s, "anna/INBOX");
	assert_int_equal(mailbox_bytes(box), bytes);
	for (size_t i = 0; i < COUNT(around); i++)
		for (size_t len = around[i] - 1; len <= around[i] + 1; len++)	/* in the order they were finished */
			fixture_holds(box, position++, (struct span){ octets, len });
	assert_int_equal(position, mailbox_count(box));
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static void a_digest_is_over_all_octets(void **state)
{
	static const size_t sizes[] = { 0, 1, MAILBOX_PIECE, MAILBOX_PIECE + 1, 300000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(300000);

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct incoming *in = incoming_new(box, &fixture_err);
		struct digest *d = digest_new(&fixture_err);
		uint8_t got[32], want[32];

		must(d && incoming_add(in, (struct span){ octets, sizes[i] }, &fixture_err));
		incoming_digest(in, got);
		digest_add(d, (struct span){ octets, sizes[i] });
		digest_end(d, want);
		digest_free(&d);
		assert_memory_equal(got, want, sizeof want);
		incoming_finish(&in, NULL, 1, 0, 1);
		assert_int_equal(fixture_drain(s), 1);
		fixture_holds(box, i, (struct span){ octets, sizes[i] });
	}
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static size_t blobs(struct store *s)
{
	struct engine_count { size_t n; } c = { 0 };
	struct view *v;
	struct span octets;

	must(view_begin(store_engine(s), &v, &fixture_err));
	for (uint64_t blob = fixture_first_blob(s), end = blob + 50; blob < end; blob++)
		for (uint32_t piece = 0; piece < 50; piece++)
			c.n += view_blob(v, engine_part_of("mailbox", SPAN("anna/INBOX")), blob, piece, &octets);
	view_end(&v);
	return c.n;
}

static void an_aborted_message_leaves_nothing(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(1000000);

	(void)state;
	for (size_t len = 0; len <= 1000000; len = len * 3 + 1) {
		struct incoming *in = incoming_new(box, &fixture_err);

		must(incoming_add(in, (struct span){ octets, len }, &fixture_err));
		if (len % 2)
			(void)fixture_drain(s);	/* pieces durable, or still under way */
		incoming_abort(&in);
		assert_null(in);
		incoming_abort(&in);
	}
	assert_int_equal(fixture_drain(s), 0);
	assert_int_equal(blobs(s), 0);
	assert_int_equal(mailbox_count(box), 0);
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

/* Staged, then the process was gone: the next to open the store clears up. */
static void what_never_became_whole_is_reclaimed(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct incoming *in = incoming_new(box, &fixture_err);
	char *octets = fixture_octets(1000000);

	(void)state;
	fixture_append(box, (struct span){ octets, 200000 }, NULL, 1);
	must(incoming_add(in, (struct span){ octets, 1000000 }, &fixture_err));
	assert_int_equal(fixture_drain(s), 1);
	assert_int_equal(blobs(s), 4 + 15);
	incoming_free(&in);	/* as a killed process would */
	store_close(&s);
	s = fixture_store(directory);
	assert_int_equal(blobs(s), 4);
	fixture_holds(fixture_box(s, "anna/INBOX"), 0, (struct span){ octets, 200000 });
	fixture_append(fixture_box(s, "anna/INBOX"), (struct span){ octets, 300000 }, NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	fixture_holds(fixture_box(s, "anna/INBOX"), 1, (struct span){ octets, 300000 });
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static void who_is_full_waits(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct incoming *in = incoming_new(box, &fixture_err);
	char *octets = fixture_octets(MAILBOX_PIECE);
	size_t len = 0;

	(void)state;
	assert_false(incoming_full(in));
	for (int n = 0; n < BOX_STAGING_MAX; n++) {
		assert_false(incoming_full(in));
		must(incoming_add(in, (struct span){ octets, MAILBOX_PIECE }, &fixture_err));
	}
	must(incoming_add(in, SPAN("x"), &fixture_err));
	assert_true(incoming_full(in));	/* answers are only taken by store_next */
	(void)fixture_drain(s);
	assert_false(incoming_full(in));
	incoming_abort(&in);
	/* Finished messages that wait for a batch count too. */
	in = incoming_new(box, &fixture_err);
	fixture_append(box, SPAN("the first is under way"), NULL, 1);
	for (; len + MAILBOX_PIECE <= BOX_WAITING_MAX; len += MAILBOX_PIECE) {
		assert_false(incoming_full(in));
		fixture_append(box, (struct span){ octets, MAILBOX_PIECE }, NULL, 1);
	}
	fixture_append(box, (struct span){ octets, MAILBOX_PIECE }, NULL, 1);
	assert_true(incoming_full(in));
	(void)fixture_drain(s);
	assert_false(incoming_full(in));
	incoming_abort(&in);
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

/* No room: whoever met it is refused, what was good before stays good. */
static void a_full_disk_refuses_and_loses_nothing(void **state)
{
	const char *directory = fixture_directory();
	struct store *s;
	struct mailbox *box;
	struct store_done d;
	char *octets = fixture_octets(300000);
	uint64_t good = 0, refused = 0;

	(void)state;
	must(store_open(directory, 4 << 20, "test", &s, &fixture_err));
	must(account_add(s, "anna", SPAN(""), false, &fixture_err));
	box = fixture_box(s, "anna/INBOX");
	for (uint64_t n = 0; n < 40; n++) {
		struct incoming *in = incoming_new(box, &fixture_err);

		must(in);
		if (incoming_add(in, (struct span){ octets, n % 2 ? 300000 : 60000 }, &fixture_err)) {
			incoming_finish(&in, NULL, 1, 0, n + 1);
		} else {
			assert_int_equal(fixture_err.kind, ERR_LOCAL);
			incoming_abort(&in);
		}
		while (store_wait(s))
			while (store_next(s, &d)) {
				good += d.good;
				refused += !d.good;
				assert_true(d.good || d.why.kind == ERR_LOCAL);
			}
		assert_int_equal(mailbox_count(box), good);
	}
	assert_true(good > 5 && refused > 5);
	store_close(&s);
	must(store_open(directory, FIXTURE_MAP, "test", &s, &fixture_err));
	box = fixture_box(s, "anna/INBOX");
	assert_int_equal(mailbox_count(box), good);
	for (uint64_t n = 0; n < good; n++)
		fixture_holds(box, n, (struct span){ octets, fixture_entry(box, n).size - 2 });
	fixture_append(box, SPAN("there is room again"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dots_and_ends_are_seen_at_any_split),
		cmocka_unit_test(single_octets_make_a_message),
		cmocka_unit_test(messages_of_any_size_come_back_whole),
		cmocka_unit_test(a_digest_is_over_all_octets),
		cmocka_unit_test(an_aborted_message_leaves_nothing),
		cmocka_unit_test(what_never_became_whole_is_reclaimed),
		cmocka_unit_test(who_is_full_waits),
		cmocka_unit_test(a_full_disk_refuses_and_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
