/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/hashing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"

/* One hash at a time goes on when the test says so; the order in which they came is kept. */
static struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int open;		/* so many may go on; -1: all */
	char free;		/* these always may */
	unsigned inside;	/* are being hashed */
	char order[4096];
	unsigned count;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static bool holds(const char *argon, struct span password)
{
	pthread_mutex_lock(&gate.lock);
	gate.order[gate.count++] = password.len ? password.at[0] : '-';
	gate.inside++;
	pthread_cond_broadcast(&gate.changed);
	while (!gate.open && !(password.len && password.at[0] == gate.free))
		pthread_cond_wait(&gate.changed, &gate.lock);
	if (gate.open > 0)
		gate.open--;
	gate.inside--;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
	return strcmp(argon, "right") == 0;
}

static void gate_set(int open)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = open;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

/* Until so many hashes began since the start. */
static void gate_wait(unsigned count)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.count < count)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

/* One goes on, and the next one is there. */
static void gate_step(unsigned count)
{
	gate_set(1);
	gate_wait(count);
}

static struct {
	struct admission_delay delay;
	unsigned turns, wrong;
} hooks;
static pthread_mutex_t hooks_lock = PTHREAD_MUTEX_INITIALIZER;

static struct admission_delay turn(void *context, struct admission_attempt *t)
{
	struct admission_delay d;

	(void)t;
	assert_ptr_equal(context, &hooks);
	pthread_mutex_lock(&hooks_lock);
	hooks.turns++;
	d = hooks.delay;
	hooks.delay = (struct admission_delay){ 0 };
	pthread_mutex_unlock(&hooks_lock);
	return d;
}

static struct admission_delay wrong(void *context, const struct admission_attempt *t)
{
	struct admission_delay d = { 0 };

	assert_ptr_equal(context, &hooks);
	assert_int_equal(t->prefix, 77);
	pthread_mutex_lock(&hooks_lock);
	d.delay_ms = ++hooks.wrong;
	pthread_mutex_unlock(&hooks_lock);
	return d;
}

struct asked {
	struct hashing_job *job;
	unsigned told;
	enum hashing_said said;
	struct admission_delay delay;
	bool end;		/* within done */
};

static struct loop *loop;
static struct timer *guard;	/* keeps the loop alive */
static unsigned to_come;

static void on_done(void *user, enum hashing_said said, struct admission_delay delay)
{
	struct asked *a = user;

	a->told++;
	a->said = said;
	a->delay = delay;
	if (a->end)
		hashing_end(&a->job);
	if (--to_come == 0)
		loop_stop(loop);
}

static void too_late(void *user)
{
	(void)user;
	fail_msg("%u answers did not come", to_come);
}

static void run_until(unsigned count)
{
	to_come = count;
	timer_set(guard, 20000, 0);
	if (count)
		loop_run(loop);
}

static struct hashing *begin(unsigned threads, unsigned queue_max, unsigned lane_max)
{
	struct hashing_with with = { threads, queue_max, lane_max, holds, turn, wrong, &hooks };
	struct err e;
	struct hashing *h = hashing_new(&with, &e);

	assert_non_null(h);
	loop = loop_new(&e);
	assert_non_null(loop);
	guard = timer_new(loop, too_late, NULL);
	gate.open = 0;
	gate.free = '\0';
	gate.count = 0;
	memset(gate.order, 0, sizeof gate.order);
	memset(&hooks, 0, sizeof hooks);
	return h;
}

static void end(struct hashing *h)
{
	timer_free(&guard);
	loop_free(&loop);
	hashing_free(&h);
}

static void ask_as(struct hashing *h, struct asked *a, const char *from, const char *argon, struct span password)
{
	struct hashing_ask ask = { .loop = loop, .verifier = argon, .password = password, .done = on_done, .user = a, .attempt = { .prefix = 77 } };
	struct err e;

	*a = (struct asked){ 0 };
	assert_true(address_parse(from, 0, &ask.from));
	a->job = hashing_ask(h, &ask, &e);
	if (!a->job)
		assert_int_equal(e.kind, ERR_BUSY);
}

static bool ask(struct hashing *h, struct asked *a, const char *from, char mark)
{
	ask_as(h, a, from, "right", (struct span){ &mark, 1 });
	return a->job;
}

