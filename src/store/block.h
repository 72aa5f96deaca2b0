/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks made by hand: networks that the POP3 service does not let in, kept
 * over a restart (`block add`).  That they hold is serve/admission.h's affair,
 * which has a call for both.
 *
 * A network is named by its normal text, as net's network_text writes it
 * ("192.0.2.0/24", "2001:db8::/32"): the same network twice would be two here,
 * so whoever has people's text makes it normal first.  At most BLOCKS_MAX, of
 * which those that ended go when there is no room.  Moments are seconds since
 * 1970 UTC; a block has ended when now >= until.
 * Reading is for any thread; what changes blocks.  Errors: ERR_CONFIG. */
#pragma once

#include "store/store.h"

enum { BLOCKS_MAX = 10000, BLOCK_NETWORK_MAX = 47, BLOCK_WHY_MAX = 200 };

struct block_info {
	char network[BLOCK_NETWORK_MAX + 1];
	int64_t since, until;			/* until 0 = for ever */
	char why[BLOCK_WHY_MAX + 1];		/* safe to be shown (base/text.h); may be empty */
};

/* One that is there, and has not ended, keeps its `since` and gets the new end and reason. */
[[nodiscard]] bool block_add(struct store *s, const char *network, int64_t until, const char *why, int64_t now, struct err *e);
/* Refused when there is none, or it has ended. */
[[nodiscard]] bool block_remove(struct store *s, const char *network, int64_t now, struct err *e);
/* Walks those that have not ended, in the order of their texts; start with info->network[0] = 0. */
bool block_each(struct store *s, int64_t now, struct block_info *info);
/* Drops those that have ended. */
[[nodiscard]] bool block_sweep(struct store *s, int64_t now, struct err *e);
