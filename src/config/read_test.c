/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scratch.h"

/* What a connection needs, on three lines. */
#define BOX "connection box { protocol = pop3\nhost = h.example\nuser = anna deliver = 'maildir:M'\n"
#define TWO_BOXES BOX "}\n" BOX "}\n"

static const struct wrong {
	const char *name;
	struct span text;
	const char *report;
} wrong[] = {
	{ "unknown key", SPAN(BOX "intervall = 5min\n}\n"),
		"c.conf:4: connection box: unknown key intervall; the nearest one is interval\n" },
	{ "unknown key, near nothing", SPAN(BOX "zebra = 5min\n}\n"),
		"c.conf:4: connection box: unknown key zebra; leave it out, or see docs/postrider.conf.example for the names\n" },
	{ "unknown keys and more, in one run", SPAN(BOX "prot = 1\nport = 0\nzzz { a = 1 b { c = {1, 2} } }\npull = newest\n}\n"),
		"c.conf:4: connection box: unknown key prot; the nearest one is port\n"
		"c.conf:5: connection box: port: 0 is not in 1..65535; write a port number, 995 for pop3s\n"
		"c.conf:6: connection box: unknown section zzz; leave it out, or see docs/postrider.conf.example for the names\n"
		"c.conf:7: connection box: pull: newest is none of all, unread, first, first-unread, last, last-unread; "
		"write all, unread, first, first-unread, last or last-unread\n" },
	{ "words of other programs", SPAN(BOX "server = h\nssl { }\nkeep = true\npass = 'geheim'\n}\n"),
		"c.conf:4: connection box: unknown key server; the nearest one is host\n"
		"c.conf:5: connection box: unknown section ssl; the nearest one is tls\n"
		"c.conf:6: connection box: unknown key keep; the nearest one is after\n"
		"c.conf:7: connection box: unknown key pass; the nearest one is password\n" },
	{ "a word that is another program's, but has no key here", SPAN("server = h\n"),
		"c.conf:1: unknown key server; leave it out, or see docs/postrider.conf.example for the names\n" },
	{ "a key of an inner section", SPAN(BOX "verify_depth = 2\n}\n"),
		"c.conf:4: connection box: unknown key verify_depth; it belongs into tls { … }\n" },
	{ "a key with a dot", SPAN(BOX "tls.mode = none\n}\n"),
		"c.conf:4: connection box: unknown key tls.mode; write tls { mode = … }\n" },
	{ "unknown section", SPAN("conection other {\n}\n"), "c.conf:1: unknown section conection; the nearest one is connection\n" },
	{ "unknown function", SPAN("\ninclud('x')\n"), "c.conf:2: only a file can be called for; write include(\"FILE\")\n" },
	{ "twice", SPAN(BOX "host = other\n}\n"),
		"c.conf:4: connection box: host is given twice, first at c.conf:2; leave one of them out\n" },
	{ "a list twice", SPAN(BOX "deliver = {'maildir:N'}\n}\n"),
		"c.conf:4: connection box: deliver is given twice, first at c.conf:3; leave one of them out\n" },
	{ "a section twice", SPAN(BOX "tls { mode = none }\ntls { required = false }\n}\n"),
		"c.conf:5: connection box: tls is given twice, first at c.conf:4; leave one of them out\n" },
	{ "a connection twice", SPAN(TWO_BOXES), "c.conf:5: connection box is given twice, first at c.conf:1; give one of them another name\n" },
	{ "a top-level key twice", SPAN("state = /a\nstate = /b\n"), "c.conf:2: state is given twice, first at c.conf:1; leave one of them out\n" },
	{ "appended", SPAN(BOX "auth += plain\n}\n"),
		"c.conf:4: connection box: += is not used here; write all in one list, KEY = {A, B}\n" },
	{ "unclosed section", SPAN("state = /a\nconnection box {\nhost = h\n"),
		"c.conf:2: connection box: this section is not closed; write } at its end\n" },
	{ "unclosed inner section", SPAN(BOX "tls {\nmode = none\n}\n\n\n"),
		"c.conf:1: connection box: this section is not closed; write } at its end\n" },
	{ "closed too often", SPAN(BOX "}\n}\n"),
		"c.conf:5: unexpected }: it closes nothing; leave it out, or look for a { that is missing\n" },
	{ "unclosed list", SPAN(BOX "auth = {plain, user\npull = all\n}\n"),
		"c.conf:4: connection box: this list is not closed; write } behind its last element\n" },
	{ "unclosed text", SPAN("state = \"/a\nstore = lmdb\n"),
		"c.conf:1: this text in quotes has no end on its line; write the closing \"\n" },
	{ "unclosed literal text", SPAN("\nstate = '/a\n"), "c.conf:2: this text in quotes has no end on its line; write the closing '\n" },
	{ "unclosed comment", SPAN("state = /a\n/* so\nstore = x\n"), "c.conf:2: this comment is not closed; write */ at its end\n" },
	{ "a NUL", SPAN("state = /a\0b\n"), "c.conf:1: an octet 0 cannot stand in a configuration\n" },
	{ "an escaped NUL", SPAN("state = \"/a\\x00b\"\n"), "c.conf:1: this escape makes an octet 0, which no value can hold\n" },
	{ "a variable that is not set", SPAN("state = \"${POSTRIDER_NO_SUCH}/x\"\n"),
		"c.conf:1: ${POSTRIDER_NO_SUCH} is not set in the environment; set it, or write ${POSTRIDER_NO_SUCH:-ELSE}\n" },
	{ "a variable without quotes", SPAN("state = ${HOME}/x\n"),
		"c.conf:1: ${VAR} is expanded in double quotes only; write \"${VAR}\"\n" },
	{ "no equal sign", SPAN(BOX "pull all\n}\n"), "c.conf:4: connection box: pull has no =; write pull = VALUE\n" },
	{ "a section's name alone", SPAN("connection\n"), "c.conf:1: connection has no {; write connection NAME { … }\n" },
	{ "no value", SPAN("state = \n\nstore = lmdb\npop3 { key = }\n"),
		"c.conf:1: there is nothing behind an =; write KEY = VALUE\nc.conf:4: pop3: there is nothing behind an =; write KEY = VALUE\n" },
	{ "a word too many", SPAN(BOX "description = two words\n}\n"),
		"c.conf:4: connection box: this word is no KEY = VALUE; a text with blanks stands in quotes\n" },
	{ "a word too many behind a password", SPAN(BOX "password = my geheim = 1\n}\n"),
		"c.conf:4: connection box: an unknown word stands behind a password; a text with blanks stands in quotes\n" },
	{ "a list for one value", SPAN(BOX "port = {1, 2}\n}\n"),
		"c.conf:4: connection box: this sign does not belong here; write KEY = VALUE, KEY = {A, B} for a list, or SECTION { … }\n" },
	{ "a value for a section", SPAN(BOX "tls = none\n}\n"), "c.conf:4: connection box: this is a section; write SECTION { … }\n" },
	{ "a section for a value", SPAN(BOX "port { }\n}\n"), "c.conf:4: connection box: this key needs a value; write KEY = VALUE\n" },
	{ "no name", SPAN("\nconnection {\n}\n"), "c.conf:2: this section needs a name; write SECTION NAME { … }\n" },
	{ "a name with a blank", SPAN("connection 'two words' { protocol = pop3\nhost = h user = u deliver = 'maildir:M' }\n"),
		"c.conf:1: connection two words: the name has a blank, a quote or a |; write one without, such as support-inbox\n" },
	{ "a bad escape", SPAN("main_domain = \"a\\9\"\n"),
		"c.conf:1: there is no such escape; write \\\\ for a backslash, or single quotes\n" },
	{ "the first error behind comments has its own line", SPAN("/* one\n two */ # three\n// four\n/* five */ state = /a /* six\nseven */\nxyz = 1\n"),
		"c.conf:6: unknown key xyz; leave it out, or see docs/postrider.conf.example for the names\n" },
	{ "a control character", SPAN("main_domain = \"a\\tb\"\n"), "c.conf:1: main_domain: control characters cannot stand in it; write a domain\n" },
	{ "a control character is not shown", SPAN("store = \"a\x1b[2J\"\n"),
		"c.conf:1: store: a?[2J is none of lmdb, rados; write lmdb (embedded) or rados (Ceph)\n" },
	{ "an include that is not there", SPAN("state = /a\ninclude('nothing.conf')\n"), "c.conf:2: FOLDER/nothing.conf cannot be opened: No such file or directory\n" },
	{ "an include of itself", SPAN("include('c.conf')\n"), "FOLDER/c.conf:1: files include each other too deep; does one include itself?\n" },
	{ "a folder that is not there", SPAN("connections_dir = nowhere\n"),
		"c.conf:1: connections_dir: FOLDER/nowhere cannot be read; write the path of a folder that is there\n" },
};

