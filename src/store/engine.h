/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine: partitions of ordered keys and blobs, committed durably.
 *
 * A partition is the unit of atomicity (a mailbox, a connection's ledger, the
 * accounts, the directory of names).  The contract is what LMDB and RADOS can
 * both do: preconditions are exactly absent, present, equals; values are never
 * empty; a batch touches one partition, at most ENGINE_BATCH_KEYS keys and
 * ENGINE_BATCH_BYTES octets; a blob is a row of pieces of at most
 * ENGINE_PIECE_MAX octets under (partition, blob id, piece number).
 *
 * Reading: a view is one short read transaction.  Spans out of a view borrow
 * its pages and die at view_end.  NEVER hold a view across a wait (old pages
 * stay pinned); views are for any thread, each view for one.
 *
 * Writing: a batch is built, then given away by engine_commit, which answers
 * through `done` when it is durable or refused.  One committer thread drains
 * all waiting batches into one transaction and one fsync, in the order they
 * came, then answers them all.  A batch whose precondition fails changes nothing and
 * does not disturb the others.  An EIO from the disk ends the process: what is
 * durable is then unknown to this process, and only a restart tells.  So does
 * a damage met while reading: "not there" would be a lie that delivers twice.
 *
 * Errors: ERR_LOCAL (disk full, map full, damaged), ERR_BUSY (precondition
 * failed: somebody else changed it), ERR_CONFIG (state not usable: network
 * file system, no permission). */
#pragma once

#include "base/err.h"

enum {
	ENGINE_KEY_MAX = 400,
	ENGINE_BATCH_KEYS = 4096,
	ENGINE_BATCH_BYTES = 1 << 20,
	ENGINE_PIECE_MAX = 256 * 1024,
};

typedef uint64_t engine_part;	/* 8 octets of BLAKE2b over the partition's kind and name, never 0 */

struct engine;
struct batch;
struct view;

/* Opens `directory` (made, 0700, when missing).  `map_size`: address space, never grown. */
[[nodiscard]] bool engine_open(const char *directory, uint64_t map_size, struct engine **engine, struct err *e);
void engine_close(struct engine **engine);	/* waits for what was committed */

engine_part engine_part_of(const char *kind, struct span name);

[[nodiscard]] bool view_begin(struct engine *g, struct view **view, struct err *e);
void view_end(struct view **view);
bool view_get(struct view *v, engine_part part, struct span key, struct span *value);
bool view_blob(struct view *v, engine_part part, uint64_t blob, uint32_t piece, struct span *octets);
/* Is what a view handed out in memory, or would touching it wait for the disk?  Touches none of it. */
bool view_in_memory(struct view *v, struct span octets);
/* They are wanted soon: what is not in memory is read meanwhile, many at a time; nobody waits. */
void view_wanted(struct view *v, struct span octets);
/* The first key that begins with `prefix` and is greater than *key (an empty
 * *key: the first of all); *key and *value then borrow the view. */
bool view_next(struct view *v, engine_part part, struct span prefix, struct span *key, struct span *value);

[[nodiscard]] struct batch *batch_new(engine_part part);	/* NULL: out of memory */
void batch_free(struct batch **b);	/* one that was not committed */
/* Adding copies key and value into the batch.  False: it would pass a limit
 * (commit this one, start another) or memory is out; the batch is as before.
 * A key has 1 to ENGINE_KEY_MAX octets. */
[[nodiscard]] bool batch_put(struct batch *b, struct span key, struct span value);
[[nodiscard]] bool batch_remove(struct batch *b, struct span key);
[[nodiscard]] bool batch_blob(struct batch *b, uint64_t blob, uint32_t piece, struct span octets);
/* As batch_blob, taking over `octets` (from malloc, freed with the batch) without copying. */
[[nodiscard]] bool batch_blob_owned(struct batch *b, uint64_t blob, uint32_t piece, char *octets, size_t len);
/* Pieces first … first + pieces - 1, each counted as a key. */
[[nodiscard]] bool batch_blob_remove(struct batch *b, uint64_t blob, uint32_t first, uint32_t pieces);
[[nodiscard]] bool batch_absent(struct batch *b, struct span key);
[[nodiscard]] bool batch_present(struct batch *b, struct span key);
[[nodiscard]] bool batch_equals(struct batch *b, struct span key, struct span value);
size_t batch_keys(const struct batch *b);
size_t batch_bytes(const struct batch *b);

/* How an answer comes back: `run(user, why)` on the COMMITTER's thread, why
 * NULL when durable.  It must only hand on (a queue, a wake, a condition). */
struct engine_done {
	void (*run)(void *user, const struct err *why);
	void *user;
};

void engine_commit(struct engine *g, struct batch **b, struct engine_done done);
[[nodiscard]] bool engine_commit_wait(struct engine *g, struct batch **b, struct err *e);

/* Copying: the store as it is when this is called, all partitions at one moment, while commits and reading go
 * on.  The octets are those of a file that engine_open finds good as DIRECTORY/data.mdb; `take` gets them in
 * order, at most ENGINE_COPY_MAX at a time, on the caller's thread, and may wait as long as it likes: neither
 * the committer nor any other reader ever waits for it.  So the caller is a thread that may block: no loop's.
 * The one view that is held across waits: what is removed or rewritten meanwhile keeps its pages until the end,
 * so the store grows by as much as is committed while it is copied.
 * Over before engine_close.  False: `take` said so, and e is its; or the store cannot be copied.  Nothing
 * happened to the store either way. */
enum { ENGINE_COPY_MAX = 256 * 1024 };
enum engine_copy {
	ENGINE_COPY_PACKED,	/* without free pages: neither their size nor the removed mail that they still hold */
	ENGINE_COPY_PAGES	/* page by page, free ones too: also of a store that lost count of its pages, which refuses PACKED with ERR_CONFIG */
};
typedef bool engine_take(void *user, struct span octets, struct err *e);
[[nodiscard]] bool engine_copy(struct engine *g, enum engine_copy how, engine_take *take, void *user, struct err *e);
uint64_t engine_size(struct engine *g);		/* the octets of a copy, about: PAGES exactly, PACKED less the free ones */

/* Opens a copy in one file to be looked at: nothing is written, nothing locked, nobody else may be writing to it.
 * Views only.  What turns out damaged while it is read does not end the process: it is not found, and
 * engine_damaged says so from then on. */
[[nodiscard]] bool engine_open_still(const char *file, struct engine **engine, struct err *e);
bool engine_damaged(const struct engine *g);
