/* SPDX-License-Identifier: Apache-2.0
 *
 * Output as data: one JSON object a line on standard output (PRODUCT section 1);
 * and what commands over the API say of its rows. */
#pragma once

#include "control/json.h"

void json_print(json_t *object);	/* takes the reference over; NULL (a text that is not UTF-8) prints an empty object */
/* 1.5 MB, 980 B: as people read it. */
const char *say_size(uint64_t octets, char *out, size_t size);
