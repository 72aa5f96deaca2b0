/* SPDX-License-Identifier: Apache-2.0
 * A process that removes messages by the hundred, while mail comes in, is
 * killed at any instant, and so is the next one while it goes on with that.
 * Then every removal happened or did not, whole; what was answered did; every
 * other message is there, once; and the counts are exact. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "store/box.h"
#include "store/fixture.h"
#include "store/maildrop.h"

enum { ROUNDS = 20, SEED = 20261125, FIRST = 30000, STEP = 100, MAX = 1 << 20, REMOVAL = MAX, STARTED = MAX + 1, DURABLE = MAX + 2, LARGE = 100000, NO_REST = 2 * STEP };

/* Of one message: its number, so that one cannot pass for another. */
static struct span message(uint32_t number)
{
	static char at[LARGE];
	size_t len = number <= FIRST ? 8 : number % 9 ? 40 : LARGE;

	memset(at, 'a' + (int)(number % 26), len);
	(void)snprintf(at, 9, "%08u", number);
	at[8] = 'x';
	return (struct span){ at, len };
}

static void append(struct mailbox *box, uint32_t number)
{
	struct incoming *in = incoming_new(box, &fixture_err);
	struct mailbox_source source = fixture_source(1, number);

	if (!in || !incoming_add(in, message(number), &fixture_err))
		_exit(1);
	incoming_finish(&in, &source, number, 0, number);
}

static void tell(int told, uint64_t what)
{
	if (write(told, &what, sizeof what) != sizeof what)
		_exit(1);
}

static void answers(struct store *s, int told, size_t until)
{
	struct store_done d;

	while (store_waiting(s) > until ? store_wait(s) : false) {
		tell(told, DURABLE);
		while (store_next(s, &d)) {
			if (!d.good)
				_exit(1);
			tell(told, d.ticket);
		}
	}
}

/* The child: removes every message whose number has this rest, and appends for ever. */
static _Noreturn void remove_and_append(const char *directory, uint32_t rest, uint32_t number, int told)
{
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct mailbox_entry *all = calloc(MAX, sizeof *all);
	uint64_t gone[FIRST / STEP + 1], seen[FIRST / STEP + 1];
	size_t count = mailbox_entries(box, 0, all, MAX), g = 0, k = 0;

	for (size_t n = 0; n < count; n++) {
		if (all[n].arrived % STEP == rest && all[n].arrived <= FIRST)
			gone[g++] = all[n].uid;
		if (all[n].arrived % STEP == rest + 1 && all[n].arrived <= FIRST)
			seen[k++] = all[n].uid;
	}
	append(box, number++);
	tell(told, STARTED);
	mailbox_remove(box, gone, g, seen, k, 1000, rest == NO_REST ? 0 : REMOVAL);
	for (;; number++) {
		append(box, number);
		answers(s, told, 6);
		if (number % 50 == 0)
			(void)store_reclaim(s, 1000000);
	}
}

static uint32_t random_next(uint32_t *x)
{
	*x = *x * 1103515245 + 12345;
	return *x >> 8;
}

/* Kills it some time after so many batches of it were durable; -1: while it opens the store. */
static void run_and_kill(const char *directory, uint32_t rest, uint32_t number, uint32_t us, bool *answered, int batches)
{
	bool started = false;
	const struct timespec slice = { .tv_nsec = (long)us * 1000 };
	uint64_t what;
	int told[2];
	pid_t child;

	assert_int_equal(pipe(told), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(told[0]);
		remove_and_append(directory, rest, number, told[1]);
	}
	(void)close(told[1]);
	while (batches >= 0 && !(started && batches == 0) && read(told[0], &what, sizeof what) == (ssize_t)sizeof what) {
		started |= what == STARTED;
		batches -= started && what == DURABLE;
		if (what <= REMOVAL)
			answered[what] = true;
	}
	(void)nanosleep(&slice, NULL);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	while (read(told[0], &what, sizeof what) == (ssize_t)sizeof what)
		if (what <= REMOVAL)
			answered[what] = true;
	(void)close(told[0]);
}