/* The folder has another name in each run. */
static const char *with_folder(const char *report, char *out, size_t size)
{
	const char *sign = strstr(report, "FOLDER");

	if (!sign)
		return report;
	(void)snprintf(out, size, "%.*s%s%s", (int)(sign - report), report, scratch_folder, sign + 6);
	return out;
}

static void wrong_files(void **state)
{
	(void)state;
	for (const struct wrong *w = wrong; w < wrong + COUNT(wrong); w++) {
		struct settings s;
		char want[2048];

		print_message("  %s\n", w->name);
		assert_string_equal(scratch_read(w->text, 0600, &s), with_folder(w->report, want, sizeof want));
	}
}

/* A file cut anywhere is an error or reads well; it never hangs or crashes. */
static void any_cut_is_survived(void **state)
{
	static const struct span whole = SPAN("# c\nstate = \"/a${HOME}\" /* x */\ntarget t { type = maildir path = '/m' }\n" BOX "auth = {plain, 'user'} tls { min = TLSv1.2 }\n}\n");

	(void)state;
	for (size_t cut = 0; cut < whole.len; cut++) {
		struct settings s;

		if (!*scratch_read((struct span){ whole.at, cut }, 0600, &s))
			settings_end(&s);
	}
}

static void quotes(void **state)
{
	static const struct {
		struct span value;
		const char *want;
	} rows[] = {
		{ SPAN("plain/text-1"),            "plain/text-1" },
		{ SPAN("'a\"b'"),                  "a\"b" },
		{ SPAN("'a\\b\\\\c\\'"),           "a\\b\\\\c\\" },		/* single quotes: literal */
		{ SPAN("'${POSTRIDER_TEST} $x'"),  "${POSTRIDER_TEST} $x" },
		{ SPAN("\"${POSTRIDER_TEST}\""),   "a'b\"c\\d" },
		{ SPAN("\"<${POSTRIDER_TEST}>\""), "<a'b\"c\\d>" },
		{ SPAN("\"${POSTRIDER_NO:-else}\""), "else" },
		{ SPAN("\"\\${POSTRIDER_NO}\""),   "${POSTRIDER_NO}" },
		{ SPAN("\"a\\\\b\\\"c\\x41\\102\""), "a\\b\"cAB" },
		{ SPAN("\"a \\\n b\""),            "a  b" },
		{ SPAN("'a # b // c /* d'"),       "a # b // c /* d" },
		{ SPAN("socks5://x"),              "socks5://x" },
		{ SPAN("a*b"),                     "a*b" },
		{ SPAN("x # comment"),             "x" },
		{ SPAN("m\xc3\xbc//ller"),         "m\xc3\xbc//ller" },
	};

	(void)state;
	assert_int_equal(setenv("POSTRIDER_TEST", "a'b\"c\\d", 1), 0);
	for (size_t n = 0; n < COUNT(rows); n++) {
		char text[500];
		struct settings s;

		(void)snprintf(text, sizeof text, "\xef\xbb\xbf" BOX "\tdescription = %.*s\r\n password = 'x' }", (int)rows[n].value.len, rows[n].value.at);
		assert_string_equal(scratch_read(span_of(text), 0600, &s), "");
		assert_string_equal(s.connections[0]->description, rows[n].want);
		settings_end(&s);
	}
}

