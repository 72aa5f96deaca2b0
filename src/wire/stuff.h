/* SPDX-License-Identifier: Apache-2.0
 *
 * A stored message on its way out as the answer to RETR or TOP (RFC 1939
 * sections 3, 5 and 7): dots stuffed, TOP cut, the final dot added.  Nothing is
 * copied: what is to be sent borrows the message's own pieces.
 *
 *     stuff_start(&f, all, lines, clean);
 *     for each piece of the message, while !stuff_enough(&f):
 *         while (stuff_next(&f, &piece, &span)) send(span);
 *     send(stuff_end(&f));
 * Pieces may be cut anywhere.  Spans are never empty; one ends with a dot that
 * the next begins with again, where a dot is to be doubled, the message's first
 * octet included.  stuff_end gives CRLF, where the message does not end with
 * one, and the final dot; it is constant memory.
 *
 * `clean`: no line of the message begins with a dot (the store counted them when
 * it came): whole pieces go out as they are, and only their ends are looked at.
 * A false promise would break the framing, so it must come from the octets.
 * TOP: the header with the empty line behind it, then `lines` lines of the body.
 * A message without an empty line is all header.  Where lines end decides CRLF
 * alone, as everywhere in a stored message.  stuff_enough: what follows in the
 * message is not sent, so it need not be read; stuff_next drops it.
 * A message that fails halfway must not get its stuff_end: end the connection. */
#pragma once

#include "wire/dot.h"

struct stuff {
	struct dot_out dot;
	bool clean;
	bool all;		/* RETR */
	bool body;		/* TOP: behind the empty line */
	bool enough;
	bool cr;		/* the last octet was a CR */
	bool begun;		/* octets of the line before that CR, or at all if there is none */
	uint32_t lines;		/* TOP: still to be sent of the body */
};

/* `lines` counts only if not `all`. */
void stuff_start(struct stuff *f, bool all, uint32_t lines, bool clean);
/* False when *in is used up. */
bool stuff_next(struct stuff *f, struct span *in, struct span *piece);
bool stuff_enough(const struct stuff *f);
struct span stuff_end(struct stuff *f);
