/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the client: one conversation as a row, told as a story.
 *
 * `peer` is all that the server says; STEP (octet 1) in it is where a server has
 * to wait: there the harness secures the line, answers a SASL step (the next of
 * `answers`, parted by '|'; "!" cancels, "!!" cancels as a false proof) or, with
 * HOLD_BODY, ends the message that is going out.  Each line comes by itself, when
 * all that is to be said before was said; those with JOIN (octet 2) between them
 * come together, whatever the cut.  `mails` are sent in order as
 * soon as smc_can_send: "sender>rcpt,rcpt|sender>rcpt"; each has the text `body`
 * ("hi\r\n" if NULL).  QUIT: then smc_quit.
 * The story has one clause an event; `sent` is all that the client said.  A NULL
 * is not compared.  story_run tells it at once, cut in two at every place, and
 * byte by byte: always the same.  `other` is a second story that a cut may tell. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtp/body.h"
#include "smtp/client.h"

#define STEP "\1"
#define JOIN "\2"
#define HI "220 hi\r\n"
#define BARE HI "250 host\r\n"
#define PIPES HI "250-host\r\n250 PIPELINING\r\n"
#define CHUNKS HI "250-host\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
#define OK "250 ok\r\n"
#define GO "354 go\r\n"
#define EHLO "EHLO me\r\n"

enum {
	CLEAR_LINE = 1, STARTTLS = 2 | CLEAR_LINE, STARTTLS_REQUIRED = 4 | STARTTLS, CLEAR_ALLOWED = 8, BINDING = 16, LOCKSTEP = 32,
	LMTP = 64, NO_CHUNKING = 128, HOLD_BODY = 256, QUIT = 512, EOF_AT_END = 1024, SILENT_AT_END = 2048,
	STORY_MAILS = 4, STORY_RECIPIENTS = 16,
};

struct story_row {
	const char *name;
	unsigned how;
	const char *mechs;		/* NULL: none */
	struct span peer;
	const char *mails, *answers, *body;
	const char *want, *other, *why, *sent;
};

struct story {
	const struct story_row *row;
	struct smc *s;
	struct buf told, sent;
	const char *answers;
	enum sasl_mech mechs[SASL_MECHS];
	struct smc_login login;
	char *mails_text;
	const char *recipients[STORY_MAILS][STORY_RECIPIENTS];
	struct smc_mail mails[STORY_MAILS];
	size_t mail_count, given;
	const struct smc_mail *going;	/* whose message goes out, while `body` */
	bool tls, sasl, body, quit, by_byte;
	struct smtp_body out;
};

static inline void story_mails(struct story *t)
{
	char *at = t->mails_text = strdup(t->row->mails ? t->row->mails : "");
	struct smtp_look look = { 0 };

	smtp_look(&look, span_of(t->row->body ? t->row->body : "hi\r\n"));
	smtp_look_end(&look);
	while (*at) {
		struct smc_mail *m = &t->mails[t->mail_count];
		const char **to = t->recipients[t->mail_count++];
		char end = '>';

		*m = (struct smc_mail){ .sender = at, .recipients = to, .octets = look.octets, .eight_bit = look.eight_bit };
		at += strcspn(at, ">");
		while (end == '>' || end == ',') {
			*at++ = '\0';
			to[m->recipient_count++] = at;
			at += strcspn(at, ",|");
			end = *at;
		}
		if (end)
			*at++ = '\0';
	}
}

static inline void story_send(struct story *t)
{
	struct span out;

	while ((out = smc_out(t->s)).len) {
		if (t->by_byte && out.len > 1)
			out.len /= 2;
		assert_true(buf_add(&t->sent, out));
		smc_sent(t->s, out.len);
	}
}

static inline void story_give(struct story *t)
{
	while (t->given < t->mail_count && smc_can_send(t->s))
		smc_send(t->s, &t->mails[t->given++]);
	if ((t->row->how & QUIT) && t->given == t->mail_count && smc_idle(t->s) && !t->quit) {
		t->quit = true;
		smc_quit(t->s);
	}
	story_send(t);
}

/* The message itself, in parts, and its end. */
static inline void story_body(struct story *t, bool end)
{
	struct span in = span_of(t->row->body ? t->row->body : "hi\r\n"), piece;

	while (!end && smtp_body_next(&t->out, &in, &piece))
		assert_true(buf_add(&t->sent, piece));
	t->body = !end;
	if (!end)
		return;
	assert_true(buf_add(&t->sent, smtp_body_end(&t->out)));
	smc_body_sent(t->s);
}

