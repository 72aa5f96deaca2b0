/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/commits.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/fixture.h"

enum { LOOPS = 2, TICKETS = 4711 };

static struct {
	const char *directory;
	struct store *store;
	struct mailbox *box;
	struct loop *home;
	struct loops *loops;
	struct wake *answers, *enough;
	struct commits *commits;
	uint64_t last;			/* ticket of the store's */
	atomic_uint wanted, answered, good, elsewhere;
	char why[sizeof ((struct err *)0)->text];
} w;

static void on_answers([[maybe_unused]] void *user)
{
	struct store_done done;

	while (store_next(w.store, &done)) {
		assert_true(done.ticket >= TICKETS);
		w.last = done.ticket;
		commits_answered(w.commits, &done);
	}
}

static void on_store([[maybe_unused]] void *user)
{
	wake_send(w.answers);
}

static void on_enough([[maybe_unused]] void *user)
{
	loop_stop(w.home);
}

static void too_late([[maybe_unused]] void *user)
{
	fail_msg("no answer came");
}

static void begin(size_t messages)
{
	memset(&w, 0, sizeof w);
	w.directory = fixture_directory();
	w.store = fixture_store(w.directory);
	w.box = fixture_box(w.store, "anna/INBOX");
	fixture_fill(w.store, w.box, messages);
	w.home = loop_new(&fixture_err);
	must(w.home);
	w.loops = loops_new(LOOPS, &fixture_err);
	must(w.loops);
	w.answers = wake_new(w.home, on_answers, NULL, &fixture_err);
	w.enough = wake_new(w.home, on_enough, NULL, &fixture_err);
	must(w.answers && w.enough);
	w.commits = commits_new(w.home, w.loops, w.store, TICKETS, &fixture_err);
	must(w.commits);
	store_on_wake(w.store, on_store, NULL);
}

static void end_loops(void)
{
	if (!w.loops)
		return;
	loops_stop(w.loops);
	loops_join(w.loops);
	loops_free(&w.loops);
}

static void end(void)
{
	end_loops();
	commits_free(&w.commits);
	assert_null(w.commits);
	store_on_wake(w.store, NULL, NULL);
	wake_free(&w.answers);
	wake_free(&w.enough);
	loop_free(&w.home);
	(void)fixture_drain(w.store);
	store_close(&w.store);
	fixture_remove(w.directory);
}

static void here(struct loop *l, unsigned index, void *user)
{
	*(pthread_t *)user = pthread_self();
	(void)l;
	(void)index;
}

static pthread_t threads[LOOPS];

static void answered(void *user, bool good, const struct err *why)
{
	unsigned index = (unsigned)(uintptr_t)user;

	w.elsewhere += !pthread_equal(threads[index], pthread_self());
	w.good += good;
	if (!good)
		memcpy(w.why, why->text, sizeof w.why);
	if (++w.answered == w.wanted)
		wake_send(w.enough);
}

/* One message leaves, or becomes \Seen. */
static struct commit *commit(unsigned index, const char *box, uint64_t gone, uint64_t seen)
{
	struct commit *m = calloc(1, sizeof *m);

	assert_non_null(m);
	(void)snprintf(m->box, sizeof m->box, "%s", box);
	m->index = index;
	m->answered = answered;
	m->user = (void *)(uintptr_t)index;
	if (gone) {
		m->gone = malloc(sizeof *m->gone);
		assert_non_null(m->gone);
		m->gone[m->gone_count++] = gone;
	}
	if (seen) {
		m->seen = malloc(sizeof *m->seen);
		assert_non_null(m->seen);
		m->seen[m->seen_count++] = seen;
	}
	return m;
}

static void await(unsigned count)
{
	struct timer *guard = timer_new(w.home, too_late, NULL);

	assert_non_null(guard);
	timer_set(guard, 60000, 0);
	w.wanted = count;
	if (w.answered < count)
		loop_run(w.home);
	timer_free(&guard);
	assert_int_equal(w.answered, count);
	assert_int_equal(commits_waiting(w.commits), 0);
}

static uint64_t uid(uint64_t position)
{
	return fixture_entry(w.box, position).uid;
}

