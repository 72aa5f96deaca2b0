/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share and nobody else includes: the loop's
 * inside, and the few calls between loop, resolver, dialling and connections.
 *
 * Handles of libuv end in one way only: uv_close, and memory is given back in
 * its callback.  So nothing frees itself while somebody further up the stack
 * still looks at it. */
#pragma once

#include <uv.h>

#include "base/err.h"
#include "net/loop.h"

struct conn;
struct resolver;

enum { LOOP_SPARES = 4, LOOP_SPARE = 160 * 1024 };

struct loop_clocks { int64_t mono_ms, boot_ms, real_ms; };

struct loop {
	uv_loop_t uv;
	char *in;		/* CONN_IN_MAX octets, lent to the connection whose turn it is: */
	char *clear;		/* as they came, and as TLS opened them; */
	char *plain;		/* and inflated, NULL until that is wanted */
	char *spares[LOOP_SPARES];	/* emptied queues of connections, LOOP_SPARE octets each, for whoever has to queue next */
	size_t spare_count;
	struct conn *conns;	/* every one that closed() was not called for yet */
	struct resolver *resolver;	/* while names are looked up */
	struct watch *watches;	/* signals */
	struct few_lane *few;	/* jobs that share few threads; NULL: there were none yet */
	struct jumps *jumps;	/* NULL: nobody wants to know */
	bool (*clocks)(struct loop_clocks *now);	/* for tests: instead of loop_clocks_read; NULL */
	size_t owned;		/* timers and wakes not freed yet */
	const char *dns;	/* for tests: "127.0.0.1:5353" instead of resolv.conf's; NULL */
};

/* Starts a one-shot timer with the time as it is now: a turn that took long, or
 * a loop that does not run yet, must not make it fire early. */
void loop_timer(struct loop *l, uv_timer_t *t, uv_timer_cb run, uint64_t after_ms);

/* loop_jump.c */
[[nodiscard]] bool loop_clocks_read(struct loop_clocks *now);	/* false: they could not be read together */
void loop_jumps_end(struct loop *l);

void jobs_prepare(void);		/* before libuv's pool is first used */
void jobs_few_end(struct loop *l);	/* when all are over */
void resolver_free(struct loop *l);	/* lookups under way are forgotten */
void conn_abandon(struct conn *c);	/* ends it without a call to its user */
