/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the server: one session as a row, told as a story.
 *
 * `peer` is all that the client says; STEP (octet 1) in it is where a client
 * has to wait (for TLS): no octet of the next step comes in one turn with those before.  `answers`, parted by '|', are the
 * caller's to P3D_LOGIN and P3D_SASL: "ok" (also when none is left), "auth",
 * "temp", "perm WORDS", "busy", "delay", "none WORDS", and "+CHALLENGE".  Messages are
 * `mail`; one without octets (at is NULL) cannot be read.  `want` has a clause an event, `sent` is all
 * that the client gets, bodies included.  A NULL is not compared.
 * server_story_run tells it at once, cut in two at every place, and octet by octet, each
 * with answers at once and with late ones (between turns), with out sent at once and only
 * when it must be, and with turns that end behind each event: always the same story. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "pop3/server.h"
#include "wire/base64.h"
#include "wire/stuff.h"

#define STEP "\1"
#define HI "+OK hi\r\n"
#define IN "USER anna\r\nPASS s3cret\r\n"
#define IN_WANT "login USER [anna] [s3cret];"
#define IN_SENT HI "+OK\r\n+OK 3 messages\r\n"
#define MECH(m) (1U << SASL_##m)

enum {
	SECURE = 1, CAN_TLS = 2, SUBMISSION = 4, EOF_AT_END = 8, COMMIT_FAILS = 16, XMIT_REFUSED = 32, XMIT_FAILS = 64,
	UTF8_USER = 128, STOPPED = 256, NO_USER = 512, UNREAD = 1024,	/* octets stay unread, as they ought to */
	KEEP = 2048	/* nothing may be deleted */
};

enum { SERVER_WAYS = 6 };	/* bits: late answers, out sent late, brief turns */

struct server_row {
	const char *name;
	unsigned how;
	struct span peer;
	const char *answers, *want, *sent;
	uint32_t mechs, mechs_secure;	/* beside USER; behind STLS */
	const struct span *mail;
	uint32_t mail_count;
	const char *const *uids;
	const char *greeting;		/* NULL: "hi" */
	const char *implementation;
	uint32_t login_delay_s, expire_days;
};

struct server_story {
	const struct server_row *row;
	struct p3d *s;
	struct p3d_settings settings, secured;
	struct p3d_drop drop;
	struct drop_message messages[8];
	struct buf told, sent, rest, out;
	char out_memory[P3D_OUT_MIN];
	const char *answers;
	struct p3d_event pending;	/* its spans are dead */
	bool late, lazy, brief, again, over;
};

static const struct span server_story_mail[] = {
	SPAN("Subject: one\r\n\r\nbody 1\r\nbody 2\r\nbody 3\r\n"), SPAN(".\r\n.dots\r\n\r\n.\r\n..\r\n"), SPAN("no end"),
};

static inline void server_story_send(struct server_story *t)
{
	for (struct span out = buf_span(&t->out); out.len;) {
		size_t lf = span_find(out, '\n');

		assert_true(lf < out.len && lf && out.at[lf - 1] == '\r');
		assert_true(lf < P3D_REPLY_MAX || out.at[0] == '+');
		assert_false(span_has_control((struct span){ out.at, lf - 1 }));
		out = span_from(out, lf + 1);
	}
	assert_true(buf_add(&t->sent, buf_span(&t->out)));
	t->out.len = 0;
}

static inline struct span server_story_answer(struct server_story *t)
{
	struct span answer = span_of(t->answers ? t->answers : "");

	if (!answer.len)
		return SPAN("ok");
	answer.len = span_find(answer, '|');
	t->answers += answer.len + (t->answers[answer.len] == '|');
	return answer;
}

