/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/fixture.h"
#include "deliver/relay_fixture.h"

#include <openssl/pem.h>

#include "net/tls_trust.h"
#include "store/trust.h"

enum { SIZE = 300 };

static struct plan plan;
static struct server server;
static struct target target;
static struct world *w;
static struct deliver_each each[2];
static bool has_each;

static struct target *to(enum target_type type, uint16_t port)
{
	target = (struct target){ .name = "relay", .type = type, .canonical = "smtp://127.0.0.1", .host = "127.0.0.1", .port = port, .parallel = 2,
		.tls = { .mode = MODE_NONE } };
	return &target;
}

static void begin(struct plan what)
{
	plan = what;
	if (!plan.capabilities)
		plan.capabilities = "250 PIPELINING\r\n";
	plan.taken = malloc(TAKEN_MAX);
	server_start(&server, "127.0.0.1", talk, &plan);
	w = world(SIZE);
	(void)to(plan.lmtp ? TARGET_LMTP : TARGET_SMTP, server.port);
}

static void end(void)
{
	deliveries_free(&w->all);
	world_deliveries(w);
	struct timer *soon = timer_new(w->loop, stop, w->loop);	/* what was cut is told */

	timer_set(soon, 20, 0);
	loop_run(w->loop);
	timer_free(&soon);
	world_end(w);
	server_stop(&server);
	free(plan.taken);
}

static void done(void *user, const struct deliver_result *r)
{
	has_each = r->each;
	if (r->each)
		memcpy(each, r->each, sizeof each);
	world_done(user, r);
}

static enum deliver_said delivers(void)
{
	static struct world_ask user;
	struct deliver_ask ask = { .message = w->message, .sender = "anna@example.org", .recipients = recipients, .recipient_count = COUNT(recipients),
		.done = done, .user = &user };

	user = (struct world_ask){ w, 0 };
	w->done = 0;
	w->wanted = 1;
	ask.target = deliver_target_new(&target, &fixture_err);
	must(ask.target);
	deliver(w->all, &ask);
	assert_int_equal(w->done, 0);
	deliver_target_put(&ask.target);
	world_runs(w);
	return w->said[0];
}

static void it_arrives([[maybe_unused]] void **state)
{
	begin((struct plan){ 0 });
	assert_int_equal(delivers(), DELIVER_ACCEPTED);
	assert_true(has_each && each[0].said == DELIVER_ACCEPTED && each[1].said == DELIVER_ACCEPTED);
	assert_int_equal(atomic_load(&plan.messages), 1);
	assert_true(plan.taken_len >= SIZE);
	end();
}

static void answers_of_one_of_two([[maybe_unused]] void **state)
{
	static const struct {
		const char *all, *carla;
		enum deliver_said said, first, second;
		const char *why, *told;
	} rows[] = {
		{ NULL, "450 4.2.1 later\r\n", DELIVER_DEFERRED, DELIVER_ACCEPTED, DELIVER_DEFERRED, "carla@example.net: 450 ", "" },
		{ NULL, "550 5.1.1 nobody\r\n", DELIVER_REFUSED, DELIVER_ACCEPTED, DELIVER_REFUSED, "carla@example.net: 550 ", "550 " },
		{ "450 4.2.1 later\r\n", "550 5.1.1 nobody\r\n", DELIVER_DEFERRED, DELIVER_DEFERRED, DELIVER_REFUSED, "bert@example.org: 450 ", "" },
		{ "550 5.1.1 nobody\r\n", NULL, DELIVER_REFUSED, DELIVER_REFUSED, DELIVER_REFUSED, "bert@example.org: 550 ", "550 " },
	};

	for (size_t n = 0; n < COUNT(rows); n++) {
		begin((struct plan){ .to_rcpt = rows[n].all, .to_carla = rows[n].carla });
		assert_int_equal(delivers(), rows[n].said);
		assert_true(has_each && each[0].said == rows[n].first && each[1].said == rows[n].second);
		assert_int_equal(strncmp(w->why, rows[n].why, strlen(rows[n].why)), 0);
		assert_int_equal(strncmp(w->told, rows[n].told, strlen(rows[n].told)), 0);
		assert_true(*rows[n].told || !*w->told);
		if (rows[n].second == DELIVER_REFUSED)
			assert_string_equal(each[1].status, "5.1.1");
		end();
	}
}

