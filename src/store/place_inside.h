/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: what mailboxes ask of places. */
#pragma once

#include "store/place.h"

/* The setting of an account or of "@DOMAIN" as it is kept; ERR_LOCAL when it is damaged. */
[[nodiscard]] bool place_read(struct store *s, const char *who, char text[TEMPLATE_MAX + 1], struct err *e);
/* ERR_CONFIG, and where it lies: the box is in a Maildir. */
[[nodiscard]] bool place_must_be_store(struct store *s, const char *box, struct err *e);
