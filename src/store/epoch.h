/* SPDX-License-Identifier: Apache-2.0
 *
 * After a restore, no unique-id may come again that was given out after the
 * backup was made: a client that has seen it would take the new message for
 * the one that it has.  Nothing in a backup tells what was given out after it.
 *
 * So every box begins a new epoch (box.h): one for all, greater by EPOCH_AHEAD than
 * the clock, than all epochs in the backup, and than all in the store that is being
 * replaced, if that can still be asked.  Where it cannot: epochs are seconds, and run
 * ahead of the clock by one for each box that is made within a second; so it holds for a clock that
 * went back by up to 36 hours, and for 131,072 boxes made at once, since the
 * backup.  Messages that are in the backup keep their unique-ids. */
#pragma once

#include "store/engine.h"

enum { EPOCH_AHEAD = 1 << 17 };

/* The last epoch that the store in a data.mdb gave; 0: none, or it cannot be read.  Looks in a child,
 * since a store may be replaced just because reading it ends whoever does.  Nobody else has it open. */
uint32_t epoch_last(const char *file);
/* `least`: the greatest of now, when the backup was made, and epoch_last.
 * Durable, batch by batch: for a store that nobody uses yet.  *epoch: what it is now. */
[[nodiscard]] bool epoch_raise(struct engine *g, int64_t least, uint32_t *epoch, struct err *e);
