/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: the partition "trust".  "t" NAME → an offer, "c" NAME → its chain (trust.c); "a" NAME " " SHA-256 → what was
 * accepted of that server, "i" NAME " " SHA-256 → an authority that was imported (trusted.c). */
#pragma once

#include "store/room.h"
#include "store/trust.h"

enum { TRUST_KEY_MAX = 1 + TRUST_NAME_MAX + 1 + 64 };

engine_part trust_part(void);
struct span trust_key(char key[TRUST_KEY_MAX], char kind, const char *name);
/* "HOST:PORT" in lower case, without a dot at the host's end; false: the host is empty or too long. */
[[nodiscard]] bool trust_name(const char *host, uint16_t port, char name[TRUST_NAME_MAX + 1]);
/* And back. */
[[nodiscard]] bool trust_split(struct span name, char host[TRUST_HOST_MAX + 1], uint16_t *port);
void trust_add_removal(struct batch *b, const char *name);	/* of the offer */
