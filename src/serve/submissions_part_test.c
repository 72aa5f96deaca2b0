/* SPDX-License-Identifier: Apache-2.0
 *
 * A server that takes a message for some, through the whole service. */
#include <stdio.h>

#include "base/clock.h"
#include "net/test_server.h"
#include "deliver/parting.h"
#include "serve/test_guest.h"
#include "serve/test_service.h"
#include "store/held.h"

enum { LINE = 1024, TEXT_MAX = 64 * 1024, MINUTE = 60 };

static struct guest g;
static struct server server;
static struct target relay = { .name = "relay", .type = TARGET_SMTP, .canonical = "smtp://127.0.0.1", .host = "127.0.0.1", .parallel = 1,
	.tls = { .mode = MODE_NONE } };
static struct target *all[] = { &relay };

/* What the server does: by the first letter of a recipient, a = accept, d = defer, r = refuse. */
static atomic_bool healed;		/* d = accept too */
static atomic_uint to_a, to_d, bounces;
static char bounce[TEXT_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *on_rcpt(const char *line)
{
	char who = line[strlen("RCPT TO:<")];

	if (who == 'r')
		return "550 5.1.1 no such user\r\n";
	if (who == 'd' && !atomic_load(&healed))
		return "450 4.2.1 later\r\n";
	if (who == 'a')
		(void)atomic_fetch_add(&to_a, 1);
	if (who == 'd')
		(void)atomic_fetch_add(&to_d, 1);
	return "250 2.1.5 ok\r\n";
}

static void take(struct server_peer *p, bool is_bounce)
{
	char line[LINE];
	size_t len = 0;

	(void)pthread_mutex_lock(&lock);
	while (peer_line(p, line, sizeof line) && strcmp(line, ".") != 0)
		if (is_bounce && len + strlen(line) + 2 < sizeof bounce)
			len += (size_t)snprintf(bounce + len, sizeof bounce - len, "%s\n", line);
	(void)pthread_mutex_unlock(&lock);
	(void)atomic_fetch_add(&bounces, is_bounce);
}

static void talk(struct server_peer *p, [[maybe_unused]] void *user)
{
	char line[LINE];
	bool null_sender = false, good = peer_say(p, "220 host\r\n");

	while (good && peer_line(p, line, sizeof line)) {
		if (strncmp(line, "MAIL", 4) == 0)
			null_sender = strstr(line, "<>");
		if (strncmp(line, "RCPT", 4) == 0) {
			good = peer_say(p, on_rcpt(line));
		} else if (strcmp(line, "DATA") == 0) {
			good = peer_say(p, "354 go\r\n");
			take(p, null_sender);
			good = good && peer_say(p, "250 2.0.0 taken\r\n");
		} else {
			good = peer_say(p, strcmp(line, "QUIT") == 0 ? "221 bye\r\n" : "250 host\r\n");
		}
	}
}

static void begin(void)
{
	atomic_store(&healed, false);
	atomic_store(&to_a, 0);
	atomic_store(&to_d, 0);
	atomic_store(&bounces, 0);
	bounce[0] = '\0';
	server_start(&server, "127.0.0.1", talk, NULL);
	relay.port = server.port;
	service_make();
	service.settings.targets = all;
	service.settings.target_count = COUNT(all);
	service.pop3.submission = &relay;
	service.pop3.submission_limit = 5;
	service.pop3.submission_size = 100000;
	service_open(1);
}

static void end(void)
{
	service_end();
	server_stop(&server);
}

static void submit(const char *to, const char *answer)
{
	char text[LINE];

	guest_enters(&g, "clear");
	guest_asks(&g, "XTND XMIT", "+OK");
	(void)snprintf(text, sizeof text, "To: %s\r\nSubject: it\r\n\r\nhello\r\n.\r\n", to);
	guest_send(&g, span_of(text));
	guest_hears(&g, answer);
	guest_leave(&g);
}

static struct held_sums sums(void)
{
	struct held_sums s;

	held_sums(service.store, &s);
	return s;
}

static bool nothing_left(void)
{
	return !sums().waiting && !sums().failed && !submissions_waiting(serve_submissions(service.serve));
}

static bool is_bounced(void)
{
	return atomic_load(&bounces) && sums().waiting < 2 && !submissions_waiting(serve_submissions(service.serve));
}

static void all_have_it([[maybe_unused]] void **state)
{
	begin();
	submit("a@x.example, a2@x.example", "+OK");
	assert_true(nothing_left());
	assert_int_equal(atomic_load(&to_a), 2);
	end();
}

static void nobody_gets_it([[maybe_unused]] void **state)
{
	begin();
	submit("r@x.example, r2@x.example", "-ERR [SYS/PERM] 550");
	assert_true(nothing_left());
	assert_int_equal(atomic_load(&bounces), 0);
	end();
}

static void the_sender_is_told_of_one([[maybe_unused]] void **state)
{
	begin();
	submit("a@x.example, r@x.example", "+OK");
	service_until(nothing_left);
	assert_int_equal(atomic_load(&bounces), 1);
	assert_int_equal(atomic_load(&to_a), 1);
	assert_non_null(strstr(bounce, "\nTo: <bob@"));
	assert_non_null(strstr(bounce, "Final-Recipient: rfc822; r@x.example\n"));
	assert_non_null(strstr(bounce, "Status: 5.1.1\n"));
	assert_null(strstr(bounce, "rfc822; a@"));
	assert_non_null(strstr(bounce, "\nSubject: it\n"));
	end();
}

static void again(void *user)
{
	const struct held_info *info = user;

	must(held_again(service.store, info->id, clock_now_s(), &fixture_err));
	submissions_kick(serve_submissions(service.serve));
}

/* Those that have it never get it again. */
static void those_alone_that_were_deferred([[maybe_unused]] void **state)
{
	struct held_info info = { .id = 0 };
	struct spool *m;
	const char **names;
	size_t count;

	begin();
	submit("a@x.example, d@x.example, r@x.example, d2@x.example", "+OK");
	service_until(is_bounced);
	assert_int_equal(sums().waiting, 1);
	assert_true(held_next(service.store, &info));
	assert_int_equal(strncmp(info.sender, "bob@", 4), 0);
	must(held_load(service.store, info.id, &m, &names, &count, &fixture_err));
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "d@x.example");
	assert_string_equal(names[1], "d2@x.example");
	free(names);
	spool_free(&m);
	atomic_store(&healed, true);
	service_on_home(again, &info);
	service_until(nothing_left);
	assert_int_equal(atomic_load(&to_a), 1);
	assert_int_equal(atomic_load(&to_d), 2);
	assert_int_equal(atomic_load(&bounces), 1);
	end();
}

