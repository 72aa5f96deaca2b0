/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "serve/login_inside.h"

#define WAY_PASSWORD "password"

static void tell(struct login *x, const struct login_answer *a)
{
	if (a)
		x->who.answer(x->who.user, a);	/* may end x */
}

void login_forget_words(struct login *x)
{
	if (x->kept)
		wipe(x->kept, x->kept_len);
	free(x->kept);
	x->kept = NULL;
	x->words = (struct span){ 0 };
}

const struct login_answer *login_over(struct login *x, enum login_said said, const struct err *e)
{
	login_forget_words(x);
	x->at = said == LOGIN_SAYS_MORE ? AT_WORDS : AT_END;
	x->answer.said = said;
	if (e && e != &x->answer.why)
		x->answer.why = *e;
	return &x->answer;
}

static void on_timer(void *user);

static bool wait_ms(struct login *x, enum login_at at, uint32_t ms, struct err *e)
{
	if (!x->timer)
		x->timer = timer_new(x->who.loop, on_timer, x);
	if (!x->timer)
		return err_set(e, ERR_LOCAL, "out of memory");
	x->at = at;
	timer_set(x->timer, ms, 0);
	return true;
}

static const struct login_answer *good(struct login *x, const struct account_login *l, const char *how)
{
	struct err e;

	x->mail = strdup(l->mail);
	if (!x->mail) {
		(void)err_set(&e, ERR_LOCAL, "out of memory");
		return login_over(x, LOGIN_SAYS_BUSY, &e);
	}
	x->answer.mail = x->mail;
	admission_login_good(x->g->admission, &x->attempt, clock_mono_ms());
	memcpy(x->answer.account, l->name, sizeof l->name);
	x->answer.limits = l->limits;
	x->answer.how = how;
	return login_over(x, LOGIN_SAYS_GOOD, NULL);
}

/* Everything that is wrong comes by here, with `why` already in the answer, and counted. */
static const struct login_answer *wrong(struct login *x, struct admission_delay d)
{
	(void)login_over(x, d.blocked ? LOGIN_SAYS_BLOCKED : LOGIN_SAYS_WRONG, NULL);
	if (d.blocked || !d.delay_ms || !wait_ms(x, AT_DELAY, d.delay_ms, &x->answer.why))
		return &x->answer;
	return NULL;
}

/* Counted now, whatever the client does next; it hears why before it hears the refusal (RFC 7628 section 3.2.3). */
static const struct login_answer *refuse_token(struct login *x, struct admission_delay d)
{
	struct buf challenge;

	buf_lend(&challenge, x->challenge, sizeof x->challenge);
	sasl_server_refuse_token(x->sasl, &challenge);
	x->answer.challenge = buf_span(&challenge);
	x->refused = true;
	x->counted = d;
	return login_over(x, LOGIN_SAYS_MORE, NULL);
}

const struct login_answer *login_refused(struct login *x)
{
	assert(x->refused && x->answer.why.kind);
	return wrong(x, x->counted);
}

static const char *how_of(enum sasl_mech mech, enum login_by by)
{
	switch (by) {
	case BY_PROOF:
		break;
	case BY_HASH:
		return "hash";
	case BY_PAM:
		return "pam";
	case BY_TOKEN:
		return "token";
	}
	return mech == SASL_EXTERNAL ? "certificate" : "proof";
}

/* l: what the account is now; same: it was so when the proof was found right or not.
 * counted: it was wrong, which was counted already. */
static const struct login_answer *decide(struct login *x, const struct account_login *l, bool same, bool right, enum login_by by,
	const struct admission_delay *counted)
{
	struct admission_delay d;
	bool there = l->there && (!l->elsewhere || by == BY_PAM);	/* PAM's users are there by its word alone */

	if (right && same && there && !x->never) {
		if (by == BY_HASH || by == BY_PAM)
			remembered_put(x->g->remembered, &x->mac, clock_mono_ms());
		return good(x, l, how_of(x->mech, by));
	}
	if (!x->answer.why.kind || (!there && x->mech != SASL_EXTERNAL && !x->anybody))
		(void)err_set(&x->answer.why, ERR_AUTH, "%s", !there && l->why ? l->why : !there ? "no such account, or one that cannot log in" :
			x->never ? "it wanted to be another account" : right ? "the account was changed just now" : "wrong password");
	d = counted ? *counted : admission_login_failed(x->g->admission, &x->attempt, clock_mono_ms());
	return by == BY_TOKEN ? refuse_token(x, d) : wrong(x, d);
}

/* The same after time has passed: is the account still there, and what it was? */
static const struct login_answer *decide_later(struct login *x, bool right, enum login_by by, const struct admission_delay *counted)
{
	struct account_login l;
	bool same = login_look(x, &l);
	const struct login_answer *a = decide(x, &l, same, right, by, counted);

	login_wipe(&l);
	return a;
}

