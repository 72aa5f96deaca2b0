/* SPDX-License-Identifier: Apache-2.0 */
#include "store/box.h"
#include "store/fixture.h"

static void an_entry_is_packed_and_unpacked(void **state)
{
	struct box_entry e = { .uid = 1ull << 63 | 5, .blob = 1ull << 62 | 6, .stored = 1ull << 40, .arrived = -7, .dots = 1u << 31,
		.flags = BOX_NO_END | MAILBOX_SEEN }, again;
	char at[BOX_ENTRY];

	(void)state;
	box_entry_pack(at, &e);
	again = box_entry_unpack(at);
	assert_true(again.uid == e.uid && again.blob == e.blob && again.stored == e.stored && again.arrived == e.arrived &&
		again.dots == e.dots && again.flags == e.flags);
	assert_int_equal(box_entry_size(&e), e.stored + 2);
	e.flags = 0;
	assert_int_equal(box_entry_size(&e), e.stored);
}

/* Never fewer than there can be: a full row of pieces, and a last one that may be cut in two. */
static void pieces_are_counted_upwards(void **state)
{
	static const struct row { uint64_t stored; uint32_t pieces; } rows[] = {
		{ 0, 0 }, { 1, 2 }, { MAILBOX_PIECE - 1, 2 }, { MAILBOX_PIECE, 1 }, { MAILBOX_PIECE + 1, 3 }, { (uint64_t)MAILBOX_PIECE << 40, UINT32_MAX },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		assert_int_equal(box_entry_pieces(&(struct box_entry){ .stored = r->stored }), r->pieces);
}

static void a_walk_begins_at_any_page(void **state)
{
	static const uint64_t pages[] = { 0, 1, 255, 256, 1ull << 40, UINT64_MAX / BOX_PAGE };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct batch *b = batch_new(9);
	struct box_walk w;
	struct span page;
	struct view *v;
	uint64_t number;
	char key[9];

	(void)state;
	for (size_t n = 0; n < COUNT(pages); n++)
		assert_true(batch_put(b, box_page_key(key, pages[n]), (struct span){ (const char *)&pages[n], 8 }));
	assert_true(batch_put(b, SPAN("h"), SPAN("before")) && batch_put(b, SPAN("j"), SPAN("behind")));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
	must(view_begin(store_engine(s), &v, &fixture_err));
	for (size_t from = 0; from < COUNT(pages); from++)
		for (uint64_t behind = 0; behind < 2 && pages[from] + behind <= UINT64_MAX / BOX_PAGE; behind++) {
			size_t n = from + behind;

			box_walk_start(&w, v, 9, pages[from] + behind);
			for (; n < COUNT(pages); n++) {
				assert_true(box_walk_next(&w, &number, &page));
				assert_true(number == pages[n] && page.len == 8 && memcmp(page.at, &pages[n], 8) == 0);
			}
			assert_false(box_walk_next(&w, &number, &page));
		}
	view_end(&v);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_packed_and_unpacked),
		cmocka_unit_test(pieces_are_counted_upwards),
		cmocka_unit_test(a_walk_begins_at_any_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
