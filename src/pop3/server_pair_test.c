/* SPDX-License-Identifier: Apache-2.0
 *
 * Our client against our server, in one process: what one side means, the other
 * must understand.  The line between them takes a few octets at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "pop3/client.h"
#include "pop3/server.h"
#include "wire/base64.h"
#include "wire/stuff.h"

enum { MESSAGES = 40, PIPE = 1 << 20 };

static const struct span shapes[] = {
	SPAN("Subject: a\r\n\r\nbody\r\n"), SPAN(".\r\n"), SPAN("."), SPAN(""), SPAN("\r\n.\r\n.\r\n"), SPAN("no end"), SPAN("..a\r\n\r\n...\r\n.\r\n\r\n"),
	SPAN("lone\n.\n\r.\r\r\n"),
};

struct pair {
	struct p3c *c;
	struct p3d *s;
	struct buf up, down, out, body;		/* to the server, to the client */
	char memory[P3D_OUT_MIN];
	struct p3d_settings settings, secured;
	struct drop_message messages[MESSAGES];
	struct p3d_drop drop;
	uint32_t uids, sizes, retrieved, tops, deleted, committed;
	bool tls, ready, bye, over;
};

static struct span message(uint32_t number)
{
	return shapes[(number - 1) % COUNT(shapes)];
}

static void server_event(struct pair *p, const struct p3d_event *ev)
{
	struct span in, piece;
	struct stuff f;

	switch (ev->what) {
	case P3D_SEND: case P3D_REST:
		break;
	case P3D_TLS:
		assert_int_equal(p3d_turn_end(p->s), 0);
		p3d_secured(p->s, &p->secured);
		break;
	case P3D_LOGIN:
		assert_true(p->tls && span_equal(ev->name, SPAN("anna")) && span_equal(ev->text, SPAN(" two words ")));
		p3d_login_ok(p->s, &p->drop);
		break;
	case P3D_RETR:
		p3d_message_begin(p->s);
		break;
	case P3D_BODY:
		assert_true(buf_add(&p->down, buf_span(&p->out)));
		p->out.len = 0;
		stuff_start(&f, ev->all, ev->lines, false);
		for (in = message(ev->number); stuff_next(&f, &in, &piece);)
			assert_true(buf_add(&p->down, piece));
		assert_true(buf_add(&p->down, stuff_end(&f)));
		p3d_message_end(p->s);
		break;
	case P3D_COMMIT:
		for (uint32_t i = 0; i < MESSAGES; i++)
			p->committed += drop_flags(&p->messages[i]) == DROP_MARKS;
		p3d_committed(p->s, true);
		break;
	case P3D_BYE:
		assert_true(ev->good);
		p->over = true;
		break;
	case P3D_NOTHING: case P3D_SASL: case P3D_SASL_OVER: case P3D_XMIT: case P3D_XMIT_BODY: case P3D_XMIT_END: case P3D_GONE:
	case P3D_OVERLONG: case P3D_TLS_HELLO:
		fail_msg("the server says %d", ev->what);
	}
}

static void ask(struct pair *p)
{
	p->ready = true;
	p3c_uidl(p->c);
	p3c_list(p->c);
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		p3c_top(p->c, i, 0);
		p3c_retr(p->c, i);
		p3c_dele(p->c, i);
	}
	p3c_stat(p->c);
	p3c_quit(p->c);
}

static void body_ends(struct pair *p, const struct p3c_event *ev)
{
	struct span want = message(ev->number), got = buf_span(&p->body);

	if (ev->verb == P3C_ASK_RETR) {
		assert_int_equal(got.len, drop_octets(&p->messages[ev->number - 1]));
		assert_true(span_starts(got, want) && (got.len == want.len || span_equal(span_from(got, want.len), SPAN("\r\n"))));
		p->retrieved++;
	} else {
		assert_true(got.len <= drop_octets(&p->messages[ev->number - 1]));
		p->tops++;
	}
	p->body.len = 0;
}

