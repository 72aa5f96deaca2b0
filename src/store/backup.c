/* SPDX-License-Identifier: Apache-2.0
 * Making a backup: its directory and its manifest.  backup_write.c copies the store. */
#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/digest.h"
#include "store/disk.h"

enum { KEY_FILE = 32 };

#define MANIFEST "manifest"
#define MANIFEST_NEW "manifest.new"

struct backup {
	char *directory;
	bool made;		/* the directory was not there */
	int at, fd;		/* the directory; its data.mdb */
};

static void backup_free(struct backup **b)
{
	if ((*b)->fd >= 0)
		(void)close((*b)->fd);
	if ((*b)->at >= 0)
		(void)close((*b)->at);
	free((*b)->directory);
	free(*b);
	*b = NULL;
}

static bool must_be_empty(const char *directory, struct err *e)
{
	DIR *d = opendir(directory);
	bool empty = true, cut = false, whole = false;

	if (!d)
		return err_errno(e, ERR_CONFIG, "%s", directory);
	for (const struct dirent *entry; (entry = readdir(d));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		empty = false;
		cut |= strcmp(entry->d_name, MANIFEST_STORE) == 0;
		whole |= strcmp(entry->d_name, MANIFEST) == 0;
	}
	(void)closedir(d);
	if (empty)
		return true;
	return err_set(e, ERR_CONFIG, "%s is not empty%s; a backup is made in a new directory", directory,
		whole ? ": it has a backup" : cut ? ": it has a backup that was cut off and is of no use" : "");
}

bool backup_begin(const char *directory, struct backup **backup, struct err *e)
{
	struct backup *b;
	struct stat st;
	bool made = stat(directory, &st) != 0;

	if (!disk_directory(directory, e) || !must_be_empty(directory, e))
		return false;
	b = calloc(1, sizeof *b);
	if (b)
		*b = (struct backup){ .directory = strdup(directory), .made = made, .at = -1, .fd = -1 };
	if (!b || !b->directory) {
		free(b);
		return err_set(e, ERR_LOCAL, "out of memory for a backup");
	}
	b->at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->at >= 0)
		b->fd = openat(b->at, MANIFEST_STORE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->fd < 0) {
		(void)err_errno(e, ERR_LOCAL, "%s/%s cannot be made", directory, MANIFEST_STORE);
		backup_abort(&b);
		return false;
	}
	*backup = b;
	return true;
}

int backup_fd(const struct backup *b)
{
	return b->fd;
}

void backup_abort(struct backup **backup)
{
	struct backup *b = *backup;

	if (!b)
		return;
	if (b->at >= 0) {
		static const char *const names[] = { MANIFEST, MANIFEST_NEW, MANIFEST_KEY, MANIFEST_STORE };

		for (size_t n = 0; n < COUNT(names); n++)
			(void)unlinkat(b->at, names[n], 0);
	}
	if (b->made)
		(void)rmdir(b->directory);
	backup_free(backup);
}

static bool write_file(const struct backup *b, const char *name, struct span octets, struct err *e)
{
	int fd = openat(b->at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool good = fd >= 0 && disk_write(fd, octets) && fsync(fd) == 0;

	if (!good)
		(void)err_errno(e, ERR_LOCAL, "%s/%s cannot be written", b->directory, name);
	if (fd >= 0)
		(void)close(fd);
	return good;
}

/* The key file as it is; *len 0: there is none. */
static bool read_key(const char *state, char key[KEY_FILE], size_t *len, struct err *e)
{
	char *path, more;
	int fd;
	ssize_t n;

	*len = 0;
	if (asprintf(&path, "%s/%s", state, MANIFEST_KEY) < 0)
		return err_set(e, ERR_LOCAL, "out of memory for a backup");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		free(path);
		return true;
	}
	n = fd >= 0 ? read(fd, key, KEY_FILE) : -1;
	if (n < 0)
		(void)err_errno(e, ERR_LOCAL, "%s cannot be read; --without-key leaves it out", path);
	else if (n != KEY_FILE || read(fd, &more, 1) != 0)
		(void)err_set(e, ERR_LOCAL, "%s is no key of ours; --without-key leaves it out", path);
	else
		*len = KEY_FILE;
	if (fd >= 0)
		(void)close(fd);
	free(path);
	return *len != 0;
}

static bool add_key(const struct backup *b, const char *state, struct manifest_file *f, struct err *e)
{
	char key[KEY_FILE];
	struct digest *d;
	size_t len;
	bool good = read_key(state, key, &len, e);

	if (good && len) {
		f->there = true;
		f->size = len;
		d = digest_new(e);
		good = d && write_file(b, MANIFEST_KEY, (struct span){ key, len }, e);
		if (d) {
			digest_add(d, (struct span){ key, len });
			digest_end(d, f->digest);
		}
		digest_free(&d);
	}
	wipe(key, sizeof key);
	return good;
}

/* Under another name first, so that it is never there without being whole. */
static bool add_manifest(const struct backup *b, const struct manifest *m, struct err *e)
{
	char memory[MANIFEST_MAX];
	struct buf text;

	buf_lend(&text, memory, sizeof memory);
	if (!manifest_text(m, &text, e) || !write_file(b, MANIFEST_NEW, buf_span(&text), e) || !disk_sync_directory(b->directory, e))
		return false;
	if (renameat(b->at, MANIFEST_NEW, b->at, MANIFEST) != 0)
		return err_errno(e, ERR_LOCAL, "%s/%s cannot be made", b->directory, MANIFEST);
	return disk_sync_directory(b->directory, e);
}

bool backup_end(struct backup **backup, const struct backup_written *w, const char *state, bool *key, struct err *e)
{
	struct backup *b = *backup;
	struct manifest m = { .made = w->began, .store = { .there = true, .size = w->octets } };
	struct stat st;
	bool good;

	(void)snprintf(m.version, sizeof m.version, "%s", POSTRIDER_VERSION);
	memcpy(m.store.digest, w->digest, sizeof m.store.digest);
	good = fstat(b->fd, &st) == 0 && (uint64_t)st.st_size == w->octets;
	if (!good)
		(void)err_set(e, ERR_LOCAL, "%s/%s is not what was written to it", b->directory, MANIFEST_STORE);
	good = good && (!state || add_key(b, state, &m.key, e)) && add_manifest(b, &m, e);
	if (!good) {
		backup_abort(backup);
		return false;
	}
	*key = m.key.there;
	backup_free(backup);
	return true;
}

bool backup_manifest(const char *directory, struct manifest *m, struct err *e)
{
	char text[MANIFEST_MAX], *path;
	ssize_t n = -1;
	int fd;

	if (asprintf(&path, "%s/%s", directory, MANIFEST) < 0)
		return err_set(e, ERR_LOCAL, "out of memory for a manifest");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		(void)err_set(e, ERR_CONFIG, "%s is no backup, or one that was cut off: it has no manifest", directory);
	} else {
		n = fd >= 0 ? read(fd, text, sizeof text) : -1;
		if (n < 0)
			(void)err_errno(e, ERR_LOCAL, "%s cannot be read", path);
		else if (!manifest_read((struct span){ text, (size_t)n }, m, e)) {
			(void)err_in(e, "%s", path);
			n = -1;
		}
	}
	if (fd >= 0)
		(void)close(fd);
	free(path);
	return n >= 0;
}
