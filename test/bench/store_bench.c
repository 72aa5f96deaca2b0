/* SPDX-License-Identifier: Apache-2.0
 * How fast is the store on this disk?  Built with the tests, not run as one.
 *
 *     store_bench DIRECTORY [MESSAGES] [OCTETS]
 * After appending, it does what POP3 sessions do: opens the maildrop, reads messages, removes them.
 * A wake of the loop is played by finishing a window of messages, then taking
 * the answers that are there. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/account.h"
#include "store/ledger.h"
#include "store/maildrop.h"

enum { WINDOW = 64, OUTSTANDING = 1000, ENTRIES = 100000, LISTED = 10000, LARGE = 100 << 20, CHUNK = 16 * 1024, OPENS = 20, READ = 10000 };

struct lap {
	uint64_t ms;
	double cpu_s;
};

static _Noreturn void fail(const struct err *e)
{
	(void)fprintf(stderr, "store_bench: %s\n", e->text);
	exit(1);
}

static double cpu_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct lap start(void)
{
	return (struct lap){ clock_mono_ms(), cpu_s() };
}

static void report(const char *what, struct lap since, double count, const char *unit)
{
	double s = (double)(clock_mono_ms() - since.ms) / 1000, cpu = cpu_s() - since.cpu_s;

	(void)printf("%-34s %10.0f %s/s  %6.2f us CPU/%s  %7.3f s\n", what, count / (s > 0 ? s : 0.001), unit, cpu / count * 1e6, unit, s);
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

static void take(struct store *s, size_t until)
{
	struct store_done d;

	while (store_waiting(s) > until && store_wait(s))
		while (store_next(s, &d))
			if (!d.good)
				fail(&d.why);
}

/* What a visit does for each message, played with numbers: the ticket is one more. */
struct walk {
	struct store *store;
	struct mailbox *box;
	struct ledger *ledger;
	bool record;		/* into the ledger too */
};

enum { RECORDED = 1 << 30 };

static void source_of(const struct walk *w, uint64_t n, struct mailbox_source *source)
{
	*source = (struct mailbox_source){ 0 };
	memcpy(source->connection, ledger_tag(w->ledger), sizeof source->connection);
	ledger_pop3_base(SPAN("host"), SPAN("user"), (struct span){ (const char *)&n, sizeof n }, source->id);
}

/* Appended: record it; recorded: the mark has done its work. */
static void follow(struct walk *w, uint64_t ticket)
{
	struct ledger_entry entry = { .state = LEDGER_ACCEPTED, .uid = "0123456789abcdef", .has_digest = true };
	struct mailbox_source source;

	source_of(w, (ticket & ~(uint64_t)RECORDED) - 1, &source);
	if (!w->record || ticket & RECORDED) {
		mailbox_unmark(w->box, &source);
		return;
	}
	memcpy(entry.id, source.id, sizeof entry.id);
	ledger_put(w->ledger, &entry, ticket | RECORDED);
}

static void take_walk(struct walk *w, size_t until)
{
	struct store_done d;

	do
		while (store_next(w->store, &d)) {
			if (!d.good)
				fail(&d.why);
			follow(w, d.ticket);
		}
	while (store_waiting(w->store) > until && store_wait(w->store));
}

static void append(struct walk *w, size_t messages, size_t octets)
{
	char *body = malloc(octets);
	struct err e;

	memset(body, 'x', octets);
	for (size_t n = 0; n < messages; n++) {
		struct incoming *in = incoming_new(w->box, &e);
		struct mailbox_source source;

		if (!in)
			fail(&e);
		for (size_t at = 0; at < octets; at += CHUNK)
			if (!incoming_add(in, (struct span){ body + at, octets - at < CHUNK ? octets - at : CHUNK }, &e))
				fail(&e);
		source_of(w, n, &source);
		incoming_digest(in, source.digest);
		incoming_finish(&in, &source, 1, 0, n + 1);
		if (n % WINDOW == 0)
			take_walk(w, OUTSTANDING);
	}
	take_walk(w, 0);
	free(body);
}

static void append_large(struct store *s, struct mailbox *box)
{
	static char chunk[CHUNK];
	struct store_done d;
	struct err e;
	struct incoming *in = incoming_new(box, &e);
	long before = anon_kib(), most = 0;
	struct lap lap = start();

	if (!in)
		fail(&e);
	for (size_t at = 0; at < LARGE; at += CHUNK) {
		while (incoming_full(in) && store_wait(s))
			while (store_next(s, &d))
				;
		if (!incoming_add(in, (struct span){ chunk, CHUNK }, &e))
			fail(&e);
		if (at % (1 << 18) == 0 && anon_kib() > most)
			most = anon_kib();
	}
	incoming_finish(&in, NULL, 1, 0, 1);
	take(s, 0);
	report("append of 100 MB", lap, LARGE / 1e6, "MB");
	(void)printf("%-34s %10ld KiB\n", "  RssAnon more by", most - before);
}

