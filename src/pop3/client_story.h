/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the client: one conversation as a row, told as a story.
 *
 * `peer` is all that the server says; STEP (octet 1) in it is where a server
 * has to wait: there the harness secures the line or answers a SASL step (the
 * next of `answers`, parted by '|'; "!" cancels, "!!" cancels as a false
 * proof, a verified end is an empty answer).  At P3C_READY everything in
 * `ask` is asked: "s" STAT, "u" UIDL, "l" LIST, "r5" RETR, "t5" TOP 5 0, "d5"
 * DELE, "q" QUIT.  The story has one clause an event; octets of a message stand
 * as they are; `sent` is all that the client said.  A NULL is not compared.
 * story_run tells it at once, cut in two at every place, and byte by byte:
 * always the same.  `other` is a second story that a cut may tell. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "pop3/client.h"

#define STEP "\1"
#define OK "+OK\r\n"
#define ERR "-ERR\r\n"
#define HI "+OK hi\r\n"
/* To P3C_READY over a protected line: without CAPA, and with pipelining. */
#define PLAINLY HI ERR OK OK
#define PIPES "+OK\r\nUSER\r\nPIPELINING\r\n.\r\n"
#define PIPELINED HI PIPES OK OK PIPES

enum {
	CLEAR_LINE = 1,		/* no implicit TLS */
	STLS = 2, STLS_REQUIRED = 4 | STLS, CLEAR_ALLOWED = 8, BINDING = 16, LOCKSTEP = 32, LISTED = 64,
	NO_CAPA = 128, ASK_AUTH = 256, NO_STAMP = 512, EOF_AT_END = 1024, AHEAD = 2048
};

struct story_row {
	const char *name;
	unsigned how;
	const char *mechs;		/* NULL: "user" */
	struct span peer;
	const char *ask, *answers;
	const char *want, *other, *why, *sent;
	const char *user;		/* NULL: "anna" */
	struct span password;		/* empty: "s3cret" */
};

struct story {
	const struct story_row *row;
	struct p3c *s;
	struct buf told, sent;
	const char *answers;
	enum sasl_mech mechs[SASL_MECHS];
	struct p3c_login login;
	bool tls, sasl, last, by_byte;
};

static inline void story_ask(struct story *t)
{
	const char *p = t->row->ask;

	while (p && *p && p3c_can_ask(t->s)) {
		char verb = *p++;
		char *end;
		uint32_t number = (uint32_t)strtoul(p, &end, 10);

		p = end;
		switch (verb) {
		case 's': p3c_stat(t->s); break;
		case 'u': p3c_uidl(t->s); break;
		case 'l': p3c_list(t->s); break;
		case 'r': p3c_retr(t->s, number); break;
		case 't': p3c_top(t->s, number, 0); break;
		case 'd': p3c_dele(t->s, number); break;
		case 'q': p3c_quit(t->s); break;
		}
	}
}

static inline const char *story_verb(enum p3c_verb verb)
{
	static const char *const names[] = { "", "STAT", "UIDL", "LIST", "RETR", "TOP", "DELE", "QUIT" };

	return names[verb];
}

static inline void story_sasl(struct story *t, const struct p3c_event *ev)
{
	t->sasl = true;
	t->last = ev->last;
	assert_true(buf_printf(&t->told, "sasl %s%s%s", sasl_mech_name(ev->mech), ev->first ? " first" : "", ev->last ? " last" : ""));
	if (ev->text.len)
		assert_true(buf_printf(&t->told, " [%.*s]", (int)ev->text.len, ev->text.at));
	assert_true(buf_add(&t->told, SPAN(";")));
}

static inline bool story_number(struct story *t, const char *what, uint32_t number, const char *end)
{
	return buf_printf(&t->told, "%s %u%s", what, number, end);
}

static inline bool story_event(struct story *t, const struct p3c_event *ev)
{
	struct buf *b = &t->told;

	switch (ev->what) {
	case P3C_TLS:
		t->tls = true;
		return buf_add(b, SPAN("tls;"));
	case P3C_SASL:
		story_sasl(t, ev);
		return true;
	case P3C_READY:
		story_ask(t);
		return buf_add(b, SPAN("ready;"));
	case P3C_STAT:
		return buf_printf(b, "stat %u %llu;", ev->number, (unsigned long long)ev->size);
	case P3C_UID:
		return story_number(t, "uid", ev->number, " [") && buf_add(b, ev->text) && buf_add(b, SPAN("];"));
	case P3C_SIZE:
		return buf_printf(b, "size %u %llu;", ev->number, (unsigned long long)ev->size);
	case P3C_LISTED:
		return buf_printf(b, "listed %s;", story_verb(ev->verb));
	case P3C_BEGIN:
		return story_number(t, "begin", ev->number, ":");
	case P3C_BODY:
		assert_true(ev->number && ev->text.len);
		return buf_add(b, ev->text);
	case P3C_END:
		return story_number(t, "end", ev->number, ";");
	case P3C_DELETED:
		return story_number(t, "deleted", ev->number, ";");
	case P3C_REFUSED:
		return buf_printf(b, "refused %s %u %s [%.*s];", story_verb(ev->verb), ev->number, err_kind_name(ev->kind),
			(int)ev->text.len, ev->text.at);
	case P3C_BYE:
		return buf_add(b, ev->good ? SPAN("bye good;") : SPAN("bye;"));
	case P3C_FAILED:
		return buf_printf(b, "failed %s;", err_kind_name(p3c_error(t->s)->kind));
	case P3C_NOTHING:
		break;
	}
	return false;
}

