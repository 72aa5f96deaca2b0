/* SPDX-License-Identifier: Apache-2.0
 *
 * Which TLS versions a connection may use: protocols ∩ min ∩ max.
 *
 * `protocols` are words with or without + or - before them, from left to
 * right: "TLSv1.2 TLSv1.3", "All -TLSv1.2"; beginning with a - they take away
 * from All.  All is TLSv1.2 and TLSv1.3, with `legacy` also TLSv1 and TLSv1.1,
 * which otherwise may not be named.  SSLv3 and SSLv2Hello can be taken away
 * (they are never there), not added. */
#pragma once

#include "config/settings.h"

/* "TLSv1.2", as the keys min and max have it. */
[[nodiscard]] bool versions_parse(const char *word, uint32_t *version, struct err *e);
/* The bits of the words; ERR_CONFIG says what is wrong with them. */
[[nodiscard]] bool versions_words(const struct texts *protocols, bool legacy, unsigned *bits, struct err *e);
/* What min or max (VERSION_NOT_SET: no bound) leave. */
unsigned versions_bounded(unsigned bits, uint32_t min, uint32_t max);
