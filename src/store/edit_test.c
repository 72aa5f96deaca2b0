/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "store/box.h"
#include "store/fixture.h"
#include "store/intent.h"
#include "store/maildrop.h"

enum { NOW = 1000000 };

/* The number that fixture_fill put into the message. */
static unsigned long number_of(struct mailbox *box, uint64_t uid)
{
	struct fixture_text got = { 0 };
	unsigned long n;

	must(mailbox_read(box, uid, fixture_collect, &got, &fixture_err));
	n = strtoul(got.at, NULL, 10);
	free(got.at);
	return n;
}

/* Count and octets of the head are those of the index, here and on disk. */
static void check_counts(struct store *s, struct mailbox *box, uint64_t want)
{
	uint64_t count = 0, octets = 0, peeked, peeked_octets;
	struct mailbox_entry page[300];
	struct maildrop *drop;
	size_t got;

	for (; (got = mailbox_entries(box, count, page, COUNT(page))); count += got)
		for (size_t n = 0; n < got; n++)
			octets += page[n].size;
	assert_int_equal(count, want);
	assert_int_equal(mailbox_count(box), want);
	assert_int_equal(mailbox_bytes(box), octets);
	must(maildrop_peek(s, box->name, &peeked, &peeked_octets, &fixture_err));
	assert_int_equal(peeked, want);
	assert_int_equal(peeked_octets, octets);
	must(maildrop_open(s, box->name, &drop, &fixture_err));	/* looks at it in its own way */
	assert_int_equal(maildrop_count(drop), want);
	maildrop_close(&drop);
}

static bool key_there(struct store *s, struct mailbox *box, const char *prefix)
{
	struct view *v;
	struct span key = { 0 }, value;
	bool there;

	must(view_begin(store_engine(s), &v, &fixture_err));
	there = view_next(v, box->part, span_of(prefix), &key, &value);
	view_end(&v);
	return there;
}

