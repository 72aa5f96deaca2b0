/* SPDX-License-Identifier: Apache-2.0
 * What does an idle connection to a server cost?  Built with the tests, not run as one.
 *
 *     idle_client_bench [CONNECTIONS] [SECONDS]
 * The connections are greeted, say something, are answered, and then wait; the
 * server is in a child process, so that only our ends are counted: RssAnon before
 * and after, and what of it is in use.  Over each kind of certificates, with a
 * handshake in full for each connection and with sessions resumed.  Then nothing happens for
 * SECONDS: what that costs. */
#include <assert.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/listener.h"
#include "net/test_pki.h"
#include "net/tls_inside.h"

enum { USUAL = 1000, MOST = 20000, SPARE = 100, AT_ONCE = 32, PATIENCE_MS = 600000, FEW = 64, LONGEST_S = 3600 };

struct bench {
	struct loop *loop;
	struct conn_settings to;
	bool deflate;
	unsigned count, opened, answered, resumed, closed;
};

struct guest {
	struct bench *bench;
	struct conn *conn;
	unsigned turns;
};

static struct guest guests[MOST];

/* Both ends */

static void opened(void *user)
{
	struct guest *g = user;

	conn_deadline(g->conn, PATIENCE_MS, "answer");
}

static void drained([[maybe_unused]] void *user)
{
}

static void closed(void *user, const struct err *why)
{
	struct guest *g = user;

	if (why->kind) {
		(void)fprintf(stderr, "idle_client_bench: %s\n", why->text);
		exit(1);
	}
	g->bench->closed++;
}

/* The server, in the child */

static struct tls_server *server_tls;

static void greet(void *user)
{
	struct guest *g = user;

	(void)!conn_send(g->conn, SPAN("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"));
}

static size_t answer(void *user, struct span in)
{
	struct guest *g = user;
	struct err e;

	if (span_starts(in, SPAN("a0 COMPRESS"))) {
		(void)!conn_send(g->conn, SPAN("a0 OK\r\n"));
		(void)!conn_start_deflate(g->conn, &e);
	} else {
		(void)!conn_send(g->conn, SPAN("+ idling\r\n"));
	}
	return in.len;
}

static void forget(void *user, const struct err *why)
{
	(void)why;
	((struct guest *)user)->conn = NULL;
}

static void accepted(void *user, int fd, const union address *from)
{
	struct bench *b = user;
	struct guest *g = &guests[b->opened++];
	struct conn_accepted s = { .peer = from, .tls = server_tls ? CONN_TLS_IMPLICIT : CONN_TLS_NONE, .tls_server = server_tls, .timeout_ms = PATIENCE_MS };
	struct err e;

	g->conn = conn_accept(b->loop, fd, &s, &(struct conn_user){ .opened = greet, .turn = answer, .drained = drained, .closed = forget, .user = g }, &e);
	assert(g->conn);
}

static void serve(int fd, const char *file)
{
	struct err e;
	struct bench b = { .loop = loop_new(&e) };
	struct tls_contexts *all = tls_contexts_new(&e);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!b.loop || !all)
		abort();
	server_tls = file ? tls_server_get(all, &(struct tls_server_settings){ .certificate = file }, &e) : NULL;
	if ((file && !server_tls) || !listener_new(b.loop, fd, &(struct listener_user){ accepted, &b, "bench" }, &e))
		abort();
	loop_run(b.loop);
	_exit(1);
}

/* Us */

static void open_one(struct bench *b);

static size_t turn(void *user, struct span in)
{
	struct guest *g = user;
	struct bench *b = g->bench;
	unsigned n = g->turns++;
	struct err e;

	if (b->deflate && !n) {
		(void)!conn_send(g->conn, SPAN("a0 COMPRESS DEFLATE\r\n"));
		return in.len;
	}
	if (n == b->deflate) {
		if (b->deflate && !conn_start_deflate(g->conn, &e))
			abort();
		(void)!conn_send(g->conn, SPAN("a1 IDLE\r\n"));
		conn_rest(g->conn);
		return in.len;
	}
	b->answered++;
	b->resumed += conn_tls_resumed(g->conn);
	open_one(b);
	if (b->answered == b->count)
		loop_stop(b->loop);
	return in.len;
}

static void open_one(struct bench *b)
{
	struct guest *g = &guests[b->opened];
	struct err e;

	if (b->opened == b->count)
		return;
	*g = (struct guest){ .bench = b };
	g->conn = conn_open(b->loop, &b->to, &(struct conn_user){ .opened = opened, .turn = turn, .drained = drained, .closed = closed, .user = g }, &e);
	if (!g->conn)
		abort();
	b->opened++;
}

static double anon(void)
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
	return (double)kib * 1024;
}

static double in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)m.uordblks + (double)m.hblkhd;
}

static void stop(void *user)
{
	loop_stop(user);
}

