/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "net/conn_inside.h"
#include "net/test_visitor.h"

enum { PATIENCE_MS = 60000, LINE = 200, MUCH = 16 << 20, PIPELINED = 1 << 20 };

static const struct conn_accepted plain = { .tls = CONN_TLS_NONE, .timeout_ms = PATIENCE_MS };

static void nap(void)
{
	(void)nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

static char pattern(size_t i)
{
	return (char)(i * 2654435761u >> 13);
}

/* Visitors */

static void converses(struct server_peer *p, void *user)
{
	char line[LINE];

	(void)user;
	if (peer_line(p, line, sizeof line) && peer_say(p, "QUIT\r\n") && peer_line(p, line, sizeof line))
		(void)peer_say(p, "too late");		/* behind our end nothing is heard */
	peer_wait_end(p);
}

static void leaves(struct server_peer *p, void *user)
{
	char line[LINE];

	(void)user;
	(void)peer_line(p, line, sizeof line);
}

static void resets(struct server_peer *p, void *user)
{
	char line[LINE];

	(void)user;
	(void)peer_line(p, line, sizeof line);
	peer_reset(p);
}

static void is_silent(struct server_peer *p, void *user)
{
	(void)user;
	peer_wait_end(p);
}

static const struct row {
	const char *name;
	void (*talk)(struct server_peer *p, void *user);
	uint32_t deadline_ms;
	const char *story, *got;
	enum err_kind kind;
	const char *why;
} rows[] = {
	{ "a conversation", converses, PATIENCE_MS, "opened turn closed", "QUIT\r\n", ERR_NONE, NULL },
	{ "it leaves", leaves, PATIENCE_MS, "opened closed", "", ERR_NONE, NULL },
	{ "it resets", resets, PATIENCE_MS, "opened closed", "", ERR_NET, ": the client reset the connection" },
	{ "it is silent", is_silent, 50, "opened closed", "", ERR_NET, ": no greeting within 0.05 s" },
};

static size_t turn(struct client *c, struct span in)
{
	assert_true(buf_add(&c->got, in));
	if (c->got.len >= 6 && !memcmp(c->got.at + c->got.len - 6, "QUIT\r\n", 6)) {
		assert_true(conn_send(c->conn, SPAN("+OK bye\r\n")));
		conn_close(c->conn);
	}
	return in.len;
}

static void a_visit_tells_its_story(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct client c;

		client_start(&c);
		c.say = "+OK\r\n";
		c.on_turn = turn;
		c.deadline_ms = r->deadline_ms;
		visit(&c, &plain, r->talk, NULL);
		if (strcmp(c.story, r->story) != 0 || !span_equal(buf_span(&c.got), span_of(r->got)) || c.why.kind != r->kind
			|| (r->why && (!strstr(c.why.text, r->why) || strncmp(c.why.text, c.peer, strlen(c.peer)) != 0)))
			fail_msg("%s: %s: \"%.*s\" %s", r->name, c.story, (int)c.got.len, c.got.at, c.why.text);
		assert_int_equal(strncmp(c.peer, "127.0.0.1:", 10), 0);
		client_end(&c);
	}
}

/* The client's end is said before all that it asked for was sent. */

struct reader {
	size_t got, sent;
	bool wrong, whole_end;
	atomic_bool starved;
	size_t queued;		/* the most that ever waited */
	bool tls;
};

static void take(struct reader *r, struct server_peer *p)
{
	static char piece[30000];
	size_t n;

	while ((n = peer_read(p, piece, sizeof piece))) {
		for (size_t i = 0; i < n; i++)
			r->wrong = r->wrong || piece[i] != pattern(r->got + i);
		r->got += n;
	}
}

