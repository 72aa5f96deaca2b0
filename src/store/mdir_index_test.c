/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mdir_index.h"
#include "store/mdir_world.h"

enum { MESSAGES = 130, KEYS_MAX = 16 };

struct at_rest { char key[16], value[16384]; size_t key_len, value_len; };

static engine_part part_of(const struct mdir_world *w)
{
	return engine_part_of("maildir", span_of(w->path));
}

static size_t all_keys(const struct mdir_world *w, struct at_rest *all)
{
	struct span key = { 0 }, value;
	struct view *v;
	size_t n = 0;

	must(view_begin(store_engine(w->store), &v, &fixture_err));
	for (; view_next(v, part_of(w), SPAN(""), &key, &value) && n < KEYS_MAX; n++) {
		all[n].key_len = key.len;
		all[n].value_len = value.len;
		assert_true(key.len <= sizeof all[n].key && value.len <= sizeof all[n].value);
		memcpy(all[n].key, key.at, key.len);
		memcpy(all[n].value, value.at, value.len);
	}
	view_end(&v);
	return n;
}

/* One value put, len 0: removed. */
static void set(const struct mdir_world *w, const struct at_rest *r, size_t len)
{
	struct batch *b = batch_new(part_of(w));
	struct span key = { r->key, r->key_len };

	assert_non_null(b);
	assert_true(len ? batch_put(b, key, (struct span){ r->value, len }) : batch_remove(b, key));
	must(engine_commit_wait(store_engine(w->store), &b, &fixture_err));
}

static void fill(const struct mdir_world *w)
{
	for (unsigned n = 0; n < MESSAGES; n++) {
		char name[64], text[32];

		(void)snprintf(name, sizeof name, "cur/%03u.M1.host:2,S", n);
		(void)snprintf(text, sizeof text, "%u\n", n);
		world_put(w, name, span_of(text));
	}
}

/* What is at rest is input.  Whatever octet of it is another one, whatever is cut or missing: what a session is
 * shown is a name in the folders and not a path, and it never reads beyond. */
static void damage_is_made_good_or_harmless(void **state)
{
	static struct at_rest rest[KEYS_MAX];
	struct mdir_world w;
	size_t count;

	(void)state;
	world_start(&w);
	fill(&w);
	(void)world_tell(&w);
	world_settle(&w);
	count = all_keys(&w, rest);
	assert_int_equal(count, 4);		/* the head and three pages */
	for (size_t n = 0; n < count; n++) {
		struct at_rest damaged;

		for (size_t at = 0; at < rest[n].value_len; at += rest[n].value_len > 200 ? 37 : 1) {
			struct maildrop *drop = NULL;
			struct mdir_file file;

			damaged = rest[n];
			damaged.value[at] = (char)(damaged.value[at] ^ (at % 3 ? 0xff : 0x2f));
			set(&w, &damaged, damaged.value_len);
			drop = world_open(&w);
			for (uint32_t i = 1; i <= maildrop_count(drop); i++)
				if (mdir_locate(drop, i, false, &file))
					assert_true(*file.name && *file.name != '.' && !strchr(file.name, '/'));
			maildrop_close(&drop);
			set(&w, &rest[n], rest[n].value_len);
			must(maildrop_forget_maildir(w.store, w.path, &fixture_err));
			for (size_t i = 0; i < count; i++)
				set(&w, &rest[i], rest[i].value_len);
		}
		for (size_t len = 0; len < rest[n].value_len; len = len * 2 + 1) {	/* cut: always noticed */
			struct maildrop *drop;

			set(&w, &rest[n], len);
			drop = world_open(&w);
			assert_int_equal(maildrop_count(drop), MESSAGES);
			maildrop_close(&drop);
			world_settle(&w);
			must(maildrop_forget_maildir(w.store, w.path, &fixture_err));
			for (size_t i = 0; i < count; i++)
				set(&w, &rest[i], rest[i].value_len);
		}
	}
	assert_true(world_known(&w));
	world_end(&w);
}

/* The texts of a page's entries become one that is far too long, and the head agrees. */
static void give_long_texts(struct at_rest *head, struct at_rest *page, size_t len)
{
	struct mdir_head h;
	struct span names;
	uint32_t count;

	assert_true(mdir_page_good((struct span){ page->value, page->value_len }, &count, &names));
	for (uint32_t n = 0; n < count; n++) {
		page->value[1 + n * MDIR_PAGE_ENTRY + 18] = (char)(names.len >> 8);
		page->value[1 + n * MDIR_PAGE_ENTRY + 19] = (char)(names.len & 0xff);
	}
	assert_true(page->value_len + len + 1 <= sizeof page->value);
	memset(page->value + page->value_len, 'x', len);
	page->value_len += len;
	page->value[page->value_len++] = '\0';
	assert_true(mdir_head_unpack((struct span){ head->value, head->value_len }, &h));
	h.texts = count;
	h.names += len + 1;
	mdir_head_pack(head->value, &h);
}

/* Texts are as long as a unique-id may be, whatever is at rest: a page is made of them again. */
static void a_text_is_no_longer_than_an_id(void **state)
{
	static struct at_rest rest[KEYS_MAX];
	struct mdir_world w;
	struct maildrop *drop;

	(void)state;
	world_start(&w);
	fill(&w);
	(void)world_tell(&w);
	world_settle(&w);
	assert_int_equal(all_keys(&w, rest), 4);
	assert_true(rest[0].key[0] == 'h' && rest[1].key[0] == 'p');
	give_long_texts(&rest[0], &rest[1], 8000);
	set(&w, &rest[0], rest[0].value_len);
	set(&w, &rest[1], rest[1].value_len);
	drop = world_open(&w);
	assert_int_equal(maildrop_count(drop), MESSAGES);
	for (uint32_t n = 0; maildrop_uids(drop) && n < MESSAGES; n++)
		assert_true(!maildrop_uids(drop)[n] || strlen(maildrop_uids(drop)[n]) <= MDIR_TEXT_MAX);
	maildrop_close(&drop);
	set(&w, &rest[0], rest[0].value_len);
	set(&w, &rest[1], rest[1].value_len);
	world_put(&w, "cur/new.M1.host:2,S", SPAN("another\n"));
	world_move(&w, "cur/001.M1.host:2,S", NULL);
	drop = world_open(&w);		/* which writes the page anew */
	assert_int_equal(maildrop_count(drop), MESSAGES);
	maildrop_close(&drop);
	world_end(&w);
}

/* A name out of a damaged index that would lead elsewhere. */
static void a_path_is_no_name(void **state)
{
	static const char *const bad[] = { "../../etc/passwd", ".hidden", "", "a/b" };
	struct mdir_world w;

	(void)state;
	world_start(&w);
	world_put(&w, "new/1.M1.h:2,SSSSSSSSSSSSSSSS", SPAN("a\n"));
	for (size_t n = 0; n < COUNT(bad); n++) {
		struct maildrop *drop = world_open(&w);
		struct mdir_file file;

		(void)snprintf(drop->mdir->names + (drop->messages[0].body >> 1), 20, "%s", bad[n]);
		assert_false(mdir_locate(drop, 1, false, &file));
		assert_false(mdir_locate(drop, 1, true, &file));
		maildrop_close(&drop);
	}
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_is_made_good_or_harmless),
		cmocka_unit_test(a_path_is_no_name),
		cmocka_unit_test(a_text_is_no_longer_than_an_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
