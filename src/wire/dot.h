/* SPDX-License-Identifier: Apache-2.0
 *
 * Dot-stuffing and the final dot, both ways (RFC 1939 section 3, RFC 5321 4.5.2).
 *
 * Incoming: dot_next takes from *in and hands out the body in pieces, never
 * empty, that borrow *in or constant memory, stuffed dots left out, until
 * DOT_END; bytes after the final dot stay in *in, and the object is ready for
 * the next body.  Only CRLF ends a line: a lone CR or LF is body, "\n.\n" ends
 * nothing, and a dot after a lone LF is not unstuffed (the smuggling shape).
 * A line that begins with one dot and goes on with anything but a dot cannot
 * come from a server that stuffs; Dovecot 2.3 sends a message's first line so.
 * RFC 1939 would take the dot away; here it is kept: nothing is lost by that,
 * and nothing changes with servers that do it right.
 * The CRLF in front of the final dot belongs to the body; an empty body is
 * the final dot alone.
 *     while ((got = dot_next(&d, &in, &piece)) == DOT_BODY) use(piece);
 *     DOT_MORE: *in is empty, feed more; DOT_END: the body is complete.
 * A CR that may begin the end is held back as state, never as memory.
 *
 * Outgoing: dot_out_next yields pieces that borrow *in (a dot to be stuffed
 * ends one piece and begins the next), until *in is used up; dot_out_end yields
 * the final piece (".\r\n", with CRLF before it when the body did not end with
 * one), and the object is ready for the next body.
 *     while (dot_out_next(&d, &in, &piece)) send(piece);
 * dot_out_pass tells of a piece that goes out as it is, because it is known that
 * no line of it begins with a dot: nobody looks at all its octets then.
 * No limits, no errors, no memory. */
#pragma once

#include "base/span.h"

struct dot_in {
	uint8_t state;		/* zero to start: at the beginning of a line */
};

enum dot_got { DOT_MORE, DOT_BODY, DOT_END };

enum dot_got dot_next(struct dot_in *d, struct span *in, struct span *piece);

struct dot_out {
	uint8_t state;		/* zero to start */
};

/* False when *in is used up. */
bool dot_out_next(struct dot_out *d, struct span *in, struct span *piece);
void dot_out_pass(struct dot_out *d, struct span piece);
struct span dot_out_end(struct dot_out *d);
