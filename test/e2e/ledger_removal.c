/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes into the ledger of a state directory that nothing has open, for test_removal.py and test_transcripts.py:
 * messages that are to be deleted whatever `after` says.
 *
 * ledger_removal STATE CONNECTION mark UID…       entries there are, by their UIDL or IMAP UID
 * ledger_removal STATE CONNECTION pending HOST USER MAILBOX VALIDITY UID…     IMAP messages that no visit had yet
 * It prints of how many entries it made that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger.h"

static bool is_named(const struct ledger_entry *entry, int count, char *const *uids)
{
	const char *slash = strrchr(entry->uid, '/');

	for (int n = 0; n < count; n++)
		if (strcmp(entry->uid, uids[n]) == 0 || (slash && strcmp(slash + 1, uids[n]) == 0))
			return true;
	return false;
}

static int mark(struct ledger *l, int count, char *const *uids)
{
	struct ledger_entry entry;
	int marked = 0;

	for (const uint8_t *after = NULL; ledger_next(l, after, &entry); after = entry.id) {
		if (entry.state == LEDGER_GONE || !is_named(&entry, count, uids))
			continue;
		entry.removal = true;
		if (entry.state == LEDGER_ACCEPTED || entry.state == LEDGER_SEEN)
			entry.state = LEDGER_DISPOSING;
		entry.changed++;
		ledger_put(l, &entry, 0);
		marked++;
	}
	return marked;
}

static int mark_all(struct store *s, const char *connection, int count, char *const *uids, struct err *e)
{
	struct ledger_name name = { 0 };
	int marked = 0;

	while (ledger_each(s, connection, &name)) {
		struct ledger *l;

		if (!ledger_open(s, connection, name.mailbox, &l, e))
			return -1;
		marked += mark(l, count, uids);
	}
	return marked;
}

static int pending(struct store *s, const char *connection, int count, char *const *words, struct err *e)
{
	struct ledger *l;

	if (count < 4 || !ledger_open(s, connection, words[2], &l, e))
		return -1;
	for (int n = 4; n < count; n++) {
		struct ledger_entry entry = { .state = LEDGER_PENDING, .first_seen = 1, .changed = 1, .removal = true };

		ledger_imap_id(span_of(words[0]), span_of(words[1]), span_of(words[2]), (uint32_t)strtoul(words[3], NULL, 10),
			(uint32_t)strtoul(words[n], NULL, 10), entry.id);
		ledger_put(l, &entry, 0);
	}
	return count - 4;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	struct store *s;
	int made;

	if (argc < 4 || !store_open(argv[1], 1u << 30, "ledger_removal", &s, &e)) {
		(void)fprintf(stderr, "ledger_removal: %s\n", e.text);
		return 1;
	}
	made = strcmp(argv[3], "pending") == 0 ? pending(s, argv[2], argc - 4, argv + 4, &e) : mark_all(s, argv[2], argc - 4, argv + 4, &e);
	store_close(&s);
	printf("%d\n", made);
	return made < 0;
}
