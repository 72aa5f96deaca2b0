/* SPDX-License-Identifier: Apache-2.0
 * Rules 1 and 2 of PRODUCT 2.3, judged by what the origin and the targets know. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"
#include "store/mailbox.h"

enum { TEXT_MAX = 1 << 20, BOX_MAX = 4096 };

static char text[TEXT_MAX];
static size_t text_len;
static uint32_t in_box[BOX_MAX];	/* by position: which message; what was read once */
static size_t box_read;

/* What an envelope put on top of it. */
static struct span without_lead(struct span octets)
{
	while (span_starts(octets, SPAN("X-Real-To: ")) || span_starts(octets, SPAN("Delivered-To: ")))
		octets = span_from(octets, span_find(octets, '\n') + 1);
	return octets;
}

uint32_t oracle_recognized(struct span octets, const char *where)
{
	struct span line, word;
	uint64_t n;

	octets = world->plan.handed ? without_lead(octets) : octets;
	line = (struct span){ octets.at, span_find(octets, '\r') };
	if (span_word(&line, &word) && span_equal(word, SPAN("Subject:")) && span_word(&line, &word) &&
	    span_number(word, world->mail_count, &n) && n < world->mail_count &&
	    span_equal(octets, (struct span){ world->mails[n].text, world->mails[n].len }))
		return (uint32_t)n;
	violation("rule 1: in the %s stands what is no message of the origin's, whole: %zu octets, \"%.20s\"", where, octets.len,
		octets.len ? octets.at : "");
}

static bool add_text(void *user, struct span octets)
{
	(void)user;
	assert(text_len + octets.len <= sizeof text);
	memcpy(text + text_len, octets.at, octets.len);
	text_len += octets.len;
	return true;
}

/* What came since the last look. */
static void read_box(void)
{
	struct mailbox_entry entries[64];
	struct mailbox *box;
	struct err e;
	size_t n;

	if (!life_store || !mailbox_open(life_store, "anna/INBOX", false, &box, &e))
		return;
	while ((n = mailbox_entries(box, box_read, entries, COUNT(entries)))) {
		for (size_t k = 0; k < n; k++) {
			text_len = 0;
			if (!mailbox_read(box, entries[k].uid, add_text, NULL, &e))
				violation("rule 1: a message of the mailbox cannot be read: %s", e.text);
			assert(box_read < BOX_MAX);
			in_box[box_read++] = oracle_recognized((struct span){ text, text_len }, "mailbox");
		}
	}
}

/* How often the mailbox has each message; `counts` by the first of those alike. */
static void count_box(size_t counts[MAILS_MAX])
{
	read_box();
	for (size_t n = 0; n < box_read; n++)
		counts[in_box[n]]++;
}

static void count_maildir(size_t counts[MAILS_MAX], bool durable)
{
	for (const struct file *f = world->files; f < world->files + world->file_count; f++)
		if (f->place >= PLACE_NEW && (!durable || (f->synced && f->durable >= PLACE_NEW)))
			counts[oracle_recognized((struct span){ f->text, f->len }, "Maildir")]++;
}

/* How often the target has each message, by the first of those alike; for recipient `r` where it tells them apart. */
static void count_target(enum aim aim, uint32_t r, size_t counts[MAILS_MAX], bool durable)
{
	memset(counts, 0, MAILS_MAX * sizeof *counts);
	switch (aim) {
	case AIM_MAILBOX:
		count_box(counts);
		return;
	case AIM_MAILDIR:
		count_maildir(counts, durable);
		return;
	case AIM_PROGRAM:
	case AIM_SERVER:
		for (size_t n = 0; n < world->mail_count; n++)
			counts[n] = world->tallies[aim][r][n].taken;
		return;
	case AIMS:
		break;
	}
	assert(0);
}

/* The targets of this run, for each recipient that they tell apart; start with { AIM_MAILBOX, UINT32_MAX }. */
struct spot {
	enum aim aim;
	uint32_t r;
};

static const struct spot nowhere = { AIM_MAILBOX, UINT32_MAX };

static bool next_spot(struct spot *w)
{
	w->r++;
	while (w->aim < AIMS && (!world->plan.aims[w->aim] || w->r >= plan_recipients(w->aim))) {
		w->aim++;
		w->r = 0;
	}
	return w->aim < AIMS;
}

static size_t held[AIMS][RECIPIENTS][MAILS_MAX], rests[AIMS][RECIPIENTS][MAILS_MAX], kept[AIMS][MAILS_MAX];	/* quarantined; those that nobody released; refused, and at the server */

static void look_at_held(void)
{
	memset(held, 0, sizeof held);
	memset(rests, 0, sizeof rests);
	memset(kept, 0, sizeof kept);
	if (!world->plan.handed || !life_store)
		return;
	oracle_quarantined(held, true);
	oracle_quarantined(rests, false);
	oracle_kept(kept);
}

