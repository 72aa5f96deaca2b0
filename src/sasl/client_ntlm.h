/* SPDX-License-Identifier: Apache-2.0
 *
 * NTLM (MS-NLMP) as a login (MS-POP3, MS-OXIMAP4), the client's side; inside the room, for client.c.
 *
 *     ntlm_first: NEGOTIATE; the server's CHALLENGE → ntlm_answer: AUTHENTICATE
 * NTLMv2 alone, without signing or sealing.  Ours and not GNU SASL's: libntlm behind it knows version 1 alone, which servers
 * refuse (LmCompatibilityLevel 5) and which whoever listens breaks in a day; and it has a name's octets for its characters.
 * The server proves nothing: that is TLS's.
 *
 * `user` may be anna, DOMAIN\anna or anna@example.org; without DOMAIN\ no domain is named.  Of letters in a name those of
 * ISO 8859-1 have two cases.  MD4 is of OpenSSL's legacy provider, which is loaded for an answer and given back: half a millisecond or two, and the disk, so
 * never on a loop. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { NTLM_NONCE = 8 };

struct ntlm_with {
	struct span user, password;	/* UTF-8 */
	int64_t now_s;			/* for servers that name no time of their own */
	uint8_t nonce[NTLM_NONCE];	/* by chance */
};

[[nodiscard]] bool ntlm_first(struct buf *out, struct err *e);
/* ERR_PEER: no challenge of NTLM; ERR_CONFIG: a name or a password that is not UTF-8; ERR_LOCAL: no MD4. */
[[nodiscard]] bool ntlm_answer(const struct ntlm_with *with, struct span challenge, struct buf *out, struct err *e);