/* The whole message is out, and no answer came. */
static void doubt_is_tried_again([[maybe_unused]] void **state)
{
	begin((struct plan){ .to_message = "" });
	assert_int_equal(delivers(), DELIVER_DEFERRED);
	assert_non_null(strstr(each[0].why, "may come twice"));
	assert_false(w->down);
	end();
}

static void nobody_is_there([[maybe_unused]] void **state)
{
	begin((struct plan){ 0 });
	(void)to(TARGET_SMTP, server_refusing_port());
	assert_int_equal(delivers(), DELIVER_DEFERRED);
	assert_true(has_each && each[1].said == DELIVER_DEFERRED && each[1].why[0] && w->down);
	end();
}

static void connections_are_kept([[maybe_unused]] void **state)
{
	struct deliver_target *t;

	begin((struct plan){ 0 });
	for (unsigned n = 0; n < 2; n++)	/* each a target of its own, as over a reload: the old one's connection goes */
		(void)world_delivers(w, &target, NULL);
	w->wanted = w->done = 0;
	t = deliver_target_new(&target, &fixture_err);
	must(t);
	for (unsigned n = 0; n < 4; n++) {
		world_asks[n] = (struct world_ask){ w, (int)n };
		w->wanted = n + 1;
		deliver(w->all, &(struct deliver_ask){ .target = t, .message = w->message, .sender = "", .recipients = recipients, .recipient_count = 1,
			.done = world_done, .user = &world_asks[n] });
		world_runs(w);
		assert_int_equal(w->said[n], DELIVER_ACCEPTED);
	}
	deliver_target_put(&t);
	assert_int_equal(atomic_load(&plan.connections), 3);
	end();
}

static void login([[maybe_unused]] void **state)
{
	static const uint8_t plain[] = { MECHANISM_PLAIN };
	SSL_CTX *tls;
	struct tls_contexts *contexts = tls_contexts_new(&fixture_err);
	struct pki self = { 0 };

	must(contexts);
	pki_make(&self, &(struct pki_wish){ .name = "self", .names = "IP:127.0.0.1" });
	tls = pki_server(&self, NULL);
	begin((struct plan){ .capabilities = "250 AUTH PLAIN\r\n", .tls = tls });
	deliveries_free(&w->all);
	w->all = deliveries_new(&(struct deliveries_with){ .loop = w->loop, .store = w->store, .contexts = contexts,
		.tickets = (uint64_t)1 << WORLD_TICKETS_BIT, .keep = world_keep, .user = w }, &fixture_err);
	must(w->all);
	target.tls = (struct tls_keys){ .mode = MODE_EXPLICIT, .required = true, .versions = 1 << VERSION_TLS_1_3, .verify_depth = 9 };
	target.auth = (struct auth_keys){ .auth = plain, .auth_count = 1 };
	target.user = "anna";
	target.password = (struct secret){ SECRET_COMMAND, "echo geheim" };
	assert_int_equal(delivers(), DELIVER_ACCEPTED);
	assert_int_equal(atomic_load(&plan.logins), 1);
	target.password = (struct secret){ SECRET_COMMAND, "echo no >&2; exit 1" };	/* that is not the sender's fault */
	assert_int_equal(delivers(), DELIVER_DEFERRED);
	assert_true(!has_each && w->down);
	target.tls.verify_server = true;
	target.password = (struct secret){ SECRET_LITERAL, "geheim" };
	assert_int_equal(delivers(), DELIVER_DEFERRED);
	assert_int_equal(atomic_load(&plan.logins), 1);
	end();
	tls_contexts_free(&contexts);
	SSL_CTX_free(tls);
	pki_free(&self);
}

