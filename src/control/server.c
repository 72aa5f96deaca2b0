/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "control/request.h"
#include "net/local.h"

enum { LINE_MS = 30 * 1000, IDLE_MS = 15 * 60 * 1000, UNSENT_MAX = 256 * 1024 };

struct control_server {
	struct api *api;
	struct local *socket;
	struct client *clients;
};

struct turn {			/* one request, until its answer was said */
	struct turn *next;
	struct client *client;
	struct request request;
	struct api_call *call;	/* NULL: it could not be read, or waits for those before */
	int fd;			/* until then; -1 = none */
	bool said;		/* the line; octets may follow */
	bool waits, together;
	struct err why;
};

struct client {
	struct control_server *server;
	struct client *next, **at;
	struct local_peer *peer;
	struct turn *first, **last;
	size_t count;
	struct turn *taking;	/* octets behind its request are still to come */
	bool waits;		/* the last request, for the answers to those before */
	bool leaving, over;	/* leaving: the last answer is the last word */
};

static void turn_free(struct turn *t)
{
	api_end(&t->call);
	if (t->fd >= 0)
		(void)close(t->fd);
	request_end(&t->request);
	free(t);
}

/* The answer's line.  False: it could not be said, and the client has ended. */
static bool say(struct turn *t)
{
	const struct err *why = t->call ? api_error(t->call) : &t->why;
	struct err late;
	struct buf line;
	bool good;

	buf_start(&line, REQUEST_MAX + 64);
	if (!why && !reply_write(&line, (json_t *)(uintptr_t)api_reply(t->call), api_octets(t->call), &late))
		why = &late;	/* octets would follow a line that announces none */
	good = !why || (reply_write_error(&line, why) && (!t->call || !api_octets(t->call)));
	if (good)
		local_say(t->client->peer, buf_span(&line));
	else
		local_end(t->client->peer, false);
	t->said = true;
	buf_wipe(&line);
	return good;
}

/* False: more is to be given when what was said is gone, or the client has ended. */
static bool give(struct turn *t)
{
	struct local_peer *peer = t->client->peer;
	struct buf piece;
	struct err e;
	bool good = true;

	buf_start(&piece, API_PIECE);
	while (good && t->call && api_octets(t->call) && local_unsent(peer) < UNSENT_MAX) {
		good = api_give(t->call, &piece, &e);
		if (good)
			local_say(peer, buf_span(&piece));
		piece.len = 0;
	}
	buf_end(&piece);
	if (good)
		return !t->call || !api_octets(t->call);
	log_warn(NULL, "control: %s", e.text);
	local_end(peer, false);		/* that the octets end early is all that can be said now */
	return false;
}

static bool done(const struct turn *t)
{
	return t->call ? api_done(t->call) && !api_wants(t->call) : !t->waits;
}

static void answered(void *user, struct api_call *call);

/* Its octets come next, if it has any: behind its line nothing was read. */
static void begin(struct turn *t)
{
	struct client *c = t->client;
	const struct api_asker who = { .answered = answered, .user = t, .octets = t->request.octets, .fd = t->fd };

	t->waits = c->waits = false;
	t->call = api_ask(c->server->api, t->request.op, t->request.args, &who);
	t->fd = -1;
	if (api_notable(t->call))
		log_info(NULL, "control: %s by process %ld%s", t->request.op, (long)local_process(c->peer),
			api_done(t->call) && api_error(t->call) ? ": refused" : "");
	local_expect(c->peer, t->request.octets);
	c->taking = t->request.octets ? t : NULL;
}

/* Nothing new is read while there is enough to do. */
static void set_pause(struct client *c)
{
	bool full = c->taking && api_full(c->taking->call), giving = c->first && c->first->said;

	local_busy(c->peer, c->first && !c->taking);
	local_pause(c->peer, full || giving || c->waits || c->leaving || c->count >= CONTROL_WINDOW || local_unsent(c->peer) >= UNSENT_MAX);
}

