/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast does a relay send?  Built with the tests, not run as one; test/bench/relay_speed.sh runs it, also over a slow line.
 *
 *     relay_bench serve ADDRESS PORT none|pipelining|chunking     a server that takes everything and keeps nothing, SMTP and LMTP
 *     relay_bench send ADDRESS PORT smtp|lmtp DIRECTORY PARALLEL MESSAGES [OCTETS [hold]]
 * `send` has WINDOW messages under way through deliver(), as visits have, and prints messages a second and CPU time each; with `hold` each is
 * released as soon as it is done.
 * DIRECTORY gets a store that nothing is put into.  The server is a process a connection; it ends by a signal. */
#include <assert.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "deliver/deliver.h"
#include "net/address.h"

enum { WINDOW = 1024, OCTETS = 4096, IN = 256 * 1024, OUT = 64 * 1024, LINE = 2048 };

/* ---- the server */

struct peer {
	int fd;
	const char *offers;
	bool lmtp, over, failed;
	char in[IN], out[OUT];
	size_t at, len, out_len;
	unsigned recipients;
};

static void flush(struct peer *p)
{
	for (size_t at = 0; at < p->out_len && !p->failed;) {
		ssize_t n = send(p->fd, p->out + at, p->out_len - at, MSG_NOSIGNAL);

		p->failed = n <= 0;
		at += n > 0 ? (size_t)n : 0;
	}
	p->out_len = 0;
}

/* More octets; what was answered goes out before it waits for them. */
static bool more(struct peer *p)
{
	ssize_t n;

	flush(p);
	memmove(p->in, p->in + p->at, p->len - p->at);
	p->len -= p->at;
	p->at = 0;
	n = p->failed ? 0 : recv(p->fd, p->in + p->len, IN - p->len, 0);
	p->over = n <= 0;
	p->len += n > 0 ? (size_t)n : 0;
	return !p->over;
}

static void say(struct peer *p, const char *text)
{
	size_t len = strlen(text);

	if (p->out_len + len > OUT)
		flush(p);
	memcpy(p->out + p->out_len, text, len);
	p->out_len += len;
}

static bool line(struct peer *p, char out[LINE])
{
	for (;;) {
		char *end = memchr(p->in + p->at, '\n', p->len - p->at);
		size_t n = end ? (size_t)(end + 1 - (p->in + p->at)) : 0;

		if (n && n < LINE) {
			memcpy(out, p->in + p->at, n);
			out[n] = '\0';
			p->at += n;
			return true;
		}
		if (n || !more(p))
			return false;
	}
}

static void taken(struct peer *p)
{
	for (unsigned n = p->lmtp ? p->recipients : 1; n; n--)
		say(p, "250 2.0.0 ok\r\n");
	p->recipients = 0;
}

static void data(struct peer *p)
{
	static const char last[] = "\r\n.\r\n";

	say(p, "354 go\r\n");
	for (;;) {
		char *end = memmem(p->in + p->at, p->len - p->at, last, sizeof last - 1);

		if (end) {
			p->at = (size_t)(end - p->in) + sizeof last - 1;
			taken(p);
			return;
		}
		if (p->len - p->at >= sizeof last)
			p->at = p->len - sizeof last + 1;
		if (!more(p))
			return;
	}
}

static void chunk(struct peer *p, size_t left)
{
	while (left) {
		size_t n = p->len - p->at < left ? p->len - p->at : left;

		p->at += n;
		left -= n;
		if (left && !more(p))
			return;
	}
	taken(p);
}

static void command(struct peer *p, const char *text)
{
	struct span s = span_of(text);

	if (span_starts(s, SPAN("EHLO")) || span_starts(s, SPAN("LHLO"))) {
		p->lmtp = text[0] == 'L';
		say(p, "250-bench\r\n");
		say(p, p->offers);
	} else if (span_starts(s, SPAN("DATA"))) {
		data(p);
	} else if (span_starts(s, SPAN("BDAT"))) {
		chunk(p, (size_t)strtoul(text + 4, NULL, 10));
	} else {
		p->recipients += span_starts(s, SPAN("RCPT"));
		say(p, "250 2.1.0 ok\r\n");
	}
}

static void serve_one(int fd, const char *offers)
{
	struct peer *p = calloc(1, sizeof *p);
	char text[LINE];

	assert(p);
	p->fd = fd;
	p->offers = offers;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));	/* as real servers do */
	say(p, "220 bench\r\n");
	while (line(p, text) && strncmp(text, "QUIT", 4) != 0)
		command(p, text);
	say(p, "221 bye\r\n");
	flush(p);
	free(p);
}

static int serve(const char *address, uint16_t port, const char *offers)
{
	int fd, one = 1;
	union address a;

	if (!address_parse(address, port, &a))
		return 2;
	(void)sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, &a.any, address_size(&a)) < 0 || listen(fd, 64) < 0)
		return perror("relay_bench"), 2;
	for (;;) {
		int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (peer < 0)
			continue;
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGTERM);	/* the line may be gone before its last octets */
			(void)close(fd);
			serve_one(peer, offers);
			_exit(0);
		}
		(void)close(peer);
	}
}

