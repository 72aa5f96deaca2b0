/* SPDX-License-Identifier: Apache-2.0 */
#include "store/folder.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/disk.h"
#include "store/ledger.h"

enum { TAG_TEXT = 17, BASE_MAX = 112, NUMBERS_MAX = 1000000, RECENT = 16 };

static_assert((int)BASE_MAX + (int)TAG_TEXT <= (int)MAILDIR_NAME_MAX && (int)BASE_MAX + 1 + (int)FOLDER_SUFFIX_MAX < (int)FOLDER_FILE_MAX, "names fit");

struct folder {
	char *path;
	uint64_t hash;		/* of the path */
	int all, tmp, work;	/* the folder, .tmp, a working folder (-1: none) */
	char base[BASE_MAX];	/* of the working folder */
};

/* The last number given out in a second, so that a name that somebody took away at once is not given again,
 * and thousands in a second need not be tried one by one. */
static struct { uint64_t hash; int64_t second; unsigned number; } recent[RECENT];
static pthread_mutex_t giving = PTHREAD_MUTEX_INITIALIZER;

static unsigned next_number(uint64_t hash, int64_t second)
{
	size_t at = hash % RECENT;
	unsigned number;

	(void)pthread_mutex_lock(&giving);
	if (recent[at].hash != hash || recent[at].second != second) {
		recent[at].hash = hash;
		recent[at].second = second;
		recent[at].number = 0;
	}
	number = ++recent[at].number;
	(void)pthread_mutex_unlock(&giving);
	return number;
}

static void tag_text(const uint8_t tag[8], char out[TAG_TEXT])
{
	(void)sodium_bin2hex(out, TAG_TEXT, tag, 8);
}