static void it_tells_right_from_wrong(void **state)
{
	struct hashing *h = begin(2, 8, 8);
	struct asked a, b, empty;
	size_t waiting;
	uint64_t hashed;

	(void)state;
	gate_set(-1);
	ask_as(h, &a, "192.0.2.1", "right", SPAN("a"));
	ask_as(h, &b, "2001:db8::1", "wrong", SPAN("b"));
	ask_as(h, &empty, "2001:db8::1", "wrong", (struct span){ 0 });
	b.end = true;
	run_until(3);
	assert_true(a.told == 1 && a.said == HASHING_RIGHT && b.told == 1 && b.said == HASHING_WRONG && b.delay.delay_ms + empty.delay.delay_ms == 3 && empty.said == HASHING_WRONG);
	assert_null(b.job);
	hashing_end(&a.job);
	hashing_end(&a.job);
	hashing_end(&empty.job);
	hashing_counts(h, &waiting, &hashed);
	assert_true(waiting == 0 && hashed == 3);
	end(h);
}

/* What waits is taken in turns by prefix, first come first served within one: rows tell who comes, and the order.
 * One thread, and the first of each row is in work already. */
static void lanes_take_turns(void **state)
{
	static const struct row { const char *from[12]; const char *order; } rows[] = {
		{ { "192.0.2.1", "192.0.2.1", "192.0.2.200", "198.51.100.1" }, "adbc" },
		{ { "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1", "198.51.100.1", "198.51.100.1", "203.0.113.1" }, "aegbfcd" },
		{ { "2001:db8::1", "2001:db8:0:1::2", "2001:db8:0:0:ffff::1", "2001:db8:1::1" }, "adbc" },
		{ { "0.0.0.1", "::1", "0.0.0.2" }, "abc" },
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct hashing *h = begin(1, 100, 100);
		struct asked a[12];
		unsigned count = 0;

		for (; count < COUNT(a) && r->from[count]; count++) {
			assert_true(ask(h, &a[count], r->from[count], (char)('a' + count)));
			gate_wait(1);
		}
		gate_set(-1);
		run_until(count);
		assert_string_equal(gate.order, r->order);
		for (unsigned n = 0; n < count; n++)
			hashing_end(&a[n].job);
		end(h);
	}
}

/* A range with a hundred wrong logins in the queue, on both threads: who comes alone from another waits for one
 * hash that is in work, each time. */
static void who_comes_alone_waits_for_one(void **state)
{
	struct hashing *h = begin(2, 1024, 256);
	struct asked many[100], alone[10];
	unsigned begun;

	(void)state;
	for (size_t n = 0; n < COUNT(many); n++) {
		char from[32];

		(void)snprintf(from, sizeof from, "127.0.1.%zu", n % 254 + 1);
		assert_true(ask(h, &many[n], from, 'x'));
	}
	gate_wait(2);
	gate.free = 'o';
	for (unsigned n = 0; n < COUNT(alone); n++) {
		pthread_mutex_lock(&gate.lock);
		begun = gate.count;
		pthread_mutex_unlock(&gate.lock);
		assert_true(ask(h, &alone[n], "127.0.0.1", 'o'));
		gate_step(begun + 2);		/* one of the two ended, and this is what followed: */
		assert_memory_equal(gate.order + begun, "ox", 2);
	}
	for (size_t n = 0; n < COUNT(many); n++)
		hashing_end(&many[n].job);
	for (size_t n = 0; n < COUNT(alone); n++)
		hashing_end(&alone[n].job);
	gate_set(-1);
	end(h);
}

/* Whose last one was wrong gets all threads but one, until it is right again. */
static void who_guesses_leaves_one_idle(void **state)
{
	static const char *const argon[] = { "wrong", "wrong", "right", "wrong", "wrong" };
	struct hashing *h = begin(2, 1024, 256);
	struct asked guess[COUNT(argon)], alone;

	(void)state;
	gate.free = 'o';
	for (unsigned n = 0; n < COUNT(argon); n++)
		ask_as(h, &guess[n], "192.0.2.1", argon[n], SPAN("x"));
	gate_wait(2);			/* nothing is known of it yet */
	gate_set(1);
	run_until(1);
	assert_true(ask(h, &alone, "198.51.100.1", 'o'));
	run_until(1);			/* at once, and nobody else ended or began */
	assert_true(alone.told);
	assert_string_equal(gate.order, "xxo");
	gate_step(4);
	run_until(1);
	gate_step(6);			/* that was the right one: two begin */
	gate_set(-1);
	run_until(3);
	for (unsigned n = 0; n < COUNT(argon); n++)
		hashing_end(&guess[n].job);
	hashing_end(&alone.job);
	end(h);
}