/* ---- the sender */

static struct {
	struct deliveries *all;
	struct deliver_target *target;
	struct spool *message;
	struct err e;
	unsigned left, accepted, other;
	bool holds;
	char users[WINDOW];	/* their addresses tell those that are under way apart */
	char why[DELIVER_WHY_MAX + 1];
} bench;

static void ask_one(void *user);

static void done(void *user, const struct deliver_result *r)
{
	if (bench.holds)
		deliver_release(bench.all, user);
	if (r->said == DELIVER_ACCEPTED)
		bench.accepted++;
	else if (!bench.other++)
		(void)snprintf(bench.why, sizeof bench.why, "%s", r->why);
	if (bench.left)
		ask_one(user);
}

static void ask_one(void *user)
{
	static const char *const recipients[] = { "anna@example.org" };

	bench.left--;
	deliver(bench.all, &(struct deliver_ask){ .target = bench.target, .message = bench.message, .sender = "sender@example.org",
		.recipients = recipients, .recipient_count = 1, .done = done, .holds = bench.holds, .user = user });
}

static bool message(size_t octets)
{
	static const char text[] = "the same line of sixty-four octets, until there are enough of it\r\n";

	bench.message = spool_new("/tmp", &bench.e);
	while (bench.message && spool_size(bench.message) < octets)
		if (!spool_add(bench.message, SPAN(text), &bench.e))
			return false;
	return bench.message;
}

static double cpu_us(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static bool start(const char *directory, const struct target *t, struct store **store, struct loop **loop)
{
	if (!store_open(directory, (uint64_t)1 << 30, "relay_bench", store, &bench.e))
		return false;
	*loop = loop_new(&bench.e);
	bench.all = *loop ? deliveries_new(&(struct deliveries_with){ .loop = *loop, .store = *store, .tickets = UINT64_C(1) << 56 }, &bench.e) : NULL;
	bench.target = bench.all ? deliver_target_new(t, &bench.e) : NULL;
	return bench.target;
}

static int send_all(const char *directory, const struct target *t, unsigned messages, size_t octets)
{
	struct store *store = NULL;
	struct loop *loop = NULL;
	uint64_t began, took;
	double cpu;

	if (!message(octets) || !start(directory, t, &store, &loop))
		return (void)fprintf(stderr, "relay_bench: %s\n", bench.e.text), 1;
	bench.left = messages;
	began = clock_mono_ms();
	cpu = cpu_us();
	for (unsigned n = 0; n < WINDOW && bench.left; n++)
		ask_one(&bench.users[n]);
	loop_run(loop);
	took = clock_mono_ms() - began;
	cpu = cpu_us() - cpu;
	printf("%u messages of %zu octets in %.2f s: %.0f a second, %.1f us of CPU each\n", bench.accepted, octets, (double)took / 1000,
		bench.accepted * 1000.0 / (double)(took ? took : 1), cpu / (bench.accepted ? bench.accepted : 1));
	if (bench.other)
		printf("%u were not accepted: %s\n", bench.other, bench.why);
	deliveries_rest(bench.all);
	deliveries_free(&bench.all);
	deliver_target_put(&bench.target);
	loop_free(&loop);
	store_close(&store);
	spool_free(&bench.message);
	return bench.other != 0;
}

int main(int argc, char **argv)
{
	static const char *const offers[][2] = {
		{ "none", "250 SIZE\r\n" }, { "pipelining", "250-PIPELINING\r\n250 SIZE\r\n" }, { "chunking", "250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE\r\n" },
	};
	uint16_t port = argc > 3 ? (uint16_t)strtoul(argv[3], NULL, 10) : 0;
	struct target t = { .name = "relay", .canonical = "relay", .host = argc > 2 ? argv[2] : NULL, .port = port, .tls = { .mode = MODE_NONE } };

	if (argc == 5 && strcmp(argv[1], "serve") == 0)
		for (size_t n = 0; n < COUNT(offers); n++)
			if (strcmp(argv[4], offers[n][0]) == 0)
				return serve(argv[2], port, offers[n][1]);
	if (argc < 8 || argc > 10 || strcmp(argv[1], "send") != 0)
		return (void)fprintf(stderr, "usage: relay_bench serve ADDRESS PORT none|pipelining|chunking\n"
			"       relay_bench send ADDRESS PORT smtp|lmtp DIRECTORY PARALLEL MESSAGES [OCTETS [hold]]\n"), 2;
	bench.holds = argc > 9;
	t.type = strcmp(argv[4], "lmtp") == 0 ? TARGET_LMTP : TARGET_SMTP;
	t.parallel = (uint32_t)strtoul(argv[6], NULL, 10);
	return send_all(argv[5], &t, (unsigned)strtoul(argv[7], NULL, 10), argc > 8 ? strtoul(argv[8], NULL, 10) : OCTETS);
}
