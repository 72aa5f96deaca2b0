/* SPDX-License-Identifier: Apache-2.0
 *
 * For this room's tests: a directory of their own, a store in it with the
 * account anna, messages put in and read back. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/account.h"
#include "store/mailbox.h"

#define FIXTURE_MAP ((uint64_t)1 << 32)

/* A call that must succeed: its error is what the test tells. */
#define must(call) do { if (!(call)) fail_msg("%s: %s", #call, fixture_err.text); } while (0)

[[maybe_unused]] static struct err fixture_err;

[[maybe_unused]] static const char *fixture_directory(void)
{
	static char path[64];

	(void)snprintf(path, sizeof path, "%s", "/tmp/postrider-test.XXXXXX");
	assert_non_null(mkdtemp(path));
	return path;
}

static inline int fixture_unlink(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

[[maybe_unused]] static void fixture_remove(const char *path)
{
	(void)nftw(path, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

[[maybe_unused]] static struct store *fixture_store(const char *state)
{
	struct store *s;

	must(store_open(state, FIXTURE_MAP, "test", &s, &fixture_err));
	if (!account_there(s, "anna"))
		must(account_add(s, "anna", SPAN(""), false, &fixture_err));
	return s;
}

[[maybe_unused]] static struct mailbox *fixture_box(struct store *s, const char *name)
{
	struct mailbox *box;

	must(mailbox_open(s, name, true, &box, &fixture_err));
	return box;
}

/* The number of anna/INBOX's first body: its epoch, then 1. */
[[maybe_unused]] static uint64_t fixture_first_blob(struct store *s)
{
	struct view *v;
	struct span epoch;
	uint64_t blob = 0;

	must(view_begin(store_engine(s), &v, &fixture_err));
	if (view_get(v, engine_part_of("names", SPAN("")), SPAN("banna/INBOX"), &epoch))
		for (size_t n = 0; n < epoch.len; n++)
			blob = blob << 8 | (unsigned char)epoch.at[n];
	view_end(&v);
	return blob << 32 | 1;
}

/* Takes all answers; returns how many were good. */
[[maybe_unused]] static size_t fixture_drain(struct store *s)
{
	struct store_done d;
	size_t n = 0;

	while (store_wait(s))
		while (store_next(s, &d))
			n += d.good;
	return n;
}

[[maybe_unused]] static void fixture_append(struct mailbox *box, struct span octets, const struct mailbox_source *source, uint64_t ticket)
{
	struct incoming *in = incoming_new(box, &fixture_err);

	must(in);
	must(incoming_add(in, octets, &fixture_err));
	incoming_finish(&in, source, 1000, 0, ticket);
}

/* `count` small messages, each its number; all of them durable. */
[[maybe_unused]] static void fixture_fill(struct store *s, struct mailbox *box, size_t count)
{
	for (size_t n = 1; n <= count; n++) {
		struct incoming *in = incoming_new(box, &fixture_err);
		char text[32];

		must(in);
		(void)snprintf(text, sizeof text, "%zu\r\n", n);
		must(incoming_add(in, span_of(text), &fixture_err));
		incoming_finish(&in, NULL, (int64_t)n, 0, n);
	}
	assert_int_equal(fixture_drain(s), count);
}

/* Octets that repeat nowhere near a page's or a piece's size. */
[[maybe_unused]] static char *fixture_octets(size_t len)
{
	char *at = malloc(len + 1);
	uint32_t x = 12345;

	assert_non_null(at);
	for (size_t i = 0; i < len; i++) {
		x = x * 1103515245 + 12345;
		at[i] = (char)('a' + (x >> 16) % 26);
	}
	at[len] = '\0';
	return at;
}

struct fixture_text {
	char *at;
	size_t len;
};

static inline bool fixture_collect(void *user, struct span octets)
{
	struct fixture_text *t = user;

	t->at = realloc(t->at, t->len + octets.len + 1);
	assert_non_null(t->at);
	memcpy(t->at + t->len, octets.at, octets.len);
	t->len += octets.len;
	t->at[t->len] = '\0';
	return true;
}

[[maybe_unused]] static struct mailbox_entry fixture_entry(struct mailbox *box, uint64_t position)
{
	struct mailbox_entry entry;

	assert_int_equal(mailbox_entries(box, position, &entry, 1), 1);
	return entry;
}

/* The message at a position is exactly these octets. */
[[maybe_unused]] static void fixture_holds(struct mailbox *box, uint64_t position, struct span want)
{
	struct fixture_text got = { 0 };

	must(mailbox_read(box, fixture_entry(box, position).uid, fixture_collect, &got, &fixture_err));
	assert_int_equal(got.len, want.len);
	if (want.len)
		assert_memory_equal(got.at, want.at, want.len);
	free(got.at);
}

[[maybe_unused]] static struct mailbox_source fixture_source(uint8_t connection, uint32_t number)
{
	struct mailbox_source s = { .connection = { connection } };

	/* Not in order of numbers, as hashes are not. */
	s.id[0] = (uint8_t)(number * 37);
	memcpy(s.id + 28, &number, sizeof number);
	memset(s.digest, (int)(number % 251) + 1, sizeof s.digest);
	return s;
}
