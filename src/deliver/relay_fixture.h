/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of relays: a server in a thread that does what a plan says, and a
 * relay to it.  `trial` makes both, `give` sends a mail, `run` waits until all that
 * were given are done, trial_end leaves nothing behind. */
#pragma once

#include "store/fixture.h"

#include <stdatomic.h>

#include "deliver/relay.h"
#include "net/test_pki.h"
#include "net/test_server.h"

enum { PATIENCE_MS = 60000, MAILS = 8, LINE = 1024, TAKEN_MAX = 8 << 20 };

/* What the server does with its connection number n (from 0), and what it got. */
struct plan {
	const char *capabilities;	/* lines of EHLO's answer behind the first */
	const char *to_rcpt, *to_message, *to_auth;	/* NULL: 250; "" cuts the connection */
	const char *to_carla;		/* RCPT of hers; NULL: as of all */
	bool lmtp;
	bool gone_after_first;		/* the first connection ends behind its first message */
	bool turned_away;
	bool twice;			/* a message is answered twice, at once */
	SSL_CTX *tls;			/* for STARTTLS */
	atomic_uint connections, messages, rsets, logins, quits;
	char *taken;			/* the last message, as it is behind the dots */
	size_t taken_len;
	bool secure;
};

static inline bool answer(struct server_peer *p, const char *text)
{
	return !(text && !*text) && peer_say(p, text ? text : "250 2.0.0 ok\r\n");
}

/* False: it has no end. */
static inline bool take_data(struct server_peer *p, struct plan *s)
{
	static char line[LINE];
	size_t len;

	s->taken_len = 0;
	while (peer_line(p, line, sizeof line)) {
		if (strcmp(line, ".") == 0)
			return true;
		const char *text = line + (line[0] == '.');

		len = strlen(text);
		assert_true(s->taken_len + len + 2 < TAKEN_MAX);
		memcpy(s->taken + s->taken_len, text, len);
		memcpy(s->taken + s->taken_len + len, "\r\n", 2);
		s->taken_len += len + 2;
	}
	return false;
}

static inline void take_chunk(struct server_peer *p, struct plan *s, size_t len)
{
	assert_true(len < TAKEN_MAX);
	for (s->taken_len = 0; s->taken_len < len;) {
		size_t n = peer_read(p, s->taken + s->taken_len, len - s->taken_len);

		if (!n)
			return;
		s->taken_len += n;
	}
}

/* False: the connection is to end. */
static inline bool on_message(struct server_peer *p, struct plan *s)
{
	(void)atomic_fetch_add(&s->messages, 1);
	if (s->to_message && !*s->to_message)
		return false;
	return (!s->twice || answer(p, "250 2.0.0 ok\r\n250 2.0.0 ok\r\n")) && (s->twice || answer(p, s->to_message)) && !(s->gone_after_first && atomic_load(&s->messages) == 1);
}

static inline bool on_line(struct server_peer *p, struct plan *s, const char *line)
{
	struct span text = span_of(line);

	if (span_starts(text, s->lmtp ? SPAN("LHLO ") : SPAN("EHLO ")))
		return peer_say(p, "250-host\r\n") && peer_say(p, s->tls && !s->secure ? "250-STARTTLS\r\n" : "") && peer_say(p, s->capabilities);
	if (span_starts(text, SPAN("RCPT ")))
		return answer(p, s->to_carla && strstr(line, "<carla") ? s->to_carla : s->to_rcpt);
	if (span_starts(text, SPAN("DATA"))) {
		if (!peer_say(p, "354 go\r\n"))
			return false;
		return take_data(p, s) && on_message(p, s);
	}
	if (span_starts(text, SPAN("BDAT "))) {
		take_chunk(p, s, (size_t)strtoul(line + 5, NULL, 10));
		return on_message(p, s);
	}
	if (span_equal(text, SPAN("STARTTLS"))) {
		s->secure = peer_say(p, "220 go\r\n") && peer_tls(p, s->tls);
		return s->secure;
	}
	if (span_starts(text, SPAN("AUTH ")) && s->to_auth)
		return *s->to_auth && peer_say(p, s->to_auth);
	if (span_starts(text, SPAN("AUTH "))) {
		assert_string_equal(line, "AUTH PLAIN AGFubmEAZ2VoZWlt");
		(void)atomic_fetch_add(&s->logins, 1);
		return peer_say(p, "235 2.7.0 ok\r\n");
	}
	(void)atomic_fetch_add(&s->rsets, span_equal(text, SPAN("RSET")));
	if (span_equal(text, SPAN("QUIT"))) {
		(void)atomic_fetch_add(&s->quits, 1);
		(void)peer_say(p, "221 bye\r\n");
		return false;
	}
	return answer(p, NULL);
}

