/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: alerts at rest, in the partition of accounts (record.h), so that what belongs to an account or a domain
 * goes with it in one batch.
 *
 *     "t" ID                   an alert
 *     "k" SCOPE OF 0 ID        finds it; SCOPE is "a", "d" or "s"
 *     "T"                      the last id
 *     "w" ACCOUNT              the last ids of its domain's and the server's that it was shown, and of which percentage
 * Since each scope's are shown in order, and ids only grow, one number says which were. */
#pragma once

#include "store/alert.h"
#include "store/room.h"

enum {
	ALERT_VALUE = 1 + 8 + 1 + 4 + ACCOUNT_NAME_MAX + ALERT_TEXT_MAX,
	ALERT_KEY = 1 + 8,
	ALERT_INDEX = 1 + 1 + ACCOUNT_NAME_MAX + 1 + 8,
	ALERT_TOLD = 1 + 8 + 8 + 1,
};

struct alert_told {
	uint64_t domain, server;
	uint8_t level;		/* 1: that 90 % are used, 2: that all is */
};

struct span alert_key(char key[ALERT_KEY], uint64_t id);
struct span alert_index(char key[ALERT_INDEX], enum alert_scope scope, const char *of, uint64_t id);
struct span alert_pack(char value[ALERT_VALUE], const struct alert *alert);
[[nodiscard]] bool alert_unpack(struct span value, struct alert *alert);	/* all but the id */
struct span alert_told_pack(char value[ALERT_TOLD], const struct alert_told *told);
[[nodiscard]] bool alert_told_unpack(struct span value, struct alert_told *told);
/* alert.c: what there is for an account (and what it was shown), or for a domain, is removed by the batch.  False: it does not fit. */
[[nodiscard]] bool alert_forget(struct store *s, enum alert_scope scope, const char *of, struct batch *b);
/* alert_show.c: less is used; may the alert of the quota come again? */
void alert_usage_fell(struct store *s, const char *account);
/* The oldest of that account, domain or server with an id above *id. */
bool alert_next_of(struct view *v, engine_part part, enum alert_scope scope, const char *of, uint64_t *id);
