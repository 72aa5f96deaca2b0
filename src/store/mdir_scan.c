/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mdir_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/mdir_inside.h"
#include "wire/mdirname.h"

enum { LOOKS = 8, OLD_S = 3, READ_SIZE = 128 * 1024 };	/* OLD_S: whole seconds, so two at least */

struct slot {			/* by base name */
	uint32_t hash, entry;	/* entry + 1; 0: free */
};

struct scan {
	const char *path;
	struct mdir_list *list;
	int folder[2];
	struct slot *slots;
	uint32_t mask;
	unsigned char key[crypto_shorthash_KEYBYTES];
	bool changed, left_out;
};

/* ---- the folders */

static void stamp_of(const struct stat *st, struct mdir_stamp *stamp)
{
	*stamp = (struct mdir_stamp){ (uint64_t)st->st_ctim.tv_sec * 1000000000U + (uint64_t)st->st_ctim.tv_nsec, st->st_ino, st->st_dev };
}

/* Without waiting: false with EAGAIN where that cannot be. */
static bool stat_cached(int fd, struct stat *st)
{
	bool good;

	if (fd < 0)
		return false;
	good = fstat(fd, st) == 0;
	(void)close(fd);
	return good;
}

/* `at`: the folder where it is one; otherwise by its path, which costs one call. */
static bool stat_part(const struct below *b, int at, const char *dir, bool cached, struct stat *st)
{
	char name[PATH_MAX];

	if (cached)
		return stat_cached(at >= 0 ? below_step(at, dir, O_PATH, true) : below_open(b, dir, O_PATH, true), st);
	if (at >= 0)
		return fstatat(at, dir, st, AT_SYMLINK_NOFOLLOW) == 0;
	if (snprintf(name, sizeof name, "%s/%s", b->path, dir) < (int)sizeof name)
		return lstat(name, st) == 0;
	errno = ENAMETOOLONG;
	return false;
}

static enum mdir_folders nothing_there(const struct below *b, bool cached, struct err *e)
{
	int fd = below_open(b, "", O_PATH, cached);

	if (fd < 0 && errno == ENOENT)
		return MDIR_NOTHING;
	if (fd >= 0)
		(void)close(fd);
	(void)err_set(e, ERR_CONFIG, "%s is no Maildir: it has neither new nor cur; give the path of a Maildir, or of nothing", b->path);
	return MDIR_FAILED;
}

static enum mdir_folders look_at(const struct below *b, int at, bool cached, struct mdir_stamp folder[2], struct err *e)
{
	bool there = false;

	for (int n = 0; n < 2; n++) {
		const char *dir = mdir_dir_name((enum mdir_dir)n);
		struct stat st;

		folder[n] = (struct mdir_stamp){ 0 };
		if (!stat_part(b, at, dir, cached, &st)) {
			if (errno == ENOENT)
				continue;	/* others make the folders one after another */
			(void)below_failed(b, dir, errno == ENOTDIR ? ERR_CONFIG : ERR_LOCAL, e);
			return MDIR_FAILED;
		}
		if (!S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			(void)below_failed(b, dir, ERR_CONFIG, e);
			return MDIR_FAILED;
		}
		stamp_of(&st, &folder[n]);
		there = true;
	}
	return there ? MDIR_THERE : nothing_there(b, cached, e);
}

enum mdir_folders mdir_look(const struct below *b, bool cached, struct mdir_stamp folder[2], struct err *e)
{
	enum mdir_folders found;
	int at = -1;

	if (below_is_folder(b)) {
		at = below_open(b, "", O_PATH | O_DIRECTORY, cached);
		if (at < 0 && errno == ENOENT)
			return MDIR_NOTHING;
		if (at < 0) {
			(void)below_failed(b, "", errno == ENOTDIR ? ERR_CONFIG : ERR_LOCAL, e);
			return MDIR_FAILED;
		}
	}
	found = look_at(b, at, cached, folder, e);
	if (at >= 0)
		(void)close(at);
	return found;
}

