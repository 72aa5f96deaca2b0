/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/session.h"
#include "serve/test_guest.h"
#include "serve/test_service.h"
#include "store/acl.h"
#include "store/alert.h"
#include "store/place.h"

static struct guest g, other;

static void put(const char *box, const char *text)
{
	fixture_append(fixture_box(service.store, box), span_of(text), NULL, 1);
	assert_int_equal(fixture_drain(service.store), 1);
}

/* bob has INBOX and private; boss has two messages, of which bob may do `rights`. */
static void begin(unsigned rights)
{
	service_make();
	must(account_add(service.store, "boss", SPAN("geheim"), 0, &fixture_err));
	put("bob/INBOX", "Subject: bob's\r\n\r\n");
	put("bob/private", "Subject: private\r\n\r\n");
	put("boss/INBOX", "Subject: boss 1\r\n\r\n");
	put("boss/INBOX", "Subject: boss 2\r\n\r\n");
	if (rights)
		must(acl_set(service.store, "boss/INBOX", "bob", rights, 0, &fixture_err));
}

static void enter(struct guest *who, const char *name, const char *answer)
{
	char line[400];

	(void)snprintf(line, sizeof line, "USER %s", name);
	guest_asks(who, line, "+OK");
	guest_asks(who, "PASS geheim", answer);
}

static void in(struct guest *who, const char *name, const char *answer)
{
	guest_greets(who, "clear");
	enter(who, name, answer);
}

static void retr(struct guest *who, const char *number)
{
	struct fixture_text t = { 0 };
	char line[32];

	(void)snprintf(line, sizeof line, "RETR %s", number);
	guest_asks(who, line, "+OK");
	assert_true(guest_body(who, &t));
	free(t.at);
}

static void leave(struct guest *who)
{
	guest_asks(who, "QUIT", "+OK");
	guest_hears_end(who);
	guest_leave(who);
}

/* ---- boxes and rights */

static bool boss_seen(uint64_t position)
{
	return fixture_entry(fixture_box(service.store, "boss/INBOX"), position).flags & MAILBOX_SEEN;
}

static void own_boxes([[maybe_unused]] void **state)
{
	begin(0);
	service_open(2);
	in(&g, "private#bob", "+OK 1 message");
	retr(&g, "1");
	guest_asks(&g, "DELE 1", "+OK");
	leave(&g);
	in(&g, "private#bob", "+OK 0 messages");
	leave(&g);
	in(&g, "bob", "+OK 1 message");
	leave(&g);
	in(&g, "absent#bob", "-ERR [SYS/PERM] " NAMED_REFUSED);
	enter(&g, "bob", "+OK 1 message");		/* the same connection: nothing was left over */
	leave(&g);
	service_end();
}

static void rights_are_looked_at([[maybe_unused]] void **state)
{
	begin(ACL_LOOKUP | ACL_READ);
	service_open(2);
	in(&g, "~boss/INBOX#bob", "+OK 2 messages");
	guest_asks(&g, "DELE 1", "-ERR [SYS/PERM]");
	retr(&g, "1");
	leave(&g);
	in(&g, "~bob/INBOX#boss", "-ERR [SYS/PERM] " NAMED_REFUSED);
	enter(&g, "~nobody/INBOX#boss", "-ERR [SYS/PERM] " NAMED_REFUSED);
	guest_leave(&g);
	service_close();
	assert_false(boss_seen(0));
	must(acl_set(service.store, "boss/INBOX", "bob", ACL_ALL, 0, &fixture_err));
	service_open(2);
	in(&g, "~boss/INBOX#bob", "+OK 2 messages");
	guest_asks(&g, "DELE 1", "+OK");
	retr(&g, "2");
	leave(&g);
	service_close();
	assert_true(boss_seen(0));
	assert_int_equal(mailbox_count(fixture_box(service.store, "boss/INBOX")), 1);
	service_end();
}

static void take_rights_away([[maybe_unused]] void *user)
{
	must(acl_set(service.store, "boss/INBOX", "bob", 0, 0, &fixture_err));
}

static void rights_that_went_meanwhile([[maybe_unused]] void **state)
{
	begin(ACL_ALL);
	service_open(1);
	in(&g, "~boss/INBOX#bob", "+OK 2 messages");
	retr(&g, "1");
	guest_asks(&g, "DELE 2", "+OK");
	service_on_home(take_rights_away, NULL);
	guest_asks(&g, "QUIT", "-ERR");
	guest_hears_end(&g);
	guest_leave(&g);
	service_close();
	assert_int_equal(mailbox_count(fixture_box(service.store, "boss/INBOX")), 2);
	assert_false(boss_seen(0));
	service_end();
}

static void alone_is_of_the_box([[maybe_unused]] void **state)
{
	begin(ACL_ALL);
	service.pop3.exclusive = true;
	service_open(2);
	in(&g, "~boss/INBOX#bob", "+OK");
	in(&other, "boss", "-ERR [IN-USE]");
	enter(&other, "bob", "+OK");
	leave(&other);
	in(&other, "private#bob", "+OK");
	leave(&g);
	in(&g, "boss", "+OK");
	leave(&g);
	leave(&other);
	service_end();
}

/* ---- alerts */

