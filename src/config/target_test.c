/* SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"
#include "config/scratch.h"

static const struct text {
	const char *text, *canonical;	/* NULL: wrong */
	enum target_type type;
} texts[] = {
	{ "mailbox:anna/INBOX", "mailbox:anna/INBOX", TARGET_MAILBOX },
	{ "mailbox:anna@client1.com/lists/info", "mailbox:anna@client1.com/lists/info", TARGET_MAILBOX },
	{ "mailbox:anna", NULL, TARGET_MAILBOX }, { "mailbox:/INBOX", NULL, TARGET_MAILBOX }, { "mailbox:anna/", NULL, TARGET_MAILBOX },
	{ "mailbox:", NULL, TARGET_MAILBOX },
	{ "maildir:/a/b//", "maildir:/a/b", TARGET_MAILDIR }, { "maildir:x", "maildir:/dir/x", TARGET_MAILDIR },
	{ "maildir:~/Mail", "maildir:/h/anna/Mail", TARGET_MAILDIR }, { "maildir:", NULL, TARGET_MAILDIR },
	{ "folder:x", "folder:/dir/x", TARGET_FOLDER },
	{ "smtp://MX.example", "smtp://mx.example", TARGET_SMTP }, { "smtp://mx.example:2525", "smtp://mx.example:2525", TARGET_SMTP },
	{ "smtps://[::1]:465", "smtps://[::1]:465", TARGET_SMTP }, { "smtp://", NULL, TARGET_SMTP }, { "smtp://h:0", NULL, TARGET_SMTP },
	{ "lmtp://h:24", "lmtp://h:24", TARGET_LMTP }, { "lmtp://h", NULL, TARGET_LMTP }, { "lmtp:/run/lmtp", "lmtp:/run/lmtp", TARGET_LMTP },
	{ "command:spam -x 'a b'", "command:spam -x 'a b'", TARGET_COMMAND }, { "command:", NULL, TARGET_COMMAND },
	{ "command:a\nb", NULL, TARGET_COMMAND }, { "command:a | b", NULL, TARGET_COMMAND }, { "command:a $X", NULL, TARGET_COMMAND },
	{ "command:a 'b", NULL, TARGET_COMMAND }, { "command:  ", NULL, TARGET_COMMAND }, { "command:'' a", NULL, TARGET_COMMAND },
};

static void texts_of_targets(void **state)
{
	struct arena a = { 0 };
	struct target t;
	struct err e;
	bool form;

	(void)state;
	assert_int_equal(setenv("HOME", "/h/anna", 1), 0);
	for (size_t n = 0; n < COUNT(texts); n++) {
		assert_int_equal(target_read(&a, "/dir/f.conf", texts[n].text, &t, &form, &e), texts[n].canonical != NULL);
		assert_true(form);
		if (!texts[n].canonical)
			continue;
		assert_string_equal(t.canonical, texts[n].canonical);
		assert_string_equal(t.name, texts[n].canonical);
		assert_int_equal(t.type, texts[n].type);
	}
	for (const char *const *p = (const char *const[]){ "archive", "", "fax:1", "Maildir:x", "lmtp:x", "smtp:h", NULL }; *p; p++) {
		assert_true(target_read(&a, NULL, *p, &t, &form, &e));
		assert_false(form);
	}
	arena_end(&a);
}

static void one_target_a_text(void **state)
{
	struct settings s;
	struct target *t, *again;
	struct err e;

	(void)state;
	settings_none(&s);
	for (size_t n = 0; n < 20; n++) {	/* across the growing of the list */
		char text[40];

		(void)snprintf(text, sizeof text, "maildir:/m/%zu", n);
		assert_true(target_of(&s, NULL, text, &t, &e));
		assert_int_equal(s.target_count, n + 1);
		assert_true(target_of(&s, NULL, "maildir:/m//0/", &again, &e));
		assert_ptr_equal(again, s.targets[0]);
	}
	assert_ptr_equal(settings_target(&s, "maildir:/m/19"), t);
	assert_false(target_of(&s, NULL, "fax:123", &t, &e));
	assert_string_equal(e.text, "there is no target fax:123; write a section target fax:123 { … }, or one of "
		"mailbox:ACCOUNT/BOX, maildir:PATH, folder:PATH, smtp://HOST, lmtp://HOST:PORT or command:CMD");
	settings_end(&s);
}

#define AT "c.conf:1: target t: "

