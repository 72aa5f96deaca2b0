/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of mailboxes in modified UTF-7, both ways (RFC 3501 section 5.1.3).
 *
 * Both are strict, so that each name has one spelling and the way back gives
 * the same octets: UTF-8 as of RFC 3629; in UTF-7 no shift that is not needed,
 * no stray bits, no half characters, nothing outside printable ASCII.  U+0000
 * is in no name.  Other control characters are (as they may be on a server):
 * who shows or stores a name judges it, path parts included.
 * Appends to `out`.  False: it does not fit, or the name is none; `out` is then
 * as before. */
#pragma once

#include "base/buf.h"

[[nodiscard]] bool utf7_encode(struct span utf8, struct buf *out);
[[nodiscard]] bool utf7_decode(struct span utf7, struct buf *out);
/* For people: decoded where it is well-formed, else as it is; made safe to show
 * (base/text.h), cut at size - 1 octets and NUL-terminated. */
void utf7_show(struct span utf7, char *out, size_t size);
