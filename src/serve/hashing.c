/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/hashing.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "store/login.h"

/* With 5 a loop that woke waited for whole slices of hashes: in a flood of wrong passwords an honest login took 30 ms at the
 * 99th percentile, with 15 it takes 9; and logins go on, slowly, where loops alone could keep every core busy. */
enum { NICER = 15, PREFIX_SIX = 6 };

/* Who comes from one prefix.  A lane is there while something of it waits or is hashed. */
struct lane {
	uint64_t prefix;
	uint32_t family;	/* 0: the lane is free */
	unsigned waiting, running;
	bool wrong;		/* its last hash was of a wrong password */
	uint64_t turn;		/* when it came, or had its last hash, at its end */
	struct hashing_job *first, *last;
};

enum state { WAITING, RUNNING, TO_TELL, TOLD, FORGOTTEN };

struct hashing_job {
	struct hashing *h;
	struct lane *lane;
	struct hashing_job *next;
	enum state state;
	enum hashing_said said;
	struct admission_delay delay;
	struct hashing_ask ask;	/* its spans point into this: */
	char verifier[LOGIN_VERIFIER];
	char *password;
	struct wake *wake;
};

struct hashing {
	pthread_mutex_t lock;
	pthread_cond_t work, ended;
	struct hashing_with with;
	struct lane *lanes;	/* queue_max + threads: there is always a free one */
	size_t lane_count;	/* behind it, all are free */
	size_t waiting;
	unsigned running;
	uint64_t turn, hashed;
	bool stop, left;	/* left: nobody waits for threads any more, and what `with` names is gone: the last one frees this */
	unsigned deep, inside;	/* threads in `holds`; those that have not ended, once `stop` is set */
	unsigned threads;
	pthread_t thread[];
};

/* Of IPv6 a /48: what one customer has.  By /64 he would have as many lanes as the queue has places. */
static uint64_t prefix_of(const union address *a)
{
	uint64_t prefix = 0;

	if (a->any.sa_family == AF_INET6)
		memcpy(&prefix, &a->v6.sin6_addr, PREFIX_SIX);
	else
		prefix = ntohl(a->v4.sin_addr.s_addr) >> 8;
	return prefix;
}

/* Its lane, or a free one.  Lanes are as many as jobs: few enough to be looked through, at 30 ms a hash. */
static struct lane *lane_of(struct hashing *h, const union address *from)
{
	uint64_t prefix = prefix_of(from);
	uint32_t family = from->any.sa_family;
	struct lane *free_one = NULL;
	size_t n;

	for (n = 0; n < h->lane_count; n++) {
		struct lane *lane = &h->lanes[n];

		if (lane->family == family && lane->prefix == prefix)
			return lane;
		if (!lane->family && !free_one)
			free_one = lane;
	}
	if (!free_one) {
		assert(n < (size_t)h->with.queue_max + h->with.threads + 1);
		free_one = &h->lanes[n];
		h->lane_count++;
	}
	*free_one = (struct lane){ .prefix = prefix, .family = family, .turn = ++h->turn };
	return free_one;
}

static void lane_leave(struct hashing *h, struct lane *lane)
{
	if (lane->waiting || lane->running)
		return;
	*lane = (struct lane){ 0 };
	while (h->lane_count && !h->lanes[h->lane_count - 1].family)
		h->lane_count--;
}

static void lane_add(struct hashing *h, struct hashing_job *j)
{
	struct lane *lane = j->lane;

	*(lane->last ? &lane->last->next : &lane->first) = j;
	lane->last = j;
	lane->waiting++;
	h->waiting++;
}

static void lane_take(struct hashing *h, struct hashing_job *j)
{
	struct lane *lane = j->lane;
	struct hashing_job **at = &lane->first, *before = NULL;

	while (*at != j) {
		before = *at;
		at = &before->next;
	}
	*at = j->next;
	if (lane->last == j)
		lane->last = before;
	j->next = NULL;
	lane->waiting--;
	h->waiting--;
}

/* The last idle thread is not for those who guess, and have one already. */
static bool may(const struct hashing *h, const struct lane *lane)
{
	return lane->waiting && (!lane->wrong || !lane->running || h->running + 1 < h->with.threads);
}

/* The lane whose turn it is; NULL: nothing waits that may. */
static struct lane *next_lane(const struct hashing *h)
{
	struct lane *best = NULL;

	for (struct lane *lane = h->lanes; lane < h->lanes + h->lane_count; lane++)
		if (may(h, lane) && (!best || lane->running < best->running || (lane->running == best->running && lane->turn < best->turn)))
			best = lane;
	return best;
}

static struct lane *longest_lane(const struct hashing *h)
{
	struct lane *longest = h->lanes;

	for (struct lane *lane = h->lanes; lane < h->lanes + h->lane_count; lane++)
		if (lane->waiting > longest->waiting)
			longest = lane;
	return longest;
}

