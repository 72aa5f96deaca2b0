/* SPDX-License-Identifier: Apache-2.0
 * What was handed over, deferred, refused and held, judged by what the ledger and the held area say durably.
 *
 * Twice is allowed to who could not know better:
 * - a target took it and its answer was lost: deliver.c counts those as they happen;
 * - a crash, or a disk that was full, came between its acceptance and the ledger: oracle_outstanding counts, right after it,
 *   the acceptances of that one visit of which the ledger knows nothing;
 * - it was quarantined for a recipient, and a copy that waits is for the same one: a crash, or a full disk, between the two.
 *   Those are asked once more (untaken.c). */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"
#include "store/digest.h"
#include "store/held.h"

static const char connection[] = "sim";
static uint8_t digests[MAILS_MAX][32];
static size_t digested;

static const uint8_t *digest_of(size_t mail)
{
	struct err e;
	struct digest *d;

	for (; digested <= mail; digested++) {
		d = digest_new(&e);
		assert(d);
		digest_add(d, (struct span){ world->mails[digested].text, world->mails[digested].len });
		digest_end(d, digests[digested]);
		digest_free(&d);
	}
	return digests[mail];
}

/* The first message of these octets. */
static size_t mail_of(const struct held_info *info)
{
	for (size_t n = 0; n < world->mail_count; n++)
		if (memcmp(digest_of(n), info->origin.digest, 32) == 0)
			return world->mails[n].alike;
	violation("the held area has a message that the origin never had");
}

/* ---- what is held */

struct copy {
	struct held_info info;
	enum aim aim;
	size_t mail;
	bool for_whom[RECIPIENTS];
};

static void look_into(struct copy *c)
{
	const char **recipients = NULL;
	size_t count = 0;
	struct err e;

	c->aim = plan_aim(c->info.target);
	c->mail = mail_of(&c->info);
	memset(c->for_whom, 0, sizeof c->for_whom);
	if (plan_recipients(c->aim) == 1)
		c->for_whom[0] = true;
	else if (!held_recipients(life_store, c->info.id, &recipients, &count, &e))
		violation("a held message's recipients cannot be read: %s", e.text);
	c->for_whom[0] = c->for_whom[0] || !count;	/* it named nobody */
	for (size_t n = 0; n < count; n++)
		c->for_whom[plan_recipient(recipients[n])] = true;
	free(recipients);
}

static bool next_copy(struct copy *c)
{
	if (!held_next_of(life_store, connection, &c->info))
		return false;
	look_into(c);
	return true;
}

void oracle_quarantined(size_t counts[AIMS][RECIPIENTS][MAILS_MAX], bool released)
{
	for (struct copy c = { .info.id = 0 }; next_copy(&c);)
		for (uint32_t r = 0; r < plan_recipients(c.aim); r++)
			counts[c.aim][r][c.mail] += c.for_whom[r] && (c.info.state == HELD_QUARANTINED || (c.info.released && (released || c.aim >= AIM_PROGRAM)));
}

/* ---- what the ledgers say */

struct walk {
	struct ledger_name name;
	struct ledger *ledger;
	struct ledger_entry entry;
	bool begun;
};

/* All entries of all ledgers. */
static bool next_entry(struct walk *w)
{
	struct err e;

	for (;;) {
		if (w->ledger && ledger_next(w->ledger, w->begun ? w->entry.id : NULL, &w->entry)) {
			w->begun = true;
			return true;
		}
		w->begun = false;
		if (!ledger_each(life_store, connection, &w->name))
			return false;
		if (!ledger_open(life_store, connection, w->name.mailbox, &w->ledger, &e))
			violation("a ledger cannot be opened: %s", e.text);
	}
}

static const struct ledger_target *target_of(const struct ledger_entry *entry, enum aim aim)
{
	uint64_t tag = plan_tag(aim);

	for (uint32_t t = 0; t < entry->target_count; t++)
		if (entry->targets[t].target == tag)
			return &entry->targets[t];
	return NULL;
}

static bool is_present(size_t alike)
{
	for (size_t n = 0; n < world->mail_count; n++)
		if (world->mails[n].alike == alike && world->mails[n].present)
			return true;
	return false;
}

/* Nobody is asked before `retry`. */
static bool stays(const struct ledger_target *t)
{
	return t->state == LEDGER_TARGET_REFUSED || (t->state == LEDGER_TARGET_HELD && !t->place[0]);
}

