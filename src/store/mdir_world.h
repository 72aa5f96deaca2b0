/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of Maildirs as maildrops: a Maildir to be filled, and what an opened one says, as a text of one line a message.
 * The clock is ours (--wrap=clock_now_s): folders are as old as a test wants them. */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/fixture.h"
#include "store/mdir_inside.h"

extern int64_t __real_clock_now_s(void);
extern int64_t __wrap_clock_now_s(void);

static int64_t mdir_later;	/* seconds that passed since the folders changed */

int64_t __wrap_clock_now_s(void)
{
	return __real_clock_now_s() + mdir_later;
}

extern void __real_engine_commit(struct engine *g, struct batch **b, struct engine_done done);
extern void __wrap_engine_commit(struct engine *g, struct batch **b, struct engine_done done);

static unsigned mdir_commits;	/* that nobody waited for */

void __wrap_engine_commit(struct engine *g, struct batch **b, struct engine_done done)
{
	mdir_commits++;
	__real_engine_commit(g, b, done);
}

struct mdir_world {
	const char *directory;
	char path[128];
	struct store *store;
	bool dovecot;
};

[[maybe_unused]] static void world_start(struct mdir_world *w)
{
	char name[160], state[160];

	*w = (struct mdir_world){ .directory = fixture_directory() };
	(void)snprintf(w->path, sizeof w->path, "%s/Maildir", w->directory);
	(void)snprintf(state, sizeof state, "%s/state", w->directory);
	assert_int_equal(mkdir(w->path, 0700), 0);
	for (const char *const *dir = (const char *const[]){ "tmp", "new", "cur", NULL }; *dir; dir++) {
		(void)snprintf(name, sizeof name, "%s/%s", w->path, *dir);
		assert_int_equal(mkdir(name, 0700), 0);
	}
	w->store = fixture_store(state);
	mdir_later = 100;
}

[[maybe_unused]] static void world_end(struct mdir_world *w)
{
	store_close(&w->store);
	fixture_remove(w->directory);
}

[[maybe_unused]] static void world_put(const struct mdir_world *w, const char *name, struct span octets)
{
	char path[600];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", w->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_true(write(fd, octets.at, octets.len) == (ssize_t)octets.len);
	assert_int_equal(close(fd), 0);
}

[[maybe_unused]] static void world_move(const struct mdir_world *w, const char *from, const char *to)
{
	char a[600], b[600];

	(void)snprintf(a, sizeof a, "%s/%s", w->path, from);
	(void)snprintf(b, sizeof b, "%s/%s", w->path, to ? to : "");
	assert_int_equal(to ? rename(a, b) : unlink(a), 0);
}

[[maybe_unused]] static struct maildrop *world_open(const struct mdir_world *w)
{
	const struct maildrop_maildir with = { .path = w->path, .uidl_dovecot = w->dovecot };
	struct maildrop *drop = NULL;

	must(maildrop_open_maildir(w->store, &with, &drop, &fixture_err));
	return drop;
}

/* What was committed before, without waiting, is durable. */
[[maybe_unused]] static void world_settle(const struct mdir_world *w)
{
	struct batch *b = batch_new(1);

	must(b && engine_commit_wait(store_engine(w->store), &b, &fixture_err));
}

/* Could a loop open it? */
[[maybe_unused]] static bool world_known(const struct mdir_world *w)
{
	const struct maildrop_maildir with = { .path = w->path, .uidl_dovecot = w->dovecot };
	struct maildrop *drop = NULL;
	bool good = maildrop_try_maildir(w->store, &with, &drop);

	maildrop_close(&drop);
	return good;
}

/* "new/a 12 plain;cur/b:2,S 4 seen no-end id=x;" in order.  What a loop opens says the same. */
[[maybe_unused]] static const char *world_tell_drop(struct maildrop *drop)
{
	static char said[2][8192];
	static int turn;
	char *text = said[turn = !turn];
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t n = 1; n <= maildrop_count(drop) && len < sizeof said[0] - 600; n++) {
		const struct drop_message *m = &maildrop_messages(drop)[n - 1];
		const char *id = maildrop_uids(drop) ? maildrop_uids(drop)[n - 1] : NULL;
		struct mdir_file file;

		assert_true(mdir_locate(drop, n, false, &file));
		len += (size_t)snprintf(text + len, sizeof said[0] - len, "%s/%s %llu%s%s%s%s%s;", mdir_dir_name(file.dir), file.name,
			(unsigned long long)drop_octets(m), drop_flags(m) & DROP_PLAIN ? " plain" : "", drop_flags(m) & DROP_SEEN ? " seen" : "",
			drop_flags(m) & DROP_NO_END ? " no-end" : "", id ? " id=" : "", id ? id : "");
	}
	return text;
}

[[maybe_unused]] static const char *world_tell(const struct mdir_world *w)
{
	struct maildrop *drop = world_open(w);
	const char *text = world_tell_drop(drop);

	maildrop_close(&drop);
	return text;
}