static void trust_in(struct tls_trust *trust, const struct pki *p, uint16_t port)
{
	struct tls_trust_set *set = tls_trust_set_new();
	BIO *b = BIO_new(BIO_s_mem());
	char *at;
	long len;

	must(p == NULL || PEM_write_bio_X509(b, p->cert) == 1);
	len = BIO_get_mem_data(b, &at);
	must(p == NULL || tls_trust_add(set, &(struct tls_trusted){ TLS_TRUST_KEY, "127.0.0.1", port, { at, (size_t)len } }));
	(void)BIO_free(b);
	tls_trust_put(trust, &set);
}

static void asks_one(struct deliver_target *t, unsigned n)
{
	world_asks[n] = (struct world_ask){ w, (int)n };
	w->wanted = n + 1;
	deliver(w->all, &(struct deliver_ask){ .target = t, .message = w->message, .sender = "", .recipients = recipients, .recipient_count = 1,
		.insist = true, .done = world_done, .user = &world_asks[n] });
	world_runs(w);
}

/* A server that is not trusted is offered for `postrider trust`; accepted it gets mail; taken back, its kept connection ends. */
static void trust([[maybe_unused]] void **state)
{
	struct tls_contexts *contexts = tls_contexts_new(&fixture_err);
	struct tls_trust *trusted = tls_trust_new(&fixture_err);
	struct trust_entry entry;
	struct deliver_target *t;
	struct pki self = { 0 };
	SSL_CTX *tls;

	must(contexts && trusted);
	tls_contexts_trust(contexts, trusted);
	pki_make(&self, &(struct pki_wish){ .name = "self" });
	tls = pki_server(&self, NULL);
	begin((struct plan){ .tls = tls });
	deliveries_free(&w->all);
	w->all = deliveries_new(&(struct deliveries_with){ .loop = w->loop, .store = w->store, .contexts = contexts,
		.tickets = (uint64_t)1 << WORLD_TICKETS_BIT, .keep = world_keep, .user = w }, &fixture_err);
	target.tls = (struct tls_keys){ .mode = MODE_EXPLICIT, .required = true, .versions = 1 << VERSION_TLS_1_3, .verify_depth = 9, .verify_server = true,
		.verify_host = true };
	t = deliver_target_new(&target, &fixture_err);
	must(w->all && t);
	asks_one(t, 0);
	assert_int_equal(w->said[0], DELIVER_DEFERRED);
	assert_non_null(strstr(w->why, "see `postrider trust show 127.0.0.1:"));
	(void)fixture_drain(w->store);
	assert_true(trust_get(w->store, "127.0.0.1", server.port, &entry));
	trust_in(trusted, &self, server.port);
	for (unsigned n = 1; n < 3; n++) {
		asks_one(t, n);
		assert_int_equal(w->said[n], DELIVER_ACCEPTED);
	}
	assert_int_equal(atomic_load(&plan.connections), 2);
	deliveries_distrust(w->all);		/* nothing was taken back */
	asks_one(t, 3);
	assert_int_equal(atomic_load(&plan.connections), 2);
	trust_in(trusted, NULL, 0);
	deliveries_distrust(w->all);
	asks_one(t, 4);
	assert_int_equal(w->said[4], DELIVER_DEFERRED);
	assert_int_equal(atomic_load(&plan.messages), 3);
	deliver_target_put(&t);
	end();
	tls_contexts_free(&contexts);
	tls_trust_free(&trusted);
	SSL_CTX_free(tls);
	pki_free(&self);
}

static void lmtp([[maybe_unused]] void **state)
{
	begin((struct plan){ .lmtp = true, .to_carla = "550 5.1.1 nobody\r\n" });
	assert_int_equal(delivers(), DELIVER_REFUSED);
	assert_true(each[0].said == DELIVER_ACCEPTED && each[1].said == DELIVER_REFUSED);
	end();
}

static void through_a_socket([[maybe_unused]] void **state)
{
	struct server local;
	char path[300];

	begin((struct plan){ .lmtp = true, .to_carla = "450 4.2.1 later\r\n" });
	(void)snprintf(path, sizeof path, "%s/lmtp", w->directory);
	server_start(&local, path, talk, &plan);
	target.host = path;
	target.port = 0;
	assert_int_equal(delivers(), DELIVER_DEFERRED);
	assert_true(each[0].said == DELIVER_ACCEPTED && each[1].said == DELIVER_DEFERRED && !w->down);
	assert_int_equal(atomic_load(&plan.messages), 1);
	end();
	server_stop(&local);
}

