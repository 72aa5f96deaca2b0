/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 of octets as they come (OpenSSL, with the processor's help).
 *
 * digest_new → digest_add… → digest_end, once → digest_free. */
#pragma once

#include "base/err.h"

struct digest;

[[nodiscard]] struct digest *digest_new(struct err *e);
void digest_add(struct digest *d, struct span octets);
void digest_end(struct digest *d, uint8_t out[32]);
void digest_again(struct digest *d);	/* ready for another message */
void digest_free(struct digest **d);
