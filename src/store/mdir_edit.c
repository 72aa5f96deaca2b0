/* SPDX-License-Identifier: Apache-2.0
 *
 * What a session leaves behind in a Maildir that others use too: files removed, flags set.
 *
 * There is no lock, so a file may have another name than the index says, or none, at any moment.  Each is
 * tried by the name that is known; those that were not there are looked for together, in one reading of both
 * folders for all of them, again and again while somebody is found under a new name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/mdir_inside.h"

/* Renaming while a folder is read can hide a file from it: one that was not found twice in a row is gone.  One that
 * is found each time, and has another name before it can be touched, needs luck; few need more than three rounds. */
enum { ROUNDS = 100, VAIN_ROUNDS = 2 };

enum wish { WISH_NONE, WISH_REMOVE, WISH_SEEN };
enum tried { TRIED_DONE, TRIED_LOST, TRIED_FAILED };

struct lost {
	char *base;		/* up to the ':' */
	enum wish wish;
	bool done, found;	/* found: in this round */
	uint8_t vain;		/* rounds in a row */
};

struct edit {
	struct maildrop *drop;
	int folders[2];		/* by enum mdir_dir; -1: there is none */
	bool changed[2];
	struct lost *lost;
	size_t lost_count, lost_cap;
	uint32_t stayed, unseen;
	int unread;		/* why a folder could not be looked through: then nobody is known to be gone */
	struct err first, first_unseen;
};

/* ---- the flag */

bool mdir_name_seen(const char *name, char out[NAME_MAX + 1])
{
	const char *info = strstr(name, ":2,"), *flags = info ? info + 3 : name + strlen(name);
	size_t end = info ? strcspn(flags, ",") : 0, before = 0;

	if (info && memchr(flags, 'S', end))
		return false;
	while (before < end && flags[before] < 'S')
		before++;
	return (size_t)snprintf(out, NAME_MAX + 1, "%.*s%s%.*sS%s", (int)(flags - name), name, info ? "" : ":2,", (int)before, flags,
		flags + before) <= NAME_MAX;
}

/* ---- one message */

static void failed(struct edit *x, enum wish wish, enum mdir_dir dir, const char *name)
{
	struct err *e = wish == WISH_REMOVE ? &x->first : &x->first_unseen;
	uint32_t *count = wish == WISH_REMOVE ? &x->stayed : &x->unseen;

	if (!(*count)++)
		(void)err_errno(e, ERR_LOCAL, "%s/%s/%s cannot be %s", x->drop->mdir->path, mdir_dir_name(dir), name,
			wish == WISH_REMOVE ? "removed" : "marked as seen");
}

static int rename_to(struct edit *x, const struct mdir_file *file, const char *name)
{
	int from = x->folders[file->dir], to = x->folders[MDIR_CUR];
	int said = renameat2(from, file->name, to, name, RENAME_NOREPLACE);

	if (said != 0 && (errno == EINVAL || errno == ENOSYS))
		said = renameat(from, file->name, to, name);
	return said != 0 && errno == EEXIST ? 0 : said;		/* somebody else's, of the same message */
}

/* What `wish` asks, of the file by this name. */
static enum tried try_it(struct edit *x, enum wish wish, const struct mdir_file *file)
{
	char name[NAME_MAX + 1];
	int said;

	if (x->folders[file->dir] < 0)
		return TRIED_LOST;
	if (wish == WISH_REMOVE) {
		said = unlinkat(x->folders[file->dir], file->name, 0);
	} else if (mdir_name_seen(file->name, name)) {
		said = rename_to(x, file, name);
		x->changed[MDIR_CUR] |= said == 0;
	} else {
		return TRIED_DONE;	/* it was, or its name has no room for a flag */
	}
	if (said != 0 && errno == ENOENT)
		return TRIED_LOST;
	if (said != 0) {
		failed(x, wish, file->dir, file->name);
		return TRIED_FAILED;
	}
	x->changed[file->dir] = true;
	return TRIED_DONE;
}

/* ---- those that have another name now */

static bool remember_lost(struct edit *x, enum wish wish, const char *name)
{
	char *base;

	if (x->lost_count == x->lost_cap) {
		size_t cap = x->lost_cap ? x->lost_cap * 2 : 64;
		struct lost *more = reallocarray(x->lost, cap, sizeof *more);

		if (!more)
			return false;
		x->lost = more;
		x->lost_cap = cap;
	}
	base = strndup(name, strcspn(name, ":"));
	if (!base)
		return false;
	x->lost[x->lost_count++] = (struct lost){ .base = base, .wish = wish };
	return true;
}

static int by_base(const void *a, const void *b)
{
	return strcmp(((const struct lost *)a)->base, ((const struct lost *)b)->base);
}

