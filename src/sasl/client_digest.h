/* SPDX-License-Identifier: Apache-2.0
 *
 * DIGEST-MD5 (RFC 2831), the client's side; inside the room, for client.c.
 *
 *     the server's challenge → digest_answer → our response, and what its next challenge must say
 *     that challenge → digest_verify: the server knows the password, too
 * Ours and not GNU SASL's, whose parser leaves the backslashes of quoted texts in, takes a challenge of any length apart
 * before it looks at it, and gives hashes of the password back to the heap unwiped.
 *
 * qop=auth alone: TLS protects the line, not this.  The realm is the server's one that the user's name ends in (anna@REALM:
 * then the name is what stands before it), else the first that the server offers, else there is none.
 * Names and passwords are hashed in ISO 8859-1 where it has all of their characters, else in UTF-8 (RFC 2831 section
 * 2.1.2.1).  What is not UTF-8 is hashed as it is; a server without charset=utf-8 gets a name in ISO 8859-1. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { DIGEST_CHALLENGE_MAX = 2048, DIGEST_HEX = 33 };	/* RFC 2831 section 2.1.1; with the NUL */

struct digest_with {
	struct span user, password;
	const char *service, *host;
	struct span cnonce;	/* by chance; hexadecimal digits, say */
};

/* Appended to `response`.  ERR_PEER: no challenge of this mechanism, or none that can be answered without a security layer;
 * ERR_CONFIG: a name that it cannot carry. */
[[nodiscard]] bool digest_answer(const struct digest_with *with, struct span challenge, struct buf *response, char rspauth[DIGEST_HEX],
				 struct err *e);
/* ERR_AUTH: the server does not know the password; ERR_PEER: it does not say. */
[[nodiscard]] bool digest_verify(const char rspauth[DIGEST_HEX], struct span challenge, struct err *e);
