/* SPDX-License-Identifier: Apache-2.0
 *
 * Which entries of a ledger somebody wants to see: the arguments of history.index.
 *
 * `since` and `until` are RFC 3339 in UTC, both included, and mean when a message was first seen, as the order does.
 * `states` are the words of ledger_state_name and three that say more than one: "delivered" (every target has it,
 * whatever became of it at the server), "disposed" (the same, and it is no longer there) and "failed" (some target
 * does not have it, and there is an error); one of them must fit.  `uid` is the whole unique-id, or over IMAP the UID behind
 * its "/".  `target`, 16 hexadecimal digits, is a target's tag: it has not taken the message, or refused it.
 * Aliases are no messages, and never wanted. */
#pragma once

#include "control/operation.h"
#include "store/ledger.h"

struct history_filter {
	int64_t since, until;		/* until 0 = no end */
	uint32_t states;		/* bits; 0 = any */
	const char *uid;		/* NULL = any; borrows the call */
	bool has_target;
	uint64_t target;
};

enum { HISTORY_STATES_MAX = 32, HISTORY_MOMENT_MAX = 32 };
#define ARGS_HISTORY { "since", ARG_TEXT, false, HISTORY_MOMENT_MAX }, { "until", ARG_TEXT, false, HISTORY_MOMENT_MAX }, \
	{ "states", ARG_TEXTS, false, HISTORY_STATES_MAX }, { "uid", ARG_TEXT, false, 4 * LEDGER_UID_MAX }, { "target", ARG_TEXT, false, 16 }

/* ERR_CONFIG names what is wrong. */
[[nodiscard]] bool history_filter_read(struct history_filter *f, const struct api_call *c, struct err *e);
bool history_filter_takes(const struct history_filter *f, const struct ledger_entry *entry);
