/* SPDX-License-Identifier: Apache-2.0
 * What a backup takes, and what it does to a store that is in use.  Built with the tests, not run as one.
 *
 *     backup_bench DIRECTORY [MESSAGES] [OCTETS]
 * Fills a store, removes a fifth, then appends message after message, each
 * durable before the next: with nothing else going on, and while the store is
 * copied in each way.  What is copied goes to DIRECTORY/out. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/account.h"
#include "store/disk.h"
#include "store/mailbox.h"
#include "store/restore.h"

enum { QUIET_MS = 5000, LATENCIES = 1 << 20, APPENDED = 4096, AHEAD = 500 };

static _Noreturn void fail(const struct err *e)
{
	(void)fprintf(stderr, "backup_bench: %s\n", e->text);
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
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

static double megabytes(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (double)st.st_size / 1e6 : 0;
}

static void take(struct store *s, size_t most)
{
	struct store_done d;

	while (store_waiting(s) > most && store_wait(s))
		while (store_next(s, &d))
			if (!d.good)
				fail(&d.why);
}

static void append(struct store *s, struct mailbox *box, const char *body, size_t octets, size_t ahead)
{
	struct err e;
	struct incoming *in = incoming_new(box, &e);

	if (!in || !incoming_add(in, (struct span){ body, octets }, &e))
		fail(&e);
	incoming_finish(&in, NULL, 1, 0, 1);
	take(s, ahead);
}

static void fill(struct store *s, struct mailbox *box, size_t messages, size_t octets)
{
	char *body = malloc(octets);
	uint64_t *gone = calloc(messages / 5 + 1, sizeof *gone);
	struct mailbox_entry entry;
	size_t count = 0;

	for (size_t n = 0; n < messages; n++) {
		random_fill(body, octets);
		append(s, box, body, octets, AHEAD);
	}
	take(s, 0);
	for (size_t n = 0; n < messages; n += 5)
		if (mailbox_entries(box, n, &entry, 1))
			gone[count++] = entry.uid;
	mailbox_remove(box, gone, count, NULL, 0, 1, 1);
	take(s, 0);
	while (store_reclaim(s, clock_now_s()))
		take(s, 0);
	for (struct store_done d; store_wait(s);)
		(void)store_next(s, &d);
	free(gone);
	free(body);
}

enum way { WAY_NOTHING, WAY_BACKUP, WAY_PACKED, WAY_PAGES };

struct copying {
	struct engine *engine;
	enum way way;
	int fd;
	uint64_t us;
	atomic_bool over;
};

static bool write_plainly(void *user, struct span octets, struct err *e)
{
	return disk_write(*(int *)user, octets) ? true : err_errno(e, ERR_LOCAL, "out");
}

static void *copy(void *user)
{
	struct copying *c = user;
	struct backup_progress progress = { 0 };
	struct backup_written w;
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t began = now_us();
	struct err e;
	bool good = true;

	switch (c->way) {
	case WAY_NOTHING:
		while (now_us() - began < QUIET_MS * 1000)
			(void)nanosleep(&pause, NULL);
		break;
	case WAY_BACKUP:
		good = backup_write(c->engine, c->fd, &progress, &w, &e);
		break;
	case WAY_PACKED:
	case WAY_PAGES:
		good = engine_copy(c->engine, c->way == WAY_PACKED ? ENGINE_COPY_PACKED : ENGINE_COPY_PAGES, write_plainly, &c->fd, &e);
		good = good && fsync(c->fd) == 0;
		break;
	}
	if (!good)
		fail(&e);
	c->us = now_us() - began;
	atomic_store(&c->over, true);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void measure(struct store *s, struct mailbox *box, const char *directory, enum way way, const char *name)
{
	static uint32_t us[LATENCIES];
	static char body[APPENDED];
	char data[512], out[512];
	struct copying c = { .engine = store_engine(s), .way = way };
	long before = anon_kib(), most = before;
	pthread_t thread;
	double size;
	size_t n = 0;

	(void)snprintf(data, sizeof data, "%s/store/data.mdb", directory);
	(void)snprintf(out, sizeof out, "%s/out", directory);
	(void)unlink(out);
	c.fd = open(out, O_RDWR | O_CREAT | O_EXCL, 0600);
	size = megabytes(data);
	(void)pthread_create(&thread, NULL, copy, &c);
	while (!atomic_load(&c.over) && n < LATENCIES) {
		uint64_t began = now_us();

		append(s, box, body, sizeof body, 0);
		us[n++] = (uint32_t)(now_us() - began);
		if (n % 64 == 0 && anon_kib() > most)
			most = anon_kib();
	}
	(void)pthread_join(thread, NULL);
	qsort(us, n, sizeof *us, compare);
	(void)printf("| %s | %.2f s | %.0f MB | %zu | %.1f | %.1f | %.1f | %.0f | %.0f MB | %ld KiB |\n", name, (double)c.us / 1e6, megabytes(out),
		n, us[n / 2] / 1e3, us[n * 99 / 100] / 1e3, us[n * 999 / 1000] / 1e3, us[n - 1] / 1e3, megabytes(data) - size, most - before);
	(void)fflush(stdout);
	(void)close(c.fd);
	(void)unlink(out);
}

int main(int argc, char **argv)
{
	static const struct { enum way way; const char *name; } ways[] = {
		{ WAY_NOTHING, "nothing" }, { WAY_BACKUP, "backup" }, { WAY_PACKED, "packed, written plainly" }, { WAY_PAGES, "pages, written plainly" },
	};
	uint64_t messages = 100000, octets = 20000;
	struct store *s;
	struct mailbox *box;
	struct err e;

	if (argc < 2 || (argc > 2 && !span_number(span_of(argv[2]), UINT32_MAX, &messages)) ||
	    (argc > 3 && !span_number(span_of(argv[3]), MAILBOX_PIECE, &octets)) || !octets)
		return (void)fprintf(stderr, "usage: backup_bench DIRECTORY [MESSAGES] [OCTETS]\n"), 2;
	if (!store_open(argv[1], (uint64_t)1 << 40, "backup_bench", &s, &e))
		fail(&e);
	if (!account_there(s, "bench") && !account_add(s, "bench", SPAN(""), false, &e))
		fail(&e);
	if (!mailbox_open(s, "bench/INBOX", true, &box, &e))
		fail(&e);
	if (!mailbox_count(box))
		fill(s, box, messages, octets);
	(void)printf("| meanwhile | takes | copy | commits | ms 50 %% | 99 %% | 99.9 %% | most | store grows | RssAnon more |\n|---|---|---|---|---|---|---|---|---|---|\n");
	for (size_t n = 0; n < COUNT(ways); n++)
		measure(s, box, argv[1], ways[n].way, ways[n].name);
	store_close(&s);
	return 0;
}
