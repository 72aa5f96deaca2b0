/* SPDX-License-Identifier: Apache-2.0 */
#include "store/maildrop.h"

#include <fcntl.h>
#include <pthread.h>

#include "store/box.h"
#include "store/fixture.h"
#include "store/pack.h"

enum { NOW = 1000000 };

static struct maildrop *open_drop(struct store *s)
{
	struct maildrop *drop = NULL;

	must(maildrop_open(s, "anna/INBOX", &drop, &fixture_err));
	return drop;
}

/* Takes at most `step` octets a call, and every third time none. */
struct taker {
	struct fixture_text text;
	size_t step, calls;
};

static size_t take(void *user, struct span octets)
{
	struct taker *t = user;

	if (t->calls++ % 3 == 2)
		return 0;
	if (octets.len > t->step)
		octets.len = t->step;
	(void)fixture_collect(&t->text, octets);
	return octets.len;
}

static enum maildrop_got read_all(const struct maildrop *drop, uint32_t number, struct taker *t)
{
	struct maildrop_reading r;
	enum maildrop_got got;

	maildrop_start(drop, number, &r);
	do
		got = maildrop_piece(drop, &r, true, take, t);
	while (got == MAILDROP_MORE);
	return got;
}

static size_t take_none(void *user, struct span octets)
{
	(void)user;
	(void)octets;
	return 0;
}

static bool in_memory(const struct maildrop *drop, struct maildrop_reading *r)
{
	return maildrop_piece(drop, r, false, take_none, NULL) != MAILDROP_ABSENT;
}

