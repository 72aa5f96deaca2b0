/* SPDX-License-Identifier: Apache-2.0 */
#include "store/quota.h"

#include "store/digest.h"
#include "store/domain.h"
#include "store/fixture.h"

static const char *directory;
static struct store *s;

static int begin(void **state)
{
	(void)state;
	directory = fixture_directory();
	s = fixture_store(directory);
	return 0;
}

static int end(void **state)
{
	(void)state;
	(void)fixture_drain(s);
	store_close(&s);
	fixture_remove(directory);
	return 0;
}

static void again(void)
{
	store_close(&s);
	s = fixture_store(directory);
}

static void set_quota(const char *account, uint64_t quota)
{
	must(account_set(s, account, &(struct account_limits){ quota, ACCOUNT_SESSIONS_DEFAULT }, &fixture_err));
}

/* One of `len` octets, CRLF counted. */
static void append(const char *box, size_t len, uint64_t ticket)
{
	char *octets = fixture_octets(len);

	assert_true(len >= 2);
	memcpy(octets + len - 2, "\r\n", 2);
	fixture_append(fixture_box(s, box), (struct span){ octets, len }, NULL, ticket);
	free(octets);
}

/* The tickets that were refused, as bits; all of them say why. */
static uint64_t refused(void)
{
	struct store_done d;
	uint64_t bits = 0;

	while (store_wait(s))
		while (store_next(s, &d)) {
			if (d.good)
				continue;
			assert_int_equal(d.why.kind, ERR_BUSY);
			assert_true(span_starts(span_of(d.why.text), SPAN("over quota: anna has ")));
			bits |= UINT64_C(1) << d.ticket;
		}
	return bits;
}

static void a_message_that_fits_to_the_octet(void **state)
{
	(void)state;
	set_quota("anna", 1000);
	append("anna/INBOX", 1000, 1);
	assert_int_equal(refused(), 0);
	assert_int_equal(quota_usage(s, "anna"), 1000);
	append("anna/INBOX", 2, 1);
	assert_int_equal(refused(), 2);
	set_quota("anna", 1002);
	append("anna/INBOX", 2, 1);
	assert_int_equal(refused(), 0);
	assert_int_equal(quota_usage(s, "anna"), 1002);
	assert_int_equal(mailbox_count(fixture_box(s, "anna/INBOX")), 2);
}

/* The CRLF that POP3 adds is counted. */
static void what_lacks_its_last_line_end(void **state)
{
	(void)state;
	set_quota("anna", 4);
	fixture_append(fixture_box(s, "anna/INBOX"), SPAN("abc"), NULL, 1);
	assert_int_equal(refused(), 2);
	fixture_append(fixture_box(s, "anna/INBOX"), SPAN("ab"), NULL, 1);
	assert_int_equal(refused(), 0);
	assert_int_equal(quota_usage(s, "anna"), 4);
}

/* In one group, and in groups of several boxes that are under way at a time. */
static void what_comes_together_cannot_pass_it_together(void **state)
{
	(void)state;
	set_quota("anna", 1000);
	append("anna/INBOX", 300, 1);	/* alone: the rest waits for it */
	append("anna/INBOX", 300, 2);
	append("anna/INBOX", 300, 3);
	append("anna/INBOX", 300, 4);
	append("anna/lists", 300, 5);
	append("anna/INBOX", 50, 6);
	assert_int_equal(store_waiting(s), 6);
	assert_int_equal(__builtin_popcountll(refused()), 2);
	assert_int_equal(quota_usage(s, "anna"), 950);
	assert_int_equal(mailbox_bytes(fixture_box(s, "anna/INBOX")) + mailbox_bytes(fixture_box(s, "anna/lists")), 950);
}

static void another_account_is_no_matter(void **state)
{
	(void)state;
	must(account_add(s, "ann", SPAN(""), 0, &fixture_err));
	set_quota("anna", 100);
	append("ann/INBOX", 1000, 1);
	append("anna/INBOX", 90, 2);
	assert_int_equal(refused(), 0);
	assert_int_equal(quota_usage(s, "ann"), 1000);
	assert_int_equal(quota_usage(s, "anna"), 90);
	assert_int_equal(quota_usage(s, "an"), 0);
}

