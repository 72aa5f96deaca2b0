/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool: one message on its way from the server to its targets.
 *
 * SPOOL_MEMORY octets of it are held in memory (all spools of the process
 * together SPOOL_ALL); more goes to an unlinked file in `state`.  It counts
 * octets and digests them (SHA-256) as they come.  spool_read hands it out
 * again, any number of times, also from a job's thread while nobody writes.
 *
 * What one target is to have before the message (its lead: trace fields) is set for it before it reads, while nobody
 * else does; spool_read, spool_at and spool_size are of lead and message together, the functions called `own` and the
 * digest of the message alone.
 *
 * Errors: ERR_LOCAL (disk full, or without what disk_has_spare wants).  A spool to which
 * something could not be added is broken: its file is gone, it counts and digests on, and every add and read tells the same
 * error.  So a message that finds no room comes in to its end, and fails alone. */
#pragma once

#include "base/err.h"

enum { SPOOL_MEMORY = 256 * 1024, SPOOL_ALL = 64 * 1024 * 1024 };

struct spool;

[[nodiscard]] struct spool *spool_new(const char *state, struct err *e);
[[nodiscard]] bool spool_add(struct spool *s, struct span octets, struct err *e);
/* These octets go out before the message's own. Copied; replaces what was set before; an empty span takes it away.
 * On false (no memory) there is none. */
[[nodiscard]] bool spool_lead(struct spool *s, struct span lead, struct err *e);
uint64_t spool_size(const struct spool *s);
uint64_t spool_own_size(const struct spool *s);
void spool_digest(struct spool *s, uint8_t digest[32]);	/* after the last add */
size_t spool_in_memory(const struct spool *s);
typedef bool spool_use(void *user, struct span octets);
[[nodiscard]] bool spool_read(const struct spool *s, spool_use *use, void *user, struct err *e);
[[nodiscard]] bool spool_own_read(const struct spool *s, spool_use *use, void *user, struct err *e);
/* Some of its octets from `at` on, at most `room`; *n = 0: that is the end.  From any thread, as spool_read. */
[[nodiscard]] bool spool_at(const struct spool *s, uint64_t at, char *out, size_t room, size_t *n, struct err *e);
[[nodiscard]] bool spool_own_at(const struct spool *s, uint64_t at, char *out, size_t room, size_t *n, struct err *e);
/* Lead and message in a new file without a name, at its beginning: the caller's to close.  -1: no room, or as spool_read. */
[[nodiscard]] int spool_file(const struct spool *s, struct err *e);
void spool_free(struct spool **s);
