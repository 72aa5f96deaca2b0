/* SPDX-License-Identifier: Apache-2.0
 * The files of a maildrop over a Maildir, found again. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/mdir_index.h"
#include "store/mdir_inside.h"
#include "wire/mdirname.h"

const char *mdir_dir_name(enum mdir_dir dir)
{
	return dir == MDIR_NEW ? "new" : "cur";
}

struct below mdir_below(const struct maildrop *drop)
{
	return (struct below){ drop->mdir->path, drop->mdir->account_len };
}

int mdir_folder(const struct maildrop *drop, enum mdir_dir dir)
{
	const struct below b = mdir_below(drop);

	return below_open(&b, mdir_dir_name(dir), O_RDONLY | O_DIRECTORY, false);
}

static const char *name_of(const struct maildrop *drop, uint32_t number)
{
	return drop->mdir->names + (drop->messages[number - 1].body >> 1);
}

/* It comes out of an index at rest: a name is a name, never a path. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len && len <= NAME_MAX && *name != '.' && !memchr(name, '/', len);
}

static bool is_there(int folder, enum mdir_dir dir, const char *name, struct mdir_file *file)
{
	if (strlen(name) > NAME_MAX || faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	file->dir = dir;
	(void)snprintf(file->name, sizeof file->name, "%s", name);
	return true;
}

/* The name with other flags; those that it has most often are asked for before the folder is read. */
static bool search_folder(int folder, enum mdir_dir dir, struct span base, struct mdir_file *file)
{
	static const char flags[][5] = { "", ":2,", ":2,S" };
	char name[NAME_MAX + 8];
	bool found = false;
	DIR *d;
	int fd;

	for (size_t n = 0; n < COUNT(flags); n++) {
		(void)snprintf(name, sizeof name, "%.*s%s", (int)base.len, base.at, flags[n]);
		if (is_there(folder, dir, name, file))
			return true;
	}
	fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	for (struct dirent *entry; !found && (entry = readdir(d));)
		found = span_equal(mdirname_base(span_of(entry->d_name)), base) && is_there(folder, dir, entry->d_name, file);
	(void)closedir(d);
	return found;
}

/* Twice, for it may be renamed while we look; and where it was last, first. */
static bool search(const struct maildrop *drop, struct span base, enum mdir_dir was, struct mdir_file *file)
{
	const enum mdir_dir order[] = { was, MDIR_CUR, MDIR_NEW, MDIR_CUR };

	for (size_t n = 0; n < COUNT(order); n++) {
		int folder = mdir_folder(drop, order[n]);
		bool found = folder >= 0 && search_folder(folder, order[n], base, file);

		if (folder >= 0)
			(void)close(folder);
		if (found)
			return true;
	}
	return false;
}

bool mdir_locate(const struct maildrop *drop, uint32_t number, bool look, struct mdir_file *file)
{
	enum mdir_dir dir = drop->messages[number - 1].body & 1 ? MDIR_CUR : MDIR_NEW;
	const char *name = name_of(drop, number);

	if (!is_name(name))
		return false;
	if (look)
		return search(drop, mdirname_base(span_of(name)), dir, file);
	file->dir = dir;
	(void)snprintf(file->name, sizeof file->name, "%s", name);
	return true;
}

/* ---- sizes that proved wrong */

static void on_done(void *user, const struct err *why)
{
	(void)user;
	(void)why;	/* then the next one who meets it says so */
}

/* The page with a message's entry marked: in `b`, if the engine has it still, and not marked. */
static bool mark(struct batch *b, struct view *v, const struct maildrop *drop, const struct mdir_head *head, uint32_t number)
{
	struct span base = mdirname_base(span_of(name_of(drop, number))), key = { 0 }, page, names;
	bool put = false;
	char prefix[13];
	uint32_t count;

	(void)mdir_page_key(prefix, head->generation, 0);
	while (!put && view_next(v, drop->part, (struct span){ prefix, 9 }, &key, &page)) {
		if (!mdir_page_good(page, &count, &names))
			return false;
		for (uint32_t n = 0; !put && n < count; n++) {
			struct mdir_rest rest;
			char *copy;

			if (!mdir_page_at(page, names, n, &rest) || rest.uid != drop->messages[number - 1].uid ||
			    !span_equal(mdirname_base(span_of(names.at + rest.name)), base))
				continue;
			if (rest.octets_flags & MDIR_UNCOUNTED && !head->trusted)
				return false;
			copy = malloc(page.len);
			if (!copy)
				return false;
			memcpy(copy, page.at, page.len);
			copy[1 + n * MDIR_PAGE_ENTRY + 15] |= MDIR_UNCOUNTED;	/* the last octet of octets and flags */
			put = batch_put(b, key, (struct span){ copy, page.len });
			free(copy);
			if (!put)
				return false;
		}
	}
	return put;
}

void mdir_distrust(const struct maildrop *drop, uint32_t number)
{
	struct batch *b = batch_new(drop->part);
	char at[MDIR_HEAD];
	struct mdir_head head;
	struct span value;
	struct view *v;
	struct err e;
	bool good;

	if (!b)
		return;
	if (!view_begin(drop->engine, &v, &e)) {
		batch_free(&b);
		return;
	}
	good = view_get(v, drop->part, SPAN("h"), &value) && mdir_head_unpack(value, &head) && batch_equals(b, SPAN("h"), value) &&
	       mark(b, v, drop, &head, number);
	view_end(&v);
	head.trusted = false;
	if (good) {
		mdir_head_pack(at, &head);
		good = batch_put(b, SPAN("h"), (struct span){ at, sizeof at });
	}
	if (good)
		engine_commit(drop->engine, &b, (struct engine_done){ on_done, NULL });
	batch_free(&b);
}
