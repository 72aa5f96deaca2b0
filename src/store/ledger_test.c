/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ledger.h"

#include "store/fixture.h"

static struct ledger *opened(struct store *s, const char *name)
{
	struct ledger *l;

	must(ledger_open(s, name, "", &l, &fixture_err));
	return l;
}

static struct ledger_entry entry(uint32_t n, enum ledger_state state)
{
	struct ledger_entry e = { .state = state, .size = n, .changed = 5 };

	e.id[0] = (uint8_t)(n * 37);
	memcpy(e.id + 8, &n, sizeof n);
	return e;
}

/* Walks it; returns how many, and checks the order. */
static size_t walk(struct ledger *l, enum ledger_state want)
{
	struct ledger_entry e;
	uint8_t last[32] = { 0 };
	size_t n = 0;

	for (const uint8_t *after = NULL; ledger_next(l, after, &e); after = e.id, n++) {
		assert_true(!after || memcmp(e.id, last, sizeof last) > 0);
		assert_int_equal(e.state, want);
		memcpy(last, e.id, sizeof last);
	}
	return n;
}

static void puts_are_seen_before_they_are_durable(void **state)
{
	enum { ENTRIES = 3000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger *l = opened(s, "c");
	struct ledger_entry e, got;

	(void)state;
	for (uint32_t round = 0; round < 4; round++) {
		enum ledger_state now = round % 2 ? LEDGER_DISPOSING : LEDGER_ACCEPTED;

		for (uint32_t n = 1; n <= ENTRIES; n++) {
			e = entry(n, now);
			ledger_put(l, &e, n);
			assert_true(ledger_get(l, e.id, &got));
			assert_memory_equal(&got, &e, sizeof e);
		}
		assert_int_equal(walk(l, now), ENTRIES);
		assert_int_equal(ledger_count(l), ENTRIES);
		if (round == 1)
			assert_int_equal(fixture_drain(s), 2 * ENTRIES);	/* two rounds at once */
		assert_int_equal(walk(l, now), ENTRIES);
	}
	assert_int_equal(fixture_drain(s), 2 * ENTRIES);
	store_close(&s);
	s = fixture_store(directory);
	l = opened(s, "c");
	assert_int_equal(walk(l, LEDGER_DISPOSING), ENTRIES);
	e = entry(ENTRIES + 1, LEDGER_HELD);
	assert_false(ledger_get(l, e.id, &got));
	store_close(&s);
	fixture_remove(directory);
}

static void what_is_removed_is_gone_at_once(void **state)
{
	enum { ENTRIES = 500 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger *l = opened(s, "c");
	struct ledger_entry e, got;

	(void)state;
	for (uint32_t n = 1; n <= ENTRIES; n++) {
		e = entry(n, LEDGER_GONE);
		ledger_put(l, &e, 0);
		if (n == ENTRIES / 2)
			(void)fixture_drain(s);
	}
	for (uint32_t n = 1; n <= ENTRIES; n += 2) {	/* durable ones and others */
		e = entry(n, LEDGER_GONE);
		ledger_remove(l, e.id);
		assert_false(ledger_get(l, e.id, &got));
	}
	assert_int_equal(walk(l, LEDGER_GONE), ENTRIES / 2);
	assert_int_equal(ledger_count(l), ENTRIES / 2);
	e = entry(1, LEDGER_GONE);
	ledger_put(l, &e, 0);	/* and put again */
	assert_int_equal(ledger_count(l), ENTRIES / 2 + 1);
	assert_int_equal(fixture_drain(s), 0);
	assert_int_equal(walk(l, LEDGER_GONE), ENTRIES / 2 + 1);
	store_close(&s);
	s = fixture_store(directory);
	assert_int_equal(ledger_count(opened(s, "c")), ENTRIES / 2 + 1);
	store_close(&s);
	fixture_remove(directory);
}

/* A walk that changes as it goes sees each entry once. */
static void a_walk_may_put(void **state)
{
	enum { ENTRIES = 2500 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger *l = opened(s, "c");
	struct ledger_entry e;
	size_t n = 0;

	(void)state;
	for (uint32_t i = 1; i <= ENTRIES; i++) {
		e = entry(i, LEDGER_ACCEPTED);
		ledger_put(l, &e, 0);
	}
	(void)fixture_drain(s);
	for (const uint8_t *after = NULL; ledger_next(l, after, &e); after = e.id, n++) {
		assert_int_equal(e.state, LEDGER_ACCEPTED);
		e.state = LEDGER_GONE;
		ledger_put(l, &e, 0);
		if (n % 400 == 0)
			(void)fixture_drain(s);
	}
	assert_int_equal(n, ENTRIES);
	assert_int_equal(walk(l, LEDGER_GONE), ENTRIES);
	store_close(&s);
	fixture_remove(directory);
}

static void notes_are_kept(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger *l = opened(s, "c");

	(void)state;
	for (int n = 0; n < LEDGER_NOTES; n++) {
		assert_int_equal(ledger_noted(l, (enum ledger_note)n), 0);
		ledger_note(l, (enum ledger_note)n, 1000 + n, 0);
		assert_int_equal(ledger_noted(l, (enum ledger_note)n), 1000 + n);
	}
	ledger_note(l, LEDGER_NOTE_COMPARING, 0, 0);
	store_close(&s);
	s = fixture_store(directory);
	l = opened(s, "c");
	assert_int_equal(ledger_noted(l, LEDGER_NOTE_LISTED), 1000);
	assert_int_equal(ledger_noted(l, LEDGER_NOTE_DISPOSED), 1001);
	assert_int_equal(ledger_noted(l, LEDGER_NOTE_COMPARING), 0);
	assert_int_equal(ledger_count(l), 0);	/* a note is no entry */
	store_close(&s);
	fixture_remove(directory);
}

static void a_rescan_forgets_everything(void **state)
{
	enum { ENTRIES = 5000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger *l = opened(s, "c"), *other = opened(s, "d");
	struct ledger_entry e;

	(void)state;
	for (uint32_t n = 1; n <= ENTRIES; n++) {
		e = entry(n, LEDGER_ACCEPTED);
		ledger_put(l, &e, n);
		if (n == 1)
			ledger_put(other, &e, n);
		if (n == ENTRIES / 2)
			(void)fixture_drain(s);	/* half durable, half under way */
	}
	ledger_note(l, LEDGER_NOTE_LISTED, 7, 0);
	must(ledger_forget(l, &fixture_err));
	assert_int_equal(ledger_count(l), 0);
	assert_int_equal(walk(l, LEDGER_ACCEPTED), 0);
	assert_int_equal(ledger_noted(l, LEDGER_NOTE_LISTED), 0);
	e = entry(77, LEDGER_HELD);
	ledger_put(l, &e, 0);
	assert_int_equal(fixture_drain(s), ENTRIES - ENTRIES / 2);	/* their tickets are still answered */
	assert_int_equal(walk(l, LEDGER_HELD), 1);
	assert_int_equal(ledger_count(other), 1);
	store_close(&s);
	s = fixture_store(directory);
	assert_int_equal(ledger_count(opened(s, "c")), 1);
	store_close(&s);
	fixture_remove(directory);
}

static void ledgers_are_listed_once_they_have_something(void **state)
{
	static const char *const names[] = { "a", "a/b", "gr\xc3\xbc\xc3\x9f", "pop3s://anna@pop.example.org" };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger_entry e = entry(1, LEDGER_SKIPPED);
	struct ledger_name name = { 0 };

	(void)state;
	(void)opened(s, "never used");
	for (size_t i = 0; i < COUNT(names); i++) {
		struct ledger *l = opened(s, names[i]);

		assert_ptr_equal(l, opened(s, names[i]));
		assert_memory_not_equal(ledger_tag(l), ledger_tag(opened(s, "never used")), 8);
		ledger_put(l, &e, 0);
		ledger_put(l, &e, 0);
	}
	assert_int_equal(fixture_drain(s), 0);
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_true(ledger_each(s, NULL, &name));
		assert_string_equal(name.connection, names[i]);
	}
	assert_false(ledger_each(s, NULL, &name));
	store_close(&s);
	fixture_remove(directory);
}

/* Names between a connection's and those of its mailboxes, in the order of the directory. */
static void a_connection_walks_its_own_ledgers(void **state)
{
	static const struct { const char *connection, *mailbox; } rows[] = {
		{ "box", "INBOX" }, { "box", "" }, { "box2", "" }, { "box", "Lists/&AOQ-" }, { "bo", "INBOX" }, { "box~", "INBOX" },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger_entry e = entry(1, LEDGER_SEEN);
	struct ledger_name name = { 0 };
	struct ledger *l;
	unsigned boxes = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		must(ledger_open(s, rows[i].connection, rows[i].mailbox, &l, &fixture_err));
		assert_string_equal(ledger_mailbox(l), rows[i].mailbox);
		ledger_put(l, &e, 0);
		(void)fixture_drain(s);
		assert_int_equal(ledger_count(l), 1);
	}
	assert_true(ledger_each(s, "box", &name));
	assert_string_equal(name.mailbox, "");
	while (ledger_each(s, "box", &name)) {
		assert_string_equal(name.connection, "box");
		boxes += strcmp(name.mailbox, "INBOX") == 0 ? 1 : strcmp(name.mailbox, "Lists/&AOQ-") == 0 ? 10 : 100;
	}
	assert_int_equal(boxes, 11);
	name = (struct ledger_name){ 0 };
	assert_true(ledger_each(s, "bo", &name));	/* it has no ledger of its own */
	assert_string_equal(name.mailbox, "INBOX");
	assert_false(ledger_each(s, "bo", &name));
	name = (struct ledger_name){ 0 };
	assert_false(ledger_each(s, "b", &name));
	assert_false(ledger_open(s, "b|x", "", &l, &fixture_err));
	store_close(&s);
	fixture_remove(directory);
}

static void each_of_many_is_found_again(void **state)
{
	enum { MANY = 700 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	static struct ledger *first[MANY];
	struct ledger_entry e = entry(1, LEDGER_SEEN);
	char name[16];

	(void)state;
	for (unsigned n = 0; n < MANY; n++) {
		(void)snprintf(name, sizeof name, "box%u", n);
		first[n] = opened(s, name);
		ledger_put(first[n], &e, 0);
	}
	for (unsigned n = 0; n < MANY; n++) {
		(void)snprintf(name, sizeof name, "box%u", n);
		assert_ptr_equal(opened(s, name), first[n]);
		assert_true(!n || first[n] != first[n - 1]);
	}
	store_close(&s);	/* flushes each */
	s = fixture_store(directory);
	for (unsigned n = 0; n < MANY; n++) {
		(void)snprintf(name, sizeof name, "box%u", n);
		assert_true(ledger_get(opened(s, name), e.id, &e));
	}
	store_close(&s);
	fixture_remove(directory);
}

static void a_name_has_its_limits(void **state)
{
	static const struct { size_t len; bool good; } rows[] = { { 0, false }, { 1, true }, { 128, true }, { 129, false } };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct ledger_entry e = entry(1, LEDGER_SKIPPED);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *name = fixture_octets(rows[i].len);
		struct ledger_name got = { 0 };
		struct ledger *l;

		assert_int_equal(ledger_open(s, name, "", &l, &fixture_err), rows[i].good);
		if (rows[i].good) {
			ledger_put(l, &e, 0);
			(void)fixture_drain(s);
			while (ledger_each(s, NULL, &got) && strcmp(got.connection, name) != 0)
				;
			assert_string_equal(got.connection, name);
		} else {
			assert_int_equal(fixture_err.kind, ERR_CONFIG);
		}
		free(name);
	}
	store_close(&s);
	fixture_remove(directory);
}

/* No room: the ticket says so, and the ledger shows what is durable. */
static void a_refused_put_was_never_there(void **state)
{
	const char *directory = fixture_directory();
	struct store *s;
	struct ledger *l;
	struct store_done d;
	struct ledger_entry e, got;
	uint32_t good = 0, refused = 0;

	(void)state;
	must(store_open(directory, 512 << 10, "test", &s, &fixture_err));
	l = opened(s, "c");
	for (uint32_t n = 1; n <= 4000; n++) {
		e = entry(n, LEDGER_QUARANTINED);
		memset(e.error, 'x', sizeof e.error - 1);
		ledger_put(l, &e, n);
	}
	while (store_wait(s))
		while (store_next(s, &d)) {
			good += d.good;
			refused += !d.good;
			e = entry((uint32_t)d.ticket, LEDGER_QUARANTINED);
			assert_int_equal(ledger_get(l, e.id, &got), d.good);
		}
	assert_true(good > 0 && refused > 0);
	assert_int_equal(good + refused, 4000);
	assert_int_equal(walk(l, LEDGER_QUARANTINED), good);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_are_seen_before_they_are_durable),
		cmocka_unit_test(what_is_removed_is_gone_at_once),
		cmocka_unit_test(a_walk_may_put),
		cmocka_unit_test(notes_are_kept),
		cmocka_unit_test(a_rescan_forgets_everything),
		cmocka_unit_test(ledgers_are_listed_once_they_have_something),
		cmocka_unit_test(a_connection_walks_its_own_ledgers),
		cmocka_unit_test(each_of_many_is_found_again),
		cmocka_unit_test(a_name_has_its_limits),
		cmocka_unit_test(a_refused_put_was_never_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
