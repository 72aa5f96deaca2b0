/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledgers that there are, for commands over the API. */
#pragma once

#include "main/cli.h"

struct ledgers {
	struct ledger_named {
		char *token;		/* as operations take it */
		char *mailbox;		/* as people write it; NULL: the connection's own */
	} *all;
	size_t count, cap;
	bool full;			/* of memory: some are missing */
};

/* Those of one connection (NULL: of all). */
[[nodiscard]] bool ledgers_read(struct cli *cli, const char *connection, struct ledgers *l, struct err *e);
void ledgers_end(struct ledgers *l);
/* EXIT_GOOD: it is in the configuration, or something was collected by that name. */
int ledgers_known(struct cli *cli, const char *connection);
