/* SPDX-License-Identifier: Apache-2.0 */
#include "store/entry.h"

#include "store/fixture.h"

static struct ledger_entry full(void)
{
	struct ledger_entry e = { .state = LEDGER_PENDING, .first_seen = 1, .changed = INT64_MAX, .accepted = -1, .size = UINT64_MAX,
		.has_digest = true, .attempts = UINT32_MAX, .target_count = LEDGER_TARGETS_MAX };

	memset(e.digest, 0xab, sizeof e.digest);
	memset(e.uid, 'u', LEDGER_UID_MAX);
	memset(e.error, 'e', LEDGER_ERROR_MAX - 1);
	for (uint32_t n = 0; n < LEDGER_TARGETS_MAX; n++) {
		e.targets[n].target = n + 1;
		e.targets[n].state = LEDGER_TARGET_PLACING;
		memset(e.targets[n].place, 'p', LEDGER_PLACE_MAX - 1);
	}
	return e;
}

static void an_entry_comes_back_as_it_was(void **state)
{
	struct ledger_entry rows[] = {
		{ .state = LEDGER_ACCEPTED, .uid = "u" },
		{ .state = LEDGER_SKIPPED },
		{ .state = LEDGER_PENDING, .target_count = 1, .targets = { { 7, LEDGER_TARGET_ACCEPTED, "" } } },
		{ .state = LEDGER_GONE, .has_digest = true, .digest = { 1, 2, 3 }, .error = "server said \"no\"" },
		{ .state = LEDGER_DISPOSING, .uid = "7/9", .copy = LEDGER_COPY_BEGUN },
		{ .state = LEDGER_DISPOSING, .uid = "7/9", .copy = LEDGER_COPY_DONE, .copy_validity = 8, .copy_uid = UINT32_MAX },
		{ .state = LEDGER_DISPOSING, .removal = true, .has_digest = true, .digest = { 4 } },
		{ .state = LEDGER_HELD, .removal = true, .target_count = 2, .targets = { { 7, LEDGER_TARGET_HELD, "00000000000000ab" }, { 8, LEDGER_TARGET_REFUSED, "" } } },
		full(),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char value[ENTRY_MAX];
		struct span packed = entry_pack(value, &rows[i]);
		struct ledger_entry got;

		memset(&got, 0, sizeof got);
		assert_in_range(packed.len, 1, ENTRY_MAX);
		assert_true(entry_unpack(packed, &got));
		assert_memory_equal(&got, &rows[i], sizeof got);
	}
}

/* On-disk data is input too: neither shorter nor longer is an entry. */
static void a_damaged_entry_is_refused(void **state)
{
	struct ledger_entry e = full(), got;
	char value[ENTRY_MAX + 1];
	struct span packed = entry_pack(value, &e);

	(void)state;
	for (size_t len = 0; len < packed.len; len++)
		assert_false(entry_unpack((struct span){ value, len }, &got));
	assert_false(entry_unpack((struct span){ value, packed.len + 1 }, &got));
	value[0]++;
	assert_false(entry_unpack(packed, &got));
	value[0]--;
	value[1] = LEDGER_STATES;
	assert_false(entry_unpack(packed, &got));
}

static void ids_of_different_things_differ(void **state)
{
	static const struct { struct span host, user, uidl; } rows[] = {
		{ SPAN("a"), SPAN("b"), SPAN("c") }, { SPAN("ab"), SPAN(""), SPAN("c") }, { SPAN(""), SPAN("ab"), SPAN("c") },
		{ SPAN("a"), SPAN("bc"), SPAN("") }, { SPAN("a"), SPAN(""), SPAN("bc") }, { SPAN(""), SPAN(""), SPAN("abc") },
		{ SPAN("a"), SPAN("b"), SPAN("c\0") },
	};
	uint8_t ids[COUNT(rows) * 2][32];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t base[32], again[32];

		ledger_pop3_base(rows[i].host, rows[i].user, rows[i].uidl, base);
		ledger_pop3_base(rows[i].host, rows[i].user, rows[i].uidl, again);
		assert_memory_equal(base, again, sizeof base);
		ledger_pop3_id(base, 0, ids[2 * i]);
		ledger_pop3_id(base, 1, ids[2 * i + 1]);
	}
	for (size_t i = 0; i < COUNT(ids); i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(ids[i], ids[k], 32);
}

/* At rest: a change here would deliver everybody's mail again. */
static void ids_never_change(void **state)
{
	static const uint8_t want[8] = { 0xd9, 0xf2, 0x51, 0x20, 0x87, 0x48, 0xc0, 0x74 };
	uint8_t base[32], id[32];

	(void)state;
	ledger_pop3_base(SPAN("pop.example.org"), SPAN("anna"), SPAN("1234"), base);
	ledger_pop3_id(base, 0, id);
	assert_memory_equal(id, want, sizeof want);
}

static void states_have_names(void **state)
{
	(void)state;
	assert_string_equal(ledger_state_name(LEDGER_PENDING), "pending");
	assert_string_equal(ledger_state_name(LEDGER_DISPOSING), "disposing");
	assert_string_equal(ledger_state_name(LEDGER_SKIPPED), "skipped");
	assert_int_not_equal(ledger_target_tag("mailbox:anna/INBOX"), ledger_target_tag("maildir:/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_comes_back_as_it_was),
		cmocka_unit_test(a_damaged_entry_is_refused),
		cmocka_unit_test(ids_of_different_things_differ),
		cmocka_unit_test(ids_never_change),
		cmocka_unit_test(states_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