static void some_go_and_some_are_seen(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct mailbox_entry all[600], now[600];
	uint64_t gone[300], seen[300];
	size_t g = 0, k = 0;
	struct store_done d;

	(void)state;
	fixture_fill(s, box, 600);
	assert_int_equal(mailbox_entries(box, 0, all, 600), 600);
	for (size_t n = 600; n-- > 0;)	/* backwards, since any order is good */
		if (n % 3 == 0)
			gone[g++] = all[n].uid;
		else if (n % 3 == 1)
			seen[k++] = all[n].uid;
	mailbox_remove(box, gone, g, seen, k, NOW, 77);
	assert_int_equal(store_waiting(s), 1);
	assert_int_equal(mailbox_count(box), 600);	/* not before it is durable */
	assert_true(store_wait(s) && store_next(s, &d));
	assert_true(d.good && d.ticket == 77);
	for (int open = 0; open < 2; open++) {
		check_counts(s, box, 400);
		assert_int_equal(mailbox_entries(box, 0, now, 600), 400);
		for (size_t n = 0; n < 400; n++) {
			const struct mailbox_entry *was = &all[n / 2 * 3 + n % 2 + 1];

			assert_int_equal(now[n].uid, was->uid);
			assert_int_equal(now[n].size, was->size);
			assert_int_equal(now[n].arrived, was->arrived);
			assert_int_equal(now[n].flags, n % 2 ? 0 : MAILBOX_SEEN);
		}
		assert_false(mailbox_read(box, gone[0], fixture_collect, NULL, &fixture_err));
		store_close(&s);
		s = fixture_store(directory);
		box = fixture_box(s, "anna/INBOX");
	}
	/* Again, and together with what never was: nothing changes. */
	gone[0] = 0;
	gone[1] = UINT64_MAX;
	mailbox_remove(box, gone, g, seen, k, NOW, 1);
	mailbox_remove(box, NULL, 0, NULL, 0, NOW, 2);
	mailbox_seen(box, gone, g, 3);
	assert_int_equal(fixture_drain(s), 3);
	check_counts(s, box, 400);
	/* The rest; what comes then has an id that nobody had. */
	for (size_t n = 0; n < 400; n++) {
		gone[n % 200] = now[n].uid;
		if (n % 200 == 199)
			mailbox_remove(box, gone, 200, NULL, 0, NOW, 1);
	}
	assert_int_equal(fixture_drain(s), 2);
	check_counts(s, box, 0);
	assert_false(key_there(s, box, "i"));
	fixture_append(box, SPAN("x"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_true(fixture_entry(box, 0).uid == all[599].uid + 1);
	check_counts(s, box, 1);
	store_close(&s);
	fixture_remove(directory);
}

/* Reads over and over; sees the box before or after, and nothing between. */
struct reader {
	struct store *store;
	pthread_t thread;
	atomic_bool stop;
	uint32_t before, after, seen_after;
	atomic_size_t looks, afters;
	const char *wrong;
};

static void *read_on(void *user)
{
	struct reader *r = user;
	struct err e;

	while (!r->stop && !r->wrong) {
		struct maildrop *drop;
		uint32_t seen = 0, count;

		if (!maildrop_open(r->store, "anna/INBOX", &drop, &e)) {
			(void)fprintf(stderr, "%s\n", e.text);
			r->wrong = "it cannot be opened";
			break;
		}
		count = maildrop_count(drop);
		for (uint32_t n = 1; n <= count; n++)
			seen += (drop_flags(&maildrop_messages(drop)[n - 1]) & DROP_SEEN) != 0;
		maildrop_close(&drop);
		if (!(count == r->before && seen == 0) && !(count == r->after && seen == r->seen_after))
			r->wrong = "it is half";
		r->afters += count == r->after;
		r->looks++;
	}
	return NULL;
}

/* More pages than a batch holds, and (with uids that are not there) more ranges than a part. */
static void what_needs_many_batches_happens_at_once(void **state)
{
	enum { MESSAGES = 30000, ABSENT = 300000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	uint64_t *gone = calloc(ABSENT + MESSAGES, sizeof *gone), *seen = calloc(MESSAGES, sizeof *seen), first;
	struct mailbox_entry entry;

	(void)state;
	fixture_fill(s, box, MESSAGES);
	first = fixture_entry(box, 0).uid;
	for (int absent = 0; absent < 2; absent++) {
		uint32_t before = (uint32_t)mailbox_count(box), after;
		size_t g = 0, k = 0, batches = 0;
		struct store_done d = { 0 };

		for (uint32_t n = 0; n < MESSAGES; n++)
			if (n % 100 == 10 + (unsigned)absent)
				gone[g++] = first + n;
			else if (n % 100 == 20 && !absent)
				seen[k++] = first + n;
		after = before - (uint32_t)g;
		for (uint64_t n = 0; absent && n < ABSENT; n++)
			gone[g++] = first + 1000000 + n * 2;
		mailbox_remove(box, gone, g, seen, k, NOW, 1);
		while (store_wait(s) && !store_next(s, &d))
			assert_int_equal(mailbox_count(box), before);	/* parts that mean nothing yet */
		assert_true(d.good && d.ticket == 1);
		check_counts(s, box, after);		/* the pages still have it all */
		assert_true(key_there(s, box, "r") && key_there(s, box, "q"));
		assert_int_equal(mailbox_entries(box, 10, &entry, 1), 1);
		assert_int_equal(number_of(box, entry.uid), absent ? 13 : 12);
		assert_false(mailbox_read(box, gone[0], fixture_collect, NULL, &fixture_err));
		fixture_append(box, SPAN("between"), NULL, 0);		/* comes and goes before the rest is done */
		mailbox_remove(box, (uint64_t[]){ first + 1000 + (unsigned)absent }, 1, NULL, 0, NOW, 0);
		while (store_wait(s)) {
			assert_false(store_next(s, &d));
			batches++;
		}
		assert_true(batches > 2);
		check_counts(s, box, before - (g - (absent ? ABSENT : 0)));	/* one more, one less */
		assert_false(key_there(s, box, "r") || key_there(s, box, "q"));
	}
	store_close(&s);
	s = fixture_store(directory);
	box = fixture_box(s, "anna/INBOX");
	check_counts(s, box, MESSAGES - 600);
	for (uint64_t at = 0, n = 1; n <= 1000; n++) {
		if ((n - 1) % 100 == 10 || (n - 1) % 100 == 11)
			continue;
		entry = fixture_entry(box, at++);
		assert_int_equal(number_of(box, entry.uid), n);
		assert_int_equal(entry.flags, (n - 1) % 100 == 20 ? MAILBOX_SEEN : 0);
	}
	store_close(&s);
	free(gone);
	free(seen);
	fixture_remove(directory);
}

/* A reader beside a removal, the whole of it. */
static void nobody_sees_half(void **state)
{
	enum { MESSAGES = 30000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	uint64_t gone[MESSAGES / 100], seen[MESSAGES / 50], first;
	struct reader r = { .store = s, .before = MESSAGES, .after = MESSAGES - COUNT(gone), .seen_after = COUNT(seen) };

	(void)state;
	fixture_fill(s, box, MESSAGES);
	first = fixture_entry(box, 0).uid;
	for (size_t n = 0; n < COUNT(gone); n++)
		gone[n] = first + n * 100;
	for (size_t n = 0; n < COUNT(seen); n++)
		seen[n] = first + n * 50 + 1;
	assert_int_equal(pthread_create(&r.thread, NULL, read_on, &r), 0);
	while (!r.looks && !r.wrong)
		;
	mailbox_remove(box, gone, COUNT(gone), seen, COUNT(seen), NOW, 1);
	assert_int_equal(fixture_drain(s), 1);
	while (!r.afters && !r.wrong)
		;
	r.stop = true;
	assert_int_equal(pthread_join(r.thread, NULL), 0);
	if (r.wrong)
		fail_msg("%s", r.wrong);
	store_close(&s);
	fixture_remove(directory);
}

/* Appends and removals of several sessions in any mixture: none is lost, and the counts are exact. */
static void appends_and_removals_mix(void **state)
{
	enum { ROUNDS = 300 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	uint64_t first, appended = 1, removed = 0, tickets = 0;
	uint32_t x = 4;
	bool gone[ROUNDS * 8] = { 0 };

	(void)state;
	fixture_append(box, SPAN("0"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	first = fixture_entry(box, 0).uid;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t uids[20];
		size_t n = 0;
		struct store_done d;

		for (uint32_t more = (x = x * 1103515245 + 12345) >> 29; more; more--, tickets++) {
			char text[16];

			(void)snprintf(text, sizeof text, "%llu", (unsigned long long)appended++);
			fixture_append(box, span_of(text), NULL, 1);
		}
		/* Among what is there, what is gone, what is on its way and what is not yet. */
		for (uint32_t some = (x = x * 1103515245 + 12345) >> 29; some && mailbox_count(box); some--) {
			uint64_t at = ((x = x * 1103515245 + 12345) >> 8) % mailbox_count(box);
			struct mailbox_entry entry;

			if (!mailbox_entries(box, at, &entry, 1))
				continue;	/* a removal is durable, its answer not yet taken */
			uids[n++] = entry.uid;
			gone[entry.uid - first] = true;
		}
		mailbox_remove(box, uids, n, NULL, 0, NOW, 1);
		mailbox_remove(box, uids, n, NULL, 0, NOW, 1);	/* another session, the same */
		tickets += 2;
		while (tickets > 10 && store_wait(s))
			while (store_next(s, &d)) {
				assert_true(d.good);
				tickets--;
			}
	}
	(void)fixture_drain(s);
	for (size_t n = 0; n < appended; n++)
		removed += gone[n];
	check_counts(s, box, appended - removed);
	for (uint64_t n = 0, at = 0; n < appended; n++)
		if (!gone[n]) {
			struct mailbox_entry entry = fixture_entry(box, at++);

			assert_int_equal(entry.uid, first + n);
			assert_int_equal(number_of(box, entry.uid), n);
		}
	store_close(&s);
	fixture_remove(directory);
}

static void damage(struct store *s, struct mailbox *box, struct span key, struct span value)
{
	struct batch *b = batch_new(box->part);

	assert_true(batch_put(b, key, value));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
}

/* A damaged page or head refuses; the process lives, and other pages are served. */
static void damage_is_refused(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX"), *other = fixture_box(s, "anna/other");
	struct mailbox_entry all[600];
	struct box_head head;
	struct store_done d;
	char key[9], value[33];

	(void)state;
	fixture_fill(s, box, 600);
	fixture_fill(s, other, 3);
	assert_int_equal(mailbox_entries(box, 0, all, 600), 600);
	damage(s, box, box_page_key(key, all[300].uid / BOX_PAGE), SPAN("not an index page, and of no good length"));
	mailbox_remove(box, &all[300].uid, 1, NULL, 0, NOW, 5);
	assert_true(store_wait(s) && store_next(s, &d));
	assert_true(!d.good && d.ticket == 5 && d.why.kind == ERR_LOCAL);
	assert_non_null(strstr(d.why.text, "damaged"));
	mailbox_remove(box, &all[0].uid, 1, &all[599].uid, 1, NOW, 6);
	assert_true(store_wait(s) && store_next(s, &d));
	assert_true(d.good && d.ticket == 6);
	assert_int_equal(mailbox_count(box), 599);
	/* A head that counts less than there is. */
	head = other->head;
	head.count = 1;
	damage(s, other, SPAN("h"), box_head_value(value, &head));
	other->head = head;
	mailbox_remove(other, (uint64_t[]){ fixture_entry(other, 0).uid, fixture_entry(other, 1).uid }, 2, NULL, 0, NOW, 7);
	assert_true(store_wait(s) && store_next(s, &d));
	assert_true(!d.good && d.ticket == 7 && d.why.kind == ERR_LOCAL);
	store_close(&s);
	fixture_remove(directory);
}

/* With no space left it is refused, and all is there; with space again it is done. */
static void a_full_disk_refuses(void **state)
{
	enum { MESSAGES = 30000 };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct rlimit was, small;
	uint64_t gone[MESSAGES / 100], first;
	struct store_done d;
	int stalls = 0, refused = 0;

	(void)state;
	fixture_fill(s, box, MESSAGES);
	first = fixture_entry(box, 0).uid;
	for (size_t n = 0; n < COUNT(gone); n++)
		gone[n] = first + n * 100;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), 0);
	/* Each time the disk holds a little more: it fails at every one of its steps. */
	for (rlim_t more = 0; mailbox_count(box) == MESSAGES || box->edits; more += 64 * 1024) {
		char path[128];
		struct stat st;

		(void)snprintf(path, sizeof path, "%s/store/data.mdb", directory);
		if (!more) {
			assert_int_equal(stat(path, &st), 0);
			small = was;
			small.rlim_cur = (rlim_t)st.st_size;
		}
		small.rlim_cur += 64 * 1024;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		mailbox_remove(box, gone, COUNT(gone), NULL, 0, NOW, 9);
		while (store_wait(s))
			while (store_next(s, &d))
				refused += !d.good;
		stalls += box->stalled;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
		assert_true(mailbox_count(box) == MESSAGES || mailbox_count(box) == MESSAGES - COUNT(gone));
		check_counts(s, box, mailbox_count(box));
		assert_true(more < 64 << 20);
	}
	assert_true(refused > 0);
	print_message("refused %d times, stalled %d times\n", refused, stalls);
	check_counts(s, box, MESSAGES - COUNT(gone));
	assert_false(key_there(s, box, "r") || key_there(s, box, "q"));
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_go_and_some_are_seen),
		cmocka_unit_test(what_needs_many_batches_happens_at_once),
		cmocka_unit_test(nobody_sees_half),
		cmocka_unit_test(appends_and_removals_mix),
		cmocka_unit_test(damage_is_refused),
		cmocka_unit_test(a_full_disk_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
