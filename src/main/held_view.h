/* SPDX-License-Identifier: Apache-2.0
 *
 * A look at one held message: what is known of it and its header; by --raw, or into the file of --output, the message. */
#pragma once

#include "main/cli.h"

/* The API is open (over_verbs).  Returns an exit status, and has said what was wrong. */
int held_view(struct cli *cli, const char *id);
