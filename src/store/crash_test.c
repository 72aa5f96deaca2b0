/* SPDX-License-Identifier: Apache-2.0
 * A process that appends is killed at any instant; the next one finds every
 * message that was answered, once, and nothing half. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "store/fixture.h"
#include "store/ledger.h"

enum { ROUNDS = 20, SEED = 20261121, SIZES = 5, WAIT_US_MAX = 60000 };

/* Every kind of message: inside a batch, cut at a page, staged in few and in many pieces. */
static const size_t sizes[SIZES] = { 30, 4096, 60000, 150000, 900000 };

/* Octets that tell the message's number, so that one cannot pass for another. */
static struct span message(uint32_t number)
{
	static char at[900000 + 1];
	size_t len = sizes[number % SIZES];

	memset(at, 'a' + (int)(number % 26), len);
	(void)snprintf(at, 32, "%u ", number);
	return (struct span){ at, len };
}

/* The child: appends number after number until it is killed, and tells of each
 * that was answered good.  Aborted ones are among them, and repeated ones. */
static _Noreturn void append_for_ever(const char *directory, uint32_t first, int told)
{
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct store_done d;

	for (uint32_t n = first;; n++) {
		struct mailbox_source source = fixture_source(1, n);
		struct incoming *in = incoming_new(box, &fixture_err), *aborted = incoming_new(box, &fixture_err);

		if (!in || !aborted || !incoming_add(in, message(n), &fixture_err) || !incoming_add(aborted, message(n), &fixture_err))
			_exit(1);
		incoming_finish(&in, &source, 1, 0, n);
		incoming_abort(&aborted);
		if (n % 7 == 0) {
			in = incoming_new(box, &fixture_err);
			if (!in || !incoming_add(in, message(n), &fixture_err))
				_exit(1);
			incoming_finish(&in, &source, 1, 0, 0);
		}
		while (store_waiting(s) > 6 ? store_wait(s) : false)
			while (store_next(s, &d))
				if (!d.good || write(told, &d.ticket, sizeof d.ticket) != sizeof d.ticket)
					_exit(1);
	}
}

static uint32_t random_next(uint32_t *x)
{
	*x = *x * 1103515245 + 12345;
	return *x >> 8;
}

/* Kills it after a while that the seed says; takes what it told. */
static size_t run_and_kill(const char *directory, uint32_t first, uint32_t us, bool *good, size_t max)
{
	const struct timespec slice = { .tv_nsec = (long)us * 1000 };
	uint64_t number;
	size_t n = 0;
	int told[2];
	pid_t child;

	assert_int_equal(pipe(told), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(told[0]);
		append_for_ever(directory, first, told[1]);
	}
	(void)close(told[1]);
	/* The first answer, so that a slow machine tests no less; then the random while. */
	assert_int_equal(read(told[0], &number, sizeof number), sizeof number);
	(void)nanosleep(&slice, NULL);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	do {
		assert_true(number < max);
		good[number] = true;
		n++;
	} while (read(told[0], &number, sizeof number) == (ssize_t)sizeof number);
	(void)close(told[0]);
	return n;
}

/* Each message there is whole, and there once; returns the greatest number. */
static uint32_t look(struct mailbox *box, bool *seen, size_t max)
{
	struct mailbox_entry entry;
	uint32_t greatest = 0;

	for (uint64_t position = 0; position < mailbox_count(box); position++) {
		struct fixture_text got = { 0 };
		unsigned long number;
		struct span want;

		assert_int_equal(mailbox_entries(box, position, &entry, 1), 1);
		must(mailbox_read(box, entry.uid, fixture_collect, &got, &fixture_err));
		number = strtoul(got.at, NULL, 10);
		assert_true(number > 0 && number < max);
		assert_false(seen[number]);
		seen[number] = true;
		want = message((uint32_t)number);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.at, want.at, want.len);
		free(got.at);
		greatest = number > greatest ? (uint32_t)number : greatest;
	}
	assert_int_equal(mailbox_entries(box, mailbox_count(box), &entry, 1), 0);
	return greatest;
}

