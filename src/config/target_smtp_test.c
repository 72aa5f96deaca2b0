/* SPDX-License-Identifier: Apache-2.0 */
#include "config/build.h"
#include "config/scratch.h"

#define T(keys) SPAN("target t { type = smtp host = h envelope { } " keys " }")
#define L(keys) SPAN("target t { type = lmtp envelope { } " keys " }")
#define AT "c.conf:1: target t: "

static const struct target *only(struct settings *s, struct span text)
{
	assert_string_equal(scratch_read(text, 0600, s), "");
	return s->targets[0];
}

static void short_forms(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		enum tls_mode mode;
		bool checked;
	} rows[] = {
		{ "smtp://MX.example", "mx.example", 25, MODE_EXPLICIT, false }, { "smtp://[::1]:2525", "::1", 2525, MODE_EXPLICIT, false },
		{ "smtps://h", "h", 465, MODE_IMPLICIT, true }, { "smtps://h:1", "h", 1, MODE_IMPLICIT, true },
		{ "lmtp://h:24", "h", 24, MODE_NONE, false }, { "lmtp:/run/a/lmtp", "/run/a/lmtp", 0, MODE_NONE, false },
	};
	struct arena a = { 0 };

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct target t;
		struct err e;
		bool form;

		assert_true(target_read(&a, NULL, rows[n].text, &t, &form, &e));
		assert_string_equal(t.host, rows[n].host);
		assert_int_equal(t.port, rows[n].port);
		assert_int_equal(t.tls.mode, rows[n].mode);
		assert_true(t.tls.required == rows[n].checked && t.tls.verify_server == rows[n].checked && t.tls.verify_host == rows[n].checked);
		assert_int_equal(t.tls.versions, 1 << VERSION_TLS_1_2 | 1 << VERSION_TLS_1_3);
		assert_true(!t.user && !t.auth.auth_count && t.password.kind == SECRET_NONE && t.parallel == 2);
	}
	arena_end(&a);
}

static void sections(void **state)
{
	static const struct {
		struct span text;
		uint16_t port;
		enum tls_mode mode;
		bool required;
	} rows[] = {
		{ T(""), 25, MODE_EXPLICIT, true }, { T("tls { required = false }"), 25, MODE_EXPLICIT, false },
		{ T("tls { mode = implicit }"), 465, MODE_IMPLICIT, true }, { T("tls { mode = none } port = 587"), 587, MODE_NONE, true },
		{ L("host = 'h:24'"), 24, MODE_NONE, true }, { L("host = h port = 24 tls { mode = explicit }"), 24, MODE_EXPLICIT, true },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct settings s;
		const struct target *t = only(&s, rows[n].text);

		assert_string_equal(t->host, "h");
		assert_int_equal(t->port, rows[n].port);
		assert_int_equal(t->tls.mode, rows[n].mode);
		assert_int_equal(t->tls.required, rows[n].required);
		assert_int_equal(s.warning_count, 0);
		settings_end(&s);
	}
}

static void logins(void **state)
{
	struct settings s;
	const struct target *t = only(&s, T("user = anna password = 'file:p' parallel = 3"));

	(void)state;
	assert_string_equal(t->user, "anna");
	assert_int_equal(t->password.kind, SECRET_FILE);
	assert_int_equal(t->parallel, 3);
	assert_true(t->auth.auth_auto && t->auth.auth_count > 3);
	assert_null(memchr(t->auth.auth, MECHANISM_USER, t->auth.auth_count));
	assert_null(memchr(t->auth.auth, MECHANISM_APOP, t->auth.auth_count));
	assert_null(memchr(t->auth.auth, MECHANISM_GSSAPI, t->auth.auth_count));
	assert_non_null(memchr(t->auth.auth, MECHANISM_NTLM, t->auth.auth_count));
	settings_end(&s);
	t = only(&s, T("user = anna password = 'x' auth = {login, plain}"));
	assert_true(!t->auth.auth_auto && t->auth.auth_count == 2 && t->auth.auth[0] == MECHANISM_LOGIN && t->auth.auth[1] == MECHANISM_PLAIN);
	settings_end(&s);
	t = only(&s, T("user = anna auth = gssapi"));
	assert_true(t->auth.auth_count == 1 && t->auth.auth[0] == MECHANISM_GSSAPI && t->password.kind == SECRET_NONE);
	settings_end(&s);
}

static void what_is_wrong(void **state)
{
	static const struct {
		struct span text;
		const char *report;
	} rows[] = {
		{ T("user = u"), AT "user: it has no password; write password = 'file:PATH' or 'command:CMD'\n" },
		{ T("password = 'x'"), AT "password: it is nobody's; write user = … as well\n" },
		{ T("auth = plain"), AT "auth: there is nobody to log in; write user = … as well\n" },
		{ T("user = u password = 'x' auth = apop"), AT "auth: apop is a login of POP3; leave it out\n" },
		{ T("user = u auth = {gssapi, plain}"), AT "user: it has no password; write password = 'file:PATH' or 'command:CMD'\n" },
		{ T("auth = gssapi"), AT "auth: there is nobody to log in; write user = … as well\n" },
		{ T("auth = external"), AT "auth: external needs a client certificate; write tls.certificate as well\n" },
		{ T("tls { min = TLSv1.3 max = TLSv1.2 }"),
			AT "tls.max: protocols, min and max together leave no version of TLS; write for instance min = TLSv1.2 alone\n" },
		{ T("tls { key = 'c.conf' }"), AT "tls.key: a key needs its certificate; write tls.certificate as well\n" },
		{ SPAN("target t { type = smtp host = 'a b' envelope { } }"), NULL },
		{ L("host = '/run/lmtp' port = 24"), AT "port: a socket has none; leave it out\n" },
		{ L("host = '/run/lmtp' tls { mode = explicit }"), AT "tls.mode: a socket of this machine has no TLS; leave it out\n" },
		{ L("host = h"), AT "port is missing; write port = … (LMTP has none of its own)\n" },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct settings s;
		const char *report = scratch_read(rows[n].text, 0600, &s);

		if (rows[n].report)
			assert_string_equal(report, rows[n].report);
		else
			assert_non_null(strstr(report, AT "host: "));
	}
}

static void a_socket(void **state)
{
	struct settings s;
	const struct target *t = only(&s, L("host = '/run/lmtp'"));

	(void)state;
	assert_string_equal(t->canonical, "lmtp:/run/lmtp");
	assert_string_equal(t->host, "/run/lmtp");
	assert_int_equal(t->port, 0);
	assert_int_equal(t->tls.mode, MODE_NONE);
	assert_int_equal(s.warning_count, 0);
	settings_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_forms),
		cmocka_unit_test(sections),
		cmocka_unit_test(logins),
		cmocka_unit_test(what_is_wrong),
		cmocka_unit_test(a_socket),
	};

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
