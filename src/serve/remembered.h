/* SPDX-License-Identifier: Apache-2.0
 *
 * Passwords that were right a moment ago: the positive cache.
 *
 * What is kept is a MAC, under a random key of this process, over everything that
 * decided: the account (as resolved), which way it was proved, where the user is from, the password's octets,
 * and what the account keeps of it (`verifier`, the argon2id text with its random salt, say).
 * So another user, another password, a password that was set anew (even to the
 * same), and an account that was removed and made again never find it; nor does memory tell
 * a password.  The caller reads the account before it asks here, at each login.
 * Wrong passwords are not kept.  An entry lasts `last_ms` from when it was put, and is not
 * made longer by being found.
 *
 * Of a fixed size: an entry goes into one of eight places that its MAC names, where the
 * one that ends first gives way.  Any thread; one lock for a sixteenth of it. */
#pragma once

#include "base/err.h"

enum { REMEMBERED_ENTRIES = 65536 };	/* 2.5 MiB, once all are used */

struct remembered_what {
	const char *account;
	const char *way;
	struct span password;
	const char *verifier;
	const char *source;	/* of users: "internal", "pam:SERVICE", … */
};

struct remembered_mac {		/* wiped by who made it */
	uint8_t octets[32];
};

struct remembered;

/* entries: a power of two, 128 at least. */
[[nodiscard]] struct remembered *remembered_new(size_t entries, uint64_t last_ms, struct err *e);
void remembered_free(struct remembered **r);
void remembered_mac(const struct remembered *r, const struct remembered_what *what, struct remembered_mac *mac);
/* now_ms: monotonic (clock_mono_ms). */
bool remembered_there(struct remembered *r, const struct remembered_mac *mac, uint64_t now_ms);
void remembered_put(struct remembered *r, const struct remembered_mac *mac, uint64_t now_ms);
