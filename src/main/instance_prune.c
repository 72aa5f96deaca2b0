/* SPDX-License-Identifier: Apache-2.0
 * A running instance forgets what is old in the ledgers of its connections: visits do so where they list, but of a mailbox
 * in which nothing changes there is no listing.  Each ledger once a day, a slice at a time, with pauses. */
#include <stdlib.h>

#include "base/clock.h"
#include "main/instance_inside.h"
#include "store/ledger_prune.h"

enum { SLICE_MS = 20, ROUND_MS = 10 * 60 * 1000, FIRST_MS = 1000, LEDGERS_A_TURN = 16 };

struct instance_prune {
	struct timer *timer;
	size_t connection;		/* in the settings: whose ledgers are looked at */
	struct ledger_name at;
	bool inside;			/* `at` is being walked through; */
	struct prune_walk walk;		/* so far */
};

/* The next ledger; false: that was the last one. */
static bool next_ledger(const struct instance *i, struct instance_prune *p)
{
	const struct settings *s = &i->cli->settings;

	for (; p->connection < s->connection_count; p->connection++) {
		if (ledger_each(i->cli->store, s->connections[p->connection]->name, &p->at))
			return true;
		p->at = (struct ledger_name){ 0 };
	}
	p->connection = 0;
	return false;
}

/* A slice of the ledger at hand, if it is due.  False: it is done with. */
static bool turn(const struct instance *i, struct instance_prune *p)
{
	struct prune_rules rules = { .now = clock_now_s(), .keep_s = i->cli->settings.connections[p->connection]->history_keep_s };
	const struct tag tag = { NULL, "connection", p->at.connection };
	struct ledger *l;
	struct err e;

	if (!ledger_open(i->cli->store, p->at.connection, p->at.mailbox, &l, &e) || !ledger_takes(l, &e))
		return false;
	if (!p->inside && !prune_due(l, &rules))
		return false;
	if (!p->inside)
		p->walk = (struct prune_walk){ .removed = 0 };
	p->inside = !prune_slice(l, &rules, &p->walk);
	if (!p->inside && p->walk.removed)
		log_info(&tag, "history forgotten entries=%llu keep=%llu", (unsigned long long)p->walk.removed, (unsigned long long)rules.keep_s);
	return p->inside;
}

static void on_time(void *user)
{
	struct instance *i = user;
	struct instance_prune *p = i->prune;

	if (i->drain_until_ms)
		return;
	for (unsigned n = 0; n < LEDGERS_A_TURN; n++) {
		if (!p->inside && !next_ledger(i, p)) {
			timer_set(p->timer, ROUND_MS, 0);
			return;
		}
		if (turn(i, p))
			break;
		p->inside = false;
	}
	timer_set(p->timer, SLICE_MS, 0);
}

bool instance_prune_make(struct instance *i, struct err *e)
{
	i->prune = calloc(1, sizeof *i->prune);
	if (i->prune)
		i->prune->timer = timer_new(i->home, on_time, i);
	if (!i->prune || !i->prune->timer)
		return err_set(e, ERR_LOCAL, "out of memory");
	timer_set(i->prune->timer, FIRST_MS, 0);
	return true;
}

void instance_prune_reload(struct instance *i)
{
	struct instance_prune *p = i->prune;

	p->connection = 0;		/* there may be others, in another order */
	p->at = (struct ledger_name){ 0 };
	p->inside = false;
	timer_set(p->timer, FIRST_MS, 0);
}

void instance_prune_free(struct instance *i)
{
	if (i->prune && i->prune->timer)
		timer_free(&i->prune->timer);
	free(i->prune);
	i->prune = NULL;
}
