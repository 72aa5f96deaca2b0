/* SPDX-License-Identifier: Apache-2.0 */
#include "store/place.h"

#include <errno.h>
#include <sys/stat.h>

#include "store/domain.h"
#include "store/fixture.h"
#include "store/maildrop.h"
#include "store/record.h"

static const char *directory;

static struct store *begin(void)
{
	struct store *s;

	directory = fixture_directory();
	s = fixture_store(directory);
	must(account_add(s, "bert@client1.com", SPAN(""), 0, &fixture_err));
	must(account_add(s, "carl@client1.com", SPAN(""), 0, &fixture_err));
	must(domain_add(s, "client1.com", &fixture_err));
	return s;
}

static void end(struct store *s)
{
	store_close(&s);
	fixture_remove(directory);
}

/* Where the box lies: "store", or the path. */
static void lies(struct store *s, const char *box, const char *own, const char *want)
{
	struct place place;

	must(place_find(s, box, own, &place, &fixture_err));
	assert_string_equal(place.kind == PLACE_STORE ? "store" : place.path, want);
	assert_true(place.kind == PLACE_MAILDIR || (!*place.path && !place.account_len));
}

static void refused(struct store *s, const char *box, const char *own, const char *says)
{
	struct place place;

	if (place_find(s, box, own, &place, &fixture_err))
		fail_msg("%s is at %s", box, place.path);
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	if (!strstr(fixture_err.text, says))
		fail_msg("%s: %s", box, fixture_err.text);
	assert_true(place.kind == PLACE_STORE && !*place.path && !place.account_len);
}

static void the_first_that_says_anything_decides(void **state)
{
	struct store *s = begin();

	(void)state;
	lies(s, "bert@client1.com/INBOX", NULL, "store");
	lies(s, "bert@client1.com/INBOX", "", "store");
	store_maildirs(s, "/all/%u");
	lies(s, "bert@client1.com/INBOX", NULL, "/all/bert@client1.com");
	lies(s, "anna/INBOX", NULL, "/all/anna");
	lies(s, "unknown@elsewhere/INBOX", NULL, "/all/unknown@elsewhere");
	must(place_set_domain(s, "Client1.com", "/d/%n", &fixture_err));
	lies(s, "bert@client1.com/INBOX", NULL, "/d/bert");
	lies(s, "unknown@client1.com/inbox", NULL, "/d/unknown");
	lies(s, "anna/INBOX", NULL, "/all/anna");
	must(place_set_account(s, "Bert@client1.com", "/own//%d/", &fixture_err));
	lies(s, "bert@client1.com/INBOX", NULL, "/own/client1.com");
	lies(s, "Carl@Client1.com/INBOX", NULL, "/d/carl");
	lies(s, "bert@client1.com/INBOX", "/source//of%20users/", "/source/of%20users");
	must(place_set_account(s, "bert@client1.com", "none", &fixture_err));
	lies(s, "bert@client1.com/INBOX", NULL, "store");
	lies(s, "bert@client1.com/INBOX", "/source", "/source");
	store_close(&s);
	s = fixture_store(directory);
	lies(s, "bert@client1.com/INBOX", NULL, "store");
	lies(s, "carl@client1.com/INBOX", NULL, "/d/carl");
	lies(s, "anna/INBOX", NULL, "store");	/* who opens a store says the default */
	must(place_set_domain(s, "client1.com", "none", &fixture_err));
	store_maildirs(s, "/all/%u");
	lies(s, "carl@client1.com/INBOX", NULL, "store");
	must(place_set_domain(s, "client1.com", "default", &fixture_err));
	lies(s, "carl@client1.com/INBOX", NULL, "/all/carl@client1.com");
	must(place_set_account(s, "bert@client1.com", "default", &fixture_err));
	lies(s, "bert@client1.com/INBOX", NULL, "/all/bert@client1.com");
	store_maildirs(s, "");
	lies(s, "bert@client1.com/INBOX", NULL, "store");
	end(s);
}

