/* SPDX-License-Identifier: Apache-2.0
 *
 * The users of one passwd-file, read once: Dovecot's format.
 *
 *     user:password:uid:gid:gecos:home:shell:EXTRA
 * A line without a name, or one that begins with '#', says nothing; of two lines for one name the first counts.  There
 * are no escapes: no field but the last holds a colon.  The password is as in schemes.h, without a scheme CRYPT;
 * "text[34]" is PLAIN-MD5, "text[13]" CRYPT, as libpam-pwdfile writes them.  uid, gid, gecos and shell are not looked at: Maildirs are
 * read and written by the service's one user.  Of the fields in EXTRA, separated by blanks:
 *     userdb_mail=maildir:PATH      the Maildir, with ~ (home) %u %n %d %h %% in it, and perhaps :INBOX=PATH behind; others than Maildirs: no login
 *     userdb_home=PATH              in place of home
 *     user=NAME                     who this really is; home and mail are then those of NAME's line, if there is one
 *     allow_nets=NETWORK,…          from elsewhere, no login
 *     nologin, proxy…, nopassword   no login
 * All others (userdb_quota_rule, nodelay, …) mean nothing here.
 * Names are compared as those of accounts (store/account.h): a bare one belongs to the main domain.
 *
 * A line that is not as it should be is a user who cannot log in, and is told of in the log when the file is read: with its
 * number and the name, never with what stands for the password; the first TABLE_TOLD of them.
 *
 * Reading is for any thread; what is in a table never changes. */
#pragma once

#include "base/buf.h"
#include "net/address.h"
#include "store/login.h"

enum { TABLE_TOLD = 10, TABLE_USERS_MAX = 4000000 };

struct passwd_table;

/* What some user has, and so what mechanisms can work.  hash: something that is kept, and is no secret itself. */
struct passwd_has {
	bool secret, sha1, sha256, hash;
};

/* Takes the octets of *text over, also on NULL: ERR_LOCAL (memory), ERR_CONFIG (too many users).
 * path: for the log.  main_domain: NULL = none. */
[[nodiscard]] struct passwd_table *passwd_table_new(struct buf *text, const char *path, const char *main_domain, struct err *e);
void passwd_table_free(struct passwd_table **t);	/* wiped: passwords may stand in it */
size_t passwd_table_count(const struct passwd_table *t);
struct passwd_has passwd_table_has(const struct passwd_table *t);
/* True: there is such a line, and *login, made up so far (login_make_up), has what it says.  peer: NULL = from nowhere that counts. */
bool passwd_table_find(const struct passwd_table *t, const char *name, const union address *peer, struct account_login *login);
bool passwd_table_knows(const struct passwd_table *t, const char *name);
/* The verifier of one of its users: `chance` chooses, so that a name that is not there costs what names that are there cost.
 * False: it has none. */
bool passwd_table_any(const struct passwd_table *t, uint64_t chance, char verifier[LOGIN_VERIFIER]);
/* Iterations and lengths of salts as its users' SCRAM keys have them, for who has none. */
void passwd_table_like(const struct passwd_table *t, struct account_login *login);
