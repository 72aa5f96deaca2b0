/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "store/mdir_fixture.h"

static void a_name_gets_the_flag([[maybe_unused]] void **state)
{
	static const struct row { const char *name, *want; } rows[] = {
		{ "1.a.host", "1.a.host:2,S" }, { "1:2,", "1:2,S" }, { "1:2,F", "1:2,FS" }, { "1:2,FR", "1:2,FRS" }, { "1:2,T", "1:2,ST" },
		{ "1:2,DFRT", "1:2,DFRST" }, { "1:2,Fab", "1:2,FSab" }, { "1:2,a", "1:2,Sa" }, { "1,S=3,W=4:2,", "1,S=3,W=4:2,S" },
		{ "1:2,F,x=S", "1:2,FS,x=S" }, { "1:1,x", "1:1,x:2,S" }, { "1:2,S", NULL }, { "1:2,RS", NULL }, { "1:2,FSab", NULL }, { "S", "S:2,S" },
	};
	char out[NAME_MAX + 1], longest[NAME_MAX + 1];

	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		bool said = mdir_name_seen(r->name, out);

		if (said != (r->want != NULL) || (said && strcmp(out, r->want) != 0))
			fail_msg("%s: %s", r->name, said ? out : "false");
	}
	memset(longest, 'x', NAME_MAX);
	longest[NAME_MAX] = '\0';
	assert_false(mdir_name_seen(longest, out));
	longest[NAME_MAX - 4] = '\0';
	assert_true(mdir_name_seen(longest, out) && strlen(out) == NAME_MAX);
	longest[NAME_MAX - 4] = 'x';
	longest[NAME_MAX - 3] = '\0';
	assert_false(mdir_name_seen(longest, out));
}

static void mark(struct maildrop *drop, uint32_t number, uint32_t marks)
{
	drop_mark(&maildrop_messages(drop)[number - 1], marks);
}

static void put_each(const struct box_of_others *b, const char *const *names)
{
	for (; *names; names++)
		others_put(b, *names, SPAN("a\n"));
}

static const char *const eight[] = { "new/1", "new/2", "cur/3:2,", "cur/4:2,FT", "cur/5:2,S", "new/6", "new/7", "cur/8:2,", NULL };

static void what_was_deleted_goes_and_what_was_read_is_seen([[maybe_unused]] void **state)
{
	static const struct row { bool deletions, seen; const char *left[9]; } rows[] = {
		{ true, true, { "cur/2:2,S", "cur/4:2,FST", "cur/5:2,S", "new/6", "new/7", "cur/8:2,", NULL } },
		{ true, false, { "new/2", "cur/4:2,FT", "cur/5:2,S", "new/6", "new/7", "cur/8:2,", NULL } },
		{ false, true, { "cur/1:2,S", "cur/2:2,S", "cur/3:2,", "cur/4:2,FST", "cur/5:2,S", "new/6", "new/7", "cur/8:2,", NULL } },
		{ false, false, { "new/1", "new/2", "cur/3:2,", "cur/4:2,FT", "cur/5:2,S", "new/6", "new/7", "cur/8:2,", NULL } },
	};

	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct box_of_others b = others_start();
		size_t descriptors = others_descriptors(), left = 0;
		struct maildrop *drop, *later;

		put_each(&b, eight);
		drop = others_open(&b);
		assert_int_equal(maildrop_count(drop), 8);
		mark(drop, 1, DROP_DELETED | DROP_READ);
		mark(drop, 2, DROP_READ);
		mark(drop, 3, DROP_DELETED);
		mark(drop, 4, DROP_READ);
		mark(drop, 5, DROP_READ);		/* was seen before */
		must(maildrop_apply(drop, r->deletions, r->seen, &fixture_err));
		for (; r->left[left]; left++)
			if (!others_see(&b, r->left[left]))
				fail_msg("row %zu: %s is not there", (size_t)(r - rows), r->left[left]);
		maildrop_close(&drop);
		later = others_open(&b);
		assert_int_equal(maildrop_count(later), left);
		maildrop_close(&later);
		assert_int_equal(others_descriptors(), descriptors);
		others_end(&b);
	}
}

