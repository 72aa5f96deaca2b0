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

#include "store/box.h"
#include "store/disk.h"
#include "store/maildir.h"
#include "store/mbox.h"
#include "wire/header.h"

enum { PAGE = 64, SENDER_MAX = 320, HEADER_MAX = 64 * 1024 };

/* Calls `one` for each message in order. */
static bool each_message(const struct exchange_from *from, uint64_t *count, void *user,
	bool (*one)(void *user, const struct mailbox_entry *entry, uint64_t number, struct err *e), struct err *e)
{
	struct mailbox_entry entry;
	bool there = false;

	for (*count = 0; from->next(from->user, &entry, &there, e); ++*count) {
		if (!there)
			return true;
		if (!one(user, &entry, *count + 1, e))
			return false;
	}
	return false;
}

static bool write_octets(void *user, struct span octets)
{
	return disk_write(*(const int *)user, octets);
}

struct eml_export {
	const struct exchange_from *from;
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
	good = fd >= 0 ? x->from->read(x->from->user, entry, write_octets, &fd, e) : err_errno(e, ERR_LOCAL, "%s", path);
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

static bool export_eml(const struct exchange_from *from, const char *path, uint64_t *count, struct err *e)
{
	struct eml_export x = { from, path };

	return disk_directory(path, e) && must_be_empty(path, e) && each_message(from, count, &x, export_eml_one, e) &&
	       disk_sync_directory(path, e);
}

struct maildir_export {
	const struct exchange_from *from;
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
	struct spooling s = { spool_new(x->from->spool, e), &full };
	static const uint8_t tag[8];	/* of no connection: no visit sweeps it */
	char name[MAILDIR_NAME_MAX];
	bool good = false;

	(void)number;
	if (!s.spool)
		return false;
	good = x->from->read(x->from->user, entry, spool_octets, &s, e);
	if (full.kind)
		*e = full;
	good = good && maildir_write(x->dir, s.spool, tag, name, e) && maildir_place(x->dir, name, e) &&
	       maildir_dress(x->dir, name, entry->arrived, entry->flags & MAILBOX_SEEN, e);
	spool_free(&s.spool);
	return good;
}

static bool export_maildir(const struct exchange_from *from, const char *path, uint64_t *count, struct err *e)
{
	struct maildir_export x = { .from = from };
	bool good;

	if (!maildir_open(path, &x.dir, e))
		return false;
	good = each_message(from, count, &x, export_maildir_one, e) && maildir_sync(x.dir, e);
	maildir_close(&x.dir);
	return good;
}

struct mbox_export {
	const struct exchange_from *from;
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
	if (!x->from->read(x->from->user, entry, mbox_octets, &m, e))
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

static bool export_mbox(const struct exchange_from *from, const char *path, uint64_t *count, struct err *e)
{
	struct mbox_export x = { from, NULL };
	bool good;

	if (access(path, F_OK) == 0)
		return err_set(e, ERR_CONFIG, "%s is there already; nothing is overwritten", path);
	if (!mbox_out_open(path, &x.out, e))
		return false;
	good = each_message(from, count, &x, export_mbox_one, e);
	good = mbox_out_close(&x.out, good ? e : NULL) && good && sync_parent(path, e);
	if (!good)
		(void)unlink(path);
	return good;
}

static const struct form {
	const char *prefix;
	bool (*out)(const struct exchange_from *from, const char *path, uint64_t *count, struct err *e);
	bool (*in)(const char *path, const struct exchange_to *to, struct err *e);
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

bool exchange_export(const struct exchange_from *from, const char *target, uint64_t *count, struct err *e)
{
	const char *path;
	const struct form *f = form_of(target, &path, e);

	*count = 0;
	return f && f->out(from, path, count, e);
}

bool exchange_import(const char *source, const struct exchange_to *to, struct err *e)
{
	const char *path;
	const struct form *f = form_of(source, &path, e);

	return f && f->in(path, to, e);
}

/* Out of a mailbox of ours */

struct walk {
	struct mailbox *box;
	struct mailbox_entry page[PAGE];
	size_t at, got;
	uint64_t position;
};

static bool walk_next(void *user, struct mailbox_entry *entry, bool *there, [[maybe_unused]] struct err *e)
{
	struct walk *w = user;

	if (w->at == w->got) {
		w->at = 0;
		w->got = mailbox_entries(w->box, w->position, w->page, PAGE);
		w->position += w->got;
	}
	*there = w->at < w->got;
	if (*there)
		*entry = w->page[w->at++];
	return true;
}

static bool walk_read(void *user, const struct mailbox_entry *entry, bool (*use)(void *to, struct span octets), void *to, struct err *e)
{
	const struct walk *w = user;

	return mailbox_read(w->box, entry->uid, use, to, e);
}

bool mailbox_export(struct mailbox *box, const char *target, uint64_t *count, struct err *e)
{
	struct walk w = { .box = box };
	const struct exchange_from from = { walk_next, walk_read, &w, store_state(box->store) };

	return exchange_export(&from, target, count, e);
}

/* Into a mailbox of ours */

struct arriving {
	struct mailbox *box;
	struct incoming *in;
	uint64_t tickets, *durable;
	struct err why;		/* the first refusal */
};

static void take_answers(struct arriving *a)
{
	struct store_done d;

	while (store_next(a->box->store, &d)) {
		*a->durable += d.good;
		if (!d.good && !a->why.kind)
			a->why = d.why;
	}
}

/* Waits while there is no room, and after the last until all is durable. */
static bool settled(struct arriving *a, bool all, struct err *e)
{
	struct store *s = a->box->store;

	take_answers(a);
	while ((all ? store_waiting(s) > 0 : incoming_full(a->in)) && store_wait(s))
		take_answers(a);
	if (!a->why.kind)
		return true;
	*e = a->why;
	return false;
}

static bool arriving_begin(void *user, struct err *e)
{
	struct arriving *a = user;

	a->in = incoming_new(a->box, e);
	return a->in && settled(a, false, e);
}

static bool arriving_add(void *user, struct span octets, struct err *e)
{
	struct arriving *a = user;

	return incoming_add(a->in, octets, e) && (!incoming_full(a->in) || settled(a, false, e));
}

static bool arriving_end(void *user, int64_t arrived, bool seen, [[maybe_unused]] struct err *e)
{
	struct arriving *a = user;

	incoming_finish(&a->in, NULL, arrived, seen ? MAILBOX_SEEN : 0, ++a->tickets);
	return true;
}

/* Everything durable that was finished, whatever else went wrong. */
bool mailbox_import(struct mailbox *box, const char *source, uint64_t *count, struct err *e)
{
	struct arriving a = { .box = box, .durable = count };
	const struct exchange_to to = { arriving_begin, arriving_add, arriving_end, &a };
	struct err late;
	bool good;

	*count = 0;
	good = exchange_import(source, &to, e);
	incoming_abort(&a.in);
	if (!settled(&a, true, good ? e : &late))
		good = false;
	return good || (*count && err_in(e, "after %llu messages", (unsigned long long)*count));
}