static int open_directory(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool folder_open(const char *path, struct folder **folder, struct err *e)
{
	struct folder *f = calloc(1, sizeof *f);
	char *tmp = NULL;
	bool good;

	if (!f || asprintf(&tmp, "%s/.tmp", path) < 0) {
		free(f);
		return err_set(e, ERR_LOCAL, "out of memory for a folder");
	}
	f->all = f->tmp = f->work = -1;
	f->path = strdup(path);
	f->hash = ledger_target_tag(path);
	good = f->path ? disk_directory(tmp, e) : err_set(e, ERR_LOCAL, "out of memory for a folder");
	free(tmp);
	if (good) {
		f->all = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		f->tmp = f->all >= 0 ? open_directory(f->all, ".tmp") : -1;
		good = f->tmp >= 0 || err_errno(e, ERR_LOCAL, "folder %s cannot be opened", path);
	}
	*folder = f;
	if (!good)
		folder_close(folder);
	return good;
}

static void close_work(struct folder *f)
{
	if (f->work >= 0)
		(void)close(f->work);
	f->work = -1;
}

void folder_close(struct folder **folder)
{
	struct folder *f = *folder;

	*folder = NULL;
	if (!f)
		return;
	close_work(f);
	if (f->tmp >= 0)
		(void)close(f->tmp);
	if (f->all >= 0)
		(void)close(f->all);
	free(f->path);
	free(f);
}

/* The names in a directory, which `use` may take away; it returns false to end.  False: not all could be read. */
static bool each_name(int directory, bool (*use)(void *user, const char *name), void *user)
{
	int fd = open_directory(directory, ".");
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int failed;

	if (!d) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	errno = 0;
	while ((entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && !use(user, entry->d_name))
			break;
		errno = 0;
	}
	failed = entry ? 0 : errno;
	(void)closedir(d);
	errno = failed;
	return !failed;
}

/* Has the folder a file of that BASE? */
static bool is_taken(const struct folder *f, const char *base)
{
	static const char *const suffixes[] = { FOLDER_INDEX, "eml" };
	char file[FOLDER_FILE_MAX];

	for (size_t n = 0; n < COUNT(suffixes); n++) {
		(void)snprintf(file, sizeof file, "%s.%s", base, suffixes[n]);
		if (faccessat(f->all, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

/* Its working folder says whose it is by a file _TAG. */
static bool put_tag(int work, const uint8_t tag[8])
{
	char text[TAG_TEXT], mark[TAG_TEXT + 1];
	int fd;

	tag_text(tag, text);
	(void)snprintf(mark, sizeof mark, "_%s", text);
	fd = openat(work, mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd >= 0 && close(fd) == 0;
}

/* All other files have a dot in their names, whatever their prefix. */
static bool is_tag(const char *file)
{
	return *file == '_' && !strchr(file, '.');
}

static bool open_work(struct folder *f, const char *base)
{
	close_work(f);
	(void)snprintf(f->base, sizeof f->base, "%s", base);
	f->work = open_directory(f->tmp, base);
	return f->work >= 0;
}

/* A working folder of a BASE that nobody has. */
static bool make_work(struct folder *f, const uint8_t tag[8], const char *prefix, int64_t now, char base[BASE_MAX],
	char name[MAILDIR_NAME_MAX], struct err *e)
{
	char number[16] = "", tag_hex[TAG_TEXT], date[32] = "";
	time_t t = (time_t)now;
	struct tm tm;

	assert(strlen(prefix) <= FOLDER_PREFIX_MAX && prefix[0] != '.' && !strchr(prefix, '/'));
	tag_text(tag, tag_hex);
	if (gmtime_r(&t, &tm))
		(void)strftime(date, sizeof date, "%Y-%m-%d.%H%M%S", &tm);
	for (;;) {
		unsigned n = next_number(f->hash, now);

		if (n > NUMBERS_MAX)
			return err_set(e, ERR_LOCAL, "folder %s: too many files are called %s.%s", f->path, prefix, date);
		if (n > 1)
			(void)snprintf(number, sizeof number, "#%u", n);
		(void)snprintf(base, BASE_MAX, "%s.%s%s", prefix, date, number);
		if (is_taken(f, base))
			continue;
		if (mkdirat(f->tmp, base, 0700) != 0) {
			if (errno == EEXIST)
				continue;
			return err_errno(e, ERR_LOCAL, "%s/.tmp/%s cannot be made", f->path, base);
		}
		if (!is_taken(f, base))		/* by somebody who had it, and was done, meanwhile */
			break;
		(void)unlinkat(f->tmp, base, AT_REMOVEDIR);
	}
	(void)snprintf(name, MAILDIR_NAME_MAX, "%s_%s", base, tag_hex);
	return true;
}

/* False, with errno ENOENT: somebody's sweep took it for a crash's before it had its tag. */
static bool use_work(struct folder *f, const char *base, const uint8_t tag[8], const char *name)
{
	int failed;

	if (open_work(f, base) && put_tag(f->work, tag))
		return true;
	failed = errno;
	folder_abandon(f, name);
	errno = failed;
	return false;
}

bool folder_begin(struct folder *f, const uint8_t tag[8], const char *prefix, int64_t now, char name[MAILDIR_NAME_MAX], struct err *e)
{
	char base[BASE_MAX];

	do {
		if (!make_work(f, tag, prefix, now, base, name, e))
			return false;
		if (use_work(f, base, tag, name))
			return true;
	} while (errno == ENOENT);
	return err_errno(e, ERR_LOCAL, "%s/.tmp/%s cannot be used", f->path, base);
}

int folder_create(struct folder *f, const char *suffix, char file[FOLDER_FILE_MAX], struct err *e)
{
	int fd;

	assert(f->work >= 0 && *suffix && !strchr(suffix, '/') && strlen(suffix) <= FOLDER_SUFFIX_MAX);
	(void)snprintf(file, FOLDER_FILE_MAX, "%s.%s", f->base, suffix);
	fd = openat(f->work, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		(void)err_errno(e, ERR_LOCAL, "%s/.tmp/%s/%s cannot be made", f->path, f->base, file);
	return fd;
}

bool folder_finish(struct folder *f, int fd, struct err *e)
{
	bool good = fsync(fd) == 0 || err_errno(e, ERR_LOCAL, "%s/.tmp/%s: a file cannot be synced", f->path, f->base);

	if (close(fd) != 0 && good)
		good = err_errno(e, ERR_LOCAL, "%s/.tmp/%s: a file cannot be closed", f->path, f->base);
	return good;
}

bool folder_written(struct folder *f, struct err *e)
{
	return fsync(f->work) == 0 || err_errno(e, ERR_LOCAL, "%s/.tmp/%s cannot be synced", f->path, f->base);
}

bool folder_sync_tmp(struct folder *f, struct err *e)
{
	return fsync(f->tmp) == 0 || err_errno(e, ERR_LOCAL, "%s/.tmp cannot be synced", f->path);
}

/* BASE of a NAME, which comes back out of somebody's record: a name is a name, never a path. */
static bool base_of(const char *name, char base[BASE_MAX])
{
	const char *end = strrchr(name, '_');
	size_t len = end ? (size_t)(end - name) : 0;

	if (!len || len >= BASE_MAX || *name == '.' || strchr(name, '/') || strlen(end) != TAG_TEXT)
		return false;
	memcpy(base, name, len);
	base[len] = '\0';
	return true;
}

struct placing {
	struct folder *f;
	char index[FOLDER_FILE_MAX];
	bool good;
	struct err *e;
};

/* Never in place of something; one that is there is fine when it is this very file: a crash, and a
 * file system that has both names. */
static bool move_one(struct placing *p, const char *file)
{
	struct folder *f = p->f;
	struct stat here, there;

	if (renameat2(f->work, file, f->all, file, RENAME_NOREPLACE) == 0)
		return true;
	if (errno == EEXIST && fstatat(f->work, file, &here, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(f->all, file, &there, AT_SYMLINK_NOFOLLOW) == 0 && here.st_ino == there.st_ino && here.st_dev == there.st_dev)
		return unlinkat(f->work, file, 0) == 0;
	if (errno == EINVAL || errno == ENOSYS) {	/* a file system without it: as Maildirs do it */
		if (linkat(f->work, file, f->all, file, 0) == 0)
			return unlinkat(f->work, file, 0) == 0;
	}
	return err_errno(p->e, ERR_LOCAL, "%s: %s cannot go from .tmp into the folder", f->path, file);
}

static bool move_file(void *user, const char *file)
{
	struct placing *p = user;

	if (is_tag(file) || strcmp(file, p->index) == 0)
		return true;
	p->good = move_one(p, file);
	return p->good;
}

struct removing {
	int work;
	bool tags;		/* or all else */
};

static bool unlink_file(void *user, const char *file)
{
	const struct removing *r = user;

	if (is_tag(file) == r->tags)
		(void)unlinkat(r->work, file, 0);
	return true;
}

/* The tag last: a crash leaves what a sweep knows, or an empty folder. */
static void remove_work(struct folder *f)
{
	(void)each_name(f->work, unlink_file, &(struct removing){ f->work, false });
	(void)each_name(f->work, unlink_file, &(struct removing){ f->work, true });
	(void)unlinkat(f->tmp, f->base, AT_REMOVEDIR);
	close_work(f);
}

static bool use_name(struct folder *f, const char *name, struct placing *p, struct err *e)
{
	char base[BASE_MAX];

	if (!base_of(name, base))
		return err_set(e, ERR_LOCAL, "folder %s: no file there has such a name", f->path);
	if ((f->work < 0 || strcmp(f->base, base) != 0) && !open_work(f, base))
		return err_errno(e, ERR_LOCAL, "%s/.tmp/%s cannot be opened", f->path, base);
	*p = (struct placing){ .f = f, .good = true, .e = e };
	(void)snprintf(p->index, sizeof p->index, "%s." FOLDER_INDEX, base);
	return true;
}

bool folder_place_files(struct folder *f, const char *name, struct err *e)
{
	struct placing p;

	if (!use_name(f, name, &p, e))
		return false;
	if (!each_name(f->work, move_file, &p))
		return err_errno(e, ERR_LOCAL, "%s/.tmp/%s cannot be read", f->path, f->base);
	return p.good;
}

bool folder_place_index(struct folder *f, const char *name, struct err *e)
{
	struct placing p;

	return use_name(f, name, &p, e) && move_one(&p, p.index);
}

bool folder_sync(struct folder *f, struct err *e)
{
	return fsync(f->all) == 0 || err_errno(e, ERR_LOCAL, "%s cannot be synced", f->path);
}

void folder_placed(struct folder *f, const char *name)
{
	struct placing p;
	struct err unused;

	if (use_name(f, name, &p, &unused))
		remove_work(f);
}

/* Where a rename may leave both names behind after a power cut, the old one is gone with its folder. */
bool folder_place(struct folder *f, const char *name, struct err *e)
{
	if (!folder_place_files(f, name, e) || !folder_sync(f, e) || !folder_place_index(f, name, e) || !folder_sync(f, e))
		return false;
	folder_placed(f, name);
	return folder_sync_tmp(f, e);
}

static bool is_there(int directory)
{
	struct stat st;

	return fstat(directory, &st) == 0 && st.st_nlink > 0;
}

static bool has_index(int directory, const char *between, const char *base)
{
	char path[2 * FOLDER_FILE_MAX];

	(void)snprintf(path, sizeof path, "%s%s%s." FOLDER_INDEX, between, *between ? "/" : "", base);
	return faccessat(directory, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Has the working folder the tag of NAME?  Within one second BASE may be another's by now.  False: errno says why. */
static bool is_mine(const struct folder *f, const char *name, const char *base)
{
	char mark[2 * FOLDER_FILE_MAX];

	(void)snprintf(mark, sizeof mark, "%s/%s", base, strrchr(name, '_'));
	return faccessat(f->tmp, mark, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool folder_waits(struct folder *f, const char *name)
{
	char base[BASE_MAX];

	return base_of(name, base) && has_index(f->tmp, base, base) && is_mine(f, name, base);
}

/* "Not in .tmp" means "placed before" only while .tmp itself is where it was. */
bool folder_place_again(struct folder *f, const char *name, struct err *e)
{
	char base[BASE_MAX];
	bool mine;

	if (!base_of(name, base))
		return err_set(e, ERR_LOCAL, "folder %s: no file there has such a name", f->path);
	mine = is_mine(f, name, base);
	if (mine && has_index(f->tmp, base, base))
		return folder_place(f, name, e);
	if (errno != ENOENT || (mine && !open_work(f, base)))
		return err_errno(e, ERR_LOCAL, "%s/.tmp/%s cannot be opened", f->path, base);
	if (mine)			/* killed between the index and its end */
		remove_work(f);
	if (!is_there(f->all) || !is_there(f->tmp))
		return err_set(e, ERR_LOCAL, "folder %s is not there any more", f->path);
	return folder_sync(f, e);
}

bool folder_has(struct folder *f, const char *name)
{
	char base[BASE_MAX];

	return base_of(name, base) && has_index(f->all, "", base);
}

void folder_abandon(struct folder *f, const char *name)
{
	char base[BASE_MAX];

	if (base_of(name, base) && open_work(f, base))
		remove_work(f);
}

bool folder_is_of(const char *name, const uint8_t tag[8])
{
	char base[BASE_MAX], text[TAG_TEXT];

	tag_text(tag, text);
	return base_of(name, base) && strcmp(strrchr(name, '_') + 1, text) == 0;
}

struct sweep {
	struct folder *f;
	char tag[TAG_TEXT];
	bool (*keep)(void *user, const char *name);
	void *user;
};

static bool sweep_one(void *user, const char *base)
{
	struct sweep *s = user;
	char mark[2 * FOLDER_FILE_MAX], name[MAILDIR_NAME_MAX];

	(void)snprintf(mark, sizeof mark, "%s/_%s", base, s->tag);
	if (strlen(base) >= BASE_MAX || faccessat(s->f->tmp, mark, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
		(void)unlinkat(s->f->tmp, base, AT_REMOVEDIR);	/* empty: before its tag, or after it */
		return true;
	}
	(void)snprintf(name, sizeof name, "%.*s_%s", BASE_MAX - 1, base, s->tag);
	if (!s->keep(s->user, name))
		folder_abandon(s->f, name);
	return true;
}

void folder_sweep(struct folder *f, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user)
{
	struct sweep s = { .f = f, .keep = keep, .user = user };

	tag_text(tag, s.tag);
	(void)each_name(f->tmp, sweep_one, &s);
}
