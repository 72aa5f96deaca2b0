/* SPDX-License-Identifier: Apache-2.0 */
#include "net/test_local.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 4096 };

const struct local_settings local_server_usual = {
	.most = 64, .line_max = 1000, .line_ms = 60000, .idle_ms = 60000, .full = "full\n", .overlong = "overlong\n",
};

struct guest {
	struct local_server *server;
	struct local_peer *peer;
	uint64_t expected, left, sum, much;
};

static void say(struct guest *g, const char *text)
{
	local_say(g->peer, span_of(text));
}

static void *came(void *user, struct local_peer *p)
{
	struct local_server *s = user;
	struct guest *g = calloc(1, sizeof *g);

	assert(g && local_process(p) > 0);
	s->came++;
	*g = (struct guest){ .server = s, .peer = p };
	return g;
}

static void use_fd(struct guest *g, int fd)
{
	if (fd >= 0)
		assert(write(fd, "hello", 5) == 5);
	say(g, fd < 0 ? "no fd\n" : "fd\n");
}

static void drained(void *user)
{
	static const char x[PIECE] = { 0 };
	struct guest *g = user;
	size_t n = g->much < PIECE ? (size_t)g->much : PIECE;

	g->much -= n;
	if (n)
		local_say(g->peer, (struct span){ x, n });
}

static void release(void *user)
{
	struct local_server *s = user;

	if (s->held)
		local_pause(s->held, false);
	s->held = NULL;
}

static void line(void *user, struct span text, int fd)
{
	struct guest *g = user;
	char answer[1200];
	uint64_t n;

	if (span_starts(text, SPAN("expect ")) && span_number(span_from(text, 7), UINT32_MAX, &n)) {
		g->expected = g->left = n;
		g->sum = 0;
		local_expect(g->peer, n);
	} else if (span_starts(text, SPAN("much ")) && span_number(span_from(text, 5), UINT32_MAX, &n)) {
		g->much = n;
		drained(g);
	} else if (span_equal(text, SPAN("fd"))) {
		use_fd(g, fd);
	} else if (span_equal(text, SPAN("bye"))) {
		say(g, "bye\n");
		local_end(g->peer, true);
	} else {
		if (span_equal(text, SPAN("busy")) || span_equal(text, SPAN("idle")))
			local_busy(g->peer, text.at[0] == 'b');
		if (span_equal(text, SPAN("hold"))) {
			g->server->held = g->peer;
			local_pause(g->peer, true);
			timer_set(g->server->release, HOLD_MS, 0);
		}
		(void)snprintf(answer, sizeof answer, "got %zu %.*s\n", text.len, (int)text.len, text.at);
		say(g, answer);
	}
	if (fd >= 0)
		(void)close(fd);
}

static void octets(void *user, struct span piece)
{
	struct guest *g = user;
	char answer[80];

	assert(piece.len <= g->left);
	g->left -= piece.len;
	for (size_t i = 0; i < piece.len; i++)
		g->sum += (unsigned char)piece.at[i];
	(void)snprintf(answer, sizeof answer, "took %llu %llu\n", (unsigned long long)g->expected, (unsigned long long)g->sum);
	if (!g->left)
		say(g, answer);
}

static void over(void *user)
{
	struct guest *g = user;

	g->server->over++;
	local_end(g->peer, true);
}

static void gone(void *user)
{
	struct guest *g = user;

	if (g->server->held == g->peer)
		g->server->held = NULL;
	g->server->gone++;
	free(g);
}

static void stop(void *user)
{
	struct local_server *s = user;

	local_free(&s->local);
	timer_stop(s->release);
}

static void *run(void *user)
{
	struct local_server *s = user;
	const struct local_user u = { came, line, octets, drained, over, gone, s };
	struct err e;

	s->loop = loop_new(&e);
	assert(s->loop);
	s->stop = wake_new(s->loop, stop, s, &e);
	s->release = timer_new(s->loop, release, s);
	assert(s->stop && s->release);
	s->local = local_new(s->loop, s->path, &s->settings, &u, &s->why);
	(void)pthread_barrier_wait(&s->begun);
	loop_run(s->loop);
	wake_free(&s->stop);
	timer_free(&s->release);
	loop_free(&s->loop);
	return NULL;
}

bool local_server_try(struct local_server *s, const char *path, const struct local_settings *settings)
{
	*s = (struct local_server){ .path = path, .settings = *settings };
	assert(pthread_barrier_init(&s->begun, NULL, 2) == 0);
	assert(pthread_create(&s->thread, NULL, run, s) == 0);
	(void)pthread_barrier_wait(&s->begun);
	if (s->local)
		return true;
	(void)pthread_join(s->thread, NULL);
	(void)pthread_barrier_destroy(&s->begun);
	return false;
}

void local_server_start(struct local_server *s, const char *path, const struct local_settings *settings)
{
	bool good = local_server_try(s, path, settings);

	if (!good)
		(void)fprintf(stderr, "%s\n", s->why.text);
	assert(good);
}

void local_server_stop(struct local_server *s)
{
	wake_send(s->stop);
	(void)pthread_join(s->thread, NULL);
	(void)pthread_barrier_destroy(&s->begun);
}
