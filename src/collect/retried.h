/* SPDX-License-Identifier: Apache-2.0
 *
 * A held message that is tried again, as the files of the room know it. */
#pragma once

#include "collect/visit.h"
#include "store/held.h"

struct retried {
	struct visit *visit;
	struct held_info info;
	struct spool *message;		/* until a struct message has it */
	const char **recipients;
	size_t recipient_count;
	struct ledger *ledger;		/* of its entry; NULL: no entry speaks of it */
	uint8_t id[32];
	uint8_t sink;
	bool good;
	bool stays;			/* in the held area, whatever its target said: quarantined, or tried later */
	struct err e;
};

struct retried *retried_new(struct visit *v, const struct held_info *info);
void retried_free(struct retried *r);

/* retries_settle.c
 * The entry that mentions this copy: under the key that it came under, else wherever it is now, for ids may have changed. */
bool retries_find(const struct visit *v, const struct held_info *info, struct ledger **l, struct ledger_entry *entry);
struct sink *retries_sink(struct visit *v, const char *target);	/* NULL: it is none of this connection's any more */
bool retries_has_entry(const struct held_info *info);	/* it is no bounce */
/* No entry will ever speak of it: a bounce, what a person released, what waits since its id is another message's. */
bool retries_loose(struct visit *v, const struct held_info *info);
void retries_remove(struct visit *v, const struct held_info *info);	/* in a job that the visit waits for */
