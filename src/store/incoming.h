/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: a message on its way into a mailbox.
 *
 * Its life: pieces are added; full ones are staged (`under_way`); it is ended,
 * by finish or abort.  Finished, it waits in the order of finishing until it is
 * first and no piece of it is under way: then it goes into the mailbox's next
 * group, or is refused.  So a box keeps the order in which mail came. */
#pragma once

#include "store/box.h"
#include "store/digest.h"
#include "store/routed.h"

struct incoming {
	struct incoming *next;		/* of those that wait for a group */
	struct mailbox *box;
	char *piece;
	size_t len, cap;
	uint64_t blob, size;
	uint32_t pieces, under_way;	/* staged in all; of them not yet durable */
	uint32_t dots, flags;
	char last[2];			/* the last two octets added */
	struct digest *digest;		/* of the staged pieces; NULL: none is staged */
	bool ended, aborted, has_source;
	bool over;			/* it cannot fit into the quota: its octets are not kept any more */
	struct err *why;		/* a piece failed */
	struct mailbox_source source;
	int64_t arrived;
	uint64_t ticket;
	struct routed routed;
};

void incoming_refuse(struct incoming **in, const struct err *why);	/* `why` may be its own */
void incoming_free(struct incoming **in);
void incoming_discard(struct incoming **in);	/* and what it staged */
struct span incoming_stage_key(const struct incoming *in, char key[9]);
