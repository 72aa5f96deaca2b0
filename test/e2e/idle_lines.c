/* SPDX-License-Identifier: Apache-2.0
 *
 * idle_lines PORT USER PASSWORD MAILBOX: our IMAP session alone against a server on loopback, for its tests.
 *
 * It logs in, selects the mailbox and then does what each line of standard input says:
 * idle, done, noop, none (NOTIFY NONE), notify NAME… (with STATUS, of these and the
 * selected one), personal (the same of all), logout.  Each event is a line of
 * standard output.  The session rests whenever it may. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "imap/client.h"

enum { LINE = 4096, NAMES = 16 };

struct run {
	struct imc *s;
	struct imc_rested *rested;
	bool resting, over, selected;
	struct span box;
	int fd;
};

static void wake(struct run *r)
{
	if (r->resting)
		imc_resume(r->s, r->rested);
	r->resting = false;
}

static void send_out(struct run *r)
{
	struct span out;

	while ((out = imc_out(r->s)).len) {
		ssize_t n = write(r->fd, out.at, out.len);

		if (n <= 0)
			exit(1);
		imc_sent(r->s, (size_t)n);
	}
}

static void tell(struct run *r, const struct imc_event *ev)
{
	static const char *const names[] = {
		[IMC_READY] = "ready", [IMC_DONE] = "done", [IMC_REFUSED] = "refused", [IMC_IDLING] = "idling", [IMC_NEWS] = "news", [IMC_BYE] = "bye",
		[IMC_FAILED] = "failed", [IMC_MESSAGE] = "message", [IMC_WARNING] = "warning",
	};
	struct span text = ev->what == IMC_FAILED ? span_of(imc_error(r->s)->text) : ev->text;

	printf("%s %u %u %u %llu %.*s\n", (size_t)ev->what < COUNT(names) && names[ev->what] ? names[ev->what] : "other", ev->flags, ev->uid, ev->last,
		(unsigned long long)ev->size, (int)text.len, text.at ? text.at : "");
	(void)fflush(stdout);
}

/* Until nothing is due; then it rests, in memory that is nobody's. */
static void turn(struct run *r)
{
	struct imc_event ev;

	while (imc_next(r->s, &ev)) {
		tell(r, &ev);
		r->over |= ev.what == IMC_BYE || ev.what == IMC_FAILED;
		if (ev.what == IMC_READY)
			(void)imc_select(r->s, r->box);
	}
	send_out(r);
	if (!imc_may_rest(r->s))
		return;
	imc_rest(r->s, r->rested);
	memset(r->s, 0xa5, imc_size());
	r->resting = true;
}

static void watch(struct run *r, struct span line)
{
	struct span names[NAMES];
	struct imc_watch w = { .names = names, .selected = true, .flags = true, .status = true };

	(void)span_word(&line, &names[0]);
	w.personal = span_equal(names[0], SPAN("personal"));
	while (w.name_count < NAMES && span_word(&line, &names[w.name_count]))
		w.name_count++;
	(void)imc_notify(r->s, &w);
}

static void command(struct run *r, struct span line)
{
	wake(r);
	if (span_equal(line, SPAN("done")))
		imc_idle_done(r->s);
	else if (span_equal(line, SPAN("idle")))
		(void)imc_idle(r->s);
	else if (span_equal(line, SPAN("noop")))
		(void)imc_noop(r->s);
	else if (span_equal(line, SPAN("none")))
		(void)imc_notify_none(r->s);
	else if (span_equal(line, SPAN("logout")))
		(void)imc_logout(r->s);
	else
		watch(r, line);
	turn(r);
}

static void commands(struct run *r, struct buf *held)
{
	char *room = buf_room(held, LINE / 2);
	ssize_t n = room ? read(0, room, LINE / 2) : 0;
	struct span line;

	if (n <= 0)
		exit(1);
	held->len += (size_t)n;
	while ((line = (struct span){ held->at, span_find(buf_span(held), '\n') }).len < held->len) {
		command(r, line);
		buf_drop(held, line.len + 1);
	}
}

static void octets(struct run *r)
{
	char in[LINE];
	ssize_t n = read(r->fd, in, sizeof in);

	if (n < 0)
		exit(1);
	wake(r);
	if (n)
		imc_feed(r->s, (struct span){ in, (size_t)n });
	else
		imc_eof(r->s);
	turn(r);
}

static int connect_to(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t number = 0;

	if (!span_number(span_of(port), UINT16_MAX, &number))
		exit(2);
	to.sin_port = htons((uint16_t)number);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
		exit(1);
	return fd;
}

int main(int argc, char **argv)
{
	static const enum sasl_mech mechs[] = { SASL_USER };
	char memory[LINE];
	struct run r = { .s = malloc(imc_size()), .rested = malloc(imc_rested_size()) };
	struct imc_login login = { .mechs = mechs, .mech_count = 1, .detect_capa = true, .detect_greeting = true, .clear_allowed = true };
	struct buf held;

	if (argc != 5 || !r.s || !r.rested)
		return 2;
	login.user = argv[2];
	login.password = span_of(argv[3]);
	r.box = span_of(argv[4]);
	r.fd = connect_to(argv[1]);
	buf_lend(&held, memory, sizeof memory);
	imc_start(r.s, &login);
	while (!r.over) {
		struct pollfd fds[] = { { r.fd, POLLIN, 0 }, { 0, POLLIN, 0 } };

		if (poll(fds, COUNT(fds), -1) < 0)
			return 1;
		if (fds[0].revents)
			octets(&r);
		else if (fds[1].revents)
			commands(&r, &held);
	}
	free(r.rested);
	free(r.s);
	return 0;
}
