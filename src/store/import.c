/* SPDX-License-Identifier: Apache-2.0 */
#include "store/import.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/mbox.h"

enum { READ_PIECE = 32 * 1024 };

struct import {
	const struct exchange_to *to;
	bool cr;		/* the last octet was a CR */
	bool begun;
};

static bool begin(struct import *i, struct err *e)
{
	i->cr = false;
	i->begun = i->to->begin(i->to->user, e);
	return i->begun;
}

static bool end(struct import *i, int64_t arrived, bool seen, struct err *e)
{
	i->begun = false;
	return i->to->end(i->to->user, arrived, seen, e);
}

/* Line by line, since a lone LF is to become CRLF. */
static bool add(struct import *i, struct span s, struct err *e)
{
	void *user = i->to->user;

	while (s.len) {
		size_t n = span_find(s, '\n');
		bool ended = n < s.len, cr = n ? s.at[n - 1] == '\r' : i->cr;

		if ((n && !i->to->add(user, (struct span){ s.at, n }, e)) || (ended && !i->to->add(user, cr ? SPAN("\n") : SPAN("\r\n"), e)))
			return false;
		i->cr = !ended && cr;
		s = span_from(s, n + ended);
	}
	return true;
}

static bool add_file(struct import *i, int fd, struct err *e)
{
	char piece[READ_PIECE];
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, ERR_LOCAL, "cannot be read");
		if (!add(i, (struct span){ piece, (size_t)n }, e))
			return false;
	}
	return true;
}

static bool import_file(struct import *i, const char *path, bool seen, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	bool good;

	if (fd < 0 || fstat(fd, &st) != 0) {
		good = err_errno(e, ERR_LOCAL, "cannot be read");
	} else if (!S_ISREG(st.st_mode)) {
		good = err_set(e, ERR_CONFIG, "is not a file");
	} else {
		good = begin(i, e) && add_file(i, fd, e) && end(i, st.st_mtim.tv_sec, seen, e);
	}
	if (fd >= 0)
		(void)close(fd);
	return good || err_in(e, "%s", path);
}

struct name {
	const char *directory;
	char *text;
};

struct names {
	struct name *at;
	size_t count, cap;
};

static void names_end(struct names *n)
{
	while (n->count)
		free(n->at[--n->count].text);
	free(n->at);
}

static bool names_add(struct names *n, const char *directory, const char *text)
{
	if (n->count == n->cap) {
		size_t cap = n->cap ? n->cap * 2 : 64;
		struct name *more = reallocarray(n->at, cap, sizeof *more);

		if (!more)
			return false;
		n->at = more;
		n->cap = cap;
	}
	n->at[n->count] = (struct name){ directory, strdup(text) };
	return n->at[n->count++].text;
}

static int by_text(const void *a, const void *b)
{
	const struct name *one = a, *two = b;

	return strcmp(one->text, two->text);
}

static bool any_name(const char *name)
{
	(void)name;
	return true;
}

static bool eml_name(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && span_equal_nocase(span_of(name + len - 4), SPAN(".eml"));
}

/* Adds a directory's names; those that begin with a dot are nobody's mail. */
static bool names_of_directory(struct names *n, DIR *d, const char *directory, bool (*wanted)(const char *name), struct err *e)
{
	for (struct dirent *entry; (entry = readdir(d));)
		if (entry->d_name[0] != '.' && wanted(entry->d_name) && !names_add(n, directory, entry->d_name))
			return err_set(e, ERR_LOCAL, "out of memory for names");
	return true;
}

static bool names_in(struct names *n, const char *path, const char *directory, bool (*wanted)(const char *name), struct err *e)
{
	char *whole = NULL;
	DIR *d = NULL;
	bool good = asprintf(&whole, "%s/%s", path, directory) > 0 && (d = opendir(whole));

	if (!good)
		(void)err_errno(e, ERR_CONFIG, "%s/%s cannot be read", path, directory);
	good = good && names_of_directory(n, d, directory, wanted, e);
	if (d)
		(void)closedir(d);
	free(whole);
	return good;
}

static bool is_seen(const struct name *n)
{
	const char *flags = strstr(n->text, ":2,");

	return flags && strchr(flags + 3, 'S');
}

