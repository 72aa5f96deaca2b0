/* SPDX-License-Identifier: Apache-2.0
 *
 * What `collect` and `baseline` say, wherever the visits are made: here, or by a running
 * instance (collecting_over.c).
 *
 * A visit that ended is a line on standard output, or with --json an object:
 *     NAME: N collected, N skipped, N held, N failed in S s (N msg/s, N MB/s) */
#pragma once

#include "collect/collect.h"
#include "main/cli.h"

/* False: standard output cannot be written. */
bool collecting_say(const struct cli *cli, const char *name, const struct visit_result *r);
/* The visits that the arguments name (none: all that are enabled), by the running instance
 * at the other end of cli->ask; `mailbox` NULL, or as collector_only has it.  Returns what the command is to return. */
int collecting_over(struct cli *cli, enum visit_what what, const char *mailbox);
