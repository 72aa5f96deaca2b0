/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the client: one conversation as a row, told as a story.
 *
 * `peer` is all that the server says; STEP (octet 1) in it is where a server
 * has to wait: there the harness secures the line, answers a SASL step (the
 * next of `answers`, parted by '|'; "!" cancels, "!!" cancels as a false
 * proof), or asks the next group of `ask`; the first group is asked at
 * IMC_READY.  Groups are parted by '|', commands by ';': "l%" LIST, "sBOX"
 * SELECT, "xBOX" EXAMINE, "?ALL" SEARCH, "L1:*" listing, "f5,6" fetch, "S1:2"
 * and "D1:2" STORE \Seen and \Deleted, "e1:2" EXPUNGE, "c1:2 BOX" COPY, "m1:2
 * BOX" MOVE, "i" IDLE, "d" its end, "NsfA,B" NOTIFY of mailboxes (after flags s selected, f its flags,
 * p personal, t STATUS, and "/" for trees), "-" NOTIFY NONE, "k" clears the news, "C BOX" CREATE, "h5,6" fetch of headers, "y5 90 BOX"
 * and "z5 90 BOX" SELECT and EXAMINE since, "u" UNSELECT, "n" NOOP, "q" LOGOUT.  The story has one clause an event; octets of
 * a message stand as they are; `sent` is all that the client said.  A NULL is
 * not compared.  story_run tells it at once, cut in two at every place, and byte
 * by byte: always the same; and each of these again with a session that rests whenever it may, or when a
 * seed says so, in other memory each time. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "imap/client.h"

#define STEP "\1"
/* To IMC_READY over a protected line; the caller's first tag is P2. */
#define CAPA(words) "* OK [CAPABILITY IMAP4rev1 " words "] hi\r\n"
#define IN(words) "P1 OK [CAPABILITY IMAP4rev1 " words "] in\r\n"
#define LOGGED_IN CAPA("") IN("")
#define LOGIN_SENT "P1 LOGIN \"anna\" \"s3cret\"\r\n"

enum {
	CLEAR_LINE = 1,		/* no implicit TLS */
	TLS = 2, TLS_REQUIRED = 4 | TLS, CLEAR_ALLOWED = 8, BINDING = 16, LOCKSTEP = 32, WITH_ID = 64,
	NO_CAPA = 128, NO_GREETING = 256, EOF_AT_END = 512, COMPRESS = 1024
};

struct story_row {
	const char *name;
	unsigned how;
	const char *mechs;		/* NULL: "user" */
	struct span peer;
	const char *ask, *answers;
	const char *want, *why, *sent;
	const char *user;		/* NULL: "anna" */
	struct span password;		/* empty: "s3cret" */
};

struct story {
	const struct story_row *row;
	struct imc *s;
	struct buf told, sent;
	const char *answers, *ask;
	enum sasl_mech mechs[SASL_MECHS];
	struct imc_login login;
	bool tls, sasl, ready, by_byte;
	unsigned rests;			/* 0: never; 1: whenever it may; else a seed of when */
	unsigned rested;		/* how often it did */
	size_t inflate;			/* octets that were left when compression began */
};

static inline void story_fetch(struct story *t, struct span set, bool heads)
{
	uint32_t uids[IMC_FETCH_MAX];
	struct uid_range r;
	size_t n = 0;

	while (uidset_next(&set, &r))
		uids[n++] = r.first;
	if (heads)
		(void)imc_fetch_head(t->s, uids, n);
	else
		(void)imc_fetch(t->s, uids, n);
}

static inline void story_since(struct story *t, struct span text, bool examine)
{
	struct span validity, modseq;
	uint64_t v = 0, m = 0;

	assert_true(span_word(&text, &validity) && span_word(&text, &modseq));
	assert_true(span_number(validity, UINT32_MAX, &v) && span_number(modseq, INT64_MAX, &m));
	(void)imc_select_since(t->s, span_trim(text), examine, (uint32_t)v, m);
}

