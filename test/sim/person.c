/* SPDX-License-Identifier: Apache-2.0
 * What a person does about held messages, by `postrider held` and `postrider retry`, while no visit is under way. */
#include "base/clock.h"
#include "sim.h"
#include "store/account.h"
#include "store/held.h"
#include "store/held_ledger.h"

static const char connection[] = "sim";

/* In peace there is room for all. */
void person_sets_quota(void)
{
	const struct account_limits limits = { world->calm ? 0 : world->plan.quota, ACCOUNT_SESSIONS_DEFAULT };
	struct err e;

	if (world->plan.quota && !account_set(life_store, "anna", &limits, &e))
		told("person: no quota: %s", e.text);
}

/* held retry, held release */
static void let_go(const struct held_info *info)
{
	char id[HELD_ID_TEXT];
	struct err e;

	told("person: held message %s is to be tried again%s", held_id_text(info->id, id), info->state == HELD_QUARANTINED ? ", released" : "");
	world->released = world->released || info->state == HELD_QUARANTINED;
	if (!held_again(life_store, info->id, clock_now_s(), &e))
		told("person: that cannot be: %s", e.text);
}

static void look_at_held(uint64_t one_of)
{
	struct held_info info = { .id = 0 };

	while (held_next_of(life_store, connection, &info)) {
		bool waits = info.state == HELD_WAITING;

		if (waits ? !world->calm && one_in(4 * one_of) : one_in(one_of) && !(world->calm && info.state == HELD_QUARANTINED))
			let_go(&info);
	}
}

/* retry */
static void ask_again(void)
{
	struct ledger_name name = { 0 };
	struct ledger *l;
	struct err e;

	while (ledger_each(life_store, connection, &name)) {
		if (!ledger_open(life_store, connection, name.mailbox, &l, &e))
			violation("a ledger cannot be opened: %s", e.text);
		ledger_renew(l);
		told("person: retry: %u messages", (unsigned)held_ask_again(life_store, l, 0));
	}
}

void person_between(void)
{
	if (world->calm)
		return;
	if (one_in(3))
		look_at_held(3);
	if (one_in(6))
		ask_again();
}

void person_asks_again(void)
{
	look_at_held(1);
	ask_again();
}
