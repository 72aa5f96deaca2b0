/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/scheme_cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <crypt.h>

static void what_crypt_may_cost(void **state)
{
	static const struct row { const char *setting, *why; } rows[] = {
		{ "ab", NULL }, { "abcdefghijklm", NULL }, { "_zzzz....", NULL }, { "$1$salt$", NULL }, { "$3$$8846f7eaee8fb117ad06bdd830b7586c", NULL },
		{ "$5$salt$", NULL }, { "$6$salt$", NULL }, { "$5$rounds=1000000$salt$", NULL }, { "$6$rounds=1000000$salt$", NULL },
		{ "$5$rounds=1000001$salt$", "1000001 rounds, and at most 1000000 are done" }, { "$6$rounds=999999999$salt$", "999999999 rounds" },
		{ "$sha1$2000000$salt$", NULL }, { "$sha1$2000001$salt$", "2000001 rounds" },
		{ "$md5$salt$", NULL }, { "$md5,rounds=2000000$salt$", NULL }, { "$md5,rounds=2000001$salt$", "2000001 rounds" },
		{ "$2y$15$aaaaaaaaaaaaaaaaaaaaaa", NULL }, { "$2a$16$aaaaaaaaaaaaaaaaaaaaaa", "16 as the binary logarithm of its rounds, and at most 15 are done" },
		{ "$2b$31$aaaaaaaaaaaaaaaaaaaaaa", "31 as" },
		{ "$y$j9T$salt", NULL }, { "$y$jDT$salt", NULL }, { "$y$jET$salt", "512 MiB of memory, and at most 256 are used" }, { "$gy$jET$salt", "512 MiB" },
		{ "$y$jDU$salt", "264 MiB" }, { "$y$jDT/0$salt", NULL }, { "$y$jDT/1$salt", "5 passes over 262144 KiB of memory, and at most 4 are done" },
		{ "$7$EU..../....salt", NULL }, { "$7$EU....0....salt", NULL }, { "$7$EU....2....salt", NULL },
		{ "$7$EU....3....salt", "5 passes" }, { "$7$FU..../....salt", "512 MiB" }, { "$7$zzzzzzzzzzzsalt", "63 as the binary logarithm of its memory" },
		{ "$7$EzzzzzA....salt", "8589934584 MiB of memory" }, { "$9$salt", "a method that is not known here" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct err e = { 0 };
		bool fits = scheme_cost_crypt(r->setting, &e);

		if (fits != !r->why || (r->why && strncmp(e.text, r->why, strlen(r->why)) != 0))
			fail_msg("%s: %s", r->setting, e.text);
		assert_int_equal(e.kind, fits ? ERR_NONE : ERR_CONFIG);
	}
}

/* What libxcrypt makes itself is never refused, at the costs that it has a range of; and memory is read as it means it. */
static void what_libxcrypt_makes_is_known(void **state)
{
	static const struct row { const char *prefix; unsigned long count; bool fits; } rows[] = {
		{ "$y$", 0, true }, { "$y$", 1, true }, { "$y$", 9, true }, { "$y$", 10, false }, { "$y$", 11, false },
		{ "$gy$", 0, true }, { "$gy$", 11, false }, { "$7$", 0, true }, { "$7$", 9, true }, { "$7$", 11, false },
		{ "$2b$", 0, true }, { "$2b$", 15, true }, { "$2b$", 16, false }, { "$6$", 0, true }, { "$6$", 1000000, true }, { "$6$", 1000001, false },
		{ "$5$", 0, true }, { "$sha1", 0, true }, { "$sha1", 3000000, false }, { "$md5", 0, true }, { "$1$", 0, true }, { "_", 0, true }, { "", 0, true },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char setting[CRYPT_GENSALT_OUTPUT_SIZE];
		struct err e = { 0 };

		if (!crypt_gensalt_rn(r->prefix, r->count, "0123456789abcdef0123456789abcdef", 32, setting, sizeof setting))
			continue;	/* a distribution may leave old ones out */
		if (scheme_cost_crypt(setting, &e) != r->fits)
			fail_msg("%s: %s", setting, e.text);
	}
}

static void what_argon_may_cost(void **state)
{
	static const struct row { const char *text, *why; } rows[] = {
		{ "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$AAAA", NULL }, { "$argon2i$m=262144,t=8,p=1$c2FsdA$AAAA", NULL },
		{ "$argon2id$v=19$m=262145,t=1,p=1$c2FsdA$AAAA", "256 MiB of memory" }, { "$argon2id$v=19$m=4194304,t=100,p=1$c2FsdA$AAAA", "4096 MiB of memory, and at most 256" },
		{ "$argon2id$v=19$m=262144,t=9,p=1$c2FsdA$AAAA", "9 passes over 262144 KiB of memory, and at most 8 are done" },
		{ "$argon2id$v=19$m=65536,t=32,p=4$c2FsdA$AAAA", NULL }, { "$argon2id$v=19$m=65536,t=33,p=4$c2FsdA$AAAA", "33 passes" },
		{ "$argon2id$v=19$m=8,t=4294967295,p=1$c2FsdA$AAAA", "4294967295 passes" }, { "$argon2id$v=19$m=8,t=1,p=16777215$c2FsdA$AAAA", "131071 MiB of memory" },
		{ "$argon2id$v=19$m=99999999999999999999999,t=1,p=1$c2FsdA$AAAA", "" }, { "$argon2id$v=19$t=1,m=8,p=1$c2FsdA$AAAA", "parameters" },
		{ "", "parameters" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct err e = { 0 };

		if (scheme_cost_argon(r->text, &e) != !r->why || (r->why && strncmp(e.text, r->why, strlen(r->why)) != 0))
			fail_msg("%s: %s", r->text, e.text);
	}
}

static void what_iterations_may_cost(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_true(scheme_cost_iterations(10000000, &e));
	assert_false(scheme_cost_iterations(10000001, &e));
	assert_string_equal(e.text, "10000001 iterations, and at most 10000000 are done");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_crypt_may_cost),
		cmocka_unit_test(what_libxcrypt_makes_is_known),
		cmocka_unit_test(what_argon_may_cost),
		cmocka_unit_test(what_iterations_may_cost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
