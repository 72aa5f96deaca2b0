/* SPDX-License-Identifier: Apache-2.0
 *
 * What `postrider status` says of connections, and what of an instance needs somebody.
 *
 * `status` is the answer of the operation of that name, with the rows of collect.schedule as "connections" and those of
 * held.connections as "held_connections". */
#pragma once

#include <stdint.h>

#include "control/json.h"

enum { STATUS_TEXT = 40 };

const char *status_span(int64_t s, char out[STATUS_TEXT]);	/* "2 h 5 min" */
int64_t status_since(const json_t *status, const json_t *row, const char *member);	/* seconds, by the instance's clock */
unsigned long long status_number(const json_t *row, const char *member);
/* A table, those that need somebody first. */
void status_print_connections(const json_t *status);
/* One line for each thing that somebody should see to (`say` false: none is printed); how many. */
unsigned status_attention(const json_t *status, bool say);
