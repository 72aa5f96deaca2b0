/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lmdb.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "store/fixture.h"

static struct engine *opened(const char *directory, uint64_t map)
{
	struct engine *g;

	must(engine_open(directory, map, &g, &fixture_err));
	return g;
}

static void put(struct engine *g, engine_part part, struct span key, struct span value)
{
	struct batch *b = batch_new(part);

	assert_true(batch_put(b, key, value));
	must(engine_commit_wait(g, &b, &fixture_err));
	assert_null(b);
}

static struct view *view(struct engine *g)
{
	struct view *v;

	must(view_begin(g, &v, &fixture_err));
	return v;
}

static void what_was_committed_is_there_after_opening_again(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, FIXTURE_MAP);
	struct batch *b = batch_new(1);
	struct span value;
	struct view *v;

	(void)state;
	put(g, 1, SPAN("k"), SPAN("one"));
	put(g, 2, SPAN("k"), SPAN("two"));
	assert_true(batch_blob(b, 9, 3, SPAN("piece")));
	must(engine_commit_wait(g, &b, &fixture_err));
	engine_close(&g);
	assert_null(g);
	g = opened(directory, FIXTURE_MAP);
	v = view(g);
	assert_true(view_get(v, 1, SPAN("k"), &value) && span_equal(value, SPAN("one")));
	assert_true(view_get(v, 2, SPAN("k"), &value) && span_equal(value, SPAN("two")));
	assert_false(view_get(v, 3, SPAN("k"), &value));
	assert_false(view_get(v, 1, SPAN("kk"), &value));
	assert_true(view_blob(v, 1, 9, 3, &value) && span_equal(value, SPAN("piece")));
	assert_false(view_blob(v, 1, 9, 2, &value));
	assert_false(view_blob(v, 2, 9, 3, &value));
	view_end(&v);
	assert_null(v);
	engine_close(&g);
	fixture_remove(directory);
}

/* All keys below a prefix behind `from`, each with a blank in front. */
static const char *walk(struct engine *g, engine_part part, struct span prefix, struct span from)
{
	static char told[256];
	struct span value;
	struct view *v = view(g);

	told[0] = '\0';
	while (view_next(v, part, prefix, &from, &value)) {
		size_t n = strlen(told);

		assert_int_equal(value.len, 1);
		(void)snprintf(told + n, sizeof told - n, " %.*s", (int)from.len, from.at);
	}
	view_end(&v);
	return told;
}

static void a_walk_keeps_to_prefix_and_partition(void **state)
{
	static const char *const keys[] = { "a", "aa", "ab", "b", "ba", "c" };
	static const struct row { struct span prefix, from; const char *want; } rows[] = {
		{ SPAN(""),  SPAN(""),   " a aa ab b ba c" },
		{ SPAN("a"), SPAN(""),   " a aa ab" },
		{ SPAN("a"), SPAN("a"),  " aa ab" },
		{ SPAN("a"), SPAN("aaa"), " ab" },
		{ SPAN("a"), SPAN("ab"), "" },
		{ SPAN("b"), SPAN("b"),  " ba" },
		{ SPAN("c"), SPAN(""),   " c" },
		{ SPAN("d"), SPAN(""),   "" },
	};
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, FIXTURE_MAP);

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++)
		put(g, 5, span_of(keys[i]), SPAN("v"));
	put(g, 4, SPAN("x"), SPAN("v"));
	put(g, 6, SPAN("a"), SPAN("v"));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		assert_string_equal(walk(g, 5, r->prefix, r->from), r->want);
	engine_close(&g);
	fixture_remove(directory);
}

static void a_view_shows_one_moment(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, FIXTURE_MAP);
	struct view *old, *new;
	struct span value;

	(void)state;
	put(g, 1, SPAN("k"), SPAN("before"));
	old = view(g);
	put(g, 1, SPAN("k"), SPAN("after"));
	new = view(g);
	assert_true(view_get(old, 1, SPAN("k"), &value) && span_equal(value, SPAN("before")));
	assert_true(view_get(new, 1, SPAN("k"), &value) && span_equal(value, SPAN("after")));
	view_end(&old);
	view_end(&new);
	old = view(g);		/* one of the two, used again */
	assert_true(view_get(old, 1, SPAN("k"), &value) && span_equal(value, SPAN("after")));
	view_end(&old);
	engine_close(&g);
	fixture_remove(directory);
}

static void another_format_is_refused(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g = opened(directory, FIXTURE_MAP);
	MDB_val key = { 14, (void *)(uintptr_t)"\0\0\0\0\0\0\0\0format" }, value = { 1, (void *)(uintptr_t)"2" };
	MDB_txn *txn;

	(void)state;
	assert_int_equal(mdb_txn_begin(g->env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_put(txn, g->keys, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	engine_close(&g);
	assert_false(engine_open(directory, FIXTURE_MAP, &g, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "another version"));
	fixture_remove(directory);
}

static void a_place_that_cannot_be_is_said_so(void **state)
{
	struct engine *g;

	(void)state;
	assert_false(engine_open("/dev/null/store", FIXTURE_MAP, &g, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_non_null(strstr(fixture_err.text, "/dev/null"));
}

static void errors_have_their_kinds(void **state)
{
	static const struct row { int code; enum err_kind kind; const char *says; } rows[] = {
		{ EIO, ERR_LOCAL, "no space left" },	/* a short write */
		{ ENOSPC, ERR_LOCAL, "no space left" },
		{ EDQUOT, ERR_LOCAL, "no space left" },
		{ MDB_MAP_FULL, ERR_LOCAL, "raise store_map" },
		{ EACCES, ERR_CONFIG, "Permission denied" },
		{ MDB_INVALID, ERR_CONFIG, "MDB_INVALID" },
		{ MDB_CORRUPTED, ERR_LOCAL, "MDB_CORRUPTED" },
	};
	struct engine g = { .map_size = 4096 };

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		errno = 0;
		assert_false(lmdb_failed(&g, &fixture_err, "cannot write", r->code));
		assert_int_equal(fixture_err.kind, r->kind);
		assert_non_null(strstr(fixture_err.text, r->says));
	}
}

/* What is durable is then unknown: no answer may be given any more. */
static void a_broken_disk_ends_the_process(void **state)
{
	static const int codes[] = { EIO, MDB_PANIC };
	struct engine g = { .map_size = 4096 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(codes); i++) {
		int status;
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			(void)sigaction(SIGABRT, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
			errno = codes[i];
			(void)lmdb_failed(&g, &e, "cannot commit", codes[i]);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_committed_is_there_after_opening_again),
		cmocka_unit_test(a_walk_keeps_to_prefix_and_partition),
		cmocka_unit_test(a_view_shows_one_moment),
		cmocka_unit_test(another_format_is_refused),
		cmocka_unit_test(a_place_that_cannot_be_is_said_so),
		cmocka_unit_test(errors_have_their_kinds),
		cmocka_unit_test(a_broken_disk_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
