/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

struct passwd_file {
	atomic_uint holders;
	char *path, *main_domain;
	pthread_rwlock_t lock;	/* of: */
	struct passwd_table *table;
	struct stat seen;	/* of what was read, or refused, last */
	enum open_to_all { OPEN_NOT, OPEN_HASHES, OPEN_SECRETS } open_told;	/* what the log says that others can read */
	bool settling;		/* what was seen last counts if it is still the same */
	char said[sizeof ((struct err *)0)->text];	/* "": the last look was good */
};

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool read_octets(int fd, size_t size, struct buf *text)
{
	ssize_t n = 1;

	for (size_t left = size; left && n > 0; left -= (size_t)n) {
		char *at = buf_room(text, left);

		if (!at)
			return false;
		n = read(fd, at, left);
		if (n < 0)
			return false;
		text->len += (size_t)n;
	}
	return text->len == size;
}

/* The whole file, and what it was; *whole: it ends as a file does that nobody is writing. */
static bool read_file(const char *path, struct buf *text, struct stat *st, bool *whole, struct err *e)
{
	struct stat after;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool good;

	memset(st, 0, sizeof *st);
	if (fd < 0)
		return err_errno(e, ERR_CONFIG, "%s", path);
	good = fstat(fd, st) == 0 || err_errno(e, ERR_LOCAL, "%s", path);
	if (good && !S_ISREG(st->st_mode))
		good = err_set(e, ERR_CONFIG, "%s is no file", path);
	if (good && (st->st_size < 0 || st->st_size > PASSWD_FILE_MAX))
		good = err_set(e, ERR_CONFIG, "%s is larger than %d MiB", path, PASSWD_FILE_MAX >> 20);
	errno = 0;
	if (good && !(buf_room(text, (size_t)st->st_size + 1) && read_octets(fd, (size_t)st->st_size, text)))
		good = errno ? err_errno(e, ERR_LOCAL, "%s", path) : err_set(e, ERR_LOCAL, "%s: it was written to while it was read, or there is no memory", path);
	*whole = good && text->len && text->at[text->len - 1] == '\n' && fstat(fd, &after) == 0 && same_file(st, &after);
	(void)close(fd);
	return good;
}

/* Its directory may keep others out, but it is not there for that. */
static void tell_of_mode(struct passwd_file *f, const struct passwd_table *t)
{
	struct passwd_has has = passwd_table_has(t);
	enum open_to_all now = !(f->seen.st_mode & S_IROTH) ? OPEN_NOT : has.secret ? OPEN_SECRETS : has.hash ? OPEN_HASHES : OPEN_NOT;

	if (now > f->open_told)
		log_warn(NULL, "users=%s: every user of this machine can read it (mode %04o), and so %s; chmod o-r", f->path,
			(unsigned)f->seen.st_mode & 07777, now == OPEN_SECRETS ? "the passwords that stand in it as they are ({PLAIN})" :
			"what passwords can be guessed by");
	f->open_told = now;
}

static struct passwd_table *read_table(struct passwd_file *f, struct buf *text, struct err *e)
{
	struct passwd_table *t = passwd_table_new(text, f->path, f->main_domain, e);

	if (t)
		log_info(NULL, "users=%s: %zu users read", f->path, passwd_table_count(t));
	if (t)
		tell_of_mode(f, t);
	else
		(void)err_in(e, "%s", f->path);
	return t;
}

static void use(struct passwd_file *f, struct passwd_table *t)
{
	struct passwd_table *old;

	pthread_rwlock_wrlock(&f->lock);
	old = f->table;
	f->table = t;
	pthread_rwlock_unlock(&f->lock);
	passwd_table_free(&old);	/* takes its time: nobody waits for it */
}

struct passwd_file *passwd_file_open(const char *path, const char *main_domain, struct err *e)
{
	struct passwd_file *f = calloc(1, sizeof *f);
	struct buf text;
	bool whole;

