/* SPDX-License-Identifier: Apache-2.0 */
#include "config/path.h"
#include "config/scratch.h"

static void defaults(void **state)
{
	struct settings s;
	struct arena a = { 0 };

	(void)state;
	settings_none(&s);
	assert_null(s.file);
	assert_string_equal(s.state, path_state(&a));
	assert_string_equal(s.store, "lmdb");
	assert_int_equal(s.store_map, 1ull << 40);
	assert_int_equal(s.max_per_host, 8);
	assert_int_equal(s.workers, sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(!s.main_domain && !s.run_as && !s.log_level && !s.log_format && !s.log_to && !s.connections_dir && !s.pop3);
	assert_int_equal(s.connection_count + s.target_count + s.warning_count, 0);
	settings_end(&s);
	settings_end(&s);	/* twice does no harm */
	arena_end(&a);
}

static void every_key_of_the_top_level(void **state)
{
	struct settings s;
	char want[100];

	(void)state;
	assert_int_equal(mkdir("conns", 0700), 0);
	assert_string_equal(scratch_read(SPAN("state = 'st' store = rados store_map = 2GB main_domain = client1.com\n"
		"log { level = debug format = json to = 'log/x' } max_per_host = 3 workers = 5 connections_dir = conns\n"), 0600, &s), "");
	assert_string_equal(s.file, "c.conf");
	(void)snprintf(want, sizeof want, "%s/st", scratch_folder);
	assert_string_equal(s.state, want);
	assert_string_equal(s.store, "rados");
	assert_int_equal(s.store_map, 2ull << 30);
	assert_string_equal(s.main_domain, "client1.com");
	assert_string_equal(s.log_level, "debug");
	assert_string_equal(s.log_format, "json");
	(void)snprintf(want, sizeof want, "%s/log/x", scratch_folder);
	assert_string_equal(s.log_to, want);
	assert_int_equal(s.max_per_host, 3);
	assert_int_equal(s.workers, 5);
	(void)snprintf(want, sizeof want, "%s/conns", scratch_folder);
	assert_string_equal(s.connections_dir, want);
	settings_end(&s);
	assert_string_equal(scratch_read(SPAN("run_as = post-rider.2"), 0600, &s), "");
	assert_string_equal(s.run_as, "post-rider.2");
	assert_string_equal(s.state, "/var/lib/postrider");	/* whoever reads it */
	settings_end(&s);
	assert_string_equal(scratch_read(SPAN("run_as = postrider state = st"), 0600, &s), "");
	(void)snprintf(want, sizeof want, "%s/st", scratch_folder);
	assert_string_equal(s.state, want);
	settings_end(&s);
	assert_string_equal(scratch_read(SPAN("log { to = stderr }"), 0600, &s), "");
	assert_string_equal(s.log_to, "stderr");
	settings_end(&s);
}

static void wrong_at_the_top(void **state)
{
	static const struct {
		struct span text;
		const char *report;
	} rows[] = {
		{ SPAN("store = mysql"), "c.conf:1: store: mysql is none of lmdb, rados; write lmdb (embedded) or rados (Ceph)\n" },
		{ SPAN("store_map = 1KB"), "c.conf:1: store_map: 1KB is too little; write a size such as 1TB\n" },
		{ SPAN("state = ''"), "c.conf:1: state: it is empty; write the path of a folder\n" },
		{ SPAN("main_domain = 'a%b'"), "c.conf:1: main_domain: a%b is no domain; write what stands behind the @\n" },
		{ SPAN("main_domain = 'a@b'"), "c.conf:1: main_domain: a@b is no domain; write what stands behind the @\n" },
		{ SPAN("run_as = ''"), "c.conf:1: run_as: it is empty; write the name of a user, such as postrider\n" },
		{ SPAN("run_as = '1000'"), "c.conf:1: run_as: 1000 is no name of a user; write the name of a user, such as postrider\n" },
		{ SPAN("run_as = '-R'"), "c.conf:1: run_as: -R is no name of a user; write the name of a user, such as postrider\n" },
		{ SPAN("run_as = 'a:b'"), "c.conf:1: run_as: a:b is no name of a user; write the name of a user, such as postrider\n" },
		{ SPAN("run_as = 'a b'"), "c.conf:1: run_as: a b is no name of a user; write the name of a user, such as postrider\n" },
		{ SPAN("max_per_host = 0"), "c.conf:1: max_per_host: 0 is not in 1..10000; write a number from 1 to 10000\n" },
		{ SPAN("log { level = loud }"), "c.conf:1: log.level: loud is none of error, warn, info, debug; write error, warn, info or debug\n" },
		{ SPAN("console { listen = here }"), "c.conf:1: console.listen: here is not of the form ADDRESS:PORT; write ADDRESS:PORT, 127.0.0.1:8110\n" },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct settings s;

		assert_string_equal(scratch_read(rows[n].text, 0600, &s), rows[n].report);
	}
}

static void who_gets_the_mail(void **state)
{
#define BY(envelope) "connection b { protocol = pop3 host = h user = u deliver = relay " envelope "}\n"
#define RELAY "target relay { type = smtp host = mx }\n"
#define WANTS_OF(c) "c.conf:1: target relay: it does not say who gets the mail of connection " c "; write envelope { recipients = {\"…\"} } here or there\n"
#define WANTS "c.conf:1: target relay: it does not say who gets the mail; write envelope { recipients = {\"…\"} }\n"
	static const struct {
		struct span text;
		const char *report;
	} rows[] = {
		{ SPAN(RELAY), WANTS },
		{ SPAN(RELAY BY("")), WANTS_OF("b") },
		{ SPAN(RELAY BY("envelope { recipients = 'a@b' }")), "" },
		{ SPAN(RELAY BY("envelope { }") "connection c { protocol = pop3 host = h user = u deliver = relay }"), WANTS_OF("c") },
		{ SPAN(RELAY "pop3 { submission = relay }"), "" },
		{ SPAN(RELAY BY("envelope { }") "pop3 { submission = relay }"), "" },
		{ SPAN(RELAY BY("") "pop3 { submission = relay }"), WANTS_OF("b") },
		{ SPAN(RELAY "pop3 { submission = 'maildir:M' }"), WANTS },
		{ SPAN("target x { type = smtp host = mx }\n" RELAY "pop3 { submission = x }"),
			"c.conf:2: target relay: it does not say who gets the mail; write envelope { recipients = {\"…\"} }\n" },
		{ SPAN("pop3 { submission = 'smtp://mx' }"), "" },
		{ SPAN("target relay { type = smtp host = mx envelope { } }" BY("")), "" },
		{ SPAN("target relay { type = maildir path = /m }" BY("")), "" },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct settings s;

		assert_string_equal(scratch_read(rows[n].text, 0600, &s), rows[n].report);
		if (!*rows[n].report)
			settings_end(&s);
	}
}

static void targets_of_every_type_can_be_used(void **state)
{
	static const struct span text = SPAN("target parts { type = folder path = /p }\n"
		"connection a { protocol = pop3 host = h user = u deliver = 'maildir:M' }\n"
		"connection b { protocol = imap host = h user = u deliver = 'command:x' }\n"
		"connection c { protocol = pop3 host = h user = u deliver = {'maildir:M', parts} }\n"
		"connection d { protocol = pop3 host = h user = u deliver = 'folder:/x' }\n");
	struct settings s;

	(void)state;
	assert_string_equal(scratch_read(text, 0600, &s), "");
	for (const char *const *name = (const char *const[]){ "a", "b", "c", "d", NULL }; *name; name++)
		assert_true(settings_connection(&s, *name)->deliver_count);
	assert_null(settings_connection(&s, "e"));
	assert_null(settings_target(&s, "part"));
	assert_string_equal(settings_target(&s, "parts")->canonical, "folder:/p");
	settings_end(&s);
}

static void many_connections(void **state)
{
	enum { MANY = 300 };
	static char text[MANY * 100];
	struct settings s;
	size_t used = 0;

	(void)state;
	for (int n = 0; n < MANY; n++)
		used += (size_t)snprintf(text + used, sizeof text - used, "connection c%d { protocol = pop3 host = h%d user = u deliver = 'maildir:/m/%d' }\n", n, n, n);
	assert_string_equal(scratch_read((struct span){ text, used }, 0600, &s), "");
	assert_int_equal(s.connection_count, MANY);
	assert_int_equal(s.target_count, MANY);
	for (int n = 0; n < MANY; n++) {
		char name[20];

		(void)snprintf(name, sizeof name, "c%d", n);
		assert_string_equal(s.connections[n]->name, name);
		assert_int_equal(s.connections[n]->where.line, n + 1);
		assert_string_equal(s.connections[n]->host + 1, name + 1);
		assert_ptr_equal(s.connections[n]->deliver[0], s.targets[n]);
	}
	settings_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_key_of_the_top_level),
		cmocka_unit_test(wrong_at_the_top),
		cmocka_unit_test(who_gets_the_mail),
		cmocka_unit_test(targets_of_every_type_can_be_used),
		cmocka_unit_test(many_connections),
	};

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