static const struct permission {
	const char *name, *text;
	mode_t mode;
	bool good;
} permissions[] = {
	{ "own file",            BOX "password = geheim }", 0600, true },
	{ "read only",           BOX "password = geheim }", 0400, true },
	{ "the group reads",     BOX "password = geheim }", 0640, false },
	{ "all read",            BOX "password = geheim }", 0604, false },
	{ "the group may write", BOX "password = geheim }", 0620, false },
	{ "no literal",          BOX "password = 'file:pw' }", 0644, true },
	{ "a command",           BOX "password = 'command:pass show x' }", 0644, true },
	{ "a credential",        BOX "password = 'credential:x' }", 0644, true },
	{ "the vault",           BOX "password = 'vault:x' }", 0644, true },
	{ "the environment's",   BOX "password = \"${HOME}\" }", 0644, true },
	{ "none",                BOX "}", 0644, true },
	{ "a client secret",     BOX "oauth { client_secret = geheim } }", 0644, false },
	{ "a target's",          "target t { type = smtp host = h password = geheim envelope { recipients = 'a@b' } }", 0644, false },
};

static void a_literal_password_needs_a_file_of_its_own(void **state)
{
	(void)state;
	for (const struct permission *p = permissions; p < permissions + COUNT(permissions); p++) {
		struct settings s;
		const char *report = scratch_read(span_of(p->text), p->mode, &s);

		print_message("  %s\n", p->name);
		assert_int_equal(!*report, p->good);
		assert_null(strstr(report, "geheim"));
		if (p->good) {
			settings_end(&s);
			continue;
		}
		assert_non_null(strstr(report, ": it stands here in clear, and others can read this file: chmod 600 it; write "));
	}
}

