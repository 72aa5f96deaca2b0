/* SPDX-License-Identifier: Apache-2.0
 *
 * Time and randomness as values.
 *
 * Pure rooms take no clock; whoever may, reads it here, so that a simulator
 * can stand in for both.  A moment is a number of seconds since 1970 UTC. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { MOMENT_TEXT = 21 };

int64_t clock_now_ms(void);		/* wall clock, milliseconds since 1970 UTC */
int64_t clock_now_s(void);		/* wall clock, seconds since 1970 UTC */
uint64_t clock_mono_ms(void);		/* monotonic, for durations */
void random_fill(void *at, size_t len);	/* from the kernel; ends the program if there is none */
/* RFC 3339 in UTC: 2026-11-21T04:05:06Z; "?" outside of the years 1000 to 9999. */
const char *moment_text(int64_t s, char out[MOMENT_TEXT]);
