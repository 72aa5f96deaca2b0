/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/pam.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/pam_wire.h"

enum { PATIENCE_MS = 20 * 1000, SOON_MS = 300, DIED = 7 };

static struct err e;

/* ---- a helper that does what the user's name says, in a process of its own */

static void answer(int fd, const struct pam_request *r, uint32_t said, const char *why)
{
	struct pam_reply reply = { .id = r->id, .said = said };

	(void)snprintf(reply.why, sizeof reply.why, "%s", why);
	(void)send(fd, &reply, sizeof reply, 0);
}

static _Noreturn void be_helper(int fd)
{
	struct pam_reply stray = { .id = 0 };
	struct pam_request r;

	(void)send(fd, &stray, sizeof stray, 0);
	while (recv(fd, &r, sizeof r, 0) == sizeof r) {
		if (strcmp(r.user, "dies") == 0)
			_exit(DIED);
		if (strcmp(r.user, "odd") == 0)
			(void)send(fd, "odd", 3, 0);
		else if (strcmp(r.user, "rare") == 0)
			answer(fd, &r, 99, "what is this?\n");
		else if (strcmp(r.user, "mute") != 0)
			answer(fd, &r, strcmp(r.secret, "geheim") == 0 ? ELSEWHERE_RIGHT : ELSEWHERE_WRONG, r.user);
		stray.id = r.id + 1000;
		(void)send(fd, &stray, sizeof stray, 0);
	}
	_exit(0);
}

static atomic_uint starts;

static bool start(void *context, struct pam_helper *h, struct err *why)
{
	int pair[2];

	if (context && atomic_load((atomic_bool *)context))
		return err_set(why, ERR_LOCAL, "not now");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(why, ERR_LOCAL, "socketpair");
	h->pid = fork();
	if (h->pid == 0) {
		(void)close(pair[0]);
		be_helper(pair[1]);
	}
	(void)close(pair[1]);
	h->fd = pair[0];
	atomic_fetch_add(&starts, 1);
	return true;
}

/* ---- the world */

static struct {
	struct loop *loop;
	struct timer *guard;
	struct pam_client *c;
	const struct elsewhere *judge;
	unsigned to_come;
} w;

struct asked {
	void *job;
	unsigned told;
	enum elsewhere_said said;
	char why[PAM_WHY_MAX + 1];
	bool end;
};

static void too_late(void *user)
{
	(void)user;
	loop_stop(w.loop);
}

static void set_up_with(bool first, bool again, uint32_t patience_ms)
{
	struct pam_with with = { .first = { -1, 0 }, .start = again ? start : NULL, .main_domain = "Main.example", .patience_ms = patience_ms };

	atomic_store(&starts, 0);
	w.loop = loop_new(&e);
	w.guard = timer_new(w.loop, too_late, NULL);
	assert_non_null(w.guard);
	if (first)
		assert_true(start(NULL, &with.first, &e));
	w.c = pam_client_new(&with, &e);
	assert_non_null(w.c);
	w.judge = pam_client_judge(w.c);
}

static void tear_down(void)
{
	pam_client_free(&w.c);
	timer_free(&w.guard);
	loop_free(&w.loop);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);	/* no helper is left, not even a dead one */
}

static void on_done(void *user, enum elsewhere_said said, const char *account, const char *why)
{
	struct asked *a = user;

	assert_null(account);
	assert_true((said == ELSEWHERE_RIGHT) == (why == NULL));
	a->told++;
	a->said = said;
	(void)snprintf(a->why, sizeof a->why, "%s", why ? why : "");
	if (a->end)
		w.judge->end(w.judge->context, a->job);
	if (a->end)
		a->job = NULL;
	if (--w.to_come == 0)
		loop_stop(w.loop);
}

static bool ask_from(struct asked *a, const char *account, const char *secret, const char *rhost)
{
	const struct elsewhere_ask ask = { .loop = w.loop, .account = account, .service = "pop3", .secret = span_of(secret), .rhost = rhost,
		.done = on_done, .user = a };

	a->job = w.judge->ask(w.judge->context, &ask, &e);
	if (a->job)
		w.to_come++;
	return a->job;
}