static uint64_t hold(const char *sender, const char *const *to, size_t count)
{
	int64_t now = clock_now_s();
	const struct held_new what = { .account = "bob", .target = "relay", .sender = sender, .recipients = to, .recipient_count = count,
		.why = "then", .next = now - 1 };
	struct spool *m = spool_new(service.directory, &fixture_err);
	uint64_t id;

	must(m && spool_add(m, SPAN("To: x\r\n\r\nheld\r\n"), &fixture_err));
	must(held_add(service.store, &what, m, now, &id, &fixture_err));
	spool_free(&m);
	return id;
}

static void kick([[maybe_unused]] void *user)
{
	submissions_kick(serve_submissions(service.serve));
}

static bool one_failed(void)
{
	return sums().failed == 1 && !submissions_waiting(serve_submissions(service.serve));
}

static void held_messages_part_too([[maybe_unused]] void **state)
{
	static const char *const to[] = { "r@x.example", "a@x.example", "d@x.example" };
	struct held_info info;
	uint64_t id;

	begin();
	id = hold("bob@example.org", to, COUNT(to));
	service_on_home(kick, NULL);
	service_until(is_bounced);
	assert_true(held_get(service.store, id, &info));
	assert_int_equal(info.recipient_count, 1);
	assert_int_equal(info.state, HELD_WAITING);
	assert_int_equal(info.attempts, 2);
	atomic_store(&healed, true);
	service_on_home(again, &info);
	service_until(nothing_left);
	assert_true(atomic_load(&to_a) == 1 && atomic_load(&to_d) == 1 && atomic_load(&bounces) == 1);
	end();
}

/* A held message that all refuse goes back; a bounce that is refused stays for a person. */
static void refused_later([[maybe_unused]] void **state)
{
	static const char *const to[] = { "r@x.example" };
	struct held_info info;
	uint64_t id;

	begin();
	(void)hold("bob@example.org", to, 1);
	service_on_home(kick, NULL);
	service_until(nothing_left);
	assert_int_equal(atomic_load(&bounces), 1);
	id = hold("", to, 1);
	service_on_home(again, &(struct held_info){ .id = id });
	service_until(one_failed);
	assert_true(held_get(service.store, id, &info));
	assert_int_equal(info.state, HELD_FAILED);
	assert_non_null(strstr(info.why, "r@x.example: 550"));
	assert_int_equal(atomic_load(&bounces), 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_have_it),
		cmocka_unit_test(nobody_gets_it),
		cmocka_unit_test(the_sender_is_told_of_one),
		cmocka_unit_test(those_alone_that_were_deferred),
		cmocka_unit_test(held_messages_part_too),
		cmocka_unit_test(refused_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
