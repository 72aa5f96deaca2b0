/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates for people: the rows of trust.list and trust.show (offered), and of trust.trusted. */
#pragma once

#include <jansson.h>

#include "store/trust.h"

/* HOST:PORT of an offer, an IPv6 address in brackets. */
const char *trust_name_of(const json_t *row, char out[TRUST_NAME_MAX + 1]);
void trust_line(const json_t *row);
void trust_text(const json_t *row);		/* all of the chain, and what one can do */
void trust_certificate(const json_t *certificate);
void trusted_line(const json_t *row);
void trusted_text(const json_t *row);
