/* SPDX-License-Identifier: Apache-2.0 */
#include "store/epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/box.h"
#include "store/pack.h"

enum { WINDOW = 256 };	/* boxes under way */

/* Commits that are waited for together: one fsync for many. */
struct tally {
	pthread_mutex_t mutex;
	pthread_cond_t answered;
	size_t under_way;
	bool failed;
	struct err why;
};

static void on_answer(void *user, const struct err *why)
{
	struct tally *t = user;

	(void)pthread_mutex_lock(&t->mutex);
	t->under_way--;
	if (why && !t->failed) {
		t->failed = true;
		t->why = *why;
	}
	(void)pthread_cond_signal(&t->answered);
	(void)pthread_mutex_unlock(&t->mutex);
}

static bool wait_until(struct tally *t, size_t most, struct err *e)
{
	bool good;

	(void)pthread_mutex_lock(&t->mutex);
	while (t->under_way > most)
		(void)pthread_cond_wait(&t->answered, &t->mutex);
	good = !t->failed;
	if (!good)
		*e = t->why;
	(void)pthread_mutex_unlock(&t->mutex);
	return good;
}

static void send(struct engine *g, struct tally *t, struct batch **b)
{
	(void)pthread_mutex_lock(&t->mutex);
	t->under_way++;
	(void)pthread_mutex_unlock(&t->mutex);
	engine_commit(g, b, (struct engine_done){ on_answer, t });
}

static uint32_t last_of(struct engine *g)
{
	struct span value;
	struct view *v;
	uint32_t last = 0;
	struct err e;

	if (!view_begin(g, &v, &e))
		return 0;
	if (view_get(v, engine_part_of("names", SPAN("")), SPAN("e"), &value))
		last = take_u32(&value);
	view_end(&v);
	return last;
}

/* Keeps nothing but the pipe: run.lock goes with whoever is killed, not with this child. */
static _Noreturn void tell_last(const char *file, int out)
{
	struct engine *g;
	struct err e;

	if (dup2(out, STDIN_FILENO) < 0)
		_exit(1);
	out = STDIN_FILENO;
	(void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	if (engine_open_still(file, &g, &e)) {
		uint32_t last = last_of(g);

		(void)!write(out, &last, sizeof last);
	}
	_exit(0);
}

uint32_t epoch_last(const char *file)
{
	uint32_t last = 0;
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return 0;
	child = fork();
	if (child == 0)
		tell_last(file, ends[1]);
	(void)close(ends[1]);
	if (child > 0) {
		if (read(ends[0], &last, sizeof last) != sizeof last)
			last = 0;
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	(void)close(ends[0]);
	return last;
}

static bool choose(struct engine *g, int64_t least, uint32_t *epoch, struct err *e)
{
	uint64_t next = least > 0 ? (uint64_t)least : 0, last = last_of(g);

	next = (last > next ? last : next) + EPOCH_AHEAD;
	if (next > UINT32_MAX)
		return err_set(e, ERR_LOCAL, "the clock, or the store's last epoch, is out of range: check the date");
	*epoch = (uint32_t)next;
	return true;
}

/* The box's head, if it has one, as a batch. */
static bool head_batch(struct view *v, struct span name, uint32_t epoch, struct batch **b, struct err *e)
{
	engine_part part = engine_part_of("mailbox", name);
	uint64_t first = (uint64_t)epoch << 32 | 1;
	struct box_head head;
	char packed[33];
	struct span value;

	*b = NULL;
	if (!view_get(v, part, SPAN("h"), &value))
		return true;
	if (!box_head_unpack(value, &head) || head.next_uid > first || head.next_blob > first)
		return err_set(e, ERR_LOCAL, "mailbox %.*s: its head is damaged", (int)name.len, name.at);
	head.next_uid = head.next_blob = first;
	*b = store_batch(part);
	store_must(batch_put(*b, SPAN("h"), box_head_value(packed, &head)));
	return true;
}

/* One box: its head, and its name's epoch, from which a box without a head begins. */
static bool raise_box(struct engine *g, struct tally *t, struct span key, uint32_t epoch, struct view *v, struct err *e)
{
	struct batch *b, *name;
	char packed[4];

	if (!head_batch(v, span_from(key, 1), epoch, &b, e))
		return false;
	if (b)
		send(g, t, &b);
	pack_u32(packed, epoch);
	name = store_batch(engine_part_of("names", SPAN("")));
	store_must(batch_put(name, key, (struct span){ packed, sizeof packed }));
	send(g, t, &name);
	return true;
}

static bool raise_all(struct engine *g, struct tally *t, engine_part names, uint32_t epoch, struct err *e)
{
	char at[1 + MAILBOX_NAME_MAX];
	struct span key = { 0 }, value;
	bool good = true, there = true;

	while (good && there) {
		struct view *v;

		if (!view_begin(g, &v, e))
			return false;
		there = view_next(v, names, SPAN("b"), &key, &value);
		if (there) {
			good = key.len <= sizeof at ? true : err_set(e, ERR_LOCAL, "the directory of mailboxes is damaged");
			if (good) {
				memcpy(at, key.at, key.len);
				key.at = at;
				good = raise_box(g, t, key, epoch, v, e);
			}
		}
		view_end(&v);
		good = good && wait_until(t, WINDOW, e);
	}
	return good;
}

bool epoch_raise(struct engine *g, int64_t least, uint32_t *epoch, struct err *e)
{
	struct tally t = { .mutex = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER };
	engine_part names = engine_part_of("names", SPAN(""));
	struct batch *b;
	char packed[4];
	bool good;
	struct err late;

	if (!choose(g, least, epoch, e))
		return false;
	pack_u32(packed, *epoch);
	b = store_batch(names);
	store_must(batch_put(b, SPAN("e"), (struct span){ packed, sizeof packed }));
	send(g, &t, &b);
	good = raise_all(g, &t, names, *epoch, e);
	/* All of them answer before the tally goes. */
	if (!wait_until(&t, 0, good ? e : &late))
		good = false;
	return good;
}
