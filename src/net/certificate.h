/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates as texts: what an X.509 certificate says, made safe to show.
 *
 *     certificates_read(&arena, pem, &all, &e);  for all.count: all.list[n].subject …
 * Reads the CERTIFICATE blocks of a PEM text, in their order; what stands between
 * blocks, and blocks of other kinds, are passed over.  At most CERTIFICATES_MAX
 * are read (`more`: there were others behind).  A block that cannot be read
 * is an error (ERR_PEER) that tells which one; so is a text without any.
 *
 * All texts come from strangers.  They are UTF-8 without control octets:
 * a control octet or NUL inside a name is written \XX (hex), as RFC 4514 has it,
 * so that "good.example\00.evil.example" is seen whole (CVE-2009-2666); a text
 * longer than CERTIFICATE_TEXT_MAX ends in "…".  Nothing here judges:
 * whether a certificate is to be trusted is tls_verify.c's.
 *
 * Everything lies in the arena and lives as long.  Not being able to read some
 * part (an unknown key type, a broken extension) makes that part "?" or empty. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum {
	CERTIFICATES_MAX = 10,
	CERTIFICATE_TEXT_MAX = 512,	/* octets of one text */
	CERTIFICATE_NAMES_MAX = 100,
	CERTIFICATE_DIGEST_TEXT = 65,	/* hex digits in lower case, and the NUL */
};

#define CERTIFICATE_NO_TIME INT64_MIN	/* a date that cannot be read */

struct certificate {
	const char *subject, *issuer;	/* "CN=mail.example.org,O=Example", the most special part first (RFC 4514) */
	const char **names;		/* "DNS:mail.example.org", "IP:192.0.2.1", "email:…", "URI:…", "other:…" */
	size_t name_count, names_left;	/* left: there are more, not in the list */
	bool names_broken;		/* there is a list of names, and it cannot be read */
	const char *serial;		/* hex digits, "-" in front when negative */
	int64_t not_before, not_after;	/* seconds since 1970, or CERTIFICATE_NO_TIME */
	const char *key_type;		/* "RSA", "EC", "ED25519", …, or the OID of what is not known */
	unsigned key_bits;		/* 0 = not known */
	const char *key_group;		/* "prime256v1"; "" = none */
	const char *signature;		/* "ecdsa-with-SHA256" */
	bool authority;			/* it may sign others */
	bool self_issued;		/* subject and issuer are one name */
	char sha256[CERTIFICATE_DIGEST_TEXT];		/* of the whole certificate */
	char key_sha256[CERTIFICATE_DIGEST_TEXT];	/* of its key, as tls.pin takes it */
	const char *pem;		/* this certificate alone */
};

struct certificates {
	struct certificate list[CERTIFICATES_MAX];
	size_t count;
	bool more;
};

[[nodiscard]] bool certificates_read(struct arena *a, struct span pem, struct certificates *all, struct err *e);
/* Is it outside of its dates at `now`? */
bool certificate_expired(const struct certificate *c, int64_t now);
bool certificate_early(const struct certificate *c, int64_t now);
