/* SPDX-License-Identifier: Apache-2.0
 *
 * The SMTP and LMTP client against any server: two octets of settings, then what
 * the server says, cut (see fuzz.h).
 *
 * Whatever it says: each recipient of each mail gets one result and each mail
 * its end, nothing is accepted or in doubt whose message is not out whole,
 * commands are well-formed, no password is shown, words are safe.  Cut or whole,
 * the story is the same; but octets that a server sends too early may be an
 * error only when they are seen to be early: then the whole story is the
 * beginning of the cut one. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "smtp/body.h"
#include "smtp/client.h"

enum {		/* the settings' bits */
	LMTP = 1, SECURE = 2, STARTTLS = 4, STARTTLS_MUST = 8, CLEAR = 16, BINDING = 32, LOCKSTEP = 64, NO_CHUNKING = 128,
	LOGIN = 256, REVERSED = 512, CANCEL = 1024, PROOF_FAILED = 2048, QUIT = 4096, HOLD_BODY = 8192, ABORT = 16384,
	STORY_MAX = 1 << 20, MAILS = 3, RECIPIENTS = 5,
};

static const char password[] = "pa55-w0rd";
static const char *const to[RECIPIENTS] = { "c@d", "\xc3\xa4@d", "no way@d", "e@d", "f@d" };
static const struct smc_mail mails[MAILS] = {
	{ .sender = "a@b", .recipients = to, .recipient_count = RECIPIENTS, .octets = 7 },
	{ .sender = "", .recipients = to + 3, .recipient_count = 1, .octets = 7, .eight_bit = true },
	{ .sender = "a@b", .recipients = to + 3, .recipient_count = 2, .octets = 7 },
};

struct run {
	struct smc *s;
	unsigned settings;
	struct buf story, out;
	size_t given, done;
	unsigned told[MAILS];		/* bits 1 << recipient */
	bool whole[MAILS], body[MAILS];
	bool secure, attacked, ready, quit, failed, over;
	bool pending, held;		/* a message is going out */
	bool chunked;
};

static void must(bool added)
{
	assert(added);
}

static void send_out(struct run *r)
{
	struct span out = smc_out(r->s);

	assert(out.len <= SMC_OUT_MAX);
	if (out.len)
		assert(!memmem(out.at, out.len, password, sizeof password - 1));
	must(buf_add(&r->out, out));
	smc_sent(r->s, out.len);
}

static void end_body(struct run *r)
{
	struct smtp_body b;
	struct span in = SPAN(".hello"), piece;

	for (smtp_body_start(&b, r->chunked); smtp_body_next(&b, &in, &piece);)
		must(buf_add(&r->out, piece));
	must(buf_add(&r->out, smtp_body_end(&b)));
	r->pending = false;
	r->whole[r->given - 1] = true;
	smc_body_sent(r->s);
}

static void give(struct run *r)
{
	while (r->given < MAILS && smc_can_send(r->s)) {
		smc_send(r->s, &mails[r->given++]);
		send_out(r);
	}
	if ((r->settings & QUIT) && r->given == MAILS && smc_idle(r->s) && !r->quit) {
		r->quit = true;
		smc_quit(r->s);
	}
}

static void answer_sasl(struct run *r, const struct smc_event *ev)
{
	struct err why = { 0 };

	assert(!r->ready && (r->settings & LOGIN) && ev->mech < SASL_MECHS && ev->mech != SASL_USER && ev->mech != SASL_APOP);
	assert(r->secure || (r->settings & CLEAR) || !sasl_mech_clear(ev->mech));
	assert(!sasl_mech_plus(ev->mech) || (r->settings & BINDING));
	if (r->settings & CANCEL)
		(void)err_set(&why, ERR_AUTH, "the server did not prove that it knows the password");
	if (r->settings & CANCEL)
		smc_sasl_cancel(r->s, r->settings & PROOF_FAILED, &why);
	else
		smc_sasl_answer(r->s, ev->last ? (struct span){ 0 } : SPAN("response"));
}

static void check_result(struct run *r, const struct smc_event *ev)
{
	size_t n = (size_t)(ev->mail - mails);
	bool taken = ev->outcome == SMC_ACCEPTED || ev->outcome == SMC_DOUBT;

	assert(n >= r->done && n < r->given && ev->recipient < mails[n].recipient_count);
	assert(!(r->told[n] & 1u << ev->recipient));
	r->told[n] |= 1u << ev->recipient;
	assert(!taken || r->whole[n]);
	assert((ev->outcome == SMC_ACCEPTED) == (ev->kind == ERR_NONE) && ev->ours == !ev->code);
	assert(ev->outcome != SMC_ACCEPTED || ev->code / 100 == 2);
	assert(ev->outcome != SMC_DOUBT || ev->ours);
	assert(!span_has_control(ev->text) && (ev->ours || ev->text.len <= SMC_TEXT_MAX));
	assert(!ev->text.len || !memmem(ev->text.at, ev->text.len, password, sizeof password - 1));
	assert(!ev->status[0] || ev->status[0] == ev->code / 100);
}

