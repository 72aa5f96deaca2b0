/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: connections that are watched, beside a test_world, at an IMAP server of its own with a thread a session.
 *
 *     watched_start(world, capabilities, rules) → watched_visit … watched_until(w, condition) … watched_end(&w)
 * The server has INBOX and b, and what else is opened is empty; each message is of a few octets.  A rule replaces its answer to
 * commands that begin so; those of one beginning take turns, and the last one stays.  In what a rule says
 *     %T the tag   %A mail comes into INBOX   %B into b   %F what a right server would say   %D a line comes: DONE
 *     %C the server closes   %R resets   %W, %V it waits for watched_go
 * Idle sessions end when the client ends them.  Behind the last rule a session waits for whatever is said next. */
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include "collect/test_world.h"

enum { WATCHED_MAX = 3 };

struct watched_rule { const char *verb, *says; };

struct watched {
	struct world *world;
	struct server server;
	const char *capabilities;
	struct watched_rule rules[16];
	size_t rule_count;
	/* the server's */
	pthread_mutex_t mutex;
	pthread_t threads[64];
	size_t thread_count;
	size_t taken[16];		/* of each rule */
	unsigned mails[2];		/* in INBOX, in b */
	unsigned logins, idles, notifies, examines, selects, ends, waits;
	sem_t go[2];
	/* ours */
	struct collector *collector;
	struct timer *tick;
	struct connection with[WATCHED_MAX], *list[WATCHED_MAX];
	const char *boxes[101];
	char names[WATCHED_MAX][32];
	struct target targets[WATCHED_MAX];
	const struct target *deliver[WATCHED_MAX];
	struct settings settings;
	unsigned news, over;
	struct visit_result result;
};

extern uint64_t watched_later_ms;	/* added to the loop's clock */
extern bool watched_distrusts;		/* no connection is trusted any more */
extern size_t watched_no_malloc, watched_no_calloc;	/* of so many octets fail; 0 = none */

struct watched *watched_start(struct world *world, const char *capabilities, const struct watched_rule *rules, size_t count);
void watched_end(struct watched **w);
void watched_go(struct watched *w, char who);	/* 'W' or 'V', once */
/* Connection `n`, from 0 on, is visited; how many messages it collected. */
uint64_t watched_visit(struct watched *w, size_t n);
bool watched_is(struct watched *w, size_t n);
void watched_run(struct watched *w);			/* for a moment */
unsigned watched_said(struct watched *w, const unsigned *counter);

/* A condition that nothing could hinder; it fails after a minute. */
#define watched_until(w, condition) do { \
		unsigned looks = 0; \
		for (; !(condition) && looks < 12000; looks++) \
			watched_run(w); \
		assert_true(looks < 12000); \
	} while (0)
