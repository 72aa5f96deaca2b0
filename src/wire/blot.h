/* SPDX-License-Identifier: Apache-2.0
 *
 * A secret in what a peer says: found, and blotted out.  Servers repeat what they could not parse, and with it whatever was in it.
 *
 * It is found
 *   - as it is, in any case of letters, also with blanks or backslashes in between (replies of several lines, quoted strings),
 *     and with '?' for what text_clean takes for unsafe and ' for the " of err_said;
 *   - in base64, of it alone or with anything around it (PLAIN's user in front of it), url-safe or not, cut or split;
 *   - cut off at the end of a text of BLOT_CUT octets and more (or at the " that ends a quotation there): texts are cut, and
 *     what is left of a password says much of it;
 *   - in parts, if it has BLOT_LONG octets or more: BLOT_PART and the places of parts decide; what has twice that in one piece is found.
 * A secret of one octet is looked for as it is only; a text that has a secret of a few letters in other words loses those.
 * No hex, no percent signs, no digests: those nobody says back.
 *
 * blot_find: the first such place in `text`.  In base64 it is the whole token, for what is beside the secret is told by it too.
 * blot_out: all of them become asterisks, octet for octet. */
#pragma once

#include "base/span.h"

enum { BLOT_CUT = 190, BLOT_PART = 8, BLOT_LONG = 2 * BLOT_PART };

[[nodiscard]] bool blot_find(struct span text, struct span secret, struct span *where);
void blot_out(char *text, struct span secret);
