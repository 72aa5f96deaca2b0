/* SPDX-License-Identifier: Apache-2.0
 *
 * A message that some recipients got and others did not: who is who, and what the postmaster is told. */
#include "store/fixture.h"

#include "base/clock.h"
#include "deliver/parting.h"

enum { LONG = 100000, TEXT_MAX = 64 * 1024 };

static const char *const names[] = { "bert@example.org", "carla@example.org", "dora@example.org", "emil@example.org" };
static const struct deliver_each said[] = {
	{ DELIVER_REFUSED, "no such user", "5.1.1" }, { DELIVER_ACCEPTED, "", "" }, { DELIVER_DEFERRED, "mailbox busy", "4.2.0" },
	{ DELIVER_REFUSED, "over quota for good", "" },
};
static const struct parting mixed = { names, COUNT(names), said };

static void who_is_who([[maybe_unused]] void **state)
{
	static const struct { enum deliver_said said; size_t count, first; } rows[] = {
		{ DELIVER_ACCEPTED, 1, 1 }, { DELIVER_DEFERRED, 1, 2 }, { DELIVER_REFUSED, 2, 0 },
	};
	const char *out[COUNT(names)];
	struct deliver_each *copy;

	for (size_t n = 0; n < COUNT(rows); n++) {
		assert_int_equal(parting_count(&mixed, rows[n].said), rows[n].count);
		assert_int_equal(parting_pick(&mixed, rows[n].said, out), rows[n].count);
		assert_ptr_equal(out[0], names[rows[n].first]);
	}
	assert_ptr_equal(out[1], names[3]);	/* in their order */
	copy = parting_copy(said, COUNT(said));
	assert_memory_equal(copy, said, sizeof said);
	free(copy);
}

static void of_one_kind([[maybe_unused]] void **state)
{
	static const struct deliver_each same[] = { { DELIVER_DEFERRED, "a", "" }, { DELIVER_DEFERRED, "b", "" } };

	assert_false(parting_whole(&mixed));
	assert_true(parting_whole(&(struct parting){ names, 2, same }));
	assert_true(parting_whole(&(struct parting){ names, 1, said }));
	assert_true(parting_whole(&(struct parting){ names, 0, NULL }));
	assert_false(parting_whole(&(struct parting){ names, 2, said }));
}

/* ---- the bounce */

struct trial {
	const char *directory;
	struct store *store;
	struct spool *message;
	struct held_origin origin;
	struct held_new what;
	struct bounced b;
};

static struct trial trial(struct span octets)
{
	struct trial t = { .directory = fixture_directory(), .origin = { .connection = "work" } };

	t.store = fixture_store(t.directory);
	t.message = spool_new(t.directory, &fixture_err);
	must(t.message && spool_add(t.message, octets, &fixture_err));
	t.b = (struct bounced){ .store = t.store, .host = "host.example.org", .target = "relay", .sender = "anna@example.org",
		.to = "postmaster@example.org", .connection = "work", .message = t.message, .arrived = 1000000, .parting = mixed };
	return t;
}

/* Pointers into itself: only where it stays. */
static bool bounces(struct trial *t)
{
	t->what = (struct held_new){ .account = "", .origin = &t->origin };
	t->b.what = &t->what;
	return parting_bounce(&t->b, &fixture_err);
}

static void trial_end(struct trial *t)
{
	spool_free(&t->message);
	store_close(&t->store);
	fixture_remove(t->directory);
}

/* What is held, and its text; false: nothing is. */
static bool held(struct trial *t, struct held_info *info, char text[TEXT_MAX], char to[HELD_ADDRESS_MAX + 1])
{
	struct spool *s;
	const char **recipients;
	size_t count, n = 1, len = 0;

	info->id = 0;
	if (!held_next_of(t->store, "work", info))
		return false;
	must(held_load(t->store, info->id, &s, &recipients, &count, &fixture_err));
	assert_int_equal(count, 1);
	(void)snprintf(to, HELD_ADDRESS_MAX + 1, "%s", recipients[0]);
	free(recipients);
	while (n) {
		must(spool_at(s, len, text + len, TEXT_MAX - 1 - len, &n, &fixture_err));
		len += n;
	}
	text[len] = '\0';
	spool_free(&s);
	return true;
}

static void who_was_refused_is_told(void **state)
{
	struct trial t = trial(SPAN("Subject: hello\r\nX-Mine: 1\r\n\r\nthe body's own\r\n"));
	static char text[TEXT_MAX];
	char to[HELD_ADDRESS_MAX + 1];
	struct held_info info;

	(void)state;
	must(bounces(&t));
	assert_true(held(&t, &info, text, to));
	assert_string_equal(to, "postmaster@example.org");
	assert_string_equal(info.sender, "");
	assert_string_equal(info.target, "relay");
	assert_string_equal(info.origin.connection, "work");
	assert_int_equal(info.state, HELD_WAITING);
	assert_true(info.next <= clock_now_s());	/* due at once */
	for (size_t n = 0; n < COUNT(names); n++)
		assert_int_equal(strstr(text, names[n]) != NULL, said[n].said == DELIVER_REFUSED);
	assert_true(strstr(text, "no such user") && strstr(text, "over quota for good") && strstr(text, "5.1.1"));
	assert_null(strstr(text, "mailbox busy"));
	assert_non_null(strstr(text, "X-Mine: 1\r\n"));
	assert_non_null(strstr(text, "MAILER-DAEMON@host.example.org"));
	trial_end(&t);
}