static void the_permission_is_that_of_the_file_it_stands_in(void **state)
{
	struct settings s;

	(void)state;
	scratch_write("secret.conf", SPAN("password = geheim\n"), 0600);
	assert_string_equal(scratch_read(SPAN(BOX "include('secret.conf')\n}\n"), 0644, &s), "");
	assert_string_equal(s.connections[0]->password.text, "geheim");
	settings_end(&s);
	scratch_write("secret.conf", SPAN("password = geheim\n"), 0644);
	assert_non_null(strstr(scratch_read(SPAN(BOX "include('secret.conf')\n}\n"), 0600, &s), "/secret.conf:1: connection box: password: it stands"));
}

static void includes(void **state)
{
	struct settings s;
	char want[900];

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	scratch_write("sub/a.conf", SPAN("# one\ninclude(\"${POSTRIDER_B:-b}.conf\")\nmain_domain = a.example\n"), 0600);
	scratch_write("sub/b.conf", SPAN(BOX "}\n"), 0600);
	assert_string_equal(scratch_read(SPAN("include(sub/a.conf) state = st\n"), 0600, &s), "");
	assert_string_equal(s.main_domain, "a.example");
	assert_int_equal(s.connection_count, 1);
	(void)snprintf(want, sizeof want, "%s/sub/b.conf", scratch_folder);
	assert_string_equal(s.connections[0]->where.file, want);
	assert_int_equal(s.connections[0]->where.line, 1);
	/* relative paths are meant from the file they stand in */
	(void)snprintf(want, sizeof want, "%s/sub/M", scratch_folder);
	assert_string_equal(s.connections[0]->deliver[0]->path, want);
	(void)snprintf(want, sizeof want, "%s/st", scratch_folder);
	assert_string_equal(s.state, want);
	settings_end(&s);

	scratch_write("sub/b.conf", SPAN("\n" BOX "pull = newest\n}\nmain_domain = b\n"), 0600);
	(void)snprintf(want, sizeof want,
		"%s/sub/a.conf:3: main_domain is given twice, first at %s/sub/b.conf:7; leave one of them out\n"
		"%s/sub/b.conf:5: connection box: pull: newest is none of all, unread, first, first-unread, last, last-unread; "
		"write all, unread, first, first-unread, last or last-unread\n", scratch_folder, scratch_folder, scratch_folder);
	assert_string_equal(scratch_read(SPAN("include(sub/a.conf)\n"), 0600, &s), want);

	scratch_write("sub/b.conf", SPAN("connection x {\n"), 0600);
	(void)snprintf(want, sizeof want, "%s/sub/b.conf:1: connection x: this section is not closed; write } at its end\n", scratch_folder);
	assert_string_equal(scratch_read(SPAN("include(sub/a.conf)\n}\n"), 0600, &s), want);
}

