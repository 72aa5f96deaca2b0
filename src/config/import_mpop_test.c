/* SPDX-License-Identifier: Apache-2.0 */
#include "config/test_import.h"

#define A "account a\nhost h.example\nuser u\n"
#define TO "delivery maildir /m\n"

static const struct import_row_told rows[] = {
	{ "the least", A TO, "connection a { protocol = pop3 host = \"h.example\" user = \"u\" allow_cleartext = true deliver = {\"maildir:/m\"} tls { mode = none } }" },
	{ "tls", A TO "tls\n", "tls { mode = explicit }|!allow_cleartext" },
	{ "tls, implicit", A TO "tls on\ntls_starttls off\n", "!mode|!allow_cleartext" },
	{ "tls off again", A TO "tls on\ntls off\n", "mode = none" },
	{ "unchecked", A TO "tls on\ntls_certcheck off\n", "# rc:6: tls.verify_server:|verify_server = false verify_host = false" },
	{ "authorities", A TO "tls on\ntls_trust_file /nowhere/ca.pem\n", "ca_certificates = \"/nowhere/ca.pem\"" },
	{ "the system's", A TO "tls on\ntls_trust_file system\n", "!ca_certificates" },
	{ "a fingerprint", A TO "tls on\ntls_fingerprint 00:11\n", "# rc:6: tls_fingerprint:|!pin =" },
	{ "a client's certificate", A TO "tls on\ntls_key_file /nowhere/k\ntls_cert_file /nowhere/c\n", "certificate = \"/nowhere/c\" key = \"/nowhere/k\"" },
	{ "a key without it", A TO "tls on\ntls_key_file /nowhere/k\n", "# rc:6: tls.key: not carried over|!key = " },
	{ "keep", A TO "keep\n", "after = keep" },
	{ "keep off", A TO "keep on\nkeep off\n", "!after" },
	{ "keep, oddly", A TO "keep perhaps\n", "# rc:5: keep: perhaps is neither" },
	{ "sizes", A TO "skipsize 5m\n", "max_size = 5MB" }, { "octets", A TO "skipsize 5\n", "max_size = 5B" },
	{ "no size", A TO "skipsize 5\nskipsize off\n", "!max_size" }, { "a bad size", A TO "skipsize 5x\n", "# rc:5: skipsize: 5x is no size" },
	{ "nothing at all", A TO "skipsize 0\n", "# rc:5: skipsize:|!max_size" },
	{ "kill", A TO "killsize 5\n", "# rc:5: killsize:" },
	{ "time-outs", A TO "timeout 90\n", "timeout = 90s" }, { "none", A TO "timeout off\n", "# rc:5: timeout:" },
	{ "a bad time-out", A TO "timeout soon\n", "# rc:5: timeout: not carried over" },
	{ "a proxy", A TO "proxy_host 127.0.0.1\nproxy_port 9050\n", "proxy = \"socks5://127.0.0.1:9050\"" },
	{ "an address", A TO "source_ip 192.0.2.1\n", "source_address = \"192.0.2.1\"" },
	{ "a password", A TO "password \"it's\\\"${X}\"\n", "password = \"it's\\\\\\\"\\${X}\"" },
	{ "a password like a place", A TO "password file:x\n", "# rc:5: password:|tls { mode = none" },
	{ "of a command", A TO "passwordeval \"gpg -d x\"\n", "password = 'command:gpg -d x'" },
	{ "mechanisms", A TO "auth scram-sha-256\n", "auth = {\"scram-sha-256\"}" }, { "any", A TO "auth on\n", "!auth =" },
	{ "one that is none", A TO "auth magic\n", "# rc:5: auth: not carried over" },
	{ "external without a certificate", A TO "auth external\n", "# rc:5: auth: not carried over" },
	{ "inheriting", "defaults\n" TO "tls on\naccount a\nhost h\nuser u\nkeep on\naccount b : a\nuser v\n", "connection a {|connection b {|user = \"v\"|after = keep" },
	{ "defaults change", "account a\nhost h\nuser u\ndefaults\nkeep on\naccount b\nhost h\nuser v\n", "connection a {|user = \"u\" allow_cleartext = true deliver|connection b {|after = keep" },
	{ "an mda", A "delivery mda \"/bin/mda -f %F\"\n", "argv = {\"/bin/sh\", \"-c\", '/bin/mda -f \"${POSTRIDER_SENDER}\"'}" },
	{ "an mda's quotes", A "delivery mda \"/bin/mda -f '%F' -d $USER\"\n", "/bin/mda -f ''\\\"\\${POSTRIDER_SENDER}\\\"'' -d \\$USER" },
	{ "a plain one", A "delivery mda /bin/mda\n", "argv = {\"/bin/mda\"}" },
	{ "a pickup folder", A "delivery exchange /pickup\n", "target pickup { type = folder path = \"/pickup\" }" },
	{ "mbox", A "delivery mbox ~/m\n", "# rc:4: delivery: mbox|# rc:1: deliver:|enabled = false|maildir:~/Mail/a" },
	{ "nowhere", A, "# rc:1: deliver:|enabled = false" },
	{ "a home", A "delivery maildir ~/m/\n", "maildir:~/m\"" }, { "another's home", A "delivery maildir ~joe/m\n", "# rc:4: delivery: ~joe/m" },
	{ "no user", "account a\nhost h\n" TO, "# rc:1: a: not written: it has no user" },
	{ "unknown", A TO "colour red\n", "# rc:5: colour: unknown" }, { "eval", A TO "eval echo x\n", "# rc:5: eval:" },
	{ "a comment, and CRLF", "# x\r\n" A TO "keep on\r\n", "after = keep" },
	{ "twice", A A, "wrong: rc:4: account a is there already" }, { "no name", "account\n", "wrong: rc:1: account has no name" },
	{ "no such base", "account a : b\n", "wrong: rc:1: account b is not there yet" },
	{ "outside", "host h\n", "wrong: rc:1: host stands before the first account" },
	{ "nothing", "", "!connection" },
};

static void what_becomes_of_it(void **state)
{
	(void)state;
	import_rows(IMPORT_MPOP, rows, COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_becomes_of_it) };

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
