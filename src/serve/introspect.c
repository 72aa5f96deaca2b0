/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/introspect.h"

#include <assert.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/https.h"
#include "serve/claims.h"

enum { FORM_MAX = 3 * 16 * 1024, NAME_MAX_OCTETS = 1024, TELL_MS = 60000 };

struct introspect_endpoint {		/* settings, shared by the jobs that go by them */
	unsigned holders;
	uint64_t number;	/* no two that were taken have the same */
	char *url, *id, *secret, *claim, *scope, *ca;
};

struct client {
	struct loop *loop;
	struct https *https;
};

struct introspect {
	struct elsewhere judge;
	int64_t (*now)(void);
	pthread_mutex_t lock;		/* of what follows */
	struct introspect_endpoint *endpoint;
	uint64_t numbers;
	bool down;			/* it did not answer, which was told: */
	uint64_t told_ms;
	struct client clients[INTROSPECT_LOOPS];
	size_t client_count, jobs;
	struct claims *claims;		/* has a lock of its own */
};

struct job {
	struct introspect *i;
	struct introspect_endpoint *endpoint;
	struct https_call *call;
	struct timer *timer;		/* the answer is known, and waits for its turn */
	struct claims_key key;
	char claim[CLAIM_MAX + 1];	/* remembered */
	void (*done)(void *user, enum elsewhere_said said, const char *account, const char *why);
	void *user;
};

/* ---- what is asked */

/* As application/x-www-form-urlencoded wants it; secrets go only through `out`. */
static bool add_encoded(struct buf *out, struct span octets)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", hex[] = "0123456789ABCDEF";

	for (size_t n = 0; n < octets.len; n++) {
		unsigned char c = (unsigned char)octets.at[n];
		const char coded[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (!buf_add(out, memchr(plain, (int)c, sizeof plain - 1) ? (struct span){ octets.at + n, 1 } : (struct span){ coded, 3 }))
			return false;
	}
	return true;
}

/* RFC 6749 section 2.3.1: name and secret of the client are encoded, too.  NULL: out of memory. */
static char *encoded(struct span octets)
{
	struct buf b;
	char *text;

	buf_start(&b, FORM_MAX);
	text = buf_room(&b, FORM_MAX) && add_encoded(&b, octets) && buf_terminate(&b) ? strdup(b.at ? b.at : "") : NULL;
	buf_wipe(&b);
	return text;
}

/* ---- settings */

static void free_secret(char *text)
{
	if (text)
		wipe(text, strlen(text));
	free(text);
}

void introspect_endpoint_free(struct introspect_endpoint **out)
{
	struct introspect_endpoint *p = *out;

	if (!p)
		return;
	free_secret(p->secret);
	free(p->url);
	free(p->id);
	free(p->claim);
	free(p->scope);
	free(p->ca);
	free(p);
	*out = NULL;
}

static void endpoint_put(struct introspect *i, struct introspect_endpoint *p)
{
	unsigned left;

	if (!p)
		return;
	(void)pthread_mutex_lock(&i->lock);
	left = --p->holders;
	(void)pthread_mutex_unlock(&i->lock);
	if (!left)
		introspect_endpoint_free(&p);
}

static char *copy(const char *text)
{
	return strdup(text ? text : "");
}

struct introspect_endpoint *introspect_endpoint_new(const struct introspect_settings *s, struct err *e)
{
	struct introspect_endpoint *p;

	if (!https_url_good(s->url, e))
		return NULL;
	p = calloc(1, sizeof *p);
	if (p) {
		p->holders = 1;
		p->url = copy(s->url);
		p->id = encoded(span_of(s->client_id ? s->client_id : ""));
		p->secret = encoded(s->client_secret);
		p->claim = copy(s->username_claim);
		p->scope = copy(s->scope);
		p->ca = copy(s->ca_certificates);
		if (p->url && p->id && p->secret && p->claim && p->scope && p->ca)
			return p;
	}
	introspect_endpoint_free(&p);
	(void)err_set(e, ERR_LOCAL, "out of memory");
	return NULL;
}

void introspect_take(struct introspect *i, struct introspect_endpoint **p)
{
	struct introspect_endpoint *old;

	(void)pthread_mutex_lock(&i->lock);
	old = i->endpoint;
	i->endpoint = *p;
	if (*p)
		(*p)->number = ++i->numbers;
	i->down = false;
	(void)pthread_mutex_unlock(&i->lock);
	*p = NULL;
	endpoint_put(i, old);
}

/* ---- the log */

