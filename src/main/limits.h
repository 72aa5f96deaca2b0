/* SPDX-License-Identifier: Apache-2.0
 *
 * The words KEY=VALUE of `account set` and `domain set`: the limits that both
 * have, and how they are shown.  A value "default" is nobody's own, "none" or
 * 0 is no limit. */
#pragma once

#include <jansson.h>

#include "store/account.h"

enum limits_word { LIMITS_SET, LIMITS_OTHER, LIMITS_WRONG };

/* quota=SIZE, max_sessions=N.  LIMITS_OTHER: another key; *value is then behind its "=". */
enum limits_word limits_word(const char *word, struct account_limits *limits, const char **value, struct err *e);
/* Is it KEY=…? */
bool limits_key(const char *word, const char *key);
void limits_json(json_t *row, const struct account_limits *limits);	/* null: the default */
void limits_print(const struct account_limits *limits);
