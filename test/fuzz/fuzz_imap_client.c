/* SPDX-License-Identifier: Apache-2.0
 *
 * The IMAP client against any server: two octets of settings, then what the
 * server says, cut (see fuzz.h).
 *
 * Whatever it says, events come in order and answer what was asked, each
 * message and each command once, and no password is shown on a clear line.
 * Cut or whole, the story is the same; but octets that a server sends before
 * TLS may be an error only when they are seen to be early: then the whole
 * story is the beginning of the cut one.  When all is answered it asks for NOTIFY and IDLE, and the
 * cut session rests whenever it may, in other memory each time. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "imap/client.h"

enum {		/* the settings' bits */
	CAPA = 1, GREETING = 2, SECURE = 4, TLS = 8, TLS_MUST = 16, CLEAR = 32, BINDING = 64, LOCKSTEP = 128,
	REVERSED = 256, CANCEL = 512, PROOF_FAILED = 1024, WITH_ID = 2048, UTF8 = 4096, NO_LOGOUT = 8192, SINCE = 16384, HEADS = 32768, COMPRESS = SINCE,	/* no bit is left */
	STORY_MAX = 1 << 21, IDS = 4, IDLES = 5,
};

static const char password[] = "pa55-w0rd", password8[] = "pa55-w0rd\xc3\xa9";

struct run {
	struct imc *s;
	unsigned settings;
	struct buf story, out;
	uint32_t asked, answered;	/* commands, selections not counted */
	uint32_t told, fetches;		/* messages of imc_fetch; its commands */
	uint32_t body;			/* of which message */
	size_t inflate;			/* octets that were left when compression began */
	unsigned idles, notifies;	/* asked */
	bool secure, attacked, compressed, ready, selected, failed, over;
	bool rests, rested;
};

static void must(bool added)
{
	assert(added);
}

static void ask_fetches(struct run *r)
{
	static const uint32_t uids[] = { 5, 6, 9, 4294967295 };

	while (r->fetches < 3 && imc_room(r->s)) {
		size_t n = imc_room(r->s) < IDS ? 1 : IDS;

		(void)(r->settings & HEADS ? imc_fetch_head(r->s, uids, n) : imc_fetch(r->s, uids, n));
		r->asked++;
		r->fetches++;
	}
}

static void ask_all(struct run *r)
{
	for (unsigned i = 0; i < 10 && imc_can_ask(r->s); i++, r->asked++) {
		switch (i) {
		case 0: (void)imc_list(r->s, SPAN("*")); break;
		case 1: (void)imc_search(r->s, SPAN("ALL")); break;
		case 2: (void)imc_listing(r->s, SPAN("1:*"), IMC_WANT_FLAGS | IMC_WANT_SIZE | IMC_WANT_GMAIL); break;
		case 3: (void)imc_store(r->s, SPAN("5,6"), IMC_SEEN | IMC_DELETED); break;
		case 4: (void)imc_expunge(r->s, SPAN("5,6")); break;
		case 5: (void)imc_copy(r->s, SPAN("5,6"), SPAN("a \"b\\")); break;
		case 6: (void)imc_noop(r->s); break;
		case 7:
			if (imc_capabilities(r->s) & IMC_CAPA_MOVE)
				(void)imc_move(r->s, SPAN("5,6"), SPAN("x"));
			else
				(void)imc_noop(r->s);
			break;
		case 8: (void)imc_create(r->s, SPAN("a \"b\\")); break;
		default: (void)imc_noop(r->s); break;
		}
	}
	ask_fetches(r);
	if (!(r->settings & NO_LOGOUT) && imc_can_ask(r->s)) {
		(void)imc_logout(r->s);
		r->asked++;
	}
}

/* DONE before "+", at it, at the first news, or never. */
static void ask_idle(struct run *r)
{
	static const struct span names[] = { SPAN("a \"b\\"), SPAN("x") };
	const struct imc_watch all = { .names = names, .name_count = 2, .trees = names, .tree_count = 1, .personal = true, .selected = true,
		.flags = true, .status = true };

	if (r->asked != r->answered || !imc_can_ask(r->s) || imc_outstanding(r->s))
		return;
	if (r->notifies < 2 && (imc_capabilities(r->s) & IMC_CAPA_NOTIFY)) {
		(void)(r->notifies++ ? imc_notify_none(r->s) : imc_notify(r->s, &all));
		r->asked++;
	} else if (r->idles < IDLES && r->selected && (imc_capabilities(r->s) & IMC_CAPA_IDLE)) {
		(void)imc_idle(r->s);
		r->asked++;
		if (r->idles++ % 4 == 0)
			imc_idle_done(r->s);
	}
}

