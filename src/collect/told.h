/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps that a test told, kept for whoever asks later: copies, at most TOLD_MAX of them, of which the last one may
 * take the place of another, so that what failed in the end is among them.  Ends the program when there is no memory. */
#pragma once

#include "collect/collect.h"

enum { TOLD_MAX = 1000 };

struct told;

struct told *told_new(void);
void told_add(struct told *t, const struct visit_step *step);
const struct visit_step *told_at(const struct told *t, size_t n);	/* NULL: there are not so many; lives until the next told_add */
void told_free(struct told **t);
