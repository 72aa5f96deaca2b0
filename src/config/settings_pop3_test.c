/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scratch.h"
#include "config/settings_pop3.h"
#include "config/value.h"

static struct settings given;

static const char *warnings(const struct settings *s)
{
	static char said[4096];

	said[0] = '\0';
	for (size_t n = 0; n < s->warning_count; n++)
		(void)snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", s->warnings[n]);
	return said;
}

/* What comes of a configuration without errors. */
static const struct pop3_settings *good(struct span text)
{
	settings_end(&given);
	assert_string_equal(scratch_read(text, 0600, &given), "");
	return given.pop3;
}

static void no_section_no_service(void **state)
{
	(void)state;
	assert_null(good(SPAN("")));
	assert_null(good(SPAN("console { }")));
	assert_int_equal(good(SPAN("pop3 { max_sessions = 0 }"))->max_sessions, 0);
}

/* PRODUCT 2.4, column "default". */
static void defaults(void **state)
{
	const struct pop3_settings *p = good(SPAN("\npop3 { certificate = c.pem }"));
	const struct pop3_listener *l = p->listeners;

	(void)state;
	assert_string_equal(warnings(&given), "");
	assert_string_equal(p->where.file, "c.conf");
	assert_int_equal(p->where.line, 2);
	assert_int_equal(p->listener_count, 1);
	assert_string_equal(l->name, "default");
	assert_int_equal(l->where.line, 2);
	assert_string_equal(l->address, "::");
	assert_int_equal(l->port, 110);
	assert_int_equal(l->tls, POP3_TLS_STARTTLS);
	assert_false(l->allow_cleartext);
	assert_int_equal(l->proxy, POP3_PROXY_OFF);
	assert_int_equal(l->trusted.count, 0);
	assert_true(!p->key && !p->ca_certificates && !p->tls.ciphers && !p->tls.ciphersuites);
	assert_true(p->tls.min == VERSION_NOT_SET && p->tls.max == VERSION_NOT_SET);
	assert_true(p->max_sessions == 10000 && p->max_per_address == 0 && p->max_per_user == 0);
	assert_int_equal(p->access, POP3_GRANT);
	assert_int_equal(p->except.count, 0);
	assert_int_equal(p->mechanisms_as_written.count, 0);
	assert_true(p->apop && p->hide_version && p->after_retr_seen && !p->exclusive);
	assert_null(p->greeting);
	assert_true(p->login_delay_s == 0 && p->idle_timeout_ms == 600000 && p->login_timeout_ms == 120000);
	assert_int_equal(p->overlong, POP3_BLOCK);
	assert_true(p->failed_delay_ms == 2000 && p->failed_limit == 10 && p->failed_block_ms == 900000);
	assert_true(!p->submission && !p->submission_as_written && p->submission_limit == 100 && p->submission_size == 25 << 20);
	assert_string_equal(p->route_header, "X-Real-To");
	assert_null(p->maildir);
	assert_int_equal(p->uidl, POP3_UIDL_NATIVE);
	assert_int_equal(p->user_count, 1);
	assert_int_equal(p->users[0].kind, POP3_USERS_INTERNAL);
}