static void run(void)
{
	if (!w.to_come)
		return;
	timer_set(w.guard, PATIENCE_MS, 0);
	loop_run(w.loop);
	timer_stop(w.guard);
	assert_int_equal(w.to_come, 0);
}

static struct asked once(const char *account, const char *secret)
{
	struct asked a = { .end = true };

	if (!ask_from(&a, account, secret, "127.0.0.1"))
		fail_msg("%s", e.text);
	assert_int_equal(a.told, 0);
	run();
	assert_int_equal(a.told, 1);
	return a;
}

/* ---- */

/* What PAM is told of whom, which the helper here says back. */
static void who_is_asked_about(void **state)
{
	static const struct { const char *account, *user; } rows[] = {
		{ "anna", "anna" }, { "anna@main.example", "anna" }, { "anna@MAIN.example", "anna" }, { "anna@other.example", "anna@other.example" },
		{ "anna@a@main.example", "anna@a" }, { "anna@x.main.example", "anna@x.main.example" },
	};

	(void)state;
	set_up_with(true, true, 0);
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct asked a = once(rows[n].account, "falsch");

		assert_int_equal(a.said, ELSEWHERE_WRONG);
		assert_string_equal(a.why, rows[n].user);
		assert_int_equal(once(rows[n].account, "geheim").said, ELSEWHERE_RIGHT);
	}
	pam_client_domain(w.c, "other.example");
	assert_string_equal(once("anna@other.example", "").why, "anna");
	pam_client_domain(w.c, NULL);
	assert_string_equal(once("anna@other.example", "").why, "anna@other.example");
	assert_int_equal(atomic_load(&starts), 1);
	tear_down();
}

/* What no helper of ours says is no RIGHT. */
static void strange_answers(void **state)
{
	struct asked a;

	(void)state;
	set_up_with(true, true, 0);
	a = once("rare", "geheim");
	assert_int_equal(a.said, ELSEWHERE_BUSY);
	assert_string_equal(a.why, "what is this??");
	a = once("odd", "geheim");
	assert_int_equal(a.said, ELSEWHERE_BUSY);
	assert_string_equal(a.why, "the helper for PAM ended");
	tear_down();
}

static void what_cannot_be_asked(void **state)
{
	char longer[ACCOUNT_PASSWORD_MAX + 2];
	struct asked a = { 0 };

	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	set_up_with(true, true, 0);
	assert_false(ask_from(&a, "anna", longer, "127.0.0.1"));
	longer[ACCOUNT_PASSWORD_MAX] = '\0';
	assert_int_equal(once("anna", longer).said, ELSEWHERE_WRONG);
	assert_false(ask_from(&a, "@main.example", "geheim", "127.0.0.1"));
	assert_int_equal(e.kind, ERR_LOCAL);
	tear_down();
}

/* It ends with questions open: they are BUSY, and it is there again a second later. */
static void a_helper_that_ends_is_started_again(void **state)
{
	struct asked a = { .end = true }, b = { .end = true }, c = { 0 };
	uint64_t before;

	(void)state;
	set_up_with(true, true, 0);
	assert_true(ask_from(&a, "mute", "geheim", "127.0.0.1"));
	assert_true(ask_from(&b, "dies", "geheim", "127.0.0.1"));
	run();
	assert_int_equal(a.said, ELSEWHERE_BUSY);
	assert_int_equal(b.said, ELSEWHERE_BUSY);
	for (before = clock_mono_ms(); !ask_from(&c, "anna", "geheim", "127.0.0.1"); (void)poll(NULL, 0, 1))
		assert_true(clock_mono_ms() - before < PATIENCE_MS);
	run();
	assert_int_equal(c.said, ELSEWHERE_RIGHT);
	w.judge->end(w.judge->context, c.job);
	assert_int_equal(atomic_load(&starts), 2);
	tear_down();
}

