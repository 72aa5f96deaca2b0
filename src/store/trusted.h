/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates that are trusted: what people accepted of a server, and authorities that they imported.
 *
 * Accepted is, for one host and port, a server's own certificate (its key: as a pin) or an authority's; the
 * last one accepted replaces those before, unless it is to stand beside them (TRUSTED_EACH at most).  With it the
 * offer goes that it was taken from (trust.h).  Imported is, under a name, an authority for all servers; a
 * name may have many.  TRUSTED_MAX of each, and none goes by itself.
 * Changes are durable when the function returns.  An entry is whole or it is not there: a digest
 * covers it with its name, and a damaged one trusts nobody (and is logged).
 * What a certificate says, whether it is an authority's, and what sha256 is of it, is the caller's to know. */
#pragma once

#include "base/buf.h"
#include "store/trust.h"

enum { TRUSTED_MAX = 1000, TRUSTED_EACH = 16, TRUSTED_PEM_MAX = TRUST_CHAIN_MAX, TRUSTED_IMPORT_NAME_MAX = 64, TRUSTED_SHA256 = 64 };

enum trusted_kind {
	TRUSTED_KEY = 1,	/* of host and port: the key of this certificate */
	TRUSTED_AUTHORITY,	/* of host and port: what it signed */
	TRUSTED_IMPORTED	/* what it signed, everywhere */
};

struct trusted {
	enum trusted_kind kind;
	char name[TRUST_NAME_MAX + 1];	/* "pop.example.org:995", or what an import was called */
	char host[TRUST_HOST_MAX + 1];	/* "" of an import */
	uint16_t port;
	char sha256[TRUSTED_SHA256 + 1];	/* of the certificate */
	int64_t since;
	char at[1 + TRUST_NAME_MAX + 1 + TRUSTED_SHA256 + 1];	/* where the walk is; "" begins it */
};

struct trusted_new {
	enum trusted_kind kind;
	const char *host;		/* of what is accepted */
	uint16_t port;
	const char *name;		/* of an import: letters, digits, '.', '-', '_' */
	const char *sha256;		/* 64 hex digits in lower case */
	struct span pem;		/* that one certificate */
	bool beside;			/* what was accepted before stays */
	int64_t now;
};

[[nodiscard]] bool trusted_add(struct store *s, const struct trusted_new *n, struct err *e);
/* Of a server (port 0: of all its ports); of an import by its name, or of all whose certificate has this sha256.
 * *count: how many; 0 is no error. */
[[nodiscard]] bool trusted_revoke(struct store *s, const char *host, uint16_t port, size_t *count, struct err *e);
[[nodiscard]] bool trusted_forget(struct store *s, const char *name, size_t *count, struct err *e);
[[nodiscard]] bool trusted_forget_sha256(struct store *s, const char *sha256, size_t *count, struct err *e);
/* All of them, one after the other; its certificate into `pem` (emptied first; NULL: not wanted). */
bool trusted_each(struct store *s, struct trusted *one, struct buf *pem);