static void drop_password(struct hashing_job *j)
{
	if (j->password)
		wipe(j->password, j->ask.password.len);
	free(j->password);
	j->password = NULL;
}

static void give_back(struct hashing_job *j)
{
	drop_password(j);
	wipe(j->verifier, sizeof j->verifier);	/* {PLAIN} is a password */
	free(j);
}

/* With the lock: so the wake is still there, or nobody waits any more. */
static void tell(struct hashing_job *j, enum hashing_said said)
{
	j->said = said;
	j->state = TO_TELL;
	wake_send(j->wake);
}

static void on_wake(void *user)
{
	struct hashing_job *j = user;
	bool now;

	pthread_mutex_lock(&j->h->lock);
	now = j->state == TO_TELL;
	if (now)
		j->state = TOLD;
	pthread_mutex_unlock(&j->h->lock);
	if (!now)
		return;
	if (j->said != HASHING_NOT_YET)
		drop_password(j);
	j->ask.done(j->ask.user, j->said, j->delay);	/* may end the job */
}

static void finish(struct hashing *h, struct hashing_job *j, enum hashing_said said)
{
	bool forgotten;

	pthread_mutex_lock(&h->lock);
	h->hashed += said != HASHING_NOT_YET;
	h->running--;
	j->lane->running--;
	j->lane->turn = ++h->turn;
	if (said != HASHING_NOT_YET)
		j->lane->wrong = said == HASHING_WRONG;
	lane_leave(h, j->lane);
	if (h->waiting > 1)	/* one is for this thread; perhaps another may have what no one could before */
		pthread_cond_signal(&h->work);
	forgotten = j->state == FORGOTTEN;
	if (!forgotten)
		tell(j, said);
	pthread_mutex_unlock(&h->lock);
	if (forgotten)
		give_back(j);
}

static void work(struct hashing *h, struct hashing_job *j)
{
	bool right, left;

	j->delay = h->with.turn(h->with.context, &j->ask.attempt);
	if (j->delay.delay_ms || j->delay.blocked) {
		finish(h, j, HASHING_NOT_YET);
		return;
	}
	pthread_mutex_lock(&h->lock);
	h->deep++;
	pthread_cond_signal(&h->ended);
	pthread_mutex_unlock(&h->lock);
	right = h->with.holds(j->verifier, j->ask.password);
	drop_password(j);
	pthread_mutex_lock(&h->lock);
	h->deep--;
	left = h->left;
	pthread_mutex_unlock(&h->lock);
	if (!right && !left)
		j->delay = h->with.wrong(h->with.context, &j->ask.attempt);
	finish(h, j, right ? HASHING_RIGHT : HASHING_WRONG);
}

static void destroy(struct hashing *h)
{
	pthread_cond_destroy(&h->ended);
	pthread_cond_destroy(&h->work);
	pthread_mutex_destroy(&h->lock);
	free(h->lanes);
	free(h);
}

static atomic_uint left_threads;

unsigned hashing_left(void)
{
	return atomic_load(&left_threads);
}

/* With the lock, which it gives back. */
static void leave(struct hashing *h)
{
	bool last = --h->inside == 0 && h->left, left = h->left;

	pthread_cond_signal(&h->ended);
	pthread_mutex_unlock(&h->lock);
	if (last)
		destroy(h);
	if (left)
		atomic_fetch_sub(&left_threads, 1);
}

static void *run(void *user)
{
	struct hashing *h = user;

	/* Both of this thread alone (Linux): loops have the processor first, and a hash that begins takes it from none. */
	(void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
	(void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICER);
	pthread_mutex_lock(&h->lock);
	for (;;) {
		struct lane *lane = next_lane(h);
		struct hashing_job *j;

		if (!lane && h->stop)
			break;
		if (!lane) {
			pthread_cond_wait(&h->work, &h->lock);
			continue;
		}
		j = lane->first;
		lane_take(h, j);
		j->state = RUNNING;
		lane->running++;
		h->running++;
		lane->turn = ++h->turn;
		pthread_mutex_unlock(&h->lock);
		work(h, j);
		pthread_mutex_lock(&h->lock);
	}
	leave(h);
	return NULL;
}

/* Signals are the main thread's. */
static bool start_threads(struct hashing *h)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (h->threads < h->with.threads && pthread_create(&h->thread[h->threads], NULL, run, h) == 0)
		h->threads++;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return h->threads == h->with.threads;
}

struct hashing *hashing_new(const struct hashing_with *with, struct err *e)
{
	struct hashing *h = calloc(1, sizeof *h + with->threads * sizeof h->thread[0]);

	assert(with->threads && with->queue_max && with->lane_max && with->holds);
	if (h) {
		h->with = *with;
		pthread_mutex_init(&h->lock, NULL);
		pthread_cond_init(&h->work, NULL);
		pthread_cond_init(&h->ended, NULL);
		h->lanes = calloc((size_t)with->queue_max + with->threads + 1, sizeof *h->lanes);
		if (h->lanes && sodium_init() >= 0 && start_threads(h))
			return h;
		hashing_free(&h);
	}
	(void)err_set(e, ERR_LOCAL, "no threads, or no memory, to hash passwords");
	return NULL;
}

