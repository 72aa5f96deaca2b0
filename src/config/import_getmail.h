/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the importer of getmail's configuration: what its two files share, the
 * account (import_getmail.c) and its destinations (import_getmail_to.c).
 *
 * A file is sections of values, each a text whose lines are joined by blanks. */
#pragma once

#include "config/import_target.h"

enum { GETMAIL_NESTING_MAX = 8 };

enum getmail_own { GETMAIL_TYPE = 1, GETMAIL_PASSWORD_COMMAND, GETMAIL_MAILBOXES, GETMAIL_PEEK, GETMAIL_MOVE, GETMAIL_SEARCH, GETMAIL_ON_DELETE, GETMAIL_APOP,
	GETMAIL_XOAUTH2, GETMAIL_KERBEROS, GETMAIL_SSL_VERSION, GETMAIL_ENVELOPE, GETMAIL_DELETE, GETMAIL_DELETE_AFTER, GETMAIL_READ_ALL, GETMAIL_ADDED,
	GETMAIL_NETRC };

struct getmail_value {
	struct getmail_value *next;
	const char *name, *text;
	struct span raw;	/* its lines as they stand in the file */
	uint32_t line;
};

struct getmail_section {
	struct getmail_section *next;
	const char *name;
	struct getmail_value *values, **last;
	uint32_t line;
	bool used;		/* a destination names it */
};

struct getmail {
	struct import *in;
	struct getmail_section *sections;
	struct draft_section *s;	/* the connection */
	bool imap, multi, remove, seen;
	const char *move, *days, *envelope;
	uint32_t move_line, days_line, remove_line, read_all_line, tls_line, envelope_line;
};

const struct getmail_section *getmail_section(const struct getmail *g, struct span name);
const struct getmail_value *getmail_value(const struct getmail_section *s, const char *name);
/* A Python tuple of strings, ("a", 'b', ); or one string.  False when it is none; *to is empty then. */
[[nodiscard]] bool getmail_tuple(struct arena *a, const char *text, struct texts *to);
/* A section that is a destination, with those that it names, into `deliver`. */
void getmail_destination(struct getmail *g, const struct getmail_section *s, unsigned depth);