static const struct section_row {
	struct span text;
	const char *report, *canonical;
} rows[] = {
	{ SPAN("target t { type = mailbox mailbox = 'anna/INBOX' }"), "", "mailbox:anna/INBOX" },
	{ SPAN("target t { type = maildir path = '/m/' }"), "", "maildir:/m" },
	{ SPAN("target t { type = folder path = /m prefix = x template = 'c.conf' }"), "", "folder:/m" },
	{ SPAN("target t { type = folder path = /m smime { certificate = 'c.conf' key = 'c.conf' ca_certificates = 'c.conf' } }"), "", "folder:/m" },
	{ SPAN("target t { type = command argv = a smime { } }"), "", "command:a" },
	{ SPAN("target t { type = folder path = /m smime { key = 'c.conf' } }"), AT "smime.key: a key needs its certificate; write smime.certificate as well\n", NULL },
	{ SPAN("target t { type = maildir path = /m smime { } }"), AT "smime: a target of type maildir does not have this key; leave it out\n", NULL },
	{ SPAN("target t { type = folder path = /m prefix = '.x' }"), AT "prefix: .x begins with a dot or has a slash: files of that name would be hidden, or elsewhere; write how the names of the files begin, such as invoice\n", NULL },
	{ SPAN("target t { type = folder path = /m prefix = 'a/x' }"), AT "prefix: a/x begins with a dot or has a slash: files of that name would be hidden, or elsewhere; write how the names of the files begin, such as invoice\n", NULL },
	{ SPAN("target t { type = folder path = /m template = 'order' }"), AT "template: order has no ending such as .txt; files made of it end as it does; write the path of a template\n", NULL },
	{ SPAN("target t { type = folder path = /m template = 'c.d/order' }"), AT "template: c.d/order has no ending such as .txt; files made of it end as it does; write the path of a template\n", NULL },
	{ SPAN("target t { type = folder path = /m template = 'order.JSON' }"), AT "template: order.JSON ends as the message or its index do; files made of it end as it does; write the path of a template\n", NULL },
	{ SPAN("target t { type = folder path = /m template = 'order.t-t' }"), AT "template: order.t-t has an ending that is not of letters and digits; files made of it end as it does; write the path of a template\n", NULL },
	{ SPAN("target t { type = smtp host = H port = 2525 tls { mode = explicit } auth = plain user = u password = 'file:p' parallel = 3 envelope { recipients = 'a@b' } }"),
		"", "smtp://h:2525" },
	{ SPAN("target t { type = smtp host = 'h:465' tls { mode = implicit } envelope { } }"), "", "smtps://h:465" },
	{ SPAN("target t { type = lmtp host = '/run/lmtp' envelope { } }"), "", "lmtp:/run/lmtp" },
	{ SPAN("target t { type = lmtp host = h port = 24 envelope { } }"), "", "lmtp://h:24" },
	{ SPAN("target t { type = command argv = {a, '', b} timeout = 10s parallel = 1 }"), "", "command:a  b" },
	{ SPAN("target t { type = mailbox mailbox = a/b envelope { } }"), "", "mailbox:a/b" },
	{ SPAN("target t { type = maildir path = /m envelope { source_domain = 'a.b' } }"), "", "maildir:/m" },
	{ SPAN("target t { type = folder path = /m envelope { } }"), "", "folder:/m" },
	{ SPAN("target t { type = command argv = a envelope { no_recipient = 'a@b' } }"), "", "command:a" },
	{ SPAN("target t { }"), AT "type is missing; write type = mailbox, maildir, folder, smtp, lmtp or command\n", NULL },
	{ SPAN("target t { type = fax }"), AT "type: fax is none of mailbox, maildir, folder, smtp, lmtp, command; write mailbox, maildir, folder, smtp, lmtp or command\n", NULL },
	{ SPAN("target t { type = mailbox mailbox = anna }"), AT "mailbox: anna is not of the form ACCOUNT/BOX; write for instance anna/INBOX\n", NULL },
	{ SPAN("target t { type = maildir }"), AT "path is missing; write path = …\n", NULL },
	{ SPAN("target t { type = maildir path = /m host = h }"), AT "host: a target of type maildir does not have this key; leave it out\n", NULL },
	{ SPAN("target t { type = command argv = {'', a} }"),
		AT "argv: it names no program; write for instance {\"/usr/local/bin/take\", \"-x\"}\n", NULL },
	{ SPAN("target t { type = command }"), AT "argv is missing; write argv = …\n", NULL },
	{ SPAN("target t { type = smtp envelope { } }"), AT "host is missing; write host = …\n", NULL },
	{ SPAN("target t { type = smtp host = h port = 70000 envelope { } }"), AT "port: 70000 is not in 1..65535; write a port number, 25 for smtp\n", NULL },
	{ SPAN("target t { type = lmtp host = h envelope { } }"), AT "port is missing; write port = … (LMTP has none of its own)\n", NULL },
	{ SPAN("target t { type = smtp host = h }"), AT "it does not say who gets the mail; write envelope { recipients = {\"…\"} }\n", NULL },
	{ SPAN("target 'maildir:x' { type = maildir path = /m }"),
		"c.conf:1: target maildir:x: the name looks like a target itself; write one without the colon\n", NULL },
	{ SPAN("target 'a b' { type = maildir path = /m }"),
		"c.conf:1: target a b: the name has a blank, a quote or a |; write one without, such as support-inbox\n", NULL },
};