static void alert_first([[maybe_unused]] void **state)
{
	struct serve_counts c;
	uint64_t id;

	begin(0);
	must(alert_add(service.store, ALERT_ACCOUNT, "bob", "call the office", 1, &id, &fixture_err));
	must(alert_add(service.store, ALERT_SERVER, "", "we move", 2, &id, &fixture_err));
	service_open(2);
	in(&g, "bob", "-ERR [SYS/PERM] alert: call the office");
	enter(&g, "bob", "-ERR [SYS/PERM] alert: we move");
	enter(&g, "bob", "+OK 1 message");
	leave(&g);
	guest_greets(&g, "clear");
	assert_true(guest_proves(&g, SASL_SCRAM_SHA_256, "geheim"));
	leave(&g);
	serve_counts(service.serve, &c);
	assert_int_equal(c.failed_logins, 0);
	assert_int_equal(c.logins, 2);
	service_end();
}

static bool waits_at_home(void)
{
	struct serve_session row;

	return serve_each_session(service.serve, 0, &row, 1) == 1 && row.account[0];
}

/* Whoever goes while his alert is on its way to the disk leaves nothing behind. */
static void who_goes_before_he_is_told([[maybe_unused]] void **state)
{
	uint64_t id;

	begin(0);
	must(alert_add(service.store, ALERT_ACCOUNT, "bob", "call the office", 1, &id, &fixture_err));
	service_open(1);
	service_hold_home(true);
	guest_greets(&g, "clear");
	guest_send(&g, SPAN("USER bob\r\nPASS geheim\r\n"));
	guest_hears(&g, "+OK");
	service_until(waits_at_home);
	(void)setsockopt(g.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	guest_leave(&g);
	service_hold_home(false);
	service_until(service_empty);
	in(&g, "bob", "+OK");
	leave(&g);
	service_end();
}

/* ---- Maildirs */

static char maildir[128];

static void write_file(const char *name, const char *text)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", maildir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static bool there(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", maildir, name);
	return access(path, F_OK) == 0;
}

static void begin_maildir(void)
{
	static const char *const folders[] = { "", "/tmp", "/new", "/cur" };

	service_make();
	for (size_t n = 0; n < COUNT(folders); n++) {
		(void)snprintf(maildir, sizeof maildir, "%s/Maildir%s", service.directory, folders[n]);
		assert_int_equal(mkdir(maildir, 0700), 0);
	}
	(void)snprintf(maildir, sizeof maildir, "%s/Maildir", service.directory);
	write_file("new/1700000001.M1P1.host", "Subject: one\n\nX-Real-To is not here\n.\n");
	write_file("new/1700000002.M2P1.host", "X-Real-To: abc@client1.com\nSubject: two\n\n");
	write_file("cur/1700000003.M3P1.host:2,", "Subject: three\n\nno end");
	must(place_set_account(service.store, "bob", maildir, &fixture_err));
}

static void a_maildir([[maybe_unused]] void **state)
{
	struct fixture_text t = { 0 };

	begin_maildir();
	service_open(2);
	in(&g, "bob", "+OK 3 messages");
	guest_asks(&g, "RETR 1", "+OK 42 octets");
	assert_true(guest_body(&g, &t));
	assert_string_equal(t.at, "Subject: one\r\n\r\nX-Real-To is not here\r\n..\r\n.\r\n");
	free(t.at);
	guest_asks(&g, "LIST 3", "+OK 3 26");
	guest_asks(&g, "DELE 2", "+OK");
	leave(&g);
	assert_true(there("cur/1700000001.M1P1.host:2,S"));
	assert_false(there("new/1700000002.M2P1.host"));
	in(&g, "bob", "+OK 2 messages");
	guest_asks(&g, "RETR 2", "+OK 26 octets");
	guest_leave(&g);
	service_end();
}

static void a_routed_view_of_a_maildir([[maybe_unused]] void **state)
{
	begin_maildir();
	must(route_add(service.store, "*@client1.com", "bob", 0, &fixture_err));
	service_open(2);
	in(&g, "abc@client1.com", "+OK 1 message");
	guest_asks(&g, "LIST 1", "+OK 1 44");
	guest_asks(&g, "DELE 1", "+OK");
	leave(&g);
	assert_false(there("new/1700000002.M2P1.host"));
	assert_true(there("new/1700000001.M1P1.host"));
	service_end();
}

/* Not "try again later", and no error of ours: such a folder cannot be. */
static void a_name_that_no_folder_has([[maybe_unused]] void **state)
{
	begin_maildir();
	service_open(1);
	in(&g, "a.b#bob", "-ERR [SYS/PERM] no such mailbox");
	guest_leave(&g);
	service_end();
}

static void a_maildir_that_is_none([[maybe_unused]] void **state)
{
	begin_maildir();
	assert_int_equal(truncate(service.certificate, 0) == 0, true);	/* a file, where a folder should be */
	must(place_set_account(service.store, "bob", service.certificate, &fixture_err));
	service.pop3.certificate = NULL;
	service.pop3.listener_count = 1;
	service_open(1);
	in(&g, "bob", "-ERR [SYS/TEMP]");
	guest_leave(&g);
	service_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_boxes), cmocka_unit_test(rights_are_looked_at), cmocka_unit_test(rights_that_went_meanwhile),
		cmocka_unit_test(alone_is_of_the_box), cmocka_unit_test(alert_first), cmocka_unit_test(who_goes_before_he_is_told),
		cmocka_unit_test(a_maildir), cmocka_unit_test(a_routed_view_of_a_maildir), cmocka_unit_test(a_maildir_that_is_none),
		cmocka_unit_test(a_name_that_no_folder_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
