/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/alerts.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/alert.h"
#include "store/engine.h"
#include "store/fixture.h"
#include "store/quota.h"

enum { LOOPS = 2 };

static struct {
	const char *directory;
	struct store *store;
	struct loop *home;
	struct loops *loops;
	struct wake *answers, *enough;
	struct alerts *alerts;
	atomic_uint wanted, answered, elsewhere, asked;
	pthread_mutex_t lock;
	char said[4096];		/* under the lock; in the order in which it was told */
} w;

static pthread_t threads[LOOPS];

static void on_answers([[maybe_unused]] void *user)
{
	struct store_done done;

	while (store_next(w.store, &done)) {
		assert_true(alerts_owns(done.ticket));
		alerts_answered(w.alerts, &done);
	}
}

static void on_store([[maybe_unused]] void *user)
{
	wake_send(w.answers);
}

static void on_enough([[maybe_unused]] void *user)
{
	loop_stop(w.home);
}

static void too_late([[maybe_unused]] void *user)
{
	fail_msg("no answer came");
}

static void here([[maybe_unused]] struct loop *l, unsigned index, [[maybe_unused]] void *user)
{
	threads[index] = pthread_self();
}

static int begin([[maybe_unused]] void **state)
{
	memset(&w, 0, sizeof w);
	(void)pthread_mutex_init(&w.lock, NULL);
	w.directory = fixture_directory();
	w.store = fixture_store(w.directory);
	w.home = loop_new(&fixture_err);
	must(w.home);
	w.loops = loops_new(LOOPS, &fixture_err);
	must(w.loops);
	w.answers = wake_new(w.home, on_answers, NULL, &fixture_err);
	w.enough = wake_new(w.home, on_enough, NULL, &fixture_err);
	must(w.answers && w.enough);
	w.alerts = alerts_new(w.home, w.loops, w.store, &fixture_err);
	must(w.alerts);
	store_on_wake(w.store, on_store, NULL);
	for (unsigned n = 0; n < LOOPS; n++)
		loops_call(w.loops, n, here, NULL);
	return 0;
}

static void end_loops(void)
{
	loops_stop(w.loops);
	loops_join(w.loops);
}

static int end([[maybe_unused]] void **state)
{
	end_loops();
	loops_free(&w.loops);
	alerts_free(&w.alerts);
	assert_null(w.alerts);
	store_on_wake(w.store, NULL, NULL);
	wake_free(&w.answers);
	wake_free(&w.enough);
	loop_free(&w.home);
	(void)fixture_drain(w.store);
	store_close(&w.store);
	fixture_remove(w.directory);
	(void)pthread_mutex_destroy(&w.lock);
	return 0;
}

static void add(enum alert_scope scope, const char *of, const char *text)
{
	uint64_t id;

	must(alert_add(w.store, scope, of, text, 1, &id, &fixture_err));
}

static void told(void *user, const char *text)
{
	unsigned index = (unsigned)(uintptr_t)user;
	size_t len;

	w.elsewhere += !pthread_equal(threads[index], pthread_self());
	(void)pthread_mutex_lock(&w.lock);
	len = strlen(w.said);
	(void)snprintf(w.said + len, sizeof w.said - len, "%s;", text ? text : "-");
	(void)pthread_mutex_unlock(&w.lock);
	if (++w.answered == w.wanted)
		wake_send(w.enough);
}

static bool ask(unsigned index, const char *account)
{
	bool asked = alerts_ask(w.alerts, index, account, told, (void *)(uintptr_t)index);

	w.asked += asked;
	return asked;
}

static void await(unsigned count)
{
	struct timer *guard = timer_new(w.home, too_late, NULL);

	assert_non_null(guard);
	timer_set(guard, 60000, 0);
	w.wanted = count;
	if (w.answered < count)
		loop_run(w.home);
	timer_free(&guard);
	assert_int_equal(w.answered, count);
	assert_int_equal(w.elsewhere, 0);
	assert_int_equal(alerts_waiting(w.alerts), 0);
}

static void nothing_is_said_at_once([[maybe_unused]] void **state)
{
	assert_false(ask(0, "anna"));
	assert_false(ask(0, "nobody@x.example"));
	assert_int_equal(alerts_waiting(w.alerts), 0);
}

static void what_is_told_is_durable([[maybe_unused]] void **state)
{
	struct alert a = { .id = 0 };

	add(ALERT_SERVER, "", "server");
	add(ALERT_ACCOUNT, "anna", "account");
	assert_true(ask(1, "anna"));
	assert_int_equal(alerts_waiting(w.alerts), 1);
	await(1);
	assert_string_equal(w.said, "account;");
	assert_true(alert_each(w.store, &a) && a.scope == ALERT_SERVER && !alert_each(w.store, &a));
	assert_true(ask(0, "anna"));
	await(2);
	assert_string_equal(w.said, "account;server;");
	assert_false(ask(0, "anna"));
}