static void client_event(struct pair *p, const struct p3c_event *ev)
{
	switch (ev->what) {
	case P3C_TLS:
		assert_int_equal(p3c_unread(p->c), 0);
		p->tls = true;
		p3c_secured(p->c);
		break;
	case P3C_READY:
		assert_int_equal(p3c_capabilities(p->c), P3C_CAPA_ANSWERED | P3C_CAPA_TOP | P3C_CAPA_UIDL | P3C_CAPA_USER | P3C_CAPA_PIPELINING |
			P3C_CAPA_RESP_CODES | P3C_CAPA_UTF8);
		ask(p);
		break;
	case P3C_UID:
		p->uids++;
		assert_int_equal(ev->number, p->uids);
		assert_int_equal(ev->text.len, 16);
		break;
	case P3C_SIZE:
		p->sizes++;
		assert_int_equal(ev->size, drop_octets(&p->messages[ev->number - 1]));
		break;
	case P3C_BODY:
		assert_true(buf_add(&p->body, ev->text));
		break;
	case P3C_END:
		body_ends(p, ev);
		break;
	case P3C_DELETED:
		p->deleted++;
		break;
	case P3C_STAT:
		assert_true(!ev->number && !ev->size);
		break;
	case P3C_BYE:
		p->bye = ev->good;
		break;
	case P3C_LISTED: case P3C_BEGIN: case P3C_NOTHING:
		break;
	case P3C_SASL: case P3C_REFUSED: case P3C_FAILED:
		fail_msg("the client says %d: %s", ev->what, p3c_error(p->c)->text);
	}
}

/* At most `step` octets go each way. */
static void go(struct pair *p, size_t step, size_t *seen)
{
	struct p3d_event said;
	struct p3c_event heard;
	struct span out;
	size_t n;

	*seen = *seen + step < p->up.len ? *seen + step : p->up.len;
	p3d_feed(p->s, (struct span){ p->up.at, *seen });
	while (p3d_next(p->s, &p->out, &said)) {
		assert_true(buf_add(&p->down, buf_span(&p->out)));
		p->out.len = 0;
		server_event(p, &said);
	}
	assert_true(buf_add(&p->down, buf_span(&p->out)));
	p->out.len = 0;
	n = p3d_turn_end(p->s);
	buf_drop(&p->up, *seen - n);
	*seen = n;
	n = step < p->down.len ? step : p->down.len;
	p3c_feed(p->c, (struct span){ p->down.at, n });
	while (p3c_next(p->c, &heard))
		client_event(p, &heard);
	buf_drop(&p->down, n);
	out = p3c_out(p->c);
	assert_true(buf_add(&p->up, out));
	p3c_sent(p->c, out.len);
}

static void start(struct pair *p, const struct p3c_login *login)
{
	*p = (struct pair){ .c = malloc(p3c_size()), .s = malloc(p3d_size()) };
	buf_start(&p->up, PIPE);
	buf_start(&p->down, PIPE);
	buf_start(&p->body, PIPE);
	buf_lend(&p->out, p->memory, sizeof p->memory);
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		struct span m = message(i);
		bool ended = !m.len || (m.len > 1 && !memcmp(m.at + m.len - 2, "\r\n", 2));

		p->messages[i - 1] = drop_message_of(i, 0, m.len + (ended ? 0 : 2), 0);
	}
	p->drop = (struct p3d_drop){ .messages = p->messages, .count = MESSAGES };
	p->settings = (struct p3d_settings){ .greeting = "hi", .stls = true };
	p->secured = (struct p3d_settings){ .greeting = "hi", .secure = true, .mechs = 1U << SASL_USER };
	p3c_start(p->c, login);
	p3d_start(p->s, &p->settings);
}

static void a_whole_visit(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_256, SASL_APOP, SASL_USER };
	static const struct p3c_login login = {
		.user = "anna", .password = SPAN(" two words "), .mechs = mechs, .mech_count = COUNT(mechs),
		.detect_capa = true, .detect_greeting = true, .stls = true, .stls_required = true,
	};
	static const size_t steps[] = { 1, 2, 3, 7, 64, 1000, PIPE };

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct pair p;
		size_t seen = 0;

		start(&p, &login);
		for (unsigned turns = 0; !p.bye && turns < 100000; turns++)
			go(&p, steps[i], &seen);
		assert_true(p.bye && p.over && p.tls && p.ready);
		assert_true(p.uids == MESSAGES && p.sizes == MESSAGES && p.retrieved == MESSAGES && p.tops == MESSAGES);
		assert_true(p.deleted == MESSAGES && p.committed == MESSAGES);
		p3c_end(p.c);
		p3d_end(p.s);
		free(p.c);
		free(p.s);
		buf_end(&p.up);
		buf_end(&p.down);
		buf_end(&p.body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_visit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
