/* SPDX-License-Identifier: Apache-2.0
 *
 * A copy that takes its time, in a job, while the command's own thread draws
 * how far it is (standard error is a terminal, neither -q nor --json) and takes
 * SIGINT and SIGTERM as the wish to stop: then the work fails, in its own words,
 * and takes away what it made.  `work` fills what it is given and returns whether it went well. */
#pragma once

#include "main/cli.h"
#include "store/backup.h"

struct background_job {
	struct backup_progress *progress;
	bool (*work)(void *user, struct err *e);
	void (*stop)(void *user);	/* on the command's thread, beside progress->stop; NULL: that is enough */
	void *user;
	int fd;			/* the file whose size tells how far it is; -1: progress->octets does */
};

/* False: `work` said so, or could not be begun. */
[[nodiscard]] bool background_run(struct cli *cli, const struct background_job *job, struct err *e);
