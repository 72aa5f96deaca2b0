/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scratch.h"

#define BOX(keys) SPAN("connection box { protocol = imap host = h.example user = anna deliver = 'maildir:M'\n" keys "\n}\n")
#define AT "c.conf:2: connection box: "
#define OWN "token_url = 'https://i.example/t' client_id = i "

static const struct row {
	struct span text;
	const char *report;
} wrong[] = {
	{ BOX("oauth { token_url = 'https://i.example/t' flow = refresh_token }"), AT "oauth: client_id is missing; write client_id = … as the issuer gave it to this program\n" },
	{ BOX("oauth { client_id = i flow = refresh_token }"), AT "oauth: token_url is missing; write token_url = \"https://HOST/PATH\", or provider = google or microsoft\n" },
	{ BOX("oauth { " OWN "}"), AT "oauth: flow device needs the place where codes are given out; write device_url = \"https://HOST/PATH\", or flow = refresh_token\n" },
	{ BOX("oauth { " OWN "flow = client_credentials }"), AT "oauth: client_credentials need a secret; write client_secret = 'file:PATH' or 'command:CMD'\n" },
	{ BOX("oauth { client_id = i token_url = 'http://i.example/t' flow = refresh_token }"),
		AT "oauth.token_url: http://i.example/t shows tokens to whoever is on the way; write https://HOST/PATH\n" },
	{ BOX("oauth { " OWN "device_url = 'ftp://i.example/t' }"), AT "oauth.device_url: ftp://i.example/t is no URL of HTTPS; write https://HOST/PATH\n" },
	{ BOX("oauth { provider = yahoo " OWN "flow = refresh_token }"), AT "oauth.provider: yahoo is none of other, google, microsoft; write google, microsoft or other\n" },
	{ BOX("oauth { provider = microsoft client_id = i tenant = 'a/b' }"), AT "oauth.tenant: a/b is no tenant; write the domain or the ID of a tenant of Microsoft's\n" },
	{ BOX("oauth { provider = microsoft client_id = i flow = client_credentials client_secret = 'file:s' }"),
		AT "oauth: Microsoft has client_credentials in one tenant only; write tenant = \"DOMAIN or ID\"\n" },
	{ BOX("auth = plain oauth { provider = google client_id = i }"),
		AT "auth: section oauth gets tokens, not passwords; write auth = auto, or {\"oauthbearer\", \"xoauth2\"}\n" },
	{ BOX("auth = {xoauth2, plain} oauth { provider = google client_id = i }"),
		AT "auth: section oauth gets tokens, not passwords; write auth = auto, or {\"oauthbearer\", \"xoauth2\"}\n" },
	{ BOX("auth = {xoauth2, plain} password = 'file:t'"), AT "auth: a password is no token; leave out oauthbearer and xoauth2, or the others\n" },
};

static const struct row warned[] = {
	{ BOX("oauth { provider = google client_id = i flow = device }"), AT "oauth.flow: Google gives no token for mail by its device flow; write refresh_token" },
	{ BOX("oauth { provider = google client_id = i tenant = t }"), AT "oauth.tenant: only Microsoft has tenants; without provider = microsoft it has no effect" },
	{ BOX("oauth { provider = google client_id = i } password = 'file:x'"), AT "password: section oauth logs in; it has no effect" },
	{ BOX("auth = oauthbearer"), AT "auth: tokens come from section oauth, or from a program; write oauth { … }, or password = 'command:CMD' that prints one" },
	{ BOX("auth = xoauth2 password = 'command:token'"), "" },
	{ BOX("oauth { client_id = i token_url = 'http://127.0.0.1:1/t' flow = refresh_token }"), "" },
};

static void what_is_wrong(void **state)
{
	(void)state;
	for (const struct row *r = wrong; r < wrong + COUNT(wrong); r++) {
		struct settings s;

		assert_string_equal(scratch_read(r->text, 0600, &s), r->report);
		settings_end(&s);
	}
}