static inline void server_story_login(struct server_story *t)
{
	static const struct { const char *name; enum p3d_code code; } codes[] = {
		{ "auth", P3D_CODE_AUTH }, { "temp", P3D_CODE_SYS_TEMP }, { "perm", P3D_CODE_SYS_PERM }, { "busy", P3D_CODE_IN_USE },
		{ "delay", P3D_CODE_LOGIN_DELAY }, { "none", P3D_CODE_NONE },
	};
	struct span answer = server_story_answer(t);
	static char words[2048];

	if (span_equal(answer, SPAN("ok"))) {
		p3d_login_ok(t->s, &t->drop);
		return;
	}
	if (answer.at[0] == '+') {
		p3d_sasl_challenge(t->s, span_from(answer, 1));
		return;
	}
	for (size_t i = 0; i < COUNT(codes); i++) {
		if (!span_starts(answer, span_of(codes[i].name)))
			continue;
		answer = span_from(answer, strlen(codes[i].name) + 1);
		(void)snprintf(words, sizeof words, "%.*s", (int)answer.len, answer.len ? answer.at : "");
		p3d_login_refused(t->s, codes[i].code, answer.len ? words : NULL);
		return;
	}
	fail_msg("%s: what answer is %.*s?", t->row->name, (int)answer.len, answer.at);
}

static inline void server_story_body(struct server_story *t, const struct p3d_event *ev)
{
	const struct span *mail = &t->row->mail[ev->number - 1];
	struct span in = *mail, piece;
	struct stuff f;

	server_story_send(t);
	stuff_start(&f, ev->all, ev->lines, false);
	while (stuff_next(&f, &in, &piece))
		assert_true(buf_add(&t->sent, piece));
	assert_true(buf_add(&t->sent, stuff_end(&f)));
	p3d_message_end(t->s);
}

/* Answers what is waited for. */
static inline void server_story_act(struct server_story *t, const struct p3d_event *ev)
{
	switch (ev->what) {
	case P3D_TLS:
		p3d_secured(t->s, &t->secured);
		break;
	case P3D_LOGIN:
	case P3D_SASL:
		server_story_login(t);
		break;
	case P3D_RETR:
		if (t->row->mail[ev->number - 1].at)
			p3d_message_begin(t->s);
		else
			p3d_message_refused(t->s, P3D_CODE_NONE, NULL);
		break;
	case P3D_BODY:
		server_story_body(t, ev);
		break;
	case P3D_COMMIT:
		p3d_committed(t->s, !(t->row->how & COMMIT_FAILS));
		break;
	case P3D_XMIT:
		if (t->row->how & XMIT_REFUSED)
			p3d_xmit_refused(t->s, P3D_CODE_SYS_PERM, "not today");
		else
			p3d_xmit_go(t->s);
		break;
	case P3D_XMIT_END:
		if (t->row->how & XMIT_FAILS)
			p3d_xmit_refused(t->s, P3D_CODE_SYS_TEMP, NULL);
		else
			p3d_xmit_accepted(t->s);
		break;
	case P3D_NOTHING: case P3D_SEND: case P3D_REST: case P3D_SASL_OVER: case P3D_XMIT_BODY: case P3D_BYE: case P3D_GONE: case P3D_OVERLONG:
	case P3D_TLS_HELLO:
		break;
	}
}

static inline void server_story_sasl(struct server_story *t, const struct p3d_event *ev)
{
	char *plain = malloc(ev->size + 1);
	struct buf b;

	buf_lend(&b, plain, ev->size + 1);
	assert_true(base64_decode(ev->text, &b) && b.len == ev->size && (ev->given || !ev->size));
	for (size_t i = 0; i < b.len; i++)
		if (!b.at[i])
			b.at[i] = '_';
	assert_true(buf_printf(&t->told, "sasl %s%s%s", sasl_mech_name(ev->mech), ev->first ? " first" : "", ev->given ? " [" : ""));
	assert_true(buf_add(&t->told, b.len > 100 ? SPAN("much") : buf_span(&b)) && buf_add(&t->told, ev->given ? SPAN("];") : SPAN(";")));
	free(plain);
}