void oracle_kept(size_t counts[AIMS][MAILS_MAX])
{
	for (struct walk w = { .begun = false }; next_entry(&w);)
		for (size_t n = 0; n < world->mail_count; n++)
			for (int aim = 0; aim < AIMS; aim++) {
				const struct ledger_target *t = target_of(&w.entry, (enum aim)aim);

				counts[aim][n] += t && stays(t) && (w.entry.state == LEDGER_REFUSED || w.entry.state == LEDGER_HELD) && w.entry.has_digest &&
					world->mails[n].alike == n && is_present(n) && memcmp(digest_of(n), w.entry.digest, 32) == 0;
			}
}

/* Its copy waits for others only, and so this one has it. */
static bool others_only(const struct ledger_target *t, uint32_t r)
{
	struct copy c;
	uint64_t id;

	if (!held_id_read(t->place, &id) || !held_get(life_store, id, &c.info))
		return false;
	look_into(&c);
	return !c.for_whom[r];
}

static bool says(const struct ledger_entry *entry, const struct taken *taken)
{
	const struct ledger_target *t = target_of(entry, taken->aim);

	switch (entry->state) {
	case LEDGER_ACCEPTED:
	case LEDGER_QUARANTINED:
	case LEDGER_DISPOSING:
	case LEDGER_SKIPPED:
	case LEDGER_SEEN:
		return true;
	case LEDGER_PENDING:
	case LEDGER_HELD:
	case LEDGER_REFUSED:
	case LEDGER_GONE:
		return t && (t->state == LEDGER_TARGET_ACCEPTED || (t->state == LEDGER_TARGET_HELD && others_only(t, taken->recipient)));
	case LEDGER_SHARED:
	case LEDGER_ALIAS:
	case LEDGER_STATES:
		break;
	}
	return false;
}

/* A person let it go again, and no ledger speaks of it. */
static bool is_released(const struct taken *taken)
{
	for (struct copy c = { .info.id = 0 }; next_copy(&c);)
		if (c.info.released && c.aim == taken->aim && c.mail == taken->mail && c.for_whom[taken->recipient])
			return true;
	return false;
}

/* Where there are twins, what is said of one may be the other's. */
static bool is_known(const struct taken *taken)
{
	bool gone = false, there = false, known = false;

	if (world->plan.twins || is_released(taken))
		return false;
	for (struct walk w = { .begun = false }; next_entry(&w);) {
		if (!w.entry.has_digest || memcmp(w.entry.digest, digest_of(taken->mail), 32) != 0)
			continue;
		gone = gone || (w.entry.state == LEDGER_GONE && !target_of(&w.entry, taken->aim));
		there = there || w.entry.state != LEDGER_GONE || target_of(&w.entry, taken->aim);
		known = known || says(&w.entry, taken);
	}
	return there ? known : gone;	/* what another client took away is not asked for again */
}

static bool is_counted(uint64_t waiting, uint64_t quarantined)
{
	for (size_t n = 0; n < world->overlap_count; n++)
		if (world->overlaps[n].waiting == waiting && world->overlaps[n].quarantined == quarantined)
			return true;
	assert(world->overlap_count < OVERLAPS);
	world->overlaps[world->overlap_count].waiting = waiting;
	world->overlaps[world->overlap_count++].quarantined = quarantined;
	return false;
}

/* Quarantined already, and still among those for whom a copy waits. */
static void allow_overlaps(void)
{
	for (struct copy w = { .info.id = 0 }; next_copy(&w);)
		for (struct copy q = { .info.id = 0 }; w.info.state == HELD_WAITING && next_copy(&q);) {
			bool both = false;

			if (q.info.state != HELD_QUARANTINED || q.aim != w.aim || q.mail != w.mail)
				continue;
			for (uint32_t r = 0; r < RECIPIENTS; r++)
				both = both || (w.for_whom[r] && q.for_whom[r]);
			if (!both || is_counted(w.info.id, q.info.id))
				continue;
			for (uint32_t r = 0; r < RECIPIENTS; r++)
				world->tallies[w.aim][r][w.mail].overlaps += w.for_whom[r] && q.for_whom[r];
		}
}

