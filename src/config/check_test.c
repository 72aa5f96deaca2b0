/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scratch.h"

/* The lines of one connection; the rest is good. */
#define IN(keys) SPAN("connection box { protocol = pop3 host = h.example user = anna deliver = 'maildir:M' password = p\n" keys "\n}\n")
#define SENDING(keys) SPAN("connection box { protocol = pop3 host = h.example user = anna deliver = {'maildir:M', 'smtp://mx'} password = p\n" keys "\n}\n")
#define WEEKS "Mon, Tue, Wed, Thu, Fri, Sat, Sun, "
#define AT "c.conf:2: connection box: "
#define HEXES "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define BEFORE_AT "what stands before the @ is not shown, and does not belong there; write user and password as keys of a section\n"
#define FORMS "mailbox:ACCOUNT/BOX, maildir:PATH, folder:PATH, smtp://HOST, lmtp://HOST:PORT or command:CMD\n"

static const struct wrong {
	struct span text;
	const char *report;
} wrong[] = {
	{ IN("port = 0"), AT "port: 0 is not in 1..65535; write a port number, 995 for pop3s\n" },
	{ IN("port = 65536"), AT "port: 65536 is not in 1..65535; write a port number, 995 for pop3s\n" },
	{ IN("port = 0x3e3"), AT "port: 0x3e3 is not a decimal number; write a port number, 995 for pop3s\n" },
	{ IN("port = -1"), AT "port: -1 is not a decimal number; write a port number, 995 for pop3s\n" },
	{ IN("port = 99999999999999999999"), AT "port: 99999999999999999999 is not in 1..65535; write a port number, 995 for pop3s\n" },
	{ IN("interval = 5"), AT "interval: 5 has no unit (s, min, h, d); write a duration such as 30s, 15min, 2h or 7d\n" },
	{ IN("interval = soon"), AT "interval: soon is no duration; write a duration such as 30s, 15min, 2h or 7d\n" },
	{ IN("timeout = 0"), AT "timeout: 0 is too little; write a duration from 1s to 1d\n" },
	{ IN("connect_timeout = 25h"), AT "connect_timeout: 25h is too much; write a duration from 1s to 1d\n" },
	{ IN("max_size = large"), AT "max_size: large is no size; write a size such as 25MB\n" },
	{ IN("max_messages = many"), AT "max_messages: many is not a decimal number; write a number of messages\n" },
	{ IN("use_top = perhaps"), AT "use_top: perhaps is neither true nor false; write true or false\n" },
	{ IN("auth = {}"), AT "auth: the list is empty; write auto, or a list such as {\"scram-sha-256\", \"plain\", \"user\"}\n" },
	{ IN("auth = {'plane'}"), AT "auth: plane is no mechanism; write auto, or a list such as {\"scram-sha-256\", \"plain\", \"user\"}\n" },
	{ IN("auth = {auto, plain}"), AT "auth: auto is no mechanism; write auto, or a list such as {\"scram-sha-256\", \"plain\", \"user\"}\n" },
	{ IN("auth = {plain, PLAIN}"), AT "auth: plain stands there twice; write auto, or a list such as {\"scram-sha-256\", \"plain\", \"user\"}\n" },
	{ IN("auth = external"), AT "auth: external needs a client certificate; write tls.certificate as well\n" },
	{ IN("detect = smell"), AT "detect: smell is none of capa, auth, greeting; write a list out of capa, auth and greeting\n" },
	{ IN("after = 'move:Done'"), AT "after: POP3 has no folders to move to; write delete or keep (move needs protocol = imap)\n" },
	{ IN("after = move"), AT "after: move needs a folder; write delete, keep, seen or, for imap, move:FOLDER\n" },
	{ IN("after = 'move:'"), AT "after: move needs a folder; write delete, keep, seen or, for imap, move:FOLDER\n" },
	{ IN("after = burn"), AT "after: burn is none of delete, keep, seen; write delete, keep, seen or, for imap, move:FOLDER\n" },
	{ IN("delete_after = 7d"), AT "delete_after: it goes with mail that is kept; write after = keep as well\n" },
	{ IN("after = delete delete_after = 7d"), AT "delete_after: it goes with mail that is kept; write after = keep as well\n" },
	{ IN("source_address = eth0"), AT "source_address: eth0 is no IP address; write an IP address of this machine\n" },
	{ IN("proxy = 'http://x:1'"), AT "proxy: http://x:1 is not of the form ADDRESS:PORT; write socks5://HOST:PORT\n" },
	{ IN("active = 'Mon 8-18'"), AT "active: Mon 8-18 is no window of time; write always, or windows such as \"Mon-Fri 08:00-18:00\"\n" },
	{ IN("mailbox = {}"), AT "mailbox: the list is empty; write a list of names or patterns, {\"INBOX\"}\n" },
	{ IN("mailbox = {a, ''}"), AT "mailbox: an element of the list is empty; write a list of names or patterns, {\"INBOX\"}\n" },
	{ IN("envelope { no_recipient = burn }"),
		AT "envelope.no_recipient: burn is none of hold, delete, quarantine, nor an address; write hold, delete, quarantine, or addresses\n" },
	{ IN("oauth { flow = river token_url = 'https://i/t' device_url = 'https://i/d' client_id = i }"),
		AT "oauth.flow: river is none of device, client_credentials, refresh_token; write device, client_credentials or refresh_token\n" },
	{ IN("tls { mode = starttls }"), AT "tls.mode: starttls is none of implicit, explicit, none; write implicit, explicit (STLS, STARTTLS) or none\n" },
	{ IN("tls { protocols = 'SSLv3' }"), AT "tls.protocols: SSLv3 is broken and cannot be had; write TLSv1.2, TLSv1.3 or All, with + or - before them\n" },
	{ IN("tls { protocols = 'All SSLv2Hello' legacy = true }"),
		AT "tls.protocols: SSLv2Hello is broken and cannot be had; write TLSv1.2, TLSv1.3 or All, with + or - before them\n" },
	{ IN("tls { protocols = 'TLSv1.1' }"), AT "tls.protocols: TLSv1.1 needs legacy = true beside it; write TLSv1.2, TLSv1.3 or All, with + or - before them\n" },
	{ IN("tls { protocols = 'TLSv1.9' }"), AT "tls.protocols: TLSv1.9 is no version of TLS; write TLSv1.2, TLSv1.3 or All, with + or - before them\n" },
	{ IN("tls { protocols = {} }"), AT "tls.protocols: the list is empty; write TLSv1.2, TLSv1.3 or All, with + or - before them\n" },
	{ IN("tls { protocols = '-All' }"),
		AT "tls.protocols: protocols, min and max together leave no version of TLS; write for instance min = TLSv1.2 alone\n" },
	{ IN("tls { min = SSLv3 }"), AT "tls.min: SSLv3 is broken and cannot be had; write TLSv1.2 or TLSv1.3\n" },
	{ IN("tls { min = TLSv1 }"), AT "tls.min: TLSv1 and TLSv1.1 need tls.legacy = true; write TLSv1.2 or TLSv1.3\n" },
	{ IN("tls { max = TLSv1.1 }"), AT "tls.max: TLSv1 and TLSv1.1 need tls.legacy = true; write TLSv1.2 or TLSv1.3\n" },
	{ IN("tls { min = TLSv1.3\nmax = TLSv1.2 }"),
		"c.conf:3: connection box: tls.max: protocols, min and max together leave no version of TLS; write for instance min = TLSv1.2 alone\n" },
	{ IN("tls { protocols = TLSv1.2 min = TLSv1.3 }"),
		AT "tls.min: protocols, min and max together leave no version of TLS; write for instance min = TLSv1.2 alone\n" },
	{ IN("tls { verify_depth = 0 }"),
		AT "tls.verify_depth: 0 is not in 1..100; write a number of certificates; 1 = signed directly by a known authority\n" },
	{ IN("tls { pin = abc }"), AT "tls.pin: 3 hexadecimal digits are no SHA-256, which has 64; write the SHA-256 of the server's key, 64 hexadecimal digits\n" },
	{ IN("tls { pin = 'xyz' }"), AT "tls.pin: xyz is no SHA-256 in hexadecimal digits; write the SHA-256 of the server's key, 64 hexadecimal digits\n" },
	{ IN("tls { ca_certificates = '/no/such/ca.pem' }"),
		AT "tls.ca_certificates: /no/such/ca.pem cannot be read: No such file or directory; write the path of a PEM file\n" },
	{ IN("tls { key = 'c.conf' }"), AT "tls.key: a key needs its certificate; write tls.certificate as well\n" },
	{ SPAN("connection box { protocol = pop3 }"),
		"c.conf:1: connection box: host is missing; write host = \"mail.example.org\"\n"
		"c.conf:1: connection box: user is missing; write user = \"anna@example.org\"\n"
		"c.conf:1: connection box: deliver is missing; write deliver = {\"TARGET\"}, for instance \"maildir:/var/mail/anna\"\n" },
	{ SPAN("connection box { host = h user = u deliver = 'maildir:M' }"),
		"c.conf:1: connection box: protocol is missing; write protocol = pop3 or imap\n" },
	{ SPAN("connection box { protocol = imp host = h user = u deliver = 'maildir:M'\nafter = 'move:x' }"),
		"c.conf:1: connection box: protocol: imp is none of pop3, imap; write pop3 or imap\n" },
	{ SPAN("connection box { protocol = imap host = h user = u deliver = 'maildir:M'\nsearch = 'SUBJECT {3+}' }"),
		AT "search: it ends in a literal; write a quoted string instead, such as SUBJECT \"offer\"\n" },
	{ SPAN("connection box { protocol = imap host = h user = u deliver = 'maildir:M' mailbox = {INBOX, Done}\nafter = 'move:Done' }"),
		AT "after: it moves mail out of Done into itself; write another folder\n" },
	{ SPAN("connection box { protocol = imap host = h user = u deliver = 'maildir:M'\nuse_top = true }"),
		AT "use_top: TOP is a command of POP3; leave use_top out of a connection by imap\n" },
	{ SPAN("connection '' { protocol = pop3 host = h user = u deliver = 'maildir:M' }"),
		"c.conf:1: connection: the name is empty; write 1 to 128 characters\n" },
	{ SPAN("connection 'a|b' { protocol = pop3 host = h user = u deliver = 'maildir:M' }"),
		"c.conf:1: connection a|b: the name has a blank, a quote or a |; write one without, such as support-inbox\n" },
	{ SPAN("connection \"it's\" { protocol = pop3 host = h user = u deliver = 'maildir:M' }"),
		"c.conf:1: connection it's: the name has a blank, a quote or a |; write one without, such as support-inbox\n" },
	{ SPAN("connection b { protocol = pop3 host = \"\" user = u deliver = 'maildir:M' }"),
		"c.conf:1: connection b: host: it is empty; write a name or an address, also \"HOST:PORT\"\n" },
	{ SPAN("connection b { protocol = pop3 host = 'h:0' user = u deliver = 'maildir:M' }"),
		"c.conf:1: connection b: host: the port behind the colon: 0 is not in 1..65535; write a name or an address, perhaps with :PORT\n" },
	{ SPAN("connection b { protocol = pop3 host = 'a b' user = u deliver = 'maildir:M' }"),
		"c.conf:1: connection b: host: a b is no name of a host; write a name or an address, perhaps with :PORT\n" },
	{ SPAN("target archive { type = maildir path = /m }\nconnection b { protocol = pop3 host = h user = u\ndeliver = {archive, 'archiv'} }"),
		"c.conf:3: connection b: deliver: there is no target archiv; the nearest one is archive\n" },
	{ SPAN("connection b { protocol = pop3 host = h user = u\ndeliver = archive }"),
		"c.conf:2: connection b: deliver: there is no target archive; write a section target archive { … }, or one of " FORMS },
	{ SPAN("target a { type = maildir path = '/m/x' }\ntarget f { type = folder path = '/m/./x/' }\nconnection b { protocol = pop3 host = h user = u password = p\ndeliver = {a, f} }"),
		"c.conf:4: connection b: deliver: a and f are the same place, /m/x; leave one of them out\n" },
	{ SPAN("target a { type = maildir path = '/m/x' }\nconnection b { protocol = pop3 host = h user = u password = p\ndeliver = {a, 'maildir:/m//x'} }"),
		"c.conf:3: connection b: deliver: a and maildir:/m/x are the same place, /m/x; leave one of them out\n" },
	{ SPAN("connection b { protocol = pop3 host = h user = u\ndeliver = {'smtp://u:geheim@mx.example'} }"), "c.conf:2: connection b: deliver: " BEFORE_AT },
	{ SPAN("connection b { protocol = pop3 host = h user = u\ndeliver = {'smtp://u:geheim@mx.example:25'} }"), "c.conf:2: connection b: deliver: " BEFORE_AT },
	{ SPAN("connection b { protocol = pop3 host = h user = u\ndeliver = {'SMTP://u:geheim@mx.example:25'} }"),
		"c.conf:2: connection b: deliver: it is no target, and not shown, since a password may stand before its @; write one of " FORMS },
	{ SPAN("connection b { protocol = pop3 host = h user = u\ndeliver = {} }"),
		"c.conf:2: connection b: deliver: the list is empty; write a list of targets, {\"archive\"} or {\"maildir:/var/mail/anna\"}\n" },
	{ SPAN("connection b { protocol = pop3 host = h user = u\ndeliver = {'maildir:/m', 'maildir:/m/'} }"),
		"c.conf:2: connection b: deliver: maildir:/m/ stands there twice; leave one of them out\n" },
	{ SPAN("connection b { protocol = pop3 host = h user = u\ndeliver = {'mailbox:anna'} }"),
		"c.conf:2: connection b: deliver: anna is not of the form ACCOUNT/BOX\n" },
	{ SPAN("connection b { protocol = pop3 host = h user = u\ndeliver = {'smtp://mx.example'} }"),
		"c.conf:2: connection b: deliver: smtp://mx.example does not say who gets the mail; write envelope { recipients = {\"…\"} } into the connection\n" },
	{ SPAN("connection b { protocol = pop3 host = h user = u\ndeliver = {'maildir:1', 'maildir:2', 'maildir:3', 'maildir:4', 'maildir:5',"
		"'maildir:6', 'maildir:7', 'maildir:8', 'maildir:9'} }"),
		"c.conf:2: connection b: deliver: 9 targets are too many; write at most 8\n" },
	{ IN("active = {" WEEKS WEEKS WEEKS WEEKS WEEKS WEEKS WEEKS WEEKS WEEKS "Mon, Tue}"), AT "active: 65 windows are too many; write at most 64\n" },
};

