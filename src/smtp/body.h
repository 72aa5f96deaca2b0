/* SPDX-License-Identifier: Apache-2.0
 *
 * A message on its way to an SMTP or LMTP server (RFC 5321 section 4.5.2, RFC
 * 3030), and what has to be known of it before the first octet goes out.
 *
 * Looking, once, over the whole message:
 *     struct smtp_look l = { 0 };  smtp_look(&l, piece) for each;  smtp_look_end(&l);
 * Sending, as SMC_BODY asks for it (smtp/client.h):
 *     struct smtp_body b;  smtp_body_start(&b, ev.chunked);
 *     for each piece: while (smtp_body_next(&b, &piece, &span)) send(span);
 *     send(smtp_body_end(&b));
 * Pieces may be cut anywhere; spans borrow them or constant memory, are never
 * empty, but for what smtp_body_end gives.  A message that fails halfway must
 * not get its end: break the connection.
 *
 * Only CRLF ends a line on this wire, and a client must send no CR and no LF
 * alone (RFC 5321 section 2.3.8): servers that take one for a line end would
 * see commands in a message ("smuggling").  So both go out as CRLF, and dots are
 * doubled behind them too.  A message with CRLF only is sent octet by octet as
 * it is; one that does not end with a CRLF gets one, also by BDAT.
 * l.octets is the length after all that, without the doubled dots: what SIZE
 * means, and exactly what goes out by BDAT. */
#pragma once

#include "base/span.h"

struct smtp_body {
	bool chunked;		/* BDAT: no dots */
	bool cr;		/* a CR went out, and its LF did not */
	bool inside;		/* not at the beginning of a line */
	bool dotted;		/* the dot that is to come was doubled */
};

void smtp_body_start(struct smtp_body *b, bool chunked);
/* False when *in is used up. */
bool smtp_body_next(struct smtp_body *b, struct span *in, struct span *piece);
struct span smtp_body_end(struct smtp_body *b);

struct smtp_look {		/* zero to start */
	uint64_t octets;
	bool eight_bit;		/* octets above 127: BODY=8BITMIME */
	struct smtp_body body;
};

void smtp_look(struct smtp_look *l, struct span piece);
void smtp_look_end(struct smtp_look *l);
