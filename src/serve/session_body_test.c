/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include "net/listener.h"
#include "serve/test_guest.h"
#include "serve/test_service.h"
#include "wire/stuff.h"

enum { PIECE = MAILBOX_PIECE, LARGE = 3000000, MESSAGES = 40 };

static struct guest g, other;

/* ---- the mail, and what is to come of it */

static struct {
	struct fixture_text all[MESSAGES];
	size_t count;
} mail;

static void put(char *at, size_t len)
{
	assert_true(mail.count < MESSAGES);
	service_put((struct span){ at, len });
	mail.all[mail.count++] = (struct fixture_text){ at, len };
}

static void put_plain(size_t len)
{
	put(fixture_octets(len), len);
}

static void put_dots(size_t len)
{
	put(service_dots(len, (unsigned)len + 1), len);
}

/* Long spans, and a dot to be doubled between them. */
static void put_mixed(size_t len)
{
	char *at = fixture_octets(len);

	for (size_t n = 0; n + 3 < len; n += 3000 + n % 4001)
		memcpy(at + n, "\r\n.", 3);
	put(at, len);
}

static void mail_end(void)
{
	while (mail.count)
		free(mail.all[--mail.count].at);
}

static void join(struct fixture_text *t, struct span piece)
{
	memcpy(t->at + t->len, piece.at, piece.len);
	t->len += piece.len;
}

static void want(const struct fixture_text *message, bool all, uint32_t lines, struct fixture_text *t)
{
	struct span in = { message->at, message->len }, piece;
	struct stuff f;

	t->at = malloc(2 * in.len + 8);
	assert_non_null(t->at);
	stuff_start(&f, all, lines, false);
	while (!stuff_enough(&f) && stuff_next(&f, &in, &piece))
		join(t, piece);
	join(t, stuff_end(&f));
}

static void ask(size_t number, bool all, uint32_t lines)
{
	char line[64];

	if (all)
		(void)snprintf(line, sizeof line, "RETR %zu", number);
	else
		(void)snprintf(line, sizeof line, "TOP %zu %u", number, lines);
	guest_say(&g, line);
}

static void hears_body(size_t number, bool all, uint32_t lines)
{
	struct fixture_text t = { 0 }, wanted = { 0 };

	want(&mail.all[number - 1], all, lines, &wanted);
	assert_true(guest_body(&g, &t));
	assert_int_equal(t.len, wanted.len);
	assert_memory_equal(t.at, wanted.at, t.len);
	free(t.at);
	free(wanted.at);
}

static void hears(size_t number, bool all, uint32_t lines)
{
	const struct fixture_text *message = &mail.all[number - 1];
	bool ended = !message->len || (message->len >= 2 && memcmp(message->at + message->len - 2, "\r\n", 2) == 0);
	char line[64] = "+OK";

	if (all)
		(void)snprintf(line, sizeof line, "+OK %zu octets", message->len + (ended ? 0 : 2));
	guest_hears(&g, line);
	hears_body(number, all, lines);
}

static void put_many(void)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 100, WORKER_COPY - 3, WORKER_COPY - 2, WORKER_COPY - 1, WORKER_COPY, WORKER_COPY + 1,
		PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 200000, LARGE };

	for (size_t n = 0; n < COUNT(sizes); n++) {
		put_dots(sizes[n]);
		put_plain(sizes[n]);
	}
	put_mixed(PIECE + 1);
	put_mixed(200000);
	put_mixed(LARGE);
}

static const uint32_t tops[] = { 0, 1, 3, 100000 };

/* All of it, one after the other or all at once. */
static void every_message_comes_as_it_is(const char *door, bool pipelined)
{
	guest_enters(&g, door);
	for (size_t n = 1; n <= mail.count; n++) {
		ask(n, true, 0);
		if (!pipelined)
			hears(n, true, 0);
		for (size_t i = 0; i < COUNT(tops); i++) {
			ask(n, false, tops[i]);
			if (!pipelined)
				hears(n, false, tops[i]);
		}
	}
	for (size_t n = 1; pipelined && n <= mail.count; n++) {
		hears(n, true, 0);
		for (size_t i = 0; i < COUNT(tops); i++)
			hears(n, false, tops[i]);
	}
	guest_asks(&g, "QUIT", "+OK");
	guest_hears_end(&g);
	guest_leave(&g);
}

static void messages_of_every_size([[maybe_unused]] void **state)
{
	service_make();
	put_many();
	service_open(2);
	every_message_comes_as_it_is("clear", false);
	every_message_comes_as_it_is("clear", true);
	every_message_comes_as_it_is("tls", false);
	every_message_comes_as_it_is("tls", true);
	mail_end();
	service_end();
}

/* Sockets that take a few KiB at a time: spans are cut anywhere. */
static void a_socket_that_takes_little([[maybe_unused]] void **state)
{
	static const int room = 1;	/* the kernel makes it its least */
	int fd = listen_socket(&(struct listen_settings){ .address = "127.0.0.1" }, &fixture_err);

	assert_true(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0);
	service_make();
	service.inherited.count = 1;
	service.inherited.list[0].fd = fd;
	(void)snprintf(service.inherited.list[0].name, INHERITED_NAME, "clear");
	put_many();
	service_open(2);
	every_message_comes_as_it_is("clear", true);
	mail_end();
	service_end();
	(void)close(fd);
}

/* ---- not in memory */

