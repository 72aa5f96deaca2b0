/* SPDX-License-Identifier: Apache-2.0
 * The simulation's main: runs by their seeds, each life in a child of its own. */
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "server.h"
#include "sim.h"
#include "store/digest.h"

enum { LIVES_MAX = 200, SHOWN_LINES = 60 };

struct wanted {
	uint64_t from, runs, visits;
	const char *seeds;		/* a file with one a line */
};

static const char *program;
static uint64_t runs_done;

static bool one_life(void)
{
	pid_t pid;
	int status = 0;

	world->crashed = false;
	pid = fork();
	if (pid == 0)
		life();
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("sim");
		exit(2);
	}
	if (WIFSIGNALED(status))
		(void)snprintf(world->violation, sizeof world->violation, "our process died of signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) && !world->violation[0])
		(void)snprintf(world->violation, sizeof world->violation, "our process ended with code %d", WEXITSTATUS(status));
	return !world->violation[0];
}

static void show_violation(void)
{
	uint64_t first = world->traced > SHOWN_LINES ? world->traced - SHOWN_LINES : 0;

	for (uint64_t n = first; n < world->traced && !world->shows; n++)
		(void)printf("%s\n", world->trace[n % TRACE_LINES]);
	(void)printf("seed %" PRIu64 ": %s\nagain: %s --seed %" PRIu64 " --trace\n", world->seed, world->violation, program, world->seed);
}

static bool run(uint64_t seed)
{
	bool good = true;

	world_begin(seed);
	plan_make();
	origin_found();
	runs_done++;
	for (int n = 0; good && world->plan.visits && n < LIVES_MAX; n++) {
		good = one_life();
		world->plan.visits -= world->crashed && world->plan.visits > 0;
	}
	world->calm = true;
	if (good)
		good = one_life();
	if (!good)
		show_violation();
	else if (!world->done) {
		(void)printf("seed %" PRIu64 ": the last life came to no end\n", seed);
		good = false;
	}
	return good;
}

static bool run_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[200];
	bool good = file;

	if (!file)
		perror(path);
	while (file && fgets(line, sizeof line, file)) {
		struct span rest = { line, strcspn(line, "#\n") }, word;
		uint64_t seed;

		if (span_word(&rest, &word) && span_number(word, UINT64_MAX, &seed))
			good = run(seed) && good;
	}
	if (file)
		(void)fclose(file);
	return good;
}

static bool run_all(const struct wanted *w)
{
	bool good = !w->seeds || run_file(w->seeds);

	for (uint64_t n = 0; good && n < w->runs && (!w->visits || world->visits < w->visits); n++)
		good = run(w->from + n);
	return good;
}

_Noreturn static void usage(void)
{
	(void)fprintf(stderr, "usage: sim [--seed N] [--runs N] [--from N] [--visits N] [--seeds FILE] [--trace]\n");
	exit(2);
}

static uint64_t number(const char *text)
{
	uint64_t n;

	if (!span_number(span_of(text), UINT64_MAX, &n))
		usage();
	return n;
}

static struct wanted understand(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' }, { "runs", required_argument, NULL, 'r' }, { "from", required_argument, NULL, 'f' },
		{ "visits", required_argument, NULL, 'v' }, { "seeds", required_argument, NULL, 'S' }, { "trace", no_argument, NULL, 't' },
		{ 0 },
	};
	struct wanted w = { .from = 1, .runs = 1000 };

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 's':
			w.from = number(optarg);
			w.runs = 1;
			break;
		case 'r':
			w.runs = number(optarg);
			break;
		case 'f':
			w.from = number(optarg);
			break;
		case 'v':
			w.visits = number(optarg);
			w.runs = UINT64_MAX;
			break;
		case 'S':
			w.seeds = optarg;
			break;
		case 't':
			world->shows = true;
			break;
		default:
			usage();
		}
	}
	if (optind < argc)
		usage();
	return w;
}

static void remove_state(char *state)
{
	static const char *const parts[] = { "lock/sim", "lock", "run.lock", "" };
	char path[256];

	for (size_t n = 0; n < COUNT(parts); n++) {
		(void)snprintf(path, sizeof path, "%s/%s", state, parts[n]);
		(void)remove(path);
	}
}

/* What every life would do again: the libraries' first call of a digest. */
static void warm_up(void)
{
	struct err e;
	struct digest *d = sodium_init() < 0 ? NULL : digest_new(&e);

	digest_free(&d);
}

int main(int argc, char **argv)
{
	char state[] = "/tmp/postrider-sim.XXXXXX";
	struct timespec since, now;
	struct wanted w;
	struct err e;
	bool good;

	program = argv[0];
	world_make();
	warm_up();
	w = understand(argc, argv);
	if (!mkdtemp(state) || !log_start(world->shows ? LOG_DEBUG : LOG_ERROR, LOG_TEXT, world->shows ? NULL : "/dev/null", &e)) {
		perror("sim");
		return 2;
	}
	life_state = state;
	(void)clock_gettime(CLOCK_MONOTONIC, &since);
	good = run_all(&w);
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	remove_state(state);
	(void)printf("%s: %" PRIu64 " seeds, %" PRIu64 " visits, %" PRIu64 " messages, %" PRIu64 " lives, %" PRIu64 " crashes, %" PRIu64
		" cuts, %" PRIu64 " other faults in %.1f s\n", good ? "ok" : "FAILED", runs_done, world->visits, world->collected, world->lives,
		world->crashes, world->cuts, world->faults,
		(double)(now.tv_sec - since.tv_sec) + (double)(now.tv_nsec - since.tv_nsec) / 1e9);
	return good ? 0 : 1;
}
