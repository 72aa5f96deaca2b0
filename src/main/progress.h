/* SPDX-License-Identifier: Apache-2.0
 *
 * The progress bar of `collect`: one line on a terminal, drawn over itself.
 *
 *     12,345 of 50,000  [#######·············]  24 %  2,310 msg/s  9.4 MB/s  16 s left
 * progress_start says whether to draw at all (standard error is a terminal);
 * progress_draw is called a few times a second; progress_clear before any
 * other output, and at the end. */
#pragma once

#include "collect/collect.h"

struct progress {
	bool on, drawn, color;
	uint64_t started_ms;
};

void progress_start(struct progress *p, bool wanted, bool color);
void progress_draw(struct progress *p, const struct collect_progress *now);
void progress_clear(struct progress *p);
/* The line without escape sequences, for `elapsed_ms`; exposed for its test. */
void progress_line(const struct collect_progress *now, uint64_t elapsed_ms, size_t columns, char *out, size_t size);
