/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside a ledger: what its files share.  ledger.c reads; ledger_out.c takes
 * puts into the store.
 *
 * Puts become durable in the order they came, and only so: each group says in
 * the ledger's key "q" which one it is, and needs the one before to be there.
 * When a group is refused (the disk is full), whatever came behind it is refused
 * as well, until ledger_renew begins anew from what is durable.  So a refusal
 * leaves what a crash would: never a later put without an earlier one, and none in a
 * ledger that the directory does not have, where no recovery would look. */
#pragma once

#include "store/ledger.h"
#include "store/overlay.h"
#include "store/room.h"

struct ledger {
	struct ledger *next;
	struct store *store;
	engine_part part;
	uint8_t tag[8];
	char name[LEDGER_CONNECTION_MAX + 1];
	char *mailbox;
	bool listed;		/* the directory has it, or is about to */
	int64_t notes[LEDGER_NOTES];
	int64_t latest;		/* `changed` of what was put, at most */
	struct overlay overlay;
	struct put *first, **last;	/* waiting */
	size_t waiting, under_way;	/* puts; groups */
	uint64_t sent;		/* groups ever, as "q" says; 0 = there is none */
	bool refused;		/* a group was, */
	struct err why;		/* for this */
};

/* ledger.c */
void ledger_list(struct ledger *l);	/* into the directory, if it is not there */

/* ledger_out.c */
void ledger_out(struct ledger *l, struct span key, struct span value, uint64_t ticket);	/* an empty value removes */
void ledger_refused(struct ledger *l, const struct err *why);	/* from now on all is */
uint64_t ledger_groups(struct ledger *l, struct view *v);	/* what "q" says */
