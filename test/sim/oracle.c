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

static uint32_t recognized(struct span octets, const char *where)
{
	struct span line = { octets.at, span_find(octets, '\r') }, word;
	uint64_t n;

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
			in_box[box_read++] = recognized((struct span){ text, text_len }, "mailbox");
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
			counts[recognized((struct span){ f->text, f->len }, "Maildir")]++;
}

static void count_target(int target, size_t counts[MAILS_MAX], bool durable)
{
	memset(counts, 0, MAILS_MAX * sizeof *counts);
	if (target == 0)
		count_box(counts);
	else
		count_maildir(counts, durable);
}

static bool wanted(int target)
{
	return target == 0 ? world->plan.mailbox : world->plan.maildir;
}

static const char *name_of(int target)
{
	return target == 0 ? "mailbox" : "Maildir";
}

bool oracle_everywhere(const struct mail *m)
{
	size_t counts[MAILS_MAX];

	for (int t = 0; t < 2; t++) {
		if (!wanted(t))
			continue;
		count_target(t, counts, true);
		if (!counts[m->alike])
			return false;
	}
	return true;
}

void oracle_removed(const struct mail *m)
{
	size_t counts[MAILS_MAX], gone = 0;

	for (size_t n = 0; n < world->mail_count; n++)
		gone += world->mails[n].alike == m->alike && world->mails[n].ours;
	for (int t = 0; t < 2; t++) {
		if (!wanted(t))
			continue;
		count_target(t, counts, true);
		if (counts[m->alike] < gone)
			violation("rule 1: message %zu left the origin by our doing, and the %s has it durably %zu times of %zu",
				(size_t)(m - world->mails), name_of(t), counts[m->alike], gone);
	}
}

void oracle_look(const char *when)
{
	size_t counts[MAILS_MAX], ever[MAILS_MAX] = { 0 };

	for (size_t n = 0; n < world->mail_count; n++)
		ever[world->mails[n].alike]++;
	for (int t = 0; t < 2; t++) {
		if (!wanted(t))
			continue;
		count_target(t, counts, false);
		for (size_t n = 0; n < world->mail_count; n++)
			if (counts[n] > ever[n])
				violation("rule 2: %s, the %s has message %zu %zu times; the origin had it %zu times", when, name_of(t), n,
					counts[n], ever[n]);
	}
}

static void all_are_there(int target)
{
	size_t counts[MAILS_MAX], must[MAILS_MAX] = { 0 };

	for (size_t n = 0; n < world->mail_count; n++)
		must[world->mails[n].alike] += !world->mails[n].theirs;
	count_target(target, counts, true);
	for (size_t n = 0; n < world->mail_count; n++)
		if (counts[n] < must[n])
			violation("rule 1: at the end, the %s has message %zu %zu times; the origin had it %zu times", name_of(target), n,
				counts[n], must[n]);
}

static void origin_is_right(const struct mail *m)
{
	size_t n = (size_t)(m - world->mails);

	if (m->theirs)
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
	case AFTER_MOVE:
		return;
	}
}

void oracle_end(void)
{
	oracle_look("at the end");
	for (int t = 0; t < 2; t++)
		if (wanted(t))
			all_are_there(t);
	for (const struct mail *m = world->mails; m < world->mails + world->mail_count; m++)
		origin_is_right(m);
	for (const struct file *f = world->files; f < world->files + world->file_count; f++)
		if (f->place == PLACE_TMP)
			violation("the end: tmp/%s is left", f->name);
}