static void on_hashed(void *user, enum hashing_said said, struct admission_delay delay)
{
	struct login *x = user;
	struct err e;

	assert(x->at == AT_QUEUE);
	if (said == HASHING_NOT_YET && !delay.blocked && wait_ms(x, AT_QUEUE_TURN, delay.delay_ms, &e))
		return;
	timer_stop(x->timer);
	hashing_end(&x->job);
	switch (said) {
	case HASHING_RIGHT:
		tell(x, decide_later(x, true, BY_HASH, NULL));
		break;
	case HASHING_WRONG:
		tell(x, decide_later(x, false, BY_HASH, &delay));
		break;
	case HASHING_FULL:
		(void)err_set(&e, ERR_BUSY, "too many logins: others were waiting less");
		tell(x, login_over(x, LOGIN_SAYS_BUSY, &e));
		break;
	case HASHING_NOT_YET:
		if (delay.blocked)
			(void)err_set(&e, ERR_AUTH, "the address was blocked meanwhile");
		tell(x, login_over(x, delay.blocked ? LOGIN_SAYS_BLOCKED : LOGIN_SAYS_BUSY, &e));
		break;
	}
}

struct admission_delay login_hash_turn(void *context, struct admission_attempt *t)
{
	struct logins *g = context;

	return admission_login_wait(g->admission, t, clock_mono_ms());
}

struct admission_delay login_hash_wrong(void *context, const struct admission_attempt *t)
{
	struct logins *g = context;

	return admission_login_failed(g->admission, t, clock_mono_ms());
}

/* In time that does not tell where they differ, for whatever is in the account. */
static bool is_secret(const struct account_login *l, struct span password)
{
	char padded[sizeof l->secret] = { 0 };
	bool same;

	static_assert(sizeof padded == ACCOUNT_PASSWORD_MAX, "passwords are not longer");
	if (password.len)
		memcpy(padded, password.at, password.len);
	same = sodium_memcmp(padded, l->secret, sizeof padded) == 0;
	wipe(padded, sizeof padded);
	return same && l->secret_len == password.len && l->secret_len;
}

/* ---- elsewhere */

static void say_right(struct login *x)
{
	struct admission_delay d = admission_login_wait(x->g->admission, &x->attempt, clock_mono_ms());
	struct err e;

	if (d.blocked) {
		(void)err_set(&e, ERR_AUTH, "the address was blocked meanwhile");
		tell(x, login_over(x, LOGIN_SAYS_BLOCKED, &e));
	} else if (!d.delay_ms) {
		tell(x, decide_later(x, true, x->by, NULL));
	} else if (!wait_ms(x, AT_ELSEWHERE_TURN, d.delay_ms, &e)) {
		tell(x, login_over(x, LOGIN_SAYS_BUSY, &e));
	}
}

static void on_elsewhere(void *user, enum elsewhere_said said, const char *account, const char *why)
{
	struct login *x = user;
	struct err e;

	assert(x->at == AT_ELSEWHERE);
	if (said == ELSEWHERE_RIGHT)
		login_heed(x, account);
	(void)err_set(&e, said == ELSEWHERE_BUSY ? ERR_BUSY : ERR_AUTH, "%s", why ? why : said == ELSEWHERE_BUSY ? "it cannot be judged now" : "refused");
	text_clean(e.text, strlen(e.text));
	x->judge->end(x->judge->context, x->asked);
	x->asked = NULL;
	switch (said) {
	case ELSEWHERE_RIGHT:
		say_right(x);
		break;
	case ELSEWHERE_WRONG:
		if (!x->answer.why.kind)
			x->answer.why = e;
		tell(x, decide_later(x, false, x->by, NULL));
		break;
	case ELSEWHERE_BUSY:
		tell(x, login_over(x, LOGIN_SAYS_BUSY, &e));
		break;
	}
}

static const struct login_answer *ask_elsewhere(struct login *x, const struct elsewhere *judge, enum login_by by, const char *service, struct span secret)
{
	char rhost[ADDRESS_TEXT];
	struct elsewhere_ask ask = { .loop = x->who.loop, .account = x->account, .service = service, .secret = secret,
		.rhost = address_text(&x->peer, false, rhost), .done = on_elsewhere, .user = x };
	struct err e;

	x->judge = judge;
	x->by = by;
	x->at = AT_ELSEWHERE;
	if (!judge)
		(void)err_set(&e, ERR_LOCAL, "there is nobody here who could judge this login: PAM or the endpoint for tokens is not in use");
	else
		x->asked = judge->ask(judge->context, &ask, &e);
	return x->asked ? NULL : login_over(x, LOGIN_SAYS_BUSY, &e);
}

static const struct login_answer *judge_token(struct login *x)
{
	const struct login_answer *a = ask_elsewhere(x, x->g->token, BY_TOKEN, NULL, x->words);

	login_forget_words(x);
	return a;
}

static const struct login_answer *not_hashed(struct login *x, const struct err *why)
{
	if (x->timer)
		timer_stop(x->timer);
	hashing_end(&x->job);
	return login_over(x, LOGIN_SAYS_BUSY, why);
}

