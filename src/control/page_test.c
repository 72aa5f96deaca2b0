/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

#include "control/operation.h"

static void tokens_bring_back_any_octets(void **state)
{
	char all[256], back[256];
	json_t *token;

	(void)state;
	for (size_t n = 0; n < 255; n++)
		all[n] = (char)(n + 1);
	all[255] = '\0';
	token = token_of((struct span){ all, 255 });
	for (const char *p = json_string_value(token); *p; p++)
		assert_true(*p > ' ' && *p < 127);
	assert_true(token_read(json_string_value(token), back, sizeof back));
	assert_string_equal(back, all);
	assert_false(token_read(json_string_value(token), back, sizeof back - 1));
	json_decref(token);
}

static void tokens_that_are_none(void **state)
{
	static const char *const rows[] = { "%", "%4", "%4g", "%g4", "%00", "a%00b", "%ff", "a%" };
	char back[64];

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++)
		assert_false(token_read(rows[n], back, sizeof back));
}

/* What a page must not hold: it ends where it gets long, and a row that cannot be said is an error, not a gap. */
static void pages_have_an_end(void **state)
{
	struct world *w = world(NULL);
	struct api_call *c = world_ask(w, "account.list", NULL, 0);
	char *large = fixture_octets(API_PAGE_OCTETS / 2), cursor[100];
	struct page p;
	size_t n = 0;

	(void)state;
	must(page_start(&p, c, cursor, sizeof cursor, &fixture_err));
	for (; page_room(&p); n++)
		page_add(&p, json_pack("{s:s}", "a", large));
	assert_int_equal(n, 2);
	json_decref(p.rows);
	must(page_start(&p, c, cursor, sizeof cursor, &fixture_err));
	for (n = 0; page_room(&p); n++)
		page_add(&p, json_object());
	assert_int_equal(n, API_ROWS_MAX);
	json_decref(p.rows);
	must(page_start(&p, c, cursor, sizeof cursor, &fixture_err));
	page_add(&p, json_object());
	page_add(&p, NULL);
	page_add(&p, json_object());
	assert_false(page_end(&p, "x", &fixture_err));
	api_end(&c);
	free(large);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_bring_back_any_octets), cmocka_unit_test(tokens_that_are_none), cmocka_unit_test(pages_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
