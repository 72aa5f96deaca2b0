/* SPDX-License-Identifier: Apache-2.0
 *
 * What the configuration uses of the vault: each place that says vault:NAME, with its words for people
 * ("connection support", "target relay"), in the order of the settings. */
#pragma once

#include "main/cli.h"

struct secret_use {
	const char *name;	/* borrow of the settings */
	const char *kind;	/* "connection", "target", "pop3" */
	const char *of;		/* its name, or the key */
};

/* Starts with *n = 0; false behind the last one. */
bool secret_use_next(const struct settings *s, size_t *n, struct secret_use *use);
/* Warns of those that are not in the vault, where it can be looked into without making a store. */
void secrets_check(struct cli *cli);