static void wrong_connections(void **state)
{
	(void)state;
	for (const struct wrong *w = wrong; w < wrong + COUNT(wrong); w++) {
		struct settings s;

		assert_string_equal(scratch_read(w->text, 0600, &s), w->report);
	}
}

static struct settings given;

static const struct connection *good(struct span text)
{
	settings_end(&given);
	assert_string_equal(scratch_read(text, 0600, &given), "");
	assert_int_equal(given.connection_count, 1);
	return given.connections[0];
}

/* PRODUCT 2.1, column "default". */
static void defaults(void **state)
{
	const struct connection *c = good(SPAN("\n connection box {\n protocol = pop3 host = h.example user = anna deliver = 'maildir:M' }"));

	(void)state;
	assert_string_equal(c->name, "box");
	assert_string_equal(c->where.file, "c.conf");
	assert_int_equal(c->where.line, 2);
	assert_null(c->description);
	assert_true(c->enabled);
	assert_int_equal(c->port, 995);
	assert_false(c->port_set);
	assert_true(c->protocol_set);
	assert_int_equal(c->password.kind, SECRET_ASK);
	assert_true(c->auth_auto);
	assert_false(c->allow_cleartext);
	assert_true(c->detect_capa && c->detect_auth && c->detect_greeting);
	assert_int_equal(c->tls.mode, MODE_IMPLICIT);
	assert_false(c->tls.mode_set);
	assert_true(c->tls.required && c->tls.verify_server && c->tls.verify_host);
	assert_false(c->tls.legacy);
	assert_int_equal(c->tls.versions, 1u << VERSION_TLS_1_2 | 1u << VERSION_TLS_1_3);
	assert_int_equal(c->tls.verify_depth, 9);
	assert_true(!c->tls.ciphers && !c->tls.ciphersuites && !c->tls.certificate && !c->tls.key && !c->tls.ca_certificates && !c->tls.crl && !c->tls.pin);
	assert_int_equal(c->mailboxes.count, 1);
	assert_string_equal(c->mailboxes.at[0], "INBOX");
	assert_int_equal(c->pull, PULL_ALL);
	assert_true(!c->search && !c->newer_than_s && !c->max_size && !c->max_messages && !c->use_top);
	assert_int_equal(c->after, AFTER_DELETE);
	assert_int_equal(c->delete_after_s, 0);
	assert_int_equal(c->on_refused, REFUSED_QUARANTINE);
	assert_int_equal(c->held_max, 1ull << 30);
	assert_int_equal(c->history_keep_s, 30 * 86400);
	assert_int_equal(c->interval_ms, 15 * 60 * 1000);
	assert_int_equal(c->active.count, 1);
	assert_string_equal(c->active.at[0], "always");
	assert_false(c->idle);
	assert_int_equal(c->max_retries, 0);
	assert_int_equal(c->retry_interval_ms, 0);
	assert_int_equal(c->delay_failed_host_ms, 5 * 60 * 1000);
	assert_int_equal(c->delay_failed_account_ms, 3600 * 1000);
	assert_true(!c->source_address && !c->proxy && !c->has_envelope);
	assert_int_equal(c->connect_timeout_ms, 30000);
	assert_int_equal(c->timeout_ms, 60000);
	assert_int_equal(c->trace, TRACE_OFF);
	assert_int_equal(given.warning_count, 0);
	c = good(SPAN("connection box { protocol = imap host = h user = anna deliver = 'maildir:M' }"));
	assert_int_equal(c->after, AFTER_KEEP);
	assert_int_equal(c->port, 993);
}