static void a_full_lane_is_refused_alone(void **state)
{
	struct hashing *h = begin(1, 100, 3);
	struct asked a[5], other;

	(void)state;
	assert_true(ask(h, &a[0], "192.0.2.1", 'a'));
	gate_wait(1);
	for (size_t n = 1; n < 4; n++)
		assert_true(ask(h, &a[n], "192.0.2.2", 'a'));
	assert_false(ask(h, &a[4], "192.0.2.3", 'a'));
	assert_true(ask(h, &other, "192.0.3.1", 'b'));
	hashing_end(&a[1].job);		/* there is room again, */
	assert_true(ask(h, &a[4], "192.0.2.3", 'c'));
	gate_set(-1);
	run_until(5);
	assert_string_equal(gate.order, "abaac");
	for (size_t n = 0; n < COUNT(a); n++)
		hashing_end(&a[n].job);
	hashing_end(&other.job);
	end(h);
}

/* In a full queue the newest of the longest lane gives way, and nobody gives way to an equal. */
static void a_full_queue_keeps_room_for_others(void **state)
{
	struct hashing *h = begin(1, 4, 4);
	struct asked first, a[4], b[3], c;

	(void)state;
	assert_true(ask(h, &first, "192.0.2.1", '0'));
	gate_wait(1);
	for (unsigned n = 0; n < 4; n++)
		assert_true(ask(h, &a[n], "192.0.2.1", (char)('a' + n)));
	assert_true(ask(h, &b[0], "198.51.100.1", 'x'));	/* a3 goes */
	assert_true(ask(h, &b[1], "198.51.100.1", 'y'));	/* a2 goes */
	assert_false(ask(h, &b[2], "198.51.100.1", 'z'));	/* two and two */
	assert_true(ask(h, &c, "203.0.113.1", '*'));
	run_until(3);
	assert_true(a[3].told && a[3].said == HASHING_FULL && a[2].told && a[2].said == HASHING_FULL);
	assert_true((a[1].told && a[1].said == HASHING_FULL) != (b[1].told && b[1].said == HASHING_FULL));
	assert_false(a[0].told || b[0].told || c.told || first.told);
	gate_set(-1);
	run_until(5);
	assert_int_equal(gate.count, 5);
	hashing_end(&first.job);
	for (size_t n = 0; n < 4; n++)
		hashing_end(&a[n].job);
	for (size_t n = 0; n < 2; n++)
		hashing_end(&b[n].job);
	hashing_end(&c.job);
	end(h);
}

/* Ended while it waits, is hashed, has its answer under way, and after: it is told to nobody; but what was
 * found out counts. */
static void it_can_be_ended_at_any_time(void **state)
{
	struct hashing *h = begin(1, 8, 8);
	struct asked running, waiting, last;
	uint64_t hashed = 0;
	size_t left;

	(void)state;
	ask_as(h, &running, "192.0.2.1", "wrong", SPAN("a"));
	gate_wait(1);
	assert_true(ask(h, &waiting, "192.0.2.1", 'b'));
	assert_true(ask(h, &last, "192.0.2.1", 'c'));
	assert_true(!hashing_waits(running.job) && hashing_waits(waiting.job));
	hashing_end(&running.job);
	hashing_end(&waiting.job);
	gate_set(-1);
	run_until(1);
	assert_true(last.told && !running.told && !waiting.told && !hashing_waits(last.job));
	assert_string_equal(gate.order, "ac");
	assert_int_equal(hooks.wrong, 1);
	hashing_end(&last.job);
	/* The answer is on its way, and the loop did not look at it yet. */
	assert_true(ask(h, &last, "192.0.2.1", 'd'));
	while (hashed < 3)
		hashing_counts(h, &left, &hashed);
	hashing_end(&last.job);
	assert_false(last.told);
	end(h);
}

