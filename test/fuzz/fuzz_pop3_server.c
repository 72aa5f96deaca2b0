/* SPDX-License-Identifier: Apache-2.0
 *
 * The POP3 server's session against any client: two octets of settings, then
 * what the client says, cut (see fuzz.h).
 *
 * Whatever it says: every line is answered exactly once, by whole lines of at
 * most 512 octets without a control; nothing is eaten while an answer is owed;
 * the last event is the last.  The story is the same whole or cut, with answers
 * at once or between turns, with out sent at once or only when it is full; but
 * octets behind STLS are injected only where they come together with it. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "pop3/server.h"
#include "wire/base64.h"
#include "wire/stuff.h"

enum {		/* the settings' bits */
	SECURE = 1, STLS = 2, SUBMISSION = 4, UTF8_USER = 8, REFUSE = 16, COMMIT_FAILS = 32, XMIT_FAILS = 64, XMIT_REFUSED = 128,
	NO_USER = 256, NO_SASL = 512, UIDS = 1024, ROUNDS = 2048, STOP = 4096, TOLD = 8192, CLOSE = 16384, KEEP = 32768,
	STORY_MAX = 1 << 22,
};

static const struct span mail[] = {
	SPAN("a: b\r\n\r\nc\r\nd\r\n"), SPAN(".\r\n..\r\n"), SPAN(""), SPAN("no end\r\n\r\n."), SPAN("x\r\n"),
};
static const char *const uids[] = { "1", "a b", NULL, "!~", "\r\n" };

struct run {
	struct p3d *s;
	struct p3d_settings set, secured;
	struct p3d_drop drop;
	struct drop_message messages[COUNT(mail)];
	struct buf story, out, rest, log;
	struct p3d_event owed;		/* what is to be answered between turns */
	unsigned settings, rounds;
	size_t lines;			/* ended in what was fed */
	char memory[P3D_OUT_MIN];
	bool late, injected, over;
};

static void must(bool added)
{
	assert(added);
}

static void send_out(struct run *r)
{
	for (struct span out = buf_span(&r->out), line; out.len; out = span_from(out, line.len + 1)) {
		line = (struct span){ out.at, span_find(out, '\n') };
		assert(line.len && line.len < out.len && line.at[line.len - 1] == '\r');
		assert(line.len < P3D_REPLY_MAX || line.at[0] == '+');
		assert(!span_has_control((struct span){ line.at, line.len - 1 }));
	}
	must(buf_add(&r->log, buf_span(&r->out)));
	r->out.len = 0;
}

static size_t replies(const struct run *r)
{
	struct span log = buf_span(&r->log);
	size_t count = 0;

	while (log.len) {
		count += span_starts(log, SPAN("+")) || span_starts(log, SPAN("-ERR "));
		log = span_from(log, span_find(log, '\n') + 1);
	}
	return count;
}

static void send_body(struct run *r, const struct p3d_event *ev)
{
	struct span in = mail[ev->number - 1], piece;
	struct stuff f;

	send_out(r);
	stuff_start(&f, ev->all, ev->lines, false);
	while (stuff_next(&f, &in, &piece))
		must(buf_add(&r->story, piece));
	must(buf_add(&r->story, stuff_end(&f)));
	p3d_message_end(r->s);
}