static void ask_now(struct deliver_target *t, unsigned n, bool insist)
{
	world_asks[n] = (struct world_ask){ w, (int)n };
	w->wanted = n + 1;
	deliver(w->all, &(struct deliver_ask){ .target = t, .message = w->message, .sender = "", .recipients = recipients, .recipient_count = 1,
		.insist = insist, .done = world_done, .user = &world_asks[n] });
}

static void ask(struct deliver_target *t, unsigned n)
{
	ask_now(t, n, false);
}

/* Also those that were asked for before the password was there. */
static void one_after_the_other([[maybe_unused]] void **state)
{
	struct deliver_target *t;

	begin((struct plan){ 0 });
	target.parallel = 1;
	t = deliver_target_new(&target, &fixture_err);
	must(t);
	for (unsigned n = 0; n < 9; n++)
		ask(t, n);
	world_runs(w);
	for (int n = 0; n < 9; n++) {
		assert_int_equal(w->said[n], DELIVER_ACCEPTED);
		assert_int_equal(w->which[n], n);
	}
	deliveries_rest(w->all);
	loop_run(w->loop);		/* nothing holds it */
	deliver_target_put(&t);
	end();
	assert_int_equal(atomic_load(&plan.quits), 1);
}

/* Who asks soon after a failure waits for nothing, and hears why. */
static void a_server_that_is_down_is_left_alone([[maybe_unused]] void **state)
{
	struct deliver_target *t;
	char why[sizeof w->why];

	begin((struct plan){ .turned_away = true });
	t = deliver_target_new(&target, &fixture_err);
	must(t);
	ask(t, 0);
	ask(t, 1);
	world_runs(w);
	assert_true(w->said[0] == DELIVER_DEFERRED && w->said[1] == DELIVER_DEFERRED && w->down);
	assert_non_null(strstr(w->why, "full"));
	(void)snprintf(why, sizeof why, "%s", w->why);
	for (unsigned n = 2; n < 9; n++) {
		unsigned before = atomic_load(&plan.connections);

		ask(t, n);
		assert_int_equal(w->done, n);	/* never from within */
		world_runs(w);
		assert_int_equal(w->said[n], DELIVER_DEFERRED);
		assert_true(w->down && strstr(why, w->why));
		assert_int_equal(atomic_load(&plan.connections), before);
	}
	plan.turned_away = false;	/* the server is back */
	ask_now(t, 9, true);
	world_runs(w);
	assert_int_equal(w->said[9], DELIVER_ACCEPTED);
	ask(t, 10);
	world_runs(w);
	assert_true(w->said[10] == DELIVER_ACCEPTED && !w->down);
	deliver_target_put(&t);
	end();
}

/* A server that is silent, and a service that ends. */
static void talk_nothing(struct server_peer *p, [[maybe_unused]] void *user)
{
	char line[LINE];

	(void)peer_line(p, line, sizeof line);
}

static void on_hurry(void *user)
{
	deliveries_hurry(user);
}

static void it_can_be_hurried([[maybe_unused]] void **state)
{
	struct server silent;
	struct timer *soon;

	begin((struct plan){ 0 });
	server_start(&silent, "127.0.0.1", talk_nothing, NULL);
	(void)to(TARGET_SMTP, silent.port);
	soon = timer_new(w->loop, on_hurry, w->all);
	timer_set(soon, 50, 0);
	assert_int_equal(delivers(), DELIVER_DEFERRED);
	assert_non_null(strstr(w->why, "service ends"));
	timer_free(&soon);
	end();
	server_stop(&silent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_arrives),
		cmocka_unit_test(answers_of_one_of_two),
		cmocka_unit_test(doubt_is_tried_again),
		cmocka_unit_test(nobody_is_there),
		cmocka_unit_test(connections_are_kept),
		cmocka_unit_test(login),
		cmocka_unit_test(trust),
		cmocka_unit_test(lmtp),
		cmocka_unit_test(through_a_socket),
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(a_server_that_is_down_is_left_alone),
		cmocka_unit_test(it_can_be_hurried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
