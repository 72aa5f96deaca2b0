/* SPDX-License-Identifier: Apache-2.0
 *
 * The conversation in the log, for `trace` = protocol or wire (PRODUCT 2.1).
 *
 * protocol: every command, and what the server's answers were understood as.
 * wire: every line both ways as it came, cut at TRACE_LINE_MAX octets; a line
 * that came in two reads shows as two.
 * Secrets never show: before login only commands that are known to hold none
 * are shown whole; of AUTH, APOP and PASS the rest, and every continuation
 * line whole, is "***". */
#pragma once

#include "collect/visit.h"

enum { TRACE_LINE_MAX = 200 };

void trace_out(const struct visit *v, struct span out);
void trace_in(const struct visit *v, struct span in);
void trace_event(const struct visit *v, const char *what, uint32_t number);
/* One line as it may be shown; exposed for its test. */
void trace_mask(struct span line, bool logged_in, char out[TRACE_LINE_MAX]);
