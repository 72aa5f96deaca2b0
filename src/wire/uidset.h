/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of unique ids, "4,7:9" (RFC 3501 sequence-set, RFC 4315 uid-set).
 *
 * Writing: uidset_add takes ids in any order, gathers runs that ascend by one,
 * and writes into lent memory; false when the set would grow beyond it: then
 * the set as it is goes into one command, and another begins with that id.
 *     uidset_start(&u, memory, sizeof memory);
 *     uidset_add(&u, 7) …; uidset_text(&u) is the set, at any time.
 * UIDSET_TEXT_MAX is a size that servers and proxies take (some refuse commands
 * of more than 1,000 octets).
 *
 * Reading is strict: numbers 1 to 4294967295, no "*", no blanks, no empty
 * members.  A range comes with its lower end first, however it was written.
 *     while (uidset_next(&rest, &range)) …
 *     all was read when rest.len is 0, else the set is malformed there.
 * Nobody walks over a range before uidset_count said that it is small.
 *
 * Pairs: COPYUID's two sets, member by member (RFC 4315 section 3). */
#pragma once

#include "base/buf.h"

enum { UIDSET_TEXT_MAX = 990 };

struct uid_range {
	uint32_t first, last;
};

struct uidset {
	struct buf text;
	size_t run_at;		/* in text: where the last member begins */
	struct uid_range run;	/* it */
};

void uidset_start(struct uidset *u, char *memory, size_t size);
[[nodiscard]] bool uidset_add(struct uidset *u, uint32_t uid);	/* uid not 0 */
struct span uidset_text(const struct uidset *u);

bool uidset_next(struct span *rest, struct uid_range *range);
/* How many ids; false when malformed, or more than `max`. */
[[nodiscard]] bool uidset_count(struct span set, uint64_t max, uint64_t *count);

struct uid_pairs {
	struct span from_rest, to_rest;
	struct uid_range from, to;
	uint64_t left;
};

/* False unless both sets are well-formed, equally large, not empty and of at
 * most `max` ids. */
[[nodiscard]] bool uid_pairs_start(struct uid_pairs *p, struct span from, struct span to, uint64_t max);
bool uid_pairs_next(struct uid_pairs *p, uint32_t *from, uint32_t *to);
