/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lmdb.h"

#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>

#include "store/fixture.h"

struct told {
	sem_t *sem;
	size_t order, *answered;
	bool good;
	struct err why;
};

static void tell(void *user, const struct err *why)
{
	struct told *t = user;

	t->order = (*t->answered)++;
	t->good = !why;
	if (why)
		t->why = *why;
	(void)sem_post(t->sem);
}

static struct engine *opened(const char *directory, uint64_t map)
{
	struct engine *g;

	must(engine_open(directory, map, &g, &fixture_err));
	return g;
}

static bool has(struct engine *g, struct span key, struct span want)
{
	struct span value;
	struct view *v;
	bool same;

	must(view_begin(g, &v, &fixture_err));
	same = view_get(v, 1, key, &value) && span_equal(value, want);
	view_end(&v);
	return same;
}

/* Of several batches at once each is judged alone, in the order they came. */
static void a_failed_precondition_disturbs_nobody(void **state)
{
	static const struct row {
		enum op_kind kind;
		struct span key, value;
		bool good;
	} rows[] = {
		{ OP_ABSENT,  SPAN("new"),   SPAN(""),  true },
		{ OP_ABSENT,  SPAN("there"), SPAN(""),  false },
		{ OP_PRESENT, SPAN("there"), SPAN(""),  true },
		{ OP_PRESENT, SPAN("new"),   SPAN(""),  false },
		{ OP_EQUALS,  SPAN("there"), SPAN("1"), true },
		{ OP_EQUALS,  SPAN("there"), SPAN("2"), false },
		{ OP_EQUALS,  SPAN("there"), SPAN("11"), false },
		{ OP_EQUALS,  SPAN("new"),   SPAN("1"), false },
	};
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, FIXTURE_MAP);
	struct told told[COUNT(rows)] = { 0 };
	size_t answered = 0;
	sem_t sem;
	struct batch *b = batch_new(1);

	(void)state;
	(void)sem_init(&sem, 0, 0);
	assert_true(batch_put(b, SPAN("there"), SPAN("1")));
	must(engine_commit_wait(g, &b, &fixture_err));
	for (size_t i = 0; i < COUNT(rows); i++) {
		char did[2] = { 'A' + (char)i, 0 };

		b = batch_new(1);
		assert_true(batch_put(b, span_of(did), SPAN("done")));
		if (rows[i].kind == OP_EQUALS)
			assert_true(batch_equals(b, rows[i].key, rows[i].value));
		else
			assert_true(rows[i].kind == OP_ABSENT ? batch_absent(b, rows[i].key) : batch_present(b, rows[i].key));
		told[i] = (struct told){ .sem = &sem, .answered = &answered };
		engine_commit(g, &b, (struct engine_done){ tell, &told[i] });
	}
	for (size_t i = 0; i < COUNT(rows); i++)
		(void)sem_wait(&sem);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char did[2] = { 'A' + (char)i, 0 };

		assert_int_equal(told[i].order, i);
		assert_int_equal(told[i].good, rows[i].good);
		assert_int_equal(has(g, span_of(did), SPAN("done")), rows[i].good);
		if (!rows[i].good)
			assert_int_equal(told[i].why.kind, ERR_BUSY);
	}
	engine_close(&g);
	(void)sem_destroy(&sem);
	fixture_remove(directory);
}

/* More than a group holds: all are answered, in order, and all is there. */
static void large_batches_are_never_starved(void **state)
{
	enum { BATCHES = 24, PIECES = 3 };
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, FIXTURE_MAP);
	struct told told[BATCHES] = { 0 };
	size_t answered = 0;
	char *octets = fixture_octets(ENGINE_PIECE_MAX);
	sem_t sem;
	struct view *v;
	struct span got;

	(void)state;
	(void)sem_init(&sem, 0, 0);
	for (size_t i = 0; i < BATCHES; i++) {
		struct batch *b = batch_new(1);

		for (uint32_t n = 0; n < PIECES; n++)
			assert_true(batch_blob(b, i, n, (struct span){ octets, ENGINE_PIECE_MAX }));
		told[i] = (struct told){ .sem = &sem, .answered = &answered };
		engine_commit(g, &b, (struct engine_done){ tell, &told[i] });
	}
	for (size_t i = 0; i < BATCHES; i++)
		(void)sem_wait(&sem);
	must(view_begin(g, &v, &fixture_err));
	for (size_t i = 0; i < BATCHES; i++) {
		assert_true(told[i].good && told[i].order == i);
		assert_true(view_blob(v, 1, i, PIECES - 1, &got) && span_equal(got, (struct span){ octets, ENGINE_PIECE_MAX }));
	}
	view_end(&v);
	engine_close(&g);
	free(octets);
	(void)sem_destroy(&sem);
	fixture_remove(directory);
}