static void rest(struct bench *b, unsigned seconds)
{
	struct timer *t = timer_new(b->loop, stop, b->loop);
	struct rusage before, after;

	if (!t)
		abort();
	(void)getrusage(RUSAGE_SELF, &before);
	timer_set(t, seconds * 1000ull, 0);
	loop_run(b->loop);
	(void)getrusage(RUSAGE_SELF, &after);
	timer_free(&t);
	(void)printf("       %u s of rest: %ld wakeups, %.1f ms of CPU\n", seconds, after.ru_nvcsw - before.ru_nvcsw,
		(double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1e3
		+ (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e3);
}

/* The first few pay for what is made once. */
static void run(struct bench *b, const char *name, unsigned count, unsigned seconds)
{
	double before = anon(), used = in_use();

	b->count = count;
	b->opened = b->answered = b->resumed = b->closed = 0;
	for (unsigned i = 0; i < AT_ONCE; i++)
		open_one(b);
	loop_run(b->loop);
	if (name)
		(void)printf("%-34s %6.0f octets an idle connection, %6.0f of them in use (%u connections, %u resumed, %s)\n", name, (anon() - before) / count,
			(in_use() - used) / count, count, b->resumed, conn_tls_text(guests[0].conn));
	if (name && seconds)
		rest(b, seconds);
	for (unsigned i = 0; i < count; i++)
		conn_close(guests[i].conn);
	loop_run(b->loop);
	assert(b->closed == count);
}

static const struct row {
	const char *name;
	bool tls, rsa, resumed, deflate;
	unsigned above;			/* certificates between the server's and the authority's */
	enum tls_version version;
} rows[] = {
	{ .name = "clear" },
	{ "ECDSA, one between, TLSv1.3", true, false, false, false, 1, TLS_1_3 },
	{ "RSA, two between, TLSv1.3", true, true, false, false, 2, TLS_1_3 },
	{ "the same, resumed", true, true, true, false, 2, TLS_1_3 },
	{ "the same, compressed, at rest", true, true, true, true, 2, TLS_1_3 },
	{ "RSA, two between, TLSv1.2", true, true, false, false, 2, TLS_1_2 },
	{ "the same, resumed", true, true, true, false, 2, TLS_1_2 },
};

static void make_files(const struct row *r, const char *server, const char *authority)
{
	struct pki all[4];
	struct pki_file f = { .key = NULL };
	unsigned last = r->above + 1;

	pki_make(&all[last], &(struct pki_wish){ .name = "An Authority for Tests, Root X1", .authority = true, .rsa = r->rsa });
	for (unsigned i = r->above; i; i--)
		pki_make(&all[i], &(struct pki_wish){ .name = "An Authority for Tests, Server Certificates R3", .authority = true, .rsa = r->rsa, .issuer = &all[i + 1] });
	pki_make(&all[0], &(struct pki_wish){ .name = "imap.mail.example.org", .rsa = r->rsa, .issuer = &all[1],
		.names = "IP:127.0.0.1,DNS:imap.mail.example.org,DNS:pop.mail.example.org,DNS:smtp.mail.example.org,DNS:mail.example.org,DNS:www.example.org" });
	for (unsigned i = 0; i < last; i++)
		f.certs[i] = all[i].cert;
	f.key = all[0].key;
	pki_write(server, 0600, &f);
	pki_write(authority, 0600, &(struct pki_file){ .certs = { all[last].cert } });
	for (unsigned i = 0; i <= last; i++)
		pki_free(&all[i]);
}

static void bench_row(const struct row *r, const char *server, const char *authority, unsigned count, unsigned seconds)
{
	struct tls_settings how = { .versions = 1u << r->version, .verify_server = true, .verify_host = true, .verify_depth = 5, .ca_certificates = authority };
	struct err e;
	int fd = listen_socket(&(struct listen_settings){ .address = "127.0.0.1" }, &e);
	struct bench b = { .deflate = r->deflate, .to = { .host = "127.0.0.1", .port = listen_port(fd), .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS } };
	struct tls_contexts *all;
	pid_t child;

	if (r->tls)
		make_files(r, server, authority);
	child = fork();
	if (!child)
		serve(fd, r->tls ? server : NULL);
	(void)close(fd);
	b.loop = loop_new(&e);
	all = tls_contexts_new(&e);
	if (child < 0 || !b.loop || !all)
		abort();
	if (r->tls) {
		b.to.tls = CONN_TLS_IMPLICIT;
		b.to.tls_client = tls_client_get(all, &how, &e);
		if (!b.to.tls_client)
			abort();
		if (!r->resumed)
			SSL_CTX_sess_set_new_cb(b.to.tls_client->ctx, NULL);
	}
	run(&b, NULL, FEW, 0);
	run(&b, r->name, count, seconds);
	tls_contexts_free(&all);
	loop_free(&b.loop);
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	char server[] = "/tmp/postrider-idle-XXXXXX", authority[] = "/tmp/postrider-idle-XXXXXX";
	int fds[] = { mkstemp(server), mkstemp(authority) };
	uint64_t count = USUAL, seconds = 0;
	struct rlimit limit;

	if (argc > 3 || (argc > 1 && !span_number(span_of(argv[1]), MOST, &count)) || count < AT_ONCE
		|| (argc > 2 && !span_number(span_of(argv[2]), LONGEST_S, &seconds))) {
		(void)fprintf(stderr, "idle_client_bench [CONNECTIONS] [SECONDS], %d to %d connections\n", AT_ONCE, MOST);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count + SPARE) {
		limit.rlim_cur = count + SPARE < limit.rlim_max ? count + SPARE : limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	(void)mallopt(M_ARENA_MAX, 2);		/* as the program does */
	(void)mallopt(M_MMAP_THRESHOLD, 48 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		pid_t child;

		(void)fflush(stdout);
		child = fork();			/* a heap of its own for each */
		if (!child) {
			bench_row(r, server, authority, (unsigned)count, (unsigned)seconds);
			return 0;
		}
		(void)waitpid(child, NULL, 0);
	}
	for (size_t i = 0; i < COUNT(fds); i++)
		(void)close(fds[i]);
	(void)unlink(server);
	(void)unlink(authority);
	return 0;
}