static void the_domains_where_there_is_no_own(void **state)
{
	struct domain_info info = { .name = "x.example", .limits = { 500, ACCOUNT_SESSIONS_DEFAULT } };

	(void)state;
	must(domain_add(s, "x.example", &fixture_err) && account_add(s, "a@x.example", SPAN(""), 0, &fixture_err));
	assert_int_equal(quota_in_force(s, "a@x.example"), 0);
	must(domain_set(s, &info, &fixture_err));
	assert_int_equal(quota_in_force(s, "a@x.example"), 500);
	assert_int_equal(quota_in_force(s, "nobody@x.example"), 500);
	assert_int_equal(quota_in_force(s, "anna"), 0);
	set_quota("a@x.example", 0);	/* none, whatever the domain says */
	assert_int_equal(quota_in_force(s, "a@x.example"), 0);
	set_quota("a@x.example", 700);
	assert_int_equal(quota_in_force(s, "a@x.example"), 700);
}

/* Two opens, a second and a third time counted: by what is there, and by what was said. */
static void what_leaves_makes_room(void **state)
{
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	uint64_t uid, usage;

	(void)state;
	append("anna/INBOX", 600, 1);
	append("anna/old", 300, 2);
	assert_int_equal(refused(), 0);
	again();
	assert_false(quota_known(s, "anna", &usage));
	set_quota("anna", 1000);
	append("anna/INBOX", 200, 1);
	assert_int_equal(refused(), 2);
	assert_true(quota_known(s, "anna", &usage) && usage == 900);
	box = fixture_box(s, "anna/INBOX");
	uid = fixture_entry(box, 0).uid;
	mailbox_remove(box, &uid, 1, NULL, 0, 1, 1);
	assert_int_equal(refused(), 0);
	assert_int_equal(quota_usage(s, "anna"), 300);
	must(mailbox_destroy(s, "anna/old", 1, &fixture_err));	/* not opened since */
	assert_int_equal(quota_usage(s, "anna"), 0);
	append("anna/INBOX", 1000, 1);
	assert_int_equal(refused(), 0);
	must(mailbox_destroy(s, "anna/INBOX", 1, &fixture_err));
	assert_int_equal(quota_usage(s, "anna"), 0);
	append("anna/INBOX", 1000, 1);
	append("anna/INBOX", 2, 2);
	assert_int_equal(refused(), 4);
	again();
	assert_int_equal(quota_usage(s, "anna"), 1000);
}

/* It is there: to say "later" would have it fetched again and again. */
static void a_second_copy_is_good(void **state)
{
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct mailbox_source one = fixture_source(1, 1), other = fixture_source(1, 2), mark = { .connection = { 1 } };

	(void)state;
	set_quota("anna", 10);
	fixture_append(box, SPAN("12345678\r\n"), &one, 1);
	assert_int_equal(refused(), 0);
	fixture_append(box, SPAN("12345678\r\n"), &one, 1);
	fixture_append(box, SPAN("12345678\r\n"), &other, 2);
	assert_int_equal(refused(), 4);
	assert_int_equal(mailbox_count(box), 1);
	/* Who was refused has left no mark: it comes again, and stays. */
	assert_true(mailbox_marks(box, one.connection, &mark));
	assert_memory_equal(mark.id, one.id, sizeof mark.id);
	assert_false(mailbox_marks(box, one.connection, &mark));
	set_quota("anna", 20);
	fixture_append(box, SPAN("12345678\r\n"), &other, 2);
	assert_int_equal(refused(), 0);
	assert_int_equal(mailbox_count(box), 2);
}

static size_t blobs(uint64_t first)
{
	struct view *v;
	struct span octets;
	size_t n = 0;

	must(view_begin(store_engine(s), &v, &fixture_err));
	for (uint32_t piece = 0; piece < 64; piece++)
		n += view_blob(v, engine_part_of("mailbox", SPAN("anna/INBOX")), first, piece, &octets);
	view_end(&v);
	return n;
}