/* No piece is left of what never became whole. */
static void nothing_is_staged(struct store *s)
{
	struct view *v;
	struct span key = { 0 }, value;

	must(view_begin(store_engine(s), &v, &fixture_err));
	assert_false(view_next(v, engine_part_of("mailbox", SPAN("anna/INBOX")), SPAN("t"), &key, &value));
	view_end(&v);
}

static void what_was_answered_survives_a_kill(void **state)
{
	enum { MAX = 1 << 20 };
	const char *directory = fixture_directory();
	bool *good = calloc(MAX, sizeof *good), *seen = calloc(MAX, sizeof *seen);
	uint32_t x = SEED, next = 1;
	size_t answered = 0;

	(void)state;
	assert_true(good && seen);
	print_message("seed %d\n", SEED);
	for (int round = 0; round < ROUNDS; round++) {
		struct store *s;
		struct mailbox *box;
		uint32_t greatest;

		answered += run_and_kill(directory, next, random_next(&x) % WAIT_US_MAX, good, MAX);
		s = fixture_store(directory);
		box = fixture_box(s, "anna/INBOX");
		memset(seen, 0, MAX * sizeof *seen);
		greatest = look(box, seen, MAX);
		for (uint32_t n = 0; n <= greatest || n < next; n++)
			if (good[n] && !seen[n])
				fail_msg("round %d: message %u was answered and is not there", round, (unsigned)n);
		nothing_is_staged(s);
		store_close(&s);
		/* The next child begins before the end: what is there is not put twice. */
		next = greatest > 3 ? greatest - 3 : 1;
	}
	print_message("%zu answers\n", answered);
	free(good);
	free(seen);
	fixture_remove(directory);
}

/* The child of the other test: a ledger whose puts are answered one by one. */
static _Noreturn void put_for_ever(const char *directory, int told)
{
	struct store *s = fixture_store(directory);
	struct ledger *l;
	struct store_done d;

	if (!ledger_open(s, "c", "", &l, &fixture_err))
		_exit(1);
	for (uint64_t n = 1;; n++) {
		struct ledger_entry e = { .state = n % 2 ? LEDGER_ACCEPTED : LEDGER_DISPOSING, .size = n };
		uint64_t id = n % 500;

		memcpy(e.id, &id, sizeof id);
		ledger_put(l, &e, n);
		while (store_waiting(s) > 50 ? store_wait(s) : false)
			while (store_next(s, &d))
				if (!d.good || write(told, &d.ticket, sizeof d.ticket) != sizeof d.ticket)
					_exit(1);
	}
}

static void a_ledger_never_goes_back(void **state)
{
	const char *directory = fixture_directory();
	uint32_t x = SEED;

	(void)state;
	for (int round = 0; round < ROUNDS / 4; round++) {
		const struct timespec slice = { .tv_nsec = (long)(random_next(&x) % WAIT_US_MAX) * 1000 };
		uint64_t number = 0, last[500] = { 0 };
		struct store *s;
		struct ledger *l;
		int told[2];
		pid_t child;

		assert_int_equal(pipe(told), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			put_for_ever(directory, told[1]);
		(void)close(told[1]);
		assert_int_equal(read(told[0], &number, sizeof number), sizeof number);
		(void)nanosleep(&slice, NULL);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		do
			last[number % 500] = number;
		while (read(told[0], &number, sizeof number) == (ssize_t)sizeof number);
		(void)close(told[0]);
		s = fixture_store(directory);
		must(ledger_open(s, "c", "", &l, &fixture_err));
		for (uint64_t id = 0; id < 500; id++) {
			struct ledger_entry e = { 0 };

			memcpy(e.id, &id, sizeof id);
			assert_true(!last[id] || (ledger_get(l, e.id, &e) && e.size >= last[id]));
		}
		must(ledger_forget(l, &fixture_err));
		store_close(&s);
	}
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_answered_survives_a_kill),
		cmocka_unit_test(a_ledger_never_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