/* "sfpt A,B/C": flags, names, trees. */
static inline void story_notify(struct story *t, struct span text)
{
	struct span names[IMC_WATCH_MAX], part;
	struct imc_watch w = { .names = names };
	bool trees = false;

	assert_true(span_word(&text, &part));
	for (size_t i = 0; i < part.len; i++) {
		w.selected |= part.at[i] == 's';
		w.flags |= part.at[i] == 'f';
		w.personal |= part.at[i] == 'p';
		w.status |= part.at[i] == 't';
	}
	text = span_trim(text);
	while (text.len) {
		size_t n = strcspn(text.at, ",/|;");

		n = n < text.len ? n : text.len;
		names[w.name_count + w.tree_count] = (struct span){ text.at, n };
		w.name_count += !trees;
		w.tree_count += trees;
		trees |= n < text.len && text.at[n] == '/';
		text = span_from(text, n + 1);
	}
	w.trees = names + w.name_count;
	(void)imc_notify(t->s, &w);
}

static inline void story_ask_one(struct story *t, struct span ask)
{
	struct span rest = span_from(ask, 1), set = { rest.at, span_find(rest, ' ') }, box = span_from(rest, set.len + 1);

	switch (ask.at[0]) {
	case 'l': (void)imc_list(t->s, rest); break;
	case 's': (void)imc_select(t->s, rest); break;
	case 'x': (void)imc_examine(t->s, rest); break;
	case '?': (void)imc_search(t->s, rest); break;
	case 'L': (void)imc_listing(t->s, rest, IMC_WANT_FLAGS | IMC_WANT_SIZE); break;
	case 'f': story_fetch(t, rest, false); break;
	case 'h': story_fetch(t, rest, true); break;
	case 'y': story_since(t, rest, false); break;
	case 'z': story_since(t, rest, true); break;
	case 'C': (void)imc_create(t->s, box); break;
	case 'u': (void)imc_close(t->s); break;
	case 'S': (void)imc_store(t->s, rest, IMC_SEEN); break;
	case 'D': (void)imc_store(t->s, rest, IMC_SEEN | IMC_DELETED); break;
	case 'e': (void)imc_expunge(t->s, rest); break;
	case 'c': (void)imc_copy(t->s, set, box); break;
	case 'm': (void)imc_move(t->s, set, box); break;
	case 'n': (void)imc_noop(t->s); break;
	case 'i': (void)imc_idle(t->s); break;
	case 'd': imc_idle_done(t->s); break;
	case 'N': story_notify(t, rest); break;
	case '-': (void)imc_notify_none(t->s); break;
	case 'k': imc_news_clear(t->s); break;
	case 'q': (void)imc_logout(t->s); break;
	}
}

static inline void story_ask(struct story *t)
{
	const char *p = t->ask;

	while (p && *p && *p != '|' && (*p == 'k' || (*p == 'd' ? imc_idling(t->s) : imc_can_ask(t->s)))) {
		size_t n = strcspn(p, ";|");

		story_ask_one(t, (struct span){ p, n });
		p += n + (p[n] == ';');
	}
	t->ask = p ? p + (*p == '|') : p;
}

static inline bool story_sasl(struct story *t, const struct imc_event *ev)
{
	t->sasl = true;
	return buf_printf(&t->told, "sasl %s%s%s [%.*s];", sasl_mech_name(ev->mech), ev->first ? " first" : "",
		ev->last_step ? " last" : "", (int)ev->text.len, ev->text.at ? ev->text.at : "");
}

static inline bool story_refused(struct story *t, const struct imc_event *ev)
{
	return buf_printf(&t->told, "refused %u %u %s%s%s [%.*s];", ev->id, ev->uid, err_kind_name(ev->kind), ev->empty ? " empty" : "",
		ev->again ? " again" : "", (int)ev->text.len, ev->text.at);
}

static inline bool story_message(struct story *t, const struct imc_event *ev)
{
	assert_true(buf_printf(&t->told, "message %u", ev->uid));
	if (ev->verb == IMC_ASK_SELECT || ev->verb == IMC_ASK_EXAMINE)
		assert_true(buf_printf(&t->told, " of %u", ev->id));
	if (ev->has_flags)
		assert_true(buf_printf(&t->told, " flags %u", ev->flags));
	if (ev->has_size)
		assert_true(buf_printf(&t->told, " size %llu", (unsigned long long)ev->size));
	return buf_add(&t->told, SPAN(";"));
}

