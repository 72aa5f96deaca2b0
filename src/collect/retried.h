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
	bool alone;			/* it is removed, and no entry speaks of it */
	bool stays;			/* in the held area, whatever its target said: quarantined, or tried later */
	struct err e;
};

/* sink_mailbox.c: a copy that no entry speaks of was delivered to this sink and is not held any more. */
void sink_copy_gone(struct sink *k, const struct held_info *info);