/* With the lock: until all threads have ended, or those that have not are all in a hash, and patience is at its end. */
static void await_threads(struct hashing *h)
{
	struct timespec until;
	bool late = false;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HASHING_PATIENCE_MS / 1000;
	while (h->inside && !late)
		late = pthread_cond_clockwait(&h->ended, &h->lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT;
	while (h->inside > h->deep)	/* these are about to end, or to begin the hash that they took */
		pthread_cond_wait(&h->ended, &h->lock);
}

void hashing_free(struct hashing **out)
{
	struct hashing *h = *out;
	unsigned left;

	*out = NULL;
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	assert(!h->waiting);	/* each was ended by who asked */
	h->stop = true;
	h->inside = h->threads;
	pthread_cond_broadcast(&h->work);
	await_threads(h);
	left = h->inside;
	h->left = left;
	atomic_fetch_add(&left_threads, left);
	for (unsigned n = 0; left && n < h->threads; n++)
		(void)pthread_detach(h->thread[n]);
	pthread_mutex_unlock(&h->lock);
	if (left) {
		log_warn(NULL, "%u passwords are hashed still: nobody waits for them", left);
		return;
	}
	while (h->threads)
		pthread_join(h->thread[--h->threads], NULL);
	destroy(h);
}

/* With the lock: is there room for it, if need be another's? */
static bool make_room(struct hashing *h, const struct lane *lane, struct err *e)
{
	struct lane *longest;

	if (lane->waiting >= h->with.lane_max)
		return err_set(e, ERR_BUSY, "%u logins of one address range wait for their password to be hashed", lane->waiting);
	if (h->waiting < h->with.queue_max)
		return true;
	longest = longest_lane(h);
	if (longest->waiting <= lane->waiting + 1)
		return err_set(e, ERR_BUSY, "%zu logins wait for their password to be hashed", h->waiting);
	tell(longest->last, HASHING_FULL);
	lane_take(h, longest->last);
	return true;		/* the lane is not empty: it had at least two */
}

static bool enter(struct hashing *h, struct hashing_job *j, struct err *e)
{
	bool room;

	pthread_mutex_lock(&h->lock);
	j->lane = lane_of(h, &j->ask.from);
	room = make_room(h, j->lane, e);
	if (room) {
		j->state = WAITING;
		lane_add(h, j);
		pthread_cond_signal(&h->work);
	} else {
		lane_leave(h, j->lane);
	}
	pthread_mutex_unlock(&h->lock);
	return room;
}

struct hashing_job *hashing_ask(struct hashing *h, const struct hashing_ask *ask, struct err *e)
{
	struct hashing_job *j = calloc(1, sizeof *j);
	size_t len = strlen(ask->verifier);

	assert(len < sizeof j->verifier);
	if (j)
		j->password = malloc(ask->password.len + 1);	/* for 0 it might give nothing */
	if (!j || !j->password) {
		free(j);
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	j->h = h;
	j->ask = *ask;
	j->ask.verifier = memcpy(j->verifier, ask->verifier, len + 1);
	if (ask->password.len)
		memcpy(j->password, ask->password.at, ask->password.len);
	j->ask.password.at = j->password;
	j->wake = wake_new(ask->loop, on_wake, j, e);
	if (!j->wake || !enter(h, j, e)) {
		wake_free(&j->wake);
		give_back(j);
		return NULL;
	}
	return j;
}

bool hashing_again(struct hashing_job *j, struct err *e)
{
	assert(j->state == TOLD && j->said == HASHING_NOT_YET);
	return enter(j->h, j, e);
}

void hashing_end(struct hashing_job **out)
{
	struct hashing_job *j = *out;
	bool ours = true;

	if (!j)
		return;
	pthread_mutex_lock(&j->h->lock);
	assert(j->state != FORGOTTEN);
	switch (j->state) {
	case WAITING:
		lane_take(j->h, j);
		lane_leave(j->h, j->lane);
		break;
	case RUNNING:
		j->state = FORGOTTEN;
		ours = false;
		break;
	case TO_TELL:
	case TOLD:
	case FORGOTTEN:
		break;
	}
	wake_free(&j->wake);	/* before the lock is given back: then the thread may free the job */
	pthread_mutex_unlock(&j->h->lock);
	if (ours)
		give_back(j);
	*out = NULL;
}

bool hashing_waits(struct hashing_job *j)
{
	bool waits;

	pthread_mutex_lock(&j->h->lock);
	waits = j->state == WAITING;
	pthread_mutex_unlock(&j->h->lock);
	return waits;
}

void hashing_counts(struct hashing *h, size_t *waiting, uint64_t *hashed)
{
	pthread_mutex_lock(&h->lock);
	*waiting = h->waiting;
	*hashed = h->hashed;
	pthread_mutex_unlock(&h->lock);
}