static inline bool story_news(struct story *t, const struct imc_event *ev)
{
	struct buf *b = &t->told;

	if (!ev->text.len)
		return buf_printf(b, "news %u of %u;", ev->flags, ev->id);
	return buf_printf(b, "news %u of %u [%.*s] %u %u %u;", ev->flags, ev->id, (int)ev->text.len, ev->text.at, ev->uid, ev->last, (unsigned)ev->size);
}

static inline bool story_event(struct story *t, const struct imc_event *ev)
{
	struct buf *b = &t->told;

	switch (ev->what) {
	case IMC_TLS:
		t->tls = true;
		return buf_add(b, SPAN("tls;"));
	case IMC_SASL:
		return story_sasl(t, ev);
	case IMC_COMPRESS:
		t->inflate = imc_unread(t->s);
		imc_compressed(t->s);
		return buf_add(b, SPAN("compress;"));
	case IMC_READY:
		t->ready = true;
		story_ask(t);
		return buf_add(b, SPAN("ready;"));
	case IMC_MAILBOX:
		return buf_printf(b, "box %u %c [%.*s];", ev->flags, ev->delimiter ? ev->delimiter : '-', (int)ev->text.len, ev->text.at);
	case IMC_FOUND:
		if (ev->id > 2)		/* the first that was asked for needs no name */
			return buf_printf(b, "found %u:%u by %u;", ev->uid, ev->last, ev->id);
		return buf_printf(b, "found %u:%u;", ev->uid, ev->last);
	case IMC_VANISHED:
		return buf_printf(b, "vanished %u:%u of %u%s;", ev->uid, ev->last, ev->id, ev->earlier ? " earlier" : "");
	case IMC_MESSAGE:
		return story_message(t, ev);
	case IMC_BEGIN:
		return buf_printf(b, ev->verb == IMC_ASK_HEAD ? "head %u:" : "begin %u:", ev->uid);
	case IMC_BODY:
		assert_true(ev->uid && ev->text.len);
		return buf_add(b, ev->text);
	case IMC_END:
		return buf_printf(b, "end %u;", ev->uid);
	case IMC_COPIED:
		return buf_printf(b, "copied %u %u %.*s>%.*s;", ev->id, ev->last, (int)ev->text.len, ev->text.at, (int)ev->to.len, ev->to.at);
	case IMC_DONE:
		return buf_printf(b, "done %u;", ev->id);
	case IMC_REFUSED:
		return story_refused(t, ev);
	case IMC_WARNING:
		return buf_printf(b, "warning [%.*s];", (int)ev->text.len, ev->text.at);
	case IMC_IDLING:
		return buf_printf(b, "idling %u;", ev->id);
	case IMC_NEWS:
		return story_news(t, ev);
	case IMC_BYE:
		return buf_add(b, ev->good ? SPAN("bye good;") : SPAN("bye;"));
	case IMC_FAILED:
		return buf_printf(b, "failed %s;", err_kind_name(imc_error(t->s)->kind));
	case IMC_NOTHING:
		break;
	}
	return false;
}

static inline void story_send(struct story *t)
{
	struct span out;

	while ((out = imc_out(t->s)).len) {
		if (t->by_byte && out.len > 1)
			out.len /= 2;
		assert_true(buf_add(&t->sent, out));
		imc_sent(t->s, out.len);
	}
}

/* It goes on in other memory; what it left says nothing of the login. */
static inline void story_rest(struct story *t)
{
	struct imc_rested *rested = malloc(imc_rested_size());
	struct span left = { (const char *)t->s, imc_size() };

	imc_rest(t->s, rested);
	assert_null(memmem(left.at, left.len, "s3cret", 6));
	assert_null(memmem(rested, imc_rested_size(), "s3cret", 6));
	memset(t->s, 0xa5, imc_size());
	free(t->s);
	t->s = malloc(imc_size());
	memset(t->s, 0x5a, imc_size());
	imc_resume(t->s, rested);
	free(rested);
	t->rested++;
}

static inline void story_drain(struct story *t)
{
	struct imc_event ev;

	while (imc_next(t->s, &ev) != IMC_NOTHING)
		assert_true(story_event(t, &ev));
	assert_int_equal(imc_unread(t->s), 0);
	story_send(t);
	if (t->rests && imc_may_rest(t->s) && (t->rests == 1 || rand_r(&t->rests) % 2))
		story_rest(t);
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
		imc_sasl_cancel(t->s, true, &liar);
	else if (span_equal(answer, SPAN("!")))
		imc_sasl_cancel(t->s, false, &no);
	else
		imc_sasl_answer(t->s, answer);
	story_drain(t);
}