static inline bool server_story_tell(struct server_story *t, const struct p3d_event *ev)
{
	struct buf *b = &t->told;

	switch (ev->what) {
	case P3D_NOTHING: case P3D_SEND: case P3D_REST: return true;
	case P3D_TLS: return buf_add(b, SPAN("tls;"));
	case P3D_LOGIN:
		return buf_printf(b, "login %s [%.*s] [", sasl_mech_name(ev->mech), (int)ev->name.len, ev->name.at) &&
			buf_add(b, ev->text) && buf_add(b, SPAN("];"));
	case P3D_SASL: server_story_sasl(t, ev); return true;
	case P3D_SASL_OVER: return buf_printf(b, "over %s;", sasl_mech_name(ev->mech));
	case P3D_RETR: return ev->all ? buf_printf(b, "retr %u;", ev->number) : buf_printf(b, "top %u %u;", ev->number, ev->lines);
	case P3D_BODY: return ev->all ? buf_printf(b, "body %u;", ev->number) : buf_printf(b, "body %u %u;", ev->number, ev->lines);
	case P3D_COMMIT:
		assert_true(buf_add(b, SPAN("commit")));
		for (uint32_t i = 0; i < t->drop.count; i++)
			if (drop_flags(&t->messages[i]) & DROP_MARKS)
				assert_true(buf_printf(b, " %u%s%s", i + 1, drop_flags(&t->messages[i]) & DROP_DELETED ? "d" : "",
					drop_flags(&t->messages[i]) & DROP_READ ? "r" : ""));
		return buf_add(b, SPAN(";"));
	case P3D_XMIT: return buf_add(b, SPAN("xmit:"));
	case P3D_XMIT_BODY: return ev->text.len && buf_add(b, ev->text);
	case P3D_XMIT_END: return buf_add(b, SPAN(":end;"));
	case P3D_BYE: return buf_add(b, ev->good ? SPAN("bye good;") : SPAN("bye;"));
	case P3D_GONE: return buf_add(b, SPAN("gone;"));
	case P3D_OVERLONG: return buf_add(b, SPAN("overlong;"));
	case P3D_TLS_HELLO: return buf_add(b, SPAN("hello;"));
	}
	return false;
}

static inline void server_story_event(struct server_story *t, const struct p3d_event *ev)
{
	assert_true(server_story_tell(t, ev));
	assert_false(t->over);		/* nothing comes behind the last */
	t->over = ev->what >= P3D_BYE;
	if (!t->lazy || ev->what == P3D_SEND || ev->what == P3D_BODY)
		server_story_send(t);
	if ((t->late && p3d_waiting(t->s)) || ev->what == P3D_TLS)
		t->pending = *ev;
	else
		server_story_act(t, ev);
}

/* Feeds what is left and `part`, in memory that ends with it, and drains. */
static inline void server_story_once(struct server_story *t, struct span part)
{
	size_t len = t->rest.len + part.len, left;
	char *in = malloc(len + !len);
	struct p3d_event ev;

	if (t->rest.len)
		memcpy(in, t->rest.at, t->rest.len);
	if (part.len)
		memcpy(in + t->rest.len, part.at, part.len);
	p3d_feed(t->s, (struct span){ in, len });
	do {
		t->again = p3d_next(t->s, &t->out, &ev) != P3D_NOTHING;
		if (t->again)
			server_story_event(t, &ev);
	} while (t->again && !t->brief);
	server_story_send(t);
	left = p3d_turn_end(t->s);
	t->rest.len = 0;
	if (left)
		assert_true(buf_add(&t->rest, (struct span){ in + len - left, left }));
	free(in);
}

static inline void server_story_turn(struct server_story *t, struct span part)
{
	server_story_once(t, part);
	while (t->pending.what || t->again) {
		struct p3d_event ev = t->pending;

		t->pending.what = P3D_NOTHING;
		server_story_act(t, &ev);
		server_story_once(t, (struct span){ 0 });
	}
}