static inline void talk(struct server_peer *p, void *user)
{
	struct plan *s = user;
	char line[LINE];

	(void)atomic_fetch_add(&s->connections, 1);
	s->secure = false;
	if (!peer_say(p, s->turned_away ? "421 4.3.2 full\r\n" : "220 host\r\n") || s->turned_away)
		return;
	while (peer_line(p, line, sizeof line) && on_line(p, s, line))
		continue;
}

/* ---- our side */

struct trial {
	struct loop *loop;
	struct timer *patience;
	struct relay *relay;
	struct relay_settings with;
	struct back_off back_off;
	struct server server;
	struct plan *plan;
	const char *directory;
	unsigned wanted, done;
	struct relay_result results[MAILS][2];		/* in the order in which they came */
};

static const char *const recipients[] = { "bert@example.org", "carla@example.net" };

static inline void too_late([[maybe_unused]] void *user)
{
	fail_msg("what was waited for did not happen");
}

static inline struct trial *trial(struct plan *plan, uint16_t port)
{
	struct trial *t = calloc(1, sizeof *t);

	assert_non_null(t);
	t->plan = plan;
	plan->taken = malloc(TAKEN_MAX);
	t->directory = fixture_directory();
	server_start(&t->server, "127.0.0.1", talk, plan);
	t->loop = loop_new(&fixture_err);
	must(t->loop);
	t->patience = timer_new(t->loop, too_late, NULL);
	timer_background(t->patience);	/* mails keep the loop alive by themselves */
	timer_set(t->patience, PATIENCE_MS, 0);
	t->with = (struct relay_settings){ .back_off = &t->back_off,
		.server = { .host = "127.0.0.1", .port = port ? port : t->server.port, .connect_timeout_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS },
		.login = { .name = "me.example", .lmtp = plan->lmtp }, .parallel = 1,
	};
	t->relay = relay_new(t->loop, &t->with, &fixture_err);
	must(t->relay);
	return t;
}

static inline void stop(void *user)
{
	loop_stop(user);
}

static inline void settle_for(struct trial *t, uint64_t ms)
{
	struct timer *soon = timer_new(t->loop, stop, t->loop);

	timer_set(soon, ms, 0);
	loop_run(t->loop);
	timer_free(&soon);
}

/* Lets what was cut be told. */
static inline void settle(struct trial *t)
{
	settle_for(t, 20);
}

static inline void trial_end(struct trial *t)
{
	relay_free(&t->relay);
	settle(t);
	server_stop(&t->server);
	timer_free(&t->patience);
	loop_free(&t->loop);
	fixture_remove(t->directory);
	free(t->plan->taken);
	free(t);
}

static inline void on_done(void *user, const struct relay_result *results, size_t count)
{
	struct trial *t = user;

	memcpy(t->results[t->done++], results, count * sizeof *results);
	if (t->done == t->wanted)
		loop_stop(t->loop);
}

static inline struct spool *message(struct trial *t, struct span text)
{
	struct spool *s = spool_new(t->directory, &fixture_err);

	must(s && spool_add(s, text, &fixture_err));
	return s;
}

static inline void give(struct trial *t, const struct spool *s, size_t count)
{
	relay_send(t->relay, &(struct relay_ask){ .message = s, .sender = "anna@example.org", .recipients = recipients,
			.recipient_count = count, .done = on_done, .user = t });
	t->wanted++;
}

/* One that has to be released. */
static inline void give_holding(struct trial *t, const struct spool *s, const void *holds)
{
	relay_send(t->relay, &(struct relay_ask){ .message = s, .sender = "anna@example.org", .recipients = recipients,
			.recipient_count = 1, .done = on_done, .user = t, .holds = holds });
	t->wanted++;
}

static inline void run(struct trial *t)
{
	if (t->done < t->wanted)
		loop_run(t->loop);
	assert_int_equal(t->done, t->wanted);
}