static void every_key_has_its_effect(void **state)
{
	const struct connection *c;
	char want[100];

	(void)state;
	scratch_write("pem", SPAN("x"), 0600);
	c = good(SPAN("connection box { protocol = pop3 host = 'H.Example:1110' user = 'anna b' deliver = {'mailbox:anna/INBOX', 'maildir:/m'}\n"
		"description = 'd e' enabled = no password = geheim auth = {PLAIN, scram-sha-256-plus, apop} allow_cleartext = yes detect = {auth}\n"
		"tls { mode = explicit required = false protocols = '-TLSv1.3' min = TLSv1.1 max = TLSv1.3 legacy = on ciphers = HIGH\n"
		"ciphersuites = TLS_AES_128_GCM_SHA256 certificate = pem key = './pem' ca_certificates = pem crl = pem verify_server = off\n"
		"verify_host = false verify_depth = 2 pin = '" HEXES "' }\n"
		"mailbox = {a, b} pull = last-unread search = UNSEEN newer_than = 7d max_size = 25MB max_messages = 100 use_top = true\n"
		"after = keep delete_after = 30d on_refused = return held_max = 2GB history_keep = 90d interval = 1h idle = true active = {'Mon-Fri 08:00-18:00', 'Sat 22:00-06:00'}\n"
		"max_retries = 3 retry_interval = 10s delay_failed_host = 1min delay_failed_account = 2min source_address = '::1'\n"
		"proxy = 'socks5://localhost:1080' connect_timeout = 5s timeout = 1d trace = wire\n"
		"envelope { headers = {To} source_domain = a target_domain = b recipients = {'a@b'} no_recipient = hold } }"));
	assert_string_equal(c->host, "h.example");
	assert_int_equal(c->port, 1110);
	assert_true(c->port_set);
	assert_string_equal(c->user, "anna b");
	assert_string_equal(c->description, "d e");
	assert_false(c->enabled);
	assert_int_equal(c->password.kind, SECRET_LITERAL);
	assert_string_equal(c->password.text, "geheim");
	assert_int_equal(c->auth_count, 3);
	assert_int_equal(c->auth[0], MECHANISM_PLAIN);
	assert_int_equal(c->auth[1], MECHANISM_SCRAM_SHA_256_PLUS);
	assert_int_equal(c->auth[2], MECHANISM_APOP);
	assert_false(c->auth_auto);
	assert_true(c->allow_cleartext);
	assert_true(!c->detect_capa && c->detect_auth && !c->detect_greeting);
	assert_int_equal(c->tls.mode, MODE_EXPLICIT);
	assert_true(c->tls.mode_set && c->tls.legacy);
	assert_false(c->tls.required || c->tls.verify_server || c->tls.verify_host);
	assert_int_equal(c->tls.versions, 1u << VERSION_TLS_1_1 | 1u << VERSION_TLS_1_2);
	assert_string_equal(c->tls.ciphers, "HIGH");
	assert_string_equal(c->tls.ciphersuites, "TLS_AES_128_GCM_SHA256");
	(void)snprintf(want, sizeof want, "%s/pem", scratch_folder);
	assert_string_equal(c->tls.certificate, want);
	assert_string_equal(c->tls.key, want);
	assert_string_equal(c->tls.ca_certificates, want);
	assert_string_equal(c->tls.crl, want);
	assert_int_equal(c->tls.verify_depth, 2);
	assert_string_equal(c->tls.pin, HEXES);
	assert_int_equal(c->mailboxes.count, 2);
	assert_string_equal(c->mailboxes.at[1], "b");
	assert_int_equal(c->pull, PULL_LAST_UNREAD);
	assert_string_equal(c->search, "UNSEEN");
	assert_true(c->newer_than_s == 7 * 86400 && c->max_size == 25 << 20 && c->max_messages == 100);
	assert_true(c->use_top && c->idle && c->has_envelope);
	assert_int_equal(c->after, AFTER_KEEP);
	assert_int_equal(c->delete_after_s, 30 * 86400);
	assert_int_equal(c->on_refused, REFUSED_RETURN);
	assert_int_equal(c->held_max, 2ull << 30);
	assert_int_equal(c->history_keep_s, 90 * 86400);
	assert_int_equal(c->interval_ms, 3600000);
	assert_true(c->active.count == 2 && strcmp(c->active.at[1], "Sat 22:00-06:00") == 0);
	assert_true(c->max_retries == 3 && c->retry_interval_ms == 10000);
	assert_true(c->delay_failed_host_ms == 60000 && c->delay_failed_account_ms == 120000);
	assert_string_equal(c->source_address, "::1");
	assert_string_equal(c->proxy, "socks5://localhost:1080");
	assert_int_equal(c->connect_timeout_ms, 5000);
	assert_int_equal(c->timeout_ms, 86400000);
	assert_int_equal(c->trace, TRACE_WIRE);
	assert_int_equal(c->deliver_count, 2);
	assert_string_equal(c->deliver[0]->canonical, "mailbox:anna/INBOX");
	assert_string_equal(c->deliver[1]->path, "/m");
}

