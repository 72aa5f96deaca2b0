/* SPDX-License-Identifier: Apache-2.0
 * How fast do connections come, and messages go?  Built with the tests, not run as one.
 *
 *     serve_bench [LOOPS]
 * Over loopback, with one visitor a loop in a process of its own: connections that
 * greet and say bye, then one large message that is lent to conn_try_send, each in
 * clear and with TLS.  What the visitors need is in the time, not in our CPU. */
#include <assert.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/conn.h"
#include "net/entrance.h"
#include "net/test_pki.h"
#include "net/test_visitor.h"

enum { LOOPS_MAX = 64, VISITS = 2000, MEBIBYTES = 512 };

static const size_t message_len = 64u << 20;
static char *message;
static struct tls_server *tls;

struct guest {
	struct conn *conn;
	size_t sent, wanted;
};

static void opened(void *user)
{
	struct guest *g = user;

	(void)!conn_send(g->conn, SPAN("+OK\r\n"));
}

static void send_on(struct guest *g)
{
	while (g->sent < g->wanted) {
		size_t at = g->sent % message_len, n = message_len - at;

		n = n < g->wanted - g->sent ? n : g->wanted - g->sent;
		n = conn_try_send(g->conn, (struct span){ message + at, n });
		g->sent += n;
		if (!n)
			return;
	}
	conn_close(g->conn);
}

static size_t turn(void *user, struct span in)
{
	struct guest *g = user;

	if (span_starts(in, SPAN("RETR")))
		g->wanted = (size_t)MEBIBYTES << 20;
	else
		(void)!conn_send(g->conn, SPAN("+OK bye\r\n"));
	send_on(g);
	return in.len;
}

static void drained(void *user)
{
	send_on(user);
}

static void closed(void *user, [[maybe_unused]] const struct err *why)
{
	free(user);
}

static void accepted([[maybe_unused]] void *user, struct loop *l, [[maybe_unused]] unsigned index, int fd, const union address *from)
{
	struct guest *g = calloc(1, sizeof *g);
	struct conn_accepted s = { .peer = from, .tls = tls ? CONN_TLS_IMPLICIT : CONN_TLS_NONE, .tls_server = tls, .timeout_ms = 60000 };
	struct err e;

	assert(g);
	g->conn = conn_accept(l, fd, &s, &(struct conn_user){ .opened = opened, .turn = turn, .drained = drained, .closed = closed, .user = g }, &e);
	assert(g->conn);
}

static void visitor(uint16_t port, const char *says, unsigned visits)
{
	SSL_CTX *ctx = tls ? SSL_CTX_new(TLS_client_method()) : NULL;
	static char piece[1 << 18];

	for (unsigned i = 0; i < visits; i++) {
		struct server_peer p = { .fd = visitor_connect(port) };

		assert((!tls || visitor_tls(&p, ctx, NULL)) && peer_say(&p, says));
		while (peer_read(&p, piece, sizeof piece))
			;
		peer_end(&p);
	}
	_exit(0);
}

static double cpu_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* `count` of `unit` a visitor. */
static void lap(const char *what, uint16_t port, unsigned visitors, const char *says, unsigned visits, double count, const char *unit)
{
	uint64_t begin = clock_mono_ms();
	double cpu = cpu_s(), s;

	for (unsigned i = 0; i < visitors; i++)
		if (!fork())
			visitor(port, says, visits);
	while (wait(NULL) > 0)
		;
	s = (double)(clock_mono_ms() - begin) / 1000;
	cpu = cpu_s() - cpu;
	(void)printf("%-24s %9.0f %s/s  %8.1f us CPU/%s\n", what, count * visitors / s, unit, cpu * 1e6 / (count * visitors), unit);
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/postrider-serve-XXXXXX";
	uint64_t loops = 1;
	struct err e;
	struct tls_contexts *contexts = tls_contexts_new(&e);
	struct tls_server *kept;
	struct loops *pool;
	struct pki self;
	int fd = mkstemp(path);

	if (argc > 2 || (argc == 2 && !span_number(span_of(argv[1]), LOOPS_MAX, &loops)) || !loops) {
		(void)fprintf(stderr, "serve_bench [LOOPS], at most %d\n", LOOPS_MAX);
		return 2;
	}
	message = mmap(NULL, message_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pool = loops_new((unsigned)loops, &e);
	assert(message != MAP_FAILED && contexts && pool && fd >= 0);
	pki_make(&self, &(struct pki_wish){ .name = "localhost" });
	pki_write(path, 0600, &(struct pki_file){ .certs = { self.cert }, .key = self.key });
	kept = tls_server_get(contexts, &(struct tls_server_settings){ .certificate = path, .alpn = "pop3" }, &e);
	assert(kept);
	for (int with = 0; with < 2; with++) {
		struct entrance *n;

		tls = with ? kept : NULL;
		n = entrance_open(pool, &(struct listen_settings){ .address = "127.0.0.1" }, &(struct entrance_user){ accepted, NULL, "bench" }, &e);
		assert(n);
		lap(with ? "TLS: connections" : "clear: connections", entrance_port(n), (unsigned)loops, "QUIT\r\n", VISITS, VISITS, "conn");
		lap(with ? "TLS: one message" : "clear: one message", entrance_port(n), (unsigned)loops, "RETR 1\r\n", 1, MEBIBYTES, "MiB");
		entrance_close(&n);
	}
	loops_drain(pool);
	loops_join(pool);
	loops_free(&pool);
	tls_server_put(&kept);
	tls_contexts_free(&contexts);
	pki_free(&self);
	(void)unlink(path);
	(void)close(fd);
	return 0;
}
