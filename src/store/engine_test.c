/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine.h"

#include "store/fixture.h"

static void waiting_tells_how_it_went(void **state)
{
	const char *directory = fixture_directory();
	struct engine *g;
	struct batch *b = batch_new(1);

	(void)state;
	must(engine_open(directory, FIXTURE_MAP, &g, &fixture_err));
	assert_true(batch_absent(b, SPAN("k")) && batch_put(b, SPAN("k"), SPAN("v")));
	must(engine_commit_wait(g, &b, &fixture_err));
	assert_null(b);
	b = batch_new(1);
	assert_true(batch_absent(b, SPAN("k")) && batch_put(b, SPAN("k"), SPAN("v")));
	fixture_err.kind = ERR_NONE;
	assert_false(engine_commit_wait(g, &b, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	assert_null(b);
	engine_close(&g);
	engine_close(&g);	/* of nothing: good */
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_tells_how_it_went),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
