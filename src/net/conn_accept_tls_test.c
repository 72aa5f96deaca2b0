/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "net/conn_inside.h"
#include "net/test_plan.h"

enum { MUCH = 16 << 20 };

static char pattern(size_t i)
{
	return (char)(i * 2654435761u >> 13);
}

/* Visitors */

static void speaks_in_clear(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_say(peer, "CAPA \"x\r\n");
	peer_wait_end(peer);
}

static void leaves(struct server_peer *peer, void *user)
{
	(void)peer;
	(void)user;
}

static void leaves_in_the_hello(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_send(peer, SPAN("\x16\x03\x01\x02\x00\x01\x00"));
}

static void resets_in_the_hello(struct server_peer *peer, void *user)
{
	struct timespec tick = { 0, 20 * 1000 * 1000 };

	(void)user;
	(void)peer_send(peer, SPAN("\x16\x03\x01\x02\x00\x01\x00"));
	(void)nanosleep(&tick, NULL);
	peer_reset(peer);
}

static void hangs_in_the_hello(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_send(peer, SPAN("\x16\x03\x01\x02\x00\x01\x00"));
	peer_wait_end(peer);
}

/* Behind a hello of its own. */
static void says_goodbye(struct server_peer *peer, void *user)
{
	SSL_CTX *ctx = plan_context(user);
	SSL *ssl = SSL_new(ctx);
	char *hello, flight[4096];
	long len;

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	(void)SSL_connect(ssl);
	len = BIO_get_mem_data(SSL_get_wbio(ssl), &hello);
	(void)peer_send(peer, (struct span){ hello, (size_t)len });
	(void)peer_read(peer, flight, sizeof flight);
	(void)peer_send(peer, SPAN("\x15\x03\x03\x00\x02\x01\x00junk"));
	peer_wait_end(peer);
	ERR_clear_error();
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void is_silent(struct server_peer *peer, void *user)
{
	(void)user;
	peer_wait_end(peer);
}

static void sends_junk_behind_its_end(struct server_peer *peer, void *user)
{
	struct plan *p = user;
	SSL_CTX *ctx = plan_context(p);

	int one = 1, none = 0;

	if (visitor_tls(peer, ctx, NULL)) {	/* in one segment, so that both are read at once */
		(void)setsockopt(peer->fd, IPPROTO_TCP, TCP_CORK, &one, sizeof one);
		(void)SSL_shutdown(peer->ssl);
		(void)send(peer->fd, "\x17\x03\x03\x00\x04junk", 9, MSG_NOSIGNAL);
		(void)setsockopt(peer->fd, IPPROTO_TCP, TCP_CORK, &none, sizeof none);
	}
	SSL_free(peer->ssl);
	peer->ssl = NULL;
	peer_wait_end(peer);
	SSL_CTX_free(ctx);
}

static void upgrades(struct server_peer *peer, void *user)
{
	struct plan *p = user;
	SSL_CTX *ctx = plan_context(p);
	char line[PLAN_LINE];

	if (peer_line(peer, line, sizeof line) && peer_say(peer, "STLS\r\n") && peer_line(peer, line, sizeof line)
		&& !strcmp(line, "+OK begin") && visitor_tls(peer, ctx, NULL)) {
		(void)peer_say(peer, "CAPA\r\n");
		plan_talk(peer, p);
	}
	SSL_CTX_free(ctx);
}

static void injects(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_say(peer, "STLS\r\nUSER x\r\n");
	peer_wait_end(peer);
}

static void injects_later(struct server_peer *peer, void *user)
{
	char line[PLAN_LINE];

	(void)user;
	(void)peer_line(peer, line, sizeof line);
	(void)peer_say(peer, "STLS\r\n");
	(void)peer_line(peer, line, sizeof line);
	(void)peer_say(peer, "USER x\r\n");
	peer_wait_end(peer);
}

#define QUITS "opened turn closed"

static const struct row {
	const char *name;
	void (*talk)(struct server_peer *p, void *user);
	struct plan plan;
	enum conn_tls tls;
	uint32_t timeout_ms;
	const char *story;
	enum err_kind kind;
	const char *why;
} rows[] = {
	{ "TLS from the start", plan_converses, { 0 }, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, QUITS, ERR_NONE, NULL },
	{ "TLSv1.2", plan_converses, { .version = TLS1_2_VERSION }, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, QUITS, ERR_NONE, NULL },
	{ "it names our protocol", plan_converses, { .alpn = "\4imap\4pop3" }, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, QUITS, ERR_NONE, NULL },
	{ "it speaks in clear", speaks_in_clear, { 0 }, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, "closed", ERR_TLS,
		": the client speaks in clear, where this port begins with TLS" },
	{ "it leaves at once", leaves, { 0 }, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, "closed", ERR_NET, ": the client closed the connection before it said anything" },
	{ "it leaves in its hello", leaves_in_the_hello, { 0 }, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, "closed", ERR_NET,
		": the client closed the connection during the TLS handshake" },
	{ "it resets in its hello", resets_in_the_hello, { 0 }, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, "closed", ERR_NET,
		": the client reset the connection during the TLS handshake" },
	{ "close_notify behind its hello", says_goodbye, { 0 }, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, "closed", ERR_NET,
		": the client closed the connection during the TLS handshake" },
	{ "it hangs in its hello", hangs_in_the_hello, { 0 }, CONN_TLS_IMPLICIT, 50, "closed", ERR_NET, ": no TLS handshake within 0.05 s" },
	{ "it is silent", is_silent, { 0 }, CONN_TLS_IMPLICIT, 50, "closed", ERR_NET, ": no TLS handshake within 0.05 s" },
	{ "junk behind its end", sends_junk_behind_its_end, { 0 }, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, "opened closed", ERR_NONE, NULL },
	{ "STLS", upgrades, { 0 }, CONN_TLS_NONE, PLAN_PATIENCE_MS, "opened turn secured turn closed", ERR_NONE, NULL },
	{ "octets behind STLS", injects, { 0 }, CONN_TLS_NONE, PLAN_PATIENCE_MS, "opened turn closed", ERR_PEER, ": data before TLS: 8 octets in clear came" },
	{ "octets a little later", injects_later, { 0 }, CONN_TLS_NONE, PLAN_PATIENCE_MS, "opened turn closed", ERR_PEER,
		": data before TLS: octets in clear came after the answer to the TLS start; the client is broken, or somebody is interfering" },
	{ "no hello behind STLS", upgrades, { .version = TLS1_1_VERSION }, CONN_TLS_NONE, PLAN_PATIENCE_MS, "opened turn closed", ERR_TLS, ": TLS broke: the client speaks no TLS version" },
};

static void tls_tells_its_story(void **state)
{
	struct tls_server *t = plan_server(NULL);

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct plan p = r->plan;
		struct client c;

		plan_visit(&c, t, r->tls, r->timeout_ms, r->talk, &p);
		if (strcmp(c.story, r->story) != 0 || c.why.kind != r->kind || (r->why && !strstr(c.why.text, r->why)))
			fail_msg("%s: %s: %s", r->name, c.story, c.why.text);
		if (p.binding_len != p.ours_len || memcmp(p.binding, p.ours, p.ours_len) != 0 || (r->kind == ERR_NONE && strstr(r->story, "turn") && !p.ours_len))
			fail_msg("%s: bindings of %zu and %zu octets", r->name, p.binding_len, p.ours_len);
		SSL_SESSION_free(p.got);
		client_end(&c);
	}
	tls_server_put(&t);
}