static void hosts_and_ports(void **state)
{
	static const struct {
		const char *keys, *host;
		uint16_t port;
		bool set;
	} rows[] = {
		{ "protocol = pop3 host = h", "h", 995, false },
		{ "protocol = pop3 host = h tls { mode = explicit }", "h", 110, false },
		{ "protocol = pop3 host = h tls { mode = none }", "h", 110, false },
		{ "protocol = imap host = h", "h", 993, false },
		{ "protocol = imap host = h tls { mode = explicit }", "h", 143, false },
		{ "protocol = pop3 host = 'h:1'", "h", 1, true },
		{ "protocol = pop3 host = 'h:1' port = 2", "h", 2, true },
		{ "protocol = pop3 host = h port = 110", "h", 110, true },
		{ "protocol = pop3 host = '[::1]:7'", "::1", 7, true },
		{ "protocol = pop3 host = '::1'", "::1", 995, false },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		char text[300];
		const struct connection *c;

		(void)snprintf(text, sizeof text, "connection box { user = anna deliver = 'maildir:M' %s }", rows[n].keys);
		c = good(span_of(text));
		assert_string_equal(c->host, rows[n].host);
		assert_int_equal(c->port, rows[n].port);
		assert_int_equal(c->port_set, rows[n].set);
	}
}