static void sections_of_targets(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct settings s;

		assert_string_equal(scratch_read(rows[n].text, 0600, &s), rows[n].report);
		if (*rows[n].report)
			continue;
		assert_string_equal(s.targets[0]->canonical, rows[n].canonical);
		assert_string_equal(s.targets[0]->name, "t");
		assert_int_equal(s.targets[0]->where.line, 1);
		settings_end(&s);
	}
}

/* An account without a domain is main_domain's, in all forms of a target; the ledger's word for it is what was written. */
static void accounts_have_a_domain(void **state)
{
	static const struct {
		struct span text;
		const char *mailbox, *canonical;
	} of[] = {
		{ SPAN("main_domain = h.org target t { type = mailbox mailbox = 'anna/a/b@c' }"), "anna@h.org/a/b@c", "mailbox:anna/a/b@c" },
		{ SPAN("target t { type = mailbox mailbox = 'anna/INBOX' } main_domain = h.org"), "anna@h.org/INBOX", "mailbox:anna/INBOX" },
		{ SPAN("main_domain = h.org target t { type = mailbox mailbox = 'anna@x.org/INBOX' }"), "anna@x.org/INBOX", "mailbox:anna@x.org/INBOX" },
		{ SPAN("main_domain = '' target t { type = mailbox mailbox = 'anna/INBOX' }"), "anna/INBOX", "mailbox:anna/INBOX" },
		{ SPAN("target t { type = mailbox mailbox = 'anna/INBOX' }"), "anna/INBOX", "mailbox:anna/INBOX" },
		{ SPAN("main_domain = h.org connection c { protocol = pop3 host = h user = u password = 'file:p' deliver = 'mailbox:anna/INBOX' }"), "anna@h.org/INBOX", "mailbox:anna/INBOX" },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(of); n++) {
		struct settings s;

		assert_string_equal(scratch_read(of[n].text, 0600, &s), "");
		assert_string_equal(s.targets[0]->mailbox, of[n].mailbox);
		assert_string_equal(s.targets[0]->canonical, of[n].canonical);
		settings_end(&s);
	}
}

static void words_of_a_command(void **state)
{
	static const struct {
		const char *text, *words;
	} commands[] = {
		{ "command:spam", "spam|" }, { "command: /bin/spam  -x 'a  b'\"c \"d '' ", "/bin/spam|-x|a  bc d||" },
		{ "command:a '$x;|'", "a|$x;||" }, { "command:a \"it's\"", "a|it's|" },
	};
	struct arena a = { 0 };
	struct target t;
	struct err e;
	bool form;

	(void)state;
	for (size_t n = 0; n < COUNT(commands); n++) {
		char words[100];
		int len = 0;

		assert_true(target_read(&a, NULL, commands[n].text, &t, &form, &e));
		for (size_t w = 0; w < t.argv.count; w++)
			len += snprintf(words + len, sizeof words - (size_t)len, "%s|", t.argv.at[w]);
		assert_string_equal(words, commands[n].words);
		assert_true(t.timeout_ms == 30000 && t.parallel == 2);
	}
	assert_false(target_read(&a, NULL, "command:a | b", &t, &form, &e));
	assert_string_equal(e.text, "| means something to a shell, and there is none here; write a target section with argv = {…}, of /bin/sh if you want one");
	arena_end(&a);
}

static void a_command_has_defaults(void **state)
{
	struct settings s;

	(void)state;
	assert_string_equal(scratch_read(SPAN("target t { type = command argv = {a, '', b} }"), 0600, &s), "");
	assert_true(s.targets[0]->timeout_ms == 30000 && s.targets[0]->parallel == 2);
	assert_int_equal(s.targets[0]->argv.count, 3);
	assert_string_equal(s.targets[0]->argv.at[2], "b");
	settings_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_of_targets),
		cmocka_unit_test(accounts_have_a_domain),
		cmocka_unit_test(words_of_a_command),
		cmocka_unit_test(a_command_has_defaults),
		cmocka_unit_test(one_target_a_text),
		cmocka_unit_test(sections_of_targets),
	};

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