static void a_message_is_read_as_it_was_stored(void **state)
{
	static const size_t sizes[] = { 0, 1, 4080, 4081, 4096, 65519, 65520, 65521, 131040, 200000 }, steps[] = { 1 << 20, 65520, 1000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(200000);
	struct maildrop *drop;

	(void)state;
	for (size_t n = 0; n < COUNT(sizes); n++)
		fixture_append(box, (struct span){ octets, sizes[n] }, NULL, 1);
	assert_int_equal(fixture_drain(s), COUNT(sizes));
	drop = open_drop(s);
	assert_int_equal(maildrop_count(drop), COUNT(sizes));
	for (uint32_t n = 1; n <= COUNT(sizes); n++)
		for (size_t i = 0; i < COUNT(steps); i++) {
			struct taker t = { .step = steps[i] };
			struct maildrop_reading r;

			assert_int_equal(drop_octets(&maildrop_messages(drop)[n - 1]), sizes[n - 1] + (sizes[n - 1] ? 2 : 0));
			maildrop_start(drop, n, &r);
			maildrop_touch(drop, &r, UINT64_MAX);
			assert_true(in_memory(drop, &r));
			assert_int_equal(read_all(drop, n, &t), MAILDROP_END);
			assert_int_equal(t.text.len, sizes[n - 1]);
			if (t.text.len)
				assert_memory_equal(t.text.at, octets, t.text.len);
			free(t.text.at);
		}
	maildrop_close(&drop);
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static void flags_tell_what_retr_need_not_look_for(void **state)
{
	static const struct row { struct span octets; uint32_t flags; } rows[] = {
		{ SPAN("a\r\n"), DROP_PLAIN }, { SPAN("a"), DROP_PLAIN | DROP_NO_END }, { SPAN(""), DROP_PLAIN },
		{ SPAN(".\r\n"), 0 }, { SPAN("a\r\n.b"), DROP_NO_END }, { SPAN("a.\r\nb.\r\n"), DROP_PLAIN },
		{ SPAN("a\n.\r\n"), DROP_PLAIN },	/* a lone LF ends no line */
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	uint64_t seen, octets = 0;
	struct maildrop *drop;

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++)
		fixture_append(box, rows[n].octets, NULL, 1);
	assert_int_equal(fixture_drain(s), COUNT(rows));
	seen = fixture_entry(box, 1).uid;
	mailbox_seen(box, &seen, 1, 1);
	assert_int_equal(fixture_drain(s), 1);
	drop = open_drop(s);
	for (uint32_t n = 1; n <= COUNT(rows); n++) {
		struct mailbox_entry entry = fixture_entry(box, n - 1);

		assert_int_equal(drop_flags(&maildrop_messages(drop)[n - 1]), rows[n - 1].flags | (n == 2 ? DROP_SEEN : 0));
		assert_int_equal(drop_octets(&maildrop_messages(drop)[n - 1]), entry.size);
		octets += entry.size;
		assert_true(maildrop_messages(drop)[n - 1].uid == entry.uid);
	}
	assert_int_equal(maildrop_octets(drop), octets);
	maildrop_close(&drop);
	store_close(&s);
	fixture_remove(directory);
}

/* What comes, goes or is seen later changes nothing in it, and its bodies stay. */
static void a_snapshot_stays(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct maildrop *drop, *later;
	struct taker t = { .step = 100 };
	uint64_t uids[2], octets, was;

	(void)state;
	fixture_fill(s, box, 300);
	drop = open_drop(s);
	octets = maildrop_octets(drop);
	was = maildrop_messages(drop)[299].uid;
	uids[0] = fixture_entry(box, 1).uid;
	uids[1] = fixture_entry(box, 299).uid;
	mailbox_remove(box, uids, 2, NULL, 0, NOW, 1);
	fixture_append(box, SPAN("new"), NULL, 1);
	assert_int_equal(fixture_drain(s), 2);
	assert_true(maildrop_count(drop) == 300 && maildrop_octets(drop) == octets);
	assert_true(maildrop_messages(drop)[299].uid == was);
	assert_int_equal(read_all(drop, 2, &t), MAILDROP_END);
	assert_true(t.text.len == 3 && memcmp(t.text.at, "2\r\n", 3) == 0);
	free(t.text.at);
	later = open_drop(s);
	assert_int_equal(maildrop_count(later), 299);
	assert_int_equal(drop_octets(&maildrop_messages(later)[299 - 1]), 5);
	maildrop_close(&later);
	maildrop_close(&drop);
	store_close(&s);
	fixture_remove(directory);
}

static void what_was_marked_is_listed(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct drop_message *m;
	struct maildrop *drop;
	uint64_t *uids, octets, seen;

	(void)state;
	fixture_fill(s, box, 10);
	seen = fixture_entry(box, 4).uid;
	mailbox_seen(box, &seen, 1, 1);
	assert_int_equal(fixture_drain(s), 1);
	drop = open_drop(s);
	octets = maildrop_octets(drop);
	m = maildrop_messages(drop);
	assert_int_equal(maildrop_marked(drop, DROP_DELETED | DROP_READ, 0, &uids), 0);
	assert_null(uids);
	drop_mark(&m[2], DROP_DELETED | DROP_READ);
	drop_mark(&m[9], DROP_DELETED);
	drop_mark(&m[3], DROP_READ);
	drop_mark(&m[4], DROP_READ);		/* was seen before */
	assert_true(maildrop_count(drop) == 10 && maildrop_octets(drop) == octets);
	assert_int_equal(maildrop_marked(drop, DROP_DELETED, 0, &uids), 2);
	assert_true(uids[0] == fixture_entry(box, 2).uid && uids[1] == fixture_entry(box, 9).uid);
	free(uids);
	assert_int_equal(maildrop_marked(drop, DROP_READ, DROP_DELETED | DROP_SEEN, &uids), 1);
	assert_true(uids[0] == fixture_entry(box, 3).uid);
	free(uids);
	maildrop_close(&drop);
	store_close(&s);
	fixture_remove(directory);
}

/* In mid-message, and before it. */
static void a_body_that_is_gone_is_told(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(200000);
	struct maildrop *drop;

	(void)state;
	fixture_append(box, (struct span){ octets, 200000 }, NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	drop = open_drop(s);
	for (uint32_t piece = 4; piece-- > 0;) {
		struct batch *b = batch_new(box->part);
		struct taker t = { .step = 1 << 20 };
		struct maildrop_reading r;

		assert_true(batch_blob_remove(b, fixture_first_blob(s), piece, 1));
		must(engine_commit_wait(store_engine(s), &b, &fixture_err));
		assert_int_equal(read_all(drop, 1, &t), MAILDROP_GONE);
		assert_int_equal(t.text.len, piece * (size_t)MAILBOX_PIECE);
		free(t.text.at);
		maildrop_start(drop, 1, &r);
		maildrop_touch(drop, &r, UINT64_MAX);	/* as far as there is something */
		assert_true(in_memory(drop, &r));
	}
	maildrop_close(&drop);
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static void a_box_that_was_never_made_is_empty(void **state)
{
	static const struct row { const char *name; bool good; } rows[] = {
		{ "anna/INBOX", true }, { "anna/never/made", true }, { "nobody/INBOX", true }, { "anna", false }, { "an na/INBOX", false }, { "anna/../x", false },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	uint64_t messages, octets;

	(void)state;
	must(mailbox_add(s, "anna/INBOX", &fixture_err));
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct maildrop *drop = NULL;

		fixture_err = (struct err){ 0 };
		assert_int_equal(maildrop_peek(s, r->name, &messages, &octets, &fixture_err), r->good);
		assert_int_equal(maildrop_open(s, r->name, &drop, &fixture_err), r->good);
		if (r->good)
			assert_true(!messages && !octets && !maildrop_count(drop) && !maildrop_octets(drop));
		else
			assert_true(fixture_err.kind == ERR_CONFIG && !drop);
		maildrop_close(&drop);
	}
	store_close(&s);
	fixture_remove(directory);
}

enum damage { NONE, HEAD_COUNT, HEAD_OCTETS, HEAD_SHORT, HEAD_FORMAT, LENGTH, ORDER, PAGE, TWICE, HUGE, LONG, KEY, INTENT, DAMAGES };

/* Three whole entries, a head that counts them, and what is wrong with it. */
struct index {
	char page[BOX_PAGE * BOX_ENTRY + BOX_ENTRY];
	size_t len;
	struct box_head head;
};

static void do_damage(struct index *x, enum damage what)
{
	char *second = x->page + BOX_ENTRY, first[BOX_ENTRY];

	memcpy(first, x->page, sizeof first);
	switch (what) {
	case HEAD_COUNT:
		x->head.count++;
		break;
	case HEAD_OCTETS:
		x->head.bytes--;
		break;
	case LENGTH:
		x->len--;
		break;
	case ORDER:
		memcpy(x->page, second, BOX_ENTRY);
		memcpy(second, first, BOX_ENTRY);
		break;
	case PAGE:
		pack_u64(x->page + 2 * BOX_ENTRY, unpack_u64(first) + BOX_PAGE);
		break;
	case TWICE:
		memcpy(second, first, BOX_ENTRY);
		break;
	case HUGE:
		pack_u64(second + 16, UINT64_MAX - 1);
		break;
	case LONG:
		x->len = sizeof x->page;
		break;
	case NONE:
	case HEAD_SHORT:
	case HEAD_FORMAT:
	case KEY:
	case INTENT:
	case DAMAGES:
		break;		/* not in a page, or in the head's values */
	}
}

static void write_index(struct store *s, struct mailbox *box, uint64_t page, const struct index *x, enum damage what)
{
	struct batch *b = batch_new(box->part);
	char key[9], head[33];
	struct span value = { x->page, x->len };

	(void)box_head_value(head, &x->head);
	if (what == HEAD_FORMAT)
		head[0] = 9;
	assert_true(batch_put(b, box_page_key(key, page), value));
	assert_true(batch_put(b, SPAN("h"), (struct span){ head, what == HEAD_SHORT ? 32 : 33 }));
	assert_true(what == KEY ? batch_put(b, SPAN("i\xff"), value) : batch_remove(b, SPAN("i\xff")));
	assert_true(what == INTENT ? batch_put(b, SPAN("r"), SPAN("?")) : batch_remove(b, SPAN("r")));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
}

/* On-disk data is input: each of these refuses, none is believed. */
static void a_damaged_index_is_refused(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	static struct index whole, x;
	struct maildrop *drop = NULL;
	struct span page;
	struct view *v;
	char key[9];
	uint64_t number;

	(void)state;
	fixture_append(box, SPAN("1\r\n"), NULL, 1);
	fixture_append(box, SPAN("2\r\n"), NULL, 1);
	fixture_append(box, SPAN("3\r\n"), NULL, 1);
	assert_int_equal(fixture_drain(s), 3);
	number = fixture_entry(box, 0).uid / BOX_PAGE;
	must(view_begin(store_engine(s), &v, &fixture_err));
	assert_true(view_get(v, box->part, box_page_key(key, number), &page));
	whole.len = page.len;
	memcpy(whole.page, page.at, page.len);
	view_end(&v);
	whole.head = box->head;
	for (enum damage what = NONE; what < DAMAGES; what++) {
		x = whole;
		do_damage(&x, what);
		write_index(s, box, number, &x, what);
		if (maildrop_open(s, "anna/INBOX", &drop, &fixture_err) != (what == NONE))
			fail_msg("damage %d", (int)what);
		maildrop_close(&drop);
		if (what != NONE)
			assert_true(fixture_err.kind == ERR_LOCAL && strstr(fixture_err.text, "anna/INBOX"));
	}
	write_index(s, box, number, &whole, NONE);
	store_close(&s);
	fixture_remove(directory);
}

/* Many threads open and read while mail comes in and goes. */
struct opener {
	struct store *store;
	pthread_t thread;
	const char *wrong;
};

static void *open_often(void *user)
{
	struct opener *o = user;

	for (int n = 0; n < 200 && !o->wrong; n++) {
		struct maildrop *drop;
		struct err e;

		if (!maildrop_open(o->store, "anna/INBOX", &drop, &e)) {
			o->wrong = "not opened";
			break;
		}
		for (uint32_t number = 1; number <= maildrop_count(drop); number += 7) {
			struct taker t = { .step = 1000 };

			if (read_all(drop, number, &t) != MAILDROP_END || t.text.len != drop_octets(&maildrop_messages(drop)[number - 1]))
				o->wrong = "not read";
			free(t.text.at);
		}
		maildrop_close(&drop);
	}
	return NULL;
}

static void any_thread_may_open_and_read(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct opener openers[3] = { { .store = s }, { .store = s }, { .store = s } };

	(void)state;
	fixture_fill(s, box, 300);
	for (size_t n = 0; n < COUNT(openers); n++)
		assert_int_equal(pthread_create(&openers[n].thread, NULL, open_often, &openers[n]), 0);
	for (int n = 0; n < 30; n++) {
		uint64_t uid = fixture_entry(box, (uint64_t)n).uid;

		mailbox_remove(box, &uid, 1, NULL, 0, NOW, 1);
		fixture_append(box, SPAN("one more\r\n"), NULL, 1);
		assert_int_equal(fixture_drain(s), 2);
	}
	for (size_t n = 0; n < COUNT(openers); n++) {
		assert_int_equal(pthread_join(openers[n].thread, NULL), 0);
		if (openers[n].wrong)
			fail_msg("%s", openers[n].wrong);
	}
	store_close(&s);
	fixture_remove(directory);
}

/* Dropped from the page cache, a body is not in memory until it is touched. */
static void what_is_on_the_disk_alone_is_told(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(200000), path[128];
	struct maildrop_reading r;
	struct maildrop *drop;
	bool dropped;
	int fd;

	(void)state;
	fixture_append(box, (struct span){ octets, 200000 }, NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	store_close(&s);
	(void)snprintf(path, sizeof path, "%s/store/data.mdb", directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	(void)close(fd);
	s = fixture_store(directory);
	drop = open_drop(s);
	maildrop_start(drop, 1, &r);
	r.piece = 1;		/* the first may share pages with what opening has read */
	r.left -= MAILBOX_PIECE;
	dropped = !in_memory(drop, &r);
	if (!dropped)
		print_message("this file system has no page cache to be dropped\n");
	maildrop_touch(drop, &r, UINT64_MAX);
	assert_true(in_memory(drop, &r));
	maildrop_close(&drop);
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_read_as_it_was_stored),
		cmocka_unit_test(flags_tell_what_retr_need_not_look_for),
		cmocka_unit_test(a_snapshot_stays),
		cmocka_unit_test(what_was_marked_is_listed),
		cmocka_unit_test(a_body_that_is_gone_is_told),
		cmocka_unit_test(a_box_that_was_never_made_is_empty),
		cmocka_unit_test(a_damaged_index_is_refused),
		cmocka_unit_test(any_thread_may_open_and_read),
		cmocka_unit_test(what_is_on_the_disk_alone_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