/* Others rename and remove what the session is about to: it is found, or gone already. */
static void names_may_change_meanwhile([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	struct maildrop *drop;

	put_each(&b, eight);
	others_put(&b, "new/90", SPAN("a\n"));
	drop = others_open(&b);
	for (uint32_t n = 1; n <= 8; n++)
		mark(drop, n, n <= 4 ? DROP_DELETED : DROP_READ);
	others_rename(&b, "new/1", "cur/1:2,");
	others_remove(&b, "new/2");
	others_rename(&b, "cur/3:2,", "cur/3:2,RS");
	others_rename(&b, "cur/4:2,FT", "cur/4:2,");
	others_rename(&b, "new/6", "cur/6:2,F");
	others_remove(&b, "new/7");
	others_rename(&b, "cur/8:2,", "cur/8:2,S");
	others_put(&b, "new/9", SPAN("came later\n"));
	must(maildrop_apply(drop, true, true, &fixture_err));
	for (const char *const *gone = (const char *const[]){ "cur/1:2,", "cur/3:2,RS", "cur/4:2,", "new/2", NULL }; *gone; gone++)
		assert_false(others_see(&b, *gone));
	for (const char *const *there = (const char *const[]){ "cur/5:2,S", "cur/6:2,FS", "cur/8:2,S", "new/90", "new/9", NULL }; *there; there++)
		if (!others_see(&b, *there))
			fail_msg("%s", *there);
	maildrop_close(&drop);
	others_end(&b);
}

/* No descriptor to look for it with: that it is gone nobody knows, and QUIT must not say so. */
static void what_cannot_be_looked_for_is_told([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	struct rlimit was, few;
	struct maildrop *drop;
	int next;

	put_each(&b, eight);
	drop = others_open(&b);
	mark(drop, 1, DROP_DELETED);
	others_rename(&b, "new/1", "cur/1:2,S");
	next = dup(0);
	assert_true(next >= 0 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &was) == 0);
	few = (struct rlimit){ (rlim_t)next + 2, was.rlim_max };	/* both folders, and no more */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_false(maildrop_apply(drop, true, true, &fixture_err));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_non_null(strstr(fixture_err.text, "1 message not removed"));
	assert_true(others_see(&b, "cur/1:2,S"));
	must(maildrop_apply(drop, true, true, &fixture_err));
	assert_false(others_see(&b, "cur/1:2,S"));
	maildrop_close(&drop);
	others_end(&b);
}

/* A folder in the place of a file: even root cannot unlink it. */
static void what_stays_is_told([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	struct maildrop *drop;

	put_each(&b, eight);
	drop = others_open(&b);
	for (uint32_t n = 1; n <= 3; n++) {
		mark(drop, n, DROP_DELETED);
		if (n == 1)
			continue;
		others_remove(&b, eight[n - 1]);
		assert_int_equal(mkdir(others_path(&b, eight[n - 1]), 0700), 0);
	}
	assert_false(maildrop_apply(drop, true, true, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	if (!strstr(fixture_err.text, "2 messages not removed: "))
		fail_msg("%s", fixture_err.text);
	assert_non_null(strstr(fixture_err.text, "Maildir/new/2 cannot be removed"));
	assert_false(others_see(&b, "new/1"));		/* the others go */
	maildrop_close(&drop);
	others_end(&b);
}

/* That \Seen was lost is no business of QUIT's; who asks for nothing else is told. */
static void a_flag_that_was_lost_is_told_alone([[maybe_unused]] void **state)
{
	struct box_of_others b = others_start();
	struct maildrop *drop;

	put_each(&b, eight);
	drop = others_open(&b);
	mark(drop, 1, DROP_READ);
	mark(drop, 2, DROP_DELETED);
	assert_int_equal(rename(others_path(&b, "cur"), others_path(&b, "away")), 0);
	must(maildrop_apply(drop, true, true, &fixture_err));
	assert_true(others_see(&b, "new/1") && !others_see(&b, "new/2"));
	assert_int_equal(rename(others_path(&b, "new"), others_path(&b, "away/new")), 0);
	assert_false(maildrop_apply(drop, true, true, &fixture_err));	/* the disk is away: who knows */
	assert_non_null(strstr(fixture_err.text, "is not there any more"));
	maildrop_close(&drop);
	others_end(&b);
}

/* Another client's flags, set and taken as fast as it can, while all is deleted or read. */
struct flagger {
	const struct box_of_others *b;
	pthread_t thread;
	_Atomic bool over;
};

static void *flag_on(void *user)
{
	struct flagger *f = user;

	for (unsigned n = 0; !f->over; n++) {
		char plain[64], flagged[64], to[512];

		(void)snprintf(plain, sizeof plain, "cur/%06u:2,", n % 200);
		(void)snprintf(flagged, sizeof flagged, "cur/%06u:2,F", n % 200);
		(void)snprintf(to, sizeof to, "%s/%s", f->b->path, flagged);
		if (rename(others_path(f->b, plain), to) != 0)
			(void)rename(to, others_path(f->b, plain));
	}
	return NULL;
}

static void nothing_stays_by_a_race([[maybe_unused]] void **state)
{
	for (int round = 0; round < 10; round++) {
		struct box_of_others b = others_start();
		struct flagger f = { .b = &b };
		struct maildrop *drop, *later;

		for (unsigned n = 0; n < 200; n++) {
			char name[64];

			(void)snprintf(name, sizeof name, "cur/%06u:2,", n);
			others_put(&b, name, SPAN("a\n"));
		}
		drop = others_open(&b);
		for (uint32_t n = 1; n <= 200; n++)
			mark(drop, n, DROP_DELETED);
		assert_int_equal(pthread_create(&f.thread, NULL, flag_on, &f), 0);
		must(maildrop_apply(drop, true, true, &fixture_err));
		f.over = true;
		assert_int_equal(pthread_join(f.thread, NULL), 0);
		maildrop_close(&drop);
		later = others_open(&b);
		assert_int_equal(maildrop_count(later), 0);
		maildrop_close(&later);
		others_end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_gets_the_flag),
		cmocka_unit_test(what_was_deleted_goes_and_what_was_read_is_seen),
		cmocka_unit_test(names_may_change_meanwhile),
		cmocka_unit_test(what_cannot_be_looked_for_is_told),
		cmocka_unit_test(what_stays_is_told),
		cmocka_unit_test(a_flag_that_was_lost_is_told_alone),
		cmocka_unit_test(nothing_stays_by_a_race),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
