/* SPDX-License-Identifier: Apache-2.0
 *
 * Which mechanisms a visit's sessions may try, and what is remembered: a visit of the world's, whose session is a ladder
 * made by hand. */
#include "collect/mechs.h"

#include "collect/test_world.h"
#include "collect/visit.h"

static const uint8_t all[] = { SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1, SASL_CRAM_MD5, SASL_APOP, SASL_PLAIN, SASL_USER };

static struct ladder session;
static char said[LADDER_TRIES + 1][LADDER_WORDS];
static unsigned cancelled;
static bool cancelled_as_false;

static const struct ladder *ladder(const struct visit *v)
{
	(void)v;
	return &session;
}

static void cancel(struct visit *v, bool proof_failed, const struct err *why)
{
	(void)v;
	assert_true(why->kind != ERR_NONE);
	cancelled++;
	cancelled_as_false = proof_failed;
}

static void free_nothing(struct visit *v)
{
	(void)v;
}

static const struct talk_ops talk = { .service = "pop", .ladder = ladder, .sasl_cancel = cancel, .free = free_nothing };

static void ended(void *user, uint64_t id, const struct connection *with, const struct visit_result *result)
{
	(void)user;
	(void)id;
	(void)with;
	(void)result;
}

struct visiting {
	struct collector *collector;
	struct visit *v;
};

static void begin(struct visiting *g, struct world *w, enum visit_what what)
{
	const struct collector_with with = { .loop = w->loop, .store = w->store, .contexts = w->contexts, .ended = ended, .user = w };
	struct err e;

	w->with.auth = all;
	w->with.auth_count = COUNT(all);
	assert_true(collector_new(&with, &g->collector, &e));
	g->v = visit_new(g->collector, 0, 1, &w->with, what);
	assert_non_null(g->v);
	g->v->talk = &talk;
	cancelled = 0;
}

/* What was noted is durable, so that the next visit sees it. */
static void end(struct visiting *g)
{
	struct store *store = collector_store(g->collector);
	struct store_done done;

	visit_free(&g->v);
	collector_free(&g->collector);
	while (store_wait(store))
		while (store_next(store, &done))
			continue;
}

/* A connection: the session may try what is said, and the server offers `offered`. */
static void settle(struct visit *v)
{
	v->why = (struct err){ 0 };
	mechs_settle(v);
	ladder_start(&session, v->mechs, v->mech_count, &v->ladder.before, said);
}

static bool next(unsigned offered, enum sasl_mech want)
{
	const struct ladder_offer offer = { .offered = offered, .secure = true, .channel_binding = true };

	return ladder_next(&session, &offer) && session.now == want;
}

static void verified(struct world *w)
{
	w->with.tls.mode = MODE_IMPLICIT;
	w->with.tls.required = w->with.tls.verify_server = w->with.tls.verify_host = true;
}

/* A visit whose login is by `mech`, after the server refused what is offered before it. */
static void visit_good(struct world *w, unsigned offered, enum sasl_mech mech)
{
	struct visiting g;

	begin(&g, w, VISIT_COLLECT);
	settle(g.v);
	while (!next(offered, mech)) {
		assert_true(session.fates[session.now] == LADDER_UNASKED);
		ladder_over(&session, LADDER_REFUSED, SPAN("-ERR"));
	}
	ladder_over(&session, LADDER_WORKED, (struct span){ 0 });
	mechs_look(g.v);
	mechs_over(g.v);
	end(&g);
}

#define BIT(m) (1u << SASL_##m)
#define EVERY (BIT(SCRAM_SHA_256) | BIT(SCRAM_SHA_1) | BIT(CRAM_MD5) | BIT(PLAIN) | BIT(USER))

static void the_first_that_is_offered(struct world *w, unsigned offered, enum sasl_mech want)
{
	struct visiting g;

	begin(&g, w, VISIT_COLLECT);
	settle(g.v);
	if (!next(offered, want))
		fail_msg("not %s, but %s", sasl_mech_name(want), sasl_mech_name(session.now));
	end(&g);
}

static void none_is_tried(struct world *w, unsigned offered, enum ladder_fate plain)
{
	const struct ladder_offer offer = { .offered = offered, .secure = true, .channel_binding = true };
	struct visiting g;

	begin(&g, w, VISIT_COLLECT);
	settle(g.v);
	if (ladder_next(&session, &offer))
		fail_msg("%s is tried", sasl_mech_name(session.now));
	assert_int_equal(session.fates[SASL_PLAIN], plain);
	assert_true(session.weaker_skipped);
	end(&g);
}