static void on_event(struct run *r, const struct smc_event *ev)
{
	switch (ev->what) {
	case SMC_NOTHING:
		return;
	case SMC_TLS:
		assert(!r->secure && !r->ready && (r->settings & STARTTLS));
		r->attacked = smc_unread(r->s);
		r->secure = !r->attacked;
		smc_secured(r->s);
		return;
	case SMC_SASL:
		answer_sasl(r, ev);
		return;
	case SMC_READY:
		assert(!r->ready);
		assert(r->secure || !((r->settings & STARTTLS) && (r->settings & STARTTLS_MUST)));
		r->ready = true;
		return;
	case SMC_BODY:
		assert(ev->mail == &mails[r->given - 1] && !r->body[r->given - 1] && !r->pending);
		assert(!ev->chunked || !(r->settings & NO_CHUNKING));
		r->body[r->given - 1] = r->pending = true;
		r->chunked = ev->chunked;
		return;
	case SMC_RESULT:
		check_result(r, ev);
		return;
	case SMC_DONE:
		assert(ev->mail == &mails[r->done] && r->told[r->done] == (1u << mails[r->done].recipient_count) - 1);
		r->done++;
		return;
	case SMC_BYE:
		assert(r->quit);
		r->over = true;
		return;
	case SMC_FAILED:
		assert(r->done == r->given);
		assert(smc_error(r->s)->kind != ERR_NONE && smc_error(r->s)->text[0]);
		assert(!span_has_control(span_of(smc_error(r->s)->text)));
		assert(!strstr(smc_error(r->s)->text, password));
		r->failed = r->over = true;
		return;
	}
}

static void tell(struct run *r, const struct smc_event *ev)
{
	if (ev->what == SMC_FAILED)
		return;
	if (ev->what == SMC_RESULT && ev->ours)		/* of the failure, which a cut may tell in other words */
		must(buf_printf(&r->story, "\nours %zu %u", (size_t)(ev->mail - mails), ev->recipient));
	else
		must(buf_printf(&r->story, "\n%d %u %u %d %d %d: ", ev->what, ev->recipient, ev->code, ev->outcome, ev->mech, ev->kind) &&
			buf_add(&r->story, ev->text));
}

static void drain(struct run *r)
{
	struct smc_event ev;

	while (smc_next(r->s, &ev)) {
		assert(!r->over);
		tell(r, &ev);
		send_out(r);		/* before the event is acted upon: then the line may change */
		on_event(r, &ev);
		give(r);
		send_out(r);
	}
	assert(smc_unread(r->s) == 0 && ev.what == SMC_NOTHING);
	(void)smc_timeout_ms(r->s);
}

static void run_start(struct run *r, const struct smc_login *login, unsigned settings)
{
	*r = (struct run){ .s = malloc(smc_size()), .settings = settings, .secure = login->secure };
	assert(r->s);
	buf_start(&r->story, STORY_MAX);
	buf_start(&r->out, STORY_MAX);
	smc_start(r->s, login);
}

static void run_part(struct run *r, struct span part)
{
	smc_feed(r->s, part);
	drain(r);
	r->held = r->pending && (r->settings & HOLD_BODY) && !r->held;	/* what comes next is early */
	if (r->pending && !r->held && !r->over) {
		end_body(r);
		give(r);
		drain(r);
	}
}

/* Of a server that waits: what came before our command answers nothing, so a cut may tell another story than none. */
static void run_lines(struct run *r, struct span part)
{
	while (part.len) {
		size_t n = span_find(part, '\n') + 1;

		n = n < part.len ? n : part.len;
		run_part(r, (struct span){ part.at, n });
		part = span_from(part, n);
	}
}

/* Lines of commands, and messages whose dots are doubled: no CR and no LF is alone. */
static void run_eof(struct run *r)
{
	static const struct err why = { ERR_NET, "no answer in time" };

	if (r->settings & ABORT)
		smc_abort(r->s, &why);
	else
		smc_eof(r->s);
	drain(r);
	assert(r->over && r->done == r->given);
	for (size_t i = 0; i < r->out.len; i++)
		assert(r->out.at[i] && (r->out.at[i] == '\n') == (i && r->out.at[i - 1] == '\r'));
}

static void run_end(struct run *r)
{
	smc_end(r->s);
	free(r->s);
	buf_end(&r->story);
	buf_end(&r->out);
}

static void compare(const struct run *whole, const struct run *cut)
{
	if (whole->settings & HOLD_BODY)
		return;
	if (!whole->failed)
		assert(!cut->failed && cut->story.len == whole->story.len && cut->out.len == whole->out.len);
	assert(span_starts(buf_span(&cut->story), buf_span(&whole->story)));
	assert(span_starts(buf_span(&cut->out), buf_span(&whole->out)));
}

static struct smc_login login_of(unsigned settings)
{
	static enum sasl_mech forward[SASL_MECHS], backward[SASL_MECHS];

	for (unsigned i = 0; i < SASL_MECHS; i++)
		forward[i] = backward[SASL_MECHS - 1 - i] = (enum sasl_mech)i;
	return (struct smc_login){
		.name = "me.example", .lmtp = settings & LMTP, .password = { password, sizeof password - 1 },
		.mechs = settings & REVERSED ? backward : forward, .mech_count = settings & LOGIN ? SASL_MECHS : 0,
		.secure = settings & SECURE, .starttls = settings & STARTTLS, .starttls_required = settings & STARTTLS_MUST,
		.clear_allowed = settings & CLEAR, .channel_binding = settings & BINDING, .lockstep = settings & LOCKSTEP,
		.no_chunking = settings & NO_CHUNKING,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned settings = size < 2 ? 0 : data[0] | (unsigned)data[1] << 8;
	struct smc_login login = login_of(settings);
	struct run whole, cut, packed;
	struct span part;
	struct feed f;

	if (size < 2 || size > 32768)	/* a story must find room */
		return 0;
	run_start(&whole, &login, settings);
	run_start(&cut, &login, settings);
	run_start(&packed, &login, settings);
	feed_start(&f, data + 2, size - 2);
	run_lines(&whole, f.all);
	while (feed_next(&f, &part)) {
		run_lines(&cut, part);
		run_part(&packed, part);
	}
	run_eof(&whole);
	run_eof(&cut);
	run_eof(&packed);
	compare(&whole, &cut);
	run_end(&whole);
	run_end(&cut);
	run_end(&packed);
	return 0;
}
