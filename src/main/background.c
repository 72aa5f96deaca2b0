/* SPDX-License-Identifier: Apache-2.0 */
#include "main/background.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/jobs.h"

enum { DRAW_MS = 200 };

struct background {
	const struct background_job *job;
	struct loop *loop;
	struct timer *draw;
	bool drawn, good;
	struct err why;
};

static void clear_line(void)
{
	(void)!write(STDERR_FILENO, "\r\033[K", 4);
}

static void draw(void *user)
{
	struct background *b = user;
	uint64_t octets = atomic_load(&b->job->progress->octets), size = atomic_load(&b->job->progress->size);
	struct stat st;

	if (b->job->fd >= 0 && fstat(b->job->fd, &st) == 0)
		octets = (uint64_t)st.st_size;
	(void)fprintf(stderr, "\r\033[K%.1f MB", (double)octets / 1e6);
	if (size)
		(void)fprintf(stderr, " of at most %.1f MB", (double)size / 1e6);
	(void)fflush(stderr);
	log_before_line(clear_line);
	b->drawn = true;
}

static void on_signal(void *user, int number)
{
	struct background *b = user;

	(void)number;
	atomic_store(&b->job->progress->stop, true);
	if (b->job->stop)
		b->job->stop(b->job->user);
}

static void work(void *user)
{
	struct background *b = user;

	b->good = b->job->work(b->job->user, &b->why);
}

static void done(void *user)
{
	struct background *b = user;

	timer_free(&b->draw);
	loop_stop(b->loop);
}

static bool begin(struct background *b, bool show, struct err *e)
{
	b->loop = loop_new(e);
	if (!b->loop || !loop_on_signal(b->loop, SIGINT, on_signal, b, e) || !loop_on_signal(b->loop, SIGTERM, on_signal, b, e))
		return false;
	if (show)
		b->draw = timer_new(b->loop, draw, b);
	if (b->draw)
		timer_set(b->draw, DRAW_MS, DRAW_MS);
	return job_start(b->loop, work, done, b, e);
}

bool background_run(struct cli *cli, const struct background_job *job, struct err *e)
{
	struct background b = { .job = job };

	if (begin(&b, !cli->quiet && !cli->json && isatty(STDERR_FILENO), e))
		loop_run(b.loop);
	else
		b.why = *e;
	timer_free(&b.draw);
	loop_free(&b.loop);
	if (b.drawn)
		clear_line();
	log_before_line(NULL);
	if (!b.good)
		*e = b.why;
	return b.good;
}
