/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "net/test_deflate.h"

enum { MUCH = 8 << 20, PIECE = 30000 };

static char pattern(size_t i)
{
	return (char)(i * 2654435761u >> 13);
}

static struct span patterned(size_t at)
{
	static _Thread_local char piece[PIECE];
	size_t n = MUCH - at < PIECE ? MUCH - at : PIECE;

	for (size_t i = 0; i < n; i++)
		piece[i] = pattern(at + i);
	return (struct span){ piece, n };
}

/* Servers: what they say is told by a case */

static void converses(struct server_peer *p, struct act *a)
{
	char line[ACT_LINE];

	(void)a;
	while (peer_line(p, line, sizeof line) && peer_say(p, "* ") && peer_say(p, line) && peer_say(p, "\r\n"))
		if (!strcmp(line, "LOGOUT"))
			return;
}

static void speaks_first(struct server_peer *p, struct act *a)
{
	if (peer_say(p, "* unasked\r\n"))
		converses(p, a);
}

static void sends_much(struct server_peer *p, struct act *a)
{
	(void)a;
	for (size_t at = 0; at < MUCH && peer_send(p, patterned(at)); at += PIECE)
		;
}

static void takes(struct server_peer *p, struct act *a)
{
	static char piece[PIECE];
	size_t n;

	while ((n = peer_read(p, piece, sizeof piece))) {
		for (size_t i = 0; i < n; i++)
			a->wrong = a->wrong || piece[i] != pattern(a->got + i);
		a->got += n;
	}
	a->in_order = !p->ssl || SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN;
}

static void ends_the_stream(struct server_peer *p, struct act *a)
{
	(void)a;
	(void)peer_send_as(p, SPAN("* BYE\r\n"), Z_FINISH);
}

static void goes_on_behind_the_end(struct server_peer *p, struct act *a)
{
	ends_the_stream(p, a);
	(void)peer_send_raw(p, SPAN("what else?"));
	peer_wait_end(p);
}

static void breaks(struct server_peer *p, struct act *a)
{
	(void)a;
	(void)peer_say(p, "* fine\r\n");
	(void)peer_send_raw(p, SPAN("* this is no deflate\r\n"));
	peer_wait_end(p);
}

static size_t talk(struct client *c, struct span in)
{
	size_t used;

	if (act_begin(c, in, &used)) {
		assert_true(conn_send(c->conn, SPAN("A")));	/* pieces of one line */
		assert_true(conn_send(c->conn, SPAN("BC\r\n")));
		assert_true(conn_send(c->conn, SPAN("LOGOUT\r\n")));
	} else if (!span_starts(in, SPAN("* OK"))) {
		assert_true(buf_add(&c->got, in));
	}
	return used;
}

static const struct row {
	const char *name;
	struct act act;
	const char *got;
	enum err_kind kind;
	const char *why;
} rows[] = {
	{ "a conversation", { .talk = converses }, "* ABC\r\n* LOGOUT\r\n", ERR_NONE, NULL },
	{ "the server speaks first, perhaps with the answer", { .talk = speaks_first }, "* unasked\r\n* ABC\r\n* LOGOUT\r\n", ERR_NONE, NULL },
	{ "an octet at a time", { .talk = speaks_first, .cut = 1 }, "* unasked\r\n* ABC\r\n* LOGOUT\r\n", ERR_NONE, NULL },
	{ "three at a time", { .talk = speaks_first, .cut = 3 }, "* unasked\r\n* ABC\r\n* LOGOUT\r\n", ERR_NONE, NULL },
	{ "the stream is ended", { .talk = ends_the_stream }, "* BYE\r\n", ERR_NONE, NULL },
	{ "octets behind its end", { .talk = goes_on_behind_the_end }, "* BYE\r\n", ERR_PEER, "behind the end of the server's deflate stream (RFC 4978)" },
	{ "no deflate", { .raw = "\xff\xff\xff\xff" }, "", ERR_PEER, "cannot be inflated (invalid block type)" },
	{ "in clear on and on", { .raw = "* 3 EXISTS\r\n* 4 EXISTS\r\n" }, NULL, ERR_PEER, "RFC 4978" },
	{ "broken later", { .talk = breaks }, NULL, ERR_PEER, "RFC 4978" },
};

static void deflate_tells_its_story(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		const struct row *r = rows + i / 2;
		struct act a = r->act;
		struct client c;

		a.tls = i % 2;
		client_start(&c);
		act_run(&a, &c, talk);
		if ((r->got && !span_equal(buf_span(&c.got), span_of(r->got))) || c.why.kind != r->kind || (r->why && !strstr(c.why.text, r->why)))
			fail_msg("%s%s: \"%.*s\" %s", r->name, a.tls ? ", TLS" : "", (int)c.got.len, c.got.at, c.why.text);
		client_end(&c);
	}
}

/* The answer and what is compressed in one segment: the turn says how much is which. */

static void answers_and_goes_on(struct server_peer *p, void *user)
{
	struct span *all = user;
	char line[ACT_LINE];

	if (peer_say(p, "* OK hi\r\n") && peer_line(p, line, sizeof line))
		(void)peer_send(p, *all);
}

/* The answer, then `size` noughts and a sync, compressed into `room`; returns the whole length. */
static size_t compressed_noughts(size_t size, char *all, size_t room)
{
	char *noughts = calloc(1, size);
	z_stream z = { .next_in = (Bytef *)noughts, .avail_in = (uInt)size };

	memcpy(all, ACT_ANSWER, sizeof ACT_ANSWER - 1);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = (Bytef *)all + sizeof ACT_ANSWER - 1;
	z.avail_out = (uInt)(room - sizeof ACT_ANSWER + 1);
	assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
	(void)deflateEnd(&z);
	free(noughts);
	return room - z.avail_out;
}