static void on_idle(struct run *r, const struct imc_event *ev)
{
	assert(r->ready && !r->body && (ev->what == IMC_NEWS) == (ev->flags != 0));
	assert(ev->what == IMC_NEWS || (ev->verb == IMC_ASK_IDLE && ev->id && imc_idling(r->s)));
	if (ev->what == IMC_NEWS && !ev->text.len)
		assert((imc_news(r->s) & ev->flags) == ev->flags);
	assert(!ev->text.len || (ev->text.len <= IMC_NAME_MAX && r->notifies));
	if (imc_idling(r->s) && r->idles % 4 == (ev->what == IMC_NEWS ? 3 : 2))
		imc_idle_done(r->s);
}

static void answer_sasl(struct run *r, const struct imc_event *ev)
{
	struct err why = { 0 };

	assert(!r->ready && ev->mech < SASL_MECHS && ev->mech != SASL_USER && ev->mech != SASL_APOP);
	assert(r->secure || (r->settings & CLEAR) || !sasl_mech_clear(ev->mech));
	assert(!sasl_mech_plus(ev->mech) || (r->settings & BINDING));
	if (r->settings & CANCEL)
		(void)err_set(&why, ERR_AUTH, "the server did not prove that it knows the password");
	if (r->settings & CANCEL)
		imc_sasl_cancel(r->s, r->settings & PROOF_FAILED, &why);
	else
		imc_sasl_answer(r->s, ev->last_step ? (struct span){ 0 } : SPAN("response"));
}

static enum imc_verb fetching(const struct run *r)
{
	return r->settings & HEADS ? IMC_ASK_HEAD : IMC_ASK_FETCH;
}

static void on_message(struct run *r, const struct imc_event *ev)
{
	assert(r->ready && ev->verb == fetching(r) && ev->id && ev->uid);
	assert((ev->what == IMC_BEGIN) == !r->body && (!r->body || r->body == ev->uid));
	assert((ev->text.len > 0) == (ev->what == IMC_BODY));
	r->body = ev->what == IMC_END ? 0 : ev->uid;
	assert(ev->what != IMC_END || ++r->told <= IDS * 3);
}

static void on_answer(struct run *r, const struct imc_event *ev)
{
	assert(r->ready && ev->id && !r->body && (ev->what == IMC_DONE || ev->kind));
	if (ev->uid) {
		assert(ev->verb == fetching(r) && ++r->told <= IDS * 3);
	} else if (ev->verb == IMC_ASK_SELECT) {
		r->selected = ev->what == IMC_DONE;
		ask_all(r);
	} else {
		assert(++r->answered <= r->asked);
		ask_idle(r);
	}
}

static void on_event(struct run *r, const struct imc_event *ev)
{
	switch (ev->what) {
	case IMC_NOTHING:
		return;
	case IMC_TLS:
		assert(!r->secure && !r->ready && (r->settings & TLS));
		r->attacked = imc_unread(r->s);
		r->secure = !r->attacked;
		imc_secured(r->s);
		return;
	case IMC_COMPRESS:	/* our deflate changes nothing */
		assert(!r->ready && !r->compressed && (r->settings & COMPRESS));
		r->compressed = true;
		r->inflate = imc_unread(r->s);
		imc_compressed(r->s);
		return;
	case IMC_SASL:
		answer_sasl(r, ev);
		return;
	case IMC_READY:
		assert(!r->ready);
		assert(r->secure || !((r->settings & TLS) && (r->settings & TLS_MUST)));
		r->ready = true;
		if (r->settings & SINCE)
			(void)imc_select_since(r->s, SPAN("INBOX"), false, 5, 90);
		else
			(void)imc_select(r->s, SPAN("INBOX"));
		return;
	case IMC_BEGIN:
	case IMC_BODY:
	case IMC_END:
		on_message(r, ev);
		return;
	case IMC_MAILBOX:
	case IMC_FOUND:
	case IMC_COPIED:
		assert(r->ready && ev->id && !r->body);
		return;
	case IMC_VANISHED:
		assert(ev->uid && ev->uid <= ev->last);
		[[fallthrough]];
	case IMC_MESSAGE:
		assert(r->ready && !r->body);
		return;
	case IMC_DONE:
	case IMC_REFUSED:
		on_answer(r, ev);
		return;
	case IMC_IDLING:
	case IMC_NEWS:
		on_idle(r, ev);
		return;
	case IMC_WARNING:
		assert(ev->text.len);
		return;
	case IMC_BYE:
		r->over = true;
		return;
	case IMC_FAILED:
		assert(imc_error(r->s)->kind != ERR_NONE && imc_error(r->s)->text[0]);
		assert(!span_has_control(span_of(imc_error(r->s)->text)));
		r->failed = r->over = true;
		return;
	}
}

