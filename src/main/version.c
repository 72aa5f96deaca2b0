/* SPDX-License-Identifier: Apache-2.0 */
#include "main/version.h"

#include <stdio.h>

#include <ares.h>
#include <gsasl.h>
#include <jansson.h>
#include <lmdb.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <uv.h>
#include <zlib.h>

void version_print(void)
{
	(void)printf("postrider %s\n", POSTRIDER_VERSION);
	(void)printf("built: collect pop3 imap, schedule, idle; targets mailbox maildir folder smtp lmtp command; serve pop3 from mailboxes and maildirs; store lmdb; tls; sasl scram(-plus) oauthbearer xoauth2 gssapi digest-md5 cram-md5 ntlm apop plain login external%s\n", POSTRIDER_PAM ? "; pam" : "");
	(void)printf("not built yet: console, rados%s\n", POSTRIDER_PAM ? "" : "; left out of this build: pam");
	(void)printf("with: %s, libuv %s, c-ares %s, GNU SASL %s, LMDB %d.%d.%d, libsodium %s, Jansson %s, zlib %s\n",
		OpenSSL_version(OPENSSL_VERSION), uv_version_string(), ares_version(NULL), gsasl_check_version(NULL),
		MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH, sodium_version_string(), jansson_version_str(), zlibVersion());
}
