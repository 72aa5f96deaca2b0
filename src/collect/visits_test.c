/* SPDX-License-Identifier: Apache-2.0
 *
 * The visits of an instance: a store whose answers somebody else drains, names of a
 * configuration that is read again, results that are kept. */
#include "collect/visits.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/test_world.h"
#include "config/read.h"
#include "deliver/deliver.h"
#include "store/mailbox.h"

#define FOREIGN (UINT64_C(0xA1) << 56)

struct instance {
	struct world *world;
	struct settings settings;
	struct visits *visits;
	struct wake *answers;
	size_t foreign;
	unsigned began, ended, failed, slow;	/* as we are told */
};

static void on_answers(void *user)
{
	struct instance *i = user;
	struct store_done d;

	while (store_next(i->world->store, &d))
		if (collector_owns(d.ticket))
			visits_answered(i->visits, &d);
		else
			i->foreign++;
	visits_turn(i->visits);
}

static void on_store(void *user)
{
	struct instance *i = user;

	wake_send(i->answers);
}

static void on_began(void *user, const char *connection, [[maybe_unused]] enum visit_what what)
{
	struct instance *i = user;

	assert_non_null(settings_connection(&i->settings, connection));
	i->began++;
}

static void on_ended(void *user, const char *connection, [[maybe_unused]] enum visit_what what, const struct visit_result *result)
{
	struct instance *i = user;

	assert_int_equal(strncmp(connection, "box", 3), 0);
	i->ended++;
	i->failed += result->why.kind != ERR_NONE;
	assert_true(i->ended <= i->began);
}

static void on_slow(void *user, const char *connection)
{
	struct instance *i = user;

	assert_string_equal(connection, "box0");
	i->slow++;
}

/* A configuration with `count` connections box0, box1, … to the world's maildrop, into anna/NAME, and one that is disabled. */
static void write_settings(struct instance *i, struct settings *s, unsigned count, const char *more)
{
	char path[128], text[512];
	struct buf report;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/x.conf", i->world->directory);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fprintf(f, "state = '%s'\nmax_per_host = 2\n", i->world->directory);
	for (unsigned n = 0; n <= count; n++)
		(void)fprintf(f, "connection box%u {\nprotocol = pop3\nhost = '127.0.0.1'\nport = %u\nuser = 'anna'\npassword = 'secret'\n"
			"allow_cleartext = true\ntls { mode = none }\nafter = keep\nenabled = %s\ndeliver = { 'mailbox:anna/box%u' }\n%s}\n",
			n, i->world->drop.server.port, n < count ? "true" : "false", n, more);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
	buf_start(&report, 4096);
	if (!settings_read(path, s, &report)) {
		(void)snprintf(text, sizeof text, "%.*s", (int)report.len, report.at);
		fail_msg("%s", text);
	}
	buf_end(&report);
}

static struct instance *begin_with(struct world *w, unsigned count, const char *more)
{
	static struct instance i;
	struct err e;

	i = (struct instance){ .world = w };
	write_settings(&i, &i.settings, count, more);
	i.answers = wake_new(w->loop, on_answers, &i, &e);
	assert_non_null(i.answers);
	store_on_wake(w->store, on_store, &i);
	assert_true(visits_new(&(struct visits_with){ .loop = w->loop, .store = w->store, .began = on_began, .ended = on_ended, .slow = on_slow, .user = &i },
		&i.settings, &i.visits, &e));
	return &i;
}

static struct instance *begin(struct world *w, unsigned count)
{
	return begin_with(w, count, "");
}

static void end(struct instance *i)
{
	store_on_wake(i->world->store, NULL, NULL);
	visits_end(i->visits);
	wake_free(&i->answers);
	deliveries_free(&i->world->deliveries);
	loop_free(&i->world->loop);
	visits_free(&i->visits);
	assert_null(i->visits);
	settings_end(&i->settings);
}

static uint64_t start(struct instance *i, const char *name)
{
	uint64_t id = 0;
	struct err e;

	if (!visits_start(i->visits, name, VISIT_COLLECT, &id, &e))
		fail_msg("%s", e.text);
	return id;
}

static void expect(struct instance *i, uint64_t id, const char *name, uint64_t collected, enum err_kind kind)
{
	struct visits_shown v;

	assert_true(visits_show(i->visits, id, &v));
	assert_string_equal(v.connection, name);
	assert_int_equal(v.state, VISITS_ENDED);
	if (v.result.why.kind != kind)
		fail_msg("%s", v.result.why.text);
	assert_int_equal(v.result.collected, collected);
}

static void one_after_the_other(void **state)
{
	struct world *w = *state;
	struct instance *i = begin(w, 3);
	uint64_t before = 0;

	drop_fill(&w->drop, 'a', 5);
	for (unsigned n = 0; n < 50; n++) {	/* more than there are slots for at once */
		char name[8];
		uint64_t id;

		(void)snprintf(name, sizeof name, "box%u", n % 3);
		id = start(i, name);
		assert_true(id > before);
		assert_int_equal(visits_left(i->visits), 1);
		before = id;
		while (visits_left(i->visits)) {
			loop_run(w->loop);
			assert_int_equal(visits_left(i->visits), 0);
		}
		expect(i, id, name, n < 3 ? 5 : 0, ERR_NONE);
		if (n == 3)
			break;	/* a beat is a second */
	}
	assert_int_equal(visits_unread(i->visits), 0);
	end(i);
}

