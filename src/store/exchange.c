/* SPDX-License-Identifier: Apache-2.0
 * Export and import of mailboxes: what the forms have in common, and export. */
#include "store/import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "store/disk.h"
#include "store/maildir.h"
#include "store/mbox.h"
#include "wire/header.h"

enum { PAGE = 64, SENDER_MAX = 320, HEADER_MAX = 64 * 1024 };

/* Calls `one` for each message in order. */
static bool each_message(struct mailbox *box, uint64_t *count, void *user,
	bool (*one)(void *user, const struct mailbox_entry *entry, uint64_t number, struct err *e), struct err *e)
{
	struct mailbox_entry page[PAGE];
	size_t got;

	for (*count = 0; (got = mailbox_entries(box, *count, page, PAGE));)
		for (size_t n = 0; n < got; n++, ++*count)
			if (!one(user, &page[n], *count + 1, e))
				return false;
	return true;
}

static bool write_octets(void *user, struct span octets)
{
	return disk_write(*(const int *)user, octets);
}

struct eml_export {
	struct mailbox *box;
	const char *path;
};

static bool export_eml_one(void *user, const struct mailbox_entry *entry, uint64_t number, struct err *e)
{
	struct eml_export *x = user;
	char *path;
	int fd;
	bool good;

	if (asprintf(&path, "%s/%08llu.eml", x->path, (unsigned long long)number) < 0)
		return err_set(e, ERR_LOCAL, "out of memory for a name");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	good = fd >= 0 ? mailbox_read(x->box, entry->uid, write_octets, &fd, e) : err_errno(e, ERR_LOCAL, "%s", path);
	if (good && fsync(fd) != 0)
		good = err_errno(e, ERR_LOCAL, "%s", path);
	if (fd >= 0)
		(void)close(fd);
	free(path);
	return good;
}

