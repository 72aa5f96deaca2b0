/* SPDX-License-Identifier: Apache-2.0 */
#include "config/test_import.h"

#define R "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = h.example\nusername = u\n"
#define I "[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = h.example\nusername = u\n"
#define D "[destination]\ntype = Maildir\npath = /m/\n"
#define DELETE "[options]\ndelete = true\n"

static const struct import_row_told rows[] = {
	{ "the least", R D, "# rc:2: ca_certs:|connection h.example { protocol = pop3 host = \"h.example\" user = \"u\" after = keep deliver = {\"maildir:/m\"} }" },
	{ "in clear", "[retriever]\ntype = SimplePOP3Retriever\nserver = h\nusername = u\n" D, "allow_cleartext = true|mode = none" },
	{ "imap", I D, "protocol = imap|!after" },
	{ "authorities", R "ca_certs = /nowhere/ca.pem\n" D, "!ca_certs|ca_certificates = \"/nowhere/ca.pem\"" },
	{ "delete", R D DELETE, "!after" }, { "of imap", I D DELETE, "after = delete" },
	{ "moved", I "move_on_delete = done\n" D DELETE, "after = \"move:done\"" },
	{ "moved, but not deleted", I "move_on_delete = done\n" D, "# rc:5: move_on_delete:|!move:" },
	{ "into itself", I "move_on_delete = INBOX\n" D DELETE, "# rc:5: after: not carried over|!move:INBOX" },
	{ "seen", I "imap_on_delete = \\Seen\n" D DELETE, "after = seen" },
	{ "other flags", I "imap_on_delete = (\\Answered)\n" D DELETE, "# rc:5: imap_on_delete:|after = delete" },
	{ "after days", R D "[options]\ndelete_after = 7\n", "after = keep delete_after = 7d" },
	{ "after days, and at once", R D DELETE "delete_after = 7\n", "# rc:10: delete_after: delete is on|!delete_after =" },
	{ "no days", R D "[options]\ndelete_after = soon\n", "# rc:9: delete_after: it is no number" },
	{ "sizes", R D "[options]\nmax_message_size = 1000\nmax_messages_per_session = 5\n", "max_size = 1000B max_messages = 5" },
	{ "read all", R D "[options]\nread_all = true\n", "# rc:9: read_all:" }, { "not all", R D "[options]\nread_all = off\n", "!read_all" },
	{ "folders", I "mailboxes = (\"INBOX\", 'a b',\n  # no\n  \"c\\\"d\",)\n" D, "mailbox = {\"INBOX\", \"a b\", 'c\"d'}" },
	{ "all folders", I "mailboxes = ALL\n" D, "mailbox = {\"*\"}" }, { "no list", I "mailboxes = INBOX\n" D, "# rc:5: mailboxes: INBOX is no list" },
	{ "unseen", I "imap_search = (Unseen)\n" D, "pull = unread|!search" }, { "a search", I "imap_search = SINCE 1-Jan-2024\n" D, "search = \"SINCE 1-Jan-2024\"" },
	{ "a literal", I "imap_search = TEXT {3}\n" D, "# rc:5: search: not carried over" },
	{ "a password", R "password = it's $x\n" D, "password = \"it's \\$x\"" },
	{ "of a command", R "password_command = (\"pass\", \"a b\")\n" D, "password = \"command:pass 'a b'\"" },
	{ "which is none", R "password_command = pass\n" D, "# rc:5: password_command:|!password =" },
	{ "apop", R "use_apop = yes\n" D, "auth = {\"apop\"}" }, { "no apop", R "use_apop = no\n" D, "!auth =" },
	{ "xoauth2", I "use_xoauth2 = True\n" D, "auth = {\"xoauth2\"}" }, { "an odd truth", R "use_apop = maybe\n" D, "# rc:5: use_apop: maybe is neither" },
	{ "versions", R "ssl_version = tlsv1_2\n" D, "min = TLSv1.2 max = TLSv1.2" }, { "old ones", R "ssl_version = sslv3\n" D, "# rc:5: ssl_version: sslv3 is not safe" },
	{ "mbox", R "[destination]\ntype = Mboxrd\npath = /m\n", "# rc:5: Mboxrd:|enabled = false" },
	{ "no destination", R, "enabled = false" },
	{ "a program", R "[destination]\ntype = MDA_external\npath = /bin/mda\narguments = ('-d', 'a b')\n", "argv = {\"/bin/mda\", \"-d\", \"a b\"}" },
	{ "with addresses", R "[destination]\ntype = MDA_external\npath = /bin/mda\narguments = ('-f%(sender)',)\n", "\"/bin/sh\", \"-c\"|-f'\\\"\\${POSTRIDER_SENDER}\\\"''" },
	{ "at home", R "[destination]\ntype = MDA_external\npath = ~/mda\n", "\\\"\\$HOME\\\"'/mda'" },
	{ "bad arguments", R "[destination]\ntype = MDA_external\npath = /bin/mda\narguments = -d\n", "# rc:8: arguments:|enabled = false" },
	{ "a user", R D "user = joe\n", "# rc:8: user: Maildir does without it" },
	{ "lmtp", R "[destination]\ntype = MDA_lmtp\nhost = /run/lmtp\noverride = anna\n", "type = lmtp host = \"/run/lmtp\" envelope { no_recipient = \"hold\" }|# rc:8: override: who gets the mail cannot be carried over; say it in target lmtp|enabled = false|deliver = {\"lmtp\"}" },
	{ "lmtp, an address", R "[destination]\ntype = MDA_lmtp\nhost = /run/lmtp\noverride = anna@h.example\n", "envelope { recipients = {\"anna@h.example\"} }|!# rc:8|!enabled" },
	{ "nobody, nowhere", R "[destination]\ntype = MDA_lmtp\nhost = h\noverride = anna\n", "!override: who gets|# rc:7: MDA_lmtp: it needs a host|enabled = false|!target lmtp {" },
	{ "lmtp over tcp", R "[destination]\ntype = MDA_lmtp\nhost = h\nport = 24\n", "port = 24 envelope { no_recipient = \"hold\" }|# rc:5: MDA_lmtp:" },
	{ "lmtp, no port", R "[destination]\ntype = MDA_lmtp\nhost = h\n", "# rc:7: MDA_lmtp: it needs a host|enabled = false|!target" },
	{ "multidrop", "[retriever]\ntype = MultidropIMAPRetriever\nserver = h\nusername = u\nenvelope_recipient = delivered-to:2\n[destination]\ntype = MDA_lmtp\nhost = /s\n",
		"headers = {\"delivered-to\"}|# rc:5: envelope_recipient:" },
	{ "several", R "[destination]\ntype = MultiDestination\ndestinations = ('/a/', '[x]', '/b', '[y]')\n[x]\ntype = Maildir\npath = /x\n",
		"/b: mbox|[y]: there is no such section|{\"maildir:/a\", \"maildir:/x\"}" },
	{ "in a circle", R "[destination]\ntype = MultiDestination\ndestinations = ('[destination]',)\n", "destination: destinations name each other|enabled = false" },
	{ "sorted", R "[destination]\ntype = MultiSorter\ndefault = /d/\nlocals = (('a@', '/a/'),)\n", "# rc:8: locals:|maildir:/d" },
	{ "qmail", R "[destination]\ntype = MDA_qmaillocal\n", "MDA_qmaillocal: write a target" }, { "another", R "[destination]\ntype = Fax\n", "# rc:6: type: Fax is no destination" },
	{ "a filter", R D "[filter-1]\ntype = x\n", "# rc:8: filter-1:" }, { "unused", R D "[zzz]\na = b\n", "# rc:8: zzz: nothing names" },
	{ "unknown", R "colour = red\n" D, "# rc:5: colour: unknown" }, { "a type of no kind", "[retriever]\ntype = Fax\nserver = h\nusername = u\n" D, "type: Fax is unknown|not written: it has no protocol" },
	{ "no retriever", D, "wrong: rc:1: there is no section [retriever]" }, { "outside", "a = b\n", "wrong: rc:1: this stands before the first" },
	{ "a section unclosed", "[retriever\n", "wrong: rc:1: this section is not closed" }, { "no key", "[retriever]\nserver\n", "wrong: rc:2: this is neither" },
	{ "a key twice", R "server = i\n", "wrong: rc:5: server is there already" }, { "a section twice", R R, "wrong: rc:5: section [retriever] is there already" },
};

static void what_becomes_of_it(void **state)
{
	(void)state;
	import_rows(IMPORT_GETMAIL, rows, COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_becomes_of_it) };

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
