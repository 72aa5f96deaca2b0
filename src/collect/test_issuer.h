/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of tokens: an issuer on loopback that says what its rows say, a keeper of refresh tokens that may fail, a clock.
 *
 *     world_begin(&w, rows, count) … world_ask(&w); loop_run(w.loop) … world_end(&w)
 * Row n answers request n; more requests than rows fail the test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "collect/tokens.h"
#include "net/test_server.h"

enum { ASKED_MAX = 8, HEARD_MAX = 16 };

struct issuer_row {
	const char *status;	/* "200 OK"; NULL: it closes without an answer */
	const char *more;	/* of the header: "Retry-After: 7\r\n" */
	const char *body;
};

struct heard {
	char token[64];
	struct err why;
};

struct token_world {
	struct loop *loop;
	struct server server;
	const struct issuer_row *rows;
	size_t row_count;
	atomic_size_t asked;
	char forms[ASKED_MAX][256];
	struct connection connection;
	char url[64];
	struct tokens *tokens;
	struct tokens_wait *waits[HEARD_MAX];
	struct heard heard[HEARD_MAX];
	size_t asks, told;
	/* the keeper: used by jobs */
	char kept[64];		/* "": none */
	atomic_bool cannot_save;
	atomic_uint loads, saves;
	size_t told_at_save;	/* so many had been told when the last save began */
};

extern int64_t world_now;

static bool world_load(void *user, const char *name, struct buf *token, struct err *e)
{
	struct token_world *w = user;

	assert_string_equal(name, "oauth:box");
	(void)atomic_fetch_add(&w->loads, 1);
	return w->kept[0] ? buf_add(token, span_of(w->kept)) : err_set(e, ERR_CONFIG, "there is no secret oauth:box");
}

static bool world_save(void *user, const char *name, struct span token, struct err *e)
{
	struct token_world *w = user;

	assert_string_equal(name, "oauth:box");
	(void)atomic_fetch_add(&w->saves, 1);
	w->told_at_save = w->told;
	if (atomic_load(&w->cannot_save))
		return err_set(e, ERR_LOCAL, "the disk is full");
	assert_true(token.len < sizeof w->kept);
	(void)snprintf(w->kept, sizeof w->kept, "%.*s", (int)token.len, token.at);
	return true;
}

static int64_t world_clock(void)
{
	return world_now;
}

static bool world_request(struct server_peer *p, char *form, size_t size)
{
	uint64_t length = 0;
	size_t used = 0, got;
	char line[1024], body[8192];

	do {
		if (!peer_line(p, line, sizeof line))
			return false;
		if (span_starts_nocase(span_of(line), SPAN("Content-Length:")))
			assert_true(span_number(span_trim(span_from(span_of(line), 15)), sizeof body - 1, &length));
	} while (line[0]);
	for (; used < length; used += got) {
		got = peer_read(p, body + used, length - used);
		if (!got)
			return false;
	}
	body[used] = '\0';
	(void)snprintf(form, size, "%s", body);
	return true;
}

static void world_talk(struct server_peer *p, void *user)
{
	struct token_world *w = user;
	char form[256], answer[2048];

	while (world_request(p, form, sizeof form)) {
		size_t n = atomic_load(&w->asked);
		const struct issuer_row *r = &w->rows[n];

		assert_true(n < w->row_count && n < ASKED_MAX);
		memcpy(w->forms[n], form, sizeof form);
		atomic_store(&w->asked, n + 1);
		if (!r->status)
			return;
		(void)snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", r->status, r->more ? r->more : "", strlen(r->body), r->body);
		if (!peer_say(p, answer))
			return;
	}
}

static void world_done(void *user, struct span token, const struct err *why)
{
	struct token_world *w = user;
	struct heard *h = &w->heard[w->told++];

	assert_true(!token.len == (why != NULL));
	(void)snprintf(h->token, sizeof h->token, "%.*s", (int)token.len, token.at ? token.at : "");
	h->why = why ? *why : (struct err){ 0 };
}

static inline void world_begin(struct token_world *w, enum oauth_flow flow, const struct issuer_row *rows, size_t count)
{
	struct err e;

	*w = (struct token_world){ .rows = rows, .row_count = count, .kept = "refresh-1" };
	w->loop = loop_new(&e);
	assert_non_null(w->loop);
	server_start(&w->server, "127.0.0.1", world_talk, w);
	(void)snprintf(w->url, sizeof w->url, "http://127.0.0.1:%u/token", w->server.port);
	w->connection = (struct connection){ .name = "box", .has_oauth = true, .oauth = { .flow = flow, .token_url = w->url, .client_id = "us",
		.client_secret = { flow == OAUTH_CLIENT_CREDENTIALS ? SECRET_LITERAL : SECRET_NONE, flow == OAUTH_CLIENT_CREDENTIALS ? "hush" : NULL } } };
	w->tokens = tokens_new(&(struct tokens_with){ .loop = w->loop, .load = world_load, .save = world_save, .user = w, .now = world_clock }, &e);
	assert_non_null(w->tokens);
	world_now = 1000000;
}

static inline void world_ask(struct token_world *w)
{
	struct err e;

	assert_true(w->asks < HEARD_MAX);
	w->waits[w->asks] = tokens_get(w->tokens, &w->connection, world_done, w, &e);
	assert_non_null(w->waits[w->asks++]);
}

/* Asks once and waits for it; what was heard. */
static inline const struct heard *world_one(struct token_world *w)
{
	size_t before = w->told;

	world_ask(w);
	assert_int_equal(w->told, before);
	loop_run(w->loop);
	assert_int_equal(w->told, before + 1);
	return &w->heard[before];
}

static inline void world_end(struct token_world *w)
{
	for (size_t n = 0; n < w->asks; n++)
		tokens_end(&w->waits[n]);
	assert_int_equal(atomic_load(&w->asked), w->row_count);
	tokens_free(&w->tokens);
	loop_run(w->loop);
	loop_free(&w->loop);
	server_stop(&w->server);
}
