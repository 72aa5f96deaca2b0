/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines out of a byte stream, at any split (RFC 1939 section 3, RFC 3501 2.2).
 *
 * A line ends with CRLF; a lone LF ends it too (many servers' replies), a lone
 * CR is a byte of it.  NULs are bytes.  The span handed out is without its
 * line end; it borrows *in when the whole line was in there, else the lent
 * memory, and dies with the next call.  LINE_MORE: *in is empty, feed more.
 * A line longer than the lent memory is LINE_LONG, however it was split; the
 * lines object must not be used after it. */
#pragma once

#include "base/buf.h"

struct lines {
	struct buf held;	/* the beginning of a line not yet ended */
	bool cr;		/* after it came a CR that may begin the line end */
	bool given;		/* `held` was handed out and is to be emptied */
};

enum line_got { LINE_MORE, LINE_WHOLE, LINE_LONG };

/* `memory` (lent, `size` octets) bounds a line, its line end not counted. */
void lines_start(struct lines *l, char *memory, size_t size);
enum line_got lines_next(struct lines *l, struct span *in, struct span *line);
