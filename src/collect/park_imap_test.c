/* SPDX-License-Identifier: Apache-2.0
 *
 * From the last mailbox to a session that is watched: one mailbox or several, with and without NOTIFY. */
#include "collect/visit_imap.h"

#include "collect/schedule.h"
#include "collect/test_watched.h"
#include "collect/watch.h"

#define WITH_NOTIFY "IDLE NOTIFY"

/* Connection 0 collects from INBOX and b. */
static struct watched *both(void **state, const char *capabilities, const struct watched_rule *rules, size_t count)
{
	struct watched *w = watched_start(*state, capabilities, rules, count);

	w->boxes[1] = "b";
	w->with[0].mailboxes.count = 2;
	return w;
}

static void news_in(struct watched *w, unsigned count)
{
	watched_until(w, w->news == count);
	for (unsigned n = 0; n < 3; n++)
		watched_run(w);
	assert_int_equal(w->news, count);
}

static void one_is_selected_already(void **state)
{
	struct watched *w = watched_start(*state, WITH_NOTIFY, NULL, 0);

	assert_int_equal(watched_visit(w, 0), 1);
	watched_until(w, watched_said(w, &w->idles) == 1);
	assert_int_equal(watched_said(w, &w->selects) + watched_said(w, &w->examines), 1);
	assert_int_equal(watched_said(w, &w->notifies), 0);
	assert_int_equal(w->news, 0);
	watched_end(&w);
}

/* NOTIFY once a session; what came before it held is looked for at once. */
static void notify_names_them_all(void **state)
{
	static const struct watched_rule rules[] = { { "IDLE", "%F" },
		{ "IDLE", "+ idling\r\n%B* STATUS b (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n%D%T OK done\r\n" }, { "IDLE", "+ idling\r\n%A* 2 EXISTS\r\n%D%T OK done\r\n" }, { "IDLE", "%F" } };
	struct watched *w = both(state, WITH_NOTIFY, rules, 4);

	assert_int_equal(watched_visit(w, 0), 1);
	news_in(w, 1);
	assert_int_equal(watched_visit(w, 0), 0);
	news_in(w, 2);
	assert_int_equal(watched_visit(w, 0), 1);	/* b's */
	news_in(w, 3);
	assert_int_equal(watched_visit(w, 0), 1);	/* INBOX's: the server means the one that it has selected, and we look into both */
	news_in(w, 3);
	assert_int_equal(watched_said(w, &w->notifies), 1);
	assert_int_equal(watched_said(w, &w->logins), 1);
	assert_true(watched_is(w, 0));
	watched_end(&w);
}

/* What NOTIFY tells during a visit, of a mailbox that was looked into already. */
static void notify_tells_amid_a_visit(void **state)
{
	static const struct watched_rule rules[] = { { "SELECT \"b\"", "%F" }, { "EXAMINE \"b\"", "%F" },
		{ "EXAMINE \"b\"", "%A* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 7)\r\n%F" }, { "EXAMINE \"b\"", "%F" } };
	struct watched *w = both(state, WITH_NOTIFY, rules, 4);

	assert_int_equal(watched_visit(w, 0), 1);
	news_in(w, 1);
	assert_int_equal(watched_visit(w, 0), 0);
	news_in(w, 2);
	assert_int_equal(watched_visit(w, 0), 1);
	news_in(w, 2);
	watched_end(&w);
}

/* Without NOTIFY, or where it is refused, the first is watched; that mail came there meanwhile is seen by UIDNEXT. */
static void else_the_first(void **state)
{
	static const struct watched_rule rules[] = { { "NOTIFY", "%T NO [BADEVENT (MessageNew)] not those\r\n" }, { "IDLE", "+ idling\r\n%A* 2 EXISTS\r\n%D%T OK done\r\n" }, { "IDLE", "%F" } };

	for (unsigned n = 0; n < 2; n++) {
		struct watched *w = both(state, n ? WITH_NOTIFY : "IDLE", rules, 3);

		assert_int_equal(watched_visit(w, 0), 1);
		news_in(w, 1);
		assert_int_equal(watched_said(w, &w->notifies), n);
		assert_int_equal(watched_visit(w, 0), 1);
		assert_int_equal(watched_said(w, &w->logins), 1);
		assert_int_equal(watched_said(w, &w->selects) + watched_said(w, &w->examines), 6);
		assert_true(watched_is(w, 0));
		news_in(w, 1);
		watched_end(&w);
	}
}

