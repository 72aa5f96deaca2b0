/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of unique-ids of one mailbox, as ranges in ascending order that do not
 * touch each other; a POP3 session's deletions are mostly a few long ones.
 *
 * uids_from or uids_unpack → questions → uids_free.  A zeroed set is empty.
 * At rest it is cut into parts, each a row of (gap, length) pairs: the
 * distance from the end of the range before (from 0 in each part), and the
 * members less one; seven bits an octet, the lowest first.  At most 20 octets a pair. */
#pragma once

#include "base/span.h"

enum { UIDS_PAIR_MAX = 20 };

struct uid_range {
	uint64_t first, last;
};

struct uids {
	struct uid_range *at;
	size_t count, cap;
};

void uids_from(struct uids *set, const uint64_t *uids, size_t count);	/* in any order, also twice */
void uids_free(struct uids *set);
bool uids_has(const struct uids *set, uint64_t uid);
/* The smallest member that is not below *uid, if there is one. */
bool uids_next(const struct uids *set, uint64_t *uid);
/* Packs whole ranges from number *from on, which moves ahead; returns the octets. */
size_t uids_pack(const struct uids *set, size_t *from, char *out, size_t max);
/* Adds a part's ranges behind those that are there.  False: damaged (on-disk data is input). */
[[nodiscard]] bool uids_unpack(struct uids *set, struct span part);
