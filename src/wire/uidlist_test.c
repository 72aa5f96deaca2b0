/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "wire/uidlist.h"

static const struct row {
	const char *name, *file, *want;
} rows[] = {
	{ "nothing in it", "3 V1700000000 N1 G00\n", "1700000000;" },
	{ "as Dovecot writes it", "3 V17 N9 G00ff\n1 W30 :a.b,S=3\n7 :c:2,S\n", "17;1 a.b,S=3;7 c;" },
	{ "own ids and orders", "3 V17 N9\n1 Pmine O4 :a\n2 P :b\n3 O2 W1 :c\n4 Ox :d\n", "17;1 a P=mine O=4;2 b P=;3 c O=2;4 d;" },
	{ "fields that nobody knows", "3 V17 N9\n1 Xyz Gaa :a\n", "17;1 a;" },
	{ "no field at all", "3 V17 N9\n1 :a b:2,\n", "17;1 a b;" },
	{ "version 1", "1 17 9\n1 a\n5 b:2,S\n", "17;1 a;5 b;" },
	{ "the last line is being written", "3 V17 N9\n1 :a\n2 :b", "17;1 a;" },
	{ "uids go back", "3 V17 N9\n2 :a\n1 :b\n3 :c\n", "17;2 a;broken" },
	{ "a uid twice", "3 V17 N9\n2 :a\n2 :b\n", "17;2 a;broken" },
	{ "no uid", "3 V17 N9\nx :a\n", "17;broken" },
	{ "uid 0", "3 V17 N9\n0 :a\n", "17;broken" },
	{ "a uid that is too great", "3 V17 N9\n4294967295 :a\n", "17;broken" },
	{ "the greatest uid", "3 V17 N9\n4294967294 :a\n", "17;4294967294 a;" },
	{ "no file", "3 V17 N9\n1 W3\n", "17;broken" },
	{ "an empty file's name", "3 V17 N9\n1 :\n", "17;broken" },
	{ "a path", "3 V17 N9\n1 :../a\n", "17;broken" },
	{ "an empty line", "3 V17 N9\n\n1 :a\n", "17;broken" },
	{ "no header", "", "none" },
	{ "half a header", "3 V17 N9", "none" },
	{ "no UIDVALIDITY", "3 N9\n1 :a\n", "none" },
	{ "UIDVALIDITY 0", "3 V0 N9\n1 :a\n", "none" },
	{ "another version", "2 V17 N9\n1 :a\n", "none" },
	{ "no version", "x\n", "none" },
	{ "one octet", "3\n", "none" },
};

static void tell(char *log, size_t size, struct span file)
{
	struct uidlist u;
	struct uidlist_entry e;
	size_t n;

	if (!uidlist_start(&u, file)) {
		(void)snprintf(log, size, "none");
		return;
	}
	n = (size_t)snprintf(log, size, "%u;", u.validity);
	while (uidlist_next(&u, &e)) {
		n += (size_t)snprintf(log + n, size - n, "%u %.*s", e.uid, (int)e.base.len, e.base.at);
		if (e.pop3.at)
			n += (size_t)snprintf(log + n, size - n, " P=%.*s", (int)e.pop3.len, e.pop3.at);
		if (e.order)
			n += (size_t)snprintf(log + n, size - n, " O=%u", e.order);
		n += (size_t)snprintf(log + n, size - n, ";");
	}
	if (u.broken)
		(void)snprintf(log + n, size - n, "broken");
}

static void files(void **state)
{
	char log[400];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		tell(log, sizeof log, span_of(r->file));
		if (strcmp(log, r->want) != 0)
			fail_msg("%s: %s, not %s", r->name, log, r->want);
	}
}

/* Whatever was written of it so far: what it says then, it says in the end. */
static void files_cut_short_lie_about_nothing(void **state)
{
	char log[400];

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t len = 0; len < strlen(r->file); len++) {
			tell(log, sizeof log, (struct span){ r->file, len });
			if (strcmp(log, "none") != 0 && !strstr(log, "broken") && strncmp(log, r->want, strlen(log)) != 0)
				fail_msg("%s, cut at %zu: %s", r->name, len, log);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(files), cmocka_unit_test(files_cut_short_lie_about_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
