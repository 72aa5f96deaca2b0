/* SPDX-License-Identifier: Apache-2.0 */
#include "store/exchange.h"

#include <sys/stat.h>

#include "store/fixture.h"

static const char *const forms[] = { "maildir", "mbox", "eml" };

static const struct row {
	struct span message;
	uint32_t flags;
} rows[] = {
	{ SPAN("Return-Path: <bob@example.org>\r\nSubject: one\r\n\r\nbody\r\n"), 0 },
	{ SPAN("Subject: two\r\n\r\nFrom here on\r\n>From there\r\n.\r\n..\r\n\r\n\r\n"), MAILBOX_SEEN },
	{ SPAN(""), 0 },
	{ SPAN("\r\n"), 0 },
	{ SPAN("no header and NUL \0 in it\r\n"), 0 },
};

static struct mailbox *filled(struct store *s, const char *name)
{
	struct mailbox *box = fixture_box(s, name);

	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct incoming *in = incoming_new(box, &fixture_err);

		must(in && incoming_add(in, r->message, &fixture_err));
		incoming_finish(&in, NULL, 1234567890 + (r - rows), r->flags, 1);
	}
	assert_int_equal(fixture_drain(s), COUNT(rows));
	return box;
}

/* What is exported and imported again is the same mail, as far as a form can say. */
static void each_form_carries_mail_both_ways(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = filled(s, "anna/INBOX");

	(void)state;
	for (size_t f = 0; f < COUNT(forms); f++) {
		char place[256], name[64];
		struct mailbox *back;
		uint64_t count;

		(void)snprintf(place, sizeof place, "%s:%s/out-%s", forms[f], directory, forms[f]);
		must(mailbox_export(box, place, &count, &fixture_err));
		assert_int_equal(count, COUNT(rows));
		(void)snprintf(name, sizeof name, "anna/%s", forms[f]);
		back = fixture_box(s, name);
		must(mailbox_import(back, place, &count, &fixture_err));
		assert_int_equal(count, COUNT(rows));
		for (size_t i = 0; i < COUNT(rows); i++) {
			fixture_holds(back, i, rows[i].message);
			if (f == 0)
				assert_int_equal(fixture_entry(back, i).flags, rows[i].flags);
			if (f < 2)
				assert_int_equal(fixture_entry(back, i).arrived, 1234567890 + (int)i);
		}
	}
	store_close(&s);
	fixture_remove(directory);
}

static void holds(const char *path, struct span want)
{
	char got[512];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(got, 1, sizeof got, f);
	(void)fclose(f);
	assert_int_equal(n, want.len);
	assert_memory_equal(got, want.at, n);
}

static void files_are_as_the_forms_say(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char place[256];
	uint64_t count;

	(void)state;
	fixture_append(box, rows[0].message, NULL, 1);
	fixture_append(box, rows[2].message, NULL, 1);
	fixture_append(box, SPAN("Return-Path: <>\r\n\r\nno end"), NULL, 1);
	assert_int_equal(fixture_drain(s), 3);
	(void)snprintf(place, sizeof place, "mbox:%s/mbox", directory);
	must(mailbox_export(box, place, &count, &fixture_err));
	holds(strchr(place, ':') + 1, SPAN("From bob@example.org Thu Jan  1 00:16:40 1970\nReturn-Path: <bob@example.org>\nSubject: one\n\nbody\n\n"
		"From MAILER-DAEMON Thu Jan  1 00:16:40 1970\n\nFrom MAILER-DAEMON Thu Jan  1 00:16:40 1970\nReturn-Path: <>\n\nno end\n\n"));
	(void)snprintf(place, sizeof place, "eml:%s/a/b", directory);
	must(mailbox_export(box, place, &count, &fixture_err));
	(void)snprintf(place, sizeof place, "%s/a/b/00000003.eml", directory);
	holds(place, SPAN("Return-Path: <>\r\n\r\nno end"));
	store_close(&s);
	fixture_remove(directory);
}

static void nothing_is_overwritten(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = filled(s, "anna/INBOX");
	uint64_t count;

	(void)state;
	for (size_t f = 0; f < COUNT(forms); f++) {
		char place[256];

		(void)snprintf(place, sizeof place, "%s:%s/out-%s", forms[f], directory, forms[f]);
		must(mailbox_export(box, place, &count, &fixture_err));
		if (f == 0) {		/* a Maildir is added to */
			must(mailbox_export(box, place, &count, &fixture_err));
			must(mailbox_import(fixture_box(s, "anna/twice"), place, &count, &fixture_err));
			assert_int_equal(count, 2 * COUNT(rows));
		} else {
			assert_false(mailbox_export(box, place, &count, &fixture_err));
			assert_int_equal(fixture_err.kind, ERR_CONFIG);
			assert_int_equal(count, 0);
		}
	}
	store_close(&s);
	fixture_remove(directory);
}

static void other_forms_are_refused(void **state)
{
	static const char *const places[] = { "", "maildir", "maildir:", "mbox:", "/var/mail/anna", "MBOX:/x", "mh:/x" };
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	uint64_t count;

	(void)state;
	for (size_t i = 0; i < COUNT(places); i++) {
		assert_false(mailbox_export(box, places[i], &count, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		assert_false(mailbox_import(box, places[i], &count, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
	}
	store_close(&s);
	fixture_remove(directory);
}

static void large_messages_go_both_ways(void **state)
{
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	struct mailbox *box = fixture_box(s, "anna/INBOX");
	char *octets = fixture_octets(700000);
	uint64_t count;

	(void)state;
	memcpy(octets + 700000 - 2, "\r\n", 2);
	fixture_append(box, (struct span){ octets, 700000 }, NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	for (size_t f = 0; f < COUNT(forms); f++) {
		char place[256], name[64];

		(void)snprintf(place, sizeof place, "%s:%s/out-%s", forms[f], directory, forms[f]);
		must(mailbox_export(box, place, &count, &fixture_err));
		(void)snprintf(name, sizeof name, "anna/%s", forms[f]);
		must(mailbox_import(fixture_box(s, name), place, &count, &fixture_err));
		fixture_holds(fixture_box(s, name), 0, (struct span){ octets, 700000 });
	}
	store_close(&s);
	free(octets);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_carries_mail_both_ways),
		cmocka_unit_test(files_are_as_the_forms_say),
		cmocka_unit_test(nothing_is_overwritten),
		cmocka_unit_test(other_forms_are_refused),
		cmocka_unit_test(large_messages_go_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
