/* SPDX-License-Identifier: Apache-2.0
 *
 * For this room's tests: a store, a loop that takes its answers, a message, and one target after the other.
 * `world` makes it all, world_delivers asks for one delivery and runs the loop until it is done, world_end checks nothing. */
#pragma once

#include "store/fixture.h"

#include <dirent.h>

#include "deliver/deliver.h"
#include "store/maildir.h"

enum { WORLD_TICKETS_BIT = 56, WORLD_PATIENCE_MS = 60000 };

struct world {
	const char *directory;
	struct store *store;
	struct loop *loop;
	struct wake *answers;
	struct timer *patience;
	struct deliveries *all;
	struct spool *message;
	unsigned wanted, done;		/* the loop stops when as many are done */
	enum deliver_said said[16];	/* in the order in which they came back */
	int which[16];
	char why[DELIVER_WHY_MAX + 1], told[DELIVER_WHY_MAX + 1];	/* of the last one */
	bool hung, answered, down;
	bool placing_fails;
	char placed[MAILDIR_NAME_MAX];
	char kept[MAILDIR_NAME_MAX];	/* a file that is still to be delivered */
};

struct world_ask {			/* user of an ask */
	struct world *w;
	int number;
};

static struct world_ask world_asks[16];

static inline void world_answers(void *user)
{
	struct world *w = user;
	struct store_done done;

	while (store_next(w->store, &done))
		if (deliver_ticket(done.ticket))
			deliveries_answered(w->all, &done);
	deliveries_turn(w->all);
}

static inline void world_on_store(void *user)
{
	struct world *w = user;

	wake_send(w->answers);
}

static inline void world_too_late([[maybe_unused]] void *user)
{
	fail_msg("what was waited for did not happen");
}

static inline bool world_keep(void *user, const char *name)
{
	struct world *w = user;

	return strcmp(w->kept, name) == 0;
}

static inline void world_deliveries(struct world *w)
{
	w->all = deliveries_new(&(struct deliveries_with){ .loop = w->loop, .store = w->store,
		.tickets = (uint64_t)1 << WORLD_TICKETS_BIT, .keep = world_keep, .user = w }, &fixture_err);
	must(w->all);
}

static inline struct world *world(size_t len)
{
	struct world *w = calloc(1, sizeof *w);
	char *octets = fixture_octets(len);

	assert_non_null(w);
	w->directory = fixture_directory();
	w->store = fixture_store(w->directory);
	w->loop = loop_new(&fixture_err);
	must(w->loop);
	w->answers = wake_new(w->loop, world_answers, w, &fixture_err);
	must(w->answers);
	store_on_wake(w->store, world_on_store, w);
	w->patience = timer_new(w->loop, world_too_late, NULL);
	assert_non_null(w->patience);
	timer_background(w->patience);	/* deliveries keep the loop alive by themselves */
	timer_set(w->patience, WORLD_PATIENCE_MS, 0);
	world_deliveries(w);
	w->message = spool_new(w->directory, &fixture_err);
	must(w->message && spool_add(w->message, (struct span){ octets, len }, &fixture_err));
	free(octets);
	return w;
}

static inline void world_end(struct world *w)
{
	deliveries_free(&w->all);
	spool_free(&w->message);
	timer_free(&w->patience);
	store_on_wake(w->store, NULL, NULL);
	wake_free(&w->answers);
	loop_free(&w->loop);
	store_close(&w->store);
	fixture_remove(w->directory);
	free(w);
}

static inline void world_done(void *user, const struct deliver_result *r)
{
	struct world_ask *a = user;
	struct world *w = a->w;

	w->said[w->done] = r->said;
	w->which[w->done++] = a->number;
	(void)snprintf(w->why, sizeof w->why, "%s", r->why);
	(void)snprintf(w->told, sizeof w->told, "%s", r->told);
	w->hung = r->hung;
	w->answered = r->answered;
	w->down = r->down;
	if (w->done == w->wanted)
		loop_stop(w->loop);
}

static inline bool world_placing(void *user, const char *name, struct err *e)
{
	struct world_ask *a = user;

	if (a->w->placing_fails)
		return err_set(e, ERR_LOCAL, "a test says so");
	(void)snprintf(a->w->placed, sizeof a->w->placed, "%s", name);
	return true;
}

/* Asks for it; more of the ask may be set by `more`. */
static inline void world_asks_for(struct world *w, const struct target *target, const struct deliver_ask *more)
{
	static const char *const recipients[] = { "bert@example.org", "carla k@example.net" };
	struct deliver_ask ask = more ? *more : (struct deliver_ask){ .target = NULL };
	unsigned n = w->wanted++;

	world_asks[n] = (struct world_ask){ w, (int)n };
	ask.target = deliver_target_new(target, &fixture_err);
	must(ask.target);
	ask.message = w->message;
	ask.sender = "anna@example.org";
	if (!ask.recipients) {
		ask.recipients = recipients;
		ask.recipient_count = COUNT(recipients);
	}
	ask.done = world_done;
	ask.user = &world_asks[n];
	deliver(w->all, &ask);
	deliver_target_put(&ask.target);
}

static inline void world_runs(struct world *w)
{
	if (w->done < w->wanted)
		loop_run(w->loop);
}

/* One after the other. */
static inline enum deliver_said world_delivers(struct world *w, const struct target *target, const struct deliver_ask *more)
{
	w->wanted = w->done = 0;
	world_asks_for(w, target, more);
	assert_int_equal(w->done, 0);	/* never from within */
	world_runs(w);
	return w->said[0];
}

/* How many files lie there, and the name of one. */
static inline size_t world_files(const char *directory, const char *sub, char name[256])
{
	char path[400];
	struct dirent *entry;
	size_t count = 0;
	DIR *d;

	(void)snprintf(path, sizeof path, "%s/%s", directory, sub);
	d = opendir(path);
	if (!d)
		return 0;
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.') {
			(void)snprintf(name, 256, "%s", entry->d_name);
			count++;
		}
	(void)closedir(d);
	return count;
}
