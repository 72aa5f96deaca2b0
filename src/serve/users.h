/* SPDX-License-Identifier: Apache-2.0
 *
 * Users: whom the service knows, and by what (PRODUCT 2.4, `users`): the internal database, passwd-files, PAM, in the
 * order that the settings have them.
 *
 *     u = users_new(store, settings, &e) … users_find, users_knows, users_mechs: any thread … users_free(&u)
 *     s = users_read(u, settings, &e); users_take(u, &s)      other settings: all of it or nothing
 *
 * The first source that knows a name answers for it, also with no: where it cannot log in, no other source is asked.  An account of
 * the internal database is known without a password, too; PAM knows every name, so what stands behind it
 * is never asked.  A name that nobody knows has what login_make_up gives, and a verifier whose cost is that of the last source's.
 * So EXTERNAL works for who is known to the database or a file, never by PAM alone.
 *
 * Passwd-files are looked at once a second by a thread of ours (passwd_file.h): a change counts a second later at most,
 * and by a reload at once.
 *
 * users_new, users_read: ERR_CONFIG, ERR_LOCAL; both block, and so does users_take, shortly. */
#pragma once

#include "config/settings_pop3.h"
#include "net/address.h"
#include "store/login.h"
#include "store/route.h"

struct users;
struct users_sources;

[[nodiscard]] struct users *users_new(struct store *store, const struct settings *settings, struct err *e);
void users_free(struct users **u);
[[nodiscard]] struct users_sources *users_read(struct users *u, const struct settings *settings, struct err *e);
void users_take(struct users *u, struct users_sources **s);
void users_drop(struct users_sources **s);	/* was read, and is not taken */

/* For `check`: can the files be read?  What is wrong in them is told in the log, and nothing is left behind. */
[[nodiscard]] bool users_check(const struct settings *settings, struct err *e);

/* route_resolve, with the users of all sources: nobody whom a file knows is led elsewhere by a route of his domain ("*").
 * False: nobody whom we know has that name; perhaps PAM does. */
bool users_resolve(struct users *u, struct span given, const char *main_domain, const char *local_domain, struct resolved *out);
/* `name` as users_resolve gave it; *login is always filled (store/login.h), and wiped by the caller.
 * verifier: for scheme_holds; with `elsewhere` "pam:SERVICE".  peer: whose networks may be asked for; NULL: none. */
void users_find(struct users *u, const char *name, const union address *peer, struct account_login *login);
/* Is it somebody, without a password? */
bool users_knows(struct users *u, const char *name);
/* Bits 1 << enum sasl_mech: what can work for anybody here, as the files are now. */
uint32_t users_mechs(struct users *u);
