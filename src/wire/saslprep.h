/* SPDX-License-Identifier: Apache-2.0
 *
 * SASLprep (RFC 4013): the one form of names and passwords that people type in
 * several (composed or not, wide or narrow, with soft hyphens), so that they can be compared.
 *
 * By libidn, as of Unicode 3.2.  Characters that it did not have (emoji) are let through as they
 * are (RFC 3454 section 7: a query), also where something is kept: what one side lets through and
 * the other does not would be a password that can never be proved.
 * It refuses what is no UTF-8, controls, and mixed directions.
 * Secrets: our own memory is wiped.  libidn gives copies back to the heap as they are, of
 * whatever is not ASCII alone, which it does not see. */
#pragma once

#include "base/buf.h"

/* SASLPREP_MAX is what a text of SASLPREP_IN_MAX octets can become: U+FDFA is 18 characters, 33 octets. */
enum { SASLPREP_IN_MAX = 1024, SASLPREP_MAX = 11 * SASLPREP_IN_MAX + 1 };

/* Appends to `out`.  False: refused, longer than SASLPREP_IN_MAX, or it does not fit; `out` is as before.
 * What is left may be nothing. */
[[nodiscard]] bool saslprep(struct span text, struct buf *out);

/* What SCRAM's keys of a password are made of (RFC 5802 section 2.2), on the server as on the client: what
 * SASLprep makes of it; where it refuses, or leaves nothing, the octets themselves, as clients have it that do not prepare.
 * The answer borrows either `password` or `memory`, which the caller wipes. */
struct span saslprep_password(struct span password, char memory[SASLPREP_MAX]);
