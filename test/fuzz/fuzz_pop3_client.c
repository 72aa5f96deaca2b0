/* SPDX-License-Identifier: Apache-2.0
 *
 * The POP3 client against any server: two octets of settings, then what the
 * server says, cut (see fuzz.h).
 *
 * Whatever it says, events come in order and answer what was asked, commands
 * are well-formed, and no password is shown on a clear line.  Cut or whole, the
 * story is the same; but octets that a server sends too early may be an error
 * only when they are seen to be early: then the whole story is the beginning
 * of the cut one. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "pop3/client.h"

enum {		/* the settings' bits */
	CAPA = 1, MECHS = 2, GREETING = 4, SECURE = 8, STLS = 16, STLS_MUST = 32, CLEAR = 64, BINDING = 128,
	LOCKSTEP = 256, LISTED = 512, REVERSED = 1024, CANCEL = 2048, PROOF_FAILED = 4096, MANY = 8192, NO_QUIT = 16384,
	STORY_MAX = 1 << 20,
};

static const char password[] = "pa55-w0rd";

static const struct ask { enum p3c_verb verb; uint32_t number; } asks[] = {
	{ P3C_ASK_STAT, 0 }, { P3C_ASK_UIDL, 0 }, { P3C_ASK_LIST, 0 }, { P3C_ASK_RETR, 1 }, { P3C_ASK_TOP, 2 },
	{ P3C_ASK_DELE, 1 }, { P3C_ASK_RETR, 4294967295 }, { P3C_ASK_DELE, 2 }, { P3C_ASK_QUIT, 0 },
};

struct run {
	struct p3c *s;
	unsigned settings;
	struct buf story, out;
	size_t many, answered;		/* commands asked beyond `asks`; answers told */
	bool secure, attacked, ready, in_body, failed, over;
};

static void must(bool added)
{
	assert(added);
}

/* The command whose answer is next; the many stand in front of the others. */
static struct ask asked(const struct run *r)
{
	assert(r->answered < r->many + COUNT(asks));
	return r->answered < r->many ? (struct ask){ P3C_ASK_DELE, 7 } : asks[r->answered - r->many];
}

static void ask_all(struct run *r)
{
	for (; (r->settings & MANY) && p3c_outstanding(r->s) + COUNT(asks) < P3C_WINDOW; r->many++)
		p3c_dele(r->s, 7);
	for (size_t i = 0; i < COUNT(asks) - !!(r->settings & NO_QUIT); i++) {
		uint32_t number = asks[i].number;

		assert(p3c_can_ask(r->s));
		switch (asks[i].verb) {
		case P3C_ASK_NONE: break;
		case P3C_ASK_STAT: p3c_stat(r->s); break;
		case P3C_ASK_UIDL: p3c_uidl(r->s); break;
		case P3C_ASK_LIST: p3c_list(r->s); break;
		case P3C_ASK_RETR: p3c_retr(r->s, number); break;
		case P3C_ASK_TOP: p3c_top(r->s, number, 5); break;
		case P3C_ASK_DELE: p3c_dele(r->s, number); break;
		case P3C_ASK_QUIT: p3c_quit(r->s); break;
		}
	}
}

static void answer_sasl(struct run *r, const struct p3c_event *ev)
{
	struct err why = { 0 };

	assert(!r->ready && ev->mech < SASL_MECHS && ev->mech != SASL_USER && ev->mech != SASL_APOP);
	assert(r->secure || (r->settings & CLEAR) || !sasl_mech_clear(ev->mech));
	assert(!sasl_mech_plus(ev->mech) || (r->settings & BINDING));
	if (r->settings & CANCEL)
		(void)err_set(&why, ERR_AUTH, "the server did not prove that it knows the password");
	if (r->settings & CANCEL)
		p3c_sasl_cancel(r->s, r->settings & PROOF_FAILED, &why);
	else
		p3c_sasl_answer(r->s, ev->last ? (struct span){ 0 } : SPAN("response"));
}

/* An answer as it must be: to the oldest command that is not answered. */
static void check_answer(struct run *r, const struct p3c_event *ev, bool last)
{
	struct ask a = asked(r);

	assert(r->ready && ev->verb == a.verb);
	assert(ev->what == P3C_STAT || ev->what == P3C_UID || ev->what == P3C_SIZE || ev->number == a.number);
	r->answered += last;
}

