/* SPDX-License-Identifier: Apache-2.0
 * What does an idle accepted connection cost?  Built with the tests, not run as one.
 *
 *     idle_bench [CONNECTIONS]
 * The connections greet, are told something, answer, and then wait; the other
 * ends are in a child process, so that only ours are counted: RssAnon of this
 * process before and after, in clear and with TLS. */
#include <assert.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/listener.h"
#include "net/test_pki.h"
#include "net/test_visitor.h"

enum { USUAL = 1000, MOST = 20000, SPARE = 100 };

struct bench {
	struct loop *loop;
	struct listener *listener;
	struct tls_server *tls;
	unsigned count, accepted, answered, closed;
};

struct guest {
	struct bench *bench;
	struct conn *conn;
};

static struct guest guests[MOST];

static void opened(void *user)
{
	struct guest *g = user;

	(void)!conn_send(g->conn, SPAN("+OK\r\n"));
	conn_deadline(g->conn, 600000, "command");
}

static size_t turn(void *user, struct span in)
{
	struct guest *g = user;

	(void)!conn_send(g->conn, SPAN("+OK\r\n"));
	if (++g->bench->answered == g->bench->count)
		loop_stop(g->bench->loop);
	return in.len;
}

static void drained([[maybe_unused]] void *user)
{
}

static void closed(void *user, [[maybe_unused]] const struct err *why)
{
	struct guest *g = user;

	g->bench->closed++;
}

static void accepted(void *user, int fd, const union address *from)
{
	struct bench *b = user;
	struct guest *g = &guests[b->accepted++];
	struct conn_accepted s = { .peer = from, .tls = b->tls ? CONN_TLS_IMPLICIT : CONN_TLS_NONE, .tls_server = b->tls, .timeout_ms = 60000 };
	struct err e;

	g->bench = b;
	g->conn = conn_accept(b->loop, fd, &s, &(struct conn_user){ .opened = opened, .turn = turn, .drained = drained, .closed = closed, .user = g }, &e);
	assert(g->conn);
	if (b->accepted == b->count)
		listener_pause(b->listener, true);
}

/* In the child: all other ends, until the pipe is closed. */
static void visitors(uint16_t port, bool tls, unsigned count, int until)
{
	SSL_CTX *ctx = tls ? SSL_CTX_new(TLS_client_method()) : NULL;
	char line[64];

	for (unsigned i = 0; i < count; i++) {
		struct server_peer p = { .fd = visitor_connect(port) };
		bool good = (!tls || visitor_tls(&p, ctx, NULL)) && peer_line(&p, line, sizeof line) && peer_say(&p, "CAPA\r\n")
			&& peer_line(&p, line, sizeof line);

		assert(good);
	}
	(void)!read(until, line, 1);
	_exit(0);
}

static long anon_kib(void)
{
	char line[128];
	uint64_t kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && !kib && fgets(line, sizeof line, f)) {
		struct span rest = span_of(line), word;

		if (span_word(&rest, &word) && span_equal(word, SPAN("RssAnon:")) && span_word(&rest, &word))
			(void)!span_number(word, UINT32_MAX, &kib);
	}
	if (f)
		(void)fclose(f);
	return (long)kib;
}

/* The first few pay for what is made once. */
static long run(struct bench *b, unsigned count)
{
	struct err e;
	int fd = listen_socket(&(struct listen_settings){ .address = "127.0.0.1" }, &e), pipes[2];
	long before = anon_kib(), cost;
	pid_t child;

	*b = (struct bench){ .loop = b->loop, .tls = b->tls, .count = count };
	if (fd < 0 || pipe(pipes) < 0)
		abort();
	child = fork();
	if (!child) {
		uint16_t port = listen_port(fd);

		(void)close(fd);
		(void)close(pipes[1]);
		visitors(port, b->tls != NULL, count, pipes[0]);
	}
	(void)close(pipes[0]);
	b->listener = listener_new(b->loop, fd, &(struct listener_user){ accepted, b, "bench" }, &e);
	if (!b->listener)
		abort();
	loop_run(b->loop);
	cost = anon_kib() - before;
	(void)close(pipes[1]);
	(void)waitpid(child, NULL, 0);
	listener_free(&b->listener);
	loop_run(b->loop);
	assert(b->closed == count);
	return cost;
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/postrider-idle-XXXXXX";
	uint64_t count = USUAL;
	struct err e;
	struct bench b = { .loop = loop_new(&e) };
	struct tls_contexts *contexts = tls_contexts_new(&e);
	struct rlimit limit;
	struct pki self;
	int fd = mkstemp(path);

	if (argc > 2 || (argc == 2 && !span_number(span_of(argv[1]), MOST, &count)) || !count) {
		(void)fprintf(stderr, "idle_bench [CONNECTIONS], at most %d\n", MOST);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count + SPARE) {
		limit.rlim_cur = count + SPARE < limit.rlim_max ? count + SPARE : limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (!b.loop || !contexts || fd < 0)
		abort();
	pki_make(&self, &(struct pki_wish){ .name = "localhost" });
	pki_write(path, 0600, &(struct pki_file){ .certs = { self.cert }, .key = self.key });
	for (int tls = 0; tls < 2; tls++) {
		b.tls = tls ? tls_server_get(contexts, &(struct tls_server_settings){ .certificate = path, .alpn = "pop3" }, &e) : NULL;
		(void)run(&b, 10);
		(void)printf("%-6s %6.0f octets an idle connection (%u of them)\n", tls ? "TLS" : "clear",
			(double)run(&b, (unsigned)count) * 1024 / (double)count, (unsigned)count);
		tls_server_put(&b.tls);
	}
	loop_free(&b.loop);
	tls_contexts_free(&contexts);
	pki_free(&self);
	(void)unlink(path);
	(void)close(fd);
	return 0;
}
