/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the store: what the files of the held area share, and what store_open does for it.
 *
 * At rest, in a partition of its own: "h" ID → what is known of a submitted message, "k" ID → of a connection's; "r" ID → its
 * recipients, one a line; blob ID → its octets; "s" ID → how many pieces of a blob that no record names (yet, or any more)
 * may be there; "t" → the octets of all submitted ones.  Of a connection (whose name has no "|"): "i" NAME "|" ID → there is
 * a "k" ID of it; "d" NAME "|" MOMENT ID → it waits, and is due then; "u" NAME "|" ID → nobody has said yet
 * that the ledger knows of it; "t" NAME "|" → its sums.  Each of these is put and taken away in
 * the batch that changes the record. */
#pragma once

#include <pthread.h>

#include "store/held.h"

enum { HELD_KEY = 9, HELD_OF_KEY = 1 + LEDGER_CONNECTION_MAX + 1 + 8 + 8 };

extern pthread_mutex_t held_turn;	/* whoever changes a record, or a sum, has it; one process has the store */

/* ---- held_record.c */

engine_part held_part(void);
struct span held_key(char key[HELD_KEY], char kind, uint64_t id);
struct span held_record_key(char key[HELD_KEY], const struct held_info *h);
bool held_find(struct store *s, uint64_t id, struct held_info *h, uint32_t *pieces);
bool held_no_such(uint64_t id, struct err *e);	/* false, always */
/* The first id above *id of a key that is `prefix` ID. */
bool held_next_id(struct store *s, struct span prefix, uint64_t *id);
void held_put(struct batch *b, const struct held_info *h, uint32_t pieces);
void held_set_why(struct held_info *h, const char *why);

/* ---- held_origin.c */

static inline bool held_submitted(const struct held_info *h)
{
	return !*h->origin.connection;
}

/* What waits or has failed of this connection, "" = of submissions. */
uint64_t held_octets_of(struct store *s, const char *connection);
/* A record's way in (was NULL), on, or out (is NULL): into the batch that does it, in its held_turn. */
void held_index(struct store *s, struct batch *b, const struct held_info *was, const struct held_info *is);

/* ---- held_octets.c, held.c */

void held_put_recipients(struct batch *b, uint64_t id, const char *const *recipients, size_t count);
/* Takes pieces 0 … count - 1 of octets that no record names away, and then the word of them. */
[[nodiscard]] bool held_clear(struct store *s, uint64_t id, uint32_t count, struct err *e);
/* Takes away octets of messages that never became whole, or that were removed. */
void held_settle(struct store *s);