static void look_through(struct edit *x, enum mdir_dir dir)
{
	int fd = x->folders[dir] < 0 ? -1 : openat(x->folders[dir], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		x->unread = x->folders[dir] < 0 ? x->unread : errno;
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	errno = 0;
	for (struct dirent *entry; (entry = readdir(d)); errno = 0) {
		struct mdir_file file = { .dir = dir };
		struct lost key = { .base = file.name }, *l;

		(void)snprintf(file.name, sizeof file.name, "%.*s", (int)strcspn(entry->d_name, ":"), entry->d_name);
		l = bsearch(&key, x->lost, x->lost_count, sizeof *x->lost, by_base);
		if (!l || l->done)
			continue;
		(void)snprintf(file.name, sizeof file.name, "%s", entry->d_name);
		l->done = try_it(x, l->wish, &file) != TRIED_LOST;
		l->found = true;
	}
	x->unread = errno ? errno : x->unread;
	(void)closedir(d);
}

/* What was not found for long enough is gone.  How many are left. */
static size_t count_lost(struct edit *x)
{
	size_t left = 0;

	for (struct lost *l = x->lost; l < x->lost + x->lost_count; l++) {
		l->vain = l->found ? 0 : (uint8_t)(l->vain + 1);
		l->done |= l->vain == VAIN_ROUNDS;
		l->found = false;
		left += !l->done;
	}
	return left;
}

static void look_for_lost(struct edit *x)
{
	size_t left = x->lost_count;

	if (left)
		qsort(x->lost, left, sizeof *x->lost, by_base);
	for (int n = 0; left && n < ROUNDS; n++) {
		look_through(x, MDIR_NEW);
		look_through(x, MDIR_CUR);
		if (x->unread)
			break;
		left = count_lost(x);
	}
	for (size_t i = 0; left && i < x->lost_count; i++) {
		errno = x->unread ? x->unread : EBUSY;	/* busy: it was there each time, under one more name */
		if (!x->lost[i].done)
			failed(x, x->lost[i].wish, MDIR_CUR, x->lost[i].base);
	}
}

/* ---- all of it */

static enum wish wish_of(const struct drop_message *m, bool deletions, bool seen)
{
	if (deletions && drop_flags(m) & DROP_DELETED)
		return WISH_REMOVE;
	return seen && drop_flags(m) & DROP_READ && !(drop_flags(m) & DROP_SEEN) ? WISH_SEEN : WISH_NONE;
}

static void walk(struct edit *x, bool deletions, bool seen)
{
	for (uint32_t number = 1; number <= x->drop->count; number++) {
		enum wish wish = wish_of(&x->drop->messages[number - 1], deletions, seen);
		struct mdir_file file;

		if (wish == WISH_NONE || !mdir_locate(x->drop, number, false, &file))
			continue;
		if (try_it(x, wish, &file) == TRIED_LOST && !remember_lost(x, wish, file.name)) {
			errno = ENOMEM;
			failed(x, wish, file.dir, file.name);
		}
	}
	look_for_lost(x);
}

/* A folder that is not there has no messages; but where both are not, the disk is not: nothing was removed. */
static bool open_folders(struct edit *x, struct err *e)
{
	const struct below b = mdir_below(x->drop);

	for (enum mdir_dir dir = MDIR_NEW; dir <= MDIR_CUR; dir++) {
		x->folders[dir] = mdir_folder(x->drop, dir);
		if (x->folders[dir] < 0 && errno != ENOENT)
			return below_failed(&b, mdir_dir_name(dir), ERR_LOCAL, e);
	}
	if (x->folders[MDIR_NEW] < 0 && x->folders[MDIR_CUR] < 0)
		return err_set(e, ERR_LOCAL, "the Maildir %s is not there any more", x->drop->mdir->path);
	return true;
}

static bool sync_folders(struct edit *x, struct err *e)
{
	for (enum mdir_dir dir = MDIR_NEW; dir <= MDIR_CUR; dir++)
		if (x->changed[dir] && fsync(x->folders[dir]) != 0)
			return err_errno(e, ERR_LOCAL, "%s/%s cannot be synced", x->drop->mdir->path, mdir_dir_name(dir));
	return true;
}

bool maildrop_apply(struct maildrop *drop, bool deletions, bool seen, struct err *e)
{
	struct edit x = { .drop = drop, .folders = { -1, -1 } };
	bool good = open_folders(&x, e);

	if (good) {
		walk(&x, deletions, seen);
		good = sync_folders(&x, e);
	}
	if (good && (x.stayed || (x.unseen && !deletions))) {
		unsigned long count = x.stayed ? x.stayed : x.unseen;

		*e = x.stayed ? x.first : x.first_unseen;
		good = err_in(e, "%lu message%s %s", count, count == 1 ? "" : "s", x.stayed ? "not removed" : "not marked as seen");
	}
	for (enum mdir_dir dir = MDIR_NEW; dir <= MDIR_CUR; dir++)
		if (x.folders[dir] >= 0)
			(void)close(x.folders[dir]);
	for (size_t n = 0; n < x.lost_count; n++)
		free(x.lost[n].base);
	free(x.lost);
	return good;
}
