/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a message that a server took for some of its recipients and not for others (deliver.h, `each`).
 *
 * The sender of a submission is told of those that were refused by a bounce (wire/bounce.h): a message from the null sender that is
 * put into the held area, due at once, for the same target.  So it is durable, and tried again as any other; what a
 * server does not take of it is not bounced again, but stays as failed.
 * submissions_bounce blocks: for jobs. */
#pragma once

#include "serve/submissions.h"

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
	struct submissions *all;
	const char *account, *target, *sender;
	const struct spool *message;
	int64_t arrived;
	struct parting parting;
};
/* Of those that were refused, if there are any. */
[[nodiscard]] bool submissions_bounce(const struct bounced *b, struct err *e);
