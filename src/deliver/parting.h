/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a message that a server took for some of its recipients and not for others (deliver.h, `each`).
 *
 * Whoever is to be told of those that were refused gets a bounce: a message from the null sender that is
 * put into the held area, due at once, for the same target.  So it is durable, and tried again as any other; what a
 * server does not take of it is not bounced again.  parting_bounce blocks: for jobs. */
#pragma once

#include "deliver/deliver.h"
#include "store/held.h"

enum { PARTING_WHOLE_MAX = 10 * 1024 * 1024 };	/* servers take less than what is held: a larger bounce comes nowhere */

struct parting {			/* borrowed */
	const char *const *recipients;
	size_t count;
	const struct deliver_each *each;
};

size_t parting_count(const struct parting *p, enum deliver_said said);
/* Of one kind only: it is as if each were the whole. */
bool parting_whole(const struct parting *p);
/* Those of this kind; `out` has room for all. */
size_t parting_pick(const struct parting *p, enum deliver_said said, const char **out);
struct deliver_each *parting_copy(const struct deliver_each *each, size_t count);

struct bounced {			/* borrowed */
	struct store *store;
	const char *host;		/* deliver_host */
	const char *target;
	const char *sender;		/* of the message; not the null sender (bounce_allowed) */
	const char *to;			/* whom it tells */
	const struct held_new *what;	/* of the bounce: whose it is; its target, envelope, reason and time are set here */
	const char *connection;		/* that the message came by; NULL: its sender handed it in */
	const struct spool *message;
	int64_t arrived;
	struct parting parting;
	bool whole;			/* the message goes with it, since nobody keeps it: needs parting_attaches; else its header does */
};
/* It is small enough to go with a bounce; of a larger one whoever drops it keeps a copy (quarantine). */
bool parting_attaches(const struct spool *message);
/* Of those that were refused, if there are any: a bounce (wire/bounce.h), into the held area, due at once, for the same target. */
[[nodiscard]] bool parting_bounce(const struct bounced *b, struct err *e);
