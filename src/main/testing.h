/* SPDX-License-Identifier: Apache-2.0
 *
 * What `postrider test` says, wherever the test is made: here, or by a running instance (testing_over.c).
 *
 *     testing_start(&t, cli, names, count) … testing_step for each row of api_step, testing_ended for each connection …
 *     testing_end(&t)
 * A step is a line, or with --json an object; above the login's stand the mechanisms that were considered, one a line.  Of
 * several connections, what is said of one waits until all of it is known. */
#pragma once

#include "main/cli.h"

struct tested {
	const char *name;
	struct buf said;
};

struct testing {
	struct cli *cli;
	const char *good, *bad;		/* how they look here */
	struct tested *all;
	size_t count;
	size_t spoke;			/* connections told of */
	bool failed;
};

void testing_start(struct testing *t, struct cli *cli, size_t room);
void testing_add(struct testing *t, const char *name);	/* at most `room`; the name is borrowed */
void testing_step(struct testing *t, json_t *row);	/* taken over */
void testing_ended(struct testing *t, const char *name, bool good);
void testing_end(struct testing *t);
/* The connections that the arguments name (none: all that are enabled), by the running instance at the other end of
 * cli->ask.  Returns what the command is to return. */
int testing_over(struct cli *cli);