/* How many of it are where they are to be, or need not be there: quarantined, or dropped because it was refused. */
static size_t settled(const struct spot *w, size_t n, const size_t counts[MAILS_MAX])
{
	const struct tally *t = &world->tallies[w->aim][w->r][n];

	if (world->mails[n].lost && (w->r || world->plan.drops))
		return world->mail_count;	/* nobody's */
	return counts[n] + held[w->aim][w->r][n] + (world->plan.on_refused == REFUSED_DELETE ? t->refused : 0);
}

bool oracle_everywhere(const struct mail *m)
{
	size_t counts[MAILS_MAX];

	look_at_held();
	for (struct spot w = nowhere; next_spot(&w);) {
		count_target(w.aim, w.r, counts, true);
		if (!settled(&w, m->alike, counts))
			return false;
	}
	return true;
}

void oracle_removed(const struct mail *m)
{
	size_t counts[MAILS_MAX], gone = 0;

	for (size_t n = 0; n < world->mail_count; n++)
		gone += world->mails[n].alike == m->alike && world->mails[n].disposed;
	look_at_held();
	for (struct spot w = nowhere; next_spot(&w);) {
		count_target(w.aim, w.r, counts, true);
		if (settled(&w, m->alike, counts) < gone)
			violation("rule 1: our client disposed of message %zu, and the %s has it durably for %u %zu times of %zu",
				(size_t)(m - world->mails), plan_names[w.aim], w.r, settled(&w, m->alike, counts), gone);
	}
}

void oracle_look(const char *when)
{
	size_t counts[MAILS_MAX], ever[MAILS_MAX] = { 0 };

	for (size_t n = 0; n < world->mail_count; n++)
		ever[world->mails[n].alike] += 1 + world->mails[n].again;
	look_at_held();
	for (struct spot w = nowhere; next_spot(&w);) {
		count_target(w.aim, w.r, counts, false);
		for (size_t n = 0; n < world->mail_count; n++) {
			const struct tally *t = &world->tallies[w.aim][w.r][n];

			if (counts[n] + rests[w.aim][w.r][n] > ever[n] + t->again + t->overlaps)
				violation("rule 2: %s, the %s has message %zu for %u %zu times, and %zu are quarantined; the origin had it %zu times, "
					"and %u may have come again", when, plan_names[w.aim], n, w.r, counts[n], rests[w.aim][w.r][n], ever[n],
					t->again + t->overlaps);
		}
	}
	if (world->plan.handed && life_store)
		oracle_held(when);
}

static void all_are_there(const struct spot *w)
{
	size_t counts[MAILS_MAX], must[MAILS_MAX] = { 0 };

	for (size_t n = 0; n < world->mail_count; n++)
		must[world->mails[n].alike] += !world->mails[n].theirs;
	count_target(w->aim, w->r, counts, true);
	for (size_t n = 0; n < world->mail_count; n++)
		if (settled(w, n, counts) + kept[w->aim][n] < must[n])
			violation("rule 1: at the end, the %s has message %zu for %u %zu times; the origin had it %zu times", plan_names[w->aim], n,
				w->r, settled(w, n, counts) + kept[w->aim][n], must[n]);
}

/* It was refused: then it may be where on_refused says. */
static bool was_refused(const struct mail *m)
{
	if (m->lost)
		return world->plan.drops || world->plan.leaves;
	for (struct spot w = nowhere; next_spot(&w);)
		if (world->tallies[w.aim][w.r][m->alike].refused)
			return world->plan.on_refused != REFUSED_QUARANTINE;
	return false;
}

static void origin_is_right(const struct mail *m)
{
	size_t n = (size_t)(m - world->mails);

	if (m->theirs || was_refused(m))
		return;
	switch (world->plan.after) {
	case AFTER_DELETE:
		if (m->present)
			violation("the end: message %zu is still at the origin", n);
		return;
	case AFTER_KEEP:
		if (!m->present && !world->plan.delete_after_s)
			violation("the end: message %zu is no longer at the origin", n);
		return;
	case AFTER_SEEN:
		if (!m->seen)
			violation("the end: message %zu is not marked \\Seen", n);
		return;
	case AFTER_MOVE:
		if (m->present || !m->copies)
			violation("the end: message %zu was not moved", n);
		return;
	}
}

void oracle_end(void)
{
	oracle_look("at the end");
	for (struct spot w = nowhere; next_spot(&w);)
		all_are_there(&w);
	for (const struct mail *m = world->mails; m < world->mails + world->mail_count; m++)
		origin_is_right(m);
	for (const struct file *f = world->files; f < world->files + world->file_count; f++)
		if (f->place == PLACE_TMP)
			violation("the end: tmp/%s is left", f->name);
	if (world->plan.handed)
		oracle_held_end();
}