static bool import_names(const char *path, struct names *names, const struct exchange_to *to, struct err *e)
{
	struct import i = { .to = to };
	bool good = true;

	if (names->count)
		qsort(names->at, names->count, sizeof *names->at, by_text);
	for (struct name *n = names->at; good && n < names->at + names->count; n++) {
		char *file;

		if (asprintf(&file, "%s/%s%s%s", path, n->directory, *n->directory ? "/" : "", n->text) < 0) {
			good = err_set(e, ERR_LOCAL, "out of memory for a name");
			break;
		}
		good = import_file(&i, file, is_seen(n), e);
		free(file);
	}
	return good;
}

bool import_maildir(const char *path, const struct exchange_to *to, struct err *e)
{
	struct names names = { 0 };
	bool good = names_in(&names, path, "new", any_name, e) && names_in(&names, path, "cur", any_name, e) &&
	            import_names(path, &names, to, e);

	names_end(&names);
	return good;
}

/* Message by message */

struct maildir_walk {
	char *path;
	size_t account_len;
	struct names names;
	size_t at;		/* the next one */
	int fd;			/* of the one before; -1 = none */
};

void maildir_walk_close(struct maildir_walk **out)
{
	struct maildir_walk *w = *out;

	if (!w)
		return;
	*out = NULL;
	if (w->fd >= 0)
		(void)close(w->fd);
	names_end(&w->names);
	free(w->path);
	free(w);
}

/* Both folders; one that is not there holds nothing. */
static bool names_of(struct names *n, const struct maildir_walk *w, struct err *e)
{
	static const char *const folders[] = { "new", "cur" };
	const struct below b = { w->path, w->account_len };
	bool good = true;

	for (size_t k = 0; good && k < COUNT(folders); k++) {
		int fd = below_open(&b, folders[k], O_RDONLY | O_DIRECTORY, false);
		DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

		if (d) {
			good = names_of_directory(n, d, folders[k], any_name, e);
			(void)closedir(d);
			continue;
		}
		good = fd < 0 && errno == ENOENT;
		if (!good)
			(void)below_failed(&b, folders[k], ERR_CONFIG, e);
		if (fd >= 0)
			(void)close(fd);
	}
	return good;
}

static size_t base_len(const char *text)
{
	return strcspn(text, ":");
}

static int by_base(const void *a, const void *b)
{
	const struct name *one = a, *two = b;
	size_t len = base_len(one->text), other = base_len(two->text);
	int order = memcmp(one->text, two->text, len < other ? len : other);

	return order ? order : len != other ? (len < other ? -1 : 1) : strcmp(one->text, two->text);
}

static bool same_base(const struct name *one, const struct name *two)
{
	size_t len = base_len(one->text);

	return len == base_len(two->text) && memcmp(one->text, two->text, len) == 0;
}

/* In order; one that went from new to cur between the two is one. */
static void settle_names(struct names *n)
{
	size_t kept = 0;

	if (n->count)
		qsort(n->at, n->count, sizeof *n->at, by_base);
	for (size_t k = 0; k < n->count; k++) {
		if (kept && same_base(&n->at[kept - 1], &n->at[k]))
			free(n->at[--kept].text);
		n->at[kept++] = n->at[k];
	}
	n->count = kept;
}

bool maildir_walk_open(const struct below *b, struct maildir_walk **out, struct err *e)
{
	struct maildir_walk *w = calloc(1, sizeof *w);
	bool good;

	if (!w)
		return err_set(e, ERR_LOCAL, "out of memory");
	w->fd = -1;
	w->path = strdup(b->path);
	w->account_len = b->account_len;
	good = w->path ? names_of(&w->names, w, e) : err_set(e, ERR_LOCAL, "out of memory");
	settle_names(&w->names);
	if (!good)
		maildir_walk_close(&w);
	*out = w;
	return good;
}

/* Whoever asks may read more than whose Maildir it is: so no way leads out of it. */
static int open_name(const struct maildir_walk *w, const struct name *n)
{
	const struct below b = { w->path, w->account_len };
	char part[sizeof "cur/" + NAME_MAX];

	(void)snprintf(part, sizeof part, "%s/%s", n->directory, n->text);
	return below_open(&b, part, O_RDONLY | O_NONBLOCK | O_NOCTTY, false);
}

/* The name it has by now. */
static bool find_again(struct maildir_walk *w, struct name *n, bool *gone, struct err *e)
{
	struct names now = { 0 };
	bool found = false, good = names_of(&now, w, e);

	for (size_t k = 0; good && !found && k < now.count; k++) {
		found = same_base(&now.at[k], n);
		if (found) {
			free(n->text);
			*n = now.at[k];
			now.at[k].text = NULL;
		}
	}
	names_end(&now);
	*gone = !found;
	return good;
}

