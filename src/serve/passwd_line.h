/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of a passwd-file, taken apart: what passwd_table.h says of its format.
 *
 * passwd_line_cut writes NULs into the line, and what it gives points into it.  Nothing here allocates. */
#pragma once

#include "net/address.h"
#include "serve/schemes.h"

struct passwd_line {
	const char *user;
	const char *password;	/* "" = none */
	const char *home;	/* "" = none */
	const char *mail;	/* userdb_mail; NULL = none */
	const char *as;		/* user=; NULL = itself */
	const char *nets;	/* allow_nets; NULL = all */
	bool nologin, nopassword, elsewhere;
	bool alone;		/* there is no ':' in it, so that it may be anything, such as the rest of a line that was broken */
	size_t number;		/* for the caller */
};

/* False: it is empty, a comment, or has no name. */
bool passwd_line_cut(char *text, struct passwd_line *line);
/* With its scheme.  False: longer than a verifier may be. */
bool passwd_line_verifier(const struct passwd_line *line, char verifier[LOGIN_VERIFIER]);
/* The Maildir of `name`, "" where the line says none.  False: *why says why there is none to be had. */
bool passwd_line_mail(const struct passwd_line *line, const char *name, char mail[PATH_MAX], const char **why);
bool passwd_line_nets_good(const struct passwd_line *line);
bool passwd_line_nets_have(const struct passwd_line *line, const union address *peer);