static void a_folder_of_connections(void **state)
{
	struct settings s;
	char want[700];

	(void)state;
	assert_int_equal(mkdir("connections.d", 0700), 0);
	assert_int_equal(mkdir("other", 0700), 0);
	scratch_write("connections.d/b.conf", SPAN("connection b { protocol = pop3 host = h user = u deliver = t }"), 0600);
	scratch_write("connections.d/a.conf", SPAN("/* */ target t { type = maildir path = M }"), 0600);
	scratch_write("connections.d/c.conf~", SPAN("nonsense"), 0600);
	scratch_write("other/x.conf", SPAN("connection x { protocol = pop3 host = h user = u deliver = 'maildir:X' }"), 0600);
	assert_string_equal(scratch_read(SPAN(BOX "}\n"), 0600, &s), "");
	assert_int_equal(s.connection_count, 2);
	assert_string_equal(s.connections[0]->name, "box");
	assert_string_equal(s.connections[1]->name, "b");
	(void)snprintf(want, sizeof want, "maildir:%s/connections.d/M", scratch_folder);
	assert_string_equal(s.connections[1]->deliver[0]->canonical, want);
	settings_end(&s);

	assert_string_equal(scratch_read(SPAN("connections_dir = other\n"), 0600, &s), "");
	assert_int_equal(s.connection_count, 1);
	assert_string_equal(s.connections[0]->name, "x");
	settings_end(&s);

	scratch_write("other/y.conf", SPAN("connection x { }\nstate = /y\npop3 { listen a { } }\n"), 0600);
	(void)snprintf(want, sizeof want,
		"%s/other/y.conf:1: connection x is given twice, first at %s/other/x.conf:1; give one of them another name\n"
		"%s/other/y.conf:2: state does not belong here; write it into the configuration itself, here only target and connection\n"
		"%s/other/y.conf:3: pop3 does not belong here; write it into the configuration itself, here only target and connection\n",
		scratch_folder, scratch_folder, scratch_folder, scratch_folder);
	assert_string_equal(scratch_read(SPAN("connections_dir = other\n"), 0600, &s), want);
}

static void files_that_cannot_be_read(void **state)
{
	struct settings s;
	struct buf report;
	char memory[500];

	(void)state;
	buf_lend(&report, memory, sizeof memory);
	assert_false(settings_read("nothing.conf", &s, &report));
	assert_false(settings_read("/", &s, &report));
	assert_true(buf_terminate(&report));
	assert_string_equal(memory, "postrider: there is no configuration nothing.conf; write one (postrider.conf.example shows how), name one with -c FILE, "
		"or collect a URL: postrider collect pop3s://USER@HOST --to maildir:PATH\n/: cannot be read: Is a directory\n");
	assert_string_equal(scratch_read(SPAN(""), 0600, &s), "");
	assert_int_equal(s.connection_count, 0);
	settings_end(&s);
}


/* docs/postrider.conf.example, which meson names. */
static void the_example_is_good(void **state)
{
	const char *path = getenv("POSTRIDER_EXAMPLE");
	struct settings s;
	struct buf report;
	char memory[4096];

	(void)state;
	if (!path)
		skip();
	buf_lend(&report, memory, sizeof memory);
	if (!settings_read(path, &s, &report))
		fail_msg("%.*s", (int)report.len, report.at);
	assert_int_equal(s.connection_count, 4);
	assert_int_equal(s.warning_count, 0);
	settings_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wrong_files, scratch_start, scratch_end),
		cmocka_unit_test_setup_teardown(any_cut_is_survived, scratch_start, scratch_end),
		cmocka_unit_test_setup_teardown(quotes, scratch_start, scratch_end),
		cmocka_unit_test_setup_teardown(a_literal_password_needs_a_file_of_its_own, scratch_start, scratch_end),
		cmocka_unit_test_setup_teardown(the_permission_is_that_of_the_file_it_stands_in, scratch_start, scratch_end),
		cmocka_unit_test_setup_teardown(includes, scratch_start, scratch_end),
		cmocka_unit_test_setup_teardown(a_folder_of_connections, scratch_start, scratch_end),
		cmocka_unit_test_setup_teardown(files_that_cannot_be_read, scratch_start, scratch_end),
		cmocka_unit_test(the_example_is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
