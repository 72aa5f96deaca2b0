/* SPDX-License-Identifier: Apache-2.0
 *
 * Line ends on the way out of a file that others wrote: LF becomes CRLF.
 *
 * A Maildir's files have LF, or CRLF, or both; what POP3 sends has CRLF (RFC 1939
 * section 3).  An LF that has a CR before it stays as it is, every other LF gets
 * one; a lone CR is an octet as any other, NUL too.  Nothing is added at the end.
 *     while (in.len) { n = crlf_out(&c, &in, out, sizeof out); use out, n octets }
 * Pieces may be cut anywhere, and so may `out`: the CR that is added can be the last
 * octet that fits, and then its LF is still in *in.  The one thing to be remembered is
 * whether the last octet that was given out is a CR, so who could use only k octets of
 * what he got starts again from the state and the span that he had before, with k as
 * the cap: then *in is where the rest begins.
 * No limits, no errors, no memory. */
#pragma once

#include "base/span.h"

struct crlf {
	bool cr;		/* zero to start */
};

/* As many octets of *in, converted, as `out` has room for; *in becomes the rest.  Returns how many were
 * written: none only if *in is empty, or `cap` is. */
size_t crlf_out(struct crlf *c, struct span *in, char *out, size_t cap);
/* How many octets crlf_out would make of all of `in`. */
uint64_t crlf_count(struct crlf *c, struct span in);