static bool must_be_empty(const char *path, struct err *e)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	bool empty = true;

	if (!d)
		return err_errno(e, ERR_LOCAL, "%s cannot be read", path);
	while (empty && (entry = readdir(d)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	(void)closedir(d);
	return empty ? true : err_set(e, ERR_CONFIG, "%s is not empty; nothing is overwritten", path);
}

static bool export_eml(struct mailbox *box, const char *path, uint64_t *count, struct err *e)
{
	struct eml_export x = { box, path };

	return disk_directory(path, e) && must_be_empty(path, e) && each_message(box, count, &x, export_eml_one, e) &&
	       disk_sync_directory(path, e);
}

struct maildir_export {
	struct mailbox *box;
	struct maildir *dir;
	struct err e;
};

struct spooling {
	struct spool *spool;
	struct err *e;
};

static bool spool_octets(void *user, struct span octets)
{
	struct spooling *s = user;

	return spool_add(s->spool, octets, s->e);
}

static bool export_maildir_one(void *user, const struct mailbox_entry *entry, uint64_t number, struct err *e)
{
	struct maildir_export *x = user;
	struct err full = { 0 };
	struct spooling s = { spool_new(store_state(x->box->store), e), &full };
	static const uint8_t tag[8];	/* of no connection: no visit sweeps it */
	char name[MAILDIR_NAME_MAX];
	bool good = false;

	(void)number;
	if (!s.spool)
		return false;
	good = mailbox_read(x->box, entry->uid, spool_octets, &s, e);
	if (full.kind)
		*e = full;
	good = good && maildir_write(x->dir, s.spool, tag, name, e) && maildir_place(x->dir, name, e) &&
	       maildir_dress(x->dir, name, entry->arrived, entry->flags & MAILBOX_SEEN, e);
	spool_free(&s.spool);
	return good;
}

static bool export_maildir(struct mailbox *box, const char *path, uint64_t *count, struct err *e)
{
	struct maildir_export x = { .box = box };
	bool good;

	if (!maildir_open(path, &x.dir, e))
		return false;
	good = each_message(box, count, &x, export_maildir_one, e) && maildir_sync(x.dir, e);
	maildir_close(&x.dir);
	return good;
}

struct mbox_export {
	struct mailbox *box;
	struct mbox_out *out;
};

/* The sender for the From line: Return-Path, when it is one word. */
struct looking {
	char sender[SENDER_MAX];
};

static bool look_at_header(void *user, struct span octets)
{
	struct looking *l = user;
	struct span value;

	if (header_find((struct span){ octets.at, octets.len < HEADER_MAX ? octets.len : HEADER_MAX }, "Return-Path", &value))
		header_value(value, l->sender, sizeof l->sender);
	return true;
}

static const char *sender_of(char *text)
{
	size_t len = strlen(text);

	if (len > 2 && text[0] == '<' && text[len - 1] == '>') {
		text[len - 1] = '\0';
		text++;
	}
	return *text && *text != '<' && !strpbrk(text, " \t") ? text : "MAILER-DAEMON";
}

struct mbox_message {
	struct mbox_out *out;
	struct looking looking;
	int64_t arrived;
	bool begun;
};

static bool mbox_octets(void *user, struct span octets)
{
	struct mbox_message *m = user;

	if (!m->begun) {
		(void)look_at_header(&m->looking, octets);
		mbox_out_begin(m->out, sender_of(m->looking.sender), m->arrived);
	}
	m->begun = true;
	return mbox_out_add(m->out, octets);
}

static bool export_mbox_one(void *user, const struct mailbox_entry *entry, uint64_t number, struct err *e)
{
	struct mbox_export *x = user;
	struct mbox_message m = { .out = x->out, .arrived = entry->arrived };

	(void)number;
	if (!mailbox_read(x->box, entry->uid, mbox_octets, &m, e))
		return false;
	if (!m.begun)		/* an empty message */
		mbox_out_begin(x->out, sender_of(m.looking.sender), m.arrived);
	mbox_out_end(x->out);
	return true;
}

static bool sync_parent(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	bool good = parent ? disk_sync_directory(parent, e) : err_set(e, ERR_LOCAL, "out of memory for a name");

	free(parent);
	return good;
}

static bool export_mbox(struct mailbox *box, const char *path, uint64_t *count, struct err *e)
{
	struct mbox_export x = { box, NULL };
	bool good;

	if (access(path, F_OK) == 0)
		return err_set(e, ERR_CONFIG, "%s is there already; nothing is overwritten", path);
	if (!mbox_out_open(path, &x.out, e))
		return false;
	good = each_message(box, count, &x, export_mbox_one, e);
	good = mbox_out_close(&x.out, good ? e : NULL) && good && sync_parent(path, e);
	if (!good)
		(void)unlink(path);
	return good;
}

static const struct form {
	const char *prefix;
	bool (*out)(struct mailbox *box, const char *path, uint64_t *count, struct err *e);
	bool (*in)(struct mailbox *box, const char *path, uint64_t *count, struct err *e);
} forms[] = {
	{ "maildir:", export_maildir, import_maildir },
	{ "mbox:", export_mbox, import_mbox },
	{ "eml:", export_eml, import_eml },
};

static const struct form *form_of(const char *text, const char **path, struct err *e)
{
	for (const struct form *f = forms; f < forms + COUNT(forms); f++)
		if (span_starts(span_of(text), span_of(f->prefix)) && text[strlen(f->prefix)]) {
			*path = text + strlen(f->prefix);
			return f;
		}
	(void)err_set(e, ERR_CONFIG, "\"%.100s\" is neither maildir:DIR nor mbox:FILE nor eml:DIR", text);
	return NULL;
}

bool mailbox_export(struct mailbox *box, const char *target, uint64_t *count, struct err *e)
{
	const char *path;
	const struct form *f = form_of(target, &path, e);

	*count = 0;
	return f && f->out(box, path, count, e);
}

bool mailbox_import(struct mailbox *box, const char *source, uint64_t *count, struct err *e)
{
	const char *path;
	const struct form *f = form_of(source, &path, e);

	*count = 0;
	return f && f->in(box, path, count, e);
}
