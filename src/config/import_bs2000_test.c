/* SPDX-License-Identifier: Apache-2.0 */
#include "config/test_import.h"

#define S(more) "SERVER=POP3(HOSTNAME=h.example,USER='u',PASS='p'" more ")\n"
#define I(more) "SERVER=IMAP(HOSTNAME=h.example,USER='u',PASS='p',MAILBOX='INBOX'" more ")\n"

static const struct import_row_told rows[] = {
	{ "the least", S(""), "target mail { type = folder path = \"~/mail\" prefix = \"MAIL\" }|connection h.example { protocol = pop3 host = \"h.example\" user = \"u\" password = 'p' allow_cleartext = true deliver = {\"mail\"} tls { mode = none } }" },
	{ "imap", I(""), "protocol = imap|after = delete" }, { "keep", I(",KEEP=YES"), "!after" }, { "a box", "SERVER=IMAP(HOSTNAME=h,USER=u,MAILBOX='a b')", "mailbox = {\"a b\"}" },
	{ "once", S(",INTERVAL=0"), "interval = 0" }, { "often", S(",INTERVAL=60"), "interval = 60s" }, { "oddly", S(",INTERVAL=x"), "# rc:1: interval: not carried over" },
	{ "a port", S(",PORT=1110"), "port = 1110" }, { "quotes", "SERVER=POP3(HOSTNAME=h,USER='o''hara',PASS='a\"b')", "user = \"o'hara\" password = 'a\"b'" },
	{ "tls", S(",TLS=YES(REQUIRED=YES)"), "!tls|!allow_cleartext" }, { "not said", S(",TLS=YES"), "# rc:1: REQUIRED: it is not written|!tls { required = false } }" },
	{ "wanted", S(",TLS=YES(REQUIRED=NO,MODE=EXPLICIT)"), "allow_cleartext = true|mode = explicit required = false" },
	{ "explicit", S(",TLS=YES(REQUIRED=YES,MODE=EXPLICIT)"), "mode = explicit|!required" }, { "neither", S(",TLS=PERHAPS"), "TLS: it is neither YES nor NO" },
	{ "versions", S(",TLS=YES(PROTOCOL=All -TLSv1.3)"), "protocols = {\"All -TLSv1.3\"}" }, { "none left", S(",TLS=YES(PROTOCOL='SSLv3')"), "tls.protocols: not carried over" },
	{ "bounds", S(",TLS=YES(TLSMINPROTOCOLVERSION=TLSv1.3,TLSMAXPROTOCOLVERSION=TLSv1.3)"), "min = TLSv1.3 max = TLSv1.3" },
	{ "depth", S(",TLS=YES(VERIFY_DEPTH=1)"), "verify_depth = 1" }, { "unchecked", S(",TLS=YES(VERIFY_SERVER=NO)"), "verify_server = false verify_host = false" },
	{ "ciphers", S(",TLS=YES(CIPHER_SUITE='HIGH')"), "ciphers = \"HIGH\"" }, { "of TLSv1.3", S(",TLS=YES(CIPHER_SUITE=TLSv1.3 TLS_AES_128_GCM_SHA256)"), "ciphersuites = \"TLS_AES_128_GCM_SHA256\"" },
	{ "files", S(",TLS=YES(CA_CERTIFICATES=$TSOS.CA,CRL='/nowhere/crl')"), "CA_CERTIFICATES: $TSOS.CA is a file of BS2000's|crl = \"/nowhere/crl\"" },
	{ "one parenthesis too many", S(")") S(""), "# rc:1: ): a closing parenthesis too many|connection h.example {|connection h.example-2 {" },
	{ "layout", "server = pop3 ( hostname = h , -\n  user = 'u'\n  # no\n  ) \"no\"\n* no\n", "connection h {" },
	{ "prefix", "MAILHANDLING=PARAMETERS(PREFIX='IN',DELETE=NO,PAMFILE=YES)" S(""), "DELETE: there is no procedure|prefix = \"IN\"" },
	{ "enter", S("") "MAILHANDLING=PARAMETERS(ENTER=JOB)", "# rc:2: ENTER:" }, { "smime", S("") "MAILHANDLING=PARAMETERS(SMIME=PARAMETERS(KEY=K))", "# rc:2: SMIME:" },
	{ "a procedure", S("") "MAILHANDLING=PARAMETERS(BODY=PARAMETERS(PROCEDURE=PARAMETERS(SUFFIX='P',TEXT=('/A','/B''C'))))",
		"PROCEDURE: write that program|TEXT: /A|TEXT: /B'C|target procedure { type = command argv = {\"/usr/local/bin/mail-procedure\"} }|add \"procedure\" to deliver" },
	{ "a message", S("") "MAILHANDLING=PARAMETERS(BODY=PARAMETERS(MESSAGEBODY=PARAMETERS(TEXT=('From %From%'))))", "MESSAGEBODY: write its texts|TEXT: From %From%|target mail {" },
	{ "attachments", S("") "MAILHANDLING=PARAMETERS(ATTACHMENT=PARAMETERS(MESSAGEBODY=('x')))", "MESSAGEBODY: x|split = true" },
	{ "unknown", S(",COLOUR=RED") "TRACE=YES\n", "TRACE: unknown|COLOUR: unknown" }, { "another server", "SERVER=SMTP(HOSTNAME=h)", "SERVER: it is neither|!target" },
	{ "no user", "SERVER=POP3(HOSTNAME=h)", "not written: it has no user|!target" },
	{ "not closed", "SERVER=POP3(HOSTNAME=h,\nUSER='u'", "wrong: rc:1: this parenthesis is not closed" }, { "no end", "SERVER=POP3(USER='u\n')", "wrong: rc:1: this text has no end" },
	{ "a comment without end", "SERVER=POP3(\"x)", "wrong: rc:1: this comment" }, { "an equals sign", "=x", "wrong: rc:1: here stands = where" },
	{ "deep", "A=((((((((((((((((((x))))))))))))))))))", "wrong: rc:1: parentheses are nested too deeply" },
};

static void what_becomes_of_it(void **state)
{
	(void)state;
	import_rows(IMPORT_BS2000, rows, COUNT(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_becomes_of_it) };

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