static void what_is_odd(void **state)
{
	(void)state;
	for (const struct row *r = warned; r < warned + COUNT(warned); r++) {
		struct settings s;

		assert_string_equal(scratch_read(r->text, 0600, &s), "");
		assert_string_equal(s.warning_count ? s.warnings[0] : "", r->report);
		assert_true(s.warning_count <= 1);
		settings_end(&s);
	}
}

static const struct oauth_keys *read_one(struct span text, struct settings *s)
{
	assert_string_equal(scratch_read(text, 0600, s), "");
	assert_int_equal(s->connection_count, 1);
	assert_true(s->connections[0]->has_oauth);
	return &s->connections[0]->oauth;
}

static void providers(void **state)
{
	const struct oauth_keys *o;
	struct settings s;

	(void)state;
	o = read_one(BOX("oauth { provider = google client_id = i }"), &s);
	assert_int_equal(o->flow, OAUTH_REFRESH_TOKEN);
	assert_string_equal(o->token_url, "https://oauth2.googleapis.com/token");
	assert_string_equal(o->scope, "https://mail.google.com/");
	settings_end(&s);
	o = read_one(BOX("oauth { provider = microsoft client_id = i }"), &s);
	assert_int_equal(o->flow, OAUTH_DEVICE);
	assert_string_equal(o->token_url, "https://login.microsoftonline.com/common/oauth2/v2.0/token");
	assert_string_equal(o->device_url, "https://login.microsoftonline.com/common/oauth2/v2.0/devicecode");
	assert_string_equal(o->scope, "https://outlook.office.com/IMAP.AccessAsUser.All offline_access");
	settings_end(&s);
	o = read_one(SPAN("connection box { protocol = pop3 host = h user = u deliver = 'maildir:M' oauth { provider = microsoft tenant = 'c.example' client_id = i scope = s } }"), &s);
	assert_string_equal(o->token_url, "https://login.microsoftonline.com/c.example/oauth2/v2.0/token");
	assert_string_equal(o->scope, "s");
	settings_end(&s);
	o = read_one(BOX("oauth { provider = microsoft tenant = t client_id = i flow = client_credentials client_secret = 'command:x' token_url = 'https://own.example/' }"), &s);
	assert_string_equal(o->scope, "https://outlook.office365.com/.default");
	assert_string_equal(o->token_url, "https://own.example/");
	assert_int_equal(o->client_secret.kind, SECRET_COMMAND);
	settings_end(&s);
}

/* Tokens alone with the section, without it passwords alone, unless they are said to be tokens. */
static void mechanisms(void **state)
{
	const struct connection *c;
	struct settings s;

	(void)state;
	(void)read_one(BOX("oauth { provider = google client_id = i }"), &s);
	c = s.connections[0];
	assert_int_equal(c->auth_count, 2);
	assert_true(c->auth[0] == MECHANISM_OAUTHBEARER && c->auth[1] == MECHANISM_XOAUTH2);
	assert_int_equal(c->password.kind, SECRET_NONE);
	settings_end(&s);
	(void)read_one(BOX("auth = xoauth2 oauth { provider = google client_id = i }"), &s);
	assert_true(s.connections[0]->auth_count == 1 && s.connections[0]->auth[0] == MECHANISM_XOAUTH2);
	settings_end(&s);
	assert_string_equal(scratch_read(BOX("password = 'file:x'"), 0600, &s), "");
	c = s.connections[0];
	assert_false(c->has_oauth);
	assert_true(c->auth_count && !memchr(c->auth, MECHANISM_OAUTHBEARER, c->auth_count) && !memchr(c->auth, MECHANISM_XOAUTH2, c->auth_count));
	settings_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong),
		cmocka_unit_test(what_is_odd),
		cmocka_unit_test(providers),
		cmocka_unit_test(mechanisms),
	};

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
