/* SPDX-License-Identifier: Apache-2.0
 *
 * A passwd-file that is in use: read, and read again when it changed.
 *
 *     f = passwd_file_open(path, main_domain, &e)    reads it; ERR_CONFIG, ERR_LOCAL: it cannot be read
 *     passwd_file_look(f)                            is it another one?  Then it is read: once a second, by users.c's thread
 *     passwd_file_find, …_knows, …_nobody, …_has     what passwd_table.h has of the users as they are now
 *     passwd_file_keep(f), passwd_file_free(&f)      the last who frees it
 * A file that has vanished, cannot be read, is no
 * regular file or too large (PASSWD_FILE_MAX) leaves the last good one in use, and the log says so, once for each reason.  So does
 * one that seems to be in the middle of being written (nothing in it, or no end of the last line): it counts when
 * it is still the same at the next look.
 *
 * One that others can read (mode), and in it {PLAIN} or hashes, is warned of in the log, and again only after it was not so.
 *
 * Any thread, but for passwd_file_look and passwd_file_free: those block, and one thread at a time may look. */
#pragma once

#include "serve/passwd_table.h"

enum { PASSWD_FILE_MAX = 256 << 20 };

struct passwd_file;

[[nodiscard]] struct passwd_file *passwd_file_open(const char *path, const char *main_domain, struct err *e);
struct passwd_file *passwd_file_keep(struct passwd_file *f);
void passwd_file_free(struct passwd_file **f);
/* True: it was read anew. */
bool passwd_file_look(struct passwd_file *f);
bool passwd_file_find(struct passwd_file *f, const char *name, const union address *peer, struct account_login *login);
bool passwd_file_knows(struct passwd_file *f, const char *name);
/* For a name that nobody has, into what login_make_up gave. */
void passwd_file_nobody(struct passwd_file *f, uint64_t chance, struct account_login *login);
struct passwd_has passwd_file_has(struct passwd_file *f);
const char *passwd_file_path(const struct passwd_file *f);
bool passwd_file_is(const struct passwd_file *f, const char *path, const char *main_domain);