static void what_is_not_in_memory_is_fetched([[maybe_unused]] void **state)
{
	service_make();
	put_many();
	service_open(2);
	guest_enters(&g, "clear");
	for (size_t n = 1; n <= mail.count; n++) {
		unsigned before = service.touched;

		service.absent = 3;
		ask(n, true, 0);
		hears(n, true, 0);
		if (mail.all[n - 1].len)
			assert_true(service.touched > before);
		service.absent = 1;
		ask(n, false, 1);
		ask(n, true, 0);
		hears(n, false, 1);
		hears(n, true, 0);
		service.absent = 0;
	}
	guest_leave(&g);
	mail_end();
	service_end();
}

static void who_leaves_while_it_is_fetched([[maybe_unused]] void **state)
{
	service_make();
	put_dots(1000);
	put_dots(LARGE);
	service_open(2);
	for (size_t n = 1; n <= 2; n++) {
		guest_enters(&g, "clear");
		ask(1, true, 0);
		hears(1, true, 0);
		service.hold_touch = true;
		service.absent = 1;
		ask(n, true, 0);
		service_until(service_holding);
		guest_leave(&g);
		service.hold_touch = false;
		service_until(service_empty);
	}
	assert_true(service_seen(0));
	guest_enters(&g, "tls");	/* all goes on */
	ask(2, true, 0);
	hears(2, true, 0);
	guest_leave(&g);
	mail_end();
	service_end();
}

/* The loops end, and the job comes back when its session is gone. */
static void the_service_ends_while_it_is_fetched([[maybe_unused]] void **state)
{
	service_make();
	put_dots(LARGE);
	service_open(2);
	guest_enters(&g, "clear");
	service.hold_touch = true;
	service.absent = 1;
	ask(1, true, 0);
	service_until(service_holding);
	service_close();
	guest_leave(&g);
	mail_end();
	service_end();
}

/* ---- removed by others */

static void remove_all(void)
{
	guest_enters(&other, "clear");
	for (size_t n = 1; n <= mail.count; n++) {
		char line[32];

		(void)snprintf(line, sizeof line, "DELE %zu", n);
		guest_asks(&other, line, "+OK");
	}
	guest_asks(&other, "QUIT", "+OK");
	guest_hears_end(&other);
	guest_leave(&other);
}

/* What is under way comes to its end, what is asked then is refused (PRODUCT section 3). */
static void who_removes_disturbs_nothing_under_way([[maybe_unused]] void **state)
{
	service_make();
	put_dots(1000);
	put_dots(LARGE);
	put_dots(0);
	service_open(2);
	guest_enters(&g, "clear");
	ask(1, true, 0);
	hears(1, true, 0);
	ask(2, true, 0);
	guest_hears(&g, "+OK");
	remove_all();
	assert_int_equal(service_count(), 0);
	hears_body(2, true, 0);
	for (unsigned round = 0; round < 2; round++) {
		guest_asks(&g, "RETR 1", "-ERR");
		guest_asks(&g, "RETR 2", "-ERR");
		guest_asks(&g, "RETR 3", "-ERR");	/* which has no octets that could be gone */
		guest_asks(&g, "TOP 2 0", "-ERR");
		guest_asks(&g, "LIST 2", "+OK 2");	/* numbers stay */
		service_reclaim();
	}
	guest_asks(&g, "QUIT", "+OK");
	guest_leave(&g);
	mail_end();
	service_end();
}

/* Never a false end: what came is a part of what was to come, and then nothing. */
static void what_vanishes_while_it_is_sent([[maybe_unused]] void **state)
{
	static const char *const doors[] = { "clear", "tls" };

	for (size_t n = 0; n < COUNT(doors); n++) {
		struct fixture_text t = { 0 }, wanted = { 0 };

		service_make();
		put_dots(LARGE);
		service_open(2);
		guest_enters(&g, doors[n]);
		ask(1, true, 0);
		guest_hears(&g, "+OK");
		remove_all();
		service_reclaim();
		guest_rest(&g, &t);
		want(&mail.all[0], true, 0, &wanted);
		assert_true(t.len > 0 && t.len < wanted.len);
		assert_memory_equal(t.at, wanted.at, t.len);
		free(t.at);
		free(wanted.at);
		guest_leave(&g);
		service_until(service_empty);
		mail_end();
		service_end();
	}
}

/* ---- one hold for all */

static void two_share_a_loop([[maybe_unused]] void **state)
{
	enum { TIMES = 60 };

	service_make();
	put_dots(40000);
	put_dots(30000);
	put_dots(3000);
	service_open(1);
	guest_enters(&g, "clear");
	for (size_t n = 0; n < TIMES; n++)
		ask(1 + n % 3, true, 0);
	other = g;		/* the first waits, with a message in hand, until it is read */
	guest_enters(&g, "clear");
	for (size_t n = 0; n < TIMES; n++) {
		ask(3 - n % 3, true, 0);
		hears(3 - n % 3, true, 0);
	}
	guest_leave(&g);
	g = other;
	for (size_t n = 0; n < TIMES; n++)
		hears(1 + n % 3, true, 0);
	guest_leave(&g);
	mail_end();
	service_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_every_size),
		cmocka_unit_test(a_socket_that_takes_little),
		cmocka_unit_test(what_is_not_in_memory_is_fetched),
		cmocka_unit_test(who_leaves_while_it_is_fetched),
		cmocka_unit_test(the_service_ends_while_it_is_fetched),
		cmocka_unit_test(who_removes_disturbs_nothing_under_way),
		cmocka_unit_test(what_vanishes_while_it_is_sent),
		cmocka_unit_test(two_share_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
