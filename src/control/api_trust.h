/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: certificates as members of an answer, of those that were offered and of those that are trusted. */
#pragma once

#include "control/operation.h"
#include "net/certificate.h"

json_t *when_json(int64_t moment);	/* null for CERTIFICATE_NO_TIME */
json_t *certificate_json(const struct certificate *c, bool pem, int64_t now);
