/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scratch.h"

static const struct good {
	const char *url, *name, *user, *host;
	uint16_t port;
	enum protocol protocol;
	enum tls_mode mode;
	const char *box;
} goods[] = {
	{ "pop3s://anna@pop.example.org", "pop3s://anna@pop.example.org", "anna", "pop.example.org", 995, PROTOCOL_POP3, MODE_IMPLICIT, "INBOX" },
	{ "pop3://anna@pop.example.org", "pop3://anna@pop.example.org", "anna", "pop.example.org", 110, PROTOCOL_POP3, MODE_NONE, "INBOX" },
	{ "imap://anna@h", "imap://anna@h", "anna", "h", 143, PROTOCOL_IMAP, MODE_NONE, "INBOX" },
	{ "imaps://anna@imap.example.org/INBOX", "imaps://anna@imap.example.org/INBOX", "anna", "imap.example.org", 993, PROTOCOL_IMAP, MODE_IMPLICIT, "INBOX" },
	{ "imaps://anna@h/a%20b/c", "imaps://anna@h/a%20b%2Fc", "anna", "h", 993, PROTOCOL_IMAP, MODE_IMPLICIT, "a b/c" },
	{ "POP3S://Anna@Pop.Example.ORG:995/", "pop3s://Anna@pop.example.org", "Anna", "pop.example.org", 995, PROTOCOL_POP3, MODE_IMPLICIT, "INBOX" },
	{ "pop3s://anna@h:1995", "pop3s://anna@h:1995", "anna", "h", 1995, PROTOCOL_POP3, MODE_IMPLICIT, "INBOX" },
	{ "pop3s://anna%40example.org@h", "pop3s://anna@example.org@h", "anna@example.org", "h", 995, PROTOCOL_POP3, MODE_IMPLICIT, "INBOX" },
	{ "pop3s://anna@example.org@h", "pop3s://anna@example.org@h", "anna@example.org", "h", 995, PROTOCOL_POP3, MODE_IMPLICIT, "INBOX" },
	{ "pop3s://a%3Ab%25%22%7C%27@h", "pop3s://a%3Ab%25%22%7C%27@h", "a:b%\"|'", "h", 995, PROTOCOL_POP3, MODE_IMPLICIT, "INBOX" },
	{ "pop3s://%c3%bc@h", "pop3s://%C3%BC@h", "\xc3\xbc", "h", 995, PROTOCOL_POP3, MODE_IMPLICIT, "INBOX" },
	{ "pop3s://anna@[::1]:995", "pop3s://anna@[::1]", "anna", "::1", 995, PROTOCOL_POP3, MODE_IMPLICIT, "INBOX" },
	{ "pop3s://anna@m\xc3\xbcller.example", "pop3s://anna@xn--mller-kva.example", "anna", "xn--mller-kva.example", 995, PROTOCOL_POP3, MODE_IMPLICIT, "INBOX" },
};

static bool add(struct settings *s, const char *url, const char *to, const struct key_value *keys, size_t count, char *said, size_t size)
{
	struct buf report;
	bool good;

	buf_lend(&report, said, size);
	good = settings_url(s, url, to, keys, count, &report);
	assert_true(buf_terminate(&report));
	return good;
}

static void good_urls(void **state)
{
	struct settings s;
	char said[1000];

	(void)state;
	settings_none(&s);
	for (size_t n = 0; n < COUNT(goods); n++) {
		const struct good *g = &goods[n];
		const struct connection *c;

		assert_true(add(&s, g->url, "maildir:M", NULL, 0, said, sizeof said));
		assert_int_equal(s.connection_count, n + 1);
		c = s.connections[n];
		assert_string_equal(said, "");
		assert_string_equal(c->name, g->name);
		assert_string_equal(c->user, g->user);
		assert_string_equal(c->host, g->host);
		assert_int_equal(c->port, g->port);
		assert_int_equal(c->protocol, g->protocol);
		assert_int_equal(c->tls.mode, g->mode);
		assert_string_equal(c->mailboxes.at[0], g->box);
		assert_int_equal(c->after, AFTER_KEEP);
		assert_int_equal(c->password.kind, SECRET_ASK);
		assert_int_equal(c->deliver_count, 1);
		assert_ptr_equal(c->deliver[0], s.targets[0]);
		assert_null(c->where.file);
	}
	settings_end(&s);
}

