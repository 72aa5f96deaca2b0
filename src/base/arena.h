/* SPDX-License-Identifier: Apache-2.0
 *
 * An arena: memory with one lifetime.
 *
 * Everything taken from it is given back at once by arena_end, and nothing
 * before.  One arena for one configuration, one visit, one session.  Memory
 * comes zeroed and aligned for any type.  When the heap is empty arena_take
 * ends the program with a message: a program that cannot hold its own
 * settings has no better way (large or counted data does not belong here). */
#pragma once

#include "base/span.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
};

void *arena_take(struct arena *a, size_t size);
char *arena_text(struct arena *a, struct span s);	/* a NUL-terminated copy */
void arena_end(struct arena *a);
