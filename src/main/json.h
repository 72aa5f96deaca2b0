/* SPDX-License-Identifier: Apache-2.0
 *
 * Output as data: one JSON object a line on standard output (PRODUCT section 1). */
#pragma once

#include <jansson.h>

void json_print(json_t *object);	/* takes the reference over; NULL (a text that is not UTF-8) prints an empty object */
/* A text of a peer's: as it is when it is UTF-8, else with its other octets as U+FFFD. */
json_t *json_text(const char *text);
