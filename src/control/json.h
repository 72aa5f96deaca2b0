/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON as this program writes and reads it: what Jansson lacks.
 *
 * json_wiping makes Jansson overwrite all memory that it gives back, in the whole
 * process and for good, since requests hold passwords; calling it again does nothing, and
 * values made before are as good as any.  Whoever makes or reads JSON with a secret calls it first. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

void json_wiping(void);
/* A text of a peer's: as it is when it is UTF-8, else with its other octets as U+FFFD. */
json_t *json_text(const char *text);
json_t *json_number(uint64_t n);	/* the greatest that JSON can say, when it is more */
json_t *json_moment(int64_t s);		/* RFC 3339; null for 0 */
int64_t json_moment_read(const char *text);	/* 0: it is none */
/* Octets that are text as they are: UTF-8 without NUL.  NULL: they are not. */
json_t *json_octets(struct span s);
/* Adds `value` in one line, as short as it can be.  False: it does not fit. */
[[nodiscard]] bool json_write(struct buf *out, const json_t *value);
/* What a member of a row of our own says; "", 0, false when it is not there or something else. */
const char *json_member_text(const json_t *row, const char *name);
uint64_t json_member_number(const json_t *row, const char *name);
bool json_member_flag(const json_t *row, const char *name);
