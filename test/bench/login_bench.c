/* SPDX-License-Identifier: Apache-2.0
 * What does a login cost, and how long do others wait in a flood?  Built with the tests, not run as one.
 *
 *     login_bench [SECONDS]
 * First microseconds of a loop's thread for logins that need no hash; SCRAM's client is not in the time.
 * Then honest logins from 127.0.0.1, ten a second, each of an account that was not here before (hashed) and
 * once more (cached), quiet and beside 200 wrong ones a second from 127.0.1.0/24. */
#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/loop.h"
#include "sasl/apop.h"
#include "serve/admission.h"
#include "serve/login.h"
#include "store/account.h"

enum { ROUNDS = 20000, SCRAM_ROUNDS = 2000, FLOOD_MS = 5, HONEST_MS = 100, MOST = 1000 };

static struct store *store;
static struct admission *admission;
static struct logins *logins;
static struct loop *loop;
static const char stamp[] = "<1896.697170952@dbc.mtview.ca.us>";

static void check(bool good, const struct err *e)
{
	if (good)
		return;
	(void)fprintf(stderr, "%s\n", e->text);
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct login *begin(enum sasl_mech mech, const char *from, void (*answer)(void *, const struct login_answer *), void *user)
{
	union address peer, local;
	struct login_who who = { .loop = loop, .peer = &peer, .local = &local, .apop_stamp = stamp, .host = "x.example", .answer = answer, .user = user };
	struct err e;
	struct login *x;

	if (!address_parse(from, 1, &peer) || !address_parse("127.0.0.1", 110, &local))
		exit(1);
	x = login_begin(logins, &who, mech, &e);
	check(x, &e);
	return x;
}

static void no_answer(void *user, const struct login_answer *a)
{
	(void)user;
	(void)a;
	abort();
}

static void words(const char *what, enum sasl_mech mech, const char *user, const char *password)
{
	uint64_t began = now_us();

	for (int n = 0; n < ROUNDS; n++) {
		struct login *x = begin(mech, "127.0.0.1", no_answer, NULL);
		const struct login_answer *a = login_words(x, span_of(user), span_of(password));

		if (!a || a->said != LOGIN_SAYS_GOOD || strcmp(a->how, what) != 0)
			exit(1);
		login_end(&x);
	}
	printf("%-12s %-8s %6.1f us\n", sasl_mech_name(mech), what, (double)(now_us() - began) / ROUNDS);
}

static void scram(enum sasl_mech mech)
{
	struct sasl_credentials with = { .user = "carl", .password = SPAN("geheim"), .service = "pop", .host = "x.example" };
	uint64_t spent = 0;
	struct err e;

	for (int n = 0; n < SCRAM_ROUNDS; n++) {
		struct sasl_client *c = sasl_client_new(mech, &with, &e);
		uint64_t began = now_us();
		struct login *x = begin(mech, "127.0.0.1", no_answer, NULL);
		const struct login_answer *a = sasl_mech_first(mech) ? NULL : login_step(x, false, (struct span){ 0 });
		struct buf response;

		spent += now_us() - began;
		buf_start(&response, SASL_RESPONSE_MAX);
		do {
			response.len = 0;
			check(sasl_client_step(c, a ? a->challenge : SPAN(""), &response, &e), &e);
			began = now_us();
			a = login_step(x, true, buf_span(&response));
			spent += now_us() - began;
		} while (a && a->said == LOGIN_SAYS_MORE);
		if (!a || a->said != LOGIN_SAYS_GOOD)
			exit(1);
		login_end(&x);
		buf_wipe(&response);
		sasl_client_free(&c);
	}
	printf("%-12s %-8s %6.1f us\n", sasl_mech_name(mech), "proof", (double)spent / SCRAM_ROUNDS);
}

/* The flood ------------------------------------------------------------------ */

struct attempt {
	struct login *x;
	uint64_t began;
	bool honest;
	struct attempt *next, **before;
};

static struct attempt *under_way;
static unsigned honest, wrong, most_honest;
static double hashed_ms[MOST], cached_ms[MOST];

static void again_cached(unsigned n)
{
	char name[32];
	uint64_t began = now_us();
	struct login *x = begin(SASL_USER, "127.0.0.1", no_answer, NULL);
	const struct login_answer *a;

	(void)snprintf(name, sizeof name, "u%u", n);
	a = login_words(x, span_of(name), SPAN("geheim"));
	if (!a || a->said != LOGIN_SAYS_GOOD)
		exit(1);
	login_end(&x);
	cached_ms[n] = (double)(now_us() - began) / 1000;
}

static void drop(struct attempt *t)
{
	*t->before = t->next;
	if (t->next)
		t->next->before = t->before;
	login_end(&t->x);
	free(t);
}

static void on_answer(void *user, const struct login_answer *a)
{
	struct attempt *t = user;

	if (t->honest) {
		unsigned n = (unsigned)strtoul(a->user + 1, NULL, 10);

		assert(a->said == LOGIN_SAYS_GOOD);
		hashed_ms[n] = (double)(now_us() - t->began) / 1000;
		again_cached(n);
		if (n + 1 == most_honest)
			loop_stop(loop);
	}
	drop(t);
}

static void start(const char *from, const char *user, const char *password, bool is_honest)
{
	struct attempt *t = calloc(1, sizeof *t);

	assert(t);
	t->honest = is_honest;
	t->next = under_way;
	t->before = &under_way;
	if (t->next)
		t->next->before = &t->next;
	under_way = t;
	t->began = now_us();
	t->x = begin(SASL_USER, from, on_answer, t);
	if (!login_words(t->x, span_of(user), span_of(password)))
		return;
	assert(!is_honest);
	drop(t);		/* busy */
}

static void on_flood(void *user)
{
	char from[32], name[32];

	(void)user;
	(void)snprintf(from, sizeof from, "127.0.1.%u", wrong % 254 + 1);
	(void)snprintf(name, sizeof name, "victim%u", wrong++);
	start(from, name, "falsch", false);
}

static void on_honest(void *user)
{
	char name[32];

	(void)user;
	if (honest == most_honest)
		return;
	(void)snprintf(name, sizeof name, "u%u", honest++);
	start("127.0.0.1", name, "geheim", true);
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void told(const char *what, double *ms, unsigned count)
{
	qsort(ms, count, sizeof *ms, by_size);
	printf("%-24s p50 %7.3f ms  p99 %7.3f ms  worst %7.3f ms\n", what, ms[count / 2], ms[count * 99 / 100], ms[count - 1]);
}

static void phase(bool flood)
{
	struct timer *h = timer_new(loop, on_honest, NULL), *f = timer_new(loop, on_flood, NULL);
	struct err e;

	logins_free(&logins);
	logins = logins_new(&(struct logins_with){ .store = store, .admission = admission }, &e);
	check(logins, &e);
	honest = 0;
	timer_set(h, HONEST_MS, HONEST_MS);
	if (flood)
		timer_set(f, FLOOD_MS, FLOOD_MS);
	loop_run(loop);
	while (under_way)
		drop(under_way);
	timer_free(&h);
	timer_free(&f);
	told(flood ? "hashed, in the flood" : "hashed, quiet", hashed_ms, most_honest);
	told(flood ? "cached, in the flood" : "cached, quiet", cached_ms, most_honest);
}

static int unlink_it(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

int main(int argc, char **argv)
{
	char directory[] = "/tmp/postrider-bench.XXXXXX", digest[APOP_DIGEST], name[32];
	unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
	struct admission_limits limits = { .failed_delay_ms = 2000, .failed_limit = 10, .failed_block_ms = 900000 };
	struct err e;

	most_honest = seconds * (1000 / HONEST_MS) < MOST ? seconds * (1000 / HONEST_MS) : MOST;
	assert(most_honest && mkdtemp(directory));
	check(store_open(directory, (uint64_t)1 << 32, "bench", &store, &e), &e);
	check(account_add(store, "bob", SPAN("geheim"), 0, &e) && account_add(store, "carl", SPAN("geheim"), ACCOUNT_RECOVERABLE, &e), &e);
	for (unsigned n = 0; n < most_honest; n++) {
		(void)snprintf(name, sizeof name, "u%u", n);
		check(account_add(store, name, SPAN("geheim"), 0, &e), &e);
	}
	admission = admission_new(&limits, &e);
	check(admission, &e);
	logins = logins_new(&(struct logins_with){ .store = store, .admission = admission }, &e);
	check(logins, &e);
	loop = loop_new(&e);
	check(loop, &e);
	on_honest(NULL);	/* u0 is in the cache */
	honest = 0;
	while (hashed_ms[0] <= 0) {
		struct timer *t = timer_new(loop, (void (*)(void *))loop_stop, loop);

		timer_set(t, 10, 0);
		loop_run(loop);
		timer_free(&t);
	}
	words("cache", SASL_USER, "u0", "geheim");
	words("secret", SASL_USER, "carl", "geheim");
	check(apop_digest(span_of(stamp), SPAN("geheim"), digest), &e);
	words("proof", SASL_APOP, "carl", digest);
	scram(SASL_CRAM_MD5);
	scram(SASL_SCRAM_SHA_1);
	scram(SASL_SCRAM_SHA_256);
	phase(false);
	phase(true);
	printf("%u wrong ones\n", wrong);
	loop_free(&loop);
	logins_free(&logins);
	admission_free(&admission);
	store_close(&store);
	return nftw(directory, unlink_it, 16, FTW_DEPTH | FTW_PHYS);
}
