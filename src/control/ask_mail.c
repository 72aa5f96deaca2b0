/* SPDX-License-Identifier: Apache-2.0
 * Whole mailboxes of a running instance, in and out: it never opens a path of the command's. */
#include <stdio.h>
#include <stdlib.h>

#include "control/ask_inside.h"
#include "control/json.h"
#include "store/exchange.h"
#include "store/spool.h"

enum { WINDOW = 32 };	/* appends under way: as many as one commit can take together */

/* In */

struct importing {
	struct ask *ask;
	const char *mailbox;
	struct spool *spool;
	unsigned waiting;
	uint64_t *durable;
	bool broken;		/* nothing more can be asked */
	struct err why;		/* the first refusal */
};

static void hear_one(struct importing *i)
{
	uint64_t octets;
	json_t *reply;
	struct err e;

	i->waiting--;
	if (ask_receive(i->ask, &reply, &octets, &e)) {
		++*i->durable;
		json_decref(reply);
		return;
	}
	i->broken = i->broken || e.kind == ERR_NET || e.kind == ERR_PEER;
	if (!i->why.kind)
		i->why = e;
}

static bool import_begin(void *user, struct err *e)
{
	struct importing *i = user;

	if (i->why.kind) {
		*e = i->why;
		return false;
	}
	i->spool = spool_new(i->ask->state, e);
	return i->spool;
}

static bool import_add(void *user, struct span octets, struct err *e)
{
	struct importing *i = user;

	return spool_add(i->spool, octets, e);
}

static bool tell(void *user, struct span octets)
{
	struct importing *i = user;

	return local_tell(i->ask->socket, octets, -1, &i->why);
}

static bool import_end(void *user, int64_t arrived, bool seen, struct err *e)
{
	struct importing *i = user;
	json_t *args = json_pack("{s:s, s:o, s:b}", "mailbox", i->mailbox, "arrived", json_number(arrived > 0 ? (uint64_t)arrived : 0), "seen", seen);
	bool good = ask_send(i->ask, "mailbox.append", args, spool_size(i->spool), -1, e);

	i->waiting += good;
	if (good && !spool_read(i->spool, tell, i, e)) {
		i->broken = true;	/* the rest of its octets is missing */
		if (i->why.kind)
			*e = i->why;
		good = false;
	}
	spool_free(&i->spool);
	while (good && i->waiting >= WINDOW)
		hear_one(i);
	return good;
}

bool ask_import(struct ask *a, const char *mailbox, const char *source, uint64_t *count, struct err *e)
{
	struct importing i = { .ask = a, .mailbox = mailbox, .durable = count };
	const struct exchange_to to = { import_begin, import_add, import_end, &i };
	bool good;

	*count = 0;
	good = exchange_import(source, &to, e);
	spool_free(&i.spool);
	while (i.waiting && !i.broken)
		hear_one(&i);
	if (good && i.why.kind) {
		*e = i.why;
		good = false;
	}
	return good || (*count && err_in(e, "after %llu messages", (unsigned long long)*count));
}

/* Out */

struct exporting {
	struct ask *ask;
	const char *mailbox;
	json_t *page;		/* a reply of mailbox.messages */
	size_t at;
	struct spool *spool;	/* the last message */
	struct err why;		/* it could not be kept */
};

static bool next_page(struct exporting *x, struct err *e)
{
	json_t *args = json_pack("{s:s}", "mailbox", x->mailbox), *next = json_object_get(x->page, "next");

	if (next)
		(void)json_object_set(args, "after", next);
	json_decref(x->page);
	x->page = NULL;
	x->at = 0;
	return ask_call(x->ask, "mailbox.messages", args, &x->page, e);
}

static bool keep(void *user, struct span octets)
{
	struct exporting *x = user;

	if (!x->why.kind)
		(void)!spool_add(x->spool, octets, &x->why);
	return true;		/* what is not wanted is passed over */
}

/* The message into the spool.  *there is false for one that a client removed meanwhile. */
static bool fetch(struct exporting *x, const char *uid, bool *there, struct err *e)
{
	json_t *args = json_pack("{s:s, s:s}", "mailbox", x->mailbox, "uid", uid), *reply;
	uint64_t octets = 0;

	spool_free(&x->spool);
	x->spool = spool_new(x->ask->state, e);
	if (!x->spool) {
		json_decref(args);
		return false;
	}
	if (!ask_send(x->ask, "mailbox.message", args, 0, -1, e) || !ask_receive(x->ask, &reply, &octets, e))
		return false;
	*there = !json_member_flag(reply, "gone");
	json_decref(reply);
	if (!local_take(x->ask->socket, octets, keep, x, e))
		return err_in(e, "message %s", uid);
	if (x->why.kind)
		*e = x->why;
	return !x->why.kind;
}

static bool export_next(void *user, struct mailbox_entry *entry, bool *there, struct err *e)
{
	struct exporting *x = user;
	const json_t *row;

	do {
		while (x->at == json_array_size(json_object_get(x->page, "rows")) && json_object_get(x->page, "next"))
			if (!next_page(x, e))
				return false;
		row = json_array_get(json_object_get(x->page, "rows"), x->at);
		*there = false;
		if (!row)
			return true;
		x->at++;
		if (!fetch(x, json_member_text(row, "uid"), there, e))
			return false;
	} while (!*there);
	*entry = (struct mailbox_entry){ .size = json_member_number(row, "octets"), .arrived = json_moment_read(json_member_text(row, "arrived")),
		.flags = json_member_flag(row, "seen") ? MAILBOX_SEEN : 0 };
	return true;
}

static bool export_read(void *user, const struct mailbox_entry *entry, bool (*use)(void *to, struct span octets), void *to, struct err *e)
{
	struct exporting *x = user;

	(void)entry;		/* the last one of export_next */
	return spool_read(x->spool, use, to, e);
}

bool ask_export(struct ask *a, const char *mailbox, const char *target, uint64_t *count, struct err *e)
{
	struct exporting x = { .ask = a, .mailbox = mailbox };
	const struct exchange_from from = { export_next, export_read, &x, a->state };
	bool good;

	*count = 0;
	good = next_page(&x, e) && exchange_export(&from, target, count, e);	/* no target is made for a mailbox that is not there */
	json_decref(x.page);
	spool_free(&x.spool);
	return good;
}
