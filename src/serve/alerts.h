/* SPDX-License-Identifier: Apache-2.0
 *
 * What somebody is told instead of being let in (store/alert.h), asked for by sessions.
 *
 *     alerts_ask(a, index, account, told, user) on the loop of `index`, after the login
 *     → false: nothing is to be told (a few microseconds)
 *     → true: told(user, text) on that loop, later; text NULL: it turned out to be nothing, let him in
 * The store belongs to `home`'s thread: what is shown becomes durable there before `told` is called, and the
 * text is borrowed for the call.  Of an alert that cannot be made durable nothing is told, and the log says why: a full disk
 * keeps nobody from his mail.  alerts_answered is told each answer of the store with a ticket of ours (alerts_owns).
 * Freed after the loops were joined; who was not answered then never is. */
#pragma once

#include "net/loops.h"
#include "store/account.h"

struct alerts;

#define ALERTS_TICKETS (UINT64_C(1) << 56 | UINT64_C(1) << 55)	/* of serve's (serve.h) those with this bit */

static inline bool alerts_owns(uint64_t ticket)
{
	return ticket >> 55 == ALERTS_TICKETS >> 55;
}

[[nodiscard]] struct alerts *alerts_new(struct loop *home, struct loops *loops, struct store *store, struct err *e);
[[nodiscard]] bool alerts_ask(struct alerts *a, unsigned index, const char *account, void (*told)(void *user, const char *text), void *user);
void alerts_answered(struct alerts *a, const struct store_done *done);
size_t alerts_waiting(struct alerts *a);		/* not answered yet; any thread */
void alerts_free(struct alerts **a);
