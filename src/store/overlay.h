/* SPDX-License-Identifier: Apache-2.0
 *
 * The overlay: ledger puts that are not durable yet, found by id and in order
 * of ids (a treap).  It borrows the puts; of two with one id it holds the
 * later one.  For the ledger only. */
#pragma once

#include "base/span.h"

enum { OVERLAY_ID = 32 };

struct put {
	struct put *left, *right;	/* the overlay's */
	uint64_t order;
	bool shown;			/* it is in the overlay */
	struct put *next;		/* the ledger's: in order of coming */
	uint64_t ticket;
	char key[1 + OVERLAY_ID];	/* what kind of key, then the id or the note's number */
	uint8_t key_len;
	uint16_t len;			/* 0: to be removed */
	char value[];
};

struct overlay {
	struct put *root;
	uint64_t seed;
};

static inline const uint8_t *put_id(const struct put *p)
{
	return (const uint8_t *)p->key + 1;
}

void overlay_add(struct overlay *o, struct put *p);
void overlay_remove(struct overlay *o, struct put *p);	/* one that is not shown: nothing */
struct put *overlay_find(const struct overlay *o, const uint8_t id[OVERLAY_ID]);
/* The one with the smallest id greater than `after` (NULL: the first). */
struct put *overlay_next(const struct overlay *o, const uint8_t *after);
