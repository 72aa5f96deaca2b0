/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of people, in bounded memory: entries of ledgers come in any order, and out come those that are first in
 * theirs, a window at a time, however many there are.
 *
 *     order_start(&o, window, reverse, &e) → order_offer what is behind order_done… → order_sort
 *     → o.keys[0..count), and order_next for the window behind them → … → order_end
 * The order is by moment, then ledger, then id: no two are equal, so windows neither overlap nor leave out. */
#pragma once

#include "base/err.h"

struct order_key {
	int64_t moment;
	uint32_t ledger;
	uint8_t id[32];
};

struct order {
	struct order_key *keys;		/* a heap, the last one on top; once sorted in their order */
	size_t count, cap;
	bool reverse;			/* the latest first */
	bool begun;			/* windows were before this one, and ended with: */
	struct order_key last;
	bool with_last;			/* which belongs to this one, too */
};

[[nodiscard]] bool order_start(struct order *o, size_t window, bool reverse, struct err *e);
void order_end(struct order *o);
/* Another window size, at most the first one; between windows. */
void order_resize(struct order *o, size_t window);
void order_offer(struct order *o, const struct order_key *key);
void order_sort(struct order *o);
void order_from(struct order *o, const struct order_key *key);	/* the first window begins with this one */
void order_next(struct order *o);	/* a new window begins behind this one; it was sorted, and is not empty */
/* Moments outside of these cannot come into the window any more; true: there is such a bound. */
bool order_since(const struct order *o, int64_t *since);
bool order_until(const struct order *o, int64_t *until);