/* The server has said what it had to say for now. */
static inline void story_settle(struct story *t)
{
	if (t->tls) {
		t->tls = false;
		imc_secured(t->s);
		story_drain(t);
	} else if (!t->sasl && t->ready) {
		story_ask(t);
		story_drain(t);
	}
	while (t->sasl)
		story_answer(t);
}

static inline void story_feed(struct story *t, const char *at, size_t len)
{
	char *copy = malloc(len ? len : 1);	/* so that a sanitizer sees a step over the end */

	memcpy(copy, at, len);
	imc_feed(t->s, (struct span){ copy, len });
	story_drain(t);
	free(copy);
	if (t->inflate) {
		size_t left = t->inflate;

		t->inflate = 0;
		story_feed(t, at + len - left, left);
	}
}

static inline void story_start(struct story *t, const struct story_row *r)
{
	struct span mechs = span_of(r->mechs ? r->mechs : "user"), name;
	struct imc_login *l = &t->login;

	*t = (struct story){ .row = r, .answers = r->answers, .ask = r->ask, .s = malloc(imc_size()) };
	buf_start(&t->told, 1 << 24);
	buf_start(&t->sent, 1 << 24);
	*l = (struct imc_login){
		.user = r->user ? r->user : "anna", .password = r->password.len ? r->password : SPAN("s3cret"),
		.id = r->how & WITH_ID ? "(\"name\" \"x\")" : NULL,
		.mechs = t->mechs, .detect_capa = !(r->how & NO_CAPA), .detect_greeting = !(r->how & NO_GREETING),
		.secure = !(r->how & (CLEAR_LINE | TLS)), .starttls = r->how & TLS,
		.starttls_required = (r->how & TLS_REQUIRED) == TLS_REQUIRED, .clear_allowed = r->how & CLEAR_ALLOWED,
		.channel_binding = r->how & BINDING, .lockstep = r->how & LOCKSTEP, .compress = r->how & COMPRESS,
	};
	while (span_word(&mechs, &name))
		assert_true(sasl_mech_parse(name, &t->mechs[l->mech_count++]));
	imc_start(t->s, l);
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
		imc_eof(t->s);
		story_drain(t);
	}
}

static inline void story_end(struct story *t)
{
	imc_end(t->s);
	free(t->s);
	buf_end(&t->told);
	buf_end(&t->sent);
}

static inline void story_is(const struct story *t, size_t cut)
{
	const struct story_row *r = t->row;
	const char *why = imc_error(t->s)->text;

	if (r->want && !span_equal(buf_span(&t->told), span_of(r->want)))
		fail_msg("%s (cut %zu): \"%.*s\"\nis not \"%s\"\n%s", r->name, cut, (int)t->told.len, t->told.at, r->want, why);
	if (r->sent && !span_equal(buf_span(&t->sent), span_of(r->sent)))
		fail_msg("%s (cut %zu): sent \"%.*s\"\nnot \"%s\"\n%s", r->name, cut, (int)t->sent.len, t->sent.at, r->sent, why);
	if (r->why && !strstr(why, r->why))
		fail_msg("%s (cut %zu): error \"%s\" has no \"%s\"", r->name, cut, why, r->why);
	if (strstr(why, "s3cret"))
		fail_msg("%s: the password is in \"%s\"", r->name, why);
}

static inline void story_once(const struct story_row *r, size_t cut, bool by_byte, unsigned rests)
{
	struct story t;

	story_start(&t, r);
	t.by_byte = by_byte;
	t.rests = rests;
	story_play(&t, r->peer, cut);
	story_is(&t, cut);
	story_end(&t);
}

static inline void story_run(const struct story_row *rows, size_t count)
{
	for (const struct story_row *r = rows; r < rows + count; r++) {
		for (size_t cut = 0; cut <= r->peer.len; cut++)
			for (unsigned rests = 0; rests < 3; rests++)
				story_once(r, cut, false, rests < 2 ? rests : (unsigned)cut + 2);
		for (unsigned rests = 0; rests < 4; rests++)
			story_once(r, 0, true, rests);
	}
}