static bool open_folders(struct scan *s, const struct below *b, struct mdir_head *head, struct err *e)
{
	head->trusted = true;
	for (int n = 0; n < 2; n++) {
		const char *dir = mdir_dir_name((enum mdir_dir)n);
		int64_t now = clock_now_s();
		struct stat st;

		head->folder[n] = (struct mdir_stamp){ 0 };
		s->folder[n] = below_open(b, dir, O_RDONLY | O_DIRECTORY, false);
		if (s->folder[n] < 0 && errno == ENOENT)
			continue;
		if (s->folder[n] < 0 || fstat(s->folder[n], &st) != 0)
			return below_failed(b, dir, ERR_LOCAL, e);
		stamp_of(&st, &head->folder[n]);
		head->trusted &= st.st_ctim.tv_sec + OLD_S <= now;
	}
	return true;
}

/* ---- names */

static uint32_t hash_of(const struct scan *s, struct span base)
{
	unsigned char hash[crypto_shorthash_BYTES];
	uint32_t h;

	(void)crypto_shorthash(hash, (const unsigned char *)base.at, base.len, s->key);
	memcpy(&h, hash, sizeof h);
	return h;
}

static bool has_base(const struct scan *s, uint32_t entry, struct span base)
{
	const char *name = mdir_list_text(s->list, s->list->entries[entry].name);

	return strncmp(name, base.at, base.len) == 0 && (!name[base.len] || name[base.len] == ':');
}

static struct slot *slot_of(const struct scan *s, struct span base, uint32_t hash)
{
	uint32_t at = hash & s->mask;

	for (; s->slots[at].entry; at = (at + 1) & s->mask)
		if (s->slots[at].hash == hash && has_base(s, s->slots[at].entry - 1, base))
			break;
	return &s->slots[at];
}

/* Room in the table for as many as there are, and as many again. */
static bool fill_table(struct scan *s)
{
	uint32_t size = 256;

	while (size < UINT32_C(1) << 31 && size / 3 < s->list->count)
		size *= 2;
	free(s->slots);
	s->slots = calloc(size, sizeof *s->slots);
	if (!s->slots)
		return false;
	s->mask = size - 1;
	for (uint32_t n = 0; n < s->list->count; n++) {
		const char *name = mdir_list_text(s->list, s->list->entries[n].name);
		struct span base = { name, (size_t)(strchrnul(name, ':') - name) };
		uint32_t hash = hash_of(s, base);

		*slot_of(s, base, hash) = (struct slot){ hash, n + 1 };
	}
	return true;
}

static void dirty(struct scan *s, const struct mdir_entry *entry)
{
	s->changed = true;
	if (entry->page != MDIR_FRESH)
		s->list->pages[entry->page].dirty = true;
}

static bool renamed(const struct scan *s, const struct mdir_entry *entry, enum mdir_dir dir, const char *name)
{
	return (dir == MDIR_CUR) != ((entry->flags & MDIR_IN_CUR) != 0) || strcmp(mdir_list_text(s->list, entry->name), name) != 0;
}

/* One name that a folder has. */
static bool meet(struct scan *s, enum mdir_dir dir, const char *name, uint64_t inode)
{
	struct mdir_entry *entry;
	struct mdirname says;
	struct slot *slot;
	uint32_t hash;

	mdirname_read(span_of(name), &says);
	if (!says.base.len)
		return true;
	hash = hash_of(s, says.base);
	slot = slot_of(s, says.base, hash);
	if (!slot->entry) {
		entry = mdir_list_add(s->list);
		if (!entry || !mdir_list_name(s->list, span_of(name), &entry->name))
			return false;
		*slot = (struct slot){ hash, s->list->count };
		entry->octets = inode;
		entry->flags = MDIR_UNCOUNTED;
		s->changed = true;
		if (s->list->count > s->mask / 2 && !fill_table(s))
			return false;
		entry = &s->list->entries[s->list->count - 1];
	} else {
		entry = &s->list->entries[slot->entry - 1];
		if (renamed(s, entry, dir, name)) {
			dirty(s, entry);
			if (!mdir_list_name(s->list, span_of(name), &entry->name))
				return false;
		}
	}
	entry->flags = (uint8_t)((entry->flags & ~(DROP_SEEN | MDIR_IN_CUR)) | (says.seen ? DROP_SEEN : 0) | (dir == MDIR_CUR ? MDIR_IN_CUR : 0));
	entry->found = true;
	return true;
}