static void without_root_it_is_not(void **state)
{
	struct asked a = { 0 };

	(void)state;
	set_up_with(true, false, 0);
	assert_int_equal(once("dies", "geheim").said, ELSEWHERE_BUSY);
	assert_false(ask_from(&a, "anna", "geheim", "127.0.0.1"));
	assert_string_equal(e.text, "there is no helper for PAM: restart postrider");
	assert_true(pam_client_want(w.c, &e));		/* a reload is none the worse */
	tear_down();
	set_up_with(false, false, 0);
	assert_false(pam_client_want(w.c, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.text, "restart postrider"));
	tear_down();
}

static void it_is_started_when_it_is_wanted(void **state)
{
	struct asked a = { 0 };

	(void)state;
	set_up_with(false, true, 0);
	assert_false(ask_from(&a, "anna", "geheim", "127.0.0.1"));
	assert_int_equal(atomic_load(&starts), 0);
	assert_true(pam_client_want(w.c, &e));
	assert_true(pam_client_want(w.c, &e));
	assert_int_equal(atomic_load(&starts), 1);
	assert_int_equal(once("anna", "geheim").said, ELSEWHERE_RIGHT);
	tear_down();
}

static void who_hears_nothing_gives_up(void **state)
{
	struct asked a;
	uint64_t before = clock_mono_ms();

	(void)state;
	set_up_with(true, true, SOON_MS);
	a = once("mute", "geheim");
	assert_int_equal(a.said, ELSEWHERE_BUSY);
	assert_string_equal(a.why, "the helper for PAM gives no answer");
	assert_true(clock_mono_ms() - before >= SOON_MS - 1);
	tear_down();
}

/* From one range a quarter, from all as many as the helper takes; who has gone counts until it is answered. */
static void places_are_few(void **state)
{
	static struct asked all[PAM_TAKES + 1];
	struct asked more = { 0 };
	unsigned count = 0;
	char from[ADDRESS_TEXT];

	(void)state;
	memset(all, 0, sizeof all);
	set_up_with(true, true, 0);
	for (unsigned n = 0; n < PAM_FROM_ONE; n++) {
		(void)snprintf(from, sizeof from, "2001:db8:1:%x::1", n);
		assert_true(ask_from(&all[count++], "mute", "x", from));
	}
	assert_false(ask_from(&more, "anna", "geheim", "2001:db8:1:ffff::9"));
	assert_int_equal(e.kind, ERR_BUSY);
	w.judge->end(w.judge->context, all[0].job);
	w.to_come--;
	assert_false(ask_from(&more, "anna", "geheim", "2001:db8:1::1"));
	for (unsigned n = count; n < PAM_TAKES; n++) {
		(void)snprintf(from, sizeof from, "192.0.%u.1", n);
		assert_true(ask_from(&all[count++], "mute", "x", from));
	}
	assert_false(ask_from(&more, "anna", "geheim", "198.51.100.1"));
	assert_int_equal(e.kind, ERR_BUSY);
	for (unsigned n = 1; n < count; n++)
		w.judge->end(w.judge->context, all[n].job);
	w.to_come = 0;
	tear_down();
}

/* Answers that come while, and after, nobody waits any more. */
static void who_has_gone_is_not_told(void **state)
{
	struct asked a = { 0 }, b = { .end = true };

	(void)state;
	set_up_with(true, true, 0);
	for (unsigned n = 0; n < 500; n++) {
		assert_true(ask_from(&a, "anna", "geheim", "127.0.0.1"));
		w.to_come--;
		if (n % 3 == 0)
			(void)poll(NULL, 0, 1);
		w.judge->end(w.judge->context, a.job);
		b.told = 0;
		if (n % 5)
			continue;
		assert_true(ask_from(&b, "anna", "geheim", "192.0.2.1"));
		run();
		assert_int_equal(b.told, 1);
	}
	assert_int_equal(a.told, 0);
	tear_down();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_asked_about), cmocka_unit_test(strange_answers), cmocka_unit_test(what_cannot_be_asked),
		cmocka_unit_test(a_helper_that_ends_is_started_again), cmocka_unit_test(without_root_it_is_not),
		cmocka_unit_test(it_is_started_when_it_is_wanted), cmocka_unit_test(who_hears_nothing_gives_up), cmocka_unit_test(places_are_few),
		cmocka_unit_test(who_has_gone_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
