/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery into a folder of files (store/folder.h), as one of sink_files.h's directories.  Each job opens it anew,
 * since a `struct folder` belongs to one thread: so one that cannot be opened fails messages, not the visit. */
#include "collect/retried.h"
#include "collect/sink_files.h"
#include "deliver/folder_files.h"
#include "wire/utf7.h"

enum { MAILBOX_SHOWN = 1024 };

static bool enter(struct sink *k, void **dir, struct err *e)
{
	struct folder *f;

	if (!folder_open(k->target->path, &f, e))
		return false;
	*dir = f;
	return true;
}

static void leave([[maybe_unused]] struct sink *k, void *dir)
{
	struct folder *f = dir;

	folder_close(&f);
}

/* Without an envelope it is for nobody in particular, from whom its Return-Path says. */
static bool write_one(struct sink *k, void *dir, struct message *m, struct err *e)
{
	const struct retried *held = m->retried;
	const char *from = held && (*held->info.sender || held->recipient_count) ? held->info.sender : m->routing.sender;
	const char *mailbox = held ? held->info.origin.mailbox : ledger_mailbox(m->ledger);
	char shown[MAILBOX_SHOWN];
	const struct deliver_fact facts[] = {
		{ "SOURCE", "connection" }, { "CONNECTION", k->visit->with->name }, { "ACCOUNT", k->visit->with->user },
		{ "UID", m->uid_text }, { "MAILBOX", shown },
	};
	const struct deliver_ask ask = {
		.target = k->handed, .message = m->spool, .sender = from,
		.recipients = held ? held->recipients : m->routing.recipients,
		.recipient_count = held ? held->recipient_count : m->routing.recipient_count, .facts = facts, .fact_count = COUNT(facts) - !*mailbox,
	};

	utf7_show(span_of(mailbox), shown, sizeof shown);
	return folder_files_write(dir, &ask, store_state(collector_store(k->visit->collector)), files_tag(k, m), m->place, e);
}

static bool sync_written(void *dir, struct err *e)
{
	return folder_sync_tmp(dir, e);
}

static bool prepare(void *dir, const char *name, struct err *e)
{
	return folder_place_files(dir, name, e);
}

static bool place(void *dir, const char *name, struct err *e)
{
	return folder_place_index(dir, name, e);
}

static bool sync_placed(void *dir, struct err *e)
{
	return folder_sync(dir, e);
}

static void placed(void *dir, const char *name)
{
	folder_placed(dir, name);
}

static bool lost(void *dir, const char *name)
{
	return !folder_waits(dir, name) && !folder_has(dir, name);
}

static bool place_again(void *dir, const char *name, struct err *e)
{
	return folder_place_again(dir, name, e);
}

static bool has(void *dir, const char *name)
{
	return folder_has(dir, name);
}

static void sweep(void *dir, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user)
{
	folder_sweep(dir, tag, keep, user);
}

static const struct files_ops ops = {
	.enter = enter, .leave = leave, .write = write_one, .sync_written = sync_written, .prepare = prepare, .place = place, .lost = lost,
	.sync_placed = sync_placed, .placed = placed, .place_again = place_again, .has = has, .sweep = sweep,
};

static bool open_sink(struct sink *k, struct err *e)
{
	if (!files_open(k, &ops, e))
		return false;
	k->handed = collector_target(k->visit->collector, k->target, e);
	if (k->handed)
		return true;
	files_close(k);
	return false;
}

static void close_sink(struct sink *k)
{
	deliver_target_put(&k->handed);
	files_close(k);
}

const struct sink_ops sink_folder = {
	.open = open_sink, .recover = files_recover, .deliver = files_deliver,
	.answered = files_answered, .settled = files_settled, .close = close_sink,
};
