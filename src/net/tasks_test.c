/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "net/tasks.h"

enum { MANY = 50 };

struct world {
	struct loop *loop;
	struct tasks *tasks;
	atomic_uint ran;
	unsigned done;
};

static void work(void *user)
{
	struct world *w = user;

	(void)nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	w->ran++;
}

static void done(void *user)
{
	struct world *w = user;

	w->done++;
}

static struct world *begin(void)
{
	struct world *w = calloc(1, sizeof *w);
	struct err e;

	assert_non_null(w);
	w->loop = loop_new(&e);
	assert_non_null(w->loop);
	w->tasks = tasks_new(w->loop, &e);
	assert_non_null(w->tasks);
	for (unsigned n = 0; n < MANY; n++)
		assert_true(task_start(w->tasks, work, done, w, &e));
	return w;
}

static void each_is_done_once([[maybe_unused]] void **state)
{
	struct world *w = begin();

	assert_int_equal(tasks_waiting(w->tasks), MANY);
	loop_run(w->loop);
	assert_int_equal(w->ran, MANY);
	assert_int_equal(w->done, MANY);
	assert_int_equal(tasks_waiting(w->tasks), 0);
	tasks_free(&w->tasks);
	loop_free(&w->loop);
	free(w);
}

/* All of them run before the owner ends, none tells it anything then: the sanitizer would see. */
static void an_owner_may_end_first([[maybe_unused]] void **state)
{
	struct world *w = begin();
	struct loop *l = w->loop;

	tasks_free(&w->tasks);
	assert_null(w->tasks);
	assert_int_equal(w->ran, MANY);
	free(w);
	loop_run(l);
	loop_free(&l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_done_once),
		cmocka_unit_test(an_owner_may_end_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
