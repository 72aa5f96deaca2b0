/* SPDX-License-Identifier: Apache-2.0
 *
 * The name of a file in a Maildir, and what it says.
 *
 *     1700000000.M123456P99.host,S=1041,W=1070:2,FS
 * base: up to ':', the same for as long as the message is there; flags behind ":2,".  Time in seconds, and
 * Mn microseconds where there are.  S= octets in the file, W= octets with CRLF line ends (Maildir++, Dovecot, Exim).
 * Any octets are a name: what is not as above is not there, and zero. */
#pragma once

#include "base/span.h"

struct mdirname {
	struct span base;	/* borrows the name */
	uint64_t seconds, micros;
	bool has_size, has_wire;
	uint64_t size, wire;	/* S=, W= */
	bool seen;		/* the flag S */
};

void mdirname_read(struct span name, struct mdirname *out);
/* As mdirname_read's base alone. */
struct span mdirname_base(struct span name);