static void what_was_asked_for_is_durable_when_it_is_answered([[maybe_unused]] void **state)
{
	begin(3);
	for (unsigned n = 0; n < LOOPS; n++)
		loops_call(w.loops, n, here, &threads[n]);
	commits_ask(w.commits, commit(0, "anna/INBOX", uid(0), uid(2)));
	assert_int_equal(commits_waiting(w.commits), 1);
	await(1);
	assert_int_equal(w.good, 1);
	assert_int_equal(w.last, TICKETS);
	assert_int_equal(w.elsewhere, 0);
	assert_int_equal(mailbox_count(w.box), 2);
	assert_true(fixture_entry(w.box, 1).flags & MAILBOX_SEEN);
	end();
}

static void a_box_that_is_gone_is_told([[maybe_unused]] void **state)
{
	begin(1);
	for (unsigned n = 0; n < LOOPS; n++)
		loops_call(w.loops, n, here, &threads[n]);
	commits_ask(w.commits, commit(1, "nobody/INBOX", 1, 0));
	commits_ask(w.commits, commit(1, "anna/INBOX", uid(0), 0));
	await(2);
	assert_int_equal(w.good, 1);
	assert_true(w.why[0]);
	assert_int_equal(mailbox_count(w.box), 0);
	end();
}

enum { EACH = 200 };

static uint64_t uids[LOOPS * EACH];

static void ask_many([[maybe_unused]] struct loop *l, unsigned index, [[maybe_unused]] void *user)
{
	threads[index] = pthread_self();
	for (unsigned n = 0; n < EACH; n++)
		commits_ask(w.commits, commit(index, "anna/INBOX", uids[index * EACH + n], 0));
}

static void each_loop_hears_its_own([[maybe_unused]] void **state)
{
	begin(LOOPS * EACH + 1);
	for (unsigned n = 0; n < LOOPS * EACH; n++)
		uids[n] = uid(n);
	w.wanted = LOOPS * EACH;
	for (unsigned n = 0; n < LOOPS; n++)
		assert_true(loops_post(w.loops, n, ask_many, NULL));
	await(LOOPS * EACH);
	assert_int_equal(w.good, LOOPS * EACH);
	assert_int_equal(w.elsewhere, 0);
	assert_int_equal(mailbox_count(w.box), 1);
	end();
}

/* Nobody is told, nothing is lost but memory's (which ASan would say). */
static void loops_that_have_ended_hear_nothing([[maybe_unused]] void **state)
{
	struct timer *soon;

	begin(2);
	loops_stop(w.loops);
	loops_join(w.loops);
	commits_ask(w.commits, commit(0, "anna/INBOX", uid(0), 0));
	commits_ask(w.commits, commit(0, "nobody/INBOX", 1, 0));
	soon = timer_new(w.home, on_enough, NULL);
	assert_non_null(soon);
	while (commits_waiting(w.commits)) {
		timer_set(soon, 1, 0);
		loop_run(w.home);
	}
	timer_free(&soon);
	assert_int_equal(w.answered, 0);
	assert_int_equal(mailbox_count(w.box), 1);
	end();
}

static void what_is_under_way_at_the_end_is_freed([[maybe_unused]] void **state)
{
	struct timer *soon;
	uint64_t second;

	begin(2);
	second = uid(1);		/* when the first has left, it is no longer there */
	commits_ask(w.commits, commit(0, "anna/INBOX", uid(0), 0));
	soon = timer_new(w.home, on_enough, NULL);
	assert_non_null(soon);
	store_on_wake(w.store, NULL, NULL);	/* its answer is never fetched */
	timer_set(soon, 1, 0);
	loop_run(w.home);
	timer_free(&soon);
	commits_ask(w.commits, commit(0, "anna/INBOX", second, second));
	assert_int_equal(commits_waiting(w.commits), 2);
	end();
	assert_int_equal(w.answered, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_asked_for_is_durable_when_it_is_answered),
		cmocka_unit_test(a_box_that_is_gone_is_told),
		cmocka_unit_test(each_loop_hears_its_own),
		cmocka_unit_test(loops_that_have_ended_hear_nothing),
		cmocka_unit_test(what_is_under_way_at_the_end_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