static void every_key_has_its_effect(void **state)
{
	const struct pop3_settings *p;
	char want[100];

	(void)state;
	p = good(SPAN("target relay { type = smtp host = mx }\n"
		"pop3 { listen a { address = '192.0.2.7' port = 1110 tls = none allow_cleartext = true proxy_protocol = v1 trusted = {'192.0.2.0/24', '::1'} }\n"
		"listen b { tls = implicit proxy_protocol = v2 trusted = '2001:db8::/32' }\n"
		"certificate = c.pem key = './k.pem' ca_certificates = /ca.pem\n"
		"tls { min = TLSv1.2 max = TLSv1.3 ciphers = HIGH ciphersuites = TLS_AES_128_GCM_SHA256 }\n"
		"max_sessions = 1 max_per_address = 2 max_per_user = 3 access = deny except = {'192.0.2.0/24'} mechanisms = {plain, EXTERNAL} apop = false\n"
		"greeting = 'hello there' hide_version = false login_delay = 2min idle_timeout = 1h login_timeout = 30s overlong = drop\n"
		"failed_delay = 1h failed_limit = 0 failed_block = 30d exclusive = true after_retr_seen = false submission = relay\n"
		"submission_limit = 5 submission_size = 1KB route_header = X-To maildir = '/var/mail/%d/%n' uidl = dovecot users = {'passwd-file:u/p', internal, 'pam:x'} }\n"));
	assert_int_equal(p->listener_count, 2);
	assert_string_equal(p->listeners[0].name, "a");
	assert_string_equal(p->listeners[0].address, "192.0.2.7");
	assert_int_equal(p->listeners[0].port, 1110);
	assert_int_equal(p->listeners[0].tls, POP3_TLS_NONE);
	assert_true(p->listeners[0].allow_cleartext);
	assert_int_equal(p->listeners[0].proxy, POP3_PROXY_V1);
	assert_int_equal(p->listeners[0].trusted.count, 2);
	assert_string_equal(p->listeners[0].trusted.at[1], "::1");
	assert_int_equal(p->listeners[1].where.line, 3);
	assert_int_equal(p->listeners[1].port, 995);
	assert_int_equal(p->listeners[1].tls, POP3_TLS_IMPLICIT);
	assert_int_equal(p->listeners[1].proxy, POP3_PROXY_V2);
	(void)snprintf(want, sizeof want, "%s/c.pem", scratch_folder);
	assert_string_equal(p->certificate, want);
	(void)snprintf(want, sizeof want, "%s/k.pem", scratch_folder);
	assert_string_equal(p->key, want);
	assert_string_equal(p->ca_certificates, "/ca.pem");
	assert_true(p->tls.min == VERSION_TLS_1_2 && p->tls.max == VERSION_TLS_1_3);
	assert_string_equal(p->tls.ciphers, "HIGH");
	assert_string_equal(p->tls.ciphersuites, "TLS_AES_128_GCM_SHA256");
	assert_true(p->max_sessions == 1 && p->max_per_address == 2 && p->max_per_user == 3);
	assert_int_equal(p->access, POP3_DENY);
	assert_int_equal(p->except.count, 1);
	assert_string_equal(p->except.at[0], "192.0.2.0/24");
	assert_int_equal(p->mechanisms, 1u << MECHANISM_PLAIN | 1u << MECHANISM_EXTERNAL);
	assert_true(!p->apop && !p->hide_version && p->exclusive && !p->after_retr_seen);
	assert_string_equal(p->greeting, "hello there");
	assert_true(p->login_delay_s == 120 && p->idle_timeout_ms == 3600000 && p->login_timeout_ms == 30000);
	assert_int_equal(p->overlong, POP3_DROP);
	assert_true(p->failed_delay_ms == 3600000 && p->failed_limit == 0 && p->failed_block_ms == 30u * 86400000);
	assert_ptr_equal(p->submission, settings_target(&given, "relay"));
	assert_true(p->submission_limit == 5 && p->submission_size == 1024);
	assert_string_equal(p->route_header, "X-To");
	assert_string_equal(p->maildir, "/var/mail/%d/%n");
	assert_int_equal(p->uidl, POP3_UIDL_DOVECOT);
	assert_int_equal(p->user_count, 3);
	assert_int_equal(p->users[2].kind, POP3_USERS_PAM);
	assert_string_equal(p->users[2].text, "x");
	assert_int_equal(p->users[1].kind, POP3_USERS_INTERNAL);
	assert_int_equal(p->users[0].kind, POP3_USERS_PASSWD_FILE);
	(void)snprintf(want, sizeof want, "%s/u/p", scratch_folder);
	assert_string_equal(p->users[0].text, want);
}