static void nobody_was_refused(void **state)
{
	struct trial t = trial(SPAN("Subject: hello\r\n\r\n"));
	struct held_info info = { .id = 0 };

	(void)state;
	t.b.parting = (struct parting){ names + 1, 2, said + 1 };
	t.b.sender = "";	/* then it does not matter whose it is */
	must(bounces(&t));
	assert_false(held_next_of(t.store, "work", &info));
	trial_end(&t);
}

/* Of a header that never ends so much is shown as fits; of one that is empty nothing. */
static void odd_messages(void **state)
{
	static char text[TEXT_MAX];
	char *octets = malloc(LONG), to[HELD_ADDRESS_MAX + 1];
	const struct span rows[] = { { octets, LONG }, SPAN(""), SPAN("\r\n\r\n"), SPAN("no line end") };
	struct held_info info;

	(void)state;
	assert_non_null(octets);
	memset(octets, 'x', LONG);
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct trial t = trial(rows[n]);

		must(bounces(&t));
		assert_true(held(&t, &info, text, to) && info.size < TEXT_MAX - 1);
		assert_non_null(strstr(text, names[0]));
		trial_end(&t);
	}
	free(octets);
}

/* Octet by octet, between the parts; larger than what a buffer holds. */
static void the_whole_message_goes_with_it(void **state)
{
	enum { SIZE = 200000, ALL = SIZE + TEXT_MAX };
	char *octets = malloc(SIZE), *text = calloc(1, ALL), *at;
	const char **recipients;
	struct held_info info = { .id = 0 };
	struct spool *s;
	struct trial t;
	size_t count, n = 1, len = 0;

	(void)state;
	assert_true(octets && text);
	memset(octets, 'x', SIZE);
	memcpy(octets, "Subject: hello\r\n\r\n--=_\r\n", 24);
	t = trial((struct span){ octets, SIZE });
	t.b.whole = true;
	must(bounces(&t));
	assert_true(held_next_of(t.store, "work", &info));
	must(held_load(t.store, info.id, &s, &recipients, &count, &fixture_err));
	for (; n; len += n)
		must(spool_at(s, len, text + len, ALL - len, &n, &fixture_err));
	at = memmem(text, len, octets, SIZE);
	assert_non_null(at);
	assert_memory_equal(at - 4, "\r\n\r\n", 4);
	assert_non_null(strstr(text, "Content-Type: message/rfc822\r\n"));
	assert_null(strstr(text, "text/rfc822-headers"));
	assert_memory_equal(at + SIZE, "\r\n--=_", 6);
	assert_memory_equal(text + len - 4, "--\r\n", 4);
	spool_free(&s);
	free(recipients);
	free(octets);
	free(text);
	trial_end(&t);
}

static void some_are_too_large(void **state)
{
	enum { PART = 1 << 20 };
	char *octets = calloc(1, PART);
	struct trial t = trial(SPAN(""));

	(void)state;
	for (size_t n = 0; n < PARTING_WHOLE_MAX; n += PART)
		must(spool_add(t.message, (struct span){ octets, PART }, &fixture_err));
	assert_true(parting_attaches(t.message));
	must(spool_add(t.message, SPAN("x"), &fixture_err));
	assert_false(parting_attaches(t.message));
	free(octets);
	trial_end(&t);
}

static void each_has_an_id_of_its_own(void **state)
{
	struct trial t = trial(SPAN("Subject: hello\r\n\r\n"));
	static char text[2][TEXT_MAX];
	char to[HELD_ADDRESS_MAX + 1], *ids[2];
	struct held_info info;

	(void)state;
	for (size_t n = 0; n < 2; n++) {
		must(bounces(&t));
		assert_true(held(&t, &info, text[n], to));
		ids[n] = strstr(text[n], "Message-ID: <");
		assert_non_null(ids[n]);
		*strchr(ids[n], '\r') = '\0';
		must(held_remove(t.store, info.id, &fixture_err));
	}
	assert_string_not_equal(ids[0], ids[1]);
	trial_end(&t);
}

static void what_cannot_be_held_is_said(void **state)
{
	struct trial t = trial(SPAN("Subject: hello\r\n\r\n"));
	struct held_info info = { .id = 0 };
	char to[HELD_ADDRESS_MAX + 2];

	(void)state;
	memset(to, 'a', sizeof to);
	to[sizeof to - 1] = '\0';
	t.b.to = to;
	assert_false(bounces(&t));
	assert_int_equal(strncmp(fixture_err.text, "telling aaaa", 12), 0);
	assert_false(held_next_of(t.store, "work", &info));
	trial_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_who), cmocka_unit_test(of_one_kind), cmocka_unit_test(who_was_refused_is_told), cmocka_unit_test(nobody_was_refused),
		cmocka_unit_test(odd_messages), cmocka_unit_test(each_has_an_id_of_its_own), cmocka_unit_test(what_cannot_be_held_is_said),
		cmocka_unit_test(the_whole_message_goes_with_it), cmocka_unit_test(some_are_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
