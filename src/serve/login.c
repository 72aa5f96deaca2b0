/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/login.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "sasl/apop.h"
#include "serve/login_certificate.h"
#include "serve/login_inside.h"
#include "serve/schemes.h"

enum { LANES = 4 };	/* a prefix has at most this part of the queue */

static_assert((int)SASL_KEY_MAX == (int)SCRAM_KEY_MAX && (int)SASL_SALT == (int)SCRAM_SALT, "keys as they are kept");
static_assert((int)SASL_SECRET_MAX == (int)ACCOUNT_PASSWORD_MAX, "secrets as they are kept");

static struct hashing *new_hashing(struct logins *g, const struct logins_with *with, struct err *e)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct hashing_with h = {
		.threads = with->hashing ? with->hashing : cores > 0 ? (unsigned)cores : 1, .queue_max = with->queue ? with->queue : LOGIN_QUEUE,
		.holds = with->holds ? with->holds : scheme_holds, .turn = login_hash_turn, .wrong = login_hash_wrong, .context = g,
	};

	h.lane_max = h.queue_max > LANES ? h.queue_max / LANES : 1;
	return hashing_new(&h, e);
}

struct logins *logins_new(const struct logins_with *with, struct err *e)
{
	struct logins *g = calloc(1, sizeof *g);
	struct account_login l;

	if (!g) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	g->store = with->store;
	g->admission = with->admission;
	g->users = with->users;
	g->queue_ms = with->queue_ms ? with->queue_ms : LOGIN_QUEUE_MS;
	g->pam = with->pam;
	g->token = with->token;
	g->remembered = remembered_new(REMEMBERED_ENTRIES, LOGIN_REMEMBERED_MS, e);
	if (g->remembered)
		g->hashing = new_hashing(g, with, e);
	if (!g->hashing) {
		logins_free(&g);
		return NULL;
	}
	login_find(g->store, "", &l);	/* makes the key file, which no loop is to wait for */
	login_wipe(&l);
	return g;
}

void logins_free(struct logins **out)
{
	struct logins *g = *out;

	if (!g)
		return;
	assert(!g->logins);
	hashing_free(&g->hashing);
	remembered_free(&g->remembered);
	free(g);
	*out = NULL;
}

bool login_serves(enum sasl_mech mech)
{
	return mech == SASL_USER || mech == SASL_APOP || sasl_mech_serves(mech);
}

uint32_t login_mechs(const struct logins *g)
{
	uint32_t served = 0, tokens = 1U << SASL_OAUTHBEARER | 1U << SASL_XOAUTH2, able = UINT32_MAX & ~tokens;

	for (enum sasl_mech m = 0; m < SASL_MECHS; m++)
		served |= login_serves(m) ? 1U << m : 0;
	if (g->users)
		able = users_mechs(g->users) & ~tokens;
	return served & (able | (g->token ? tokens : 0));
}

/* sasl/server.h's question: the keys of a name.  It is asked once in an exchange. */
static void give_keys(void *user, struct span name, struct sasl_keys *keys)
{
	struct login *x = user;
	struct account_login l;

	login_name(x, name, &l);
	*keys = (struct sasl_keys){
		.sha256 = { .iterations = l.sha256.iterations, .salt_len = l.sha256_salt },
		.sha1 = { .iterations = l.sha1.iterations, .salt_len = l.sha1_salt },
	};
	memcpy(keys->sha256.salt, l.sha256.salt, sizeof l.sha256.salt);
	memcpy(keys->sha256.stored, l.sha256.stored, sizeof l.sha256.stored);
	memcpy(keys->sha256.server, l.sha256.server, sizeof l.sha256.server);
	memcpy(keys->sha1.salt, l.sha1.salt, sizeof l.sha1.salt);
	memcpy(keys->sha1.stored, l.sha1.stored, sizeof l.sha1.stored);
	memcpy(keys->sha1.server, l.sha1.server, sizeof l.sha1.server);
	memcpy(keys->secret, l.secret, l.secret_len);
	keys->secret_len = l.secret_len;
	login_wipe(&l);
}

static bool start_sasl(struct login *x, struct err *e)
{
	struct sasl_server_with with = {
		.host = x->who.host, .tls_exporter = x->who.tls_exporter, .tls_unique = x->who.tls_unique, .find = give_keys, .user = x,
	};

	x->sasl = sasl_server_new(x->mech, &with, e);
	return x->sasl;
}

struct login *login_begin(struct logins *g, const struct login_who *who, enum sasl_mech mech, struct err *e)
{
	struct login *x;
	char address[ADDRESS_TEXT];

	if (!login_serves(mech)) {
		(void)err_set(e, ERR_PEER, "%s is not served", sasl_mech_name(mech));
		return NULL;
	}
	x = calloc(1, sizeof *x);
	if (!x) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	x->g = g;
	x->who = *who;
	x->peer = *who->peer;
	x->local = *who->local;
	x->who.peer = &x->peer;
	x->who.local = &x->local;
	x->mech = mech;
	g->logins++;
	if (mech != SASL_USER && mech != SASL_APOP && !start_sasl(x, e))
		login_end(&x);
	else
		domain_of_address(g->store, address_text(&x->local, false, address), x->local_domain);
	return x;
}

