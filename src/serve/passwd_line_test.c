/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/passwd_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static bool cut(char *text, size_t size, const char *line, struct passwd_line *l)
{
	assert_true((size_t)snprintf(text, size, "%s", line) < size);
	return passwd_line_cut(text, l);
}

static void lines_are_cut(void **state)
{
	static const struct row { const char *line, *user, *password, *home, *mail, *as, *nets, *flags; } rows[] = {
		{ "anna:{PLAIN}x", "anna", "{PLAIN}x", "", NULL, NULL, NULL, "" },
		{ "anna", "anna", "", "", NULL, NULL, NULL, "" },
		{ "anna:", "anna", "", "", NULL, NULL, NULL, "" },
		{ "anna:x:1:2:g:/h/anna:/bin/sh", "anna", "x", "/h/anna", NULL, NULL, NULL, "" },
		{ "anna:x:1:2:g:/h/anna:/bin/sh:userdb_mail=maildir:~/M:INBOX=/x nologin", "anna", "x", "/h/anna", "maildir:~/M:INBOX=/x", NULL, NULL, "l" },
		{ "anna:x:::::: \t nologin=why  user=bob\tallow_nets=10.0.0.0/8,::1 ", "anna", "x", "", NULL, "bob", "10.0.0.0/8,::1", "l" },
		{ "a:x::::/h::userdb_home=/other userdb_quota_rule=*:storage=1G nodelay proxy", "a", "x", "/other", NULL, NULL, NULL, "e" },
		{ "a:x::::::nopassword host=h userdb_mailx=1 users=x nologinx", "a", "x", "", NULL, NULL, NULL, "pe" },
		{ "a b:p w:::::", "a b", "p w", "", NULL, NULL, NULL, "" },
		{ "a:{PLAIN}x y::::::allow_nets", "a", "{PLAIN}x y", "", NULL, NULL, "", "" },
	};
	static const char *const none[] = { "", "#anna:x", ":x", ":", "#" };
	struct passwd_line l;
	char text[200], flags[4];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		assert_true(cut(text, sizeof text, r->line, &l));
		(void)snprintf(flags, sizeof flags, "%s%s%s", l.nologin ? "l" : "", l.nopassword ? "p" : "", l.elsewhere ? "e" : "");
		if (strcmp(l.user, r->user) || strcmp(l.password, r->password) || strcmp(l.home, r->home) || strcmp(flags, r->flags) ||
		    strcmp(l.mail ? l.mail : "-", r->mail ? r->mail : "-") || strcmp(l.as ? l.as : "-", r->as ? r->as : "-") ||
		    strcmp(l.nets ? l.nets : "-", r->nets ? r->nets : "-"))
			fail_msg("%s: %s %s %s %s", r->line, l.user, l.password, l.home, flags);
	}
	for (size_t n = 0; n < COUNT(none); n++)
		assert_false(cut(text, sizeof text, none[n], &l));
}

static void passwords_have_a_scheme(void **state)
{
	static const struct row { const char *password, *verifier; } rows[] = {
		{ "{SHA}x", "{SHA}x" }, { "x", "{CRYPT}x" }, { "", "{CRYPT}" }, { "098f[34]", "{PLAIN-MD5}098f" }, { "abcd[13]", "{CRYPT}abcd" },
		{ "abcd[56]", "{DIGEST-MD5}abcd" }, { "[34]", "{CRYPT}[34]" }, { "{PLAIN}x[34]", "{PLAIN}x[34]" }, { "$1$x[34]", "{CRYPT}$1$x[34]" },
		{ "abc[3x]", "{CRYPT}abc[3x]" },
	};
	char verifier[LOGIN_VERIFIER];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		assert_true(passwd_line_verifier(&(struct passwd_line){ .password = r->password }, verifier));
		assert_string_equal(verifier, r->verifier);
	}
}