static void asks_and_closes_its_half(struct server_peer *p, void *user)
{
	struct reader *r = user;
	int little = 64 * 1024;

	(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
	(void)peer_say(p, "RETR 1\r\nQUIT\r\n");
	(void)shutdown(p->fd, SHUT_WR);
	while (!r->starved)
		nap();
	take(r, p);
}

/* As much as goes, and again in drained(): with one that is lent for the call. */
static void try_on(struct client *c)
{
	struct reader *r = c->user;
	static char piece[100 * 1000];
	size_t before = r->sent;

	while (r->sent < MUCH) {
		size_t n = MUCH - r->sent < sizeof piece ? MUCH - r->sent : sizeof piece, went;

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(r->sent + i);
		went = conn_try_send(c->conn, (struct span){ piece, n });
		memset(piece, 'x', n);		/* it was valid only then */
		assert_true(went <= n);
		r->sent += went;
		assert_in_range(r->sent - before, 0, CONN_TRY_TURN);
		r->queued = conn_unsent(c->conn) > r->queued ? conn_unsent(c->conn) : r->queued;
		if (went < n) {
			r->starved = true;
			return;
		}
	}
}

static size_t sends_much(struct client *c, struct span in)
{
	try_on(c);
	return in.len;
}

static void a_half_closed_client_gets_it_all(void **state)
{
	struct reader r = { 0 };
	struct client c;

	(void)state;
	client_start(&c);
	c.on_turn = sends_much;
	c.on_drained = try_on;
	visit(&c, &plain, asks_and_closes_its_half, &r);
	assert_string_equal(c.why.text, "");
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_int_equal(r.got, MUCH);
	assert_false(r.wrong);
	assert_int_equal(r.queued, 0);		/* in clear nothing is ever copied */
	client_end(&c);
}

/* A queue of copies is emptied too before the end. */
static size_t sends_a_queue(struct client *c, struct span in)
{
	struct reader *r = c->user;
	static char all[900 * 1000];

	for (size_t i = 0; i < sizeof all; i++)
		all[i] = pattern(i);
	assert_true(conn_send(c->conn, (struct span){ all, sizeof all }));
	r->starved = true;
	return in.len;
}

static void a_half_closed_client_gets_what_is_queued(void **state)
{
	struct reader r = { 0 };
	struct client c;

	(void)state;
	client_start(&c);
	c.on_turn = sends_a_queue;
	visit(&c, &plain, asks_and_closes_its_half, &r);
	assert_int_equal(c.why.kind, ERR_NONE);
	assert_int_equal(r.got, 900 * 1000);
	assert_false(r.wrong);
	client_end(&c);
}

/* Who has sent more than we read still hears our last words. */

static void pipelines_too_much(struct server_peer *p, void *user)
{
	struct reader *r = user;
	char line[LINE], *much = calloc(1, PIPELINED);

	assert_non_null(much);
	(void)peer_send(p, (struct span){ much, PIPELINED });
	free(much);
	r->whole_end = peer_line(p, line, sizeof line) && !strcmp(line, "-ERR too much");
	r->whole_end = r->whole_end && recv(p->fd, line, 1, 0) == 0;
}

static size_t has_enough(struct client *c, struct span in)
{
	assert_true(conn_send(c->conn, SPAN("-ERR too much\r\n")));
	conn_close(c->conn);
	return in.len;
}

static void no_reset_takes_our_last_words(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct reader r = { 0 };
		struct client c;

		client_start(&c);
		c.on_turn = has_enough;
		visit(&c, &plain, pipelines_too_much, &r);
		assert_int_equal(c.why.kind, ERR_NONE);
		assert_int_equal(c.turns, 1);
		assert_true(r.whole_end);
		client_end(&c);
	}
}

/* A client that does not wait for what it asked for, while we are in a pause. */

static void goes_when_it_is_full(struct server_peer *p, void *user)
{
	struct reader *r = user;

	(void)peer_say(p, "RETR 1\r\n");
	while (!r->starved)
		nap();
	peer_reset(p);
}

static size_t sends_in_a_pause(struct client *c, struct span in)
{
	conn_pause(c->conn, true);
	try_on(c);
	return in.len;
}

static void clients_that_are_gone(void **state)
{
	struct reader r = { 0 };
	struct client c;

	(void)state;
	client_start(&c);
	c.on_turn = sends_in_a_pause;
	c.on_drained = try_on;
	visit(&c, &plain, goes_when_it_is_full, &r);
	assert_int_equal(c.why.kind, ERR_NET);
	if (!strstr(c.why.text, ": the client is gone, and was still to be sent something"))
		fail_msg("%s", c.why.text);
	client_end(&c);
}

/* PROXY headers */

#define SIG "\r\n\r\n\0\r\nQUIT\n"

