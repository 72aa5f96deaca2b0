/* SPDX-License-Identifier: Apache-2.0
 *
 * A visit's SASL exchange: steps for the session, slow ones in a job.
 *
 * sasl_run_step answers a session that asks for a step (v->talk->sasl_answer or
 * sasl_cancel), at once or from a job's end; while a job runs v->sasl_busy is true.  sasl_run_end forgets the exchange; a job that is
 * still running ends into nothing. */
#pragma once

#include "collect/visit.h"

struct sasl_ask {		/* as p3c_event and imc_event have it */
	enum sasl_mech mech;
	struct span challenge;
	bool first, last;
};

void sasl_run_step(struct visit *v, const struct sasl_ask *ask);
void sasl_run_end(struct visit *v);