static const struct row { const char *name, *capabilities; struct watched_rule rules[4]; unsigned visits, news; } gaps[] = {
	{ "into the first, while the second is listed", "IDLE", { { "EXAMINE \"b\"", "%A%F" }, { "EXAMINE \"b\"", "%F" } }, 1, 1 },
	{ "into the first, when it was listed", "IDLE", { { "UID SEARCH", "%A* SEARCH 1\r\n* 2 EXISTS\r\n%T OK done\r\n" }, { "UID SEARCH", "%F" } }, 1, 1 },
	{ "into the second, when it was listed", "IDLE", { { "UID SEARCH", "%F" }, { "UID SEARCH", "%B* SEARCH 1\r\n* 2 EXISTS\r\n%T OK done\r\n" }, { "UID SEARCH", "%F" } }, 1, 1 },
	{ "into the first, behind NOTIFY", WITH_NOTIFY, { { "UID SEARCH", "%F" }, { "UID SEARCH", "%F" }, { "UID SEARCH", "%A* SEARCH 1\r\n* 2 EXISTS\r\n%T OK done\r\n" }, { "UID SEARCH", "%F" } }, 2, 2 },
	{ "nowhere", "IDLE", { { "UID SEARCH", "%F" } }, 1, 0 },
	{ "nowhere, with NOTIFY", WITH_NOTIFY, { { "UID SEARCH", "%F" } }, 2, 1 },
};

/* A mailbox that is left is told of no more, and its news is forgotten by the session. */
static void nothing_falls_between(void **state)
{
	for (const struct row *r = gaps; r < gaps + sizeof gaps / sizeof gaps[0]; r++) {
		size_t count = 0;
		struct watched *w;

		while (count < 4 && r->rules[count].verb)
			count++;
		w = both(state, r->capabilities, r->rules, count);
		print_message("%s\n", r->name);
		w->mails[1] = 1;
		for (unsigned n = 0; n < r->visits; n++)
			watched_visit(w, 0);
		news_in(w, r->news);
		assert_true(watched_is(w, 0));
		watched_end(&w);
	}
}

/* It was there a moment ago: the visit is good, and nothing is watched. */
static void the_first_cannot_be_opened_again(void **state)
{
	static const struct watched_rule rules[] = { { "EXAMINE \"INBOX\"", "%F" }, { "EXAMINE \"INBOX\"", "%T NO not now\r\n" } };
	struct watched *w = both(state, "IDLE", rules, 2);

	assert_int_equal(watched_visit(w, 0), 1);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_false(watched_is(w, 0));
	watched_end(&w);
}

static void trouble_is_not_watched(void **state)
{
	static const struct watched_rule rules[] = { { "EXAMINE \"b\"", "%T NO not now\r\n" } };
	struct watched *w = both(state, "IDLE", rules, 1);

	assert_int_equal(watched_visit(w, 0), 1);
	assert_int_not_equal(w->result.why.kind, ERR_NONE);
	assert_false(watched_is(w, 0));
	assert_int_equal(watched_said(w, &w->idles), 0);
	watched_end(&w);
}

#define LISTED { "LIST", "* LIST () \"/\" INBOX\r\n* LIST () \"/\" b\r\n%T OK done\r\n" }
static const struct shut { const char *name, *capabilities; struct watched_rule rules[2]; bool watched; } shuts[] = {
	{ "the second", "IDLE", { LISTED, { "EXAMINE \"b\"", "%T NO [NONEXISTENT] who?\r\n" } }, true },
	{ "the first", "IDLE", { LISTED, { "EXAMINE \"INBOX\"", "%T NO [AUTHORIZATIONFAILED] not you\r\n" } }, true },
	{ "the second, with NOTIFY", WITH_NOTIFY, { LISTED, { "EXAMINE \"b\"", "%T NO [NOPERM] not you\r\n" } }, true },
	{ "all of them", "IDLE", { LISTED, { "EXAMINE", "%T NO [NONEXISTENT] who?\r\n" } }, false },
};

/* A pattern found it, and it cannot be opened: that is told, and is nobody else's trouble. */
static void one_of_a_pattern_cannot_be_opened(void **state)
{
	for (const struct shut *r = shuts; r < shuts + COUNT(shuts); r++) {
		struct watched *w = both(state, r->capabilities, r->rules, 2);

		print_message("%s\n", r->name);
		w->boxes[0] = "*";
		w->with[0].mailboxes.count = 1;
		w->with[0].max_retries = 5;
		w->with[0].retry_interval_ms = 1;
		w->mails[1] = 1;
		for (unsigned n = 0; n < 3; n++) {
			watched_visit(w, 0);
			assert_int_equal(w->result.why.kind, ERR_BUSY);
			assert_non_null(strstr(w->result.why.text, "it cannot be opened"));
			assert_int_equal(schedule_class(&w->result.why), SCHEDULE_UNCOUNTED);
			assert_int_equal(watched_is(w, 0), r->watched);
		}
		assert_int_equal(watched_said(w, &w->logins), r->watched ? 1 : 3);
		assert_int_equal(watched_said(w, &w->notifies), r->capabilities[4] != '\0');
		watched_end(&w);
	}
}

