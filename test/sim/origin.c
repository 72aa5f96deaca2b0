/* SPDX-License-Identifier: Apache-2.0
 * The mailbox at the origin: its messages, how they come, and what other
 * clients and administrators do to it while nobody visits. */
#include <assert.h>
#include <stdio.h>

#include "server.h"

enum { TEXT_MAX = 200000, KNOWN_ENOUGH = 10 };

static const char *const lines[] = {
	"hello", ".", "..", ".hidden", "", "a line with eight bits: \xc3\xa4\xf6", "From here on", "+OK not a reply", "-ERR neither",
	"* 1 EXPUNGE", ")", "a001 OK done", "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789",
};

static size_t size_wanted(void)
{
	if (one_in(200))
		return 66000 + below(TEXT_MAX - 70000);
	return one_in(12) ? 1000 + below(6000) : below(400);
}

static void write_text(struct mail *m)
{
	size_t wanted = size_wanted();
	char *at = world_take(wanted + 800);
	int n = snprintf(at, 100, "Subject: %u\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n", m->alike);
	size_t len = (size_t)n;

	m->lost = world->plan.envelope && percent(world->plan.lost_percent);
	for (uint32_t r = 0; world->plan.envelope && r < world->plan.recipients && !m->lost; r++)
		len += (size_t)snprintf(at + len, 100, PLAN_FIELD ": %s\r\n", plan_recipients_are[r]);
	len += (size_t)snprintf(at + len, 3, "\r\n");

	while (len < wanted) {
		n = snprintf(at + len, 200, "%s\r\n", lines[below(COUNT(lines))]);
		len += (size_t)n;
	}
	m->text = at;
	m->len = len;
}

static bool id_is_used(const char *uid)
{
	for (size_t n = 0; n < world->mail_count; n++)
		if (world->mails[n].present && strcmp(world->mails[n].uid, uid) == 0)
			return true;
	return false;
}

/* A new message may come under an id that one which is there has already. */
static void name_mail(struct mail *m, size_t index)
{
	const struct mail *other = &world->mails[below(index + 1)];

	(void)snprintf(m->uid, sizeof m->uid, "g%u-%zu", world->uid_generation, index);
	if (world->plan.uids == UIDS_DOUBLED && one_in(2) && other->present && id_is_used(other->uid))
		memcpy(m->uid, other->uid, sizeof m->uid);
}

void origin_arrives(void)
{
	size_t index = world->mail_count;
	struct mail *m = &world->mails[index];

	/* Ten known ids that are gone at once are a wholesale change: then a twin could pass for one of them. */
	if (index == (world->plan.twins ? KNOWN_ENOUGH - 1 : MAILS_MAX))
		return;
	m->alike = (uint32_t)index;
	if (world->plan.twins && index && one_in(3)) {
		const struct mail *other = &world->mails[below(index)];

		*m = (struct mail){ .alike = other->alike, .text = other->text, .len = other->len, .lost = other->lost };
	} else {
		write_text(m);
	}
	name_mail(m, index);
	m->number = world->uid_next;
	world->uid_next += one_in(4) ? 1 + (uint32_t)log_below(100000) : 1;
	m->present = true;
	m->arrived_us = world->now_us;
	world->modseq++;
	world->mail_count++;
	told("origin: message %zu comes, %s, %zu octets", index, m->uid, m->len);
}

size_t origin_present(void)
{
	size_t count = 0;

	for (size_t n = 0; n < world->mail_count; n++)
		count += world->mails[n].present;
	return count;
}

void origin_found(void)
{
	size_t count = one_in(4) ? log_below(40) : 1 + below(12);

	while (count--)
		origin_arrives();
}

void origin_remove(struct mail *m, bool ours)
{
	assert(m->present);
	m->present = false;
	world->modseq++;
	told("origin: message %zu is gone by %s", (size_t)(m - world->mails), ours ? "our doing" : "another client");
	if (!ours) {
		m->theirs = true;
		return;
	}
	m->ours = m->disposed = true;
	oracle_removed(m);
}

/* The server is moved to another machine: every id is another one.  With fewer
 * than ten known ones PRODUCT promises nothing. */
static void change_uidls(void)
{
	size_t known = 0;

	for (size_t n = 0; n < world->mail_count; n++) {
		const struct mail *m = &world->mails[n];

		known += m->present && oracle_everywhere(m);
	}
	if (known < KNOWN_ENOUGH)
		return;
	world->uid_generation++;
	told("origin: all ids change");
	for (size_t n = 0; n < world->mail_count; n++)
		if (world->mails[n].present)
			(void)snprintf(world->mails[n].uid, UID_TEXT, "g%u-%zu", world->uid_generation, n);
}

/* Two had this id: one gone unseen, the other would pass for it, and nobody could know. */
static bool id_was_shared(const struct mail *m)
{
	for (size_t n = 0; n < world->mail_count; n++)
		if (&world->mails[n] != m && strcmp(world->mails[n].uid, m->uid) == 0)
			return true;
	return false;
}

/* IMAP's way to say so. */
static void change_validity(void)
{
	world->uid_validity++;
	world->uid_next = 1 + (uint32_t)below(20);
	world->modseq++;
	told("origin: UIDVALIDITY changes to %u", world->uid_validity);
	for (size_t n = 0; n < world->mail_count; n++)
		if (world->mails[n].present)
			world->mails[n].number = world->uid_next++;
}

void origin_moves(void)
{
	change_validity();
}

void origin_others(void)
{
	struct mail *m = &world->mails[below(MAILS_MAX)];

	if (one_in(2))
		origin_arrives();
	if (one_in(3) && world->mail_count)	/* it is seen and thrown away before we see it */
		world->mails[world->mail_count - 1].deleted = true;
	if (m >= world->mails + world->mail_count || !m->present)
		return;
	world->modseq++;
	switch (below(4)) {
	case 0:
		origin_remove(m, false);
		return;
	case 1:
		m->again += m->seen && world->plan.after == AFTER_SEEN;
		m->seen = !m->seen;
		break;
	case 2:
		m->deleted = true;
		break;
	case 3:		/* not ours between STORE and EXPUNGE, when ids may change too: that confirms what is not so */
		m->deleted = m->deleted && m->marked && world->plan.wholesale;
		break;
	}
	told("origin: another client makes message %zu %s %s", (size_t)(m - world->mails), m->seen ? "seen" : "unseen",
		m->deleted ? "deleted" : "");
}

static void pop3_between(void)
{
	struct mail *m = world->mail_count ? &world->mails[below(world->mail_count)] : NULL;

	if (m && one_in(8) && m->present && !id_was_shared(m))
		origin_remove(m, false);
	if (world->plan.wholesale && one_in(4))
		change_uidls();
}

static void imap_between(void)
{
	while (one_in(3))
		origin_others();
	if (world->plan.wholesale && one_in(4))
		change_validity();
}

void origin_between(void)
{
	while (one_in(3))
		origin_arrives();
	if (world->plan.protocol == PROTOCOL_POP3)
		pop3_between();
	else
		imap_between();
}