/* Not once a login: they may be many. */
static void tell_down(struct introspect *i, const char *why)
{
	uint64_t now_ms = clock_mono_ms();
	bool tell;

	(void)pthread_mutex_lock(&i->lock);
	tell = !i->down || now_ms - i->told_ms >= TELL_MS;
	i->down = true;
	if (tell)
		i->told_ms = now_ms;
	(void)pthread_mutex_unlock(&i->lock);
	if (tell)
		log_warn(NULL, "service=POP tokens cannot be judged now: %s", why);
}

static void tell_up(struct introspect *i)
{
	bool tell;

	(void)pthread_mutex_lock(&i->lock);
	tell = i->down;
	i->down = false;
	(void)pthread_mutex_unlock(&i->lock);
	if (tell)
		log_info(NULL, "service=POP tokens are judged again");
}

/* ---- what is answered */

static bool has_words(struct span words, struct span among)
{
	struct span word, other;

	while (span_word(&words, &word)) {
		struct span rest = among;
		bool there = false;

		while (!there && span_word(&rest, &other))
			there = span_equal(word, other);
		if (!there)
			return false;
	}
	return true;
}

static struct span text_of(const json_t *answer, const char *key)
{
	const json_t *value = json_object_get(answer, key);

	return json_is_string(value) ? (struct span){ json_string_value(value), json_string_length(value) } : (struct span){ 0 };
}

/* Why it is WRONG; NULL: it is right. */
static const char *judge_answer(const struct job *j, const json_t *answer, int64_t now)
{
	const json_t *exp = json_object_get(answer, "exp"), *nbf = json_object_get(answer, "nbf");
	struct span name = text_of(answer, j->endpoint->claim);

	if (!json_is_true(json_object_get(answer, "active")))
		return "the token is not active";
	if (exp && !(json_is_number(exp) && json_number_value(exp) > (double)now))
		return "the token has ended";
	if (nbf && !(json_is_number(nbf) && json_number_value(nbf) <= (double)now))
		return "the token does not hold yet";
	if (!has_words(span_of(j->endpoint->scope), text_of(answer, "scope")))
		return "the token has not the scope";
	if (!name.len || name.len > NAME_MAX_OCTETS || span_has_control(name))
		return "the answer has no claim that names the user";
	return NULL;
}

static void remember(const struct job *j, const json_t *answer, int64_t now)
{
	const json_t *exp = json_object_get(answer, "exp");
	double left_ms = exp ? (json_number_value(exp) - (double)now) * 1000 : INTROSPECT_REMEMBERED_MS;
	uint64_t last_ms = left_ms < INTROSPECT_REMEMBERED_MS ? (uint64_t)left_ms : INTROSPECT_REMEMBERED_MS;

	assert(left_ms > 0);	/* judge_answer saw to that */
	claims_put(j->i->claims, &j->key, text_of(answer, j->endpoint->claim), clock_mono_ms() + last_ms);
}

static void not_judged(struct job *j, const struct https_answer *a)
{
	char why[sizeof a->why.text + 64];

	if (!a->good)
		(void)snprintf(why, sizeof why, "the introspection endpoint: %s", a->why.text);
	else if (a->status != 200)
		(void)snprintf(why, sizeof why, "the introspection endpoint answered status %u%s", a->status,
			a->status == 401 || a->status == 403 ? ": it does not take our client_id and client_secret" : "");
	else
		(void)snprintf(why, sizeof why, "the introspection endpoint's answer is no JSON object");
	tell_down(j->i, why);
	j->done(j->user, ELSEWHERE_BUSY, NULL, why);	/* ends the job */
}

