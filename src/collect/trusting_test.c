/* SPDX-License-Identifier: Apache-2.0
 *
 * Visits to a server that people accept, and take back while a visit is under way. */
#include "collect/test_world.h"
#include "collect/trusting.h"

#include <openssl/pem.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "net/test_pki.h"
#include "net/test_server.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct pki self;
static SSL_CTX *ctx;
static struct tls_trust *trust;

static atomic_bool heard;

/* Answers nothing: what it heard proves that TLS is up on the other side, too. */
static void listens(struct server_peer *p, void *user)
{
	char line[200];

	(void)user;
	if (!peer_tls(p, ctx) || !peer_say(p, "+OK ready\r\n") || !peer_line(p, line, sizeof line))
		return;
	atomic_store(&heard, true);
	peer_wait_end(p);
}

static char *pem_of(const struct pki *p)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *at, *text;
	long len;

	assert_int_equal(PEM_write_bio_X509(out, p->cert), 1);
	len = BIO_get_mem_data(out, &at);
	text = strndup(at, (size_t)len);
	(void)BIO_free(out);
	return text;
}

static void accept_self(struct world *w, uint16_t port)
{
	char *pem = pem_of(&self);
	struct err e;

	assert_true(trusted_add(w->store, &(struct trusted_new){ TRUSTED_KEY, "localhost", port, NULL, SHA, span_of(pem), false, 1 }, &e));
	trusting_load(w->store, trust);
	free(pem);
}

static void revoke_self(struct world *w, uint16_t port)
{
	size_t count;
	struct err e;

	assert_true(trusted_revoke(w->store, "localhost", port, &count, &e) && count == 1);
	trusting_load(w->store, trust);
}

struct seen {
	struct world *w;
	struct collector *c;
	struct timer *look;
	uint64_t id;
	uint16_t port;
	bool revokes;
	struct visit_result result;
};

static void ended(void *user, uint64_t id, const struct connection *with, const struct visit_result *result)
{
	struct seen *s = user;

	(void)id;
	(void)with;
	s->result = *result;
}

/* Once it waits for an answer. */
static void look(void *user)
{
	struct seen *s = user;
	struct collector_visit now;

	if (!collector_show(s->c, s->id, &now)) {
		timer_stop(s->look);
		return;
	}
	if (!atomic_exchange(&heard, false))
		return;
	timer_stop(s->look);
	collector_distrust(s->c);		/* nothing was taken back: it goes on */
	assert_true(collector_show(s->c, s->id, &now) && strcmp(now.phase, "connecting") == 0);
	if (s->revokes)
		revoke_self(s->w, s->port);
	else
		collector_stop_one(s->c, s->id);
	collector_distrust(s->c);
}

static void visit(struct world *w, struct seen *s)
{
	struct collector_with with = { .loop = w->loop, .store = w->store, .contexts = w->contexts, .deliveries = w->deliveries, .ended = ended, .user = s };
	struct err e;

	assert_true(collector_new(&with, &s->c, &e));
	s->look = timer_new(w->loop, look, s);
	timer_set(s->look, 1, 1);
	s->id = collector_add(s->c, &w->with, VISIT_COLLECT);
	loop_run(w->loop);
	timer_free(&s->look);
	collector_free(&s->c);
}

static void a_visit_ends_when_trust_is_taken_back(void **state)
{
	struct world *w = *state;
	struct server server;
	struct err e;

	trust = tls_trust_new(&e);
	tls_contexts_trust(w->contexts, trust);
	server_start(&server, "127.0.0.1", listens, NULL);
	w->with.host = "localhost";
	w->with.port = server.port;
	w->with.tls = (struct tls_keys){ .mode = MODE_IMPLICIT, .required = true, .verify_server = true, .verify_host = true,
		.verify_depth = 9, .versions = 1u << VERSION_TLS_1_2 | 1u << VERSION_TLS_1_3 };
	for (int n = 0; n < 3; n++) {
		struct seen s = { .w = w, .port = server.port, .revokes = n == 1 };

		if (n < 2)
			accept_self(w, server.port);
		visit(w, &s);
		assert_int_equal(s.result.why.kind, n == 0 ? ERR_LOCAL : ERR_TLS);
		assert_non_null(strstr(s.result.why.text, n == 0 ? "stopped" : n == 1 ? "was taken back" : "self-signed"));
	}
	server_stop(&server);
	(void)world_stop(state);
	tls_trust_free(&trust);
}

static int set_up(void **state)
{
	(void)state;
	pki_make(&self, &(struct pki_wish){ .name = "self", .names = "DNS:localhost" });
	ctx = pki_server(&self, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	SSL_CTX_free(ctx);
	pki_free(&self);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_visit_ends_when_trust_is_taken_back, world_start),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
