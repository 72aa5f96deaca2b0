/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/worker.h"

#include "serve/fixture.h"
#include "serve/session.h"

static struct loop *loop;
static struct admission *admission;
static _Atomic uint64_t ids;
static struct timer *soon;

static struct worker *begin(void)
{
	const struct admission_limits limits = fixture_limits();
	struct worker *w;

	loop = loop_new(&fixture_err);
	assert_non_null(loop);
	admission = fixture_new(&limits);
	w = worker_new(loop, 3, &fixture_err);
	assert_non_null(w);
	assert_int_equal(w->index, 3);
	ids = 41;
	w->ids = &ids;
	w->admission = admission;
	return w;
}

static void end(struct worker *w)
{
	worker_free(&w);
	assert_null(w);
	loop_free(&loop);
	admission_free(&admission);
}

/* Without a connection: it counts, and can be told to go. */
static struct session *add(struct worker *w)
{
	struct session *s = calloc(1, sizeof *s + p3d_size());

	assert_non_null(s);
	s->worker = w;
	worker_add(w, s);
	return s;
}

static void ids_grow_and_the_list_is_in_their_order([[maybe_unused]] void **state)
{
	struct worker *w = begin();
	struct session *s[4];
	uint64_t before = 0;

	for (size_t n = 0; n < COUNT(s); n++)
		s[n] = add(w);
	assert_int_equal(s[0]->id, 42);
	session_free(s[1]);
	(void)add(w);
	for (const struct session *at = w->all; at; at = at->after) {
		assert_true(at->id > before);
		before = at->id;
	}
	assert_int_equal(before, 46);
	assert_int_equal(w->counts[COUNT_OPEN], 4);
	assert_int_equal(ids, 46);
	end(w);
}

static void sessions_leave_in_any_order([[maybe_unused]] void **state)
{
	static const unsigned orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct worker *w = begin();

	for (size_t n = 0; n < COUNT(orders); n++)
		for (unsigned known = 0; known < 8; known++) {
			struct session *s[3];

			for (size_t i = 0; i < 3; i++)
				s[i] = add(w);
			for (size_t i = 0; i < 3; i++)
				if (known & 1U << i)
					worker_known(w, s[i]);
			for (size_t i = 0; i < 3; i++) {
				const struct session *gone = s[orders[n][i]];

				session_free(s[orders[n][i]]);
				for (const struct session *at = w->all; at; at = at->after)
					assert_ptr_not_equal(at, gone);
				for (const struct session *at = w->oldest; at; at = at->newer)
					assert_ptr_not_equal(at, gone);
			}
			assert_true(!w->all && !w->last && !w->oldest && !w->newest && !w->sweep);
			assert_int_equal(w->counts[COUNT_OPEN], 0);
		}
	end(w);
}

static void the_oldest_that_is_not_known_goes_first([[maybe_unused]] void **state)
{
	struct worker *w = begin();
	struct session *s[4];

	assert_false(worker_evict(w));
	for (size_t n = 0; n < COUNT(s); n++)
		s[n] = add(w);
	worker_known(w, s[0]);
	worker_known(w, s[2]);
	worker_known(w, s[2]);		/* twice is once */
	assert_true(worker_evict(w));
	assert_true(s[1]->closing && !s[0]->closing && !s[3]->closing);
	assert_true(worker_evict(w));
	assert_true(s[3]->closing && !s[2]->closing);
	assert_false(worker_evict(w));
	end(w);
}

static void the_holder_that_leaves_holds_nothing([[maybe_unused]] void **state)
{
	struct worker *w = begin();
	struct session *one = add(w), *two = add(w);

	w->holder = one;
	session_free(two);
	assert_ptr_equal(w->holder, one);
	session_free(one);
	assert_null(w->holder);
	end(w);
}

static void on_soon(void *user)
{
	session_free(user);
}

/* Its rounds keep the loop while there are sessions, and no longer. */
static void no_session_no_rounds([[maybe_unused]] void **state)
{
	struct worker *w = begin();

	loop_run(loop);
	soon = timer_new(loop, on_soon, add(w));
	assert_non_null(soon);
	assert_non_null(w->sweep);
	timer_set(soon, 1, 0);
	loop_run(loop);
	assert_null(w->sweep);
	timer_free(&soon);
	end(w);
}

/* A session that rests may have a turn before its time, and rest again: once it stands in the row, not twice. */
static void who_rests_twice_rests_once([[maybe_unused]] void **state)
{
	struct worker *w = begin();
	struct session *s[3];
	size_t count = 0;

	for (size_t n = 0; n < COUNT(s); n++)
		s[n] = add(w);
	for (size_t n = 0; n < 2 * COUNT(s); n++)
		assert_true(worker_rest(w, s[n % COUNT(s)]));
	assert_true(worker_rest(w, s[0]));
	for (const struct session *at = w->resting; at && count < 10; at = at->next_resting)
		count++;
	assert_int_equal(count, COUNT(s));
	session_free(s[1]);
	assert_true(w->resting == s[2] && s[2]->next_resting == s[0] && !s[0]->next_resting);
	session_free(s[2]);
	session_free(s[0]);
	assert_null(w->resting);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_grow_and_the_list_is_in_their_order),
		cmocka_unit_test(sessions_leave_in_any_order),
		cmocka_unit_test(the_oldest_that_is_not_known_goes_first),
		cmocka_unit_test(the_holder_that_leaves_holds_nothing),
		cmocka_unit_test(no_session_no_rounds), cmocka_unit_test(who_rests_twice_rests_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
