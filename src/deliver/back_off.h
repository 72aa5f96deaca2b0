/* SPDX-License-Identifier: Apache-2.0
 *
 * When a server that could not be had may be asked again, so that a thousand messages do not wait for its silence one after the
 * other.  A computation: times are the loop's, in ms.
 *
 * After a failure nobody may for BACK_OFF_FIRST_MS, doubled by each further failure up to BACK_OFF_MOST_MS.  Then one may: the
 * probe.  While nothing is known of it the others may not, but for another probe whenever the time has passed once more.
 * back_off_good forgets all of it.  Failures of those that began before the first are no further ones.  All zero: all is well. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { BACK_OFF_FIRST_MS = 5000, BACK_OFF_MOST_MS = 60 * 1000, BACK_OFF_WHY = 400 };

struct back_off {
	uint64_t until_ms;
	uint32_t wait_ms;		/* 0: all is well */
	bool probing;
	char why[BACK_OFF_WHY + 1];	/* of the last failure */
};

bool back_off_may(struct back_off *b, uint64_t now_ms);	/* true: whoever asks is the probe, where one is due */
void back_off_over(struct back_off *b);	/* whoever asks next is a probe */
void back_off_failed(struct back_off *b, uint64_t now_ms, const char *why);
void back_off_good(struct back_off *b);
