/* SPDX-License-Identifier: Apache-2.0
 *
 * Text made safe to show: on a terminal, in a log, in JSON.
 *
 * Whatever a peer or a message said passes through here before people see it. */
#pragma once

#include <stddef.h>

/* Puts '?' in place of each octet that is a control (C0, DEL, and the C1
 * controls in their UTF-8 form), a line end of Unicode's, one of its overrides
 * of the writing direction (U+202A to U+202E, U+2066 to U+2069: a name must not
 * read backwards), or no part of well-formed UTF-8 (RFC 3629).
 * Changes no length; a character cut off at the end is not well-formed. */
void text_clean(char *at, size_t len);