static void it_can_stop_while_one_is_hashed(void **state)
{
	struct hashing *h = begin(2, 8, 8);
	struct asked a, b;

	(void)state;
	assert_true(ask(h, &a, "192.0.2.1", 'a'));
	ask_as(h, &b, "192.0.2.1", "wrong", SPAN("b"));
	gate_wait(2);
	hashing_end(&a.job);
	hashing_end(&b.job);
	gate_set(-1);
	end(h);
	assert_int_equal(hooks.wrong, 1);
}

/* A hash that never ends is not waited for; what it found, should it end after all, is told to nobody: who could be
 * told is gone. */
static void what_does_not_end_is_left(void **state)
{
	struct hashing *h = begin(2, 8, 8);
	struct asked a, b;
	uint64_t began = clock_mono_ms();

	(void)state;
	ask_as(h, &a, "192.0.2.1", "wrong", SPAN("a"));
	ask_as(h, &b, "198.51.100.1", "wrong", SPAN("b"));
	gate_wait(2);
	hashing_end(&a.job);
	hashing_end(&b.job);
	gate_set(1);
	end(h);
	assert_in_range(clock_mono_ms() - began, HASHING_PATIENCE_MS, HASHING_PATIENCE_MS + 5000);
	assert_int_equal(hooks.wrong, 1);
	assert_int_equal(hashing_left(), 1);
	gate_set(-1);
	for (unsigned tries = 0; hashing_left() && tries < 10000; tries++)
		(void)poll(NULL, 0, 1);
	assert_int_equal(hashing_left(), 0);
	assert_int_equal(hooks.wrong, 1);
}

/* The penalty changed while it was in the queue: it comes back with its password, and can go in again. */
static void it_may_have_to_wait_once_more(void **state)
{
	struct hashing *h = begin(1, 8, 8);
	struct asked a;
	struct err e;

	(void)state;
	gate_set(-1);
	hooks.delay = (struct admission_delay){ .delay_ms = 250 };
	assert_true(ask(h, &a, "192.0.2.1", 'p'));
	run_until(1);
	assert_true(a.told == 1 && a.said == HASHING_NOT_YET && a.delay.delay_ms == 250 && gate.count == 0);
	assert_true(hashing_again(a.job, &e));
	run_until(1);
	assert_true(a.told == 2 && a.said == HASHING_RIGHT && hooks.turns == 2);
	assert_string_equal(gate.order, "p");
	hashing_end(&a.job);
	hooks.delay = (struct admission_delay){ .blocked = true };
	assert_true(ask(h, &a, "192.0.2.1", 'p'));
	run_until(1);
	assert_true(a.said == HASHING_NOT_YET && a.delay.blocked);
	hashing_end(&a.job);
	end(h);
}

static int count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int maps = 0;

	assert_non_null(f);
	for (int c = fgetc(f); c != EOF; c = fgetc(f))
		maps += c == '\n';
	(void)fclose(f);
	return maps;
}

/* A process has 65,530 maps: those who wait must not use them up, since nobody could have memory then. */
static void who_waits_takes_no_maps(void **state)
{
	static struct asked all[500];
	struct hashing *h = begin(1, COUNT(all), COUNT(all));
	int before;

	(void)state;
	assert_true(ask(h, &all[0], "192.0.2.1", 'a'));
	gate_wait(1);
	before = count_maps();
	for (size_t i = 1; i < COUNT(all); i++)
		assert_true(ask(h, &all[i], "192.0.2.1", 'a'));
	assert_in_range(count_maps(), 0, before + 100);
	for (size_t i = 1; i < COUNT(all); i++)
		hashing_end(&all[i].job);
	gate_set(-1);
	run_until(1);
	hashing_end(&all[0].job);
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_tells_right_from_wrong),
		cmocka_unit_test(lanes_take_turns),
		cmocka_unit_test(who_comes_alone_waits_for_one),
		cmocka_unit_test(who_guesses_leaves_one_idle),
		cmocka_unit_test(a_full_lane_is_refused_alone),
		cmocka_unit_test(a_full_queue_keeps_room_for_others),
		cmocka_unit_test(it_can_be_ended_at_any_time),
		cmocka_unit_test(it_can_stop_while_one_is_hashed),
		cmocka_unit_test(what_does_not_end_is_left),
		cmocka_unit_test(it_may_have_to_wait_once_more),
		cmocka_unit_test(who_waits_takes_no_maps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
