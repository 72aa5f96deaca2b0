/* SPDX-License-Identifier: Apache-2.0
 *
 * What the process takes from itself before it does anything, and how many files
 * it may open.
 *
 * restrict_process is main's first call: no core files and nobody's ptrace, because
 * of secrets; RESTRICT_FILES descriptors, if the hard limit allows them, which is
 * enough for every command but `run`.
 * restrict_files is for `run`, while it still is root if it ever was (root may raise
 * the hard limit, up to the kernel's fs.nr_open), and for each reload: it raises the
 * limit to what that many sessions need, never lowers it, tells the log, and warns
 * when fewer fit: admission should then let only so many in, so that the next one
 * is answered [SYS/TEMP], and does not wait for a descriptor in the kernel's queue. */
#pragma once

#include "config/settings.h"

enum { RESTRICT_FILES = 65536 };

struct files_fit {
	uint64_t needed;	/* descriptors, for everything */
	uint32_t sessions;	/* that fit: max_sessions, or fewer */
};

void restrict_process(void);
/* What `max_sessions` sessions beside `others` descriptors come to when a process may have `limit`. */
struct files_fit files_fit(uint32_t max_sessions, uint64_t others, uint64_t limit);
/* Descriptors for all but the sessions: store, loops, listeners, visits, what commands need. */
uint64_t files_others(const struct settings *s);
/* Loops for sessions: as configured, else one a core. */
unsigned restrict_workers(const struct settings *s);
struct files_fit restrict_files(const struct settings *s);
