/* SPDX-License-Identifier: Apache-2.0
 *
 * A scan over a message's header (RFC 5322 section 2.2), for the few fields
 * Postrider looks at; no MIME.
 *
 * header_next walks fields in order: name without colon, value without space
 * at its ends but unfolded by nobody (it borrows the message and keeps its line
 * breaks); the header ends at an empty line or at the first line that is no
 * field and no fold.  *message is then what follows: the body.  A line that
 * begins "From " and is no field (mbox) is passed over.  Line ends may be CRLF
 * or LF, and the last line may have none.
 * header_value copies a value into `out` (size at least 1) with folds turned
 * into one space and control octets into '?' (see base/text.h), cut at out's
 * limit and NUL-terminated: safe to show and to log. */
#pragma once

#include "base/buf.h"

struct header_field {
	struct span name, value;
};

bool header_next(struct span *message, struct header_field *field);
/* The first field called `name` (any case); false when there is none. */
bool header_find(struct span message, const char *name, struct span *value);
void header_value(struct span value, char *out, size_t size);
