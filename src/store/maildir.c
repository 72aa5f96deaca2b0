/* SPDX-License-Identifier: Apache-2.0 */
#include "store/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/disk.h"

enum { TAG_TEXT = 17, WRITE_PIECE = 16 * 1024, SECOND_US = 1000000 };

struct maildir {
	char *path;
	int tmp, new, cur;
	bool cur_changed;	/* by maildir_dress, which is not for several threads */
	char host[MAILDIR_HOST_MAX + 1];
};

static _Atomic uint32_t names_made;	/* by this process: Q of a name */
static _Atomic uint64_t last_moment;

void maildir_host(const char *given, char out[MAILDIR_HOST_MAX + 1])
{
	size_t n = 0;

	for (const char *p = given; *p && n + 4 <= MAILDIR_HOST_MAX; p++) {
		unsigned char c = (unsigned char)*p;

		if (c <= ' ' || c >= 127 || strchr("/:,\\_", c))
			n += (size_t)snprintf(out + n, 5, "\\%03o", c);
		else
			out[n++] = *p;
	}
	out[n] = '\0';
}

/* Maildir++: what tells a folder from a Maildir of its own. */
static bool mark_folder(const struct below *b, int at, struct err *e)
{
	int fd = openat(at, "maildirfolder", O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return below_failed(b, "maildirfolder", ERR_LOCAL, e);
	(void)close(fd);
	return true;
}

static bool open_parts(struct maildir *m, const struct below *b, struct err *e)
{
	int at = below_make(b, e);

	if (at < 0)
		return false;
	m->tmp = below_make_part(b, at, "tmp", e);
	m->new = m->tmp >= 0 ? below_make_part(b, at, "new", e) : -1;
	m->cur = m->new >= 0 ? below_make_part(b, at, "cur", e) : -1;
	if (m->cur >= 0 && below_is_folder(b) && !mark_folder(b, at, e)) {
		(void)close(m->cur);
		m->cur = -1;
	}
	(void)close(at);
	return m->cur >= 0;
}

bool maildir_open_below(const struct below *b, struct maildir **maildir, struct err *e)
{
	struct maildir *m = calloc(1, sizeof *m);
	char host[256] = "localhost";
	bool good;

	if (!m)
		return err_set(e, ERR_LOCAL, "out of memory for a Maildir");
	(void)gethostname(host, sizeof host - 1);
	maildir_host(host, m->host);
	m->tmp = m->new = m->cur = -1;
	m->path = strdup(b->path);
	good = m->path ? open_parts(m, b, e) : err_set(e, ERR_LOCAL, "out of memory for a Maildir");
	if (good)
		*maildir = m;
	else
		maildir_close(&m);
	return good;
}

bool maildir_open(const char *path, struct maildir **m, struct err *e)
{
	const struct below b = { .path = path };

	return maildir_open_below(&b, m, e);
}

void maildir_close(struct maildir **m)
{
	if (!*m)
		return;
	for (const int *fd = (const int[]){ (*m)->tmp, (*m)->new, (*m)->cur, -1 }; *fd >= 0; fd++)
		(void)close(*fd);
	free((*m)->path);
	free(*m);
	*m = NULL;
}

/* CRLF becomes LF on the way to the file.  Run twice: once to count, since the
 * sizes stand in the name, once to write. */
struct writer {
	int fd;			/* -1: counting */
	uint64_t size, lf, crlf;
	bool cr;		/* a CR that may be half of a CRLF is held back */
	bool failed;
	size_t len;
	char piece[WRITE_PIECE];
};

static void flush(struct writer *w)
{
	if (w->fd >= 0 && w->len && !disk_write(w->fd, (struct span){ w->piece, w->len }))
		w->failed = true;
	w->len = 0;
}

static void emit(struct writer *w, struct span s)
{
	w->size += s.len;
	while (w->fd >= 0 && s.len) {
		size_t n = sizeof w->piece - w->len < s.len ? sizeof w->piece - w->len : s.len;

		memcpy(w->piece + w->len, s.at, n);
		w->len += n;
		s = span_from(s, n);
		if (w->len == sizeof w->piece)
			flush(w);
	}
}

static bool write_octets(void *user, struct span s)
{
	struct writer *w = user;

	while (s.len && !w->failed) {
		size_t cr = span_find(s, '\r');

		if (w->cr && s.at[0] != '\n')
			emit(w, SPAN("\r"));
		w->crlf += w->cr && s.at[0] == '\n';
		w->cr = cr < s.len;
		for (struct span line = { s.at, cr }; line.len;) {
			size_t n = span_find(line, '\n');

			w->lf += n < line.len;
			line = span_from(line, n + 1);
		}
		emit(w, (struct span){ s.at, cr });
		s = span_from(s, cr + 1);
	}
	return !w->failed;
}

static bool convert(struct writer *w, const struct spool *message, struct err *e)
{
	if (!spool_read(message, write_octets, w, e))
		return false;
	if (w->cr)
		emit(w, SPAN("\r"));
	flush(w);
	return !w->failed;
}

static void tag_text(const uint8_t tag[8], char out[TAG_TEXT])
{
	(void)sodium_bin2hex(out, TAG_TEXT, tag, 8);
}

uint64_t maildir_moment(void)
{
	uint64_t last = atomic_load(&last_moment), moment;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	do {
		moment = (uint64_t)now.tv_sec * SECOND_US + (uint64_t)now.tv_nsec / 1000;
		if (moment <= last && last - moment < SECOND_US)	/* else the clock was set back: with it */
			moment = last + 1;
	} while (!atomic_compare_exchange_weak(&last_moment, &last, moment));
	return moment;
}

static void make_name(const struct maildir *m, const uint8_t tag[8], uint64_t moment, const struct writer *counted, char name[MAILDIR_NAME_MAX])
{
	char hex[TAG_TEXT];

	tag_text(tag, hex);
	/* Every line end counts two octets in W. */
	(void)snprintf(name, MAILDIR_NAME_MAX, "%llu.M%06uP%ldQ%06u_%s.%s,S=%llu,W=%llu", (unsigned long long)(moment / SECOND_US),
		(unsigned)(moment % SECOND_US), (long)getpid(), (unsigned)atomic_fetch_add(&names_made, 1), hex, m->host,
		(unsigned long long)counted->size, (unsigned long long)(counted->size + counted->lf));
}

bool maildir_write(struct maildir *m, const struct spool *message, const uint8_t tag[8], char name[MAILDIR_NAME_MAX], struct err *e)
{
	return maildir_write_at(m, message, tag, maildir_moment(), name, e);
}

bool maildir_write_at(struct maildir *m, const struct spool *message, const uint8_t tag[8], uint64_t moment, char name[MAILDIR_NAME_MAX],
	struct err *e)
{
	struct writer w;
	bool good;

	memset(&w, 0, offsetof(struct writer, piece));
	w.fd = -1;
	if (!convert(&w, message, e))
		return false;
	make_name(m, tag, moment, &w, name);
	memset(&w, 0, offsetof(struct writer, piece));
	w.fd = openat(m->tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w.fd < 0)
		return err_errno(e, ERR_LOCAL, "%s/tmp/%s cannot be made", m->path, name);
	good = convert(&w, message, e);
	if (!good && w.failed)
		(void)err_errno(e, ERR_LOCAL, "%s/tmp/%s cannot be written", m->path, name);
	if (good && fsync(w.fd) != 0)
		good = err_errno(e, ERR_LOCAL, "%s/tmp/%s cannot be synced", m->path, name);
	if (close(w.fd) != 0 && good)
		good = err_errno(e, ERR_LOCAL, "%s/tmp/%s cannot be closed", m->path, name);
	if (!good)
		(void)unlinkat(m->tmp, name, 0);
	return good;
}

bool maildir_sync_tmp(struct maildir *m, struct err *e)
{
	return fsync(m->tmp) == 0 || err_errno(e, ERR_LOCAL, "%s/tmp cannot be synced", m->path);
}

/* Names come back out of a ledger: a name is a name, never a path. */
static bool check_name(const char *name, struct err *e)
{
	if (*name && *name != '.' && !strchr(name, '/') && strlen(name) < MAILDIR_NAME_MAX)
		return true;
	return err_set(e, ERR_LOCAL, "a Maildir's file cannot have such a name");
}

/* "Not in tmp" means "placed before" only while tmp itself is where it was. */
static bool is_there(int directory)
{
	struct stat st;

	return fstat(directory, &st) == 0 && st.st_nlink > 0;
}

bool maildir_place(struct maildir *m, const char *name, struct err *e)
{
	if (!check_name(name, e))
		return false;
	if (renameat(m->tmp, name, m->new, name) == 0)
		return true;
	return err_errno(e, ERR_LOCAL, "%s: %s cannot go from tmp to new", m->path, name);
}

bool maildir_place_again(struct maildir *m, const char *name, struct err *e)
{
	return check_name(name, e) &&
	       (maildir_place(m, name, e) || (!maildir_waits(m, name) && is_there(m->tmp) && is_there(m->new)));
}

bool maildir_waits(struct maildir *m, const char *name)
{
	return faccessat(m->tmp, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

bool maildir_dress(struct maildir *m, const char *name, int64_t arrived, bool seen, struct err *e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)arrived } };
	char read_name[MAILDIR_NAME_MAX + 8];

	(void)snprintf(read_name, sizeof read_name, "%s:2,S", name);
	if (utimensat(m->new, name, times, AT_SYMLINK_NOFOLLOW) != 0 || (seen && renameat(m->new, name, m->cur, read_name) != 0))
		return err_errno(e, ERR_LOCAL, "%s/new/%s cannot be changed", m->path, name);
	m->cur_changed |= seen;
	return true;
}