	if (!f) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	atomic_init(&f->holders, 1);
	pthread_rwlock_init(&f->lock, NULL);
	f->path = strdup(path);
	f->main_domain = strdup(main_domain ? main_domain : "");
	buf_start(&text, PASSWD_FILE_MAX + 2);
	if (!f->path || !f->main_domain)
		(void)err_set(e, ERR_LOCAL, "out of memory");
	else if (read_file(path, &text, &f->seen, &whole, e))
		f->table = read_table(f, &text, e);
	buf_wipe(&text);
	if (!f->table)
		passwd_file_free(&f);
	return f;
}

struct passwd_file *passwd_file_keep(struct passwd_file *f)
{
	(void)atomic_fetch_add_explicit(&f->holders, 1, memory_order_relaxed);
	return f;
}

void passwd_file_free(struct passwd_file **out)
{
	struct passwd_file *f = *out;

	*out = NULL;
	if (!f || atomic_fetch_sub_explicit(&f->holders, 1, memory_order_acq_rel) != 1)
		return;
	passwd_table_free(&f->table);
	pthread_rwlock_destroy(&f->lock);
	free(f->path);
	free(f->main_domain);
	free(f);
}

static bool stay(struct passwd_file *f, const struct err *why)
{
	if (strcmp(f->said, why->text) != 0)
		log_error(NULL, "users=%s: %s; the users that were read before stay in use", f->path, why->text);
	memcpy(f->said, why->text, sizeof f->said);
	return false;
}

/* It is another file than the one that was seen last, or that one again after it looked unfinished. */
static bool read_anew(struct passwd_file *f)
{
	struct passwd_table *t = NULL;
	struct stat st;
	struct buf text;
	struct err e = { 0 };
	bool whole = false, good, again;

	buf_start(&text, PASSWD_FILE_MAX + 2);
	good = read_file(f->path, &text, &st, &whole, &e);
	again = f->settling && same_file(&st, &f->seen);
	f->seen = st;
	f->settling = good && !whole && !again;
	if (good && !f->settling)
		t = read_table(f, &text, &e);
	buf_wipe(&text);
	if (f->settling)
		return false;
	if (!t)
		return stay(f, &e);
	use(f, t);
	f->said[0] = '\0';
	return true;
}

bool passwd_file_look(struct passwd_file *f)
{
	struct stat st;
	struct err e;

	if (stat(f->path, &st) != 0) {
		(void)err_errno(&e, ERR_LOCAL, "it cannot be read");
		memset(&f->seen, 0, sizeof f->seen);
		return stay(f, &e);
	}
	if (same_file(&st, &f->seen) && !f->settling)
		return false;
	return read_anew(f);
}

bool passwd_file_find(struct passwd_file *f, const char *name, const union address *peer, struct account_login *login)
{
	bool there;

	pthread_rwlock_rdlock(&f->lock);
	there = passwd_table_find(f->table, name, peer, login);
	pthread_rwlock_unlock(&f->lock);
	return there;
}

bool passwd_file_knows(struct passwd_file *f, const char *name)
{
	bool there;

	pthread_rwlock_rdlock(&f->lock);
	there = passwd_table_knows(f->table, name);
	pthread_rwlock_unlock(&f->lock);
	return there;
}

void passwd_file_nobody(struct passwd_file *f, uint64_t chance, struct account_login *login)
{
	pthread_rwlock_rdlock(&f->lock);
	(void)passwd_table_any(f->table, chance, login->verifier);
	passwd_table_like(f->table, login);
	pthread_rwlock_unlock(&f->lock);
}

struct passwd_has passwd_file_has(struct passwd_file *f)
{
	struct passwd_has has;

	pthread_rwlock_rdlock(&f->lock);
	has = passwd_table_has(f->table);
	pthread_rwlock_unlock(&f->lock);
	return has;
}

const char *passwd_file_path(const struct passwd_file *f)
{
	return f->path;
}

bool passwd_file_is(const struct passwd_file *f, const char *path, const char *main_domain)
{
	return strcmp(f->path, path) == 0 && strcmp(f->main_domain, main_domain ? main_domain : "") == 0;
}
