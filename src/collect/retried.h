/* SPDX-License-Identifier: Apache-2.0
 *
 * A held message that is tried again, as the files of the room know it: retries.c tries what is due, of each target a few at a
 * time, and gives each that was not delivered its next moment; retries_settle.c knows which entry of which ledger a copy is of,
 * and puts both right after a crash. */
#pragma once

#include "collect/visit.h"
#include "store/held.h"

struct retried {
	struct retried *next;		/* of those that are under way in this visit */
	struct visit *visit;
	struct held_info info;
	struct spool *message;		/* until a struct message has it */
	const char **recipients;
	size_t recipient_count;
	struct ledger *ledger;		/* of its entry; NULL: no entry speaks of it */
	uint8_t id[32];
	uint8_t sink;
	bool good;
	struct handing *unreleased;	/* its target took it, and waits until the copy is gone */
	bool stays;			/* in the held area, whatever its target said: quarantined, or tried later */
	struct message *failed;		/* is left once it has its next moment */
	char why[HELD_WHY_MAX + 1];
	struct err e;
};

struct retried *retried_new(struct visit *v, const struct held_info *info);
void retried_free(struct retried *r);

bool retried_loose(const struct message *m);	/* no entry speaks of it: a bounce, or quarantined and released */
/* retries.c.  It was tried, and its target was not to be had: its next moment, or it waited for too long (*gave_up).  For jobs. */
[[nodiscard]] bool retried_later(struct store *s, uint64_t copy, const char *why, bool *gave_up, struct err *e);

/* retries_settle.c
 * The entry that mentions this copy: under the key that it came under, else wherever it is now, for ids may have changed. */
bool retries_find(const struct visit *v, const struct held_info *info, struct ledger **l, struct ledger_entry *entry);
struct sink *retries_sink(struct visit *v, const char *target);	/* NULL: it is none of this connection's any more */
bool retries_has_entry(const struct held_info *info);	/* it is no bounce */
/* No entry will ever speak of it: a bounce, what a person released, what waits since its entry was forgotten or is
 * another message's. */
bool retries_loose(struct visit *v, const struct held_info *info);
/* Held area and ledger agree on it, whatever a crash left.  False: not yet, and v->waiting counts what follows, if anything does. */
bool retries_judge(struct visit *v, const struct held_info *info);
/* In a job that the visit waits for; *unreleased (may be NULL), if there is any, is taken over, and let go then. */
void retries_remove(struct visit *v, const struct held_info *info, struct handing **unreleased);
/* What the entry is, by what its targets say.  True: all of them have it, now. */
bool entry_decide(const struct visit *v, struct ledger_entry *entry, bool quarantined);
