/* SPDX-License-Identifier: Apache-2.0
 * A backup of a store that is being written to: mail comes in and goes while
 * it is made.  Commits go on, and what is restored is the store of one moment. */
#include <fcntl.h>
#include <pthread.h>

#include "store/fixture.h"
#include "store/restore.h"

enum { BEFORE = 150, SIZES = 5, MAX = 1 << 16, AHEAD = 8, REMOVED_EACH = 5 };

static const size_t sizes[SIZES] = { 30, 4096, 60000, 150000, 900000 };

struct load {
	struct store *store;
	struct mailbox *box;
	uint32_t next;			/* to be appended */
	bool durable[MAX], removed[MAX];
	size_t durable_count;
};

struct copying {
	struct engine *engine;
	struct backup *backup;
	struct backup_progress progress;
	struct backup_written written;
	atomic_bool over;
	bool good;
	struct err why;
};

static void *copy(void *user)
{
	struct copying *c = user;

	c->good = backup_write(c->engine, backup_fd(c->backup), &c->progress, &c->written, &c->why);
	atomic_store(&c->over, true);
	return NULL;
}

/* Octets that tell the message's number. */
static struct span message(uint32_t number)
{
	static char at[900000 + 1];
	size_t len = sizes[number % SIZES];

	memset(at, 'a' + (int)(number % 26), len);
	(void)snprintf(at, 32, "%u ", number);
	return (struct span){ at, len };
}

static void take(struct load *l, size_t most)
{
	struct store_done d;

	while (store_waiting(l->store) > most ? store_wait(l->store) : false)
		while (store_next(l->store, &d)) {
			assert_true(d.good);
			if (d.ticket < MAX) {
				l->durable[d.ticket] = true;
				l->durable_count++;
			}
		}
}

static void append(struct load *l)
{
	struct incoming *in = incoming_new(l->box, &fixture_err);

	must(in);
	assert_true(l->next < MAX);
	must(incoming_add(in, message(l->next), &fixture_err));
	incoming_finish(&in, NULL, l->next, 0, l->next);
	l->next++;
	take(l, AHEAD);
}

/* The oldest ones go, as a POP3 client takes them. */
static void remove_some(struct load *l)
{
	struct mailbox_entry entries[REMOVED_EACH];
	uint64_t uids[REMOVED_EACH];
	size_t n = mailbox_entries(l->box, 0, entries, REMOVED_EACH);

	for (size_t i = 0; i < n; i++) {
		uids[i] = entries[i].uid;
		l->removed[entries[i].arrived] = true;
	}
	mailbox_remove(l->box, uids, n, NULL, 0, 1000, MAX);
	take(l, 0);
}

/* Every message there is whole, and there once; `seen` says which. */
static void look(struct mailbox *box, bool *seen)
{
	struct mailbox_entry entry;

	for (uint64_t position = 0; position < mailbox_count(box); position++) {
		struct fixture_text got = { 0 };
		struct span want;

		assert_int_equal(mailbox_entries(box, position, &entry, 1), 1);
		must(mailbox_read(box, entry.uid, fixture_collect, &got, &fixture_err));
		want = message((uint32_t)entry.arrived);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.at, want.at, want.len);
		assert_false(seen[entry.arrived]);
		seen[entry.arrived] = true;
		free(got.at);
	}
}

static void a_backup_under_load_is_of_one_moment(void **state)
{
	static struct load l;
	static bool before[MAX], gone[MAX], seen[MAX];
	const char *directory = fixture_directory();
	char to[128], from[128];
	struct copying c = { .good = false };
	struct restored r;
	pthread_t thread;
	size_t behind = 0;
	bool key;

	(void)state;
	(void)snprintf(from, sizeof from, "%s/backup", directory);
	(void)snprintf(to, sizeof to, "%s/restored", directory);
	l = (struct load){ .store = fixture_store(directory), .next = 1 };
	l.box = fixture_box(l.store, "anna/INBOX");
	while (l.durable_count < BEFORE)
		append(&l);
	remove_some(&l);
	must(backup_begin(from, &c.backup, &fixture_err));
	c.engine = store_engine(l.store);
	memcpy(before, l.durable, sizeof before);
	memcpy(gone, l.removed, sizeof gone);
	assert_int_equal(pthread_create(&thread, NULL, copy, &c), 0);
	for (size_t n = 0; !atomic_load(&c.over); n++) {
		size_t durable = l.durable_count;

		append(&l);
		if (n % 7 == 6)
			remove_some(&l);
		behind += l.durable_count > durable && atomic_load(&c.progress.octets) && !atomic_load(&c.over);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	if (!c.good)
		fail_msg("%s", c.why.text);
	must(backup_end(&c.backup, &c.written, directory, &key, &fixture_err));
	take(&l, 0);
	print_message("%zu commits while it was written\n", behind);
	/* That there are some is lmdb_copy_test.c's to ask: here the disk decides. */
	store_close(&l.store);
	must(restore_into(from, to, FIXTURE_MAP, false, "test", &c.progress, &r, &fixture_err));
	l.store = fixture_store(to);
	look(fixture_box(l.store, "anna/INBOX"), seen);
	for (uint32_t n = 1; n < l.next; n++) {
		if (before[n] && !seen[n] && !l.removed[n])
			fail_msg("message %u was durable before the backup, and is not in it", (unsigned)n);
		if (gone[n] && seen[n])
			fail_msg("message %u was removed before the backup, and is in it", (unsigned)n);
		/* They came in order: none is there in front of which one is missing that is still in the store. */
		if (n > 1 && seen[n] && !seen[n - 1] && !l.removed[n - 1])
			fail_msg("message %u is there, and the one before it is not", (unsigned)n);
	}
	store_close(&l.store);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backup_under_load_is_of_one_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