static inline void story_send(struct story *t)
{
	struct span out;

	while ((out = p3c_out(t->s)).len) {
		if (t->by_byte && out.len > 1)
			out.len /= 2;
		assert_true(buf_add(&t->sent, out));
		p3c_sent(t->s, out.len);
	}
}

static inline void story_drain(struct story *t)
{
	struct p3c_event ev;

	while (p3c_next(t->s, &ev) != P3C_NOTHING)
		assert_true(story_event(t, &ev));
	assert_int_equal(p3c_unread(t->s), 0);
	story_send(t);
}

static inline void story_answer(struct story *t)
{
	static const struct err no = { ERR_PEER, "the caller cannot" }, liar = { ERR_AUTH, "the proof is false" };
	struct span answer = span_of(t->answers ? t->answers : "");

	t->sasl = false;
	if (t->answers) {
		answer.len = span_find(answer, '|');
		t->answers += answer.len + (t->answers[answer.len] == '|');
	}
	if (span_equal(answer, SPAN("!!")))
		p3c_sasl_cancel(t->s, true, &liar);
	else if (span_equal(answer, SPAN("!")))
		p3c_sasl_cancel(t->s, false, &no);
	else
		p3c_sasl_answer(t->s, answer);
	story_drain(t);
}

/* The server has said what it had to say for now. */
static inline void story_settle(struct story *t)
{
	if (t->tls) {
		t->tls = false;
		p3c_secured(t->s);
		story_drain(t);
	}
	while (t->sasl)
		story_answer(t);
}

static inline void story_feed(struct story *t, const char *at, size_t len)
{
	char *copy = malloc(len ? len : 1);	/* so that a sanitizer sees a step over the end */

	memcpy(copy, at, len);
	p3c_feed(t->s, (struct span){ copy, len });
	story_drain(t);
	free(copy);
}

static inline void story_start(struct story *t, const struct story_row *r)
{
	struct span mechs = span_of(r->mechs ? r->mechs : "user"), name;
	struct p3c_login *l = &t->login;

	*t = (struct story){ .row = r, .answers = r->answers, .s = malloc(p3c_size()) };
	buf_start(&t->told, 1 << 24);
	buf_start(&t->sent, 1 << 24);
	*l = (struct p3c_login){
		.user = r->user ? r->user : "anna", .password = r->password.len ? r->password : SPAN("s3cret"),
		.mechs = t->mechs, .detect_capa = !(r->how & NO_CAPA), .detect_auth = r->how & ASK_AUTH,
		.detect_greeting = !(r->how & NO_STAMP), .secure = !(r->how & (CLEAR_LINE | STLS)), .stls = r->how & STLS,
		.stls_required = (r->how & STLS_REQUIRED) == STLS_REQUIRED, .clear_allowed = r->how & CLEAR_ALLOWED,
		.channel_binding = r->how & BINDING, .lockstep = r->how & LOCKSTEP, .ahead = r->how & AHEAD, .listed = r->how & LISTED,
	};
	while (span_word(&mechs, &name))
		assert_true(sasl_mech_parse(name, &t->mechs[l->mech_count++]));
	p3c_start(t->s, l);
	story_drain(t);
}

/* `cut`: a place in peer where the octets are parted. */
static inline void story_play(struct story *t, struct span peer, size_t cut)
{
	size_t from = 0;

	for (size_t n = 0; n <= peer.len; n++) {
		bool step = n == peer.len || peer.at[n] == *STEP;

		if (!step && n != cut && !t->by_byte)
			continue;
		story_feed(t, peer.at + from, n - from);
		from = n;
		if (step) {
			story_settle(t);
			from++;
		}
	}
	if (t->row->how & EOF_AT_END) {
		p3c_eof(t->s);
		story_drain(t);
	}
}

static inline void story_end(struct story *t)
{
	p3c_end(t->s);
	free(t->s);
	buf_end(&t->told);
	buf_end(&t->sent);
}

static inline void story_is(const struct story *t, size_t cut)
{
	const struct story_row *r = t->row;
	const char *why = p3c_error(t->s)->text;
	bool told = !r->want || span_equal(buf_span(&t->told), span_of(r->want)) ||
		(r->other && span_equal(buf_span(&t->told), span_of(r->other)));

	if (!told)
		fail_msg("%s (cut %zu): \"%.*s\"\nis not \"%s\"\n%s", r->name, cut, (int)t->told.len, t->told.at, r->want, why);
	if (r->sent && !span_equal(buf_span(&t->sent), span_of(r->sent)))
		fail_msg("%s (cut %zu): sent \"%.*s\"\nnot \"%s\"\n%s", r->name, cut, (int)t->sent.len, t->sent.at, r->sent, why);
	if (r->why && !strstr(why, r->why))
		fail_msg("%s (cut %zu): error \"%s\" has no \"%s\"", r->name, cut, why, r->why);
	if (strstr(why, "s3cret"))
		fail_msg("%s: the password is in \"%s\"", r->name, why);
}

static inline void story_once(const struct story_row *r, size_t cut, bool by_byte)
{
	struct story t;

	story_start(&t, r);
	t.by_byte = by_byte;
	story_play(&t, r->peer, cut);
	story_is(&t, cut);
	story_end(&t);
}

static inline void story_run(const struct story_row *rows, size_t count)
{
	for (const struct story_row *r = rows; r < rows + count; r++) {
		for (size_t cut = 0; cut <= r->peer.len; cut++)
			story_once(r, cut, false);
		story_once(r, 0, true);
	}
}
