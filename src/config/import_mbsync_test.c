/* SPDX-License-Identifier: Apache-2.0 */
#include "config/test_import.h"

#define ACCOUNT "IMAPAccount x\nHost h.example\nUser u\n"
#define STORES "\nIMAPStore far\nAccount x\n\nMaildirStore near\nPath ~/Mail/\nInbox ~/Mail/INBOX\n"
#define CHANNEL "\nChannel c\nFar :far:\nNear :near:\nSync Pull New\n"
#define ALL ACCOUNT STORES CHANNEL
#define STORE(more) ACCOUNT "\nIMAPStore far\nAccount x\n\nMaildirStore near\nPath ~/Mail/\nInbox ~/Mail/INBOX\n" more CHANNEL

static const struct import_row_told rows[] = {
	{ "the least", ALL, "connection c { protocol = imap host = \"h.example\" user = \"u\" deliver = {\"maildir:~/Mail/INBOX\"} tls { mode = explicit } }|!# rc" },
	{ "imaps", ACCOUNT "SSLType IMAPS\n" STORES CHANNEL, "!tls" }, { "new words", ACCOUNT "TLSType IMAPS\n" STORES CHANNEL, "!tls" },
	{ "old words", ACCOUNT "UseIMAPS yes\n" STORES CHANNEL, "!tls" }, { "an old host", "IMAPAccount x\nHost imaps:h.example\nUser u\n" STORES CHANNEL, "host = \"h.example\"|!tls" },
	{ "in clear", ACCOUNT "SSLType None\n" STORES CHANNEL, "allow_cleartext = true|mode = none" },
	{ "not required", ACCOUNT "RequireSSL no\n" STORES CHANNEL, "allow_cleartext = true|required = false" },
	{ "versions", ACCOUNT "SSLVersions TLSv1.3\n" STORES CHANNEL, "min = TLSv1.3" }, { "one of them", ACCOUNT "SSLVersions TLSv1.2\n" STORES CHANNEL, "max = TLSv1.2" },
	{ "taken away", ACCOUNT "TLSVersions -1.2\n" STORES CHANNEL, "min = TLSv1.3" }, { "old versions", ACCOUNT "SSLVersions TLSv1 TLSv1.2 TLSv1.3\n" STORES CHANNEL, "# rc:4: SSLVersions:|!min" },
	{ "mechanisms", ACCOUNT "AuthMechs PLAIN LOGIN\n" STORES CHANNEL, "auth = {\"plain\", \"login\"}" }, { "all", ACCOUNT "AuthMechs *\n" STORES CHANNEL, "!auth =" },
	{ "cram", ACCOUNT "RequireCRAM yes\n" STORES CHANNEL, "auth = {\"cram-md5\"}" },
	{ "a password", ACCOUNT "Pass \"a\\\"b'\"\n" STORES CHANNEL, "password = \"a\\\"b'\"" }, { "of a command", ACCOUNT "PassCmd +\"pass x\"\n" STORES CHANNEL, "'command:pass x'" },
	{ "authorities", ACCOUNT "CertificateFile /nowhere\n" STORES CHANNEL, "# rc:4: CertificateFile:|ca_certificates = \"/nowhere\"" },
	{ "a tunnel", "IMAPAccount x\nTunnel \"ssh x\"\nUser u\n" STORES CHANNEL, "Tunnel:|not written: it has no host" },
	{ "an account in the store", "IMAPStore far\nHost h\nUser u\n\nMaildirStore near\nPath /m/\n" CHANNEL, "maildir:~/Maildir" },
	{ "no such account", STORES CHANNEL, "Account: there is no account x|not written" },
	{ "a box", ACCOUNT STORES "\nChannel c\nFar :far:lists/a\nNear :near:lists/a\n", "mailbox = {\"lists/a\"} deliver = {\"maildir:~/Mail/lists/a\"}" },
	{ "another at home", ACCOUNT STORES "\nChannel c\nFar :far:lists/a\nNear :near:b\n", "mailbox = {\"lists/a\"} deliver = {\"maildir:~/Mail/b\"}" },
	{ "master, slave", ACCOUNT STORES "\nChannel c\nMaster :far:\nSlave :near:\n", "Sync: new mail|connection c {" },
	{ "the other way round", ACCOUNT STORES "\nChannel c\nFar :near:\nNear :far:\nSync Push New\n", "connection c {|!Sync" },
	{ "patterns", ALL "Patterns a \"b c\" !d x%\n", "connection c {|mailbox = {\"a\"}|maildir:~/Mail/a\"|connection c-b-c {|maildir:~/Mail/b c\"|Patterns: one connection|connection c-x- {|mailbox = {\"x%\"} deliver = {\"maildir:~/Mail/x\"}" },
	{ "a pattern taken away", ALL "Patterns a !b\n", "Patterns: mailboxes cannot be taken out" },
	{ "a wildcard alone", ALL "Pattern *\n", "mailbox = {\"*\"} deliver = {\"maildir:~/Mail/INBOX\"}" },
	{ "a prefix at the server", ACCOUNT "\nIMAPStore far\nAccount x\nPath INBOX.\n\nMaildirStore near\nPath /m/\n" CHANNEL "Pattern a\n", "mailbox = {\"INBOX.a\"} deliver = {\"maildir:/m/a\"}" },
	{ "Maildir++", STORE("SubFolders Maildir++\n") "Pattern a/b\n", "maildir:~/Mail/INBOX/.a.b" }, { "legacy", STORE("SubFolders Legacy\n") "Pattern a/b\n", "maildir:~/Mail/a/.b" },
	{ "flat", STORE("Flatten .\n") "Pattern a/b\n", "maildir:~/Mail/a.b" }, { "below INBOX", STORE("SubFolders Verbatim\n") "Pattern INBOX/a\n", "maildir:~/Mail/INBOX/a" },
	{ "push alone", ACCOUNT STORES "\nChannel c\nFar :far:\nNear :near:\nSync Push\n", "# rc:15: Sync: channel c brings no new mail|!connection" },
	{ "none", ACCOUNT STORES "\nChannel c\nFar :far:\nNear :near:\nSync None\n", "brings no new mail" }, { "flags alone", ACCOUNT STORES "\nChannel c\nFar :far:\nNear :near:\nSync Pull Flags\n", "brings no new mail" },
	{ "compound", ACCOUNT STORES "\nChannel c\nFar :far:\nNear :near:\nSync PullNew\n", "connection c {|!Sync" },
	{ "all of it", ACCOUNT STORES "\nChannel c\nFar :far:\nNear :near:\nSync All\n", "# rc:15: Sync: new mail is collected|connection c {" },
	{ "globally", "Sync Push\n\n" ACCOUNT STORES "\nChannel c\nFar :far:\nNear :near:\n", "brings no new mail" }, { "overridden", "Sync Push\n\n" ALL, "connection c {" },
	{ "sizes", ALL "MaxSize 200k\n", "max_size = 200KB" }, { "no size", ALL "MaxSize x\n", "MaxSize: it is no size" }, { "create", ALL "Create Both\n", "Create: no mailbox is made" },
	{ "create here", ALL "Create Near\n", "!Create" }, { "expunge", ALL "Expunge Both\n", "# rc:16: Expunge: mail is collected" },
	{ "two Maildirs", "MaildirStore a\n\nMaildirStore b\n\nChannel c\nFar :a:\nNear :b:\n", "joins two stores of one kind" },
	{ "no store", "Channel c\nFar :a:\nNear :b:\n", "does not name two stores" }, { "a group", ALL "\nGroup g c d\nChannel c\n", "Group: connections have no groups|!wrong" },
	{ "unknown", ALL "Colour red\n", "Colour: unknown" }, { "no end", "IMAPAccount \"x\n", "wrong: rc:1: this text in quotes" }, { "no name", "Channel\n", "wrong: rc:1: Channel has no name" },
	{ "twice", "Channel c\n\nChannel c\n", "wrong: rc:3: Channel c is there already" },
};

static void what_becomes_of_it(void **state)
{
	(void)state;
	import_rows(IMPORT_MBSYNC, rows, COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_becomes_of_it) };

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
