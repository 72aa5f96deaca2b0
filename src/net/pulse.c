/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pulse.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct pulse {
	struct loops *loops;
	bool begun;
	unsigned count;
	atomic_bool waits[];	/* for the loop of that number */
};

struct pulse *pulse_new(struct loops *p, struct err *e)
{
	unsigned count = loops_count(p);
	struct pulse *u = calloc(1, sizeof *u + count * sizeof u->waits[0]);

	if (!u) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	u->loops = p;
	u->count = count;
	return u;
}

static void answer([[maybe_unused]] struct loop *l, unsigned index, void *user)
{
	struct pulse *u = user;

	u->waits[index] = false;
}

unsigned pulse_missing(const struct pulse *u)
{
	unsigned i = 0;

	while (i < u->count && !u->waits[i])
		i++;
	return i;
}

bool pulse_beat(struct pulse *u)
{
	bool all = u->begun;

	if (pulse_missing(u) < u->count)
		return false;
	u->begun = true;
	for (unsigned i = 0; i < u->count; i++) {
		u->waits[i] = true;
		if (!loops_post(u->loops, i, answer, u))
			u->waits[i] = false;
	}
	return all;
}

void pulse_free(struct pulse **out)
{
	struct pulse *u = *out;

	if (!u)
		return;
	*out = NULL;
	assert(pulse_missing(u) == u->count);
	free(u);
}