static const struct wrong {
	const char *url, *report;
} wrongs[] = {
	{ "ftp://anna@h", "this URL is of no kind that is known; write pop3s://USER@HOST, or pop3://, imap://, imaps://\n" },
	{ "anna@h", "this URL is of no kind that is known; write pop3s://USER@HOST, or pop3://, imap://, imaps://\n" },
	{ "", "this URL is of no kind that is known; write pop3s://USER@HOST, or pop3://, imap://, imaps://\n" },
	{ "pop3s://h", "the URL names no user; write pop3s://USER@h\n" },
	{ "pop3s://@h", "the URL names no user; write pop3s://USER@h\n" },
	{ "pop3s://anna@", "the URL names no host; write pop3s://USER@HOST\n" },
	{ "pop3s://", "the URL names no host; write pop3s://USER@HOST\n" },
	{ "pop3s://anna:geheim@h", "a password does not belong into a URL, where others see it; leave it out and write --password-file FILE (a : in the user's name is %3A)\n" },
	{ "pop3s://anna:ge@heim@h", "a password does not belong into a URL, where others see it; leave it out and write --password-file FILE (a : in the user's name is %3A)\n" },
	{ "pop3s://anna@h:0", "the port behind the colon: 0 is not in 1..65535; write pop3s://USER@HOST\n" },
	{ "pop3s://anna@a b", "a b is no name of a host; write pop3s://USER@HOST\n" },
	{ "pop3s://anna@h/INBOX", "POP3 has one mailbox without a name; write the URL without a path\n" },
	{ "imaps://anna@h/INBOX?x", "a URL of a mailbox ends without ? and #; write them as %3F and %23\n" },
	{ "imaps://anna@h#x", "a URL of a mailbox ends without ? and #; write them as %3F and %23\n" },
	{ "pop3s://a%4@h", "a % in the URL has no two hexadecimal digits behind it (or two zeros); write %25 for the sign itself\n" },
	{ "pop3s://a%zz@h", "a % in the URL has no two hexadecimal digits behind it (or two zeros); write %25 for the sign itself\n" },
	{ "pop3s://a%00@h", "a % in the URL has no two hexadecimal digits behind it (or two zeros); write %25 for the sign itself\n" },
	{ "pop3s://a%0db@h", "--user: control characters cannot stand in it; write a name of at most 320 characters\n" },
};

static void wrong_urls(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(wrongs); n++) {
		struct settings s;
		char said[1000];

		settings_none(&s);
		assert_false(add(&s, wrongs[n].url, "maildir:M", NULL, 0, said, sizeof said));
		assert_string_equal(said, wrongs[n].report);
		settings_end(&s);
	}
}

static void keys(void **state)
{
	static const struct key_value given[] = {
		{ "tls.mode", "explicit" }, { "auth", "plain, user" }, { "max_size", "25MB" }, { "after", "keep" }, { "after", "delete" }, { "user", "berta" },
		{ "password", "command:pass show x" }, { "use_top", "true" }, { "idle", "true" }, { "tls.protocols", "All,-TLSv1.2" }, { "detect", "" },
	};
	const struct connection *c;
	struct settings s;
	char said[1000];

	(void)state;
	settings_none(&s);
	assert_true(add(&s, "pop3://h", "command:a,b", given, COUNT(given), said, sizeof said));
	c = s.connections[0];
	assert_string_equal(c->name, "pop3://berta@h");
	assert_string_equal(c->user, "berta");
	assert_int_equal(c->tls.mode, MODE_EXPLICIT);
	assert_int_equal(c->port, 110);
	assert_int_equal(c->auth_count, 2);
	assert_int_equal(c->auth[1], MECHANISM_USER);
	assert_int_equal(c->max_size, 25 << 20);
	assert_int_equal(c->after, AFTER_DELETE);	/* of two the last */
	assert_int_equal(c->password.kind, SECRET_COMMAND);
	assert_true(c->use_top);
	assert_false(c->detect_capa || c->detect_auth || c->detect_greeting);
	assert_int_equal(c->tls.versions, 1u << VERSION_TLS_1_3);
	assert_string_equal(c->deliver[0]->name, "command:a,b");
	assert_int_equal(s.warning_count, 1);
	assert_string_equal(s.warnings[0], "--idle: POP3 cannot idle; it has no effect");
	settings_end(&s);
}

static void wrong_keys(void **state)
{
	static const struct key_value given[] = {
		{ "port", "70000" }, { "password", "geheim" }, { "prot", "1" }, { "tls", "x" }, { "zebra", "1" }, { "tls.min", "SSLv3" }, { "auth", "" },
	};
	struct settings s;
	char said[2000];

	(void)state;
	settings_none(&s);
	assert_false(add(&s, "pop3s://anna@h", "nowhere", given, COUNT(given), said, sizeof said));
	assert_string_equal(said,
		"--prot: unknown key; the nearest one is --port\n"
		"--tls: unknown key; leave it out\n"
		"--zebra: unknown key; leave it out\n"
		"--port: 70000 is not in 1..65535; write a port number, 995 for pop3s\n"
		"--password: a password never stands on the command line (--password-file FILE is safe); write file:PATH, command:CMD or credential:NAME\n"
		"--tls.min: SSLv3 is broken and cannot be had; write TLSv1.2 or TLSv1.3\n"
		"--auth: the list is empty; write auto, or a list such as {\"scram-sha-256\", \"plain\", \"user\"}\n"
		"--deliver: there is no target nowhere; write a section target nowhere { … }, or one of "
		"mailbox:ACCOUNT/BOX, maildir:PATH, folder:PATH, smtp://HOST, lmtp://HOST:PORT or command:CMD\n");
	settings_end(&s);
}

