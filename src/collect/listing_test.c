/* SPDX-License-Identifier: Apache-2.0
 *
 * The identity rules (PRODUCT 2.3) as a story of listings: each step is what
 * the server shows, and what is to be known, new, unidentified or gone. */
#include "collect/listing.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct store *store;
static char directory[] = "/tmp/listing_test.XXXXXX";

static int open_store(void **state)
{
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_true(store_open(directory, 1u << 30, "test", &store, &e));
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int close_store(void **state)
{
	(void)state;
	store_close(&store);
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void base_of(const char *uid, uint8_t base[32])
{
	ledger_pop3_base(SPAN("host"), SPAN("anna"), span_of(uid), base);
}

static void id_of(const char *uid, uint32_t k, uint8_t id[32])
{
	uint8_t base[32];

	base_of(uid, base);
	ledger_pop3_id(base, k, id);
}

static void record(struct ledger *l, const char *uid, enum ledger_state state, uint8_t digest)
{
	struct ledger_entry entry = { .state = state, .first_seen = 1, .changed = 1, .accepted = 1, .has_digest = true };

	id_of(uid, 0, entry.id);
	memset(entry.digest, digest, sizeof entry.digest);
	ledger_put(l, &entry, 0);
}

static enum ledger_state state_of(struct ledger *l, const char *uid)
{
	struct ledger_entry entry;
	uint8_t id[32];

	id_of(uid, 0, id);
	return ledger_get(l, id, &entry) ? entry.state : LEDGER_STATES;
}

/* Lists `uids` (separated by blanks; "-" = no id), joins, and tells what was found. */
static struct listing_found join(struct ledger *l, const char *uids, struct listing *listing, struct identity *identity, int64_t now)
{
	struct listing_rules rules = { .dispose = true, .now = now, .history_keep_s = 30 * 86400 };
	struct span rest = span_of(uids), uid;
	struct listing_found found;
	uint32_t number = 1;
	struct err e;

	listing_start(listing);
	identity_start(identity);
	for (; span_word(&rest, &uid); number++) {
		bool has = !span_equal(uid, SPAN("-"));
		uint8_t base[32];
		struct span text = has ? uid : (struct span){ 0 };

		ledger_pop3_base(SPAN("host"), SPAN("anna"), text, base);
		assert_true(listing_add(listing, number, base, text, has, &e));
	}
	assert_true(listing_join(listing, l, &rules, &found, &e));
	for (bool done = false; !done;)
		assert_true(listing_retire(listing, l, &rules, identity, &done, &e));
	for (uint32_t n = 0; n < listing->count; n++)
		assert_int_equal(listing->items[n].number, n + 1);
	return found;
}

static struct ledger *ledger(const char *name)
{
	struct ledger *l;
	struct err e;

	assert_true(ledger_open(store, name, "", &l, &e));
	return l;
}

static void known_new_and_gone(void **state)
{
	struct ledger *l = ledger("plain");
	struct identity identity;
	struct listing listing;
	struct listing_found f;

	(void)state;
	record(l, "a", LEDGER_ACCEPTED, 1);
	record(l, "b", LEDGER_ACCEPTED, 2);
	record(l, "c", LEDGER_SKIPPED, 3);
	f = join(l, "a c d", &listing, &identity, 100);
	assert_int_equal(f.known, 2);
	assert_int_equal(f.fresh, 1);
	assert_int_equal(f.dispose, 1);		/* never what was skipped */
	assert_int_equal(f.unidentified, 0);
	assert_int_equal(state_of(l, "b"), LEDGER_GONE);
	assert_int_equal(identity.count, 0);
	listing_end(&listing);

	f = join(l, "b", &listing, &identity, 101);	/* it comes back after gone: new */
	assert_int_equal(f.known, 0);
	assert_int_equal(f.fresh, 1);
	listing_end(&listing);
}

static void gone_is_pruned_after_thirty_days(void **state)
{
	struct ledger *l = ledger("prune");
	struct identity identity;
	struct listing listing;

	(void)state;
	record(l, "a", LEDGER_GONE, 1);
	(void)join(l, "x", &listing, &identity, 30 * 86400);
	listing_end(&listing);
	assert_int_equal(state_of(l, "a"), LEDGER_GONE);
	(void)join(l, "x", &listing, &identity, 31 * 86400);
	listing_end(&listing);
	assert_int_equal(state_of(l, "a"), LEDGER_STATES);
}

static void shared_ids_are_compared(void **state)
{
	struct ledger *l = ledger("shared");
	struct identity identity;
	struct listing listing;
	struct listing_found f;
	uint8_t digest[32], id[32], want[32];

	(void)state;
	record(l, "a", LEDGER_ACCEPTED, 1);
	record(l, "b", LEDGER_ACCEPTED, 2);
	f = join(l, "a a b", &listing, &identity, 100);
	assert_int_equal(f.known, 1);
	assert_int_equal(f.unidentified, 2);
	assert_int_equal(identity.count, 1);	/* the entry of `a` waits to be found by content */
	assert_int_equal(state_of(l, "a"), LEDGER_SHARED);
	memset(digest, 1, sizeof digest);
	assert_true(identity_find(&identity, digest, id));
	id_of("a", 1, want);
	assert_memory_equal(id, want, sizeof id);
	assert_false(identity_find(&identity, digest, id));	/* once */
	identity_key(&identity, listing.items[1].id, l, id);
	id_of("a", 2, want);
	assert_memory_equal(id, want, sizeof id);		/* k = 1 is taken */
	identity_close(&identity, l, 100);
	listing_end(&listing);

	f = join(l, "b a", &listing, &identity, 101);	/* one of them went: which is left, its id does not tell */
	assert_int_equal(f.known, 1);
	assert_int_equal(f.unidentified, 1);
	assert_int_equal(identity.count, 1);
	identity_end(&identity);
	listing_end(&listing);
}

static void a_wholesale_change_is_compared_until_done(void **state)
{
	static const char *const uids[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" };
	struct ledger *l = ledger("wholesale");
	struct identity identity;
	struct listing listing;
	struct listing_found f;

	(void)state;
	for (uint8_t n = 0; n < COUNT(uids); n++)
		record(l, uids[n], LEDGER_ACCEPTED, n);
	f = join(l, "A B C", &listing, &identity, 100);
	assert_true(f.comparing);
	assert_int_equal(f.unidentified, 3);
	assert_int_equal(identity.count, 10);
	assert_int_equal(state_of(l, "a"), LEDGER_ACCEPTED);
	listing_end(&listing);
	identity_end(&identity);

	record(l, "A", LEDGER_ACCEPTED, 0);	/* re-keyed; then the visit was cut off */
	f = join(l, "A B C", &listing, &identity, 101);
	assert_true(f.comparing);
	assert_int_equal(f.known, 1);
	assert_int_equal(f.unidentified, 2);
	listing_end(&listing);
	identity_close(&identity, l, 101);
	ledger_note(l, LEDGER_NOTE_COMPARING, 0, 0);
	assert_int_equal(state_of(l, "b"), LEDGER_GONE);
	f = join(l, "A B C", &listing, &identity, 102);
	assert_false(f.comparing);
	listing_end(&listing);
}

static void what_was_deleted_may_vanish(void **state)
{
	char uid[3] = "aa";
	struct ledger *l = ledger("deleted");
	struct identity identity;
	struct listing listing;
	struct listing_found f;

	(void)state;
	for (uint8_t n = 0; n < 20; n++, uid[1]++)
		record(l, uid, LEDGER_DISPOSING, n);
	ledger_note(l, LEDGER_NOTE_DISPOSED, 1, 0);
	f = join(l, "new", &listing, &identity, 100);
	assert_false(f.comparing);
	assert_int_equal(identity.count, 0);
	assert_int_equal(state_of(l, "aa"), LEDGER_GONE);
	listing_end(&listing);
}

/* What `after` wants does not count for them; what is not done with stays. */
static void removals_are_disposed_of(void **state)
{
	static const struct { enum ledger_state state; bool dispose; } rows[] = {
		{ LEDGER_ACCEPTED, true }, { LEDGER_DISPOSING, true }, { LEDGER_QUARANTINED, true }, { LEDGER_SEEN, true },
		{ LEDGER_PENDING, false }, { LEDGER_HELD, false }, { LEDGER_REFUSED, false }, { LEDGER_SKIPPED, false }, { LEDGER_GONE, false },
	};
	const struct listing_rules rules[] = { { .keep = true, .now = 100 }, { .dispose = true, .seen = true, .now = 100 } };
	struct ledger *l = ledger("removals");
	struct listing_found found;
	struct ledger_entry entry;
	struct listing listing;
	uint8_t id[32];
	struct err e;

	(void)state;
	for (size_t r = 0; r < COUNT(rules); r++)
		for (uint32_t n = 0; n < COUNT(rows); n++) {
			id_of("a", n + 100, id);
			entry = (struct ledger_entry){ .state = rows[n].state, .first_seen = 1, .changed = 1, .accepted = 1, .removal = true };
			memcpy(entry.id, id, sizeof id);
			ledger_put(l, &entry, 0);
			listing_start(&listing);
			assert_true(listing_add_uid(&listing, n + 1, id, &e));
			listing.items[0].flags |= ITEM_UNSEEN;
			assert_true(listing_join(&listing, l, &rules[r], &found, &e));
			assert_int_equal(found.dispose, rows[n].dispose);
			assert_int_equal(found.offered, 0);
			listing_end(&listing);
			assert_true(ledger_get(l, id, &entry));
			assert_int_equal(entry.state, rows[n].state);
			assert_int_equal(ledger_noted(l, LEDGER_NOTE_REMOVING) != 0, rows[n].state != LEDGER_GONE);
			ledger_remove(l, id);
		}
}

/* The n-th of `count` numbers, as a server may list them. */
static uint32_t number_of(unsigned pattern, uint32_t n, uint32_t count)
{
	switch (pattern) {
	case 0:
		return n + 1;
	case 1:
		return count - n;
	case 2:
		return (uint32_t)((uint64_t)n * 7919 % count) + 1;	/* a prime: all of them, mixed */
	case 3:
		return n % 7 + 1;
	case 4:
		return n < count / 2 ? 2 * n + 1 : 2 * (count - n);	/* up, then down */
	case 5:		/* the worst for the median of first, middle and last */
		return n < count / 2 ? (n % 2 ? count / 2 + n : n + 1) : 2 * (n - count / 2 + 1);
	}
	return 1;
}

static void sorted_whatever_the_order(void **state)
{
	static const uint32_t counts[] = { 1, 2, 3, 15, 16, 17, 18, 100, 1000, 20000 };
	const uint8_t id[32] = { 0 };
	struct err e;

	(void)state;
	for (unsigned pattern = 0; pattern <= 6; pattern++)
		for (size_t c = 0; c < COUNT(counts); c++) {
			static bool seen[2 * 20000 + 2];
			struct listing listing;
			size_t kinds = 0;

			memset(seen, 0, sizeof seen);
			listing_start(&listing);
			for (uint32_t n = 0; n < counts[c]; n++) {
				uint32_t number = number_of(pattern, n, counts[c]);

				kinds += !seen[number];
				seen[number] = true;
				assert_true(listing_add_uid(&listing, number, id, &e));
			}
			listing_settle_uids(&listing);
			assert_int_equal(listing.count, kinds);
			for (size_t n = 0; n < kinds; n++) {
				assert_true(seen[listing.items[n].number]);
				assert_true(!n || listing.items[n - 1].number < listing.items[n].number);
			}
			listing_end(&listing);
		}
}

static void gaps_are_messages_without_an_id(void **state)
{
	struct listing listing;
	uint8_t base[32];
	struct err e;

	(void)state;
	listing_start(&listing);
	base_of("a", base);
	assert_true(listing_add(&listing, 2, base, SPAN("a"), true, &e));
	base_of("", base);
	assert_true(listing_gaps(&listing, 3, LISTING_GAPS_MAX, base, &e));
	assert_int_equal(listing.count, 3);
	assert_true(listing_gaps(&listing, 100000, LISTING_GAPS_MAX, base, &e));	/* a lie: nothing is made up */
	assert_int_equal(listing.count, 3);
	listing_end(&listing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_new_and_gone),
		cmocka_unit_test(gone_is_pruned_after_thirty_days),
		cmocka_unit_test(shared_ids_are_compared),
		cmocka_unit_test(a_wholesale_change_is_compared_until_done),
		cmocka_unit_test(what_was_deleted_may_vanish),
		cmocka_unit_test(removals_are_disposed_of),
		cmocka_unit_test(sorted_whatever_the_order),
		cmocka_unit_test(gaps_are_messages_without_an_id),
	};

	return cmocka_run_group_tests(tests, open_store, close_store);
}