/* Of many that come at once each is told another one, and who comes last nothing. */
static void many_at_once([[maybe_unused]] void **state)
{
	unsigned texts = 0;

	add(ALERT_ACCOUNT, "anna", "1");
	add(ALERT_ACCOUNT, "anna", "2");
	add(ALERT_SERVER, "", "3");
	add(ALERT_SERVER, "", "4");
	for (unsigned n = 0; n < 6; n++)
		assert_true(ask(n % LOOPS, "anna"));
	await(6);
	assert_int_equal(strlen(w.said), 12);
	for (const char *p = w.said; *p; p += 2)
		texts |= *p == '-' ? 0 : 1u << (*p - '0');
	assert_int_equal(texts, 0x1e);
	assert_false(ask(0, "anna"));
}

enum { EACH = 200 };

static void ask_many([[maybe_unused]] struct loop *l, unsigned index, [[maybe_unused]] void *user)
{
	for (unsigned n = 0; n < EACH; n++) {
		char account[32];

		(void)snprintf(account, sizeof account, "a%u.%u", index, n);
		if (!ask(index, account))
			w.elsewhere++;
	}
}

static void each_loop_hears_its_own([[maybe_unused]] void **state)
{
	add(ALERT_SERVER, "", "x");
	w.wanted = LOOPS * EACH;
	for (unsigned n = 0; n < LOOPS; n++)
		assert_true(loops_post(w.loops, n, ask_many, NULL));
	await(LOOPS * EACH);
	assert_int_equal(strlen(w.said), LOOPS * EACH * 2);
	assert_null(strchr(w.said, '-'));
}

/* It has to be counted first, and that turns out to be nothing: once. */
static void an_account_with_a_quota([[maybe_unused]] void **state)
{
	must(account_set(w.store, "anna", &(struct account_limits){ 1000, ACCOUNT_SESSIONS_DEFAULT }, &fixture_err));
	assert_true(ask(0, "anna"));
	await(1);
	assert_string_equal(w.said, "-;");
	assert_false(ask(0, "anna"));
	must(account_set(w.store, "anna", &(struct account_limits){ 0, ACCOUNT_SESSIONS_DEFAULT }, &fixture_err));
	assert_false(ask(0, "anna"));
}

void __real_engine_commit(struct engine *g, struct batch **b, struct engine_done done);
void __wrap_engine_commit(struct engine *g, struct batch **b, struct engine_done done);

static bool full;

void __wrap_engine_commit(struct engine *g, struct batch **b, struct engine_done done)
{
	struct err e;

	if (!full) {
		__real_engine_commit(g, b, done);
		return;
	}
	batch_free(b);
	(void)err_set(&e, ERR_LOCAL, "no space left on the disk");
	done.run(done.user, &e);
}

static void a_full_disk_keeps_nobody_out([[maybe_unused]] void **state)
{
	add(ALERT_SERVER, "", "x");
	full = true;
	assert_true(ask(0, "anna"));
	await(1);
	full = false;
	assert_string_equal(w.said, "-;");
	assert_true(ask(0, "anna"));
	await(2);
	assert_string_equal(w.said, "-;x;");
}

/* Nobody is told, nothing is lost but memory's (which ASan would say). */
static void loops_that_have_ended_hear_nothing([[maybe_unused]] void **state)
{
	struct timer *soon;

	add(ALERT_SERVER, "", "x");
	end_loops();
	assert_true(ask(0, "anna"));
	soon = timer_new(w.home, on_enough, NULL);
	assert_non_null(soon);
	while (alerts_waiting(w.alerts)) {
		timer_set(soon, 1, 0);
		loop_run(w.home);
	}
	timer_free(&soon);
	assert_int_equal(w.answered, 0);
}

static void what_is_under_way_at_the_end_is_freed([[maybe_unused]] void **state)
{
	struct timer *soon;

	add(ALERT_SERVER, "", "x");
	assert_true(ask(0, "anna"));
	soon = timer_new(w.home, on_enough, NULL);
	assert_non_null(soon);
	store_on_wake(w.store, NULL, NULL);	/* its answer is never fetched */
	timer_set(soon, 1, 0);
	loop_run(w.home);
	timer_free(&soon);
	assert_true(ask(0, "bert"));
	assert_int_equal(alerts_waiting(w.alerts), 2);
}

static void tickets_are_told_apart([[maybe_unused]] void **state)
{
	assert_true(alerts_owns(ALERTS_TICKETS) && alerts_owns(ALERTS_TICKETS + 1000));
	assert_false(alerts_owns(UINT64_C(1) << 56) || alerts_owns(0) || alerts_owns(UINT64_C(3) << 56) || alerts_owns(UINT64_C(0xa1) << 56));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_said_at_once), CASE(what_is_told_is_durable), CASE(many_at_once), CASE(each_loop_hears_its_own),
		CASE(an_account_with_a_quota), CASE(a_full_disk_keeps_nobody_out), CASE(loops_that_have_ended_hear_nothing),
		CASE(what_is_under_way_at_the_end_is_freed), cmocka_unit_test(tickets_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
