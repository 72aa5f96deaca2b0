/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection's login: the steps of a mechanism, slow ones in a job. */
#include <assert.h>

#include "base/clock.h"
#include "deliver/relay_inside.h"

static void work(void *user)
{
	struct link *k = user;

	k->response.len = 0;
	k->good = sasl_client_step(k->sasl, buf_span(&k->challenge), &k->response, &k->e);
}

/* SCRAM's "e=" is the server's own word for a refusal: nothing was to be proved. */
static void unproved(struct link *k, struct span challenge, const struct err *why)
{
	unsigned *weaker = k->relay->with->weaker;

	k->judged = true;
	if (weaker && (!span_starts(challenge, SPAN("e=")) || span_starts(challenge, SPAN("e=channel-binding"))))
		*weaker = ladder_weaker_than(smc_mechanism(k->s));
	smc_sasl_cancel(k->s, true, why);
}

static void tell(struct link *k)
{
	if (k->good)
		smc_sasl_answer(k->s, buf_span(&k->response));
	else if (k->e.kind == ERR_AUTH)
		unproved(k, buf_span(&k->challenge), &k->e);
	else
		smc_sasl_cancel(k->s, false, &k->e);
}

static void done(void *user)
{
	struct link *k = user;

	k->stepping = false;
	if (!k->conn) {			/* it was closed meanwhile */
		wake_send(k->relay->wake);
		relay_drop_link(k);
		return;
	}
	tell(k);
	link_move(k);
}

/* The server says it is over: has it proved that it knows the password? */
static void on_last(struct link *k)
{
	struct err e;

	if (k->sasl && sasl_client_verified(k->sasl)) {
		smc_sasl_answer(k->s, (struct span){ 0 });
		return;
	}
	(void)err_set(&e, ERR_AUTH, "the server did not prove that it knows the password; somebody may be in between");
	unproved(k, (struct span){ 0 }, &e);
}

static bool begin(struct link *k, enum sasl_mech mech, struct err *e)
{
	const struct relay_settings *with = k->relay->with;
	struct sasl_credentials c = {
		.user = with->user, .password = with->login.password, .service = with->login.lmtp ? "lmtp" : "smtp", .host = with->server.host,
		.now_s = clock_now_s(),
	};

	sasl_client_free(&k->sasl);
	k->sasl = sasl_client_new(mech, &c, e);
	return k->sasl;
}

void link_sasl(struct link *k, const struct smc_event *ev)
{
	struct err e;

	if (ev->last) {
		on_last(k);
		return;
	}
	if (ev->first && !begin(k, ev->mech, &e)) {
		smc_sasl_cancel(k->s, false, &e);
		return;
	}
	assert(k->sasl && !k->stepping);
	k->challenge.len = 0;
	if (!buf_add(&k->challenge, ev->text)) {
		(void)err_set(&e, ERR_PEER, "a SASL challenge of %zu octets is too long", ev->text.len);
		smc_sasl_cancel(k->s, false, &e);
		return;
	}
	if (sasl_mech_slow(ev->mech) && (sasl_mech_asks(ev->mech) ? task_start_few : task_start)(k->relay->tasks, work, done, k, &e)) {
		k->stepping = true;
		return;
	}
	work(k);
	tell(k);
}
