/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts with keywords in them, filled in from a message's header (PRODUCT 2.2, `template` of a folder):
 *     Order from %From%, %Subject%: 100 %% ready
 *
 * %Name% is the value of the first header field called Name, in any case; unfolded, at most KEYWORD_VALUE octets of it, and
 * harmless between quotes: controls and what is not UTF-8 become '?', and ' " ` \ become '_'.  A field that is not there
 * is nothing.  %% is a percent sign, and so is one that begins neither.  Values are never looked at for keywords again.
 * The text is not meant to be run: a value may hold whatever else a shell understands.
 *
 * At most KEYWORDS_MAX of them, since the header is looked through for each.  Nothing is allocated. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { KEYWORDS_MAX = 256, KEYWORD_VALUE = 1000, KEYWORD_NAME = 76, KEYWORDS_TEXT = 64 * 1024 };

/* ERR_CONFIG: too long (KEYWORDS_TEXT), or too many keywords. */
[[nodiscard]] bool keywords_check(struct span text, struct err *e);
/* `header`: the message, or its beginning.  `text` is one that keywords_check takes (asserted).  False: no room; that
 * of the text and KEYWORDS_MAX * KEYWORD_VALUE octets more is always enough. */
[[nodiscard]] bool keywords_fill(struct span text, struct span header, struct buf *out);