bool maildir_walk_next(struct maildir_walk *w, struct mailbox_entry *entry, bool *there, struct err *e)
{
	enum { TRIES = 3 };

	if (w->fd >= 0)
		(void)close(w->fd);
	w->fd = -1;
	*there = false;
	while (w->at < w->names.count) {
		struct name *n = &w->names.at[w->at++];
		struct stat st;
		bool gone = false;

		for (int tries = 0; (w->fd = open_name(w, n)) < 0 && errno == ENOENT && !gone; tries++)
			if (tries == TRIES)
				gone = true;
			else if (!find_again(w, n, &gone, e))
				return false;
		if (w->fd < 0 && (gone || errno == ELOOP))	/* a symbolic link is nobody's mail, either */
			continue;
		if (w->fd < 0 || fstat(w->fd, &st) != 0)
			return err_errno(e, ERR_LOCAL, "%s/%s/%s cannot be read", w->path, n->directory, n->text);
		if (!S_ISREG(st.st_mode)) {	/* nobody's mail */
			(void)close(w->fd);
			w->fd = -1;
			continue;
		}
		*entry = (struct mailbox_entry){ .size = (uint64_t)st.st_size, .arrived = st.st_mtim.tv_sec, .flags = is_seen(n) ? MAILBOX_SEEN : 0 };
		*there = true;
		return true;
	}
	return true;
}

struct using {
	bool (*use)(void *to, struct span octets);
	void *to;
};

static bool use_octets(void *user, struct span octets, struct err *e)
{
	struct using *u = user;

	return u->use(u->to, octets) || err_set(e, ERR_LOCAL, "reading was ended");
}

bool maildir_walk_read(struct maildir_walk *w, bool (*use)(void *to, struct span octets), void *to, struct err *e)
{
	struct using u = { use, to };
	const struct exchange_to each = { .add = use_octets, .user = &u };
	struct import i = { .to = &each };

	assert(w->fd >= 0);
	if (lseek(w->fd, 0, SEEK_SET) < 0)
		return err_errno(e, ERR_LOCAL, "%s/%s cannot be read", w->path, maildir_walk_name(w));
	return add_file(&i, w->fd, e) || err_in(e, "%s/%s", w->path, maildir_walk_name(w));
}

const char *maildir_walk_name(const struct maildir_walk *w)
{
	return w->at ? w->names.at[w->at - 1].text : "";
}

size_t maildir_walk_count(const struct maildir_walk *w)
{
	return w->names.count;
}

static bool export_next(void *user, struct mailbox_entry *entry, bool *there, struct err *e)
{
	return maildir_walk_next(user, entry, there, e);
}

static bool export_read(void *user, [[maybe_unused]] const struct mailbox_entry *entry, bool (*use)(void *to, struct span octets), void *to, struct err *e)
{
	return maildir_walk_read(user, use, to, e);
}

bool maildir_export(const struct below *b, const char *state, const char *target, uint64_t *count, struct err *e)
{
	struct exchange_from from = { export_next, export_read, NULL, state };
	struct maildir_walk *w;
	bool good;

	*count = 0;
	if (!maildir_walk_open(b, &w, e))
		return false;
	from.user = w;
	good = exchange_export(&from, target, count, e);
	maildir_walk_close(&w);
	return good;
}

bool import_eml(const char *path, const struct exchange_to *to, struct err *e)
{
	struct names names = { 0 };
	bool good = names_in(&names, path, "", eml_name, e) && import_names(path, &names, to, e);

	names_end(&names);
	return good;
}

bool import_mbox(const char *path, const struct exchange_to *to, struct err *e)
{
	struct import i = { .to = to };
	struct mbox_in *in;
	bool good = true, over = false;
	int64_t arrived = 0, date = 0;
	struct span octets;

	if (!mbox_in_open(path, &in, e))
		return false;
	while (good && !over)
		switch (mbox_in_next(in, &octets, &date, e)) {
		case MBOX_MESSAGE:
			good = (!i.begun || end(&i, arrived, false, e)) && begin(&i, e);
			arrived = date ? date : clock_now_s();
			break;
		case MBOX_OCTETS:
			good = add(&i, octets, e);
			break;
		case MBOX_END:
			good = !i.begun || end(&i, arrived, false, e);
			over = true;
			break;
		case MBOX_FAILED:
			good = false;
			break;
		}
	mbox_in_close(&in);
	return good;
}