#define LIST "; write auto, or a list such as {\"scram-sha-256\", \"plain\"}\n"
#define TARGETS "mailbox:ACCOUNT/BOX, maildir:PATH, folder:PATH, smtp://HOST, lmtp://HOST:PORT or command:CMD\n"
#define NETWORKS "; write a list of networks, {\"192.0.2.0/24\"}\n"
#define NOBODY "nobody is trusted to say where a client comes from; write trusted = {\"192.0.2.1\"}, the proxies' addresses\n"
#define IN(keys) SPAN("pop3 { certificate = c.pem\n" keys "\n}")
#define AT "c.conf:2: pop3: "

static const struct row {
	struct span text;
	const char *report;
} wrong[] = {
	{ IN("listen x { port = 0 }\nexcept = {'1.2.3.4/40'}\nmechanisms = {}"), AT "listen x: port: 0 is not in 1..65535; write a port number, 110 or 995\n"
		"c.conf:3: pop3: except: 1.2.3.4/40 has no such prefix" NETWORKS "c.conf:4: pop3: mechanisms: the list is empty" LIST },
	{ IN("listen 'a b' { }"), AT "listen a b: the name has a blank, a quote or a |; write one without, such as support-inbox\n" },
	{ IN("listen x { address = localhost }"), AT "listen x: address: localhost is no IP address; write an IP address of this machine\n" },
	{ IN("listen x { tls = explicit }"), AT "listen x: tls: explicit is none of starttls, implicit, none; write starttls, implicit or none\n" },
	{ IN("listen x { proxy_protocol = v3 }"), AT "listen x: proxy_protocol: v3 is none of off, v1, v2; write off, v1 or v2\n" },
	{ IN("listen x { trusted = '192.0.2.1/24' }"), AT "listen x: trusted: 192.0.2.1/24 has an address behind its prefix" NETWORKS },
	{ IN("listen x {\nproxy_protocol = v2 }"), "c.conf:3: pop3: listen x: proxy_protocol: " NOBODY },
	{ IN("listen x { proxy_protocol = v2\ntrusted = {} }"), "c.conf:3: pop3: listen x: trusted: " NOBODY },
	{ IN("listen x { proxy_protocol = v2\ntrusted = proxy }"), "c.conf:3: pop3: listen x: trusted: proxy is no IP address" NETWORKS },
	{ IN("listen x { }\nlisten y { }"), "c.conf:3: pop3: listen y: listen x at c.conf:2 has port 110 of :: already; write another port or address\n" },
	{ IN("listen x { address = '::ffff:192.0.2.1' }\nlisten y {\naddress = '192.0.2.1' }\nlisten z { address = '::FFFF:192.0.2.1'\nport = 110 }"),
		"c.conf:4: pop3: listen y: address: listen x at c.conf:2 has port 110 of ::ffff:192.0.2.1 already; write another port or address\n"
		"c.conf:6: pop3: listen z: port: listen x at c.conf:2 has port 110 of ::ffff:192.0.2.1 already; write another port or address\n" },
	{ IN("listen x { tls = implicit }\nlisten y { port = 995 }"),
		"c.conf:3: pop3: listen y: port: listen x at c.conf:2 has port 995 of :: already; write another port or address\n" },
	{ IN("listen x { }\nlisten y { address = h }"), "c.conf:3: pop3: listen y: address: h is no IP address; write an IP address of this machine\n" },
	{ IN("listen x { port = 0 }\nlisten y { address = h }\nlisten z { address = h port = 0 }"),
		AT "listen x: port: 0 is not in 1..65535; write a port number, 110 or 995\n"
		"c.conf:3: pop3: listen y: address: h is no IP address; write an IP address of this machine\n"
		"c.conf:4: pop3: listen z: address: h is no IP address; write an IP address of this machine\n"
		"c.conf:4: pop3: listen z: port: 0 is not in 1..65535; write a port number, 110 or 995\n" },
	{ IN("listen x { }\nlisten x { port = 1 }"), "c.conf:3: pop3: listen x is given twice, first at c.conf:2; give one of them another name\n" },
	{ SPAN("pop3 { listen x {\ntls = implicit } }"), "c.conf:2: pop3: listen x: tls: implicit needs a certificate; write certificate = … into pop3, or tls = none\n" },
	{ SPAN("pop3 { listen x { tls = implicit }\ncertificate = '' }"), AT "certificate: it is empty; write the path of a PEM file\n" },
	{ SPAN("pop3 {\nkey = k }"), AT "key: a key needs its certificate; write certificate as well\n" },
	{ IN("tls { min = TLSv1.1\nmax = TLSv1 }"), AT "tls.min: TLSv1 and TLSv1.1 are not served; write TLSv1.2 or TLSv1.3\n" },
	{ IN("tls { max = TLSv1 }"), AT "tls.max: TLSv1 and TLSv1.1 are not served; write TLSv1.2 or TLSv1.3\n" },
	{ IN("tls { min = TLSv1.3\nmax = TLSv1.2 }"),
		"c.conf:3: pop3: tls.max: min and max together leave no version of TLS; write for instance min = TLSv1.2 alone\n" },
	{ IN("listen x { certificate = d }"), AT "listen x: unknown key certificate; leave it out, or see docs/postrider.conf.example for the names\n" },
	{ IN("max_sessions = all"), AT "max_sessions: all is not a decimal number; write a number, 0 for no service\n" },
	{ IN("access = allow"), AT "access: allow is none of grant, deny; write grant or deny\n" },
	{ IN("mechanisms = {plane, plain, PLAIN}"), AT "mechanisms: plane is no mechanism" LIST AT "mechanisms: plain stands there twice; leave one of them out\n" },
	{ IN("mechanisms = {auto, plain}"), AT "mechanisms: auto is no mechanism" LIST },
	{ IN("mechanisms = {gssapi, digest-md5, ntlm}"), AT "mechanisms: gssapi is not served; leave it out\n"
		AT "mechanisms: digest-md5 is not served; leave it out\n" AT "mechanisms: ntlm is not served; leave it out\n" },
	{ IN("mechanisms = external"), AT "mechanisms: external is about clients' certificates; write certificate and ca_certificates as well\n" },
	{ IN("mechanisms = external ca_certificates = ''"), AT "ca_certificates: it is empty; write the path of a PEM file\n" },
	{ SPAN("pop3 {\nmechanisms = {scram-sha-1-plus, plain} }"), AT "mechanisms: scram-sha-1-plus is bound to TLS; write certificate as well\n" },
	{ IN("mechanisms = apop\napop = false"), AT "mechanisms: apop stands against apop = false; leave one of them out\n" },
	{ IN("mechanisms = {cram-md5, scram-sha-1}\nusers = 'pam:x'"),
		AT "mechanisms: cram-md5 needs recoverable passwords; leave it out, or write internal or passwd-file:PATH into users\n"
		AT "mechanisms: scram-sha-1 needs the keys of its users; leave it out, or write internal or passwd-file:PATH into users\n" },
	{ IN("mechanisms = {oauthbearer, plain, xoauth2}"),
		AT "mechanisms: oauthbearer needs somebody to be asked about tokens; write oauth { introspection_url = … } as well\n"
		AT "mechanisms: xoauth2 needs somebody to be asked about tokens; write oauth { introspection_url = … } as well\n" },
	{ IN("mechanisms = xoauth2 oauth {\nintrospection_url = 'https://a'\n}\nusers = 'pam:x'"),
		AT "mechanisms: xoauth2 needs users that are known without a password; leave it out, or write internal or passwd-file:PATH into users\n" },
	{ IN("oauth { }"), AT "oauth: nobody is there who could be asked about tokens; write introspection_url = \"https://HOST/PATH\" into it\n" },
	{ IN("oauth {\nscope = pop\n}"), AT "oauth: nobody is there who could be asked about tokens; write introspection_url = \"https://HOST/PATH\" into it\n" },
	{ IN("mechanisms = xoauth2 oauth {\nintrospection_url = 'http://auth.example.org/i'\n}"),
		"c.conf:3: pop3: oauth.introspection_url: http://auth.example.org/i shows tokens to whoever is on the way; write https://HOST/PATH\n" },
	{ IN("oauth { introspection_url = 'https://me:geheim@auth.example.org/' }"),
		AT "oauth.introspection_url: a name and a password do not belong into the URL; write client_id and client_secret; write https://HOST/PATH\n" },
	{ IN("oauth { introspection_url = 'https://a' client_id = me\nclient_secret = 'command:pass' }"),
		"c.conf:3: pop3: oauth.client_secret: it is read at the start and by a reload; write vault:NAME, file:PATH or credential:NAME\n" },
	{ IN("oauth { introspection_url = 'https://a'\nclient_secret = 'file:x' }"), "c.conf:3: pop3: oauth.client_secret: it belongs to a client_id; write that as well\n" },
	{ IN("oauth { introspection_url = 'https://a' username_claim = ''\nclient_sekret = x }"),
		AT "oauth.username_claim: it is empty; write the member of the endpoint's answer that names the user, such as username, sub or email\n"
		"c.conf:3: pop3: oauth: unknown key client_sekret; the nearest one is client_secret\n" },
	{ IN("oauth { introspection_url = 'https://a' }\noauth { introspection_url = 'https://b' }"),
		"c.conf:3: pop3: oauth is given twice, first at c.conf:2; leave one of them out\n" },
	{ IN("apop = perhaps"), AT "apop: perhaps is neither true nor false; write true or false\n" },
	{ IN("greeting = \"a\\nb\""), AT "greeting: control characters cannot stand in it; write a text of at most 400 characters\n" },
	{ IN("login_delay = 2d"), AT "login_delay: 2d is too much; write a duration of at most 1d, 0 for none\n" },
	{ IN("idle_timeout = 0"), AT "idle_timeout: 0 is too little; write a duration from 1s to 1d\n" },
	{ IN("login_timeout = 25h"), AT "login_timeout: 25h is too much; write a duration from 1s to 1d\n" },
	{ IN("overlong = pass"), AT "overlong: pass is none of block, drop; write block or drop\n" },
	{ IN("failed_delay = 2h"), AT "failed_delay: 2h is too much; write a duration of at most 1h, 0 for none\n" },
	{ IN("failed_block = 31d"), AT "failed_block: 31d is too much; write a duration of at most 30d\n" },
	{ IN("submission = other"), AT "submission: there is no target other; write a section target other { … }, or one of " TARGETS },
	{ IN("route_header = 'X-To:'"), AT "route_header: X-To: is no name of a header field; write the name of a header field\n" },
	{ IN("route_header = ''"), AT "route_header: it is empty; write the name of a header field\n" },
	{ IN("maildir = Maildir"), AT "maildir: Maildir is no absolute path; write a path such as /var/mail/%u, or \"\" for none\n" },
	{ IN("maildir = '/var/mail/%d'"), AT "maildir: /var/mail/%d has neither %u (name) nor %n (local part): all would have the same Maildir; "
		"write a path such as /var/mail/%u, or \"\" for none\n" },
	{ IN("maildir = '/var/mail/%h'"), AT "maildir: /var/mail/%h has a % that is none of %u (name), %n (local part), %d (domain), %% (a percent sign); "
		"write a path such as /var/mail/%u, or \"\" for none\n" },
	{ IN("uidl = courier"), AT "uidl: courier is none of native, dovecot; write native or dovecot\n" },
	{ IN("users = {}"), AT "users: the list is empty; write a list out of internal, passwd-file:PATH and pam:SERVICE\n" },
	{ IN("users = {internal, 'passwd-file:a', 'passwd-file:./a', internal}"),
		AT "users: passwd-file:./a stands there twice; leave one of them out\n" AT "users: internal stands there twice; leave one of them out\n" },
	{ IN("users = {'pam:x', internal, 'pam:y'}"), AT "users: internal is never asked: pam:x knows every name; write it last\n" },
	{ IN("certificate = d"), AT "certificate is given twice, first at c.conf:1; leave one of them out\n" },
};