static void what_was_refused_comes_behind_what_worked(void **state)
{
	struct world *w = *state;

	verified(w);
	w->with.auth_auto = true;
	visit_good(w, EVERY, SASL_CRAM_MD5);
	the_first_that_is_offered(w, EVERY, SASL_CRAM_MD5);
	the_first_that_is_offered(w, EVERY | BIT(SCRAM_SHA_256_PLUS), SASL_SCRAM_SHA_256_PLUS);	/* new, and stronger */
	the_first_that_is_offered(w, EVERY & ~BIT(CRAM_MD5), SASL_SCRAM_SHA_256);	/* what worked is gone */
	visit_good(w, EVERY, SASL_CRAM_MD5);		/* nothing was refused this time, and it is not forgotten */
	the_first_that_is_offered(w, EVERY, SASL_CRAM_MD5);
	w->with.user = "berta";				/* other settings */
	the_first_that_is_offered(w, EVERY, SASL_SCRAM_SHA_256);
	w->with.user = "anna";
	w->with.auth_auto = false;			/* a list has its own order */
	visit_good(w, EVERY, SASL_CRAM_MD5);
	the_first_that_is_offered(w, EVERY, SASL_SCRAM_SHA_256);
}

static void less_than_before(void **state)
{
	struct world *w = *state;

	w->with.auth_auto = true;
	visit_good(w, EVERY, SASL_SCRAM_SHA_256);
	none_is_tried(w, BIT(PLAIN) | BIT(USER), LADDER_BELOW);		/* in clear */
	verified(w);
	visit_good(w, EVERY, SASL_SCRAM_SHA_256);
	the_first_that_is_offered(w, BIT(PLAIN) | BIT(USER), SASL_PLAIN);
	w->with.tls.verify_server = false;
	visit_good(w, EVERY, SASL_SCRAM_SHA_256);
	none_is_tried(w, BIT(PLAIN) | BIT(USER), LADDER_BELOW);
	the_first_that_is_offered(w, EVERY, SASL_SCRAM_SHA_256);
}

static void fail_by(struct world *w, enum visit_what what, struct span challenge, enum err_kind kind)
{
	struct visiting g;
	struct err why, net;

	begin(&g, w, what);
	settle(g.v);
	assert_true(next(EVERY, SASL_SCRAM_SHA_256));
	(void)err_set(&why, kind, "SCRAM-SHA-256: no");
	mechs_unproved(g.v, challenge, &why);
	assert_int_equal(cancelled, 1);
	assert_int_equal(cancelled_as_false, kind == ERR_AUTH);
	(void)err_set(&net, ERR_NET, "no answer within 60 s");	/* to our cancelling */
	g.v->why = net;
	mechs_over(g.v);
	assert_int_equal(g.v->why.kind, kind == ERR_AUTH ? ERR_AUTH : ERR_NET);
	assert_int_equal(strstr(g.v->why.text, "SCRAM-SHA-256: no") != NULL, kind == ERR_AUTH);
	end(&g);
}

static void nothing_weaker_after_a_false_proof(void **state)
{
	struct world *w = *state;

	verified(w);
	fail_by(w, VISIT_COLLECT, SPAN("v=c2lsbHk="), ERR_AUTH);
	none_is_tried(w, BIT(SCRAM_SHA_1) | BIT(PLAIN), LADDER_WEAKER);
	the_first_that_is_offered(w, EVERY, SASL_SCRAM_SHA_256);
	w->with.allow_cleartext = !w->with.allow_cleartext;	/* the user looked at it */
	the_first_that_is_offered(w, BIT(SCRAM_SHA_1) | BIT(PLAIN), SASL_SCRAM_SHA_1);
	w->with.allow_cleartext = !w->with.allow_cleartext;
	none_is_tried(w, BIT(SCRAM_SHA_1) | BIT(PLAIN), LADDER_WEAKER);
	visit_good(w, EVERY, SASL_SCRAM_SHA_256);
	the_first_that_is_offered(w, BIT(PLAIN), SASL_PLAIN);
}