static void ledger_rates(struct store *s, struct ledger *l)
{
	struct ledger_entry entry = { .state = LEDGER_ACCEPTED, .uid = "0123456789abcdef", .has_digest = true };
	struct lap lap = start();
	size_t n = 0;

	for (size_t at = 0; at < ENTRIES; at++) {
		struct store_done d;

		ledger_pop3_base(SPAN("host"), SPAN("user"), (struct span){ (const char *)&at, sizeof at }, entry.id);
		ledger_put(l, &entry, at + 1);
		while (at % WINDOW == 0 && store_next(s, &d))
			if (!d.good)
				fail(&d.why);
	}
	take(s, 0);
	report("ledger_put", lap, ENTRIES, "put");
	lap = start();
	for (const uint8_t *after = NULL; n < LISTED && ledger_next(l, after, &entry); after = entry.id)
		n++;
	report("ledger_next, 10,000 entries", lap, (double)n, "entry");
	lap = start();
	for (size_t at = 0; at < LISTED; at++) {
		ledger_pop3_base(SPAN("host"), SPAN("user"), (struct span){ (const char *)&at, sizeof at }, entry.id);
		n += ledger_get(l, entry.id, &entry);
	}
	report("ledger_get, 10,000 entries", lap, LISTED, "entry");
}

static size_t swallow(void *user, struct span octets)
{
	*(uint64_t *)user += octets.len + (unsigned char)octets.at[octets.len / 2];
	return octets.len;
}

static void read_messages(const struct maildrop *drop, uint32_t count)
{
	uint64_t octets = 0, sum = 0;
	struct lap lap = start();

	for (uint32_t n = 1; n <= count; n++) {
		struct maildrop_reading r;

		maildrop_start(drop, n, &r);
		octets += r.left;
		while (maildrop_piece(drop, &r, true, swallow, &sum) == MAILDROP_MORE)
			;
	}
	report("maildrop_piece", lap, count, "msg");
	report("  the same", lap, (double)octets / 1e6, "MB");
	lap = start();
	for (uint32_t n = 1; n <= count; n++) {
		struct maildrop_reading r;

		maildrop_start(drop, n, &r);
		while (maildrop_piece(drop, &r, false, swallow, &sum) == MAILDROP_MORE)
			;
	}
	report("maildrop_piece, if in memory", lap, count, "msg");
	if (!sum)
		(void)printf("nothing was read\n");
}

/* Every `step`th of the drop's messages, `count` of them. */
static void remove_messages(struct store *s, struct mailbox *box, uint32_t count, uint32_t step, const char *what)
{
	uint64_t *uids;
	size_t n;
	struct lap lap;
	struct maildrop *copy;
	struct err e;

	if (!maildrop_open(s, "bench/INBOX", &copy, &e))
		fail(&e);
	for (uint32_t i = 0; i < count && i * step < maildrop_count(copy); i++)
		drop_mark(&maildrop_messages(copy)[i * step], DROP_DELETED);
	n = maildrop_marked(copy, DROP_DELETED, 0, &uids);
	lap = start();
	mailbox_remove(box, uids, n, NULL, 0, 1, 1);
	take(s, 0);
	report(what, lap, (double)n, "msg");
	free(uids);
	maildrop_close(&copy);
	lap = start();
	for (struct store_done d; store_wait(s);)
		(void)store_next(s, &d);
	report("  and its rest", lap, (double)n, "msg");
}

static void pop3(struct store *s, struct mailbox *box)
{
	struct maildrop *drop = NULL;
	struct lap lap = start();
	uint32_t count;
	struct err e;

	for (int n = 0; n < OPENS; n++) {
		maildrop_close(&drop);
		if (!maildrop_open(s, "bench/INBOX", &drop, &e))
			fail(&e);
	}
	report("maildrop_open, messages", lap, (double)OPENS * maildrop_count(drop), "msg");
	(void)printf("%-34s %10u messages, %.2f ms each\n", "", (unsigned)maildrop_count(drop), (double)(clock_mono_ms() - lap.ms) / OPENS);
	count = maildrop_count(drop) < READ ? maildrop_count(drop) : READ;
	read_messages(drop, count);
	remove_messages(s, box, count, 1, "mailbox_remove, in a row");
	remove_messages(s, box, count, 7, "mailbox_remove, scattered");
	maildrop_close(&drop);
	lap = start();
	for (struct store_done d; store_reclaim(s, 10000);)
		while (store_wait(s))
			(void)store_next(s, &d);
	report("store_reclaim", lap, 2.0 * count, "msg");
}

int main(int argc, char **argv)
{
	uint64_t messages = 100000, octets = 4096;
	struct store *s;
	struct mailbox *box;
	struct ledger *l;
	struct err e;
	struct lap lap;

	if (argc < 2 || (argc > 2 && !span_number(span_of(argv[2]), UINT32_MAX, &messages)) ||
	    (argc > 3 && !span_number(span_of(argv[3]), UINT32_MAX, &octets)) || !octets)
		return (void)fprintf(stderr, "usage: store_bench DIRECTORY [MESSAGES] [OCTETS]\n"), 2;
	if (!store_open(argv[1], (uint64_t)1 << 40, "store_bench", &s, &e))
		fail(&e);
	if (!account_there(s, "bench") && !account_add(s, "bench", SPAN(""), false, &e))
		fail(&e);
	if (!mailbox_open(s, "bench/INBOX", true, &box, &e) || !ledger_open(s, "bench", "", &l, &e))
		fail(&e);
	append_large(s, box);
	lap = start();
	append(&(struct walk){ s, box, l, false }, messages, octets);
	report("append", lap, (double)messages, "msg");
	pop3(s, box);
	lap = start();
	append(&(struct walk){ s, box, l, true }, messages, octets);
	report("append and record", lap, (double)messages, "msg");
	ledger_rates(s, l);
	store_close(&s);
	return 0;
}
