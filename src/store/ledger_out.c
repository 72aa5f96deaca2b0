/* SPDX-License-Identifier: Apache-2.0
 * Puts on their way into the store, a group at a time, in order. */
#include "store/ledger_inside.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/pack.h"

enum {
	GROUP_MAX = 1024,	/* ids are random: each put changes a page of its own */
};

#define GROUPS_KEY SPAN("q")

struct ledger_group {
	struct deed deed;
	struct ledger *ledger;
	struct put *puts;
	struct answers *answers;
};

static void send_waiting(struct ledger *l);

uint64_t ledger_groups(struct ledger *l, struct view *v)
{
	struct span value;

	return view_get(v, l->part, GROUPS_KEY, &value) ? take_u64(&value) : 0;
}

static void forget_puts(struct ledger *l, struct put *puts)
{
	while (puts) {
		struct put *p = puts;

		puts = p->next;
		overlay_remove(&l->overlay, p);
		free(p);
	}
}

void ledger_refused(struct ledger *l, const struct err *why)
{
	if (l->refused)
		return;
	log_warn(NULL, "ledger of %s: %s", l->name, why->text);
	l->refused = true;
	l->why = *why;
}

static void on_group(void *user, const struct err *why)
{
	struct ledger_group *group = user;
	struct ledger *l = group->ledger;

	forget_puts(l, group->puts);
	if (why)
		ledger_refused(l, why);
	store_answer(l->store, &group->answers, l->refused ? &l->why : NULL);
	free(group);
	l->under_way--;
	if (!l->under_way)
		send_waiting(l);
}

/* Which group this is, and that it follows the one before. */
static void add_number(struct ledger *l, struct batch *b)
{
	char was[8], is[8];

	pack_u64(was, l->sent);
	pack_u64(is, l->sent + 1);
	store_must(l->sent ? batch_equals(b, GROUPS_KEY, (struct span){ was, sizeof was }) : batch_absent(b, GROUPS_KEY));
	store_must(batch_put(b, GROUPS_KEY, (struct span){ is, sizeof is }));
	l->sent++;
}

static bool add_put(struct batch *b, const struct put *p)
{
	struct span key = { p->key, p->key_len };

	return p->len ? batch_put(b, key, (struct span){ p->value, p->len }) : batch_remove(b, key);
}

static struct put *take_put(struct ledger *l, struct answers *answers)
{
	struct put *p = l->first;

	l->first = p->next;
	if (!l->first)
		l->last = &l->first;
	l->waiting--;
	answers_add(answers, p->ticket);
	p->next = NULL;
	return p;
}

static void send_group(struct ledger *l)
{
	struct batch *b = store_batch(l->part);
	struct ledger_group *group = store_memory(sizeof *group);
	struct put **last = &group->puts;

	group->ledger = l;
	group->answers = answers_new(l->waiting < GROUP_MAX ? l->waiting : GROUP_MAX);
	add_number(l, b);
	for (size_t n = 0; n < GROUP_MAX && l->first && add_put(b, l->first); n++) {
		*last = take_put(l, group->answers);
		last = &(*last)->next;
	}
	store_must(group->puts);
	group->deed = (struct deed){ .then = on_group, .user = group };
	l->under_way++;
	store_do(l->store, &b, &group->deed);
}

static void refuse_waiting(struct ledger *l)
{
	struct answers *answers = answers_new(l->waiting);

	while (l->first)
		forget_puts(l, take_put(l, answers));
	store_answer(l->store, &answers, &l->why);
}

static void send_waiting(struct ledger *l)
{
	if (!l->first)
		return;
	if (l->refused) {
		refuse_waiting(l);
		return;
	}
	ledger_list(l);
	send_group(l);
}

void ledger_flush(struct ledger *l)
{
	while (l->first)
		send_waiting(l);
}

void ledger_out(struct ledger *l, struct span key, struct span value, uint64_t ticket)
{
	struct put *p = store_memory(sizeof *p + value.len);

	assert(key.len <= sizeof p->key && value.len <= UINT16_MAX);
	memcpy(p->key, key.at, key.len);
	p->key_len = (uint8_t)key.len;
	if (value.len)
		memcpy(p->value, value.at, value.len);
	p->len = (uint16_t)value.len;
	p->ticket = ticket;
	store_owe(l->store, ticket);
	if (key.at[0] == 'e')
		overlay_add(&l->overlay, p);
	*l->last = p;
	l->last = &p->next;
	l->waiting++;
	if (!l->under_way)
		send_waiting(l);
}
