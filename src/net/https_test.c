/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/https.h"
#include "net/test_pki.h"
#include "net/test_server.h"

/* ---- an endpoint */

struct endpoint {
	SSL_CTX *ctx;			/* NULL: in clear */
	const char *answer;		/* what it says to each request; NULL: nothing, until the client goes */
	size_t filler;			/* octets of 'x' behind it */
	char request[2048];		/* the last one: its lines, parted by '|', and the body */
	atomic_uint requests;
};

static bool take_request(struct server_peer *p, struct endpoint *n)
{
	static const struct span header = SPAN("Content-Length:");
	uint64_t length = 0;
	size_t used = 0;
	char line[1024], request[sizeof n->request];

	do {
		if (!peer_line(p, line, sizeof line))
			return false;
		if (span_starts_nocase(span_of(line), header)) {
			assert_true(span_number(span_trim(span_from(span_of(line), header.len)), 1 << 20, &length));
			continue;
		}
		used += (size_t)snprintf(request + used, sizeof request - used, "%s|", line);
	} while (line[0]);
	for (size_t got; length; length -= got) {
		got = peer_read(p, request + used, length);
		if (!got)
			return false;
		used += got;
	}
	request[used] = '\0';
	memcpy(n->request, request, used + 1);
	(void)atomic_fetch_add(&n->requests, 1);
	return true;
}

static void talk(struct server_peer *p, void *user)
{
	static char filler[1024];
	struct endpoint *n = user;
	char c;

	memset(filler, 'x', sizeof filler);
	if (n->ctx && !peer_tls(p, n->ctx))
		return;
	while (take_request(p, n)) {
		if (!n->answer) {
			(void)peer_read(p, &c, 1);
			return;
		}
		if (!peer_say(p, n->answer))
			return;
		for (size_t left = n->filler; left; left -= sizeof filler)
			if (!peer_send(p, (struct span){ filler, sizeof filler }))
				return;
	}
}

/* ---- asking it */

struct heard {
	struct loop *loop;
	struct https_call *call;
	unsigned count;
	bool good;
	unsigned status;
	char body[256];
	struct err why;
};

static void on_done(void *user, const struct https_answer *a)
{
	struct heard *h = user;

	h->count++;
	h->good = a->good;
	h->status = a->status;
	h->why = a->why;
	(void)snprintf(h->body, sizeof h->body, "%.*s", (int)a->body.len, a->body.at ? a->body.at : "");
	https_end(&h->call);
}

static struct loop *loop;
static struct https *client;
static const char *authorities;

static void begin(const char *ca, uint32_t timeout_ms)
{
	struct err e;

	authorities = ca;
	loop = loop_new(&e);
	assert_non_null(loop);
	client = https_new(&(struct https_with){ .loop = loop, .timeout_ms = timeout_ms }, &e);
	assert_non_null(client);
}

static void end(void)
{
	https_free(&client);
	loop_run(loop);
	loop_free(&loop);
}

static void ask(struct heard *h, const char *scheme, uint16_t port, const char *form)
{
	struct https_ask a = { .form = span_of(form), .name = "client", .password = SPAN("top secret"), .ca_certificates = authorities, .done = on_done, .user = h };
	char url[128];
	struct err e;

	(void)snprintf(url, sizeof url, "%s://localhost:%u/introspect", scheme, port);
	a.url = url;
	*h = (struct heard){ .loop = loop };
	h->call = https_ask(client, &a, &e);
	if (!h->call)
		fail_msg("%s", e.text);
	assert_int_equal(h->count, 0);
	loop_run(loop);
	assert_int_equal(h->count, 1);
}

#define OK(length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n"

static void asks_and_hears([[maybe_unused]] void **state)
{
	struct endpoint n = { .answer = OK("15") "{\"active\":true}" };
	struct server s;
	struct heard h;

	server_start(&s, "127.0.0.1", talk, &n);
	begin(NULL, 20000);
	for (unsigned i = 1; i <= 3; i++) {
		ask(&h, "http", s.port, "token=abc&x=1");
		assert_true(h.good);
		assert_int_equal(h.status, 200);
		assert_string_equal(h.body, "{\"active\":true}");
		assert_int_equal(n.requests, i);
		assert_non_null(strstr(n.request, "POST /introspect HTTP/1.1|"));
		assert_non_null(strstr(n.request, "Authorization: Basic Y2xpZW50OnRvcCBzZWNyZXQ=|"));
		assert_non_null(strstr(n.request, "application/x-www-form-urlencoded"));
		assert_non_null(strstr(n.request, "||token=abc&x=1"));
	}
	assert_int_equal(s.accepted, 1);	/* one connection for all */
	ask(&h, "http", s.port, "");
	assert_non_null(strstr(n.request, "GET /introspect HTTP/1.1|"));
	end();
	server_stop(&s);
}

