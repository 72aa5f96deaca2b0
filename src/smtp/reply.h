/* SPDX-License-Identifier: Apache-2.0
 *
 * A reply of an SMTP or LMTP server, put together from its lines (RFC 5321
 * section 4.2, enhanced status codes of RFC 3463 and 2034).
 *
 *     smtp_reply_start(&r, memory, size)   once; memory is lent, for the words
 *     smtp_reply_line(&r, line, &why)      for each line without its line end
 *     REPLY_MORE: it goes on; REPLY_WHOLE: r is the reply until the next line
 *     REPLY_BROKEN: this is no reply; `why` says which rule it breaks
 * The words of all lines stand in r.text, parted by blanks and made safe to be
 * shown (base/text.h), without the status codes; what finds no room is cut off.
 * r.line is the last line behind its code, raw: it borrows `line`.
 * An enhanced status code that is of another class than the reply's is none. */
#pragma once

#include "base/buf.h"

enum { REPLY_LINES_MAX = 256 };

enum reply_got { REPLY_MORE, REPLY_WHOLE, REPLY_BROKEN };

struct reply {
	struct buf text;
	struct span line;
	unsigned lines;		/* that it has so far */
	unsigned code;		/* 200 to 599 */
	unsigned status[3];	/* 5.1.1; all zero: none */
	bool whole;
};

void smtp_reply_start(struct reply *r, char *memory, size_t size);
enum reply_got smtp_reply_line(struct reply *r, struct span line, const char **why);
