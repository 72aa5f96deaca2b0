/* SPDX-License-Identifier: Apache-2.0
 *
 * The words KEY=VALUE of `account set` and `domain set`: the limits and the place that both
 * have, and how they are shown.  A value "default" is nobody's own (null), "none" or
 * 0 is no limit, and no Maildir. */
#pragma once

#include <jansson.h>

#include "base/err.h"

enum limits_word { LIMITS_SET, LIMITS_OTHER, LIMITS_WRONG };

/* quota=SIZE, max_sessions=N, maildir=TEMPLATE become members of `args`.  LIMITS_OTHER: another key; *value is then behind its "=". */
enum limits_word limits_word(const char *word, json_t *args, const char **value, struct err *e);
/* Is it KEY=…? */
bool limits_key(const char *word, const char *key);
void limits_print(const json_t *row);
