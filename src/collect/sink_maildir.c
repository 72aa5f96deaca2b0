/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery into a Maildir (store/maildir.h), as one of sink_files.h's directories.  It is opened once a visit:
 * several threads may work in one. */
#include "collect/sink_files.h"

static bool enter(struct sink *k, void **dir, [[maybe_unused]] struct err *e)
{
	*dir = k->maildir;
	return true;
}

static void leave([[maybe_unused]] struct sink *k, [[maybe_unused]] void *dir)
{
}

static bool write_one(struct sink *k, void *dir, struct message *m, struct err *e)
{
	return maildir_write_at(dir, m->spool, files_tag(k, m), m->moment, m->place, e);
}

static bool sync_written(void *dir, struct err *e)
{
	return maildir_sync_tmp(dir, e);
}

static bool place(void *dir, const char *name, struct err *e)
{
	return maildir_place(dir, name, e);
}

static bool lost(void *dir, const char *name)
{
	return !maildir_waits(dir, name);
}

static bool sync_placed(void *dir, struct err *e)
{
	return maildir_sync(dir, e);
}

static bool place_again(void *dir, const char *name, struct err *e)
{
	return maildir_place_again(dir, name, e);
}

static bool has(void *dir, const char *name)
{
	return maildir_has(dir, name);
}

static void sweep(void *dir, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user)
{
	maildir_sweep(dir, tag, keep, user);
}

static const struct files_ops ops = {
	.enter = enter, .leave = leave, .write = write_one, .sync_written = sync_written, .place = place, .lost = lost,
	.sync_placed = sync_placed, .place_again = place_again, .has = has, .sweep = sweep,
};

static bool open_sink(struct sink *k, struct err *e)
{
	struct store *s = collector_store(k->visit->collector);

	if (!files_open(k, &ops, e))
		return false;
	if (k->place ? place_open(s, k->target->mailbox, k->place, &k->maildir, e) : maildir_open(k->target->path, &k->maildir, e))
		return true;
	files_close(k);
	return false;
}

static void close_sink(struct sink *k)
{
	maildir_close(&k->maildir);
	files_close(k);
}

const struct sink_ops sink_maildir = {
	.open = open_sink, .recover = files_recover, .deliver = files_deliver,
	.answered = files_answered, .settled = files_settled, .close = close_sink,
};
