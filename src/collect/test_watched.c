/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/test_watched.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { LINE = 4096, TICK_MS = 5 };

uint64_t watched_later_ms;
bool watched_distrusts;
size_t watched_no_malloc, watched_no_calloc;

uint64_t __real_loop_now_ms(const struct loop *l);
uint64_t __wrap_loop_now_ms(const struct loop *l);
bool __real_conn_tls_trusted(const struct conn *c);
bool __wrap_conn_tls_trusted(const struct conn *c);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

uint64_t __wrap_loop_now_ms(const struct loop *l)
{
	return __real_loop_now_ms(l) + watched_later_ms;
}

bool __wrap_conn_tls_trusted(const struct conn *c)
{
	return !watched_distrusts && __real_conn_tls_trusted(c);
}

void *__wrap_malloc(size_t size)
{
	return watched_no_malloc && size == watched_no_malloc ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return watched_no_calloc && size == watched_no_calloc ? NULL : __real_calloc(count, size);
}

/* ---- the server */

struct session {
	struct watched *w;
	struct server_peer peer;
	char line[LINE], tag[32];
	const char *command;	/* behind the tag */
	int box;		/* -1: an empty one */
};

static void locked_add(struct watched *w, unsigned *counter)
{
	assert(pthread_mutex_lock(&w->mutex) == 0);
	++*counter;
	assert(pthread_mutex_unlock(&w->mutex) == 0);
}

unsigned watched_said(struct watched *w, const unsigned *counter)
{
	unsigned n;

	assert(pthread_mutex_lock(&w->mutex) == 0);
	n = *counter;
	assert(pthread_mutex_unlock(&w->mutex) == 0);
	return n;
}

