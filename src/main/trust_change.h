/* SPDX-License-Identifier: Apache-2.0
 *
 * What changes whom we trust: verbs of `postrider trust`.  What is accepted is what somebody saw: its digest was said, or
 * the terminal was asked, and the request names it. */
#pragma once

#include "main/cli.h"

int trust_accept(struct cli *cli);
int trust_revoke(struct cli *cli);
int trust_import(struct cli *cli);
/* Says that nothing of `asked` is known, and what is. */
int trust_unknown(struct cli *cli, const char *host, const char *asked);
