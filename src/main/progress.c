/* SPDX-License-Identifier: Apache-2.0 */
#include "main/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { BAR_MAX = 40, TEXT_ROOM = 62, COLUMNS_DEFAULT = 80 };

void progress_start(struct progress *p, bool wanted, bool color)
{
	*p = (struct progress){ .on = wanted && isatty(STDERR_FILENO), .color = color, .started_ms = clock_mono_ms() };
}

static double share_done(const struct collect_progress *now)
{
	if (now->planned_octets)
		return (double)now->octets / (double)now->planned_octets;
	return now->planned ? (double)now->collected / (double)now->planned : 0;
}

void progress_line(const struct collect_progress *now, uint64_t elapsed_ms, size_t columns, char *out, size_t size)
{
	double seconds = elapsed_ms ? (double)elapsed_ms / 1000 : 0.001;
	double share = share_done(now);
	size_t width = columns > TEXT_ROOM + 4 ? columns - TEXT_ROOM : 4;
	char bar[BAR_MAX + 1];
	char left[32] = "";

	if (share > 1)
		share = 1;	/* sizes are hints */
	if (width > BAR_MAX)
		width = BAR_MAX;
	for (size_t n = 0; n < width; n++)
		bar[n] = (double)n < share * (double)width ? '#' : '.';
	bar[width] = '\0';
	if (share > 0.01 && share < 1)
		(void)snprintf(left, sizeof left, "  %.0f s left", seconds / share - seconds);
	(void)snprintf(out, size, "%llu of %llu  [%s] %3.0f %%  %.0f msg/s  %.1f MB/s%s", (unsigned long long)now->collected,
		(unsigned long long)now->planned, bar, share * 100, (double)now->collected / seconds,
		(double)now->octets / 1e6 / seconds, left);
}

/* A line of the log begins where the bar stands. */
static void progress_wipe(void)
{
	(void)!write(STDERR_FILENO, "\r\033[K", 4);
}

void progress_draw(struct progress *p, const struct collect_progress *now)
{
	struct winsize w = { 0 };
	char line[256];

	if (!p->on)
		return;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_col)
		w.ws_col = COLUMNS_DEFAULT;
	if (now->planned)
		progress_line(now, clock_mono_ms() - p->started_ms, w.ws_col, line, sizeof line);
	else
		(void)snprintf(line, sizeof line, "%u of %u connection%s visited", now->ended, now->visits,
			now->visits == 1 ? "" : "s");
	(void)fprintf(stderr, "\r\033[K%s%.*s%s", p->color ? "\033[32m" : "", (int)w.ws_col - 1, line, p->color ? "\033[0m" : "");
	(void)fflush(stderr);
	log_before_line(progress_wipe);
	p->drawn = true;
}

void progress_clear(struct progress *p)
{
	if (p->drawn)
		progress_wipe();
	log_before_line(NULL);
	p->drawn = false;
}
