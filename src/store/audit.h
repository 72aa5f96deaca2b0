/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a store whole?  A walk over every mailbox: its index is in order, agrees
 * with its head, and each message's body is there, piece for piece.  The
 * octets of the bodies are not looked at: a backup's digest tells of those.
 *
 * For a copy opened with engine_open_still, where damage is told; in a store
 * that is open for writing the engine ends the process when it meets some.
 * Reads the index and the places of the pieces, not the mail: some seconds for
 * a million messages. */
#pragma once

#include "store/engine.h"

struct audit {			/* what is there */
	uint64_t boxes, messages, octets;	/* octets as POP3 counts them */
};

[[nodiscard]] bool audit_store(struct engine *g, struct audit *found, struct err *e);