static inline const char *story_outcome(enum smc_outcome outcome)
{
	static const char *const names[] = { "accepted", "deferred", "refused", "doubt" };

	return names[outcome];
}

static inline bool story_result(struct story *t, const struct smc_event *ev)
{
	struct buf *b = &t->told;

	assert_true(ev->ours == !ev->code);
	assert_true(buf_printf(b, "%zu.%u %s", (size_t)(ev->mail - t->mails), ev->recipient, story_outcome(ev->outcome)));
	if (ev->kind)
		assert_true(buf_printf(b, " %s", err_kind_name(ev->kind)));
	if (ev->code)
		assert_true(buf_printf(b, " %s %u", ev->verb, ev->code));
	if (ev->status[0])
		assert_true(buf_printf(b, " %u.%u.%u", ev->status[0], ev->status[1], ev->status[2]));
	if (ev->ours)
		return ev->text.len && buf_add(b, SPAN(";"));
	return buf_printf(b, " [%.*s];", (int)ev->text.len, ev->text.at);
}

static inline bool story_event(struct story *t, const struct smc_event *ev)
{
	struct buf *b = &t->told;

	switch (ev->what) {
	case SMC_TLS:
		t->tls = true;
		return buf_add(b, SPAN("tls;"));
	case SMC_SASL:
		t->sasl = true;
		assert_true(buf_printf(b, "sasl %s%s%s", sasl_mech_name(ev->mech), ev->first ? " first" : "", ev->last ? " last" : ""));
		if (ev->text.len)
			assert_true(buf_printf(b, " [%.*s]", (int)ev->text.len, ev->text.at));
		return buf_add(b, SPAN(";"));
	case SMC_READY:
		return buf_add(b, SPAN("ready;"));
	case SMC_BODY:
		assert_true(buf_printf(b, "body%s;", ev->chunked ? " bdat" : ""));
		smtp_body_start(&t->out, ev->chunked);
		t->going = ev->mail;
		story_send(t);
		story_body(t, false);
		return true;
	case SMC_RESULT:
		return story_result(t, ev);
	case SMC_DONE:
		if (ev->mail == t->going)
			t->body = false;
		return buf_printf(b, "done %zu%s;", (size_t)(ev->mail - t->mails), ev->broken ? " broken" : "");
	case SMC_BYE:
		return buf_add(b, ev->good ? SPAN("bye good;") : SPAN("bye;"));
	case SMC_FAILED:
		return buf_printf(b, "failed %s;", err_kind_name(smc_error(t->s)->kind));
	case SMC_NOTHING:
		break;
	}
	return false;
}

static inline void story_drain(struct story *t)
{
	struct smc_event ev;

	do {
		while (smc_next(t->s, &ev) != SMC_NOTHING) {
			assert_true(story_event(t, &ev));
			story_give(t);
		}
		if (t->body && !(t->row->how & HOLD_BODY)) {
			story_body(t, true);
			story_give(t);
		}
	} while (t->body && !(t->row->how & HOLD_BODY));
	assert_int_equal(smc_unread(t->s), 0);
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
		smc_sasl_cancel(t->s, true, &liar);
	else if (span_equal(answer, SPAN("!")))
		smc_sasl_cancel(t->s, false, &no);
	else
		smc_sasl_answer(t->s, answer);
	story_drain(t);
}

/* The server has said what it had to say for now. */
static inline void story_settle(struct story *t)
{
	if (t->tls) {
		t->tls = false;
		smc_secured(t->s);
		story_drain(t);
	}
	while (t->sasl)
		story_answer(t);
	if (t->body) {
		story_body(t, true);
		story_give(t);
		story_drain(t);
	}
}

static inline void story_feed(struct story *t, const char *at, size_t len)
{
	char *copy = malloc(len ? len : 1);	/* so that a sanitizer sees a step over the end */

	if (len)
		memcpy(copy, at, len);
	smc_feed(t->s, (struct span){ copy, len });
	story_drain(t);
	free(copy);
}

