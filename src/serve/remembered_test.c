/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/remembered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

enum { LAST = 60000, SMALL = 128 };

static struct remembered *new_one(size_t entries)
{
	struct err e;
	struct remembered *r = remembered_new(entries, LAST, &e);

	assert_non_null(r);
	return r;
}

static bool there(struct remembered *r, const struct remembered_what *w, uint64_t now)
{
	struct remembered_mac mac;

	remembered_mac(r, w, &mac);
	return remembered_there(r, &mac, now);
}

static void put(struct remembered *r, const struct remembered_what *w, uint64_t now)
{
	struct remembered_mac mac;

	remembered_mac(r, w, &mac);
	remembered_put(r, &mac, now);
}

/* Whatever differs, also where octets only move from one part to the next, is not there. */
static void only_all_of_it_is_there(void **state)
{
	static const struct remembered_what put_in = { "anna", "password", { "geheim", 6 }, "$argon2id$salt", "internal" };
	static const struct remembered_what others[] = {
		{ "bob", "password", { "geheim", 6 }, "$argon2id$salt", "internal" }, { "annap", "assword", { "geheim", 6 }, "$argon2id$salt", "internal" },
		{ "anna", "passwor", { "dgeheim", 7 }, "$argon2id$salt", "internal" }, { "anna", "password", { "geheim$", 7 }, "argon2id$salt", "internal" },
		{ "anna", "password", { "Geheim", 6 }, "$argon2id$salt", "internal" }, { "anna", "password", { "geheim", 5 }, "$argon2id$salt", "internal" },
		{ "anna", "password", { "geheim\0", 7 }, "$argon2id$salt", "internal" }, { "anna", "password", { "", 0 }, "$argon2id$salt", "internal" },
		{ "anna", "other", { "geheim", 6 }, "$argon2id$salt", "internal" }, { "anna", "password", { "geheim", 6 }, "$argon2id$other", "internal" },
		{ "anna", "password", { "geheim", 6 }, "$argon2id$salt", "pam:pop3" }, { "anna", "password", { "geheim", 6 }, "$argon2id$salt", NULL },
	};
	struct remembered *r = new_one(SMALL), *second = new_one(SMALL);

	(void)state;
	assert_false(there(r, &put_in, 5));
	put(r, &put_in, 5);
	assert_true(there(r, &put_in, 5));
	for (size_t n = 0; n < COUNT(others); n++)
		assert_false(there(r, &others[n], 5));
	/* Another process has another key. */
	assert_false(there(second, &put_in, 5));
	remembered_free(&r);
	remembered_free(&second);
}

static void it_lasts_and_no_longer(void **state)
{
	static const struct remembered_what w = { "anna", "password", { "geheim", 6 }, "x", "internal" };
	struct remembered *r = new_one(SMALL);

	(void)state;
	put(r, &w, 1000);
	assert_true(there(r, &w, 1000 + LAST - 1));	/* being found makes it no longer: */
	assert_false(there(r, &w, 1000 + LAST));
	put(r, &w, 1000 + LAST);
	assert_true(there(r, &w, 1000 + LAST + LAST - 1));
	assert_false(there(r, &w, 1000 + LAST + LAST));
	remembered_free(&r);
}

/* However many are put, so many are there, and the newest is. */
static void it_is_bounded(void **state)
{
	struct remembered *r = new_one(SMALL);
	char name[16];
	size_t found = 0, late = 0;

	(void)state;
	for (unsigned n = 0; n < 10 * SMALL; n++) {
		struct remembered_what w = { name, "password", { "x", 1 }, "v", "internal" };

		(void)snprintf(name, sizeof name, "%u", n);
		put(r, &w, 1000 + n);
		assert_true(there(r, &w, 1000 + n));
	}
	for (unsigned n = 0; n < 10 * SMALL; n++) {
		struct remembered_what w = { name, "password", { "x", 1 }, "v", "internal" };

		(void)snprintf(name, sizeof name, "%u", n);
		found += there(r, &w, 3000);
		late += n >= 9 * SMALL && there(r, &w, 3000);
	}
	assert_int_equal(found, SMALL);
	assert_true(late > SMALL / 2);		/* the old ones gave way */
	remembered_free(&r);
}

struct hammer { struct remembered *r; unsigned first; };

static void *hammer(void *user)
{
	const struct hammer *h = user;
	char name[16];

	for (unsigned n = 0; n < 2000; n++) {
		struct remembered_what w = { name, "password", { "x", 1 }, "v", "internal" };

		(void)snprintf(name, sizeof name, "%u", h->first + n % 50);
		if (n < 50 && there(h->r, &w, 1000))
			return "found what nobody put";
		put(h->r, &w, 1000);
	}
	return NULL;
}

static void any_thread_may(void **state)
{
	struct remembered *r = new_one(REMEMBERED_ENTRIES);
	struct hammer h[3] = { { r, 0 }, { r, 1000 }, { r, 2000 } };
	pthread_t t[COUNT(h)];
	void *said;

	(void)state;
	for (size_t n = 0; n < COUNT(h); n++)
		assert_int_equal(pthread_create(&t[n], NULL, hammer, &h[n]), 0);
	for (size_t n = 0; n < COUNT(h); n++) {
		assert_int_equal(pthread_join(t[n], &said), 0);
		assert_null(said);
	}
	remembered_free(&r);
	remembered_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_all_of_it_is_there),
		cmocka_unit_test(it_lasts_and_no_longer),
		cmocka_unit_test(it_is_bounded),
		cmocka_unit_test(any_thread_may),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
