/* SPDX-License-Identifier: Apache-2.0
 *
 * Where mail goes: what importers write into `deliver`, and the targets it names.
 *
 * Each call adds one target to the connection; equal targets are shared. */
#pragma once

#include "config/import.h"

/* What stands for a thing of the message in a command of the other tool. */
struct import_fact {
	char letter;		/* behind the % */
	const char *variable;	/* of ours, "POSTRIDER_SENDER" */
	const char *fixed;	/* but if this is not NULL: this text */
};

/* ~/ stays; another's home and variables cannot be carried over: false, noted. */
bool import_to_maildir(struct import *in, struct draft_section *c, const char *path, const char *word, uint32_t line);
/* A command line for /bin/sh; without what a shell is for, the program itself.  %% is a %. */
void import_shell(struct import *in, struct draft_section *c, const char *name, const char *command, const struct import_fact *facts, size_t count,
	uint32_t line);
/* A program and its arguments. */
void import_argv(struct import *in, struct draft_section *c, const char *name, struct texts argv, uint32_t line);
/* Who gets the mail of an smtp or lmtp target could not be carried over: before import_deliver.  The target has
 * a place for it and is nobody else's, the connection is disabled. */
void import_nobody(struct import *in, struct draft_section *c, struct draft_section *target, const char *word, uint32_t line);
/* A target of its own was filled: shared if there is an equal one, and named by the connection. */
void import_deliver(struct import *in, struct draft_section *c, struct draft_section *target, uint32_t line);