/* Pieces of a body may be cut anywhere, so they are told without a mark. */
static void tell(struct run *r, const struct imc_event *ev)
{
	if (ev->what != IMC_BODY && ev->what != IMC_FAILED)
		must(buf_printf(&r->story, "\n%d %d %u %u %u %llu %u %d %d: ", ev->what, ev->verb, ev->id, ev->uid, ev->last,
				(unsigned long long)ev->size, ev->flags, ev->mech, ev->kind));
	must(buf_add(&r->story, ev->text) && buf_add(&r->story, ev->to));
}

static void send_out(struct run *r)
{
	struct span out = imc_out(r->s);

	assert(out.len <= IMC_OUT_MAX);
	if (!r->secure && !(r->settings & CLEAR) && out.len)
		assert(!memmem(out.at, out.len, password, sizeof password - 1));
	must(buf_add(&r->out, out));
	imc_sent(r->s, out.len);
}

static void drain(struct run *r)
{
	struct imc_event ev;

	while (imc_next(r->s, &ev)) {
		assert(!r->over && (!r->attacked || ev.what == IMC_FAILED));
		tell(r, &ev);
		send_out(r);		/* before the event is acted upon: then the line may change */
		on_event(r, &ev);
		send_out(r);
	}
	assert(imc_unread(r->s) == 0 && ev.what == IMC_NOTHING);
}

/* It goes on in other memory. */
static void rest(struct run *r)
{
	struct imc_rested *rested = malloc(imc_rested_size());

	assert(rested);
	imc_rest(r->s, rested);
	assert(r->rested || !memmem(r->s, imc_size(), password, sizeof password - 1));	/* later the server may have said it */
	r->rested = true;
	free(r->s);
	r->s = malloc(imc_size());
	assert(r->s);
	memset(r->s, 0xa5, imc_size());
	imc_resume(r->s, rested);
	free(rested);
}

static void run_start(struct run *r, const struct imc_login *login, unsigned settings, bool rests)
{
	*r = (struct run){ .s = malloc(imc_size()), .rests = rests, .settings = settings, .secure = login->secure };
	assert(r->s);
	buf_start(&r->story, STORY_MAX);
	buf_start(&r->out, STORY_MAX);
	imc_start(r->s, login);
}

static void run_part(struct run *r, struct span part)
{
	imc_feed(r->s, part);
	drain(r);
	if (r->inflate) {
		part = span_from(part, part.len - r->inflate);
		r->inflate = 0;
		imc_feed(r->s, part);
		drain(r);
	}
	if (r->rests && imc_may_rest(r->s))
		rest(r);
}

static void run_end(struct run *r)
{
	imc_end(r->s);
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

static struct imc_login login_of(unsigned settings)
{
	static enum sasl_mech forward[SASL_MECHS], backward[SASL_MECHS];

	for (unsigned i = 0; i < SASL_MECHS; i++)
		forward[i] = backward[SASL_MECHS - 1 - i] = (enum sasl_mech)i;
	return (struct imc_login){
		.user = "anna", .password = span_of(settings & UTF8 ? password8 : password),
		.id = settings & WITH_ID ? "(\"name\" \"x\")" : NULL,
		.mechs = settings & REVERSED ? backward : forward, .mech_count = SASL_MECHS,
		.detect_capa = settings & CAPA, .detect_greeting = settings & GREETING, .secure = settings & SECURE,
		.starttls = settings & TLS, .starttls_required = settings & TLS_MUST, .clear_allowed = settings & CLEAR,
		.channel_binding = settings & BINDING, .lockstep = settings & LOCKSTEP, .compress = settings & COMPRESS,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned settings = size < 2 ? 0 : data[0] | (unsigned)data[1] << 8;
	struct imc_login login = login_of(settings);
	struct run whole, cut;
	struct span part;
	struct feed f;

	if (size < 2 || size > 16384)	/* a story must find room */
		return 0;
	run_start(&whole, &login, settings, false);
	run_start(&cut, &login, settings, true);
	feed_start(&f, data + 2, size - 2);
	run_part(&whole, f.all);
	while (feed_next(&f, &part))
		run_part(&cut, part);
	imc_eof(whole.s);
	drain(&whole);
	imc_eof(cut.s);
	drain(&cut);
	assert(whole.over && cut.over);
	compare(&whole, &cut);
	run_end(&whole);
	run_end(&cut);
	return 0;
}