static const char *auth_of(const struct connection *c)
{
	static char text[200];

	text[0] = '\0';
	for (size_t n = 0; n < c->auth_count; n++)
		(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%d ", c->auth[n]);
	return text;
}

static void passwords_and_mechanisms(void **state)
{
	static const struct {
		const char *keys, *auth;
		enum secret_kind kind;
	} rows[] = {
		{ "password = p", "1 2 3 4 8 9 10 11 12 13 14 ", SECRET_LITERAL },
		{ "password = 'file:p'", "1 2 3 4 8 9 10 11 12 13 14 ", SECRET_FILE },
		{ "password = 'command:p q'", "1 2 3 4 8 9 10 11 12 13 14 ", SECRET_COMMAND },
		{ "password = 'credential:p'", "1 2 3 4 8 9 10 11 12 13 14 ", SECRET_CREDENTIAL },
		{ "password = 'vault:p'", "1 2 3 4 8 9 10 11 12 13 14 ", SECRET_VAULT },
		{ "", "1 2 3 4 7 8 9 10 11 12 13 14 ", SECRET_ASK },
		{ "tls { mode = none }", "1 2 3 4 7 8 9 10 12 13 14 ", SECRET_ASK },		/* no APOP in clear */
		{ "tls { required = false }", "1 2 3 4 7 8 9 10 12 13 14 ", SECRET_ASK },
		{ "tls { mode = none } auth = apop", "11 ", SECRET_ASK },
		{ "tls { certificate = 'c.conf' }", "0 ", SECRET_NONE },
		{ "tls { certificate = 'c.conf' } password = p", "0 1 2 3 4 8 9 10 11 12 13 14 ", SECRET_LITERAL },
		{ "tls { certificate = 'c.conf' } auth = external", "0 ", SECRET_NONE },
		{ "tls { certificate = 'c.conf' } auth = {external, plain}", "0 12 ", SECRET_ASK },
		{ "auth = {ntlm, user}", "10 14 ", SECRET_ASK },
		{ "auth = gssapi", "7 ", SECRET_NONE },
		{ "auth = gssapi password = p", "7 ", SECRET_LITERAL },
		{ "auth = {gssapi, plain}", "7 12 ", SECRET_ASK },
		{ "auth = {gssapi, external} tls { certificate = 'c.conf' }", "7 0 ", SECRET_NONE },
		{ "auth = {auto}", "1 2 3 4 7 8 9 10 11 12 13 14 ", SECRET_ASK },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		char text[300];
		const struct connection *c;

		(void)snprintf(text, sizeof text, "connection box { protocol = pop3 host = h user = anna deliver = 'maildir:M' %s }", rows[n].keys);
		c = good(span_of(text));
		assert_string_equal(auth_of(c), rows[n].auth);
		assert_int_equal(c->password.kind, rows[n].kind);
	}
}

static void dispositions(void **state)
{
	const struct connection *c;

	(void)state;
	c = good(IN("after = seen delete_after = 1d"));
	assert_int_equal(c->after, AFTER_KEEP);
	c = good(SPAN("connection box { protocol = imap host = h user = u deliver = 'maildir:M' after = 'move:Done/x y' }"));
	assert_int_equal(c->after, AFTER_MOVE);
	assert_string_equal(c->move_folder, "Done/x y");
	c = good(SPAN("connection box { protocol = imap host = h user = u deliver = 'maildir:M' after = seen }"));
	assert_int_equal(c->after, AFTER_SEEN);
}

static const struct unbuilt {
	struct span text;
	const char *warnings;
} unbuilts[] = {
	{ IN(""), "" },
	{ IN("idle = true"), AT "idle: POP3 cannot idle; it has no effect\n" },
	{ IN("idle = false"), "" },
	{ SPAN("connection box { protocol = imap host = h user = u deliver = 'maildir:M' idle = true }"), "" },
	{ IN("search = ALL"), AT "search: POP3 cannot search; it has no effect\n" },
	{ IN("proxy = 'socks5://h:1'"), AT "proxy: not built yet; it has no effect\n" },
	{ IN("held_max = 1GB"), "" },
	{ IN("interval = 0"), "" },
	{ IN("active = always"), "" },
	{ IN("delay_failed_host = 1h"), "" },
	{ IN("delay_failed_account = 1h"), "" },
	{ IN("mailbox = x"), AT "mailbox: POP3 has one mailbox without a name; it has no effect\n" },
	{ IN("on_refused = quarantine"), "" },
	{ IN("on_refused = delete"), "" }, { IN("on_refused = keep"), "" },
	{ IN("on_refused = return"),
		AT "on_refused: nothing can be returned without an smtp or lmtp target in deliver; what is refused is quarantined\n" },
	{ SENDING("on_refused = return envelope { recipients = 'a@b' }"),
		AT "on_refused: returns go to postmaster without a domain; write main_domain, or envelope { target_domain = \"…\" }\n" },
	{ SENDING("on_refused = return envelope { recipients = 'a@b' target_domain = b }"), "" },
	{ SENDING("on_refused = return envelope { recipients = 'a@b' } }\nmain_domain = b\ntarget x { type = maildir path = M"), "" },
	{ IN("max_retries = 3"), AT "max_retries: without retry_interval it has no effect; write for instance retry_interval = 10s\n" },
	{ IN("retry_interval = 3s"), AT "retry_interval: without max_retries it has no effect; write for instance max_retries = 3\n" },
	{ IN("max_retries = 3 retry_interval = 3s"), "" }, { IN("max_retries = 0 retry_interval = 0"), "" },
	{ IN("envelope { recipients = 'a@b' no_recipient = delete }"),
		AT "envelope.no_recipient: with a fixed list of recipients there always is one; it has no effect\n" },
	{ IN("envelope { headers = X no_recipient = delete }"), "" },
	{ IN("envelope { recipients = 'a@b' }"), "" },
	{ IN("auth = {gssapi, user, ntlm, digest-md5}"), "" },
	{ SPAN("connection box { host = h user = u password = p deliver = 'maildir:M'\nprotocol = imap mailbox = {INBOX, 'a/%'} search = UNSEEN }"), "" },
	{ SPAN("connection box { host = h user = u protocol = pop3 deliver = 'maildir:M'\npassword = 'vault:x' }"),
		"" },
	{ SPAN("connection box { host = h user = u protocol = pop3 password = p\ndeliver = {'folder:/x', 'command:x'} }"),
		"" },
	{ SPAN("store = rados\nworkers = 2 state = /x\nstore_map = 2TB max_per_host = 3 main_domain = x.y\n"),
		"c.conf:1: store: rados is not built yet; it has no effect\n" },
	{ SPAN("\nconsole { listen = '127.0.0.1:1' }"), "c.conf:2: console: not built yet; it has no effect\n" },
};

static void features_to_come_are_warnings(void **state)
{
	(void)state;
	for (const struct unbuilt *u = unbuilts; u < unbuilts + COUNT(unbuilts); u++) {
		struct settings s;
		char said[1000] = "";

		assert_string_equal(scratch_read(u->text, 0600, &s), "");
		for (size_t n = 0; n < s.warning_count; n++)
			(void)snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", s.warnings[n]);
		assert_string_equal(said, u->warnings);
		settings_end(&s);
	}
}

static void names_are_counted_in_characters(void **state)
{
	char name[2 * SETTINGS_NAME_MAX + 1] = "", text[1000];
	struct settings s;

	(void)state;
	for (size_t n = 0; n < SETTINGS_NAME_MAX; n++)
		memcpy(name + 2 * n, "\xc3\xbc", 3);
	(void)snprintf(text, sizeof text, "connection %sX { protocol = pop3 host = h user = u deliver = 'maildir:M' }", name);
	assert_non_null(strstr(scratch_read(span_of(text), 0600, &s), "the name: 129 characters are too many, 128 are the most; write at most 128\n"));
	*strchr(text, 'X') = ' ';
	assert_string_equal(scratch_read(span_of(text), 0600, &s), "");
	settings_end(&s);
}

static int end(void **state)
{
	settings_end(&given);
	return scratch_end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_connections),
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_key_has_its_effect),
		cmocka_unit_test(hosts_and_ports),
		cmocka_unit_test(passwords_and_mechanisms),
		cmocka_unit_test(dispositions),
		cmocka_unit_test(features_to_come_are_warnings),
		cmocka_unit_test(names_are_counted_in_characters),
	};

	return cmocka_run_group_tests(tests, scratch_start, end);
}