/* More than one NOTIFY names. */
static void too_many_for_notify(void **state)
{
	struct watched *w = both(state, WITH_NOTIFY, NULL, 0);
	static char names[IMC_WATCH_MAX + 1][8];

	for (unsigned n = 1; n <= IMC_WATCH_MAX; n++) {
		(void)snprintf(names[n], sizeof names[n], "m%u", n);
		w->boxes[n] = names[n];
	}
	w->with[0].mailboxes.count = IMC_WATCH_MAX + 1;
	assert_int_equal(watched_visit(w, 0), 1);
	assert_int_equal(watched_said(w, &w->notifies), 0);
	assert_true(watched_is(w, 0));
	assert_int_equal(watched_said(w, &w->selects) + watched_said(w, &w->examines), IMC_WATCH_MAX + 2);
	watched_end(&w);
}

/* A server that takes NOTIFY back at once: some times are enough. */
static void notify_that_overflows(void **state)
{
	static const struct watched_rule rules[] = { { "NOTIFY", "%T OK done\r\n* OK [NOTIFICATIONOVERFLOW] too much\r\n" } };
	struct watched *w = both(state, WITH_NOTIFY, rules, 1);
	unsigned visits = 0;

	do {
		assert_true(++visits < 10);
		watched_visit(w, 0);
		for (unsigned n = 0; n < 3; n++)
			watched_run(w);
	} while (w->news == visits);
	assert_int_equal(watched_said(w, &w->notifies), 3);
	assert_true(watched_is(w, 0));
	watched_end(&w);
}

static const struct loss { struct watched_rule rules[2]; bool notify, error; } losses[] = {
	{ { { "NOTIFY", "%C" } }, true, false }, { { { "NOTIFY", "* BYE no\r\n%C" } }, true, true },
	{ { { "EXAMINE \"INBOX\"", "%F" }, { "EXAMINE \"INBOX\"", "%C" } }, false, false },
};

/* Nothing is wrong with the visit, and another one is wanted; what is an error is tried again anyhow. */
static void lost_amid_parking(void **state)
{
	for (const struct loss *l = losses; l < losses + COUNT(losses); l++) {
		struct watched *w = both(state, l->notify ? WITH_NOTIFY : "IDLE", l->rules, l->notify ? 1 : 2);

		for (unsigned visit = 1; visit <= (l->notify ? WATCH_SHORT_MAX : 1); visit++) {
			watched_visit(w, 0);
			assert_int_equal(w->result.why.kind != ERR_NONE, l->error);
			assert_false(watched_is(w, 0));
			news_in(w, l->error ? 0 : visit);
		}
		if (l->notify) {	/* that was often enough */
			watched_visit(w, 0);
			assert_int_equal(watched_said(w, &w->notifies), WATCH_SHORT_MAX);
			assert_true(watched_is(w, 0));
		}
		watched_end(&w);
	}
}

/* A visit that is to stop while it waits for an answer parks nothing. */
static void stopped_amid_parking(void **state)
{
	static const struct watched_rule rules[] = { { "EXAMINE \"INBOX\"", "%F" }, { "EXAMINE \"INBOX\"", "%W%F" } };
	struct watched *w = both(state, "IDLE", rules, 2);

	collector_add(w->collector, &w->with[0], VISIT_COLLECT);
	watched_until(w, watched_said(w, &w->waits) == 1);
	collector_stop(w->collector);
	watched_go(w, 'W');
	watched_until(w, w->over == 1);
	assert_false(watched_is(w, 0));
	assert_int_equal(w->news, 0);
	watched_end(&w);
}

int main(void)
{
#define PARKS(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)
	const struct CMUnitTest tests[] = {
		PARKS(one_is_selected_already), PARKS(notify_names_them_all), PARKS(notify_tells_amid_a_visit), PARKS(else_the_first), PARKS(nothing_falls_between),
		PARKS(the_first_cannot_be_opened_again), PARKS(trouble_is_not_watched), PARKS(one_of_a_pattern_cannot_be_opened), PARKS(too_many_for_notify), PARKS(notify_that_overflows),
		PARKS(stopped_amid_parking), PARKS(lost_amid_parking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