static inline void story_start(struct story *t, const struct story_row *r)
{
	struct span mechs = span_of(r->mechs ? r->mechs : ""), name;
	struct smc_login *l = &t->login;

	*t = (struct story){ .row = r, .answers = r->answers, .s = malloc(smc_size()) };
	buf_start(&t->told, 1 << 24);
	buf_start(&t->sent, 1 << 24);
	*l = (struct smc_login){
		.name = "me", .lmtp = r->how & LMTP, .password = SPAN("s3cret"), .mechs = t->mechs, .secure = !(r->how & CLEAR_LINE),
		.starttls = (r->how & STARTTLS) == STARTTLS, .starttls_required = (r->how & STARTTLS_REQUIRED) == STARTTLS_REQUIRED,
		.clear_allowed = r->how & CLEAR_ALLOWED, .channel_binding = r->how & BINDING, .lockstep = r->how & LOCKSTEP,
		.no_chunking = r->how & NO_CHUNKING,
	};
	while (span_word(&mechs, &name))
		assert_true(sasl_mech_parse(name, &t->mechs[l->mech_count++]));
	story_mails(t);
	memset(t->s, 0xa5, smc_size());		/* smc_start depends on nothing that was there */
	smc_start(t->s, l);
	story_drain(t);
}

/* Octet n of `peer` came together with others of another line. */
static inline bool story_joined(struct span peer, size_t n)
{
	while (n < peer.len && peer.at[n] != '\n')
		n++;
	return n + 1 < peer.len && peer.at[n + 1] == *JOIN;
}

/* Each line by itself, but where they are joined. */
static inline void story_hear(struct story *t, struct span peer, size_t cut)
{
	char *pack = malloc(peer.len + 1);
	bool joined = false;
	size_t len = 0;

	for (size_t n = 0; n < peer.len; n++) {
		if (peer.at[n] == *JOIN) {
			joined = true;
			continue;
		}
		if (len && (n == cut || t->by_byte) && !joined && !story_joined(peer, n)) {
			story_feed(t, pack, len);
			len = 0;
		}
		pack[len++] = peer.at[n];
		if (peer.at[n] == '\n' && !story_joined(peer, n)) {
			story_feed(t, pack, len);
			len = 0;
			joined = false;
		}
	}
	story_feed(t, pack, len);
	free(pack);
}

/* `cut`: a place in peer where the octets are parted. */
static inline void story_play(struct story *t, struct span peer, size_t cut)
{
	static const struct err silent = { ERR_NET, "no answer in time" };
	size_t from = 0;

	for (size_t n = 0; n <= peer.len; n++) {
		if (n < peer.len && peer.at[n] != *STEP)
			continue;
		story_hear(t, (struct span){ peer.at + from, n - from }, cut - from);
		if (n < peer.len || !(t->row->how & HOLD_BODY))
			story_settle(t);
		from = n + 1;
	}
	if (t->row->how & EOF_AT_END)
		smc_eof(t->s);
	if (t->row->how & SILENT_AT_END)
		smc_abort(t->s, &silent);
	story_drain(t);
}

static inline void story_end(struct story *t)
{
	smc_end(t->s);
	free(t->s);
	free(t->mails_text);
	buf_end(&t->told);
	buf_end(&t->sent);
}

static inline void story_is(const struct story *t, size_t cut)
{
	const struct story_row *r = t->row;
	const char *why = smc_error(t->s)->text;
	bool told = !r->want || span_equal(buf_span(&t->told), span_of(r->want)) ||
		(r->other && span_equal(buf_span(&t->told), span_of(r->other)));

	if (!told)
		fail_msg("%s (cut %zu): \"%.*s\"\nis not \"%s\"\n%s", r->name, cut, (int)t->told.len, t->told.at, r->want, why);
	if (r->sent && !span_equal(buf_span(&t->sent), span_of(r->sent)))
		fail_msg("%s (cut %zu): sent \"%.*s\"\nnot \"%s\"\n%s", r->name, cut, (int)t->sent.len, t->sent.at, r->sent, why);
	if (r->why && !strstr(why, r->why))
		fail_msg("%s (cut %zu): error \"%s\" has no \"%s\"", r->name, cut, why, r->why);
	if (strstr(why, "s3cret") || (t->told.len && memmem(t->told.at, t->told.len, "s3cret", 6)))
		fail_msg("%s: the password is in \"%s\" or in the story", r->name, why);
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