static void what_is_no_false_proof(void **state)
{
	struct world *w = *state;

	verified(w);
	fail_by(w, VISIT_COLLECT, SPAN("e=invalid-proof"), ERR_AUTH);
	the_first_that_is_offered(w, BIT(PLAIN), SASL_PLAIN);
	fail_by(w, VISIT_COLLECT, SPAN("nonsense"), ERR_PEER);
	the_first_that_is_offered(w, BIT(PLAIN), SASL_PLAIN);
	fail_by(w, VISIT_TEST, SPAN("v=c2lsbHk="), ERR_AUTH);		/* a test remembers nothing */
	the_first_that_is_offered(w, BIT(PLAIN), SASL_PLAIN);
	fail_by(w, VISIT_COLLECT, SPAN("e=channel-bindings-dont-match"), ERR_AUTH);
	none_is_tried(w, BIT(PLAIN), LADDER_WEAKER);
}

/* As if we had said that the server has none: somebody has taken it away. */
static void a_binding_that_the_server_has(void **state)
{
	struct world *w = *state;

	verified(w);
	fail_by(w, VISIT_COLLECT, SPAN("e=server-does-support-channel-binding"), ERR_AUTH);
	none_is_tried(w, BIT(PLAIN), LADDER_WEAKER);
}

/* A try that ended behind the credentials, whatever was said of them; and one that ended before. */
static void what_brought_the_password(void **state)
{
	struct world *w = *state;
	struct visiting g;

	for (unsigned n = 0; n < 4; n++) {
		verified(w);
		begin(&g, w, VISIT_COLLECT);
		settle(g.v);
		if (n)
			assert_true(next(EVERY, SASL_SCRAM_SHA_256));
		session.brought = n == 1;
		if (n == 1 || n == 2)
			ladder_over(&session, LADDER_WRONG, SPAN("NO [UNAVAILABLE] later"));
		(void)err_set(&g.v->why, ERR_BUSY, "later");
		mechs_over(g.v);
		assert_int_equal(g.v->ladder.brought, n == 1 || n == 3);	/* 0: a greeting; 3: the server says BYE instead of an answer */
		end(&g);
	}
}

static void another_binding_than_ours(void **state)
{
	struct world *w = *state;
	struct visiting g;

	verified(w);
	begin(&g, w, VISIT_COLLECT);
	settle(g.v);
	assert_true(next(EVERY | BIT(SCRAM_SHA_256_PLUS), SASL_SCRAM_SHA_256_PLUS));
	ladder_over(&session, LADDER_WRONG, SPAN("-ERR [AUTH] no"));
	(void)err_set(&g.v->why, ERR_AUTH, "no");
	mechs_over(g.v);
	end(&g);
	none_is_tried(w, EVERY, LADDER_WEAKER);
	the_first_that_is_offered(w, EVERY | BIT(SCRAM_SHA_256_PLUS), SASL_SCRAM_SHA_256_PLUS);
}

/* The server refuses one and closes: at most two more connections, and three tries in all. */
static void other_connections_of_a_visit(void **state)
{
	struct world *w = *state;
	struct visiting g;

	verified(w);
	begin(&g, w, VISIT_COLLECT);
	settle(g.v);
	assert_true(next(EVERY, SASL_SCRAM_SHA_256));
	ladder_over(&session, LADDER_REFUSED, SPAN("-ERR"));
	mechs_over(g.v);
	assert_true(mechs_again(g.v));
	settle(g.v);
	assert_true(next(EVERY, SASL_SCRAM_SHA_1));
	ladder_over(&session, LADDER_REFUSED, SPAN("-ERR"));
	assert_true(next(EVERY, SASL_CRAM_MD5));	/* which a server that has closed does not see */
	mechs_over(g.v);
	assert_true(mechs_again(g.v));
	settle(g.v);
	mechs_over(g.v);
	assert_false(mechs_again(g.v));		/* nothing new was learned */
	settle(g.v);
	assert_true(next(EVERY, SASL_CRAM_MD5));
	ladder_over(&session, LADDER_REFUSED, SPAN("-ERR"));
	assert_false(next(EVERY, SASL_PLAIN));
	mechs_over(g.v);
	assert_false(mechs_again(g.v));
	mechs_forgive(g.v);
	settle(g.v);
	assert_true(next(EVERY, SASL_SCRAM_SHA_256));
	end(&g);
}

