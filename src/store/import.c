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
static bool names_in(struct names *n, const char *path, const char *directory, bool (*wanted)(const char *name), struct err *e)
{
	char *whole = NULL;
	DIR *d = NULL;
	bool good = asprintf(&whole, "%s/%s", path, directory) > 0 && (d = opendir(whole));

	if (!good)
		(void)err_errno(e, ERR_CONFIG, "%s/%s cannot be read", path, directory);
	for (struct dirent *entry; good && (entry = readdir(d));)
		if (entry->d_name[0] != '.' && wanted(entry->d_name) && !names_add(n, directory, entry->d_name))
			good = err_set(e, ERR_LOCAL, "out of memory for names");
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
