/* SPDX-License-Identifier: Apache-2.0
 * What opening a Maildir costs: the first time, unchanged, and with one message more.  In CPU time of the thread that opens it, which
 * tells the same beside other work; the committer's is not in it.
 *     mdir_bench [MESSAGES [OPENS]] */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/account.h"
#include "store/mdir.h"

enum { MORE = 200 };

static struct err e;
static char directory[] = "/tmp/postrider-bench.XXXXXX";

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static _Noreturn void quit(const char *why)
{
	(void)fprintf(stderr, "mdir_bench: %s\n", why);
	(void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	exit(1);
}

static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void put(const char *path, unsigned long n, bool wire)
{
	static char text[2000];
	char name[256];
	int fd;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i % 72 == 71 ? '\n' : 'x');
	(void)snprintf(name, sizeof name, "%s/cur/%lu.M%luP4242.mx1.example.org%s:2,S", path, 1700000000 + n, n, wire ? ",S=2000,W=2027" : "");
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, text, sizeof text) != (ssize_t)sizeof text || close(fd) != 0)
		quit("a message cannot be written");
}

static double open_once(struct store *s, const struct maildrop_maildir *with, unsigned long want)
{
	struct maildrop *drop;
	double t = cpu_us();

	if (!maildrop_open_maildir(s, with, &drop, &e))
		quit(e.text);
	t = cpu_us() - t;
	if (maildrop_count(drop) != want)
		quit("not all messages are there");
	maildrop_close(&drop);
	return t;
}

static void opens(struct store *s, const struct maildrop_maildir *with, unsigned long count)
{
	double t = cpu_us();
	struct maildrop *drop;
	unsigned long good = 0;

	for (unsigned long n = 0; n < count; n++)
		if (maildrop_open_maildir(s, with, &drop, &e)) {
			maildrop_close(&drop);
			good++;
		}
	if (good != count)
		quit(e.text);
	(void)printf("unchanged, in a job:  %9.1f us\n", (cpu_us() - t) / (double)count);
	t = cpu_us();
	for (unsigned long n = good = 0; n < count; n++)
		if (maildrop_try_maildir(s, with, &drop)) {
			maildrop_close(&drop);
			good++;
		}
	(void)printf("unchanged, on a loop: %9.1f us%s\n", (cpu_us() - t) / (double)count, good ? "" : " to say: in a job");
}

int main(int argc, char **argv)
{
	unsigned long messages = argc > 1 ? strtoul(argv[1], NULL, 10) : 500, count = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000;
	struct maildrop_maildir with;
	char path[64], name[80];
	struct store *s;
	double more = 0;

	if (!mkdtemp(directory))
		return 1;
	(void)snprintf(path, sizeof path, "%s/Maildir", directory);
	with = (struct maildrop_maildir){ .path = path };
	for (const char *const *dir = (const char *const[]){ "", "/tmp", "/new", "/cur", NULL }; *dir; dir++) {
		(void)snprintf(name, sizeof name, "%s%s", path, *dir);
		if (mkdir(name, 0700) != 0)
			quit("no directory can be made");
	}
	(void)snprintf(name, sizeof name, "%s/state", directory);
	if (!store_open(name, (uint64_t)1 << 32, "bench", &s, &e))
		quit(e.text);
	for (unsigned long n = 0; n < messages; n++)
		put(path, n, false);
	(void)printf("first, files read:    %9.1f us\n", open_once(s, &with, messages));
	(void)nanosleep(&(struct timespec){ .tv_sec = 4 }, NULL);	/* until the folders are old enough */
	(void)printf("all looked at again:  %9.1f us\n", open_once(s, &with, messages));
	(void)open_once(s, &with, messages);
	(void)nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	opens(s, &with, count);
	for (unsigned long n = 0; n < MORE; n++) {
		put(path, messages + n, true);
		more += open_once(s, &with, messages + n + 1);
	}
	(void)printf("one message more:     %9.1f us\n", more / MORE);
	store_close(&s);
	(void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