void maildir_take_back(struct maildir *m, const char *name)
{
	struct err e;

	if (check_name(name, &e))
		(void)unlinkat(m->new, name, 0);
}

bool maildir_sync(struct maildir *m, struct err *e)
{
	if (fsync(m->new) != 0)
		return err_errno(e, ERR_LOCAL, "%s/new cannot be synced", m->path);
	if (m->cur_changed && fsync(m->cur) != 0)
		return err_errno(e, ERR_LOCAL, "%s/cur cannot be synced", m->path);
	m->cur_changed = false;
	return maildir_sync_tmp(m, e);
}

/* Walks the names in a directory; `use` returns false to end. */
static void each_name(int directory, bool (*use)(void *user, const char *name), void *user)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(d));)
		if (entry->d_name[0] != '.' && !use(user, entry->d_name))
			break;
	(void)closedir(d);
}

struct search {
	struct span name;
	bool found;
};

static bool look(void *user, const char *name)
{
	struct search *s = user;
	struct span other = span_of(name);

	other.len = span_find(other, ':');
	s->found = span_equal(other, s->name);
	return !s->found;
}

bool maildir_has(struct maildir *m, const char *name)
{
	struct search s = { span_of(name), false };

	s.name.len = span_find(s.name, ':');
	each_name(m->new, look, &s);
	if (!s.found)
		each_name(m->cur, look, &s);
	return s.found;
}

struct sweep {
	struct maildir *m;
	char mark[TAG_TEXT + 2];	/* _TAG. */
	bool (*keep)(void *user, const char *name);
	void *user;
};

static bool sweep_one(void *user, const char *name)
{
	struct sweep *s = user;

	if (strstr(name, s->mark) && !s->keep(s->user, name))
		(void)unlinkat(s->m->tmp, name, 0);
	return true;
}

void maildir_sweep(struct maildir *m, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user)
{
	struct sweep s = { .m = m, .keep = keep, .user = user };
	char hex[TAG_TEXT];

	tag_text(tag, hex);
	(void)snprintf(s.mark, sizeof s.mark, "_%s.", hex);
	each_name(m->tmp, sweep_one, &s);
}
