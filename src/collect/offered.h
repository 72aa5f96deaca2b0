/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: a visit and the trust in its server's certificate; offered_keep is in visit.h. */
#pragma once

#include "collect/visit.h"

/* Trust has changed: if the server lost it, the visit ends. */
void offered_look(struct visit *v);
/* To whoever keeps it; false: nobody does. */
bool collector_offered(struct collector *c, const struct visit *v, const struct conn_offered *offered);
