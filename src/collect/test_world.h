/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: all that a visit needs, made for one case and removed behind it:
 * a maildrop with a server, a store with the account anna, a Maildir, and a
 * connection that delivers to anna/INBOX (deliver_count = 2: to both). */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "collect/collect.h"
#include "collect/test_drop.h"
#include "store/held.h"
#include "store/ledger.h"

struct world {
	char directory[64], path[96];
	struct drop drop;
	struct loop *loop;
	struct store *store;
	struct tls_contexts *contexts;
	struct deliveries *deliveries;
	struct connection with;
	struct target mailbox, maildir, program;
	const char *argv[3];
	char script[512];
	const struct target *deliver[2];
	uint8_t auth[1];
	struct visit_result result;
};

int world_start(void **state);		/* cmocka's setup and teardown */
int world_stop(void **state);
void world_visit(struct world *w, enum visit_what what);	/* w->result tells */
/* A visit, and what is to come of it. */
void world_expect(struct world *w, uint64_t collected, uint64_t skipped, uint64_t failed, enum err_kind kind);
uint64_t world_mailbox(struct world *w);	/* messages in the box, */
uint64_t world_maildir(struct world *w, const char *part);	/* in "new", "cur" or "tmp" */
/* w->program takes all but the message "number 1": there it ends with this. */
void world_program(struct world *w, int status);
uint64_t world_got(struct world *w);		/* messages that the program took */
enum ledger_state world_state(struct world *w, const char *uid);	/* LEDGER_STATES: no such entry */
/* The only held message, whatever its state; false: there is none. */
bool world_held(struct world *w, struct held_info *info);
struct ledger *world_ledger(struct world *w);
/* `count` messages PREFIX0, PREFIX1, …, of the same texts whatever the prefix. */
void drop_fill(struct drop *d, char prefix, size_t count);