const struct login_answer *login_left(struct login *x)
{
	if (x->at == AT_WORDS && x->refused)
		x->answer.said = x->counted.blocked ? LOGIN_SAYS_BLOCKED : LOGIN_SAYS_WRONG;
	else if (x->at != AT_DELAY)
		return NULL;
	return &x->answer;
}

void login_end(struct login **out)
{
	struct login *x = *out;

	if (!x)
		return;
	hashing_end(&x->job);
	if (x->asked)
		x->judge->end(x->judge->context, x->asked);
	free(x->mail);
	timer_free(&x->timer);
	login_forget_words(x);
	sasl_server_free(&x->sasl);
	x->g->logins--;
	wipe(x, sizeof *x);
	free(x);
	*out = NULL;
}

/* The digest over a made-up secret costs what that over a real one does. */
static bool apop_holds(const struct login *x, const struct account_login *l, struct span digest)
{
	char want[APOP_DIGEST], given[APOP_DIGEST - 1];
	struct span secret = l->secret_len ? (struct span){ l->secret, l->secret_len } : (struct span){ l->verifier, 16 };
	bool made = apop_digest(span_of(x->who.apop_stamp), secret, want), same;

	if (digest.len != sizeof given || !x->who.apop_stamp[0])	/* without a stamp whoever saw a digest could say it again */
		return false;
	for (size_t i = 0; i < sizeof given; i++)
		given[i] = (char)(digest.at[i] >= 'A' && digest.at[i] <= 'F' ? digest.at[i] | 0x20 : digest.at[i]);
	same = made && sodium_memcmp(want, given, sizeof given) == 0;
	wipe(want, sizeof want);
	return same && l->secret_len && l->there;
}

const struct login_answer *login_words(struct login *x, struct span name, struct span password)
{
	struct account_login l;
	const struct login_answer *a;

	assert(x->at == AT_WORDS && !x->named && !x->sasl);
	login_name(x, name, &l);
	if (x->mech == SASL_APOP) {
		x->right = apop_holds(x, &l, password);
		a = login_turn(x, DUE_VERDICT, (struct span){ 0 }, &l);
	} else {
		a = login_turn(x, DUE_PASSWORD, password, &l);
	}
	login_wipe(&l);
	return a;
}

static void judge_certificate(struct login *x, struct span authzid)
{
	struct login_certificate c = {
		.pem = x->who.tls ? x->who.client_certificate : (struct span){ 0 }, .authzid = authzid,
		.main_domain = x->who.main_domain, .local_domain = x->local_domain, .users = x->g->users,
	};
	char name[ACCOUNT_NAME_MAX + 1];
	struct account_login l;

	x->right = login_certificate(x->g->store, &c, name, &x->answer.why);
	login_name(x, span_of(name), &l);
	login_wipe(&l);
	x->right = x->right && strcmp(x->account, name) == 0;	/* it is an account's, still: no way of "*" leads to another */
	if (x->right)
		login_act_as(x, authzid);
}

const struct login_answer *login_exchange(struct login *x, const struct span *response)
{
	struct sasl_proof proof = { 0 };
	struct sasl_server *sasl = x->sasl;
	const struct login_answer *a;
	struct buf challenge;
	struct account_login l;
	struct err e;
	enum sasl_said said;

	buf_lend(&challenge, x->challenge, sizeof x->challenge);
	said = sasl_server_step(x->sasl, response, &challenge, &proof, &e);
	if (!x->named && proof.name.len) {
		login_name(x, proof.name, &l);
		login_wipe(&l);
	}
	switch (said) {
	case SASL_SAYS_MORE:
		x->answer.challenge = buf_span(&challenge);
		return login_over(x, LOGIN_SAYS_MORE, NULL);
	case SASL_SAYS_PASSWORD:
		login_forget_words(x);
		login_act_as(x, proof.authzid);
		x->sasl = NULL;
		a = login_turn(x, DUE_PASSWORD, proof.password, NULL);
		sasl_server_free(&sasl);	/* it has the password, which was copied where it waits */
		return a;
	case SASL_SAYS_PROVED:
		login_act_as(x, proof.authzid);
		x->right = true;
		break;
	case SASL_SAYS_TOKEN:
		login_forget_words(x);
		if (!x->named)
			login_nameless(x);
		return login_turn(x, DUE_TOKEN, proof.password, NULL);
	case SASL_SAYS_NAMED:
		judge_certificate(x, proof.authzid);
		break;
	case SASL_SAYS_REFUSED:
		if (x->refused)
			return login_refused(x);
		if (e.kind != ERR_AUTH || !x->named)
			return login_over(x, e.kind == ERR_LOCAL ? LOGIN_SAYS_BUSY : LOGIN_SAYS_MALFORMED, &e);
		x->answer.why = e;
		break;
	}
	login_forget_words(x);
	sasl_server_free(&x->sasl);
	return login_turn(x, DUE_VERDICT, (struct span){ 0 }, NULL);
}

const struct login_answer *login_step(struct login *x, bool given, struct span response)
{
	assert(x->at == AT_WORDS && x->sasl);
	x->answer.challenge = (struct span){ 0 };
	if (x->named && !x->turn)	/* this one may be the proof */
		return login_turn(x, DUE_STEP, response, NULL);
	return login_exchange(x, given ? &response : NULL);
}
