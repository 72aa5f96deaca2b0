/* SPDX-License-Identifier: Apache-2.0
 *
 * OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's and Microsoft's), the client's side; inside the room, for client.c.
 *
 * The client says once who it is and shows its token.  A server that does not take it says why in a challenge of JSON
 * before it refuses (RFC 7628 section 3.2.2), or refuses at once. */
#pragma once

#include "sasl/client.h"

/* What the client says first, appended; ERR_CONFIG: what such a message cannot carry. */
[[nodiscard]] bool bearer_first(enum sasl_mech mech, const struct sasl_credentials *with, struct buf *out, struct err *e);
/* What the client says to the challenge that tells why it is refused. */
struct span bearer_last(enum sasl_mech mech);
enum sasl_token bearer_refusal(struct span challenge);
