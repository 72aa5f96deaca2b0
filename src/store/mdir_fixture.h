/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a Maildir in a test's directory, what others do in it, and a maildrop over it.
 *
 *     b = others_start(); others_put(&b, "new/1", octets); drop = others_open(&b); …; others_end(&b);
 * Names of files are given with their folder. */
#pragma once

#include <fcntl.h>

#include "store/fixture.h"
#include "store/mdir_inside.h"

struct box_of_others {
	const char *directory;
	struct store *store;
	char path[128];
};

[[maybe_unused]] static struct box_of_others others_start(void)
{
	struct box_of_others b = { .directory = fixture_directory() };

	b.store = fixture_store(b.directory);
	(void)snprintf(b.path, sizeof b.path, "%s/Maildir", b.directory);
	for (const char *const *sub = (const char *const[]){ "", "/tmp", "/new", "/cur", NULL }; *sub; sub++) {
		char path[160];

		(void)snprintf(path, sizeof path, "%s%s", b.path, *sub);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	return b;
}

[[maybe_unused]] static void others_end(struct box_of_others *b)
{
	store_close(&b->store);
	fixture_remove(b->directory);
}

/* `name` is new/X or cur/X:2,F. */
[[maybe_unused]] static const char *others_path(const struct box_of_others *b, const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	(void)snprintf(path, sizeof paths[0], "%s/%s", b->path, name);
	return path;
}

[[maybe_unused]] static void others_put(const struct box_of_others *b, const char *name, struct span octets)
{
	int fd = open(others_path(b, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (struct span left = octets; left.len;) {
		ssize_t n = write(fd, left.at, left.len);

		assert_true(n > 0);
		left = span_from(left, (size_t)n);
	}
	assert_int_equal(close(fd), 0);
}

[[maybe_unused]] static void others_rename(const struct box_of_others *b, const char *from, const char *to)
{
	assert_int_equal(rename(others_path(b, from), others_path(b, to)), 0);
}

[[maybe_unused]] static void others_remove(const struct box_of_others *b, const char *name)
{
	assert_int_equal(unlink(others_path(b, name)), 0);
}

[[maybe_unused]] static bool others_see(const struct box_of_others *b, const char *name)
{
	return faccessat(AT_FDCWD, others_path(b, name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

[[maybe_unused]] static struct maildrop *others_open(const struct box_of_others *b)
{
	const struct maildrop_maildir with = { .path = b->path };
	struct maildrop *drop = NULL;

	must(maildrop_open_maildir(b->store, &with, &drop, &fixture_err));
	return drop;
}

/* How many descriptors this process has. */
[[maybe_unused]] static size_t others_descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}
