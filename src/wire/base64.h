/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 (RFC 4648 section 4), strict: no line breaks, no missing padding, no
 * stray bits.  Encoding appends to `out`; decoding too.  False: it does not
 * fit, or (decoding) the text is not base64; `out` is then as before.
 * base64_measure decodes nothing: is it base64, and how long is what it codes?
 * base64_decode of the same text then fails for want of room only. */
#pragma once

#include "base/buf.h"

[[nodiscard]] bool base64_encode(struct span in, struct buf *out);
[[nodiscard]] bool base64_decode(struct span in, struct buf *out);
[[nodiscard]] bool base64_measure(struct span in, size_t *size);