static const struct proxied {
	const char *name;
	struct span header;
	unsigned versions;
	const char *trusted, *story, *got, *peer;	/* peer NULL: its own */
	enum err_kind kind;
	const char *why;
} proxied[] = {
	{ "version 1", SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 1024 995\r\nQUIT\r\n"), PROXY_V1, "127.0.0.0/8", "opened turn closed", "QUIT\r\n",
		"192.0.2.7:1024", ERR_NONE, NULL },
	{ "version 2", SPAN(SIG "\x21\x11\0\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x04\x00\x03\xe3QUIT\r\n"), PROXY_V2, "127.0.0.1", "opened turn closed", "QUIT\r\n",
		"192.0.2.7:1024", ERR_NONE, NULL },
	{ "UNKNOWN", SPAN("PROXY UNKNOWN\r\nQUIT\r\n"), PROXY_V1, "127.0.0.0/8", "opened turn closed", "QUIT\r\n", NULL, ERR_NONE, NULL },
	{ "LOCAL", SPAN(SIG "\x20\0\0\0QUIT\r\n"), PROXY_V1 | PROXY_V2, "127.0.0.0/8", "opened turn closed", "QUIT\r\n", NULL, ERR_NONE, NULL },
	{ "none", SPAN("QUIT\r\n"), PROXY_V1, "127.0.0.0/8", "closed", "", NULL, ERR_PEER, ": the proxy's header cannot be used: no PROXY header" },
	{ "the other version", SPAN("PROXY UNKNOWN\r\n"), PROXY_V2, "127.0.0.0/8", "closed", "", NULL, ERR_PEER, "no PROXY header of the version that is wanted" },
	{ "a header cut off", SPAN("PROXY TCP4 192.0.2.7"), PROXY_V1, "127.0.0.0/8", "closed", "", NULL, ERR_PEER, ": the proxy closed the connection inside of its header" },
	{ "nothing at all", SPAN(""), PROXY_V1, "127.0.0.0/8", "closed", "", NULL, ERR_NONE, NULL },
	{ "a stranger", SPAN("PROXY UNKNOWN\r\n"), PROXY_V1, "192.0.2.0/24", "refused", "", NULL, ERR_PEER, ": refused: only proxies that are trusted may connect here" },
};

struct says {
	struct span all;
	size_t cut;
};

static void says_it_in_two(struct server_peer *p, void *user)
{
	const struct says *s = user;

	(void)peer_send(p, (struct span){ s->all.at, s->cut });
	if (s->cut && s->cut < s->all.len)
		nap();			/* two segments, as a rule */
	(void)peer_send(p, span_from(s->all, s->cut));
	(void)shutdown(p->fd, SHUT_WR);
	peer_wait_end(p);
}

static void the_proxy_says_who_it_is(void **state)
{
	(void)state;
	for (const struct proxied *r = proxied; r < proxied + COUNT(proxied); r++)
		for (size_t cut = 0; cut <= r->header.len; cut += 7) {
			struct says says = { r->header, cut };
			struct network trusted;
			struct conn_accepted s = plain;
			struct client c;

			assert_true(network_parse(r->trusted, &trusted));
			s.proxy = r->versions;
			s.trusted = &trusted;
			s.trusted_count = 1;
			client_start(&c);
			c.close_at = "QUIT\r\n";
			visit(&c, &s, says_it_in_two, &says);
			if (strcmp(c.story, r->story) != 0 || !span_equal(buf_span(&c.got), span_of(r->got)) || c.why.kind != r->kind
				|| (r->why && !strstr(c.why.text, r->why)))
				fail_msg("%s, cut at %zu: %s: \"%.*s\" %s", r->name, cut, c.story, (int)c.got.len, c.got.at, c.why.text);
			if (c.peer[0] && (r->peer ? strcmp(c.peer, r->peer) != 0 : strncmp(c.peer, "127.0.0.1:", 10) != 0))
				fail_msg("%s: %s", r->name, c.peer);
			client_end(&c);
		}
}

static void a_proxy_that_says_nothing(void **state)
{
	struct network trusted;
	struct conn_accepted s = plain;
	struct client c;

	(void)state;
	assert_true(network_parse("127.0.0.1", &trusted));
	s.proxy = PROXY_V1;
	s.trusted = &trusted;
	s.trusted_count = 1;
	s.timeout_ms = 50;
	client_start(&c);
	visit(&c, &s, is_silent, NULL);
	assert_string_equal(c.story, "closed");
	assert_non_null(strstr(c.why.text, ": no PROXY header within 0.05 s"));
	client_end(&c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_visit_tells_its_story),
		cmocka_unit_test(a_half_closed_client_gets_it_all),
		cmocka_unit_test(a_half_closed_client_gets_what_is_queued),
		cmocka_unit_test(no_reset_takes_our_last_words),
		cmocka_unit_test(clients_that_are_gone),
		cmocka_unit_test(the_proxy_says_who_it_is),
		cmocka_unit_test(a_proxy_that_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