/* A PROXY header before TLS, in one segment with the hello. */

static void comes_by_a_proxy(struct server_peer *peer, void *user)
{
	SSL_CTX *ctx = plan_context(user);
	int one = 1;

	(void)setsockopt(peer->fd, IPPROTO_TCP, TCP_CORK, &one, sizeof one);	/* the kernel lets go of it after 200 ms */
	(void)peer_say(peer, "PROXY TCP6 2001:db8::7 2001:db8::1 1024 995\r\n");
	if (visitor_tls(peer, ctx, NULL))
		plan_talk(peer, user);
	SSL_CTX_free(ctx);
}

static void looks_at_addresses(struct client *c)
{
	char local[ADDRESS_TEXT];

	assert_string_equal(address_text(conn_local_address(c->conn), true, local), "[2001:db8::1]:995");
	assert_int_equal(conn_peer_address(c->conn)->any.sa_family, AF_INET6);
}

static void a_proxy_comes_before_tls(void **state)
{
	struct plan p = { 0 };
	struct network trusted;
	struct tls_server *t = plan_server(NULL);
	struct conn_accepted s = { .tls = CONN_TLS_IMPLICIT, .tls_server = t, .timeout_ms = PLAN_PATIENCE_MS, .proxy = PROXY_V1,
		.trusted = &trusted, .trusted_count = 1 };
	struct client c;

	(void)state;
	assert_true(network_parse("127.0.0.1", &trusted));
	client_start(&c);
	c.say = "+OK\r\n";
	c.on_turn = plan_turn;
	c.on_opened = looks_at_addresses;
	visit(&c, &s, comes_by_a_proxy, &p);
	assert_string_equal(c.why.text, "");
	assert_string_equal(c.story, "opened turn closed");
	assert_string_equal(c.peer, "[2001:db8::7]:1024");
	SSL_SESSION_free(p.got);
	client_end(&c);
	tls_server_put(&t);
}

/* What is valid only now, through TLS, to a slow reader */

