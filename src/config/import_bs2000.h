/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the importer of BS2000's parameter file: its text as a tree of nodes
 * (import_bs2000_nodes.c), of which import_bs2000.c makes connections.
 *
 * NAME=TEXT(inner, …): each part of a node may be missing.  Texts stand in single
 * quotes, a doubled one is one; a line that begins with # or * is a comment, as is text in
 * double quotes; a - at the end of a line goes on.  A closing parenthesis too many,
 * as in the manual's own example, is passed over with a note.  Nodes live in the arena. */
#pragma once

#include "config/import.h"

struct bs2000_node {
	struct bs2000_node *next, *inner;
	const char *name, *text;	/* NULL: missing */
	uint32_t line;
	bool list;		/* it has parentheses */
};

[[nodiscard]] bool bs2000_nodes(struct import *in, struct span text, struct bs2000_node **first, struct err *e);
