/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mdir_index.h"
#include "store/mdir_world.h"

/* Entries as a scan finds them: names of `len` octets. */
static void find(struct mdir_list *list, uint32_t from, uint32_t count, size_t len)
{
	for (uint32_t n = from; n < from + count; n++) {
		struct mdir_entry *entry = mdir_list_add(list);
		char name[NAME_MAX + 1];

		assert_non_null(entry);
		(void)snprintf(name, sizeof name, "%0*u", (int)len, n);
		assert_true(mdir_list_name(list, span_of(name), &entry->name));
		entry->uid = n;
		entry->octets = n * 10;
		entry->flags = n % 2 ? DROP_SEEN | MDIR_IN_CUR : DROP_NO_END;
		if (n % 7 == 0) {
			(void)snprintf(name, sizeof name, "id-%u", n);
			assert_true(mdir_list_name(list, span_of(name), &entry->text));
		}
	}
}

static void load(const struct mdir_world *w, struct mdir_list *list)
{
	struct view *v;

	mdir_list_start(list);
	must(view_begin(store_engine(w->store), &v, &fixture_err));
	assert_true(mdir_index_load(v, 1, list));
	view_end(&v);
}

static size_t keys(const struct mdir_world *w, struct span prefix)
{
	struct span key = { 0 }, value;
	struct view *v;
	size_t n = 0;

	must(view_begin(store_engine(w->store), &v, &fixture_err));
	while (view_next(v, 1, prefix, &key, &value))
		n++;
	view_end(&v);
	return n;
}

static bool save(const struct mdir_world *w, struct mdir_list *list, struct mdir_head *head)
{
	*head = (struct mdir_head){ .trusted = true, .folder = { { 1, 2, 3 }, { 4, 5, UINT64_MAX } } };
	return mdir_index_save(store_engine(w->store), 1, list, head, true, &fixture_err);
}

/* What is at rest is this list, no more and no less. */
static void check(const struct mdir_world *w, const struct mdir_list *want, const struct mdir_head *head)
{
	struct mdir_list got;

	load(w, &got);
	assert_int_equal(got.count, want->count);
	assert_memory_equal(&got.was, head, sizeof *head);
	assert_int_equal(got.page_count, head->pages);
	assert_int_equal(keys(w, SPAN("p")), head->pages);
	for (uint32_t n = 0; n < want->count; n++) {
		const struct mdir_entry *a = &got.entries[n], *b = &want->entries[n];

		assert_true(a->uid == b->uid && a->octets == b->octets && a->flags == b->flags && (a->text != 0) == (b->text != 0));
		assert_string_equal(mdir_list_text(&got, a->name), mdir_list_text(want, b->name));
		if (a->text)
			assert_string_equal(mdir_list_text(&got, a->text), mdir_list_text(want, b->text));
	}
	mdir_list_end(&got);
}

static void leave(struct mdir_list *list, uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n < to; n++)
		list->entries[n].leaves = true;
	mdir_list_leave(list);
}

/* Only pages that changed are written, and the order is kept, whatever leaves and comes. */
static void changes_are_kept_page_by_page(void **state)
{
	struct mdir_world w;
	struct mdir_head head;
	struct mdir_list list;
	uint64_t generation;

	(void)state;
	world_start(&w);
	mdir_list_start(&list);
	find(&list, 1, 300, 20);
	assert_true(save(&w, &list, &head));
	check(&w, &list, &head);
	assert_int_equal(head.pages, 5);
	assert_int_equal(head.texts, 300 / 7);
	generation = head.generation;
	for (uint32_t round = 0; round < 8; round++) {
		mdir_list_end(&list);
		load(&w, &list);
		leave(&list, round * 20, round * 20 + round * 9);
		find(&list, 1000 + round * 100, round * 11, 30);
		list.entries[5].flags ^= DROP_SEEN;
		list.pages[list.entries[5].page].dirty = true;
		assert_true(save(&w, &list, &head));
		check(&w, &list, &head);
		assert_true(head.generation == generation);
	}
	/* All but a few of each page leave: then pages are filled anew. */
	mdir_list_end(&list);
	load(&w, &list);
	find(&list, 5000, 2000, 30);
	assert_true(save(&w, &list, &head));
	mdir_list_end(&list);
	load(&w, &list);
	for (uint32_t n = 0; n < list.count; n++)
		list.entries[n].leaves = n % 40 != 0;
	mdir_list_leave(&list);
	assert_true(save(&w, &list, &head));
	check(&w, &list, &head);
	assert_true(head.generation != generation);
	assert_int_equal(head.pages, 1);
	/* And the last ones. */
	mdir_list_end(&list);
	load(&w, &list);
	leave(&list, 0, list.count);
	assert_true(save(&w, &list, &head));
	check(&w, &list, &head);
	mdir_list_end(&list);
	world_end(&w);
}

/* More than one batch holds. */
static void a_large_one_is_put_in_steps(void **state)
{
	struct mdir_world w;
	struct mdir_head head;
	struct mdir_list list;
	uint64_t generation;

	(void)state;
	world_start(&w);
	mdir_list_start(&list);
	find(&list, 1, 9000, 250);
	assert_true(save(&w, &list, &head));
	check(&w, &list, &head);
	generation = head.generation;
	mdir_list_end(&list);
	load(&w, &list);
	for (uint32_t n = 0; n < list.page_count; n++)
		list.pages[n].dirty = true;
	assert_true(save(&w, &list, &head));
	world_settle(&w);		/* the old pages go behind */
	assert_true(head.generation != generation);
	check(&w, &list, &head);
	must(mdir_index_forget(store_engine(w.store), 1, &fixture_err));
	assert_int_equal(keys(&w, SPAN("")), 0);
	mdir_list_end(&list);
	world_end(&w);
}

/* Two that read the same index: the second one is told, and what it put meanwhile does not stay for ever. */
static void who_comes_late_is_told(void **state)
{
	struct mdir_world w;
	struct mdir_list one, two;
	struct mdir_head head, late;

	(void)state;
	world_start(&w);
	for (uint32_t large = 0; large < 2; large++) {
		load(&w, &one);
		load(&w, &two);
		find(&one, 1, 10, 20);
		find(&two, 1, large ? 9000 : 10, 250);
		assert_true(save(&w, &one, &head));
		assert_false(save(&w, &two, &late));
		assert_int_equal(fixture_err.kind, ERR_BUSY);
		mdir_list_end(&one);
		mdir_list_end(&two);
		load(&w, &one);
		assert_int_equal(one.count, head.count);
		one.was.generation = 0;		/* anew */
		assert_true(save(&w, &one, &head));
		world_settle(&w);
		check(&w, &one, &head);
		mdir_list_end(&one);
	}
	world_end(&w);
}

/* The same without waiting: whoever was first has it. */
static void nobody_waits_for_a_cache(void **state)
{
	struct mdir_world w;
	struct mdir_list one;
	struct mdir_head head = { 0 };

	(void)state;
	world_start(&w);
	for (int n = 0; n < 2; n++) {
		mdir_list_start(&one);		/* as if there were none: the second time that is not so */
		find(&one, 1, 10 + (uint32_t)n, 20);
		must(mdir_index_save(store_engine(w.store), 1, &one, &head, false, &fixture_err));
		mdir_list_end(&one);
	}
	world_settle(&w);
	load(&w, &one);
	assert_int_equal(one.count, 10);
	mdir_list_end(&one);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_kept_page_by_page),
		cmocka_unit_test(a_large_one_is_put_in_steps),
		cmocka_unit_test(who_comes_late_is_told),
		cmocka_unit_test(nobody_waits_for_a_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