static void reads_slowly(struct server_peer *peer, void *user)
{
	static char piece[30000];
	struct timespec tick = { 0, 1000000 };
	struct plan *p = user;
	SSL_CTX *ctx = plan_context(p);
	int little = 64 * 1024;
	size_t n;

	(void)setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
	if (visitor_tls(peer, ctx, NULL) && peer_say(peer, "RETR 1\r\n")) {
		(void)SSL_shutdown(peer->ssl);		/* its half, close_notify */
		while (!p->starved)
			(void)nanosleep(&tick, NULL);
		while ((n = peer_read(peer, piece, sizeof piece))) {
			for (size_t i = 0; i < n; i++)
				p->wrong = p->wrong || piece[i] != pattern(p->taken + i);
			p->taken += n;
		}
	}
	SSL_CTX_free(ctx);
}

static void try_on(struct client *c)
{
	struct plan *p = c->user;
	static char piece[100 * 1000];
	size_t before = p->sent;

	while (p->sent < MUCH) {
		size_t n = MUCH - p->sent < sizeof piece ? MUCH - p->sent : sizeof piece, went;

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(p->sent + i);
		went = conn_try_send(c->conn, (struct span){ piece, n });
		memset(piece, 'x', n);
		p->sent += went;
		assert_in_range(p->sent - before, 0, CONN_TRY_TURN);
		p->queued = conn_unsent(c->conn) > p->queued ? conn_unsent(c->conn) : p->queued;
		if (went < n) {
			p->starved = true;
			return;
		}
	}
}

static size_t sends_much(struct client *c, struct span in)
{
	try_on(c);
	return in.len;
}

static void a_slow_reader_gets_it_all(void **state)
{
	struct plan p = { 0 };
	struct tls_server *t = plan_server(NULL);
	struct conn_accepted s = { .tls = CONN_TLS_IMPLICIT, .tls_server = t, .timeout_ms = PLAN_PATIENCE_MS };
	struct client c;

	(void)state;
	client_start(&c);
	c.on_turn = sends_much;
	c.on_drained = try_on;
	visit(&c, &s, reads_slowly, &p);
	assert_string_equal(c.why.text, "");
	assert_int_equal(p.taken, MUCH);
	assert_false(p.wrong);
	assert_in_range(p.queued, 1, CONN_TRY_QUEUE);
	client_end(&c);
	tls_server_put(&t);
}

/* Who was owed more, and then was to hear no more, or to begin with TLS: the loop has rest until it does something. */

enum { REST_MS = 200, TURNS_MAX = 1000 };

static void takes_all_and_rests(struct server_peer *peer, void *user)
{
	static char piece[30000];
	struct timespec rest = { 0, REST_MS * 1000 * 1000 }, tick = { 0, 1000000 };
	struct plan *p = user;

	(void)peer_say(peer, "STLS\r\n");
	while (!p->starved)
		(void)nanosleep(&tick, NULL);
	while (p->taken < p->sent)
		p->taken += peer_read(peer, piece, sizeof piece);
	(void)nanosleep(&rest, NULL);
}

static size_t closes(struct client *c, struct span in)
{
	try_on(c);
	conn_close(c->conn);
	return in.len;
}

static size_t starts_tls(struct client *c, struct span in)
{
	try_on(c);
	conn_start_tls(c->conn);
	return in.len;
}

static void count(uv_prepare_t *turns)
{
	++*(unsigned *)turns->data;
}

static void nothing_is_owed_any_more(void **state)
{
	static const struct { size_t (*turn)(struct client *c, struct span in); enum err_kind kind; } ends[] = {
		{ closes, ERR_NONE }, { starts_tls, ERR_NET },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct plan p = { 0 };
		struct tls_server *t = plan_server(NULL);
		struct conn_accepted s = { .tls_server = t, .timeout_ms = PLAN_PATIENCE_MS };
		uv_prepare_t turns;
		unsigned counted = 0;
		struct client c;

		client_start(&c);
		c.on_turn = ends[i].turn;
		(void)uv_prepare_init(&c.loop->uv, &turns);
		turns.data = &counted;
		(void)uv_prepare_start(&turns, count);
		uv_unref((uv_handle_t *)&turns);
		visit(&c, &s, takes_all_and_rests, &p);
		assert_int_equal(c.why.kind, ends[i].kind);
		assert_int_equal(p.taken, p.sent);
		assert_in_range(counted, 1, TURNS_MAX);
		uv_close((uv_handle_t *)&turns, NULL);
		client_end(&c);
		tls_server_put(&t);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_tells_its_story),
		cmocka_unit_test(a_proxy_comes_before_tls),
		cmocka_unit_test(a_slow_reader_gets_it_all),
		cmocka_unit_test(nothing_is_owed_any_more),
	};

	return cmocka_run_group_tests(tests, plans_set_up, plans_tear_down);
}
