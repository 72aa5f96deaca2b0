/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON of strangers, read in place (RFC 8259): one object, of which a few members are wanted.
 *
 *     if (jsonin_object(text))
 *             m = jsonin_member(text, "error", &value) and jsonin_text(value, &out)
 * Nothing is allocated and nothing is copied but what jsonin_text decodes, so that a token is in no memory that the caller
 * does not wipe.  What the program writes and asks of itself is Jansson's (control/json.h).
 * An object is refused that nests deeper than JSON_DEPTH_MAX, is not UTF-8 in its texts, or has anything but blanks
 * behind it.  Of a name that stands there twice nobody could say which is meant: it is not found, as if it were missing;
 * names are compared as they are written, a name with an escape is none of ours. */
#pragma once

#include "base/buf.h"

enum { JSON_DEPTH_MAX = 16 };

bool jsonin_object(struct span text);	/* it is one, whole and nothing else */
/* The value of a member, as it is written.  `text` is jsonin_object. */
bool jsonin_member(struct span text, const char *name, struct span *value);
/* A text, decoded and appended.  False: it is none, has a NUL, or does not fit; then *out is as it was. */
[[nodiscard]] bool jsonin_text(struct span value, struct buf *out);
/* A whole number from 0 to `max` as it is, more as `max`; also in a text, as some write it.  False: it is neither. */
bool jsonin_number(struct span value, uint64_t max, uint64_t *number);