/* Each message that is there is whole and there once, seen or not as `seen` then says. */
static uint32_t look(struct mailbox *box, bool *there, bool *seen)
{
	static struct mailbox_entry page[1000];
	uint32_t greatest = 0;
	uint64_t position = 0;
	size_t got;

	memset(there, 0, MAX * sizeof *there);
	for (; (got = mailbox_entries(box, position, page, COUNT(page))); position += got)
		for (size_t n = 0; n < got; n++) {
			struct fixture_text text = { 0 };
			unsigned long number;
			struct span want;

			must(mailbox_read(box, page[n].uid, fixture_collect, &text, &fixture_err));
			number = strtoul(text.at, NULL, 10);
			assert_true(number > 0 && number < MAX && !there[number]);
			there[number] = true;
			seen[number] = page[n].flags & MAILBOX_SEEN;
			want = message((uint32_t)number);
			assert_true(text.len == want.len && memcmp(text.at, want.at, want.len) == 0);
			free(text.at);
			greatest = number > greatest ? (uint32_t)number : greatest;
		}
	assert_int_equal(position, mailbox_count(box));
	return greatest;
}

static void nothing_is_left_over(struct store *s, struct mailbox *box)
{
	static const char *const prefixes[] = { "r", "q", "t" };
	struct maildrop *drop;

	for (size_t n = 0; n < COUNT(prefixes); n++) {
		struct view *v;
		struct span key = { 0 }, value;

		must(view_begin(store_engine(s), &v, &fixture_err));
		assert_false(view_next(v, box->part, span_of(prefixes[n]), &key, &value));
		view_end(&v);
	}
	must(maildrop_open(s, "anna/INBOX", &drop, &fixture_err));	/* compares head and index */
	assert_true(maildrop_count(drop) == mailbox_count(box) && maildrop_octets(drop) == mailbox_bytes(box));
	maildrop_close(&drop);
}

/* The removal of this rest happened, whole, or not at all. */
static bool happened(const bool *there, const bool *seen, uint32_t rest)
{
	size_t left = 0, were_seen = 0, all = 0;

	for (uint32_t n = rest ? rest : STEP; n <= FIRST; n += STEP, all++) {
		left += there[n];
		were_seen += n + 1 <= FIRST && seen[n + 1];
	}
	if ((left && left != all) || were_seen != (left ? 0 : all))
		fail_msg("rest %u: of %zu messages %zu are left, of the next ones %zu are seen", (unsigned)rest, all, left, were_seen);
	return !left;
}

static void fill(const char *directory)
{
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");

	for (uint32_t n = 1; n <= FIRST; n++) {
		struct incoming *in = incoming_new(box, &fixture_err);

		must(in);
		must(incoming_add(in, message(n), &fixture_err));
		incoming_finish(&in, NULL, n, 0, n);
	}
	assert_int_equal(fixture_drain(s), FIRST);
	store_close(&s);
}

static void a_removal_is_whole_or_not_at_all(void **state)
{
	const char *directory = fixture_directory();
	bool *answered = calloc(MAX + 1, sizeof *answered), *there = calloc(MAX, sizeof *there), *seen = calloc(MAX, sizeof *seen);
	uint32_t x = SEED, next = FIRST + 1, rest = 1, told = 0, done = 0;

	(void)state;
	assert_true(answered && there && seen);
	fill(directory);
	print_message("seed %d\n", SEED);
	for (int round = 0; round < ROUNDS; round++) {
		struct store *s;
		struct mailbox *box;

		answered[REMOVAL] = false;
		run_and_kill(directory, rest, next, random_next(&x) % 20000, answered, (int)(random_next(&x) % 12));
		/* And the one that goes on with it. */
		if (round % 3 == 0)
			run_and_kill(directory, NO_REST, next + 100000, random_next(&x) % 20000, answered, -1);
		s = fixture_store(directory);
		box = fixture_box(s, "anna/INBOX");
		next = look(box, there, seen) + 1;
		next = next < FIRST + 1 ? FIRST + 1 : next;
		nothing_is_left_over(s, box);
		for (uint32_t n = FIRST + 1; n < MAX; n++)
			if (answered[n] && !there[n])
				fail_msg("round %d: message %u was answered and is not there", round, (unsigned)n);
		if (happened(there, seen, rest)) {
			done++;
			rest += 2;
		} else {
			assert_false(answered[REMOVAL]);
		}
		for (uint32_t n = 1; n < rest; n += 2)
			assert_true(happened(there, seen, n));
		told += answered[REMOVAL];
		store_close(&s);
	}
	print_message("%u removals, of them %u answered\n", (unsigned)done, (unsigned)told);
	assert_true(done > 0);
	free(answered);
	free(there);
	free(seen);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_removal_is_whole_or_not_at_all) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
