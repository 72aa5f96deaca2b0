/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a connection's visits beyond the process that made them: one small record a name.
 *
 * visited_note never waits: the record is durable soon, in the order of the notes; store_close waits for it.
 * What cannot be kept (the disk is full) is logged, and nothing else comes of it: a visit more, or one too soon.
 * Names of more than VISITED_NAME_MAX octets have no ledger, so no visit; they are passed over.  Damaged records
 * count as not there.  For the store's own thread; moments are seconds since 1970 UTC. */
#pragma once

#include "store/store.h"

enum { VISITED_NAME_MAX = 128, VISITED_SUM = 16, VISITED_KEY = 32 };

struct visited {
	int64_t last, success;		/* when a visit ended, and one without an error; 0 = never */
	int64_t backoff_until;		/* 0 = none */
	uint32_t failures;		/* in a row, counted and fatal ones */
	uint32_t throttled;		/* in a row */
	bool of_host;			/* the back-off is all its host's */
	bool untrusted;			/* or that of a certificate which nobody trusts */
	uint8_t sum[VISITED_SUM];	/* of the settings with which that was */
};

void visited_note(struct store *s, const char *name, const struct visited *v);
void visited_forget(struct store *s, const char *name);		/* no waiting either */
bool visited_get(struct store *s, const char *name, struct visited *v);
/* Walks the names in their order; start with name[0] = 0. */
bool visited_each(struct store *s, char name[VISITED_NAME_MAX + 1]);
/* For those sums: only this state has it, and sees nothing of a password in them. */
void visited_key(struct store *s, uint8_t key[VISITED_KEY]);