static void act(struct run *r, const struct p3d_event *ev)
{
	assert(p3d_waiting(r->s));
	switch (ev->what) {
	case P3D_TLS:
		r->secured = r->set;
		r->secured.secure = true;
		p3d_secured(r->s, &r->secured);
		return;
	case P3D_SASL:
		if (r->rounds++ % 3 && (r->settings & ROUNDS))
			p3d_sasl_challenge(r->s, SPAN("challenge"));
		else if (r->settings & REFUSE && r->rounds % 2)
			p3d_login_refused(r->s, P3D_CODE_AUTH, NULL);
		else
			p3d_login_ok(r->s, &r->drop);
		return;
	case P3D_LOGIN:
		if (r->settings & REFUSE && r->rounds++ % 2 == 0)
			p3d_login_refused(r->s, P3D_CODE_SYS_PERM, "no\r\n\xff login");
		else
			p3d_login_ok(r->s, &r->drop);
		return;
	case P3D_RETR:
		if (ev->number == 2)
			p3d_message_refused(r->s, P3D_CODE_NONE, NULL);
		else
			p3d_message_begin(r->s);
		return;
	case P3D_BODY:
		send_body(r, ev);
		return;
	case P3D_COMMIT:
		p3d_committed(r->s, !(r->settings & COMMIT_FAILS));
		return;
	case P3D_XMIT:
		if (r->settings & XMIT_REFUSED)
			p3d_xmit_refused(r->s, P3D_CODE_SYS_PERM, NULL);
		else
			p3d_xmit_go(r->s);
		return;
	case P3D_XMIT_END:
		if (r->settings & XMIT_FAILS)
			p3d_xmit_refused(r->s, P3D_CODE_SYS_TEMP, NULL);
		else
			p3d_xmit_accepted(r->s);
		return;
	case P3D_NOTHING: case P3D_SEND: case P3D_REST: case P3D_SASL_OVER: case P3D_XMIT_BODY: case P3D_BYE: case P3D_GONE: case P3D_OVERLONG:
	case P3D_TLS_HELLO:
		break;
	}
	abort();	/* nobody waits at these */
}

static void check_event(struct run *r, const struct p3d_event *ev)
{
	bool in = p3d_logged_in(r->s);

	switch (ev->what) {
	case P3D_TLS:
		assert(!in && !r->set.secure && !r->secured.secure && r->set.stls);
		break;
	case P3D_LOGIN:
		assert(!in && ev->name.len && !span_has_control(ev->name) && !span_has_control(ev->text));
		assert((ev->mech == SASL_USER || ev->mech == SASL_APOP) && r->set.mechs >> ev->mech & 1);
		break;
	case P3D_SASL:
		assert(!in && r->set.mechs >> ev->mech & 1 && ev->size <= P3D_AUTH_MAX);
		assert(ev->given || (ev->first && !ev->size));
		break;
	case P3D_RETR:
	case P3D_BODY:
		assert(in && ev->number && ev->number <= COUNT(mail) && !(drop_flags(&r->messages[ev->number - 1]) & DROP_DELETED));
		break;
	case P3D_XMIT:
	case P3D_XMIT_BODY:
	case P3D_XMIT_END:
		assert(in && (ev->what == P3D_XMIT_BODY) == (ev->text.len > 0));
		break;
	case P3D_COMMIT:
		assert(in);
		break;
	case P3D_NOTHING: case P3D_SEND: case P3D_REST: case P3D_SASL_OVER: case P3D_BYE: case P3D_GONE: case P3D_OVERLONG: case P3D_TLS_HELLO:
		break;
	}
}

static void tell(struct run *r, const struct p3d_event *ev)
{
	if (ev->what == P3D_SEND || ev->what == P3D_REST)
		return;
	if (ev->what != P3D_XMIT_BODY)		/* may be cut anywhere */
		must(buf_printf(&r->story, "\n%d %d %zu %u %u %d: ", ev->what, ev->mech, ev->size, ev->number, ev->lines,
				ev->all | ev->first << 1 | ev->given << 2 | ev->good << 3));
	must(buf_add(&r->story, ev->name) && buf_add(&r->story, ev->text));
}

static void on_event(struct run *r, const struct p3d_event *ev)
{
	struct p3d_event more;

	assert(!r->over);
	check_event(r, ev);
	tell(r, ev);
	r->over = ev->what >= P3D_BYE;
	if (ev->what == P3D_SEND) {	/* also while an answer is owed */
		send_out(r);
		return;
	}
	if (!p3d_waiting(r->s)) {
		if (!r->late)
			send_out(r);
		return;
	}
	assert(p3d_next(r->s, &r->out, &more) == P3D_NOTHING || more.what == P3D_SEND);
	if (r->late || ev->what == P3D_TLS)
		r->owed = *ev;
	else
		act(r, ev);
}