/* How many octets the deflate stream `in` is, as far as it goes. */
static size_t inflated_size(struct span in)
{
	static char out[4 * CONN_IN_MAX];
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.at, .avail_in = (uInt)in.len, .next_out = (Bytef *)out, .avail_out = sizeof out };

	assert_int_equal(inflateInit2(&z, -15), Z_OK);
	(void)inflate(&z, Z_SYNC_FLUSH);
	(void)inflateEnd(&z);
	return sizeof out - z.avail_out;
}

/* Also what the inflater still has when all of it was read and a turn was full. */
static void the_rest_of_the_turn_is_inflated(void **state)
{
	char all[1024];
	size_t head = sizeof ACT_ANSWER - 1, len = compressed_noughts(2 * CONN_IN_MAX, all, sizeof all), told;

	(void)state;
	for (size_t n = head; n <= len; n++) {
		struct span peer = { all, n };
		struct server server;
		struct client c;

		told = inflated_size((struct span){ all + head, n - head });
		if (told < CONN_IN_MAX - 2048)
			continue;
		server_start(&server, "127.0.0.1", answers_and_goes_on, &peer);
		client_start(&c);
		act_open_clear(&c, &server, act_listens);
		loop_run(c.loop);
		server_stop(&server);
		assert_int_equal(c.why.kind, ERR_NONE);
		assert_int_equal(c.got.len, told);
		client_end(&c);
	}
}

static void much_comes_in(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct act a = { .talk = sends_much, .tls = tls };
		struct client c;

		client_start(&c);
		act_run(&a, &c, act_listens);
		assert_int_equal(c.why.kind, ERR_NONE);
		assert_int_equal(c.got.len, MUCH);
		assert_true(c.longest <= CONN_IN_MAX);
		for (size_t i = 0; i < MUCH; i++)
			if (c.got.at[i] != pattern(i))
				fail_msg("octet %zu", i);
		client_end(&c);
	}
}

/* As much as the queue takes, again when it is drained; then we leave: all of it arrives. */

static void send_on(struct client *c)
{
	size_t *sent = c->user;

	while (*sent < MUCH && conn_unsent(c->conn) < CONN_OUT_LOW) {
		struct span piece = patterned(*sent);

		assert_true(conn_send(c->conn, piece));
		*sent += piece.len;
	}
	if (*sent == MUCH)
		conn_close(c->conn);
}

static size_t sends_on(struct client *c, struct span in)
{
	size_t used;

	if (act_begin(c, in, &used))
		send_on(c);
	return used;
}

static void much_goes_out(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct act a = { .talk = takes, .tls = tls };
		struct client c;
		size_t sent = 0;

		client_start(&c);
		c.on_drained = send_on;
		c.user = &sent;
		act_run(&a, &c, sends_on);
		assert_int_equal(c.why.kind, ERR_NONE);
		assert_int_equal(a.got, MUCH);
		assert_false(a.wrong);
		assert_true(a.in_order);
		client_end(&c);
	}
}

/* What a deflater remembers it need not say again; one that rested remembers nothing. */

enum { LINES = 4 };

#define LINE "a1 FETCH 1:9 (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE)\r\n"

static size_t sizes[LINES];

static void weighs(struct server_peer *p, struct act *a)
{
	char line[ACT_LINE];
	uLong before = 0;

	for (size_t n = 0; n < LINES; n++) {
		a->wrong = a->wrong || !peer_line(p, line, sizeof line) || !span_equal(span_of(line), (struct span){ LINE, sizeof LINE - 3 });
		sizes[n] = p->zip->in.total_in - before;
		before = p->zip->in.total_in;
		(void)peer_say(p, "OK\r\n");
	}
	peer_wait_end(p);
}

/* The second line is said as usual, the third one after a rest, the fourth between two rests in one call. */
static size_t rests(struct client *c, struct span in)
{
	size_t used, *said = c->user;

	if (!act_begin(c, in, &used) && !span_starts(in, SPAN("OK")))
		return used;
	if (*said == LINES) {
		conn_close(c->conn);
		return used;
	}
	if (*said >= 2)
		conn_rest(c->conn);
	assert_true(conn_send(c->conn, SPAN(LINE)));
	if (++*said == LINES) {
		conn_rest(c->conn);
		conn_rest(c->conn);
	}
	return used;
}

static void a_resting_connection_has_no_deflater(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct act a = { .talk = weighs, .tls = tls };
		struct client c;
		size_t said = 0;

		client_start(&c);
		c.user = &said;
		act_run(&a, &c, rests);
		assert_int_equal(c.why.kind, ERR_NONE);
		assert_false(a.wrong);
		assert_true(sizes[1] < sizes[0] / 2);
		assert_int_equal(sizes[2], sizes[0]);
		assert_int_equal(sizes[3], sizes[0]);
		client_end(&c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(deflate_tells_its_story),
		cmocka_unit_test(the_rest_of_the_turn_is_inflated),
		cmocka_unit_test(much_comes_in),
		cmocka_unit_test(much_goes_out),
		cmocka_unit_test(a_resting_connection_has_no_deflater),
	};

	return cmocka_run_group_tests(tests, act_set_up, act_tear_down);
}