/* The timer of the queue ran out.  What a thread has taken meanwhile is let end, once. */
static void queue_late(struct login *x)
{
	struct err e;

	if (!x->late && !hashing_waits(x->job)) {
		x->late = true;
		timer_set(x->timer, x->g->queue_ms, 0);
		return;
	}
	(void)err_set(&e, ERR_BUSY, "its password %s for %u s", x->late ? "was hashed" : "waited to be hashed", x->g->queue_ms / 1000);
	tell(x, not_hashed(x, &e));
}

/* A password that is right may be known at once.  Whether it is wrong only argon2id says, also where there is a
 * secret to compare with: a refusal that comes sooner would tell what the account has. */
static const struct login_answer *judge_password(struct login *x, const struct account_login *l)
{
	struct span password = x->words;
	struct remembered_what what = { .way = WAY_PASSWORD, .source = l->source, .verifier = l->verifier, .account = x->account };
	struct hashing_ask ask = { .loop = x->who.loop, .from = x->peer, .attempt = x->attempt, .verifier = l->verifier, .done = on_hashed, .user = x };
	const struct login_answer *a = NULL;
	bool cached, secret;

	if (password.len > ACCOUNT_PASSWORD_MAX) {	/* nobody has one, yet it costs the same */
		password.len = ACCOUNT_PASSWORD_MAX;
		x->never = true;
		(void)err_set(&x->answer.why, ERR_AUTH, "a password of more than %d octets", ACCOUNT_PASSWORD_MAX);
	}
	what.password = ask.password = password;
	remembered_mac(x->g->remembered, &what, &x->mac);
	cached = remembered_there(x->g->remembered, &x->mac, clock_mono_ms());
	secret = is_secret(l, password);
	if (l->there && !x->never && (cached || secret)) {
		a = good(x, l, cached ? "cache" : "secret");
	} else if (l->elsewhere) {
		a = ask_elsewhere(x, x->g->pam, BY_PAM, l->verifier + strcspn(l->verifier, ":") + 1, password);
	} else {
		if (wait_ms(x, AT_QUEUE, x->g->queue_ms, &x->answer.why))
			x->job = hashing_ask(x->g->hashing, &ask, &x->answer.why);
		if (!x->job)
			a = not_hashed(x, &x->answer.why);
	}
	login_forget_words(x);
	return a;
}

static const struct login_answer *do_what_is_due(struct login *x, const struct account_login *l)
{
	struct account_login now;
	struct span response = x->words;
	const struct login_answer *a = NULL;
	bool same = true;

	if (x->due == DUE_STEP)
		return login_exchange(x, &response);
	if (x->due == DUE_TOKEN)
		return judge_token(x);
	if (!l) {
		same = login_look(x, &now);
		l = &now;
	}
	if (x->due == DUE_PASSWORD)
		a = judge_password(x, l);
	else
		a = decide(x, l, same, x->right, BY_PROOF, NULL);
	if (l == &now)
		login_wipe(&now);
	return a;
}

/* The words are the caller's for this call only. */
static bool keep_words(struct login *x, struct err *e)
{
	if (x->kept)
		return true;
	x->kept = malloc(x->words.len + 1);	/* not sodium_malloc: hashing.h says why */
	if (!x->kept)
		return err_set(e, ERR_LOCAL, "out of memory");
	x->kept_len = x->words.len;
	if (x->words.len)
		memcpy(x->kept, x->words.at, x->words.len);
	x->words.at = x->kept;
	return true;
}

static const struct login_answer *ask_turn(struct login *x, const struct account_login *l)
{
	struct admission_delay d = admission_login_wait(x->g->admission, &x->attempt, clock_mono_ms());
	struct err e;

	if (d.blocked) {
		(void)err_set(&e, ERR_AUTH, "the address was blocked meanwhile");
		return login_over(x, LOGIN_SAYS_BLOCKED, &e);
	}
	if (d.delay_ms) {
		if (keep_words(x, &e) && wait_ms(x, AT_TURN, d.delay_ms, &e))
			return NULL;
		return login_over(x, LOGIN_SAYS_BUSY, &e);
	}
	x->turn = true;
	return do_what_is_due(x, l);
}

const struct login_answer *login_turn(struct login *x, enum login_due due, struct span words, const struct account_login *l)
{
	x->due = due;
	x->words = words;
	return x->turn ? do_what_is_due(x, l) : ask_turn(x, l);
}

static void on_timer(void *user)
{
	struct login *x = user;
	struct err e;

	switch (x->at) {
	case AT_TURN:
		tell(x, ask_turn(x, NULL));
		return;
	case AT_QUEUE_TURN:
		if (!wait_ms(x, AT_QUEUE, x->g->queue_ms, &e) || !hashing_again(x->job, &e))
			tell(x, not_hashed(x, &e));
		return;
	case AT_QUEUE:
		queue_late(x);
		return;
	case AT_ELSEWHERE_TURN:
		say_right(x);
		return;
	case AT_DELAY:
		x->at = AT_END;
		tell(x, &x->answer);
		return;
	case AT_WORDS:
	case AT_ELSEWHERE:
	case AT_END:
		break;
	}
	assert(x->at == AT_TURN);	/* no other state has set it */
}
