/* SPDX-License-Identifier: Apache-2.0 */
#include "store/vault.h"

#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/fixture.h"

enum { THREADS = 6, ROUNDS = 30 };

static void set(struct store *s, const char *name, const char *secret)
{
	must(vault_set(s, name, span_of(secret), &fixture_err));
}

static void holds(struct store *s, const char *name, const char *want)
{
	struct buf b;

	buf_start(&b, VAULT_SECRET_MAX);
	must(vault_get(s, name, &b, &fixture_err));
	assert_true(span_equal(buf_span(&b), span_of(want)));
	buf_wipe(&b);
}

static void refuses(struct store *s, const char *name, const char *says)
{
	struct err e;
	struct buf b;

	buf_start(&b, VAULT_SECRET_MAX);
	assert_false(vault_get(s, name, &b, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	if (!strstr(e.text, says))
		fail_msg("%s has no \"%s\"", e.text, says);
	assert_int_equal(b.len, 0);
	buf_wipe(&b);
}

static const char *in(const char *directory, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static bool is_there(const char *directory, const char *name)
{
	struct stat st;

	return stat(in(directory, name), &st) == 0;
}

static struct store *again(struct store **s, const char *directory)
{
	store_close(s);
	return *s = fixture_store(directory);
}

static void secrets_come_back(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char *octets = fixture_octets(VAULT_SECRET_MAX + 1), long_name[VAULT_NAME_MAX + 2];
	struct buf b;
	struct err e;

	(void)state;
	refuses(s, "box", "there is no secret box: postrider secret set 'box'");
	assert_false(is_there(directory, "vault.key"));		/* not before it is needed */
	for (size_t n = 1; n <= VAULT_SECRET_MAX; n = n < 130 ? n + 1 : n * 2 - 1 > VAULT_SECRET_MAX && n < VAULT_SECRET_MAX ? VAULT_SECRET_MAX : n * 2 - 1) {
		must(vault_set(s, "box", (struct span){ octets, n }, &fixture_err));
		buf_start(&b, VAULT_SECRET_MAX);
		must(vault_get(s, "box", &b, &fixture_err));
		assert_true(span_equal(buf_span(&b), (struct span){ octets, n }));
		buf_wipe(&b);
	}
	assert_false(vault_set(s, "box", (struct span){ octets, VAULT_SECRET_MAX + 1 }, &e));
	assert_false(vault_set(s, "box", SPAN(""), &e));
	assert_false(vault_set(s, "", SPAN("x"), &e));
	assert_false(vault_set(s, "a\nb", SPAN("x"), &e));
	memset(long_name, 'n', sizeof long_name);
	long_name[VAULT_NAME_MAX + 1] = '\0';
	assert_false(vault_set(s, long_name, SPAN("x"), &e));
	long_name[VAULT_NAME_MAX] = '\0';
	set(s, long_name, "with NUL behind");
	must(vault_set(s, "nul", (struct span){ "a\0b", 3 }, &fixture_err));
	buf_start(&b, 2);
	assert_false(vault_get(s, "nul", &b, &e));
	assert_non_null(strstr(e.text, "longer than it can be here"));
	buf_wipe(&b);
	again(&s, directory);		/* another life, the same key */
	holds(s, long_name, "with NUL behind");
	must(vault_remove(s, long_name, &fixture_err));
	assert_false(vault_remove(s, long_name, &e));
	refuses(s, long_name, "there is no secret");
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

static void they_are_listed(void **state)
{
	const char *directory = fixture_directory(), *const names[] = { "a", "a b", "oauth:box", "z" };
	struct store *s = fixture_store(directory);
	struct vault_info v = { .name = "" };
	size_t n = 0;

	(void)state;
	for (size_t i = COUNT(names); i--;)
		set(s, names[i], "x");
	for (; vault_each(s, &v); n++) {
		assert_string_equal(v.name, names[n]);
		assert_true(v.set > 1000000000);
	}
	assert_int_equal(n, COUNT(names));
	assert_true(vault_there(s, "a b") && !vault_there(s, "a  b"));
	store_close(&s);
	fixture_remove(directory);
}

/* ---- records */

static size_t record(struct store *s, const char *key, char *out, size_t size)
{
	struct view *v;
	struct span value;

	must(view_begin(store_engine(s), &v, &fixture_err));
	assert_true(view_get(v, engine_part_of("vault", SPAN("")), span_of(key), &value));
	assert_true(value.len <= size);
	memcpy(out, value.at, value.len);
	view_end(&v);
	return value.len;
}

static void put(struct store *s, const char *key, const char *octets, size_t len)
{
	struct batch *b = batch_new(engine_part_of("vault", SPAN("")));

	assert_true(b && batch_put(b, span_of(key), (struct span){ octets, len }));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
}

static void a_flip_anywhere_in_a_record_is_told(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char octets[512], twice[512];
	size_t len;

	(void)state;
	set(s, "box", "Geheimnis-4711");
	set(s, "other", "Geheimnis-4712");
	len = record(s, "sbox", octets, sizeof octets);
	assert_null(memmem(octets, len, "Geheim", 6));
	for (size_t n = 0; n < len; n++) {
		octets[n] ^= (char)(1u << n % 8);
		put(s, "sbox", octets, len);
		refuses(s, "box", n >= 1 && n < 9 ? "under another key" : "damaged: set it again");
		octets[n] ^= (char)(1u << n % 8);
	}
	for (size_t n = 1; n < len; n++) {
		put(s, "sbox", octets, n);
		refuses(s, "box", "secret box: ");
	}
	put(s, "sother", octets, len);		/* another's record under its name */
	refuses(s, "other", "damaged");
	put(s, "sbox", octets, len);
	holds(s, "box", "Geheimnis-4711");
	set(s, "box", "Geheimnis-4711");	/* the same once more looks different */
	assert_int_equal(record(s, "sbox", twice, sizeof twice), len);
	assert_memory_not_equal(octets + 41, twice + 41, 64);
	store_close(&s);
	fixture_remove(directory);
}

/* ---- the key */

static void move(const char *directory, const char *from, const char *to)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s", in(directory, from));
	assert_int_equal(rename(path, in(directory, to)), 0);
}

static void no_new_key_comes_over_what_is_there(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct err e;

	(void)state;
	set(s, "box", "one");
	store_close(&s);
	move(directory, "vault.key", "mine");
	s = fixture_store(directory);
	refuses(s, "box", "vault.key is missing, and 1 secret is sealed under it");
	assert_false(vault_set(s, "more", SPAN("two"), &e));
	assert_true(e.kind == ERR_CONFIG && strstr(e.text, "vault.key is missing"));
	assert_false(is_there(directory, "vault.key"));
	move(directory, "mine", "vault.key");		/* in the same life */
	holds(s, "box", "one");
	store_close(&s);
	move(directory, "vault.key", "mine");
	s = fixture_store(directory);
	must(vault_remove(s, "box", &fixture_err));	/* needs no key */
	set(s, "box", "two");
	holds(s, "box", "two");
	store_close(&s);
	move(directory, "mine", "vault.key");		/* not the one of what is there */
	s = fixture_store(directory);
	refuses(s, "box", "under another key");
	assert_false(vault_set(s, "more", SPAN("x"), &e));
	assert_non_null(strstr(e.text, "is not the key of the 1 secret here"));
	assert_false(vault_set(s, "box", SPAN("x"), &e));
	store_close(&s);
	fixture_remove(directory);
}

static void a_damaged_key_stays_as_it_is(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char octets[200], after[200];
	struct err e;
	ssize_t len;
	int fd;

	(void)state;
	set(s, "box", "one");
	store_close(&s);
	fd = open(in(directory, "vault.key"), O_RDWR);
	len = read(fd, octets, sizeof octets);
	octets[100] ^= 1;
	assert_int_equal(pwrite(fd, octets, (size_t)len, 0), len);
	s = fixture_store(directory);
	refuses(s, "box", "vault.key is damaged");
	assert_false(vault_set(s, "more", SPAN("x"), &e));
	assert_int_equal(pread(fd, after, sizeof after, 0), len);
	assert_memory_equal(octets, after, (size_t)len);
	octets[100] ^= 1;
	assert_int_equal(pwrite(fd, octets, (size_t)len, 0), len);
	holds(s, "box", "one");
	(void)close(fd);
	store_close(&s);
	fixture_remove(directory);
}

/* Killed behind the key and before the record; or while the key was written. */
static void a_crash_before_the_first_record_leaves_nothing_in_the_way(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	char before[200], after[200];
	int fd, status;

	(void)state;
	store_close(&s);
	fd = open(in(directory, "vault.key.new"), O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "half", 4), 4);
	(void)close(fd);
	if (fork() == 0) {
		s = fixture_store(directory);
		set(s, "box", "one");
		must(vault_remove(s, "box", &fixture_err));	/* what is left is a key, and no record */
		_exit(0);
	}
	assert_true(wait(&status) > 0 && status == 0);
	fd = open(in(directory, "vault.key"), O_RDONLY);
	assert_int_equal(read(fd, before, sizeof before), 144);
	s = fixture_store(directory);
	set(s, "box", "two");
	holds(s, "box", "two");
	assert_int_equal(pread(fd, after, sizeof after, 0), 144);
	assert_memory_equal(before, after, 144);
	(void)close(fd);
	store_close(&s);
	fixture_remove(directory);
}

/* ---- moving */

static void the_key_moves_by_a_wrap(void **state)
{
	char first[64], second[64];
	uint8_t wrap[VAULT_WRAP] = { 1, 2, 3 }, other[VAULT_WRAP] = { 1, 2, 4 }, wrapped[VAULT_WRAPPED];
	struct store *s;
	struct err e;

	(void)state;
	(void)snprintf(first, sizeof first, "%s", fixture_directory());
	(void)snprintf(second, sizeof second, "%s", fixture_directory());
	s = fixture_store(first);
	assert_false(vault_export(s, wrap, wrapped, &e));	/* there is nothing to move */
	assert_false(is_there(first, "vault.key"));
	set(s, "box", "one");
	must(vault_export(s, wrap, wrapped, &fixture_err));
	must(vault_import(s, wrap, wrapped, &fixture_err));	/* the same: nothing is kept aside */
	holds(s, "box", "one");
	store_close(&s);
	move(first, "vault.key", "lost");
	s = fixture_store(first);
	refuses(s, "box", "missing");
	assert_false(vault_import(s, other, wrapped, &e));
	assert_non_null(strstr(e.text, "master password is wrong"));
	for (size_t n = 0; n < sizeof wrapped; n++) {
		wrapped[n] ^= 16;
		assert_false(vault_import(s, wrap, wrapped, &e));
		wrapped[n] ^= 16;
	}
	assert_false(is_there(first, "vault.key"));
	must(vault_import(s, wrap, wrapped, &fixture_err));
	holds(s, "box", "one");
	set(s, "more", "two");
	again(&s, first);
	holds(s, "box", "one");
	holds(s, "more", "two");
	store_close(&s);
	s = fixture_store(second);		/* another vault, which has secrets of its own */
	set(s, "mine", "three");
	assert_false(vault_import(s, wrap, wrapped, &e));
	assert_non_null(strstr(e.text, "of another vault: it opens none of the 1 secret here"));
	holds(s, "mine", "three");
	must(vault_remove(s, "mine", &fixture_err));
	must(vault_import(s, wrap, wrapped, &fixture_err));
	set(s, "mine", "four");
	again(&s, second);
	holds(s, "mine", "four");
	store_close(&s);
	fixture_remove(first);
	fixture_remove(second);
}

/* ---- threads */

struct worker {
	struct store *s;
	pthread_t thread;
	unsigned number;
};

/* Each sees its own as it was set, and of what all set one whole. */
static void *work(void *user)
{
	struct worker *w = user;
	char name[32], text[200];
	struct err e;
	struct buf b;

	(void)snprintf(name, sizeof name, "of %u", w->number);
	for (unsigned n = 0; n < ROUNDS; n++) {
		memset(text, (int)('a' + w->number), sizeof text);
		(void)snprintf(text, sizeof text, "%u:%u", w->number, n);
		if (!vault_set(w->s, name, (struct span){ text, sizeof text }, &e) || !vault_set(w->s, "all", (struct span){ text, sizeof text }, &e))
			return text[0] ? w : NULL;
		buf_start(&b, VAULT_SECRET_MAX);
		if (!vault_get(w->s, name, &b, &e) || !span_equal(buf_span(&b), (struct span){ text, sizeof text }))
			return w;
		buf_wipe(&b);
		buf_start(&b, VAULT_SECRET_MAX);
		if (!vault_get(w->s, "all", &b, &e) || b.len != sizeof text || b.at[150] != 'a' + (b.at[0] - '0'))
			return w;
		buf_wipe(&b);
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct worker w[THREADS];

	(void)state;
	for (unsigned n = 0; n < THREADS; n++) {
		w[n] = (struct worker){ .s = s, .number = n };
		assert_int_equal(pthread_create(&w[n].thread, NULL, work, &w[n]), 0);
	}
	for (unsigned n = 0; n < THREADS; n++) {
		void *failed;

		assert_int_equal(pthread_join(w[n].thread, &failed), 0);
		assert_null(failed);
	}
	again(&s, directory);
	for (unsigned n = 0; n < THREADS; n++) {
		char name[32];
		struct buf b;

		(void)snprintf(name, sizeof name, "of %u", n);
		buf_start(&b, VAULT_SECRET_MAX);
		must(vault_get(s, name, &b, &fixture_err));
		buf_wipe(&b);
	}
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_come_back), cmocka_unit_test(they_are_listed), cmocka_unit_test(a_flip_anywhere_in_a_record_is_told),
		cmocka_unit_test(no_new_key_comes_over_what_is_there), cmocka_unit_test(a_damaged_key_stays_as_it_is),
		cmocka_unit_test(a_crash_before_the_first_record_leaves_nothing_in_the_way), cmocka_unit_test(the_key_moves_by_a_wrap),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