static void turn(struct run *r, struct span part)
{
	size_t len = r->rest.len + part.len, left;
	char *in = malloc(len + !len);
	struct p3d_event ev;

	assert(in);
	if (r->rest.len)
		memcpy(in, r->rest.at, r->rest.len);
	if (part.len)
		memcpy(in + r->rest.len, part.at, part.len);
	p3d_feed(r->s, (struct span){ in, len });
	while (p3d_next(r->s, &r->out, &ev))
		on_event(r, &ev);
	send_out(r);
	left = p3d_turn_end(r->s);
	assert(left <= len && !(r->over && left));
	r->rest.len = 0;
	must(buf_add(&r->rest, (struct span){ in + len - left, left }));
	free(in);
}

static void run_part(struct run *r, struct span part)
{
	if (r->injected || r->over)
		return;
	for (size_t i = 0; i < part.len; i++)
		r->lines += part.at[i] == '\n';
	turn(r, part);
	while (r->owed.what && !r->injected) {
		struct p3d_event ev = r->owed;

		r->owed.what = P3D_NOTHING;
		r->injected = ev.what == P3D_TLS && r->rest.len;
		if (r->injected)
			return;
		act(r, &ev);
		turn(r, (struct span){ 0 });
	}
	assert(r->rest.len < P3D_AUTH_MAX);
	for (size_t i = 0; i < r->rest.len; i++)
		assert(r->rest.at[i] != '\n');		/* no whole line waits for nothing */
	if (!r->over && !(r->settings & SUBMISSION))
		assert(replies(r) == 1 + r->lines);
}

static void run_start(struct run *r, unsigned settings, bool late)
{
	*r = (struct run){ .s = malloc(p3d_size()), .settings = settings, .late = late };
	assert(r->s);
	r->set = (struct p3d_settings){
		.greeting = "ready <1.2@h>", .secure = settings & SECURE, .stls = settings & STLS, .utf8_user = settings & UTF8_USER,
		.submission = settings & SUBMISSION, .login_delay_s = settings & TOLD ? 60 : 0,
		.expire_days = settings & TOLD ? P3D_EXPIRE_NEVER : 0, .implementation = settings & TOLD ? "x" : NULL,
		.mechs = (settings & NO_SASL ? 0 : (1U << SASL_USER) - 1) | (settings & NO_USER ? 0 : 1U << SASL_USER),
	};
	for (size_t i = 0; i < COUNT(mail); i++)
		r->messages[i] = drop_message_of(i, 0, mail[i].len, 0);
	r->drop = (struct p3d_drop){ .messages = r->messages, .count = COUNT(mail), .keep = settings & KEEP, .uids = settings & UIDS ? uids : NULL };
	buf_start(&r->story, STORY_MAX);
	buf_start(&r->log, STORY_MAX);
	buf_start(&r->rest, STORY_MAX);
	buf_lend(&r->out, r->memory, sizeof r->memory);
	p3d_start(r->s, &r->set);
	if (settings & STOP)
		p3d_stop(r->s, "stop");
	run_part(r, (struct span){ 0 });
}

static void run_end(struct run *r)
{
	if ((r->settings & CLOSE) && !r->injected) {
		p3d_eof(r->s);
		run_part(r, (struct span){ 0 });
		assert(r->over);
	}
	p3d_end(r->s);
	free(r->s);
	r->s = NULL;
}

static void run_free(struct run *r)
{
	buf_end(&r->story);
	buf_end(&r->log);
	buf_end(&r->rest);
}

static void compare(const struct run *a, const struct run *b)
{
	if (a->injected || b->injected)
		return;
	assert(span_equal(buf_span(&a->story), buf_span(&b->story)));
	assert(span_equal(buf_span(&a->log), buf_span(&b->log)));
	assert(a->over == b->over && span_equal(buf_span(&a->rest), buf_span(&b->rest)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned settings = size < 2 ? 0 : data[0] | (unsigned)data[1] << 8;
	struct run whole, cut;
	struct span part;
	struct feed f;

	if (size < 2 || size > 40000)
		return 0;
	run_start(&whole, settings, false);
	run_start(&cut, settings, true);
	feed_start(&f, data + 2, size - 2);
	run_part(&whole, f.all);
	while (feed_next(&f, &part))
		run_part(&cut, part);
	run_end(&whole);
	run_end(&cut);
	compare(&whole, &cut);
	run_free(&whole);
	run_free(&cut);
	return 0;
}
