/* SPDX-License-Identifier: Apache-2.0
 * Mail into a Maildir and out of it, as whole mailboxes. */
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/import.h"
#include "store/place.h"

/* Whose a Maildir is: its owner's, or, before it is made, the state directory's.  What root makes there
 * must be theirs.  Of this thread alone; nothing changes unless it is root's. */
struct owner {
	uid_t user;
	gid_t group;
};

static void find_owner(const struct place *place, const char *state, struct owner *o)
{
	char account[PATH_MAX];
	struct stat st;

	(void)snprintf(account, sizeof account, "%.*s", (int)place->account_len, place->path);
	*o = (struct owner){ geteuid(), getegid() };
	if (o->user == 0 && (stat(account, &st) == 0 || stat(state, &st) == 0))
		*o = (struct owner){ st.st_uid, st.st_gid };
}

static void be(const struct owner *o)
{
	if (o->user == 0) {
		(void)setfsuid(0);
		(void)setfsgid(o->group);
		return;
	}
	(void)setfsgid(o->group);
	(void)setfsuid(o->user);
}

struct arriving {
	struct owner owner, self;
	struct maildir *dir;
	const char *state;
	struct spool *spool;
	uint64_t *count;
};

static bool begin(void *user, struct err *e)
{
	struct arriving *a = user;

	a->spool = spool_new(a->state, e);
	return a->spool;
}

static bool add(void *user, struct span octets, struct err *e)
{
	const struct arriving *a = user;

	return spool_add(a->spool, octets, e);
}

static bool end(void *user, int64_t arrived, bool seen, struct err *e)
{
	static const uint8_t tag[8];	/* of no connection: no visit sweeps it */
	struct arriving *a = user;
	char name[MAILDIR_NAME_MAX];
	bool good;

	be(&a->owner);
	good = maildir_write(a->dir, a->spool, tag, name, e) && maildir_place(a->dir, name, e) && maildir_dress(a->dir, name, arrived, seen, e);
	be(&a->self);
	spool_free(&a->spool);
	*a->count += good;
	return good;
}

bool place_import(const struct place *place, const char *state, const char *source, uint64_t *count, struct err *e)
{
	struct arriving a = { .self = { geteuid(), getegid() }, .state = state, .count = count };
	const struct exchange_to to = { begin, add, end, &a };
	struct err late;
	bool good;

	*count = 0;
	find_owner(place, state, &a.owner);
	be(&a.owner);
	good = place_make(place, &a.dir, e);
	be(&a.self);
	if (!good)
		return false;
	good = exchange_import(source, &to, e);
	if (!maildir_sync(a.dir, good ? e : &late))
		good = false;
	spool_free(&a.spool);
	maildir_close(&a.dir);
	return good || (*count && err_in(e, "after %llu messages", (unsigned long long)*count));
}

bool place_export(const struct place *place, const char *state, const char *target, uint64_t *count, struct err *e)
{
	const struct below b = place_below(place);

	return maildir_export(&b, state, target, count, e);
}
