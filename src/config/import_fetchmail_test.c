/* SPDX-License-Identifier: Apache-2.0 */
#include "config/test_import.h"

#define P(more) "poll h.example proto pop3 user u pass p is anna here ssl " more
#define I(more) "poll h.example proto imap user u pass p is anna here ssl " more

static const struct import_row_told rows[] = {
	{ "the least", P(""), "target localhost { type = smtp host = \"localhost\" tls { mode = explicit required = false } envelope { recipients = {\"anna@localhost\"} } }|"
		"connection h.example { protocol = pop3 host = \"h.example\" user = \"u\" password = 'p' deliver = {\"localhost\"} }|!# rc" },
	{ "noise", "poll \"h.example\" with protocol: POP3, and has options\n user = 'u', wants password \"p\"; is anna here ssl", "user = \"u\" password = 'p'" },
	{ "server, skip", "server a proto pop3 user u ssl skip b proto pop3 user v ssl", "connection a { protocol|connection b {|enabled = false" },
	{ "via", "poll label via mail.example proto pop3 user u ssl", "connection label {|host = \"mail.example\"" },
	{ "several users", P("user 'v@w' there with password q is bob here ssl"), "connection u@h.example {|connection v@h.example {|user = \"v@w\" password = 'q'" },
	{ "here and there", "poll h proto pop3 user anna here is u there pass p ssl", "anna@localhost|user = \"u\"" },
	{ "defaults", "defaults proto pop3 ssl keep timeout 90 poll a user u poll b user v no keep", "after = keep timeout = 90s|connection b {|!unknown" },
	{ "escapes", P("pass \"a\\x22b\\x27\\065\\99\\\\\""), "password = \"a\\\"b'5c\\\\\"" }, { "keywords as names", "poll h proto pop3 user keep pass poll ssl", "user = \"keep\" password = 'poll'" },
	{ "a # inside", P("pass a#b # c\n"), "password = 'a#b'" }, { "lines joined", P("pass \"a\\\nb\""), "password = 'ab'" },
	{ "in clear", "poll h proto pop3 user u is a", "# rc:1: ssl:|allow_cleartext = true|mode = explicit required = false" },
	{ "starttls", "poll h proto pop3 user u is a sslproto TLS1.2+", "mode = explicit }|!allow_cleartext" }, { "no starttls", "poll h proto pop3 user u is a sslproto ''", "mode = none" },
	{ "1.3", P("sslproto TLS1.3+"), "min = TLSv1.3" }, { "1.2 alone", P("sslproto TLS1.2"), "min = TLSv1.2 max = TLSv1.2" }, { "old", P("sslproto ssl3"), "sslproto: ssl3 is not safe" },
	{ "unchecked", P("no sslcertck"), "verify_server = false verify_host = false" }, { "checked", P("no sslcertck sslcertck"), "!verify" },
	{ "certificates", P("sslcert /nowhere/c sslkey /nowhere/k sslcertfile /nowhere/ca"), "certificate = \"/nowhere/c\" key = \"/nowhere/k\" ca_certificates" },
	{ "fingerprints", P("sslfingerprint \"00:11\""), "# rc:1: sslfingerprint:" }, { "a service", P("") "poll b service pop3s proto pop3 user v ssl is a", "!port" },
	{ "a port", "poll h port 1110 proto pop3 user u ssl", "port = 1110" }, { "no such service", "poll h port telnet proto pop3 user u ssl", "port: not carried over" },
	{ "keep", P("keep"), "after = keep" }, { "keep of imap", I("keep"), "pull = unread after = seen" }, { "fetchall", I("fetchall"), "!pull|after = delete" },
	{ "all, and kept", P("fetchall keep"), "fetchall: each message comes once" }, { "folders", I("folder a, 'b c' d"), "mailbox = {\"a\", \"b c\", \"d\"}" }, { "of pop3", P("folder a"), "folder: POP3|!mailbox =" },
	{ "limits", P("limit 1000 fetchlimit 5 idle"), "max_size = 1000B max_messages = 5 idle = true" }, { "daemon", "set daemon 300 " P(""), "interval = 300s" },
	{ "every third", "set daemon 300 poll h interval 3 proto pop3 user u ssl", "interval = 900s" }, { "no daemon", P(""), "!interval" }, { "daemon later", P("") " set daemon = 60", "interval = 60s" },
	{ "apop", "poll h proto apop user u ssl is a", "protocol = pop3|auth = {\"apop\"}" }, { "auth", "poll h proto imap auth cram-md5 user u ssl", "auth = {\"cram-md5\"}" }, { "any", "poll h proto imap auth password user u ssl", "!auth =" },
	{ "no such", "poll h proto imap auth otp user u ssl", "auth: there is no otp" }, { "kpop", "poll h proto kpop user u", "proto: kpop is not spoken|!target|!connection" }, { "auto", "poll h user u ssl", "proto: it is not written" },
	{ "an mda", P("mda '/bin/mda -d %T'"), "argv = {\"/bin/mda\", \"-d\", \"anna\"}" }, { "its sender", P("mda \"/bin/mda -f %F %%\""), "\"/bin/sh\", \"-c\", '/bin/mda -f \"${POSTRIDER_SENDER}\" %'" },
	{ "bsmtp", P("bsmtp /x"), "bsmtp: batch|enabled = false" }, { "smtphost", P("smtphost mx.example/2525 b"), "host = \"mx.example\" port = 2525|anna@mx.example|smtphost: b" },
	{ "a socket", P("smtphost /run/lmtp"), "type = lmtp host = \"/run/lmtp\"|anna@localhost" }, { "lmtp", P("smtphost h lmtp"), "type = lmtp host = \"h\" port = 24" },
	{ "addresses", P("smtpaddress corp.example"), "anna@corp.example" }, { "one address", P("smtpname joe@corp.example"), "\"joe@corp.example\"" },
	{ "login at smtp", "poll h proto pop3 esmtpname me esmtppassword it's user u is a ssl", "user = \"me\" password = \"it's\"" }, { "who ran it", "poll h proto pop3 user 'joe@x' ssl", "joe@localhost|is: it is not written" },
	{ "multidrop", "poll h proto pop3 envelope 1 Delivered-To localdomains a.example b.example user u to x=y z * ssl",
		"envelope: all fields|headers = {\"Delivered-To\"} source_domain = \"a.example\"|localdomains: b.example|is: x=y" },
	{ "no address", P("smtphost mx.example smtpname joe\n"), "# rc:1: envelope.recipients: not carried over: joe is no address|no_recipient = \"hold\"|# rc:1: smtpname: who gets the mail|target mx.example (|enabled = false|deliver = {\"mx.example\"}" },
	{ "no domain to complete", P("smtphost '::1'"), "not carried over: anna@::1 is no address|no_recipient = \"hold\"|# rc:1: is: who gets the mail|enabled = false" },
	{ "nobody is alone", "poll h proto pop3 user u is 'a b' ssl user v is 'a b' ssl user w is a c ssl user x is a d ssl", "target localhost {|target localhost-2 {|target localhost-3 {|!target localhost-4|deliver = {\"localhost\"}|deliver = {\"localhost-2\"}|deliver = {\"localhost-3\"}|deliver = {\"localhost-3\"}" },
	{ "a multidrop without fields", "poll h proto pop3 user u is a b ssl", "envelope { no_recipient = \"hold\" }|!enabled" },
	{ "no domain", "poll h proto pop3 envelope Delivered-To localdomains 'a b'\nuser u to x * ssl", "envelope { headers = {\"Delivered-To\"} no_recipient = \"hold\" }|# rc:1: localdomains: who gets|enabled = false" },
	{ "one mapped", "poll h proto pop3 user u to x=y ssl", "y@localhost" }, { "lost words", P("mimedecode preconnect 'x' rewrite"), "mimedecode:|preconnect:|rewrite:" }, { "words that are so anyway", P("uidl no rewrite no mimedecode stripcr"), "!uidl|!rewrite|!mimedecode|!stripcr" },
	{ "set", "set postmaster root set no bouncemail set syslog set colour " P(""), "set postmaster:|set no bouncemail:|set syslog:|colour: unknown" },
	{ "unknown", P("frobnicate\nno wibble"), "# rc:1: frobnicate: unknown|# rc:2: no wibble: unknown" }, { "no user", "poll h proto pop3", "poll: h has no user|!connection" }, { "a user of defaults", "defaults user x poll a proto pop3 user u", "user: it stands in defaults" },
	{ "a password like a place", P("pass 'file:x'"), "password: it begins with file:|write password = 'file:PATH'" }, { "no end", "poll \"h", "wrong: rc:1: this text in quotes is not closed" }, { "nothing behind", "poll h proto", "wrong: rc:1: proto has nothing behind it" },
	{ "outside", "keep", "wrong: rc:1: keep stands before the first" }, { "a user outside", "user x", "wrong: rc:1: user stands outside" }, { "a bad daemon", "set daemon soon", "wrong: rc:1: daemon: soon" }, { "= alone", "poll h user u is = x", "wrong: rc:1: here = has no name" },
};

static void what_becomes_of_it(void **state)
{
	(void)state;
	import_rows(IMPORT_FETCHMAIL, rows, COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_becomes_of_it) };

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
