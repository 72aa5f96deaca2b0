/* SPDX-License-Identifier: Apache-2.0
 *
 * An internet address with its port: from text and to text.
 *
 * Text is "192.0.2.1", "2001:db8::1", "[2001:db8::1]" or "fe80::1%eth0".
 * Names are not addresses; "localhost" is, per RFC 6761 (resolve.h). */
#pragma once

#include <netinet/in.h>

#include "base/span.h"

enum { ADDRESS_TEXT = 80 };	/* "[", an IPv6 address, "%", an interface, "]:65535", NUL */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* False when the text is no address (then *a is undefined). */
[[nodiscard]] bool address_parse(const char *text, uint16_t port, union address *a);
bool address_literal(const char *text);
socklen_t address_size(const union address *a);
/* "192.0.2.1" or "2001:db8::1"; with the port "192.0.2.1:995", "[2001:db8::1]:995". */
const char *address_text(const union address *a, bool with_port, char out[ADDRESS_TEXT]);
/* ::ffff:192.0.2.1 becomes 192.0.2.1, as it comes to a socket for both families; false: it was none. */
bool address_unmap(union address *a);