static void wrong_keys(void **state)
{
	(void)state;
	for (const struct row *w = wrong; w < wrong + COUNT(wrong); w++) {
		struct settings s;

		assert_string_equal(scratch_read(w->text, 0600, &s), w->report);
	}
}

#define NO_STLS "there is no certificate, so STLS is not offered"
#define REFUSED ", and clear-text passwords are refused\n"
#define FIFTY "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define UNBUILT "not built yet; it has no effect\n"

static const struct row warned[] = {
	{ IN(""), "" },
	{ SPAN("\npop3 { }"), "c.conf:2: pop3: " NO_STLS REFUSED },
	{ SPAN("pop3 {\nlisten x { } }"), AT "listen x: tls: " NO_STLS REFUSED },
	{ SPAN("pop3 { listen x { allow_cleartext = true\ntls = starttls } }"), AT "listen x: tls: " NO_STLS "\n" },
	{ SPAN("pop3 { listen x { tls = none } }"), "" },
	{ SPAN("pop3 { listen x { tls = none }\nca_certificates = c\ntls { min = TLSv1.3 } }"),
		AT "ca_certificates: there is no TLS without a certificate; it has no effect\n"
		"c.conf:3: pop3: tls: there is no TLS without a certificate; it has no effect\n" },
	{ IN("listen x { tls = implicit\nallow_cleartext = true }"),
		"c.conf:3: pop3: listen x: allow_cleartext: by implicit TLS every line is protected; it has no effect\n" },
	{ IN("listen x { trusted = {'::1'} }"), AT "listen x: trusted: it is about proxies, and proxy_protocol is off; it has no effect\n" },
	{ IN("listen x { trusted = {} }"), "" },
	{ IN("listen x { } listen y { address = '0.0.0.0' } listen z { port = 111 }"), "" },
	{ IN("access = deny"), AT "access: deny without except refuses everybody\n" },
	{ IN("idle_timeout = 599s"), AT "idle_timeout: RFC 1939 says that such a timer MUST be of at least 10 minutes' duration; clients may rely on that\n" },
	{ IN("idle_timeout = 600s"), "" },
	{ IN("greeting = '" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "'"), "" },
	{ IN("greeting = '" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "f'"),
		AT "greeting: 401 characters are too many, 400 are the most; the default greeting is used\n" },
	{ IN("greeting = 'gr\xc3\xbc\xc3\x9f'"), AT "greeting: POP3 greets in ASCII; each octet of another character is shown as ?\n" },
	{ IN("mechanisms = plain\napop = true"), "c.conf:3: pop3: apop: mechanisms is without it; it has no effect\n" },
	{ IN("mechanisms = plain\napop = false"), "" },
	{ IN("oauth { introspection_url = 'https://a' }\nmechanisms = plain"), AT "oauth: mechanisms is without oauthbearer and xoauth2; it has no effect\n" },
	{ IN("oauth { introspection_url = 'https://a' }\nusers = 'pam:x'"), AT "oauth: pam alone knows no user without a password; it has no effect\n" },
	{ IN("route_header = X-To"), "" },
	{ IN("exclusive = true uidl = dovecot users = internal submission = '' maildir = ''"), "" },
	{ IN("users = {'passwd-file:/p', internal, 'pam:login'}"), POSTRIDER_PAM ? "" :
		AT "users: pam:login: this build has no PAM and does not run with it; leave it out, or build with -Dpam=enabled\n" },
	{ IN("submission = 'maildir:M'\nsubmission_limit = 1\nsubmission_size = 1MB"),
		"" },
	{ IN("submission = 'command:/bin/x a'"), "" },
	{ IN("submission_limit = 0"), "" },
	{ IN("submission_limit = 0 submission = 'maildir:/m'"), AT "submission_limit: 0 is no message at all: nobody can submit\n" },
	{ IN("submission = 'lmtp:/run/lmtp'"), "" },
};

