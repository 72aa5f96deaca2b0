/* SPDX-License-Identifier: Apache-2.0
 *
 * Clocks that jump.  The kernel says so by a timer that it cancels when the wall clock is set, and after a sleep; what it
 * does not say is seen by whoever has a turn anyway: nothing wakes the process for this. */
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "net/inside.h"

enum { LOOK_MS = 1000, TOGETHER_MS = 100, TRIES = 3, FAR_S = 1 << 30 };

struct jumps {
	uv_check_t check;
	uv_poll_t poll;
	int fd;			/* -1: only the turns look */
	unsigned handles;	/* not closed yet */
	void (*run)(void *user, const struct loop_jump *j);
	void *user;
	bool begun;		/* `last` is known */
	struct loop_clocks last;
	uint64_t looked_ms;
};

static int64_t read_clock(clockid_t which)
{
	struct timespec t;

	(void)clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whoever loses the processor between two of them has seen no jump. */
bool loop_clocks_read(struct loop_clocks *c)
{
	for (unsigned n = 0; n < TRIES; n++) {
		c->mono_ms = read_clock(CLOCK_MONOTONIC);
		c->boot_ms = read_clock(CLOCK_BOOTTIME);
		c->real_ms = read_clock(CLOCK_REALTIME);
		if (read_clock(CLOCK_MONOTONIC) - c->mono_ms <= TOGETHER_MS)
			return true;
	}
	return false;
}

static bool far(int64_t ms)
{
	return ms > LOOP_JUMP_MS || ms < -LOOP_JUMP_MS;
}

static void look(struct loop *l, struct jumps *j)
{
	struct loop_clocks now;
	struct loop_jump jump;

	j->looked_ms = uv_now(&l->uv);
	if (!(l->clocks ? l->clocks : loop_clocks_read)(&now))
		return;
	if (!j->begun) {
		j->begun = true;
		j->last = now;
		return;
	}
	jump.slept_ms = (now.boot_ms - now.mono_ms) - (j->last.boot_ms - j->last.mono_ms);
	jump.set_ms = (now.real_ms - now.boot_ms) - (j->last.real_ms - j->last.boot_ms);
	if (!far(jump.slept_ms) && !far(jump.set_ms))
		return;			/* small ones add up */
	j->last = now;
	j->run(j->user, &jump);
}

static void on_turn(uv_check_t *uv)
{
	struct jumps *j = uv->data;

	if (uv_now(uv->loop) - j->looked_ms >= LOOK_MS)
		look(uv->loop->data, j);
}

static void arm(int fd)
{
	struct itimerspec never = { .it_value.tv_sec = read_clock(CLOCK_REALTIME) / 1000 + FAR_S };

	(void)timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void on_cancelled(uv_poll_t *uv, [[maybe_unused]] int status, [[maybe_unused]] int events)
{
	struct jumps *j = uv->data;
	uint64_t times;

	(void)!read(j->fd, &times, sizeof times);	/* ECANCELED */
	arm(j->fd);
	look(uv->loop->data, j);
}

static void on_closed(uv_handle_t *h)
{
	struct jumps *j = h->data;

	if (--j->handles)
		return;
	if (j->fd >= 0)
		(void)close(j->fd);
	free(j);
}

void loop_jumps_end(struct loop *l)
{
	struct jumps *j = l->jumps;

	l->jumps = NULL;
	if (!j)
		return;
	uv_close((uv_handle_t *)&j->check, on_closed);
	if (j->fd >= 0)
		uv_close((uv_handle_t *)&j->poll, on_closed);
}

/* Without such a timer the turns still look. */
static void watch_timer(struct loop *l, struct jumps *j)
{
	j->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (j->fd >= 0 && uv_poll_init(&l->uv, &j->poll, j->fd)) {
		(void)close(j->fd);
		j->fd = -1;
	}
	if (j->fd < 0)
		return;
	j->poll.data = j;
	j->handles++;
	uv_unref((uv_handle_t *)&j->poll);
	(void)uv_poll_start(&j->poll, UV_READABLE, on_cancelled);
	arm(j->fd);
}

bool loop_on_jump(struct loop *l, void (*run)(void *user, const struct loop_jump *j), void *user, struct err *e)
{
	struct jumps *j;

	loop_jumps_end(l);
	if (!run)
		return true;
	j = calloc(1, sizeof *j);
	if (!j)
		return err_set(e, ERR_LOCAL, "out of memory");
	j->run = run;
	j->user = user;
	(void)uv_check_init(&l->uv, &j->check);		/* neither can fail */
	j->check.data = j;
	j->handles = 1;
	uv_unref((uv_handle_t *)&j->check);
	(void)uv_check_start(&j->check, on_turn);
	watch_timer(l, j);
	l->jumps = j;
	look(l, j);
	return true;
}