static void on_event(struct run *r, const struct p3c_event *ev)
{
	switch (ev->what) {
	case P3C_NOTHING:
		return;
	case P3C_TLS:
		assert(!r->secure && !r->ready && (r->settings & STLS));
		r->attacked = p3c_unread(r->s);
		r->secure = !r->attacked;
		p3c_secured(r->s);
		return;
	case P3C_SASL:
		answer_sasl(r, ev);
		return;
	case P3C_READY:
		assert(!r->ready);
		assert(r->secure || !((r->settings & STLS) && (r->settings & STLS_MUST)));
		r->ready = true;
		ask_all(r);
		return;
	case P3C_UID:
	case P3C_SIZE:
		assert(ev->verb == (ev->what == P3C_UID ? P3C_ASK_UIDL : P3C_ASK_LIST) && ev->number);
		check_answer(r, ev, false);
		return;
	case P3C_BEGIN:
	case P3C_BODY:
	case P3C_END:
		assert(r->in_body == (ev->what != P3C_BEGIN));
		assert((ev->text.len > 0) == (ev->what == P3C_BODY));
		check_answer(r, ev, ev->what == P3C_END);
		r->in_body = ev->what != P3C_END;
		return;
	case P3C_STAT:
	case P3C_LISTED:
	case P3C_DELETED:
	case P3C_REFUSED:
		assert(!r->in_body);
		check_answer(r, ev, true);
		return;
	case P3C_BYE:
		assert(asked(r).verb == P3C_ASK_QUIT && !r->in_body);
		r->over = true;
		return;
	case P3C_FAILED:
		assert(p3c_error(r->s)->kind != ERR_NONE && p3c_error(r->s)->text[0]);
		assert(!span_has_control(span_of(p3c_error(r->s)->text)));
		r->failed = r->over = true;
		return;
	}
}

/* Pieces of a body may be cut anywhere, so they are told without a mark. */
static void tell(struct run *r, const struct p3c_event *ev)
{
	if (ev->what != P3C_BODY && ev->what != P3C_FAILED)
		must(buf_printf(&r->story, "\n%d %d %u %llu %d %d: ", ev->what, ev->verb, ev->number, (unsigned long long)ev->size,
				ev->mech, ev->kind));
	must(buf_add(&r->story, ev->text));
}

static void send_out(struct run *r)
{
	struct span out = p3c_out(r->s);

	assert(out.len <= P3C_OUT_MAX);
	if (!r->secure && !(r->settings & CLEAR) && out.len)
		assert(!memmem(out.at, out.len, password, sizeof password - 1));
	must(buf_add(&r->out, out));
	p3c_sent(r->s, out.len);
}

static void drain(struct run *r)
{
	struct p3c_event ev;

	while (p3c_next(r->s, &ev)) {
		assert(!r->over && (!r->attacked || ev.what == P3C_FAILED));
		tell(r, &ev);
		send_out(r);		/* before the event is acted upon: then the line may change */
		on_event(r, &ev);
		send_out(r);
	}
	assert(p3c_unread(r->s) == 0 && ev.what == P3C_NOTHING);
}

static void run_start(struct run *r, const struct p3c_login *login, unsigned settings)
{
	*r = (struct run){ .s = malloc(p3c_size()), .settings = settings, .secure = login->secure };
	assert(r->s);
	buf_start(&r->story, STORY_MAX);
	buf_start(&r->out, STORY_MAX);
	p3c_start(r->s, login);
}

static void run_part(struct run *r, struct span part)
{
	p3c_feed(r->s, part);
	drain(r);
}

static void run_eof(struct run *r)
{
	p3c_eof(r->s);
	drain(r);
	assert(r->over);
	for (size_t i = 0; i < r->out.len; i++)
		assert(r->out.at[i] && (r->out.at[i] == '\n') == (i && r->out.at[i - 1] == '\r'));
}

static void run_end(struct run *r)
{
	p3c_end(r->s);
	free(r->s);
	buf_end(&r->story);
	buf_end(&r->out);
}

static void compare(const struct run *whole, const struct run *cut)
{
	if (!whole->failed)
		assert(!cut->failed && cut->story.len == whole->story.len && cut->out.len == whole->out.len);
	assert(span_starts(buf_span(&cut->story), buf_span(&whole->story)));
	assert(span_starts(buf_span(&cut->out), buf_span(&whole->out)));
}

static struct p3c_login login_of(unsigned settings)
{
	static enum sasl_mech forward[SASL_MECHS], backward[SASL_MECHS];

	for (unsigned i = 0; i < SASL_MECHS; i++)
		forward[i] = backward[SASL_MECHS - 1 - i] = (enum sasl_mech)i;
	return (struct p3c_login){
		.user = "anna", .password = { password, sizeof password - 1 },
		.mechs = settings & REVERSED ? backward : forward, .mech_count = SASL_MECHS,
		.detect_capa = settings & CAPA, .detect_auth = settings & MECHS, .detect_greeting = settings & GREETING,
		.secure = settings & SECURE, .stls = settings & STLS, .stls_required = settings & STLS_MUST,
		.clear_allowed = settings & CLEAR, .channel_binding = settings & BINDING, .lockstep = settings & LOCKSTEP,
		.listed = settings & LISTED,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned settings = size < 2 ? 0 : data[0] | (unsigned)data[1] << 8;
	struct p3c_login login = login_of(settings);
	struct run whole, cut;
	struct span part;
	struct feed f;

	if (size < 2 || size > 32768)	/* a story must find room */
		return 0;
	run_start(&whole, &login, settings);
	run_start(&cut, &login, settings);
	feed_start(&f, data + 2, size - 2);
	run_part(&whole, f.all);
	while (feed_next(&f, &part))
		run_part(&cut, part);
	run_eof(&whole);
	run_eof(&cut);
	compare(&whole, &cut);
	run_end(&whole);
	run_end(&cut);
	return 0;
}
