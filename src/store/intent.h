/* SPDX-License-Identifier: Apache-2.0
 *
 * An intent: a change of a mailbox's index that one batch cannot hold.
 *
 * First its parts become durable, each in a batch of its own, and mean nothing.
 * Then one batch commits the intent itself together with the head's new
 * counts: from here on the messages are gone and seen for everybody, since
 * whoever reads the index asks for the intent in the same view.  Batches that
 * rewrite the pages follow, and the last one takes intent and parts away.
 * After a crash the next store_open goes on; parts without an intent are
 * removed.  A mailbox has one intent at most. */
#pragma once

#include "store/engine.h"
#include "store/uids.h"

enum { INTENT_VALUE = 13, INTENT_PART_KEY = 5, INTENT_PART_MAX = 256 * 1024 };

struct box_intent {
	struct uids going, seen;
	int64_t when;
	uint32_t parts;		/* 0: there is none */
};

/* False: damaged; *intent is then empty.  On true it is the caller's to free. */
[[nodiscard]] bool intent_read(struct view *v, engine_part part, struct box_intent *intent);
void intent_free(struct box_intent *intent);

struct span intent_value(char value[INTENT_VALUE], const struct box_intent *intent);
struct span intent_part_key(char key[INTENT_PART_KEY], uint32_t number);
/* The next part's value, and *packed moves on; empty when all of it is packed. */
struct span intent_part(char *at, size_t max, const struct box_intent *intent, size_t *packed);
bool intent_all_packed(const struct box_intent *intent, size_t packed);