/* Answers go out in the order of the requests. */
static void flush(struct client *c)
{
	while (c->first) {
		struct turn *t = c->first;

		if (t->waits)
			begin(t);
		if (!done(t) || (!t->said && !say(t)) || !give(t))
			break;
		c->first = t->next;
		if (!c->first)
			c->last = &c->first;
		c->count--;
		turn_free(t);
	}
	if (!c->first && (c->leaving || c->over))
		local_end(c->peer, true);
	set_pause(c);
}

static void answered(void *user, [[maybe_unused]] struct api_call *call)
{
	struct turn *t = user;

	flush(t->client);
}

/* Beside those before it, or only behind them? */
static bool may_begin(const struct client *c, const struct turn *t)
{
	for (const struct turn *before = c->first; before != t; before = before->next)
		if (!before->together || !t->together || before->waits)
			return false;
	return true;
}

static void line(void *user, struct span text, int fd)
{
	struct client *c = user;
	struct turn *t = calloc(1, sizeof *t);

	if (!t) {
		if (fd >= 0)
			(void)close(fd);
		local_end(c->peer, false);
		return;
	}
	*t = (struct turn){ .client = c, .fd = fd };
	*c->last = t;
	c->last = &t->next;
	c->count++;
	if (request_read(text, &t->request, &t->why)) {
		t->together = api_together(t->request.op);
		t->waits = c->waits = true;
		if (may_begin(c, t))
			begin(t);
	} else {
		c->leaving = true;
	}
	flush(c);
}

static void octets(void *user, struct span piece)
{
	struct client *c = user;

	assert(c->taking);
	api_take(c->taking->call, piece);
	if (!api_wants(c->taking->call))
		c->taking = NULL;
	flush(c);
}

static void drained(void *user)
{
	flush(user);
}

static void over(void *user)
{
	struct client *c = user;

	c->over = true;
	flush(c);
}

static void gone(void *user)
{
	struct client *c = user;

	while (c->first) {
		struct turn *t = c->first;

		c->first = t->next;
		turn_free(t);
	}
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	free(c);
}

static void *came(void *user, struct local_peer *p)
{
	struct control_server *s = user;
	struct client *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	*c = (struct client){ .server = s, .next = s->clients, .at = &s->clients, .peer = p, .last = &c->first };
	if (c->next)
		c->next->at = &c->next;
	s->clients = c;
	return c;
}

struct control_server *control_server_new(struct loop *l, struct api *api, const char *state, struct err *e)
{
	static const struct local_settings settings = {
		.most = CONTROL_CLIENTS, .line_max = REQUEST_MAX, .line_ms = LINE_MS, .idle_ms = IDLE_MS,
		.full = "{\"v\":1,\"error\":{\"kind\":\"busy\",\"text\":\"the control socket has 32 clients already; try again\"}}\n",
		.overlong = "{\"v\":1,\"error\":{\"kind\":\"peer\",\"text\":\"the request has more than 1048576 octets\"}}\n",
	};
	struct control_server *s = calloc(1, sizeof *s);
	char *path = NULL;

	static_assert(CONTROL_CLIENTS == 32 && REQUEST_MAX == 1048576, "as the texts say");
	if (!s || asprintf(&path, "%s/control", state) < 0) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		free(s);
		return NULL;
	}
	s->api = api;
	s->socket = local_new(l, path, &settings,
		&(struct local_user){ .came = came, .line = line, .octets = octets, .drained = drained, .over = over, .gone = gone, .user = s }, e);
	free(path);
	if (s->socket)
		return s;
	free(s);
	return NULL;
}

void control_server_turn(struct control_server *s)
{
	for (struct client *c = s ? s->clients : NULL; c; c = c->next)
		set_pause(c);
}

void control_server_free(struct control_server **out)
{
	struct control_server *s = *out;

	if (!s)
		return;
	*out = NULL;
	local_free(&s->socket);
	assert(!s->clients);
	free(s);
}