static inline void server_story_start(struct server_story *t, const struct server_row *r)
{
	static struct server_row with_mail;

	if (!r->mail) {
		with_mail = *r;
		with_mail.mail = server_story_mail;
		with_mail.mail_count = COUNT(server_story_mail);
		r = &with_mail;
	}
	*t = (struct server_story){ .row = r, .answers = r->answers, .s = malloc(p3d_size()) };
	buf_start(&t->told, 1 << 20);
	buf_start(&t->sent, 1 << 20);
	buf_start(&t->rest, 1 << 20);
	buf_lend(&t->out, t->out_memory, sizeof t->out_memory);
	t->settings = (struct p3d_settings){
		.greeting = r->greeting ? r->greeting : "hi", .mechs = r->mechs | (r->how & NO_USER ? 0 : MECH(USER)), .secure = r->how & SECURE,
		.stls = r->how & CAN_TLS, .utf8_user = r->how & UTF8_USER, .submission = r->how & SUBMISSION,
		.login_delay_s = r->login_delay_s, .expire_days = r->expire_days, .implementation = r->implementation,
	};
	t->secured = t->settings;
	t->secured.secure = true;
	t->secured.stls = false;
	t->secured.mechs = r->mechs_secure | MECH(USER);
	t->drop = (struct p3d_drop){ .messages = t->messages, .count = r->mail_count, .keep = r->how & KEEP, .uids = r->uids };
	assert_true(r->mail_count <= COUNT(t->messages));
	for (uint32_t i = 0; i < r->mail_count; i++) {
		struct span m = r->mail[i];
		bool ended = !m.len || (m.len > 1 && m.at[m.len - 2] == '\r' && m.at[m.len - 1] == '\n');

		t->messages[i] = drop_message_of(0x65000000 + i, 7, m.len + (ended ? 0 : 2), DROP_SEEN | DROP_NO_END);
	}
	p3d_start(t->s, &t->settings);
	if (r->how & STOPPED)
		p3d_stop(t->s, "the server stops");
}

/* `cut`: a place in peer where the octets are parted; `by_byte`: everywhere. */
static inline void server_story_play(struct server_story *t, struct span peer, size_t cut, bool by_byte)
{
	size_t from = 0;

	server_story_turn(t, (struct span){ 0 });
	for (size_t n = 0; n <= peer.len; n++) {
		bool step = n == peer.len || peer.at[n] == *STEP;

		if (!step && n != cut && !by_byte)
			continue;
		server_story_turn(t, (struct span){ peer.at + from, n - from });
		from = n + step;
	}
	if (t->row->how & EOF_AT_END) {
		p3d_eof(t->s);
		server_story_turn(t, (struct span){ 0 });
		assert_true(t->over);
	}
}

static inline void server_story_is(const struct server_story *t, size_t cut)
{
	const struct server_row *r = t->row;

	if (r->want && !span_equal(buf_span(&t->told), span_of(r->want)))
		fail_msg("%s (cut %zu): \"%.*s\"\nis not \"%s\"", r->name, cut, (int)t->told.len, t->told.at, r->want);
	if (r->sent && !span_equal(buf_span(&t->sent), span_of(r->sent)))
		fail_msg("%s (cut %zu): sent \"%.*s\"\nnot \"%s\"", r->name, cut, (int)t->sent.len, t->sent.at, r->sent);
	if (!(r->how & UNREAD) && t->rest.len)
		fail_msg("%s (cut %zu): %zu octets stay unread", r->name, cut, t->rest.len);
	for (uint32_t i = 0; i < r->mail_count; i++)	/* what is the store's stays */
		assert_int_equal(drop_flags(&t->messages[i]) & ~(uint32_t)DROP_MARKS, DROP_SEEN | DROP_NO_END);
}

static inline void server_story_end(struct server_story *t)
{
	p3d_end(t->s);
	free(t->s);
	buf_end(&t->told);
	buf_end(&t->sent);
	buf_end(&t->rest);
}

static inline void server_story_way(const struct server_row *r, size_t cut, bool by_byte, unsigned way)
{
	struct server_story t;

	server_story_start(&t, r);
	t.late = way & 1;
	t.lazy = way & 2;
	t.brief = way & 4;
	server_story_play(&t, r->peer, cut, by_byte);
	server_story_is(&t, cut);
	server_story_end(&t);
}

static inline void server_story_run(const struct server_row *rows, size_t count)
{
	for (const struct server_row *r = rows; r < rows + count; r++)
		for (unsigned way = 0; way < SERVER_WAYS; way++) {
			for (size_t cut = 0; cut <= r->peer.len; cut++)
				server_story_way(r, cut, false, way);
			server_story_way(r, 0, true, way);
		}
}
