/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_SIZE = 4096, ALIGN = 16 };

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(ALIGN) char at[];
};

_Noreturn static void no_memory(void)
{
	(void)fputs("postrider: out of memory\n", stderr);
	abort();
}

static struct arena_block *block_for(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;

	if (b && b->size - b->used >= size)
		return b;
	if (size < BLOCK_SIZE)
		size = BLOCK_SIZE;
	b = calloc(1, sizeof *b + size);
	if (!b)
		no_memory();
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *arena_take(struct arena *a, size_t size)
{
	size_t need = (size + ALIGN - 1) / ALIGN * ALIGN;
	struct arena_block *b;
	void *at;

	if (size > PTRDIFF_MAX - BLOCK_SIZE)
		no_memory();
	b = block_for(a, need);
	at = b->at + b->used;
	b->used += need;
	return at;
}

char *arena_text(struct arena *a, struct span s)
{
	char *text = arena_take(a, s.len + 1);

	if (s.len)
		memcpy(text, s.at, s.len);
	return text;
}

void arena_end(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
}