static void each_reason_has_words(void **state)
{
	struct world *w = *state;
	struct visit_mech rows[SASL_MECHS];
	struct visiting g;
	char told[2000] = "";
	size_t count;

	verified(w);
	w->with.auth_auto = true;
	begin(&g, w, VISIT_TEST);
	settle(g.v);
	assert_true(next(EVERY, SASL_SCRAM_SHA_256));
	ladder_over(&session, LADDER_REFUSED, SPAN("-ERR secret unknown"));	/* which is the password */
	assert_true(next(EVERY, SASL_SCRAM_SHA_1));
	ladder_over(&session, LADDER_UNABLE, SPAN("SCRAM-SHA-1: cannot carry it"));
	assert_true(next(EVERY, SASL_CRAM_MD5));
	ladder_over(&session, LADDER_WORKED, (struct span){ 0 });
	assert_true(buf_add(&g.v->password, SPAN("secret")));
	mechs_look(g.v);
	count = mechs_tell(g.v, rows);
	for (size_t n = 0; n < count; n++)
		(void)snprintf(told + strlen(told), sizeof told - strlen(told), "%s %s: %s\n", rows[n].name, rows[n].reason, rows[n].text);
	assert_non_null(strstr(told, "EXTERNAL no_certificate: no tls.certificate\n"));
	assert_non_null(strstr(told, "XOAUTH2 no_oauth: no oauth section\n"));
	assert_non_null(strstr(told, "LOGIN only_named: only where auth names it\n"));
	assert_non_null(strstr(told, "SCRAM-SHA-256-PLUS not_offered: not offered\n"
		"SCRAM-SHA-256 refused: refused by the server: -ERR ****** unknown\nSCRAM-SHA-1 unable: SCRAM-SHA-1: cannot carry it\nCRAM-MD5 worked: logged in\n"));
	assert_null(strstr(told, "APOP"));		/* its turn did not come */
	end(&g);
}

/* The connection ends in place of an answer: the visit is over when the password was out, and no refusal came before. */
static void not_answered(void **state)
{
	static const struct gone { bool shown, refused; enum err_kind kind; bool want; } rows[] = {
		{ true, false, ERR_NET, true }, { false, false, ERR_NET, false }, { true, true, ERR_NET, false }, { true, false, ERR_BUSY, false },
	};

	for (const struct gone *r = rows; r < rows + COUNT(rows); r++) {
		struct world *w = *state;
		struct visiting g;

		begin(&g, w, VISIT_COLLECT);
		settle(g.v);
		if (r->refused) {
			assert_true(next(BIT(CRAM_MD5) | BIT(PLAIN), SASL_CRAM_MD5));
			ladder_over(&session, LADDER_REFUSED, SPAN("-ERR"));
		}
		assert_true(next(BIT(CRAM_MD5) | BIT(PLAIN), r->refused ? SASL_PLAIN : SASL_CRAM_MD5));
		session.shown = r->shown;
		(void)err_set(&g.v->why, r->kind, "the server closed the connection");
		mechs_over(g.v);
		assert_int_equal(g.v->ladder.unanswered, r->want);
		assert_int_equal(strstr(g.v->why.text, "check `user` and `password`") != NULL, r->want);
		assert_int_equal(g.v->ladder.fates[session.now], r->kind == ERR_NET ? LADDER_UNANSWERED : LADDER_UNASKED);
		assert_int_equal(mechs_again(g.v), r->refused);
		end(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_refused_comes_behind_what_worked, world_start, world_stop),
		cmocka_unit_test_setup_teardown(less_than_before, world_start, world_stop),
		cmocka_unit_test_setup_teardown(nothing_weaker_after_a_false_proof, world_start, world_stop),
		cmocka_unit_test_setup_teardown(what_is_no_false_proof, world_start, world_stop),
		cmocka_unit_test_setup_teardown(a_binding_that_the_server_has, world_start, world_stop),
		cmocka_unit_test_setup_teardown(what_brought_the_password, world_start, world_stop),
		cmocka_unit_test_setup_teardown(another_binding_than_ours, world_start, world_stop),
		cmocka_unit_test_setup_teardown(other_connections_of_a_visit, world_start, world_stop),
		cmocka_unit_test_setup_teardown(not_answered, world_start, world_stop),
		cmocka_unit_test_setup_teardown(each_reason_has_words, world_start, world_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
