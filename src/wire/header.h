/* SPDX-License-Identifier: Apache-2.0
 *
 * A scan over a message's header (RFC 5322 section 2.2), for the few fields
 * Postrider looks at; no MIME.
 *
 * header_next walks fields in order: name without colon, value unfolded by
 * nobody (it borrows the message and keeps its line breaks); the header ends
 * at an empty line or at the first line that is no field and no fold.  A first
 * line beginning "From " (mbox) is passed over.  Line ends may be CRLF or LF.
 * header_value copies a value into `out` with folds turned into one space and
 * control octets into '?', cut at out's limit: safe to show and to log. */
#pragma once

#include "base/buf.h"

struct header_field {
	struct span name, value;
};

bool header_next(struct span *message, struct header_field *field);
/* The first field called `name` (any case); false when there is none. */
bool header_find(struct span message, const char *name, struct span *value);
void header_value(struct span value, char *out, size_t size);
