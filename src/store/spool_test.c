/* SPDX-License-Identifier: Apache-2.0 */
#include "store/spool.h"

#include <signal.h>
#include <sys/resource.h>

#include "store/digest.h"
#include "store/fixture.h"

static void holds(const struct spool *s, struct span want)
{
	struct fixture_text got = { 0 };

	must(spool_read(s, fixture_collect, &got, &fixture_err));
	assert_int_equal(got.len, want.len);
	if (want.len)
		assert_memory_equal(got.at, want.at, want.len);
	free(got.at);
}

/* The same from any place on, in pieces of any size. */
static void holds_at(const struct spool *s, struct span want, size_t from, size_t room)
{
	char *piece = malloc(room);
	size_t n = 1;

	assert_non_null(piece);
	while (n) {
		must(spool_at(s, from, piece, room, &n, &fixture_err));
		assert_true(n <= room && from + n <= want.len);
		if (n)
			assert_memory_equal(piece, want.at + from, n);
		from += n;
	}
	assert_int_equal(from, want.len);
	free(piece);
}

static void what_goes_in_comes_out(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, SPOOL_MEMORY - 1, SPOOL_MEMORY, SPOOL_MEMORY + 1, 4 * SPOOL_MEMORY };
	static const size_t steps[] = { 1000, 16384, SPOOL_MEMORY, 4 * SPOOL_MEMORY };
	const char *directory = fixture_directory();
	char *octets = fixture_octets(4 * SPOOL_MEMORY);

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		for (size_t k = 0; k < COUNT(steps); k++) {
			struct spool *s = spool_new(directory, &fixture_err);
			struct digest *d = digest_new(&fixture_err);
			uint8_t got[32], want[32];

			must(s && d);
			for (size_t at = 0; at < sizes[i]; at += steps[k]) {
				size_t n = sizes[i] - at < steps[k] ? sizes[i] - at : steps[k];

				must(spool_add(s, (struct span){ octets + at, n }, &fixture_err));
			}
			must(spool_add(s, SPAN(""), &fixture_err));
			assert_int_equal(spool_size(s), sizes[i]);
			assert_in_range(spool_in_memory(s), 0, SPOOL_MEMORY);
			assert_true(sizes[i] > SPOOL_MEMORY || spool_in_memory(s) == sizes[i]);
			holds(s, (struct span){ octets, sizes[i] });
			holds_at(s, (struct span){ octets, sizes[i] }, sizes[i] / 3, 5000);
			holds_at(s, (struct span){ octets, sizes[i] }, 0, 4 * SPOOL_MEMORY);
			digest_add(d, (struct span){ octets, sizes[i] });
			digest_end(d, want);
			spool_digest(s, got);
			assert_memory_equal(got, want, sizeof want);
			spool_digest(s, got);	/* again */
			assert_memory_equal(got, want, sizeof want);
			digest_free(&d);
			spool_free(&s);
			assert_null(s);
		}
	assert_int_equal(rmdir(directory), 0);	/* no file has a name */
	free(octets);
}

/* Lead and message come out as one, from wherever; the message's own size, octets and digest know nothing of it. */
static void a_lead_goes_out_first([[maybe_unused]] void **state)
{
	static const size_t sizes[] = { 0, 1, 5000, SPOOL_MEMORY + 5000 };
	const char *directory = fixture_directory(), *const leads[] = { "Delivered-To: a\r\nX-Real-To: b\r\n", "", "x", NULL };
	char *all = fixture_octets(2 * SPOOL_MEMORY);

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct spool *s = spool_new(directory, &fixture_err);
		struct span own = { all + 100, sizes[i] };
		uint8_t before[32], after[32];

		must(s && spool_add(s, own, &fixture_err));
		spool_digest(s, before);
		for (const char *const *lead = leads; *lead; lead++) {
			struct span said = span_of(*lead), whole = { own.at - said.len, said.len + own.len };
			struct fixture_text got = { 0 };
			size_t n;
			char one;

			memcpy(all + 100 - said.len, said.at, said.len);
			must(spool_lead(s, said, &fixture_err));
			assert_int_equal(spool_size(s), whole.len);
			assert_int_equal(spool_own_size(s), own.len);
			holds(s, whole);
			for (size_t from = 0; from <= whole.len && from < 60; from++)
				holds_at(s, whole, from, 7 + from * 1000);
			must(spool_own_read(s, fixture_collect, &got, &fixture_err));
			assert_int_equal(got.len, own.len);
			assert_true(!own.len || memcmp(got.at, own.at, own.len) == 0);
			must(spool_own_at(s, 0, &one, 1, &n, &fixture_err));
			assert_true(own.len ? n == 1 && one == own.at[0] : n == 0);
			spool_digest(s, after);
			assert_memory_equal(before, after, sizeof before);
			free(got.at);
		}
		spool_free(&s);
	}
	fixture_remove(directory);
	free(all);
}