static bool read_folder(struct scan *s, enum mdir_dir dir, struct err *e)
{
	int fd = s->folder[dir] < 0 ? -1 : openat(s->folder[dir], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	bool room = true;

	if (s->folder[dir] < 0)
		return true;
	if (!d) {
		(void)err_errno(e, ERR_LOCAL, "%s/%s cannot be read", s->path, mdir_dir_name(dir));
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	errno = 0;
	for (struct dirent *entry; room && (entry = readdir(d)); errno = 0)
		if (entry->d_name[0] != '.' && (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN))
			room = meet(s, dir, entry->d_name, entry->d_ino);
	if (!room)
		(void)err_set(e, ERR_LOCAL, "out of memory for the Maildir %s", s->path);
	else if (errno)
		room = err_errno(e, ERR_LOCAL, "%s/%s cannot be read", s->path, mdir_dir_name(dir));
	(void)closedir(d);
	return room;
}

/* ---- sizes */

/* Line ends that lack their CR. */
static void count_piece(const char *at, size_t len, char before, uint64_t *bare)
{
	for (size_t done = 0; done < len;) {
		size_t end = len - done < 255 ? len : done + 255;
		unsigned char lf = 0;

		for (size_t i = done; i < end; i++) {
			char was = i ? at[i - 1] : before;

			lf = (unsigned char)(lf + (at[i] == '\n' && was != '\r'));
		}
		*bare += lf;
		done = end;
	}
}

bool mdir_count(int fd, struct mdir_size *size)
{
	char *buffer = malloc(READ_SIZE), last = '\n';	/* the first octet begins a line */
	uint64_t bare = 0;
	ssize_t n = -1;

	size->octets = 0;
	if (!buffer)
		errno = ENOMEM;
	while (buffer && ((n = read(fd, buffer, READ_SIZE)) > 0 || (n < 0 && errno == EINTR))) {
		if (n < 0)
			continue;
		count_piece(buffer, (size_t)n, last, &bare);
		last = buffer[n - 1];
		size->octets += (uint64_t)n;
	}
	free(buffer);
	size->flags = last != '\n' ? DROP_NO_END : 0;
	size->octets += bare + (last != '\n' ? 2 : 0);
	return n == 0;
}

/* What W= says, unless the file is none that it can be of: S= differs where a file is compressed.  The end is looked at: it
 * may lack the line end that RETR adds. */
static bool size_by_name(int fd, const struct mdirname *says, uint64_t stored, struct mdir_size *size)
{
	char last = '\n';

	if (!says->has_wire || (says->has_size && says->size != stored) || says->wire < stored || says->wire > 2 * stored)
		return false;
	if (stored && pread(fd, &last, 1, (off_t)stored - 1) != 1)
		return false;
	*size = (struct mdir_size){ says->wire + (last != '\n' ? 2 : 0), last != '\n' ? DROP_NO_END : 0 };
	return true;
}

enum measured { MEASURED, VANISHED, LEFT_OUT, BROKEN };

static enum measured unreadable(struct scan *s, const char *dir, const char *name, struct err *e)
{
	switch (errno) {
	case ENOENT: case ESTALE:
		return VANISHED;
	case EACCES: case EPERM:
		log_warn(NULL, "%s/%s/%s cannot be read, and is left out until it can: %s", s->path, dir, name, strerrordesc_np(errno));
		s->left_out = true;
		return LEFT_OUT;
	case ELOOP: case ENXIO: case ENODEV:		/* a symbolic link, a socket: no message */
		return LEFT_OUT;
	default:
		(void)err_errno(e, ERR_LOCAL, "%s/%s/%s cannot be read", s->path, dir, name);
		return BROKEN;
	}
}

static enum measured measure(struct scan *s, struct mdir_entry *entry, struct err *e)
{
	enum mdir_dir dir = entry->flags & MDIR_IN_CUR ? MDIR_CUR : MDIR_NEW;
	const char *name = mdir_list_text(s->list, entry->name);
	int fd = openat(s->folder[dir], name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	enum measured done = MEASURED;
	struct mdirname says;
	struct mdir_size size;
	struct stat st;

	if (fd < 0)
		return unreadable(s, mdir_dir_name(dir), name, e);
	mdirname_read(span_of(name), &says);
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		done = LEFT_OUT;
	else if (!(entry->page == MDIR_FRESH && size_by_name(fd, &says, (uint64_t)st.st_size, &size)) && !mdir_count(fd, &size))
		done = unreadable(s, mdir_dir_name(dir), name, e);
	(void)close(fd);
	if (done == MEASURED) {
		dirty(s, entry);
		entry->octets = size.octets;
		entry->flags = (uint8_t)((entry->flags & (DROP_SEEN | MDIR_IN_CUR)) | size.flags);
	}
	return done;
}

struct wanted { uint64_t inode; uint32_t entry; };

static int by_inode(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* In the order in which they probably lie on the disk. */
static bool measure_all(struct scan *s, bool *vanished, struct err *e)
{
	struct wanted *wanted = NULL;
	uint32_t count = 0, cap = 0;
	bool good = true;

	for (uint32_t n = 0; n < s->list->count; n++) {
		const struct mdir_entry *entry = &s->list->entries[n];

		if (!entry->found || entry->leaves || !(entry->flags & MDIR_UNCOUNTED))
			continue;
		if (!mdir_grown((void **)&wanted, count, 1, &cap, sizeof *wanted)) {
			free(wanted);
			return err_set(e, ERR_LOCAL, "out of memory for the Maildir %s", s->path);
		}
		wanted[count++] = (struct wanted){ entry->octets, n };
	}
	if (count)
		qsort(wanted, count, sizeof *wanted, by_inode);
	for (uint32_t n = 0; good && n < count; n++) {
		struct mdir_entry *entry = &s->list->entries[wanted[n].entry];

		switch (measure(s, entry, e)) {
		case MEASURED:
			break;
		case VANISHED:
			entry->found = false;
			*vanished = true;
			break;
		case LEFT_OUT:
			entry->leaves = true;
			break;
		case BROKEN:
			good = false;
			break;
		}
	}
	free(wanted);
	return good;
}

/* ---- looking */

static bool misses_some(const struct mdir_list *list)
{
	for (const struct mdir_entry *entry = list->entries; entry < list->entries + list->count; entry++)
		if (!entry->found && entry->page != MDIR_FRESH)
			return true;
	return false;
}

/* Since `before`, which becomes how they look now. */
static bool folders_changed(const struct scan *s, struct mdir_stamp before[2])
{
	bool changed = false;

	for (int n = 0; n < 2; n++) {
		struct mdir_stamp now = { 0 };
		struct stat st;

		if (s->folder[n] >= 0 && fstat(s->folder[n], &st) == 0)
			stamp_of(&st, &now);
		changed |= memcmp(&now, &before[n], sizeof now) != 0;
		before[n] = now;
	}
	return changed;
}

/* What is missed is looked for once more, and as long as others go on changing the folders under us. */
static bool look(struct scan *s, const struct mdir_head *head, struct err *e)
{
	struct mdir_stamp before[2] = { head->folder[0], head->folder[1] };

	for (int n = 0; n < LOOKS; n++) {
		bool vanished = false, moving;

		if (!read_folder(s, MDIR_NEW, e) || !read_folder(s, MDIR_CUR, e) || !measure_all(s, &vanished, e))
			return false;
		moving = folders_changed(s, before);
		if (!vanished && (!misses_some(s->list) || (n && !moving)))
			break;
	}
	for (struct mdir_entry *entry = s->list->entries; entry < s->list->entries + s->list->count; entry++) {
		entry->leaves |= !entry->found || entry->flags & MDIR_UNCOUNTED;
		s->changed |= entry->leaves && entry->page != MDIR_FRESH;
	}
	mdir_list_leave(s->list);
	return true;
}

bool mdir_scan(const struct below *b, struct mdir_list *list, struct mdir_head *head, bool *changed, struct err *e)
{
	struct scan s = { .path = b->path, .list = list, .folder = { -1, -1 } };
	bool good;

	crypto_shorthash_keygen(s.key);
	good = open_folders(&s, b, head, e) && (fill_table(&s) || err_set(e, ERR_LOCAL, "out of memory for the Maildir %s", b->path)) && look(&s, head, e);
	for (int n = 0; n < 2; n++)
		if (s.folder[n] >= 0)
			(void)close(s.folder[n]);
	free(s.slots);
	head->trusted &= !s.left_out;
	*changed = s.changed;
	return good;
}
