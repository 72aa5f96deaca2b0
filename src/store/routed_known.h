/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: whom messages are for whose headers had to be read, remembered, so that each is read once.
 *
 *     "y" NUMBER ID    the field's number, the message's lasting id → its addresses, each with a NUL
 *                      behind; or one octet 1: it has none. A message that lists very many has no key
 *
 * It is a cache: these ids are never of another message, so what is there is true, and what is not
 * there is read again. A lasting id is the unique-id, for a file of a Maildir a hash of its name. It
 * lies in a box's own partition, which is emptied with the box, or, for a Maildir, in one of the Maildir's path. Whoever
 * looks at it throws out what is not in the maildrop any more.
 *
 *     known_start → known_next… (while a view lasts) → known_put… → known_end
 * Memory that is missing, or a commit that fails, costs the remembering only. Blocks: in a job. */
#pragma once

#include "store/engine.h"

struct known_message {
	uint64_t id;
	uint32_t number;		/* the caller's */
};

struct known {
	struct engine *engine;
	engine_part part;
	uint8_t field;
	struct known_message *messages;	/* by id; the caller's */
	size_t count;
	struct batch *batch;		/* what will be put and thrown out */
	struct span key;
};

/* Sorts `messages`, which stay the caller's and are those whose headers would be read. */
void known_start(struct known *k, struct engine *g, engine_part part, uint32_t field, struct known_message *messages, size_t count);
/* The next message that is known, and its addresses (borrowing the view; empty: none). */
bool known_next(struct known *k, struct view *v, const struct known_message **message, struct span *addresses);
void known_put(struct known *k, uint64_t id, struct span addresses);
void known_end(struct known *k);
/* Nobody looks there any more. Blocks. */
[[nodiscard]] bool known_forget(struct engine *g, engine_part part, struct err *e);
