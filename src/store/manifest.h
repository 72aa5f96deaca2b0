/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest of a backup: which files it has, and how each begins and ends.
 *
 *     postrider-backup 1
 *     made 1795651200 2026-11-26T00:00:00Z
 *     by 0.1.0
 *     file data.mdb 40960 SHA-256
 *     file secret.key 32 SHA-256
 *     end SHA-256 of all lines before
 * The last line is what makes it whole.  Lines end with LF; digests are 64
 * lower-case hex digits.  A file is one of those two, each at most once, the
 * store always: a manifest can name no other place. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define MANIFEST_STORE "data.mdb"
#define MANIFEST_KEY "secret.key"

enum { MANIFEST_MAX = 4096, MANIFEST_VERSION_MAX = 63, MANIFEST_DIGEST = 32 };

struct manifest_file {
	bool there;
	uint64_t size;
	uint8_t digest[MANIFEST_DIGEST];	/* SHA-256 */
};

struct manifest {
	int64_t made;		/* seconds since 1970 UTC: when its copy was begun */
	char version[MANIFEST_VERSION_MAX + 1];	/* of the postrider that made it */
	struct manifest_file store, key;
};

/* Adds the manifest as a text of at most MANIFEST_MAX octets. */
[[nodiscard]] bool manifest_text(const struct manifest *m, struct buf *out, struct err *e);
/* ERR_LOCAL: cut or damaged; ERR_CONFIG: of another version's format. */
[[nodiscard]] bool manifest_read(struct span text, struct manifest *m, struct err *e);