static void on_answer(void *user, const struct https_answer *a)
{
	struct job *j = user;
	json_t *answer = a->good && a->status == 200 ? json_loadb(a->body.at, a->body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const int64_t now = j->i->now();
	struct span claim;
	const char *wrong;

	if (!json_is_object(answer)) {
		json_decref(answer);
		not_judged(j, a);
		return;
	}
	tell_up(j->i);
	wrong = judge_answer(j, answer, now);
	claim = text_of(answer, j->endpoint->claim);
	if (!wrong)
		remember(j, answer, now);
	j->done(j->user, wrong ? ELSEWHERE_WRONG : ELSEWHERE_RIGHT, wrong ? NULL : claim.at, wrong);	/* ends the job */
	json_decref(answer);
}

/* ---- asking */

static void on_remembered(void *user)
{
	struct job *j = user;

	j->done(j->user, ELSEWHERE_RIGHT, j->claim, NULL);	/* ends the job */
}

/* This loop's connections; made on its thread, at its first token. */
static struct https *client_of(struct introspect *i, struct loop *l, struct err *e)
{
	struct https *h = NULL;

	(void)pthread_mutex_lock(&i->lock);
	for (size_t n = 0; n < i->client_count && !h; n++)
		if (i->clients[n].loop == l)
			h = i->clients[n].https;
	if (!h && i->client_count == INTROSPECT_LOOPS)
		(void)err_set(e, ERR_BUSY, "too many loops");
	else if (!h && (h = https_new(&(struct https_with){ .loop = l, .timeout_ms = INTROSPECT_TIMEOUT_MS }, e)))
		i->clients[i->client_count++] = (struct client){ l, h };
	(void)pthread_mutex_unlock(&i->lock);
	return h;
}

/* Takes a job's place among those that there may be, and the settings that hold now. */
static bool enter(struct introspect *i, struct job *j, struct err *e)
{
	(void)pthread_mutex_lock(&i->lock);
	if (i->endpoint && i->jobs < INTROSPECT_AT_ONCE) {
		i->jobs++;
		j->endpoint = i->endpoint;
		j->endpoint->holders++;
		j->i = i;
	} else {
		(void)err_set(e, ERR_BUSY, "%s", i->endpoint ? "too many tokens are being asked about" : "there is no introspection endpoint any more");
	}
	(void)pthread_mutex_unlock(&i->lock);
	return j->i;
}

static bool send_form(struct job *j, struct https *h, struct span token, struct err *e)
{
	struct https_ask ask = { .url = j->endpoint->url, .done = on_answer, .user = j };
	struct buf form;

	if (j->endpoint->id[0]) {
		ask.name = j->endpoint->id;
		ask.password = span_of(j->endpoint->secret);
	}
	ask.ca_certificates = j->endpoint->ca[0] ? j->endpoint->ca : NULL;
	buf_start(&form, FORM_MAX);
	if (!buf_room(&form, FORM_MAX) || !buf_add(&form, SPAN("token_type_hint=access_token&token=")) || !add_encoded(&form, token)) {
		buf_wipe(&form);
		return err_set(e, ERR_LOCAL, "out of memory");
	}
	ask.form = buf_span(&form);
	j->call = https_ask(h, &ask, e);
	buf_wipe(&form);
	return j->call;
}

static void end(void *context, void *job)
{
	struct introspect *i = context;
	struct job *j = job;

	https_end(&j->call);
	timer_free(&j->timer);
	endpoint_put(i, j->endpoint);
	(void)pthread_mutex_lock(&i->lock);
	i->jobs--;
	(void)pthread_mutex_unlock(&i->lock);
	wipe(j, sizeof *j);
	free(j);
}

static bool begin(struct job *j, const struct elsewhere_ask *ask, struct err *e)
{
	struct introspect *i = j->i;
	struct https *h;

	claims_key(i->claims, ask->secret, j->endpoint->number, &j->key);
	if (claims_find(i->claims, &j->key, clock_mono_ms(), j->claim)) {
		j->timer = timer_new(ask->loop, on_remembered, j);
		if (!j->timer)
			return err_set(e, ERR_LOCAL, "out of memory");
		timer_set(j->timer, 0, 0);
		return true;
	}
	h = client_of(i, ask->loop, e);
	return h && send_form(j, h, ask->secret, e);
}

static void *ask_token(void *context, const struct elsewhere_ask *ask, struct err *e)
{
	struct introspect *i = context;
	struct job *j = calloc(1, sizeof *j);

	if (!j) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	j->done = ask->done;
	j->user = ask->user;
	if (!enter(i, j, e)) {
		free(j);
		return NULL;
	}
	if (!begin(j, ask, e)) {
		end(i, j);
		return NULL;
	}
	return j;
}

/* ---- its life */

struct introspect *introspect_new(int64_t (*now)(void), struct err *e)
{
	struct introspect *i = calloc(1, sizeof *i);

	if (!i) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	(void)pthread_mutex_init(&i->lock, NULL);
	i->now = now ? now : clock_now_s;
	i->judge = (struct elsewhere){ .context = i, .ask = ask_token, .end = end };
	i->claims = claims_new(CLAIMS, e);
	if (!i->claims)
		introspect_free(&i);
	return i;
}

const struct elsewhere *introspect_judge(const struct introspect *i)
{
	return &i->judge;
}

void introspect_free(struct introspect **out)
{
	struct introspect *i = *out;

	if (!i)
		return;
	assert(!i->jobs);
	for (size_t n = 0; n < i->client_count; n++)
		https_free(&i->clients[n].https);
	endpoint_put(i, i->endpoint);
	claims_free(&i->claims);
	(void)pthread_mutex_destroy(&i->lock);
	free(i);
	*out = NULL;
}