static bool begins(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

static bool say(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool say(struct session *s, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return peer_say(&s->peer, text);
}

static unsigned mails(struct session *s)
{
	return s->box < 0 ? 0 : watched_said(s->w, &s->w->mails[s->box]);
}

static bool opens(struct session *s)
{
	const char *name = strchr(s->command, '"');

	s->box = !name || begins(name, "\"INBOX\"") ? 0 : begins(name, "\"b\"") ? 1 : -1;
	locked_add(s->w, begins(s->command, "EXAMINE") ? &s->w->examines : &s->w->selects);
	return say(s, "* %u EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 7] y\r\n* OK [UIDNEXT %u] y\r\n%s OK [READ-WRITE] done\r\n", mails(s), mails(s) + 1, s->tag);
}

static bool fetches(struct session *s)
{
	char *end;
	unsigned long first = strtoul(s->command + sizeof "UID FETCH", &end, 10), last = *end == ':' ? strtoul(end + 1, NULL, 10) : first;

	for (unsigned long n = first; n <= last && n <= mails(s); n++) {
		char text[64];
		int len = snprintf(text, sizeof text, "Subject: box %d number %lu\r\n\r\nhello\r\n", s->box, n);

		if (strstr(s->command, "BODY"))
			(void)say(s, "* %lu FETCH (UID %lu BODY[] {%d}\r\n%s)\r\n", n, n, len, text);
		else
			(void)say(s, "* %lu FETCH (UID %lu FLAGS () RFC822.SIZE %d)\r\n", n, n, len);
	}
	return say(s, "%s OK done\r\n", s->tag);
}

static bool faithful(struct session *s)
{
	char found[512] = "";

	if (begins(s->command, "CAPABILITY"))
		return say(s, "* CAPABILITY IMAP4rev1 %s\r\n%s OK done\r\n", s->w->capabilities, s->tag);
	if (begins(s->command, "SELECT") || begins(s->command, "EXAMINE"))
		return opens(s);
	if (begins(s->command, "UID FETCH"))
		return fetches(s);
	if (begins(s->command, "LOGOUT"))
		return say(s, "* BYE\r\n%s OK done\r\n", s->tag) && false;
	if (begins(s->command, "UID SEARCH")) {
		for (unsigned n = 1; n <= mails(s); n++)
			(void)snprintf(found + strlen(found), sizeof found - strlen(found), " %u", n);
		return say(s, "* SEARCH%s\r\n%s OK done\r\n", found, s->tag);
	}
	if (begins(s->command, "IDLE"))
		return say(s, "+ idling\r\n") && peer_line(&s->peer, s->line, sizeof s->line) && say(s, "%s OK done\r\n", s->tag);
	return say(s, "%s OK done\r\n", s->tag);
}

static bool act(struct session *s, char what)
{
	switch (what) {
	case 'A':
	case 'B':
		locked_add(s->w, &s->w->mails[what == 'B']);
		return true;
	case 'F':
		return faithful(s);
	case 'D':
		return peer_line(&s->peer, s->line, sizeof s->line) && strcmp(s->line, "DONE") == 0;
	case 'R':
		peer_reset(&s->peer);
		return false;
	case 'W':
	case 'V':
		locked_add(s->w, &s->w->waits);
		return sem_wait(&s->w->go[what == 'V']) == 0;
	default:
		assert(what == 'C');
		return false;
	}
}

/* What is said without a wait comes in one piece. */
static bool by_rule(struct session *s, const char *says)
{
	char text[LINE] = "";

	while (*says) {
		size_t n = strcspn(says, "%"), len = strlen(text);

		(void)snprintf(text + len, sizeof text - len, "%.*s%s", (int)n, says, begins(says + n, "%T") ? s->tag : "");
		says += n;
		if (*says && says[1] != 'T') {
			bool quiet = says[1] == 'A' || says[1] == 'B';

			if ((!quiet && !peer_say(&s->peer, text)) || !act(s, says[1]))
				return false;
			text[0] = quiet ? text[0] : '\0';
		}
		says += *says ? 2 : 0;
	}
	return peer_say(&s->peer, text);
}

/* Whose turn it is of the rules for this command; NULL: there is none. */
static const char *rule_of(struct session *s)
{
	struct watched *w = s->w;
	const char *says = NULL, *verb = NULL;

	assert(pthread_mutex_lock(&w->mutex) == 0);
	for (size_t n = 0; n < w->rule_count; n++) {
		if (!begins(s->command, w->rules[n].verb) || (verb && strcmp(verb, w->rules[n].verb) != 0))
			continue;
		verb = w->rules[n].verb;
		says = w->rules[n].says;
		if (!w->taken[n]++)
			break;
	}
	assert(pthread_mutex_unlock(&w->mutex) == 0);
	return says;
}

static bool answer(struct session *s)
{
	size_t len = strcspn(s->line, " ");
	const char *says;

	(void)snprintf(s->tag, sizeof s->tag, "%.*s", (int)len, s->line);
	s->command = s->line + len + (s->line[len] == ' ');
	if (begins(s->command, "LOGIN"))
		locked_add(s->w, &s->w->logins);
	else if (begins(s->command, "IDLE"))
		locked_add(s->w, &s->w->idles);
	else if (begins(s->command, "NOTIFY"))
		locked_add(s->w, &s->w->notifies);
	says = rule_of(s);
	return says ? by_rule(s, says) : faithful(s);
}

static void *session(void *user)
{
	struct session *s = user;

	if (say(s, "* OK ready\r\n"))
		while (peer_line(&s->peer, s->line, sizeof s->line) && answer(s))
			;
	peer_end(&s->peer);
	locked_add(s->w, &s->w->ends);
	free(s);
	return NULL;
}

static void talk(struct server_peer *p, void *user)
{
	struct watched *w = user;
	struct session *s = calloc(1, sizeof *s);

	assert(s && w->thread_count < sizeof w->threads / sizeof w->threads[0]);
	s->w = w;
	s->peer = *p;
	p->fd = -1;		/* it is the thread's now */
	assert(pthread_create(&w->threads[w->thread_count++], NULL, session, s) == 0);
}

/* ---- the test's side */

static void on_tick(void *user)
{
	loop_stop(user);
}

static void on_ended(void *user, [[maybe_unused]] uint64_t id, [[maybe_unused]] const struct connection *with, const struct visit_result *r)
{
	struct watched *w = user;

	w->result = *r;
	w->over++;
}

static void on_news(void *user, const char *connection)
{
	struct watched *w = user;

	assert_int_equal(strncmp(connection, "box", 3), 0);
	w->news++;
}

void watched_run(struct watched *w)
{
	timer_set(w->tick, TICK_MS, 0);
	loop_run(w->world->loop);
}

static void make_connections(struct watched *w)
{
	static const char *const places[] = { "mailbox:anna/box0", "mailbox:anna/box1", "mailbox:anna/box2" };

	static unsigned serial;		/* another connection to the ledger, with each start */

	serial++;
	w->boxes[0] = "INBOX";
	for (size_t n = 0; n < WATCHED_MAX; n++) {
		w->targets[n] = (struct target){ .name = places[n], .type = TARGET_MAILBOX, .canonical = places[n] };
		w->targets[n].mailbox = strchr(places[n], ':') + 1;
		w->deliver[n] = &w->targets[n];
		w->with[n] = w->world->with;
		(void)snprintf(w->names[n], sizeof w->names[n], "box%zu.%u", n, serial);
		w->with[n].name = w->names[n];
		w->with[n].protocol = PROTOCOL_IMAP;
		w->with[n].port = w->server.port;
		w->with[n].idle = true;
		w->with[n].mailboxes = (struct texts){ w->boxes, 1 };
		w->with[n].deliver = &w->deliver[n];
		w->list[n] = &w->with[n];
	}
	w->settings = (struct settings){ .connections = w->list, .connection_count = WATCHED_MAX };
}

struct watched *watched_start(struct world *world, const char *capabilities, const struct watched_rule *rules, size_t count)
{
	struct watched *w = calloc(1, sizeof *w);
	struct collector_with with = { .loop = world->loop, .store = world->store, .contexts = world->contexts, .deliveries = world->deliveries,
		.max_per_host = 8, .ended = on_ended, .news = on_news, .user = w };
	struct err e;

	assert_non_null(w);
	assert_true(count <= sizeof w->taken / sizeof w->taken[0]);
	w->world = world;
	w->capabilities = capabilities;
	for (size_t n = 0; n < count; n++)
		w->rules[n] = rules[n];
	w->rule_count = count;
	w->mails[0] = 1;
	watched_later_ms = 0;
	watched_no_malloc = watched_no_calloc = 0;
	watched_distrusts = false;
	assert_int_equal(pthread_mutex_init(&w->mutex, NULL) | sem_init(&w->go[0], 0, 0) | sem_init(&w->go[1], 0, 0), 0);
	server_start(&w->server, "127.0.0.1", talk, w);
	make_connections(w);
	w->tick = timer_new(world->loop, on_tick, world->loop);
	assert_true(w->tick && collector_new(&with, &w->collector, &e));
	return w;
}

void watched_go(struct watched *w, char who)
{
	assert_int_equal(sem_post(&w->go[who == 'V']), 0);
}

uint64_t watched_visit(struct watched *w, size_t n)
{
	unsigned over = w->over;

	collector_add(w->collector, &w->with[n], VISIT_COLLECT);
	watched_until(w, w->over > over);
	return w->result.collected;
}

bool watched_is(struct watched *w, size_t n)
{
	struct collector_watch watch;

	return collector_watched(w->collector, w->with[n].name, &watch);
}

void watched_end(struct watched **out)
{
	struct watched *w = *out;

	collector_unwatch(w->collector, NULL);
	collector_free(&w->collector);
	for (unsigned n = 0; n < 2; n++)	/* what was forgotten is closed in a turn to come */
		watched_run(w);
	timer_free(&w->tick);
	server_stop(&w->server);
	for (size_t n = 0; n < w->thread_count; n++)
		assert_int_equal(pthread_join(w->threads[n], NULL), 0);
	assert_int_equal(sem_destroy(&w->go[0]) | sem_destroy(&w->go[1]) | pthread_mutex_destroy(&w->mutex), 0);
	free(w);
	*out = NULL;
}