/* Many pieces of it never reach the disk, and those that did go again; its digest is that of all of it. */
static void a_large_one_is_not_kept_until_it_is_refused(void **state)
{
	enum { LEN = 20 * MAILBOX_PIECE + 17 };
	char *octets = fixture_octets(LEN);
	struct incoming *in;
	uint8_t digest[32], want[32];
	struct digest *d = digest_new(&fixture_err);

	(void)state;
	set_quota("anna", 3 * MAILBOX_PIECE);
	in = incoming_new(fixture_box(s, "anna/INBOX"), &fixture_err);
	must(in && d);
	for (size_t at = 0; at < LEN; at += 10000)
		must(incoming_add(in, (struct span){ octets + at, LEN - at < 10000 ? LEN - at : 10000 }, &fixture_err));
	incoming_digest(in, digest);
	assert_int_equal(incoming_size(in), LEN);
	incoming_finish(&in, NULL, 1, 0, 1);
	digest_add(d, (struct span){ octets, LEN });
	digest_end(d, want);
	digest_free(&d);
	assert_memory_equal(digest, want, 32);
	assert_int_equal(refused(), 2);
	assert_int_equal(blobs(fixture_first_blob(s)), 0);
	assert_int_equal(quota_usage(s, "anna"), 0);
	/* Nor when it would fit by now. */
	in = incoming_new(fixture_box(s, "anna/INBOX"), &fixture_err);
	must(in && incoming_add(in, (struct span){ octets, LEN }, &fixture_err));
	set_quota("anna", 0);
	incoming_finish(&in, NULL, 1, 0, 1);
	assert_int_equal(refused(), 2);
	in = incoming_new(fixture_box(s, "anna/INBOX"), &fixture_err);
	must(in && incoming_add(in, (struct span){ octets, LEN }, &fixture_err));
	incoming_finish(&in, NULL, 1, 0, 1);
	assert_int_equal(refused(), 0);
	assert_int_equal(quota_usage(s, "anna"), LEN + 2);
	free(octets);
}

/* Counted while a group is under way that began without a quota. */
static void counting_in_the_middle(void **state)
{
	(void)state;
	append("anna/INBOX", 300, 1);
	append("anna/lists", 200, 2);
	assert_int_equal(quota_usage(s, "anna"), 0);	/* nothing is durable, as far as this thread has heard */
	assert_int_equal(refused(), 0);
	assert_int_equal(quota_usage(s, "anna"), 500);
}

/* What is under way and fails gives its room back. */
static void what_failed_gives_its_room_back(void **state)
{
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	struct batch *b = batch_new(engine_part_of("mailbox", SPAN("anna/INBOX")));
	struct store_done d;

	(void)state;
	set_quota("anna", 1000);
	append("anna/INBOX", 100, 1);
	assert_int_equal(refused(), 0);
	must(b && batch_put(b, SPAN("h"), SPAN("somebody else's")));
	must(engine_commit_wait(store_engine(s), &b, &fixture_err));
	append("anna/INBOX", 800, 1);
	must(store_wait(s) && store_next(s, &d));
	assert_false(d.good);
	assert_int_equal(quota_usage(s, "anna"), 100);
	append("anna/lists", 900, 1);
	assert_int_equal(refused(), 0);
	assert_int_equal(mailbox_bytes(box), 100);
}

static void many_accounts_are_found_again(void **state)
{
	char name[32];
	uint64_t usage;

	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		(void)snprintf(name, sizeof name, "a%u", n);
		assert_int_equal(quota_usage(s, name), 0);
	}
	for (unsigned n = 0; n < 1000; n++) {
		(void)snprintf(name, sizeof name, "a%u", n);
		assert_true(quota_known(s, name, &usage));
	}
	assert_false(quota_known(s, "a1000", &usage));
}

static void percentages(void **state)
{
	static const struct row { uint64_t usage, quota; unsigned percent; } rows[] = {
		{ 0, 0, 0 }, { 5, 0, 0 }, { 0, 1, 0 }, { 1, 1, 100 }, { 899, 1000, 89 }, { 900, 1000, 90 }, { 999, 1000, 99 }, { 1000, 1000, 100 },
		{ 1500, 1000, 150 }, { UINT64_MAX, 1, 9999 }, { UINT64_MAX, UINT64_MAX, 100 }, { UINT64_C(1) << 62, UINT64_C(1) << 63, 50 },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		assert_int_equal(quota_percent(r->usage, r->quota), r->percent);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_message_that_fits_to_the_octet), CASE(what_lacks_its_last_line_end), CASE(what_comes_together_cannot_pass_it_together),
		CASE(another_account_is_no_matter), CASE(the_domains_where_there_is_no_own), CASE(what_leaves_makes_room), CASE(a_second_copy_is_good),
		CASE(a_large_one_is_not_kept_until_it_is_refused), CASE(counting_in_the_middle), CASE(what_failed_gives_its_room_back),
		CASE(many_accounts_are_found_again), cmocka_unit_test(percentages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