/* A limit of the file's size stands for a full disk. */
static void what_finds_no_room_is_told_to_who_reads_it([[maybe_unused]] void **state)
{
	const struct rlimit narrow = { 2 * SPOOL_MEMORY, RLIM_INFINITY };
	const char *directory = fixture_directory();
	char *octets = fixture_octets(SPOOL_MEMORY), one;
	struct span piece = { octets, SPOOL_MEMORY };
	struct spool *s = spool_new(directory, &fixture_err), *next = spool_new(directory, &fixture_err);
	struct digest *d = digest_new(&fixture_err);
	struct fixture_text got = { 0 };
	uint8_t had[32], want[32];
	struct rlimit before;
	size_t n = 1;

	must(s && next && d);
	assert_int_equal(sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &narrow), 0);
	for (size_t pieces = 1; pieces <= 6; pieces++) {
		assert_int_equal(spool_add(s, piece, &fixture_err), pieces <= 3);
		assert_int_equal(spool_size(s), pieces * SPOOL_MEMORY);
		digest_add(d, piece);
	}
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_non_null(strstr(fixture_err.text, "File too large"));
	must(spool_lead(s, SPAN("Delivered-To: anna\r\n"), &fixture_err));
	assert_false(spool_read(s, fixture_collect, &got, &fixture_err) || spool_own_read(s, fixture_collect, &got, &fixture_err));
	assert_int_equal(got.len, 0);		/* not a part of it */
	assert_false(spool_at(s, 0, &one, 1, &n, &fixture_err) || n || spool_own_at(s, 0, &one, 1, &n, &fixture_err) || n);
	assert_non_null(strstr(fixture_err.text, "File too large"));
	digest_end(d, want);
	spool_digest(s, had);
	assert_memory_equal(had, want, sizeof want);
	must(spool_add(next, piece, &fixture_err) && spool_add(next, piece, &fixture_err));	/* the next one finds room */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	digest_free(&d);
	spool_free(&s);
	spool_free(&next);
	fixture_remove(directory);
	free(octets);
}

static void all_spools_share_an_allowance(void **state)
{
	enum { FIT = SPOOL_ALL / SPOOL_MEMORY };
	const char *directory = fixture_directory();
	char *octets = fixture_octets(SPOOL_MEMORY);
	struct span message = { octets, SPOOL_MEMORY };
	static struct spool *all[FIT + 2];

	(void)state;
	for (size_t n = 0; n < COUNT(all); n++) {
		all[n] = spool_new(directory, &fixture_err);
		must(all[n] && spool_add(all[n], message, &fixture_err));
		assert_int_equal(spool_in_memory(all[n]), n < FIT ? SPOOL_MEMORY : 0);
	}
	holds(all[0], message);
	holds(all[FIT], message);
	spool_free(&all[0]);
	all[0] = spool_new(directory, &fixture_err);
	must(all[0] && spool_add(all[0], message, &fixture_err));
	assert_int_equal(spool_in_memory(all[0]), SPOOL_MEMORY);	/* what one gave back */
	for (size_t n = 0; n < COUNT(all); n++)
		spool_free(&all[n]);
	free(octets);
	fixture_remove(directory);
}

static void is_in_file(const struct spool *s, struct span want)
{
	char *got = fixture_octets(want.len + 1);
	int fd = spool_file(s, &fixture_err);

	must(fd >= 0);
	assert_int_equal(read(fd, got, want.len + 1), want.len);
	assert_memory_equal(got, want.at, want.len);
	assert_int_equal(close(fd), 0);
	free(got);
}

static void it_is_handed_out_as_a_file([[maybe_unused]] void **state)
{
	enum { LARGE = SPOOL_MEMORY + 12345 };
	const char *directory = fixture_directory();
	char *octets = fixture_octets(LARGE);
	struct spool *s = spool_new(directory, &fixture_err);

	must(s);
	is_in_file(s, SPAN(""));
	must(spool_add(s, (struct span){ octets + 2, 1000 }, &fixture_err));
	is_in_file(s, (struct span){ octets + 2, 1000 });
	must(spool_add(s, (struct span){ octets + 1002, LARGE - 1002 }, &fixture_err));
	must(spool_lead(s, (struct span){ octets, 2 }, &fixture_err));
	is_in_file(s, (struct span){ octets, LARGE });
	is_in_file(s, (struct span){ octets, LARGE });
	spool_free(&s);
	s = spool_new("/nonexistent/state", &fixture_err);
	must(s && spool_add(s, (struct span){ octets, 10 }, &fixture_err));
	assert_int_equal(spool_file(s, &fixture_err), -1);
	assert_non_null(strstr(fixture_err.text, "/nonexistent/state"));
	assert_false(spool_add(s, (struct span){ octets, SPOOL_MEMORY }, &fixture_err));
	assert_int_equal(spool_file(s, &fixture_err), -1);
	spool_free(&s);
	free(octets);
}

static bool stop(void *user, struct span octets)
{
	(void)user;
	(void)octets;
	return false;
}

static void failures_are_said(void **state)
{
	char *octets = fixture_octets(SPOOL_MEMORY);
	struct spool *s = spool_new("/nonexistent/state", &fixture_err);

	(void)state;
	must(s && spool_add(s, (struct span){ octets, SPOOL_MEMORY }, &fixture_err));
	assert_false(spool_add(s, SPAN("x"), &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_non_null(strstr(fixture_err.text, "/nonexistent/state"));
	assert_int_equal(spool_size(s), SPOOL_MEMORY + 1);
	assert_false(spool_read(s, stop, NULL, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "/nonexistent/state"));
	spool_free(&s);
	s = spool_new("/nonexistent/state", &fixture_err);
	must(s && spool_add(s, (struct span){ octets, SPOOL_MEMORY }, &fixture_err));
	holds(s, (struct span){ octets, SPOOL_MEMORY });
	assert_false(spool_read(s, stop, NULL, &fixture_err));
	assert_non_null(strstr(fixture_err.text, "was ended"));
	must(spool_lead(s, SPAN("x"), &fixture_err));
	assert_false(spool_read(s, stop, NULL, &fixture_err));
	spool_free(&s);
	free(octets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(a_lead_goes_out_first),
		cmocka_unit_test(what_finds_no_room_is_told_to_who_reads_it),
		cmocka_unit_test(all_spools_share_an_allowance),
		cmocka_unit_test(it_is_handed_out_as_a_file),
		cmocka_unit_test(failures_are_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