static void a_box_is_a_folder(void **state)
{
	static const struct row { const char *box, *want; } rows[] = {
		{ "anna/INBOX", "/m/anna" }, { "anna/iNbOx", "/m/anna" }, { "anna/lists", "/m/anna/.lists" }, { "anna/lists/info", "/m/anna/.lists.info" },
		{ "anna/inbox/old", "/m/anna/.INBOX.old" }, { "anna/Entw\xc3\xbcrfe", "/m/anna/.Entw&APw-rfe" }, { "anna/a&b", "/m/anna/.a&-b" },
	};
	struct store *s = begin();
	struct place place;
	char deep[MAILBOX_NAME_MAX + 1];

	(void)state;
	store_maildirs(s, "/m/%n");
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		lies(s, r->box, NULL, r->want);
		must(place_find(s, r->box, NULL, &place, &fixture_err));
		assert_int_equal(place.account_len, strlen("/m/anna"));
	}
	refused(s, "anna/lists.info", NULL, "has no \".\"");
	refused(s, "anna/x/.hidden", NULL, "has no \".\"");
	refused(s, "anna/a\xff", NULL, "is UTF-8");
	refused(s, "anna/../b", NULL, "\"..\"");
	refused(s, "anna/INBOX", "relative", "no absolute path");
	refused(s, "anna/INBOX", "/a/../b", "\"..\"");
	refused(s, "..@x/INBOX", NULL, "cannot be part");
	refused(s, ".lists/INBOX", NULL, "cannot be part");
	refused(s, "anna", NULL, "ACCOUNT/BOX");
	refused(s, "/INBOX", NULL, "");
	store_maildirs(s, "/m/%d/%n");
	refused(s, "anna/INBOX", NULL, "has no domain");
	store_maildirs(s, "/m/%n");
	(void)snprintf(deep, sizeof deep, "a/%s", "x");
	for (size_t n = 3; n < MAILBOX_NAME_MAX; n += 2) {	/* each & becomes two */
		memcpy(deep + n, "&&", 2);
		deep[n + 2 > MAILBOX_NAME_MAX ? MAILBOX_NAME_MAX : n + 2] = '\0';
	}
	refused(s, deep, NULL, "too long");
	end(s);
}

static void only_good_settings_are_kept(void **state)
{
	struct store *s = begin();
	char text[TEMPLATE_MAX + 1], big[TEMPLATE_MAX + 2] = "/";

	(void)state;
	memset(big + 1, 'x', TEMPLATE_MAX);
	assert_false(place_set_account(s, "anna", "Maildir", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "maildir: Maildir is no absolute path"));
	assert_false(place_set_account(s, "anna", "/x/%q", &fixture_err));
	assert_false(place_set_account(s, "anna", big, &fixture_err));
	assert_false(place_set_account(s, "anna", "/%d/x", &fixture_err));	/* it has no domain */
	assert_false(place_set_account(s, "nobody", "/x", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "postrider account add nobody"));
	assert_false(place_set_domain(s, "client1.com", "/same", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "neither %u"));
	assert_false(place_set_domain(s, "nowhere", "/%n", &fixture_err));
	place_get(s, "anna", text);
	assert_string_equal(text, "");
	place_get(s, "@client1.com", text);
	assert_string_equal(text, "");
	big[TEMPLATE_MAX] = '\0';
	must(place_set_account(s, "anna", big, &fixture_err));
	place_get(s, "anna", text);
	assert_string_equal(text, big);
	must(place_set_domain(s, "client1.com", "/d/%n", &fixture_err));
	place_get(s, "@client1.com", text);
	assert_string_equal(text, "/d/%n");
	end(s);
}

