/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: held records and entries of the ledger, made by hand as a crash may leave them, beside a test_world: `hold` makes a
 * copy of a message of drop_fill's, by its number; `put` the entry under its id; make_due lets all that waits be tried now. */
#pragma once

#include <stdio.h>

#include "base/clock.h"
#include "collect/test_world.h"
#include "store/spool.h"

enum { HELD_OTHER = 77 };	/* the number of a message that is not in the drop */

/* The key of a message, and its octets as drop_fill makes them. */
[[maybe_unused]] static void id_of(const char *uid, uint8_t id[32])
{
	uint8_t base[32];

	ledger_pop3_base(SPAN("127.0.0.1"), SPAN("anna"), span_of(uid), base);
	ledger_pop3_id(base, 0, id);
}

[[maybe_unused]] static struct spool *octets_of(struct world *w, unsigned number)
{
	char text[64];
	struct err e;
	struct spool *s = spool_new(store_state(w->store), &e);

	(void)snprintf(text, sizeof text, "Subject: number %u\r\n\r\nhello\r\n", number);
	assert_true(s && spool_add(s, span_of(text), &e));
	return s;
}

[[maybe_unused]] static void digest_of(struct world *w, unsigned number, uint8_t digest[32])
{
	struct spool *s = octets_of(w, number);

	spool_digest(s, digest);
	spool_free(&s);
}

struct hand {			/* a record */
	const char *uid, *target, *sender, *recipient;
	unsigned number;
	enum held_state state;
	int64_t made, next;	/* from now on */
	bool loose;		/* as a bounce: it has no entry */
};

[[maybe_unused]] static uint64_t hold(struct world *w, const struct hand *h)
{
	struct held_origin origin = { .connection = "test" };
	int64_t now = clock_now_s();
	const struct held_new what = { .account = "", .target = h->target ? h->target : "program", .sender = h->sender ? h->sender : "",
		.recipients = &h->recipient, .recipient_count = h->recipient != NULL, .why = "by hand", .next = now + h->next, .origin = &origin, .state = h->state };
	struct spool *s = octets_of(w, h->number);
	uint64_t id;
	struct err e;

	if (!h->loose) {
		id_of(h->uid, origin.id);
		spool_digest(s, origin.digest);
		(void)snprintf(origin.uid, sizeof origin.uid, "%s", h->uid);
	}
	assert_true(held_add(w->store, &what, s, now + h->made, &id, &e));
	spool_free(&s);
	return id;
}

[[maybe_unused]] static struct ledger_entry entry_of(struct world *w, const char *uid)
{
	struct ledger_entry entry = { .state = LEDGER_STATES };
	uint8_t id[32];

	id_of(uid, id);
	(void)ledger_get(world_ledger(w), id, &entry);
	return entry;
}

/* As sink.c has it: servers and programs are told apart by their names, too. */
[[maybe_unused]] static uint64_t tag_of(const struct target *t)
{
	char text[128];

	if (t->type == TARGET_MAILBOX || t->type == TARGET_MAILDIR || strcmp(t->canonical, t->name) == 0)
		return ledger_target_tag(t->canonical);
	(void)snprintf(text, sizeof text, "%s %s", t->canonical, t->name);
	return ledger_target_tag(text);
}

struct said {			/* of one target, in an entry */
	const struct target *target;
	enum ledger_target_state state;
	uint64_t copy;
};

/* `number`: whose digest it has. */
[[maybe_unused]] static void put(struct world *w, const char *uid, enum ledger_state state, unsigned number, const struct said *said, uint32_t count)
{
	int64_t now = clock_now_s();
	struct ledger_entry entry = { .state = state, .first_seen = now, .changed = now, .has_digest = true, .size = 1, .target_count = count };

	id_of(uid, entry.id);
	digest_of(w, number, entry.digest);
	(void)snprintf(entry.uid, sizeof entry.uid, "%s", uid);
	for (uint32_t n = 0; n < count; n++) {
		entry.targets[n] = (struct ledger_target){ .target = tag_of(said[n].target), .state = said[n].state };
		if (said[n].copy)
			(void)held_id_text(said[n].copy, entry.targets[n].place);
	}
	ledger_put(world_ledger(w), &entry, 0);
	ledger_flush(world_ledger(w));
}

/* What the entry says of this target. */
[[maybe_unused]] static enum ledger_target_state said_of(const struct ledger_entry *entry, const struct target *target)
{
	for (uint32_t n = 0; n < entry->target_count; n++)
		if (entry->targets[n].target == tag_of(target))
			return entry->targets[n].state;
	return LEDGER_TARGET_NONE;
}

[[maybe_unused]] static size_t held_count(struct world *w)
{
	struct held_info info = { .id = 0 };
	size_t count = 0;

	while (held_next_of(w->store, "test", &info))
		count++;
	return count;
}

/* What waits is due now. */
[[maybe_unused]] static void make_due(struct world *w)
{
	struct held_info info = { .id = 0 };
	struct err e;

	while (held_next_of(w->store, "test", &info))
		if (info.state == HELD_WAITING)
			assert_true(held_defer(w->store, info.id, info.why, info.tried, clock_now_s(), &e));
}

[[maybe_unused]] static void expect_counts(struct world *w, uint64_t collected, uint64_t held, uint64_t failed, uint64_t skipped)
{
	if (w->result.why.kind)
		print_error("%s\n", w->result.why.text);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_int_equal(w->result.collected, collected);
	assert_int_equal(w->result.held, held);
	assert_int_equal(w->result.failed, failed);
	assert_int_equal(w->result.skipped, skipped);
}
