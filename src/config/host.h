/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts as people write them: a name or an address, perhaps with a port.
 *
 *     mail.example.org   mail.example.org:995   192.0.2.1:995
 *     2001:db8::1        [2001:db8::1]:995      müller.example
 * Names come out in lower case and ASCII (IDNA 2008, RFC 5891), addresses
 * without brackets. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum { HOST_MAX = 253 };

/* *port is 0 when the text has none. */
[[nodiscard]] bool host_read(struct arena *a, const char *text, const char **host, uint16_t *port, struct err *e);
/* "HOST:PORT", an IPv6 address in brackets; port 0 is left out. */
const char *host_text(struct arena *a, const char *host, uint16_t port);