static void warnings_say_what_has_no_effect(void **state)
{
	(void)state;
	for (const struct row *w = warned; w < warned + COUNT(warned); w++) {
		assert_non_null(good(w->text));
		assert_string_equal(warnings(&given), w->report);
	}
}

static void what_was_warned_of_is_so(void **state)
{
	(void)state;
	assert_int_equal(good(SPAN("pop3 { listen x { } }"))->listeners[0].tls, POP3_TLS_NONE);
	assert_int_equal(good(SPAN("pop3 { }"))->listeners[0].tls, POP3_TLS_NONE);
	assert_null(good(IN("greeting = '" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "f'"))->greeting);
	assert_string_equal(good(IN("submission = 'maildir:/m/'"))->submission->canonical, "maildir:/m");
	assert_int_equal(good(IN("idle_timeout = 1s"))->idle_timeout_ms, 1000);
}

static void paths_start_at_the_file_they_stand_in(void **state)
{
	const struct pop3_settings *p;
	char want[100];

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	scratch_write("sub/pop3.conf", SPAN("pop3 { certificate = c.pem users = 'passwd-file:p' submission = 'maildir:M' }"), 0600);
	p = good(SPAN("include('sub/pop3.conf')"));
	(void)snprintf(want, sizeof want, "%s/sub/c.pem", scratch_folder);
	assert_string_equal(p->certificate, want);
	(void)snprintf(want, sizeof want, "%s/sub/p", scratch_folder);
	assert_string_equal(p->users[0].text, want);
	(void)snprintf(want, sizeof want, "%s/sub/M", scratch_folder);
	assert_string_equal(p->submission->path, want);
}

