/* SPDX-License-Identifier: Apache-2.0
 *
 * Characters in UTF-8, strict (RFC 3629): no overlong forms, no surrogates,
 * nothing beyond U+10FFFF; and no NUL, which no text of ours has. */
#pragma once

#include "base/buf.h"

/* The next character of *in, which is not empty and becomes what follows it.  False: there is none. */
[[nodiscard]] bool utf8_take(struct span *in, uint32_t *c);
/* False: no room. */
[[nodiscard]] bool utf8_add(struct buf *out, uint32_t c);