static void beside_a_configuration(void **state)
{
	struct settings s;
	char said[1000];

	(void)state;
	assert_string_equal(scratch_read(SPAN("target archive { type = maildir path = /m }\n"), 0600, &s), "");
	assert_true(add(&s, "pop3s://anna@h", "archive", NULL, 0, said, sizeof said));
	assert_string_equal(s.connections[0]->deliver[0]->path, "/m");
	assert_true(add(&s, "pop3s://berta@h", NULL, NULL, 0, said, sizeof said));
	assert_int_equal(s.connections[1]->deliver_count, 0);
	assert_false(add(&s, "pop3s://carla@h", "smtp://mx", NULL, 0, said, sizeof said));
	assert_true(add(&s, "pop3s://carla@h", "smtp://mx", &(struct key_value){ "envelope.recipients", "a@b" }, 1, said, sizeof said));
	settings_end(&s);
}

/* Any key of the section is the section, and counts as in a file. */
static void envelopes(void **state)
{
	static const struct { const char *key, *value, *said; } rows[] = {
		{ "envelope.recipients", "a@b,c@d", "" }, { "envelope.headers", "Delivered-To,X-Real-To", "" }, { "envelope.source_domain", "a.b", "" },
		{ "envelope.target_domain", "a.b", "" }, { "envelope.no_recipient", "delete", "" }, { "envelope.no_recipient", "a@b, c@d", "" },
		{ "after", "keep", "--deliver: smtp://mx does not say who gets the mail; write --envelope.recipients ADDRESS\n" },
		{ "envelope.recipients", "a", "--envelope.recipients: a is no address; write for instance anna@example.org\n" },
		{ "envelope.source_domain", "@a", "--envelope.source_domain: @a is no domain; write what stands behind the @\n" },
	};
	struct settings s;
	char said[1000];

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		settings_none(&s);
		(void)add(&s, "pop3s://anna@h", "smtp://mx", &(struct key_value){ rows[n].key, rows[n].value }, 1, said, sizeof said);
		assert_string_equal(said, rows[n].said);
		assert_int_equal(s.connections[0]->has_envelope, strncmp(rows[n].key, "envelope", 8) == 0);
		if (n == 1)
			assert_string_equal(s.connections[0]->envelope.rules.headers.at[1], "X-Real-To");
		settings_end(&s);
	}
}

/* Nor does a target of the configuration that only says so with others. */
static void a_target_without_an_envelope(void **state)
{
	struct settings s;
	char said[1000];

	(void)state;
	assert_string_equal(scratch_read(SPAN("target relay { type = smtp host = h }\ntarget own { type = smtp host = h envelope { } }\n"
		"connection b { protocol = pop3 host = h user = u deliver = relay envelope { } }\n"), 0600, &s), "");
	assert_false(add(&s, "pop3s://anna@h", "relay", NULL, 0, said, sizeof said));
	assert_string_equal(said, "--deliver: relay does not say who gets the mail; write --envelope.recipients ADDRESS\n");
	assert_true(add(&s, "pop3s://anna@h", "own", NULL, 0, said, sizeof said));
	assert_true(add(&s, "pop3s://anna@h", "relay", &(struct key_value){ "envelope.recipients", "a@b" }, 1, said, sizeof said));
	settings_end(&s);
}

static void names_of_keys(void **state)
{
	(void)state;
	assert_true(settings_is_key("port"));
	assert_true(settings_is_key("tls.ca_certificates"));
	assert_true(settings_is_key("envelope.headers"));
	assert_false(settings_is_key("tls"));
	assert_false(settings_is_key("to"));
	assert_false(settings_is_key("password-file"));
	assert_false(settings_is_key(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_urls),
		cmocka_unit_test(wrong_urls),
		cmocka_unit_test(keys),
		cmocka_unit_test(wrong_keys),
		cmocka_unit_test(beside_a_configuration),
		cmocka_unit_test(envelopes),
		cmocka_unit_test(a_target_without_an_envelope),
		cmocka_unit_test(names_of_keys),
	};

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