/* Who is made anew under a name has nothing of its predecessor's. */
static void a_setting_goes_with_its_owner(void **state)
{
	struct store *s = begin();

	(void)state;
	must(place_set_account(s, "bert@client1.com", "/old", &fixture_err) && place_set_domain(s, "client1.com", "/d/%n", &fixture_err));
	must(account_passwd(s, "bert@client1.com", SPAN("x"), 0, &fixture_err));
	lies(s, "bert@client1.com/INBOX", NULL, "/old");
	must(account_remove(s, "bert@client1.com", true, 1000, &fixture_err) && account_add(s, "bert@client1.com", SPAN(""), 0, &fixture_err));
	lies(s, "bert@client1.com/INBOX", NULL, "/d/bert");
	must(account_remove(s, "bert@client1.com", true, 1000, &fixture_err) && account_remove(s, "carl@client1.com", true, 1000, &fixture_err));
	must(domain_remove(s, "client1.com", &fixture_err) && domain_add(s, "client1.com", &fixture_err));
	lies(s, "bert@client1.com/INBOX", NULL, "store");
	end(s);
}

/* Such a box is neither opened nor made, nor does one that was opened before take any more. */
static void nothing_is_put_where_nobody_looks(void **state)
{
	struct store *s = begin();
	struct mailbox *box = fixture_box(s, "anna/INBOX"), *again;

	(void)state;
	must(place_set_account(s, "anna", "/x", &fixture_err));
	assert_false(mailbox_open(s, "anna/INBOX", true, &again, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "anna/INBOX lies in the Maildir /x"));
	assert_false(mailbox_open(s, "anna/other", true, &again, &fixture_err));
	assert_false(mailbox_add(s, "anna/other", &fixture_err));
	assert_non_null(strstr(fixture_err.text, "/x/.other"));
	assert_null(incoming_new(box, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	must(place_set_account(s, "anna", "default", &fixture_err));
	fixture_append(box, SPAN("x"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	must(mailbox_open(s, "anna/INBOX", false, &again, &fixture_err));
	assert_ptr_equal(box, again);
	store_maildirs(s, "/all/%u");
	assert_null(incoming_new(box, &fixture_err));
	store_maildirs(s, NULL);
	fixture_append(box, SPAN("y"), NULL, 2);
	assert_int_equal(fixture_drain(s), 1);
	end(s);
}

/* A default cannot wait for what is coming in: that is refused, and comes again. */
static void what_comes_in_while_the_default_changes_is_not_hidden(void **state)
{
	struct store *s = begin();
	struct incoming *in = incoming_new(fixture_box(s, "anna/INBOX"), &fixture_err);
	struct store_done done;
	uint64_t messages = 1, octets;

	(void)state;
	must(in && incoming_add(in, SPAN("x\r\n"), &fixture_err));
	store_maildirs(s, "/all/%u");
	incoming_finish(&in, NULL, 1000, 0, 7);
	assert_true(store_wait(s) && store_next(s, &done));
	assert_true(done.ticket == 7 && !done.good && done.why.kind == ERR_BUSY);
	assert_non_null(strstr(done.why.text, "lies in the Maildir /all/anna"));
	must(maildrop_peek(s, "anna/INBOX", &messages, &octets, &fixture_err));
	assert_int_equal(messages, 0);
	end(s);
}

/* Mail that is in the store, or is coming in, is not hidden by a setting. */
static void mail_is_not_hidden(void **state)
{
	struct store *s = begin();
	struct mailbox *box = fixture_box(s, "bert@client1.com/lists/info");
	struct incoming *in;

	(void)state;
	must(mailbox_add(s, "carl@client1.com/INBOX", &fixture_err));	/* an empty one does no harm */
	in = incoming_new(box, &fixture_err);
	must(in);
	assert_false(place_set_account(s, "bert@client1.com", "/x", &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_BUSY);
	assert_false(place_set_domain(s, "client1.com", "/x/%n", &fixture_err));
	incoming_abort(&in);
	must(place_set_account(s, "bert@client1.com", "/x", &fixture_err) && place_set_account(s, "bert@client1.com", "none", &fixture_err));
	fixture_append(box, SPAN("x"), NULL, 1);
	assert_int_equal(fixture_drain(s), 1);
	assert_false(place_set_account(s, "bert@client1.com", "/x", &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "bert@client1.com/lists/info of the store"));
	assert_non_null(strstr(fixture_err.text, "mailbox export"));
	must(place_set_domain(s, "client1.com", "/x/%n", &fixture_err));	/* bert has a setting of his own */
	assert_false(place_set_account(s, "bert@client1.com", "default", &fixture_err));
	must(place_set_domain(s, "client1.com", "default", &fixture_err) && place_set_account(s, "bert@client1.com", "default", &fixture_err));
	assert_false(place_set_domain(s, "client1.com", "/x/%n", &fixture_err));
	lies(s, "bert@client1.com/INBOX", NULL, "store");
	must(mailbox_destroy(s, "bert@client1.com/lists/info", 1000, &fixture_err));
	must(place_set_domain(s, "client1.com", "/x/%n", &fixture_err));
	end(s);
}

static void what_the_default_hides_is_told(void **state)
{
	struct store *s = begin();
	char name[MAILBOX_NAME_MAX + 1] = "";

	(void)state;
	fixture_append(fixture_box(s, "anna/INBOX"), SPAN("x"), NULL, 1);
	fixture_append(fixture_box(s, "bert@client1.com/INBOX"), SPAN("x"), NULL, 2);
	must(mailbox_add(s, "carl@client1.com/INBOX", &fixture_err));
	assert_int_equal(fixture_drain(s), 2);
	assert_false(place_hidden(s, name));
	must(place_set_domain(s, "client1.com", "none", &fixture_err));
	store_maildirs(s, "/all/%u");
	name[0] = '\0';
	assert_true(place_hidden(s, name));
	assert_string_equal(name, "anna/INBOX");
	assert_false(place_hidden(s, name));
	end(s);
}

/* On-disk data is input: damage is an error, not another place. */
static void a_damaged_setting_leads_nowhere(void **state)
{
	static const struct span damages[] = { SPAN("relative"), SPAN("/a/../b"), SPAN("/a\0/b"), SPAN("/%x"), SPAN("nonet") };
	struct store *s = begin();
	char big[TEMPLATE_MAX + 2];

	(void)state;
	memset(big, '/', sizeof big);
	big[1] = 'x';
	for (size_t n = 0; n <= COUNT(damages); n++) {
		struct batch *b = batch_new(record_part());
		char key[RECORD_KEY], text[TEMPLATE_MAX + 1] = "x";
		struct mailbox *box;
		struct place place;

		assert_true(batch_put(b, record_key(key, 'm', "anna"), n < COUNT(damages) ? damages[n] : (struct span){ big, TEMPLATE_MAX + 1 }));
		must(engine_commit_wait(store_engine(s), &b, &fixture_err));
		assert_false(place_find(s, "anna/INBOX", NULL, &place, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_LOCAL);
		assert_false(mailbox_open(s, "anna/INBOX", true, &box, &fixture_err));
		place_get(s, "anna", text);
		assert_string_equal(text, "");
	}
	must(place_set_account(s, "anna", "none", &fixture_err));
	lies(s, "anna/INBOX", NULL, "store");
	end(s);
}

static bool is_directory(const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void a_maildir_is_made_with_its_folder(void **state)
{
	struct store *s = begin();
	char text[TEMPLATE_MAX + 1], path[PATH_MAX];
	struct maildir *m;
	struct place place;

	(void)state;
	(void)snprintf(text, sizeof text, "%s/mail/%%u", directory);
	store_maildirs(s, text);
	must(place_find(s, "anna/lists/info", NULL, &place, &fixture_err) && place_open(s, "anna/lists/info", &place, &m, &fixture_err));
	maildir_close(&m);
	assert_true(is_directory("mail/anna/cur") && is_directory("mail/anna/new") && is_directory("mail/anna/tmp"));
	assert_true(is_directory("mail/anna/.lists.info/cur") && is_directory("mail/anna/.lists.info/tmp"));
	(void)snprintf(path, sizeof path, "%s/mail/anna/.lists.info/maildirfolder", directory);
	assert_int_equal(access(path, F_OK), 0);
	must(place_find(s, "bert@client1.com/INBOX", NULL, &place, &fixture_err) && place_open(s, "bert@client1.com/INBOX", &place, &m, &fixture_err));
	maildir_close(&m);
	assert_true(is_directory("mail/bert@client1.com/cur"));
	(void)snprintf(path, sizeof path, "%s/mail/bert@client1.com/maildirfolder", directory);
	assert_int_not_equal(access(path, F_OK), 0);
	must(place_find(s, "dora/INBOX", NULL, &place, &fixture_err));
	assert_false(place_open(s, "dora/INBOX", &place, &m, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "neither account dora nor"));
	assert_false(is_directory("mail/dora"));
	assert_int_equal(mkdir(place.path, 0700), 0);	/* the source of users is another, and knows her */
	must(place_open(s, "dora/INBOX", &place, &m, &fixture_err));
	maildir_close(&m);
	end(s);
}

/* Whoever owns a Maildir leads no delivery out of it. */
static void a_link_gets_no_mail(void **state)
{
	static const struct row {
		const char *link, *to, *box;
	} rows[] = {
		{ "mail/anna/.steal", "../boss", "anna/steal" },
		{ "mail/anna/.w/new", "../../boss/new", "anna/w" },
		{ "mail/anna/.w/tmp", "../../boss/tmp", "anna/w" },
		{ "mail/anna/.w/maildirfolder", "../../boss/made", "anna/w" },
		{ "mail/anna/cur", "../boss/cur", "anna/INBOX" },
		{ "mail/anna/cur", "../boss/cur", "anna/w" },
	};
	struct store *s = begin();
	char text[TEMPLATE_MAX + 1], path[400], aside[420], want[500];
	struct maildir *m;
	struct place place;

	(void)state;
	(void)snprintf(text, sizeof text, "%s/mail/%%u", directory);
	store_maildirs(s, text);
	(void)snprintf(path, sizeof path, "%s/mail/boss", directory);
	must(maildir_open(path, &m, &fixture_err));
	maildir_close(&m);
	must(place_find(s, "anna/w", NULL, &place, &fixture_err) && place_open(s, "anna/w", &place, &m, &fixture_err));
	maildir_close(&m);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		(void)snprintf(path, sizeof path, "%s/%s", directory, r->link);
		(void)snprintf(aside, sizeof aside, "%s.before", path);
		assert_true(rename(path, aside) == 0 || errno == ENOENT);
		assert_int_equal(symlink(r->to, path), 0);
		must(place_find(s, r->box, NULL, &place, &fixture_err));
		assert_false(place_open(s, r->box, &place, &m, &fixture_err));
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		(void)snprintf(want, sizeof want, "%s is a symbolic link, and none is followed inside of a Maildir", path);
		assert_string_equal(fixture_err.text, want);
		assert_int_equal(unlink(path), 0);
		assert_true(rename(aside, path) == 0 || errno == ENOENT);
	}
	assert_false(is_directory("mail/boss/made"));
	(void)snprintf(path, sizeof path, "%s/mail/boss/made", directory);
	assert_int_not_equal(access(path, F_OK), 0);
	(void)snprintf(text, sizeof text, "%s/elsewhere", directory);	/* the administrator's link */
	(void)snprintf(path, sizeof path, "%s/mail", directory);
	must(rename(path, text) == 0 && symlink("elsewhere", path) == 0);
	must(place_find(s, "anna/w", NULL, &place, &fixture_err) && place_open(s, "anna/w", &place, &m, &fixture_err));
	maildir_close(&m);
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_says_anything_decides),
		cmocka_unit_test(a_box_is_a_folder),
		cmocka_unit_test(only_good_settings_are_kept),
		cmocka_unit_test(a_setting_goes_with_its_owner),
		cmocka_unit_test(nothing_is_put_where_nobody_looks),
		cmocka_unit_test(what_comes_in_while_the_default_changes_is_not_hidden),
		cmocka_unit_test(mail_is_not_hidden),
		cmocka_unit_test(what_the_default_hides_is_told),
		cmocka_unit_test(a_damaged_setting_leads_nowhere),
		cmocka_unit_test(a_maildir_is_made_with_its_folder),
		cmocka_unit_test(a_link_gets_no_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