static void many_at_once(void **state)
{
	struct world *w = *state;
	struct instance *i = begin(w, 6);
	struct visits_counts c;
	struct visits_shown v;
	uint64_t ids[6];
	char name[8];

	drop_fill(&w->drop, 'a', 20);
	for (unsigned n = 0; n < 6; n++) {
		(void)snprintf(name, sizeof name, "box%u", n);
		ids[n] = start(i, name);
	}
	visits_counts(i->visits, &c);
	assert_int_equal(c.running_now, 2);	/* max_per_host */
	assert_int_equal(c.waiting_now, 4);
	assert_true(visits_show(i->visits, ids[0], &v) && v.state == VISITS_RUNNING);
	assert_true(visits_show(i->visits, ids[5], &v) && v.state == VISITS_WAITING);
	assert_string_equal(v.phase, "waiting");
	loop_run(w->loop);
	for (unsigned n = 0; n < 6; n++) {
		(void)snprintf(name, sizeof name, "box%u", n);
		expect(i, ids[n], name, 20, ERR_NONE);
		assert_true(visits_show(i->visits, ids[n], &v));
		assert_int_equal(v.result.planned, 20);
	}
	visits_counts(i->visits, &c);
	assert_int_equal(c.ended, 6);
	assert_int_equal(c.failed, 0);
	assert_int_equal(c.messages, 120);
	assert_int_equal(c.running_now + c.waiting_now, 0);
	assert_int_equal(i->foreign, 0);
	assert_true(i->began == 6 && i->ended == 6 && !i->failed);
	end(i);
}

static void refused(struct instance *i, const char *name, enum err_kind kind, const char *words)
{
	uint64_t id;
	struct err e;

	unsigned began = i->began;

	assert_false(visits_start(i->visits, name, VISIT_COLLECT, &id, &e));
	assert_int_equal(i->began, began);
	assert_int_equal(e.kind, kind);
	if (!strstr(e.text, words))
		fail_msg("%s", e.text);
}

static void names(void **state)
{
	struct world *w = *state;
	struct instance *i = begin(w, 2);
	struct visits_shown v;
	uint64_t id;

	drop_fill(&w->drop, 'a', 1);
	assert_string_equal(visits_each(i->visits, NULL), "box0");
	assert_string_equal(visits_each(i->visits, "box0"), "box1");
	assert_null(visits_each(i->visits, "box1"));
	assert_null(visits_each(i->visits, "gone"));
	refused(i, "bix0", ERR_CONFIG, "did you mean box0?");
	refused(i, "completely", ERR_CONFIG, "has no connection completely; what");
	refused(i, "box2", ERR_CONFIG, "disabled");
	id = start(i, "box0");
	refused(i, "box0", ERR_BUSY, "box0 is being visited already, since 20");
	assert_false(visits_show(i->visits, id + 1, &v));
	assert_false(visits_show(i->visits, id - 1, &v));
	loop_run(w->loop);
	expect(i, id, "box0", 1, ERR_NONE);
	expect(i, id, "box0", 1, ERR_NONE);	/* kept, however often one asks */
	end(i);
}

/* Amid a visit the configuration is read again, and its connection is no more. */
static void a_reload_amid(void **state)
{
	struct world *w = *state;
	struct instance *i = begin(w, 3);
	struct settings old;
	uint64_t ids[3];

	drop_fill(&w->drop, 'a', 20);
	for (unsigned n = 0; n < 3; n++)
		ids[n] = start(i, (const char *[]){ "box0", "box1", "box2" }[n]);
	for (unsigned n = 0; n < 3; n++) {	/* the first of them was never used by any visit */
		old = i->settings;
		write_settings(i, &i->settings, 1, "");
		visits_reload(i->visits, &old, &i->settings);
	}
	refused(i, "box2", ERR_CONFIG, "no connection");
	refused(i, "box0", ERR_BUSY, "already");	/* by its name, whatever it was */
	loop_run(w->loop);
	expect(i, ids[0], "box0", 20, ERR_NONE);
	expect(i, ids[1], "box1", 20, ERR_NONE);
	expect(i, ids[2], "box2", 20, ERR_NONE);	/* it waited: by what it began with */
	ids[0] = start(i, "box0");
	loop_run(w->loop);
	expect(i, ids[0], "box0", 0, ERR_NONE);
	end(i);
}