/* It came again in the same visit, whose ledger was renewed behind the full disk: that tells of the later one alone. */
static bool came_again(const struct taken *t)
{
	for (const struct taken *later = t + 1; later < world->acceptances + world->acceptance_count; later++)
		if (later->aim == t->aim && later->recipient == t->recipient && later->mail == t->mail)
			return true;
	return false;
}

void oracle_outstanding(void)
{
	size_t unknown[AIMS] = { 0 };
	bool full = world->was_full, crash = world->forgets && !full && !world->plan.twins;

	if (!world->forgets && !world->was_full)
		return;
	world->forgets = world->was_full = false;
	for (size_t n = 0; n < world->acceptance_count; n++) {
		struct taken *t = &world->acceptances[n];

		if (t->visit != world->visits || t->allowed || (is_known(t) && !(full && came_again(t))))
			continue;
		t->allowed = true;
		unknown[t->aim] += (!n || t[-1].mail != t->mail || t[-1].aim != t->aim) && !is_released(t);
		if (crash && unknown[t->aim] > world->plan.parallel)
			violation("after a crash nobody knows of %zu messages that the %s has, and it took %u at once", unknown[t->aim],
				plan_names[t->aim], world->plan.parallel);
		world->tallies[t->aim][t->recipient][t->mail].again++;
		world->doubled++;
		told("oracle: nobody knows that the %s has message %u for %u", plan_names[t->aim], t->mail, t->recipient);
	}
	allow_overlaps();
}

/* ---- both together */

/* What some recipients have is held without regard to held_max, lest those get it again. */
static uint64_t held_whole(void)
{
	uint64_t octets = 0;

	for (struct copy c = { .info.id = 0 }; next_copy(&c);) {
		bool whole = c.info.state != HELD_QUARANTINED;

		for (uint32_t r = 0; r < plan_recipients(c.aim); r++)
			whole = whole && c.for_whom[r];
		octets += whole ? c.info.size : 0;
	}
	return octets;
}

/* What it judges by, for who looks for the reason. */
static void show_entry(const struct ledger_entry *entry)
{
	char targets[160] = "";
	size_t mail = 0;

	if (!world->shows)
		return;
	while (mail < world->mail_count && !(entry->has_digest && memcmp(digest_of(mail), entry->digest, 32) == 0))
		mail++;
	for (uint32_t t = 0; t < entry->target_count; t++)
		for (int aim = 0; aim < AIMS; aim++)
			if (entry->targets[t].target == plan_tag((enum aim)aim))
				(void)snprintf(targets + strlen(targets), sizeof targets - strlen(targets), " %s=%d %s", plan_names[aim],
					(int)entry->targets[t].state, entry->targets[t].place);
	told("ledger: %02x%02x %s message %zu %s%s", entry->id[0], entry->id[1], entry->uid, mail, ledger_state_name(entry->state), targets);
}

void oracle_held(const char *when)
{
	for (struct walk w = { .begun = false }; next_entry(&w); show_entry(&w.entry))
		for (uint32_t t = 0; t < w.entry.target_count; t++) {
			struct held_info info;
			uint64_t id;

			if (w.entry.targets[t].state != LEDGER_TARGET_HELD || w.entry.state == LEDGER_GONE || (world->plan.leaves && !w.entry.targets[t].place[0]))
				continue;
			if (!held_id_read(w.entry.targets[t].place, &id) || !held_get(life_store, id, &info))
				violation("%s, entry %s (%s) speaks of held message %s, and there is none", when, w.entry.uid,
					ledger_state_name(w.entry.state), w.entry.targets[t].place);
		}
	if (world->plan.held_max && !world->released && held_whole() > world->plan.held_max)
		violation("%s, %llu octets are held for all their recipients, and held_max is %llu", when, (unsigned long long)held_whole(),
			(unsigned long long)world->plan.held_max);
}

void oracle_held_end(void)
{
	struct held_sums sums;

	held_sums_of(life_store, connection, &sums);
	if (sums.waiting || sums.failed)
		violation("the end: %llu messages wait in the held area, %llu are given up", (unsigned long long)sums.waiting,
			(unsigned long long)sums.failed);
	for (struct walk w = { .begun = false }; next_entry(&w);) {
		if ((w.entry.state == LEDGER_HELD && !world->plan.leaves) || (w.entry.state == LEDGER_REFUSED && world->plan.on_refused != REFUSED_KEEP))
			violation("the end: entry %s is still %s", w.entry.uid, ledger_state_name(w.entry.state));
	}
}
