/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the store: what the files of the held area share, and what store_open does for it. */
#pragma once

#include <pthread.h>

#include "store/held.h"

enum { HELD_KEY = 9 };

extern pthread_mutex_t held_turn;	/* whoever changes the sum has it; one process has the store */

engine_part held_part(void);
struct span held_key(char key[HELD_KEY], char kind, uint64_t id);
bool held_find(struct store *s, uint64_t id, struct held_info *h, uint32_t *pieces);
bool held_no_such(uint64_t id, struct err *e);	/* false, always */
uint64_t held_total(struct store *s);
void held_put(struct batch *b, const struct held_info *h, uint32_t pieces);
void held_put_total(struct batch *b, uint64_t octets);
void held_put_recipients(struct batch *b, uint64_t id, const char *const *recipients, size_t count);
void held_set_why(struct held_info *h, const char *why);
/* Takes pieces 0 … count - 1 of octets that no record names away, and then the word of them. */
[[nodiscard]] bool held_clear(struct store *s, uint64_t id, uint32_t count, struct err *e);
/* Takes away octets of messages that never became whole, or that were removed. */
void held_settle(struct store *s);