/* Names in the order of enum mechanism. */
static const char *mechanisms_of(const struct pop3_settings *p)
{
	static char text[300];

	text[0] = '\0';
	for (uint8_t m = 0; m < MECHANISMS; m++)
		if (p->mechanisms & 1u << m)
			(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", value_mechanism_name(m));
	return text;
}

static void mechanisms(void **state)
{
	static const struct {
		struct span text;
		const char *names;
	} rows[] = {
		{ SPAN("pop3 { }"), "scram-sha-256 scram-sha-1 cram-md5 apop plain login user " },
		{ SPAN("pop3 { ca_certificates = x }"), "scram-sha-256 scram-sha-1 cram-md5 apop plain login user " },
		{ IN(""), "scram-sha-256-plus scram-sha-256 scram-sha-1-plus scram-sha-1 cram-md5 apop plain login user " },
		{ IN("mechanisms = auto"), "scram-sha-256-plus scram-sha-256 scram-sha-1-plus scram-sha-1 cram-md5 apop plain login user " },
		{ IN("ca_certificates = x apop = no"), "external scram-sha-256-plus scram-sha-256 scram-sha-1-plus scram-sha-1 cram-md5 plain login user " },
		{ IN("users = 'passwd-file:x'"), "scram-sha-256-plus scram-sha-256 scram-sha-1-plus scram-sha-1 cram-md5 apop plain login user " },
		{ IN("users = 'pam:x'"), "plain login user " },
		{ IN("users = {internal, 'pam:x'}"), "scram-sha-256-plus scram-sha-256 scram-sha-1-plus scram-sha-1 cram-md5 apop plain login user " },
		{ IN("mechanisms = {user, apop, scram-sha-256-plus}"), "scram-sha-256-plus apop user " },
		{ IN("oauth { introspection_url = 'https://a' }"), "scram-sha-256-plus scram-sha-256 scram-sha-1-plus scram-sha-1 oauthbearer xoauth2 cram-md5 apop plain login user " },
		{ IN("oauth { introspection_url = 'https://a' }\nusers = 'pam:x'"), "plain login user " },
		{ IN("oauth { introspection_url = 'https://a' }\nmechanisms = {oauthbearer, plain}"), "oauthbearer plain " },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++)
		assert_string_equal(mechanisms_of(good(rows[n].text)), rows[n].names);
}

static void whom_tokens_are_shown_to(void **state)
{
	const struct pop3_oauth *o;
	char want[100];

	(void)state;
	assert_null(good(IN(""))->oauth.introspection_url);
	o = &good(IN("oauth { introspection_url = 'https://a/b?c' }"))->oauth;
	assert_string_equal(o->introspection_url, "https://a/b?c");
	assert_string_equal(o->username_claim, "username");
	assert_true(!o->client_id && !o->scope && !o->ca_certificates && o->client_secret.kind == SECRET_NONE);
	assert_true(o->where.line == 2 && strcmp(o->where.file, "c.conf") == 0);
	o = &good(IN("\noauth { introspection_url = 'http://[::1]:80/' client_id = me client_secret = 'file:s' username_claim = sub scope = 'a b' ca_certificates = ca }"))->oauth;
	assert_string_equal(o->client_id, "me");
	assert_string_equal(o->username_claim, "sub");
	assert_string_equal(o->scope, "a b");
	assert_int_equal(o->client_secret.kind, SECRET_FILE);
	(void)snprintf(want, sizeof want, "%s/s", scratch_folder);
	assert_string_equal(o->client_secret.text, want);
	(void)snprintf(want, sizeof want, "%s/ca", scratch_folder);
	assert_string_equal(o->ca_certificates, want);
	assert_int_equal(o->where.line, 3);
}

/* As of a password: in clear only where nobody else can read. */
static void the_secret_makes_the_file_private(void **state)
{
	static const struct span clear = SPAN("pop3 { certificate = c\noauth { introspection_url = 'https://a' client_id = me\nclient_secret = geheim } }"),
		elsewhere = SPAN("pop3 { certificate = c\noauth { introspection_url = 'https://a' client_id = me\nclient_secret = 'credential:x' } }");

	(void)state;
	settings_end(&given);
	assert_string_equal(scratch_read(clear, 0644, &given),
		"c.conf:3: pop3: oauth.client_secret: it stands here in clear, and others can read this file: chmod 600 it; write vault:NAME, file:PATH or credential:NAME\n");
	settings_end(&given);
	assert_string_equal(scratch_read(elsewhere, 0644, &given), "");
	assert_int_equal(given.pop3->oauth.client_secret.kind, SECRET_CREDENTIAL);
	assert_string_equal(good(clear)->oauth.client_secret.text, "geheim");
}

static void many_listeners(void **state)
{
	enum { MANY = 200 };
	static char text[MANY * 40 + 100];
	const struct pop3_settings *p;
	size_t used;

	(void)state;
	used = (size_t)snprintf(text, sizeof text, "pop3 { certificate = c\n");
	for (int n = 0; n < MANY; n++)
		used += (size_t)snprintf(text + used, sizeof text - used, "listen l%d { port = %d }\n", n, 1000 + n);
	used += (size_t)snprintf(text + used, sizeof text - used, "}");
	p = good((struct span){ text, used });
	assert_int_equal(p->listener_count, MANY);
	for (int n = 0; n < MANY; n++) {
		assert_int_equal(p->listeners[n].port, 1000 + n);
		assert_int_equal(p->listeners[n].where.line, n + 2);
	}
}

static int end(void **state)
{
	settings_end(&given);
	return scratch_end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_section_no_service),
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_key_has_its_effect),
		cmocka_unit_test(wrong_keys),
		cmocka_unit_test(warnings_say_what_has_no_effect),
		cmocka_unit_test(what_was_warned_of_is_so),
		cmocka_unit_test(paths_start_at_the_file_they_stand_in),
		cmocka_unit_test(mechanisms),
		cmocka_unit_test(many_listeners),
		cmocka_unit_test(whom_tokens_are_shown_to),
		cmocka_unit_test(the_secret_makes_the_file_private),
	};

	return cmocka_run_group_tests(tests, scratch_start, end);
}
