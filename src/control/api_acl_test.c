/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"
#include "store/account.h"
#include "store/acl.h"

static const struct row rows[] = {
	{ "account.add", "{\"account\":\"boss\"}", "{*}" },
	{ "account.add", "{\"account\":\"eva\"}", "{*}" },
	{ "acl.list", "{}", "{\"rows\":[]}" },
	{ "acl.set", "{\"mailbox\":\"Boss/inbox\",\"who\":\"EVA\",\"rights\":\"tsrl\"}",
		"{\"mailbox\":\"boss@main.example/INBOX\",\"who\":\"eva@main.example\",\"rights\":\"lrst\"}" },
	{ "acl.set", "{\"mailbox\":\"boss/INBOX\",\"who\":\"Anyone\",\"rights\":\"l\"}", "{*\"who\":\"anyone\",\"rights\":\"l\"}" },
	{ "acl.set", "{\"mailbox\":\"eva/lists/info\",\"who\":\"boss\",\"rights\":\"r\"}", "{*}" },
	{ "acl.set", "{\"mailbox\":\"boss/INBOX\",\"who\":\"eva\",\"rights\":\"\"}", "config: rights: *acl remove*" },
	{ "acl.set", "{\"mailbox\":\"boss/INBOX\",\"who\":\"eva\",\"rights\":\"lrx\"}", "config: rights: lrx is not out of l *" },
	{ "acl.set", "{\"mailbox\":\"boss\",\"who\":\"eva\",\"rights\":\"l\"}", "config: boss is not ACCOUNT/BOX*" },
	{ "acl.set", "{\"mailbox\":\"boss/\",\"who\":\"eva\",\"rights\":\"l\"}", "config: *empty" },
	{ "acl.set", "{\"mailbox\":\"boss/INBOX\",\"who\":\"boss\",\"rights\":\"l\"}", "config: *boss@main.example's own*" },
	{ "acl.set", "{\"mailbox\":\"boss/INBOX\",\"who\":\"pam-only\",\"rights\":\"l\"}", "config: there is no account pam-only@main.example*" },
	{ "acl.set", "{\"mailbox\":\"boss/INBOX\",\"who\":\"pam-only\",\"rights\":\"l\",\"any_user\":true}", "{*}" },
	{ "acl.set", "{\"mailbox\":\"boss/INBOX\",\"who\":\"eva\"}", "config: acl.set: *rights*" },
	{ "acl.set", "{\"mailbox\":\"boss/INBOX\",\"rights\":\"l\"}", "config: acl.set: *who*" },
	{ "acl.set", "{\"mailbox\":\"boss/INBOX\",\"who\":7,\"rights\":\"l\"}", "config: acl.set: who*" },
	{ "acl.list", "{\"mailbox\":\"boss/inbox\"}", "{\"rows\":[{*\"who\":\"anyone\",\"rights\":\"l\"},{*\"who\":\"eva@main.example\",\"rights\":\"lrst\"},"
		"{*\"who\":\"pam-only@main.example\",\"rights\":\"l\"}]}" },
	{ "acl.list", "{\"mailbox\":\"boss/inbox\",\"limit\":1}", "{\"rows\":[{*anyone*}],\"next\":\"boss@main.example/INBOX%0Aanyone\"}" },
	{ "acl.list", "{\"mailbox\":\"boss/inbox\",\"limit\":1,\"after\":\"boss@main.example/INBOX%0Aanyone\"}", "{\"rows\":[{*eva*}],\"next\":*}" },
	{ "acl.list", "{\"mailbox\":\"boss/other\"}", "{\"rows\":[]}" },
	{ "acl.list", "{\"mailbox\":\"boss\"}", "config: boss is not ACCOUNT/BOX*" },
	{ "acl.list", "{\"mailbox\":\"boss/..\"}", "config: *cannot be part*" },
	{ "acl.list", "{\"limit\":3,\"after\":\"boss@main.example/INBOX%0Aanyone\"}",
		"{\"rows\":[{*eva@main.example*},{*pam-only*},{\"mailbox\":\"eva@main.example/lists/info\",\"who\":\"boss@main.example\",\"rights\":\"r\"}],\"next\":*}" },
	{ "acl.list", "{\"after\":\"eva@main.example/lists/info%0Aboss@main.example\"}", "{\"rows\":[]}" },
	{ "acl.list", "{\"after\":\"boss\"}", "config: after is not*" },
	{ "acl.remove", "{\"mailbox\":\"boss/INBOX\",\"who\":\"EVA\"}", "{*\"rights\":\"\"}" },
	{ "acl.remove", "{\"mailbox\":\"boss/INBOX\",\"who\":\"eva\"}", "config: eva@main.example has no rights of its own*" },
	{ "acl.remove", "{\"mailbox\":\"boss/INBOX\",\"who\":\"anyone\"}", "{*}" },
	{ "account.remove", "{\"account\":\"boss\"}", "{*}" },
	{ "acl.list", "{}", "{\"rows\":[]}" },
};

static void the_life_of_rights(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

/* It is these rights that hold then. */
static void they_are_what_was_said(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, 6);
	assert_int_equal(acl_rights(w->store, "boss@main.example/INBOX", "eva@main.example"), ACL_ALL);
	assert_int_equal(acl_rights(w->store, "boss@main.example/INBOX", "anna"), ACL_LOOKUP);
	assert_int_equal(acl_rights(w->store, "eva@main.example/lists/info", "boss@main.example"), ACL_READ);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_life_of_rights), cmocka_unit_test(they_are_what_was_said) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
