/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/sasl_run.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/jobs.h"

struct sasl_run {
	struct visit *visit;		/* NULL: nobody wants the answer any more */
	struct collector *collector;
	struct sasl_client *client;
	struct buf challenge, response;
	struct err e;
	bool good, running;
	char exporter[32], unique[64];
	size_t exporter_len, unique_len;
};

static void run_free(struct sasl_run *r)
{
	sasl_client_free(&r->client);
	buf_wipe(&r->challenge);
	buf_wipe(&r->response);
	free(r);
}

void sasl_run_end(struct visit *v)
{
	struct sasl_run *r = v->sasl;

	v->sasl = NULL;
	v->sasl_busy = false;
	if (!r)
		return;
	if (r->running && !job_withdraw(collector_loop(r->collector), r))
		r->visit = NULL;
	else
		run_free(r);
}

static struct sasl_run *run_new(struct visit *v, enum sasl_mech mech, struct err *e)
{
	struct sasl_run *r = calloc(1, sizeof *r);
	struct sasl_credentials with = {
		.user = v->with->user, .password = buf_span(&v->password), .service = v->talk->service, .host = v->with->host,
		.port = v->conn_settings.port, .now_s = clock_now_s(),
	};

	if (!r) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	r->visit = v;
	r->collector = v->collector;
	buf_start(&r->challenge, SASL_RESPONSE_MAX);
	buf_start(&r->response, SASL_RESPONSE_MAX);
	r->exporter_len = conn_tls_exporter(v->conn, r->exporter);
	r->unique_len = conn_tls_unique(v->conn, r->unique);
	with.tls_exporter = (struct span){ r->exporter, r->exporter_len };
	with.tls_unique = (struct span){ r->unique, r->unique_len };
	r->client = sasl_client_new(mech, &with, e);
	if (!r->client) {
		run_free(r);
		return NULL;
	}
	return r;
}

static void work(void *user)
{
	struct sasl_run *r = user;

	r->response.len = 0;
	r->good = sasl_client_step(r->client, buf_span(&r->challenge), &r->response, &r->e);
}

static void tell(struct visit *v, struct sasl_run *r)
{
	v->token.refused |= sasl_client_token(r->client) == SASL_TOKEN_EXPIRED;
	if (!r->good)
		mechs_unproved(v, buf_span(&r->challenge), &r->e);
	else
		v->talk->sasl_answer(v, buf_span(&r->response));
}

static void done(void *user)
{
	struct sasl_run *r = user;
	struct visit *v = r->visit;

	r->running = false;
	if (!v) {
		run_free(r);
		return;
	}
	v->sasl_busy = false;
	tell(v, r);
	collector_dirty(r->collector, v);
}

/* The server says it is over: has it proved that it knows the password? */
static void on_last(struct visit *v)
{
	struct err e;

	if (v->sasl && sasl_client_verified(v->sasl->client)) {
		v->talk->sasl_answer(v, (struct span){ 0 });
		return;
	}
	(void)err_set(&e, ERR_AUTH, "the server did not prove that it knows the password; somebody may be in between");
	mechs_unproved(v, (struct span){ 0 }, &e);
}

void sasl_run_step(struct visit *v, const struct sasl_ask *ask)
{
	struct err e;

	if (ask->last) {
		on_last(v);
		return;
	}
	if (ask->first) {
		sasl_run_end(v);
		v->sasl = run_new(v, ask->mech, &e);
		if (!v->sasl) {
			v->talk->sasl_cancel(v, false, &e);
			return;
		}
	}
	assert(v->sasl && !v->sasl->running);
	v->sasl->challenge.len = 0;
	if (!buf_add(&v->sasl->challenge, ask->challenge)) {
		(void)err_set(&e, ERR_PEER, "a SASL challenge of %zu octets is too long", ask->challenge.len);
		v->talk->sasl_cancel(v, false, &e);
		return;
	}
	if (sasl_mech_slow(ask->mech) &&
	    (sasl_mech_asks(ask->mech) ? job_start_few : job_start)(collector_loop(v->collector), work, done, v->sasl, &e)) {
		v->sasl->running = v->sasl_busy = true;
		return;
	}
	work(v->sasl);
	tell(v, v->sasl);
}