static void maildirs_are_where_the_line_says(void **state)
{
	static const struct row { const char *mail, *home, *name, *path; } rows[] = {
		{ "maildir:~/Maildir", "/h/anna", "anna@x.example", "/h/anna/Maildir" },
		{ "maildir:~/Maildir", "/h/%d/%n", "anna@x.example", "/h/x.example/anna/Maildir" },
		{ "maildir:/var/mail/%u", "", "anna@x.example", "/var/mail/anna@x.example" },
		{ "maildir:/var/mail/%d/%n/100%%", "", "anna@x.example", "/var/mail/x.example/anna/100%" },
		{ "maildir:/var/mail/%d/%n", "", "anna", "/var/mail//anna" },
		{ "maildir:%h/M", "/h/anna", "anna", "/h/anna/M" },
		{ "maildir:/m/%u:LAYOUT=fs:INDEX=/i/%u", "", "anna", "/m/anna" },
		{ "maildir:/m/%u:LAYOUT=fs:INBOX=/in/%u:INDEX=/i", "", "anna", "/in/anna" },
		{ "maildir:/a..b/c", "", "anna", "/a..b/c" },
		{ NULL, "/h/anna", "anna", "" }, { "", "/h/anna", "anna", "" },
		{ "mbox:~/mail", "/h/anna", "anna", NULL }, { "mdbox:~/m", "/h", "anna", NULL }, { "~/Maildir", "/h", "anna", NULL },
		{ "maildir:~/Maildir", "", "anna", NULL }, { "maildir:Maildir", "/h", "anna", NULL }, { "maildir:", "/h", "anna", NULL },
		{ "maildir:/m/%x", "", "anna", NULL }, { "maildir:/m/%", "", "anna", NULL }, { "maildir:/m/%h", "%h", "anna", NULL },
		{ "maildir:/m/%u", "", "..", NULL }, { "maildir:/m/%u/x", "", "..", NULL }, { "maildir:/m/../x", "", "a", NULL },
		{ "maildir:/..", "", "a", NULL },
	};
	char mail[PATH_MAX], longest[PATH_MAX + 40];
	const char *why = "";

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct passwd_line l = { .home = r->home, .mail = r->mail };
		bool good = passwd_line_mail(&l, r->name, mail, &why);

		if (good != !!r->path || strcmp(mail, r->path ? r->path : "") != 0)
			fail_msg("%s of %s: %s", r->mail, r->name, mail);
	}
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "maildir:/", 9);
	longest[sizeof longest - 1] = '\0';
	assert_false(passwd_line_mail(&(struct passwd_line){ .home = "", .mail = longest }, "anna", mail, &why));
}

static void networks_are_honoured(void **state)
{
	static const struct row { const char *nets; bool good; const char *peer; bool has; } rows[] = {
		{ NULL, true, "192.0.2.1", true }, { "", true, "192.0.2.1", false }, { "192.0.2.1", true, "192.0.2.1", true },
		{ "192.0.2.1", true, "192.0.2.2", false }, { "10.0.0.0/8,192.0.2.0/24", true, "192.0.2.77", true },
		{ "10.1.2.3/8", true, "10.9.9.9", true }, { "10.1.2.3/8", true, "11.9.9.9", false }, { "2001:db8::1/32", true, "2001:db8:7::2", true },
		{ "2001:db8::/32", true, "10.0.0.1", false }, { "local", true, "127.0.0.1", false }, { "local,127.0.0.0/8", true, "127.0.0.1", true },
		{ "10.0.0.0/33", false, "10.0.0.1", false }, { "host.example", false, "10.0.0.1", false }, { "10.0.0.0/x,10.0.0.0/8", false, "10.0.0.1", true },
		{ "0.0.0.0/0", true, "10.0.0.1", true },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false, "10.0.0.1", false },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct passwd_line l = { .nets = r->nets };
		union address peer;

		assert_true(address_parse(r->peer, 1, &peer));
		if (passwd_line_nets_good(&l) != r->good || passwd_line_nets_have(&l, &peer) != r->has)
			fail_msg("%s", r->nets);
		assert_int_equal(passwd_line_nets_have(&l, NULL), !r->nets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut),
		cmocka_unit_test(passwords_have_a_scheme),
		cmocka_unit_test(maildirs_are_where_the_line_says),
		cmocka_unit_test(networks_are_honoured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
