/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the importer of fetchmail's configuration: what its files share, the words
 * and the grammar (import_fetchmail.c), their table and tokens (import_fetchmail_words.c),
 * and what becomes of an entry (import_fetchmail_entry.c).
 *
 * An entry is a server with its options and users; `defaults` is one without a name,
 * whose options come before those of every later entry. */
#pragma once

#include "config/import_target.h"

enum fetchmail_own { FETCHMAIL_PROTO = 1, FETCHMAIL_VIA, FETCHMAIL_SERVICE, FETCHMAIL_AUTH, FETCHMAIL_ENVELOPE, FETCHMAIL_NO_ENVELOPE, FETCHMAIL_INTERVAL,
	FETCHMAIL_LOCALDOMAINS, FETCHMAIL_USER, FETCHMAIL_IS, FETCHMAIL_SSL, FETCHMAIL_NO_SSL, FETCHMAIL_SSLPROTO, FETCHMAIL_CERTCK, FETCHMAIL_NO_CERTCK,
	FETCHMAIL_SMTPHOST, FETCHMAIL_LMTP, FETCHMAIL_SMTPADDRESS, FETCHMAIL_SMTPNAME, FETCHMAIL_MDA, FETCHMAIL_BSMTP, FETCHMAIL_KEEP, FETCHMAIL_NO_KEEP,
	FETCHMAIL_FETCHALL, FETCHMAIL_NO_FETCHALL, FETCHMAIL_ESMTPNAME, FETCHMAIL_ESMTPPASSWORD, FETCHMAIL_DAEMON, FETCHMAIL_FOLDER };

enum fetchmail_kind { FETCHMAIL_END, FETCHMAIL_WORD, FETCHMAIL_QUOTED, FETCHMAIL_EQUALS };

struct fetchmail_token {
	enum fetchmail_kind kind;
	const char *text;	/* escapes done */
	uint32_t line;
};

struct fetchmail_tokens {
	struct import *in;
	struct span rest;
	uint32_t line;
};

struct fetchmail_user {
	struct fetchmail_user *next;
	const char *remote;	/* NULL: not said */
	struct texts local;	/* "anna", "anna=joe", "*" */
	struct import_items items;
	uint32_t line;
};

struct fetchmail_entry {
	struct fetchmail_entry *next;
	const char *name;
	struct import_items items;	/* the defaults, then its own */
	struct fetchmail_user *users;
	bool skip;
	uint32_t line;
};

extern const struct import_row fetchmail_set[], fetchmail_words[];

/* Words between punctuation that means nothing; ended by FETCHMAIL_END. */
[[nodiscard]] bool fetchmail_next(struct fetchmail_tokens *t, struct fetchmail_token *token, struct err *e);
/* and, with, has, wants, options: anywhere, and without meaning. */
bool fetchmail_noise(const struct fetchmail_token *token);
/* The connections of an entry; `daemon_s` is `set daemon`, 0 = not set. */
void fetchmail_entry(struct import *in, const struct fetchmail_entry *entry, uint64_t daemon_s);