static void stopped(void **state)
{
	struct world *w = *state;
	struct instance *i = begin(w, 4);
	uint64_t ids[4];

	w->drop.mute_quit = true;
	drop_fill(&w->drop, 'a', 3);
	for (unsigned n = 0; n < 4; n++)
		ids[n] = start(i, (const char *[]){ "box0", "box1", "box2", "box3" }[n]);
	visits_stop(i->visits, ids[3]);		/* it waits: it never begins */
	visits_stop(i->visits, ids[3] + 7);
	visits_stop_all(i->visits);
	visits_drop(i->visits);
	loop_run(w->loop);
	for (unsigned n = 0; n < 4; n++)
		expect(i, ids[n], (const char *[]){ "box0", "box1", "box2", "box3" }[n], 0, ERR_LOCAL);
	w->drop.mute_quit = false;
	ids[0] = start(i, "box0");
	loop_run(w->loop);
	expect(i, ids[0], "box0", 3, ERR_NONE);
	end(i);
}

/* A server that says nothing holds nobody up for longer than a dropped connection lasts.  Meanwhile the
 * configuration is read again, and some beats go by: what the visit began with must be there still. */
enum { BEATS_MS = 2200 };

struct silence {
	struct instance *instance;
	struct timer *later;
	unsigned calls;
};

static void on_later(void *user)
{
	struct silence *s = user;
	struct settings old = s->instance->settings;

	if (s->calls++) {
		timer_free(&s->later);
		visits_drop(s->instance->visits);
		return;
	}
	write_settings(s->instance, &s->instance->settings, 1, "");
	visits_reload(s->instance->visits, &old, &s->instance->settings);
	timer_set(s->later, BEATS_MS, 0);
}

static void dropped_amid_silence(void **state)
{
	struct world *w = *state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);	/* it listens, and that is all */
	uint16_t port = w->drop.server.port;
	struct silence s = { 0 };
	uint64_t id;

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	w->drop.server.port = ntohs(at.sin_port);
	s.instance = begin(w, 1);
	w->drop.server.port = port;
	id = start(s.instance, "box0");
	s.later = timer_new(w->loop, on_later, &s);
	timer_set(s.later, 100, 0);
	loop_run(w->loop);
	assert_null(s.later);
	expect(s.instance, id, "box0", 0, ERR_LOCAL);
	drop_fill(&w->drop, 'a', 3);
	id = start(s.instance, "box0");		/* where the new settings say */
	loop_run(w->loop);
	expect(s.instance, id, "box0", 3, ERR_NONE);
	assert_int_equal(close(fd), 0);
	end(s.instance);
}

/* Beside a visit and each other, of what is disabled, too; their steps are kept, and they count as no visit. */
static void tests_beside_a_visit(void **state)
{
	struct world *w = *state;
	struct instance *i = begin(w, 1);
	const struct visit_step *s;
	struct visits_counts counts;
	uint64_t visit, one, two = 0, off;
	struct err e;
	size_t n = 0;

	drop_fill(&w->drop, 'a', 3);
	visit = start(i, "box0");
	assert_true(visits_start(i->visits, "box0", VISIT_TEST, &one, &e) && visits_start(i->visits, "box0", VISIT_TEST, &two, &e));
	assert_true(visits_start(i->visits, "box1", VISIT_TEST, &off, &e));
	assert_false(visits_start(i->visits, "box7", VISIT_TEST, &n, &e));
	assert_null(visits_step(i->visits, one, 0));
	loop_run(w->loop);
	expect(i, visit, "box0", 3, ERR_NONE);
	expect(i, one, "box0", 0, ERR_NONE);
	expect(i, two, "box0", 0, ERR_NONE);
	expect(i, off, "box1", 0, ERR_NONE);
	for (n = 0; (s = visits_step(i->visits, one, n)); n++)
		if (s->what == STEP_LOGIN)
			assert_true(s->good && strcmp(s->text, "as anna by USER") == 0 && s->mech_count > 5);
	assert_int_equal(n, 7);
	assert_null(visits_step(i->visits, visit, 0));
	visits_counts(i->visits, &counts);
	assert_true(counts.ended == 1 && counts.failed == 0 && counts.messages == 3);
	assert_true(i->began == 1 && i->ended == 1);
	end(i);
}

/* Whose visits have places at a host hears of those alone: a test is none of them. */
static void slow_ones_are_told_of(void **state)
{
	struct world *w = *state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);	/* it listens, and that is all */
	uint16_t port = w->drop.server.port;
	struct instance *i;
	uint64_t id;
	struct err e;

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 9) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	w->drop.server.port = ntohs(at.sin_port);
	i = begin_with(w, 1, "timeout = 2s\n");
	w->drop.server.port = port;
	assert_true(visits_start(i->visits, "box0", VISIT_TEST, &id, &e));
	loop_run(w->loop);
	assert_int_equal(i->slow, 0);
	id = start(i, "box0");
	loop_run(w->loop);
	expect(i, id, "box0", 0, ERR_NET);
	assert_int_equal(i->slow, 1);
	assert_int_equal(close(fd), 0);
	end(i);
}

int main(void)
{
#define VISITS(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)
	const struct CMUnitTest tests[] = {
		VISITS(one_after_the_other), VISITS(slow_ones_are_told_of), VISITS(many_at_once), VISITS(names), VISITS(a_reload_amid), VISITS(stopped), VISITS(dropped_amid_silence),
		VISITS(tests_beside_a_visit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
