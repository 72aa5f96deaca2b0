/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool: one message on its way from the server to its targets.
 *
 * SPOOL_MEMORY octets of it are held in memory (all spools of the process
 * together SPOOL_ALL); more goes to an unlinked file in `state`.  It counts
 * octets and digests them (SHA-256) as they come.  spool_read hands it out
 * again, any number of times, also from a job's thread while nobody writes.
 * Errors: ERR_LOCAL (disk full). */
#pragma once

#include "base/err.h"

enum { SPOOL_MEMORY = 256 * 1024, SPOOL_ALL = 64 * 1024 * 1024 };

struct spool;

[[nodiscard]] struct spool *spool_new(const char *state, struct err *e);
[[nodiscard]] bool spool_add(struct spool *s, struct span octets, struct err *e);
uint64_t spool_size(const struct spool *s);
void spool_digest(struct spool *s, uint8_t digest[32]);	/* after the last add */
size_t spool_in_memory(const struct spool *s);
[[nodiscard]] bool spool_read(const struct spool *s, bool (*use)(void *user, struct span octets), void *user, struct err *e);
/* Some of its octets from `at` on, at most `room`; *n = 0: that is the end.  From any thread, as spool_read. */
[[nodiscard]] bool spool_at(const struct spool *s, uint64_t at, char *out, size_t room, size_t *n, struct err *e);
void spool_free(struct spool **s);