static void a_status_is_no_error_and_a_redirect_leads_nowhere([[maybe_unused]] void **state)
{
	struct endpoint n = { .answer = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" };
	struct server s;
	struct heard h;

	server_start(&s, "127.0.0.1", talk, &n);
	begin(NULL, 20000);
	ask(&h, "http", s.port, "token=abc");
	assert_true(h.good);
	assert_int_equal(h.status, 302);
	assert_int_equal(n.requests, 1);
	end();
	server_stop(&s);
}

static void what_goes_wrong([[maybe_unused]] void **state)
{
	static const struct { const char *answer; size_t filler; uint32_t timeout_ms; const char *why; } rows[] = {
		{ NULL, 0, 300, "timed out" },
		{ "HTTP/1.1 200 OK\r\n\r\n", 128 * 1024, 20000, "more than 65536 octets" },
		{ "+OK ready\r\n", 0, 20000, "localhost: " },
	};
	struct heard h;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct endpoint n = { .answer = rows[i].answer, .filler = rows[i].filler };
		struct server s;

		server_start(&s, "127.0.0.1", talk, &n);
		begin(NULL, rows[i].timeout_ms);
		ask(&h, "http", s.port, "token=abcdefghi");
		assert_false(h.good);
		assert_int_equal(h.why.kind, ERR_NET);
		if (!strstr(h.why.text, rows[i].why))
			fail_msg("row %zu: %s", i, h.why.text);
		assert_null(strstr(h.why.text, "abcdefghi"));
		end();
		server_stop(&s);
	}
	begin(NULL, 20000);
	ask(&h, "http", server_refusing_port(), "token=abc");
	assert_false(h.good);
	end();
}

static void certificates_are_looked_at([[maybe_unused]] void **state)
{
	struct pki authority = { 0 }, good = { 0 }, other = { 0 };
	char path[] = "/tmp/https-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	(void)close(fd);
	pki_make(&authority, &(struct pki_wish){ .name = "authority", .authority = true });
	pki_make(&good, &(struct pki_wish){ .name = "good", .names = "DNS:localhost", .issuer = &authority });
	pki_make(&other, &(struct pki_wish){ .name = "other", .names = "DNS:other.example", .issuer = &authority });
	pki_write(path, 0600, &(struct pki_file){ .certs = { authority.cert } });
	for (unsigned i = 0; i < 3; i++) {	/* good; another name; an authority that is not known */
		struct endpoint n = { .ctx = pki_server(i == 1 ? &other : &good, NULL), .answer = OK("2") "{}" };
		struct server s;
		struct heard h;

		server_start(&s, "127.0.0.1", talk, &n);
		begin(i == 2 ? NULL : path, 20000);
		ask(&h, "https", s.port, "token=abc");
		assert_int_equal(h.good, i == 0);
		assert_int_equal(n.requests, i == 0);
		end();
		server_stop(&s);
		SSL_CTX_free(n.ctx);
	}
	pki_free(&authority);
	pki_free(&good);
	pki_free(&other);
	(void)unlink(path);
}

static void ended_before_it_is_answered([[maybe_unused]] void **state)
{
	struct endpoint n = { .answer = NULL };
	struct https_call *calls[20];
	struct heard h = { 0 };
	struct server s;
	char url[64];
	struct err e;

	server_start(&s, "127.0.0.1", talk, &n);
	begin(NULL, 20000);
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
	for (size_t i = 0; i < COUNT(calls); i++) {
		calls[i] = https_ask(client, &(struct https_ask){ .url = url, .form = SPAN("a=b"), .done = on_done, .user = &h }, &e);
		assert_non_null(calls[i]);
	}
	for (size_t i = 0; i < COUNT(calls); i++)
		https_end(&calls[i]);
	end();
	assert_int_equal(h.count, 0);
	server_stop(&s);
}

static void urls([[maybe_unused]] void **state)
{
	static const struct { const char *url; const char *why; } rows[] = {
		{ "https://auth.example.org/introspect", NULL }, { "http://127.0.0.1:8080/x", NULL }, { "http://localhost/", NULL }, { "http://[::1]:1/", NULL },
		{ "http://auth.example.org/", "write https://" }, { "ftp://127.0.0.1/", "cannot be asked" }, { "file:///etc/passwd", "not a URL" },
		{ "", "not a URL" }, { "auth.example.org", "not a URL" }, { "https://", "not a URL" }, { "http://127.example.org/", "write https://" }, { "http://127.0.0.1.example.org/", "write https://" }, { "http://127.example.org@evil.example/", "write https://" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = { 0 };

		if (https_url_good(rows[i].url, &e) != !rows[i].why || (rows[i].why && !strstr(e.text, rows[i].why)))
			fail_msg("%s: %s", rows[i].url, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_and_hears), cmocka_unit_test(a_status_is_no_error_and_a_redirect_leads_nowhere), cmocka_unit_test(what_goes_wrong),
		cmocka_unit_test(certificates_are_looked_at), cmocka_unit_test(ended_before_it_is_answered), cmocka_unit_test(urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
