/* SPDX-License-Identifier: Apache-2.0
 *
 * The digest of POP3's APOP (RFC 1939 section 7): MD5 over the greeting's
 * timestamp, angle brackets included, and the password, as 32 lower-case
 * hexadecimal digits and a NUL.  False: this OpenSSL refuses MD5 (FIPS). */
#pragma once

#include "base/span.h"

enum { APOP_DIGEST = 33 };

[[nodiscard]] bool apop_digest(struct span timestamp, struct span password, char out[APOP_DIGEST]);