static void pieces_go_in_slices(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, FIXTURE_MAP);
	struct batch *b = batch_new(1);
	struct view *v;
	struct span got;

	(void)state;
	for (uint32_t n = 0; n < 6; n++)
		assert_true(batch_blob(b, 2, n, SPAN("octets")));
	must(engine_commit_wait(g, &b, &fixture_err));
	b = batch_new(1);
	assert_true(batch_blob_remove(b, 2, 1, 3));
	assert_true(batch_blob_remove(b, 2, 5, 9));	/* not all are there */
	assert_true(batch_remove(b, SPAN("never was")));
	must(engine_commit_wait(g, &b, &fixture_err));
	must(view_begin(g, &v, &fixture_err));
	for (uint32_t n = 0; n < 6; n++)
		assert_int_equal(view_blob(v, 1, 2, n, &got), n == 0 || n == 4);
	view_end(&v);
	engine_close(&g);
	fixture_remove(directory);
}

/* No room: the batch that met it is refused; what was there stays, and the
 * engine takes what fits. */
static void a_full_store_refuses_and_goes_on(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, 512 * 1024);
	char *octets = fixture_octets(ENGINE_PIECE_MAX);
	struct batch *b = batch_new(1);
	uint64_t stored = 0;
	struct view *v;
	struct span got;

	(void)state;
	assert_true(batch_put(b, SPAN("before"), SPAN("1")));
	must(engine_commit_wait(g, &b, &fixture_err));
	for (;; stored++) {
		b = batch_new(1);
		assert_true(batch_blob(b, stored, 0, (struct span){ octets, 64 * 1024 }));
		if (!engine_commit_wait(g, &b, &fixture_err))
			break;
		assert_in_range(stored, 0, 8);
	}
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_non_null(strstr(fixture_err.text, "store_map"));
	b = batch_new(1);
	assert_true(batch_put(b, SPAN("after"), SPAN("2")));
	must(engine_commit_wait(g, &b, &fixture_err));
	assert_true(has(g, SPAN("before"), SPAN("1")) && has(g, SPAN("after"), SPAN("2")));
	must(view_begin(g, &v, &fixture_err));
	assert_true(stored > 0);
	for (uint64_t n = 0; n <= stored; n++)
		assert_int_equal(view_blob(v, 1, n, 0, &got), n < stored);
	view_end(&v);
	engine_close(&g);
	free(octets);
	fixture_remove(directory);
}

/* As when the disk becomes full: writes that are short, then none at all. */
static void a_disk_without_room_refuses_and_goes_on(void **state)
{
	static const rlim_t limits[] = { 300000, 300001, 304096, 333333 };
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, FIXTURE_MAP);
	char *octets = fixture_octets(ENGINE_PIECE_MAX);
	struct rlimit before, small;
	uint64_t stored = 0;

	(void)state;
	assert_int_equal(sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct batch *b;
		uint64_t n = 0;

		small = (struct rlimit){ limits[i] * (i + 1), before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		for (;; n++) {
			b = batch_new(1);
			assert_true(batch_blob(b, stored + n, 0, (struct span){ octets, 60000 }));
			if (!engine_commit_wait(g, &b, &fixture_err))
				break;
			assert_in_range(n, 0, 40);
		}
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_int_equal(fixture_err.kind, ERR_LOCAL);
		assert_non_null(strstr(fixture_err.text, "no space left"));
		stored += n;
		b = batch_new(1);
		assert_true(batch_blob(b, stored, 0, (struct span){ octets, 60000 }));
		must(engine_commit_wait(g, &b, &fixture_err));
		stored++;
	}
	engine_close(&g);
	g = opened(directory, FIXTURE_MAP);
	for (uint64_t n = 0; n <= stored; n++) {
		struct view *v;
		struct span got;

		must(view_begin(g, &v, &fixture_err));
		assert_int_equal(view_blob(v, 1, n, 0, &got) && span_equal(got, (struct span){ octets, 60000 }), n < stored);
		view_end(&v);
	}
	engine_close(&g);
	free(octets);
	fixture_remove(directory);
}

static void closing_waits_for_what_was_committed(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, FIXTURE_MAP);
	struct told told[50] = { 0 };
	size_t answered = 0;
	sem_t sem;

	(void)state;
	(void)sem_init(&sem, 0, 0);
	for (size_t i = 0; i < COUNT(told); i++) {
		struct batch *b = batch_new(1);

		assert_true(batch_put(b, (struct span){ (const char *)&i, sizeof i }, SPAN("v")));
		told[i] = (struct told){ .sem = &sem, .answered = &answered };
		engine_commit(g, &b, (struct engine_done){ tell, &told[i] });
	}
	engine_close(&g);
	assert_int_equal(answered, COUNT(told));
	(void)sem_destroy(&sem);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_precondition_disturbs_nobody),
		cmocka_unit_test(large_batches_are_never_starved),
		cmocka_unit_test(pieces_go_in_slices),
		cmocka_unit_test(a_full_store_refuses_and_goes_on),
		cmocka_unit_test(a_disk_without_room_refuses_and_goes_on),
		cmocka_unit_test(closing_waits_for_what_was_committed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
