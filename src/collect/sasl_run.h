/* SPDX-License-Identifier: Apache-2.0
 *
 * A visit's SASL exchange: steps for the session, slow ones in a job.
 *
 * sasl_run_step answers a P3C_SASL event (p3c_sasl_answer or _cancel), at once
 * or from a job's end; while a job runs v->sasl_busy is true.  sasl_run_end forgets the exchange; a job that is
 * still running ends into nothing. */
#pragma once

#include "collect/visit.h"

void sasl_run_step(struct visit *v, const struct p3c_event *ev);
void sasl_run_end(struct visit *v);
