/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { CLEAR = 1, ALLOWED = 2, NO_BINDING = 4 };

/* What the server says of each that is tried, one octet each: y worked, n refused, u we cannot, w wrong, p false proof. */
static const struct row {
	const char *name;
	unsigned how;
	const char *list, *offered, *behind_tls, *refused, *weaker_than, *below_than;
	unsigned tries;
	const char *server, *tried, *fates;
} rows[] = {
	{ "in order", .list = "scram-sha-1 plain", .offered = "plain scram-sha-1", .server = "y", .tried = "SCRAM-SHA-1 ", .fates = "SCRAM-SHA-1=worked " },
	{ "a list has its own order", .list = "plain scram-sha-1", .offered = "plain scram-sha-1", .server = "y", .tried = "PLAIN ", .fates = "PLAIN=worked " },
	{ "not offered", .list = "cram-md5 plain", .offered = "plain", .server = "y", .tried = "PLAIN ", .fates = "CRAM-MD5=not_offered PLAIN=worked " },
	{ "refused, then the next", .list = "cram-md5 plain", .offered = "cram-md5 plain", .server = "ny", .tried = "CRAM-MD5 PLAIN ",
	  .fates = "CRAM-MD5=refused PLAIN=worked " },
	{ "at most three", .list = "scram-sha-256 scram-sha-1 cram-md5 plain login", .offered = "scram-sha-256 scram-sha-1 cram-md5 plain login", .server = "nnny",
	  .tried = "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 ",
	  .fates = "SCRAM-SHA-256=refused SCRAM-SHA-1=refused CRAM-MD5=refused PLAIN=tried_enough LOGIN=tried_enough " },
	{ "three with those of another connection", .list = "scram-sha-1 cram-md5 plain login", .offered = "scram-sha-1 cram-md5 plain login",
	  .refused = "scram-sha-1", .tries = 1, .server = "nny", .tried = "CRAM-MD5 PLAIN ",
	  .fates = "SCRAM-SHA-1=refused CRAM-MD5=refused PLAIN=refused LOGIN=tried_enough " },
	{ "what we cannot is no try", .list = "scram-sha-256 scram-sha-1 cram-md5 plain", .offered = "scram-sha-256 scram-sha-1 cram-md5 plain", .server = "unny",
	  .tried = "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN ", .fates = "SCRAM-SHA-256=unable SCRAM-SHA-1=refused CRAM-MD5=refused PLAIN=worked " },
	{ "wrong: no other", .list = "cram-md5 plain", .offered = "cram-md5 plain", .server = "w", .tried = "CRAM-MD5 ", .fates = "CRAM-MD5=credentials " },
	{ "false: no other", .list = "scram-sha-1 plain", .offered = "scram-sha-1 plain", .server = "p", .tried = "SCRAM-SHA-1 ", .fates = "SCRAM-SHA-1=false_proof " },
	{ "in clear", .how = CLEAR, .list = "cram-md5 plain user", .offered = "plain user", .tried = "", .fates = "CRAM-MD5=not_offered PLAIN=clear_line USER=clear_line " },
	{ "in clear, and offered only behind TLS", .how = CLEAR, .list = "plain user", .offered = "", .behind_tls = "user", .tried = "",
	  .fates = "PLAIN=not_offered USER=clear_line " },
	{ "in clear, allowed", .how = CLEAR | ALLOWED, .list = "plain", .offered = "plain", .server = "y", .tried = "PLAIN ", .fates = "PLAIN=worked " },
	{ "in clear, allowed, not behind a strong one", .how = CLEAR | ALLOWED, .list = "cram-md5 plain", .offered = "cram-md5 plain", .server = "n",
	  .tried = "CRAM-MD5 ", .fates = "CRAM-MD5=refused PLAIN=clear_after_stronger " },
	{ "nor on another connection", .how = CLEAR | ALLOWED, .list = "cram-md5 plain", .offered = "cram-md5 plain", .refused = "cram-md5", .tries = 1,
	  .tried = "", .fates = "CRAM-MD5=refused PLAIN=clear_after_stronger " },
	{ "a clear one after a clear one", .how = CLEAR | ALLOWED, .list = "plain user", .offered = "plain user", .server = "ny", .tried = "PLAIN USER ",
	  .fates = "PLAIN=refused USER=worked " },
	{ "nothing to bind to", .how = NO_BINDING, .list = "scram-sha-1-plus scram-sha-1", .offered = "scram-sha-1-plus scram-sha-1", .server = "y",
	  .tried = "SCRAM-SHA-1 ", .fates = "SCRAM-SHA-1-PLUS=no_binding SCRAM-SHA-1=worked " },
	{ "after a false proof", .list = "scram-sha-256 scram-sha-1 plain", .offered = "scram-sha-1 plain", .weaker_than = "scram-sha-256", .tried = "",
	  .fates = "SCRAM-SHA-256=not_offered SCRAM-SHA-1=weaker PLAIN=weaker " },
	{ "after a false proof, itself again", .list = "scram-sha-256-plus scram-sha-256 plain", .offered = "scram-sha-256 plain", .weaker_than = "scram-sha-256",
	  .server = "y", .tried = "SCRAM-SHA-256 ", .fates = "SCRAM-SHA-256-PLUS=not_offered SCRAM-SHA-256=worked " },
	{ "less than before", .list = "cram-md5 plain", .offered = "plain", .below_than = "cram-md5", .tried = "", .fates = "CRAM-MD5=not_offered PLAIN=downgrade " },
};

static unsigned bits(const char *names)
{
	struct span all = span_of(names ? names : ""), name;
	enum sasl_mech m;
	unsigned set = 0;

	while (span_word(&all, &name)) {
		assert_true(sasl_mech_parse(name, &m));
		set |= 1u << m;
	}
	return set;
}

static enum sasl_mech one(const char *name)
{
	enum sasl_mech m;

	assert_true(sasl_mech_parse(span_of(name), &m));
	return m;
}

static void add(char *out, const char *a, const char *b, const char *c)
{
	size_t used = strlen(out);

	(void)snprintf(out + used, 1000 - used, "%s%s%s ", a, b, c);
}

static enum ladder_fate fate_of(char c)
{
	return c == 'y' ? LADDER_WORKED : c == 'n' ? LADDER_REFUSED : c == 'u' ? LADDER_UNABLE : c == 'w' ? LADDER_WRONG : LADDER_FALSE_PROOF;
}

static void tell(const struct row *r)
{
	struct span list = span_of(r->list), name;
	const struct ladder_offer offer = { .offered = bits(r->offered), .behind_tls = bits(r->behind_tls), .secure = !(r->how & CLEAR),
		.clear_allowed = r->how & ALLOWED, .channel_binding = !(r->how & NO_BINDING) };
	const struct ladder_before before = { .refused = bits(r->refused), .tries = r->tries,
		.weaker = r->weaker_than ? ladder_weaker_than(one(r->weaker_than)) : 0, .below = r->below_than ? ladder_weaker_than(one(r->below_than)) : 0 };
	char words[LADDER_TRIES + 1][LADDER_WORDS], tried[1000] = "", fates[1000] = "";
	const char *server = r->server ? r->server : "";
	enum sasl_mech mechs[SASL_MECHS];
	struct ladder l;
	size_t count = 0;
	bool ends = false;

	while (span_word(&list, &name))
		assert_true(sasl_mech_parse(name, &mechs[count++]));
	ladder_start(&l, mechs, count, &before, words);
	while (!ends && ladder_next(&l, &offer)) {
		enum ladder_fate fate = fate_of(*server);

		if (!*server)
			fail_msg("%s: %s is tried", r->name, sasl_mech_name(l.now));
		server++;
		add(tried, sasl_mech_name(l.now), "", "");
		ladder_over(&l, fate, (struct span){ 0 });
		ends = fate == LADDER_WORKED || fate == LADDER_WRONG || fate == LADDER_FALSE_PROOF;
	}
	for (enum sasl_mech m = 0; m < SASL_MECHS; m++)
		if (l.fates[m] != LADDER_UNASKED)
			add(fates, sasl_mech_name(m), "=", ladder_fate_name((enum ladder_fate)l.fates[m]));
	if (strcmp(tried, r->tried) != 0 || strcmp(fates, r->fates) != 0)
		fail_msg("%s: tried %s, not %s; %s, not %s", r->name, tried, r->tried, fates, r->fates);
}

static void every_rule_has_its_row(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		tell(r);
}

/* Of those that were refused, and of the one that ended it; made harmless, and cut. */
static void words_are_kept(void **state)
{
	static const enum sasl_mech mechs[] = { SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1, SASL_CRAM_MD5, SASL_PLAIN };
	const struct ladder_offer offer = { .offered = ~0u, .secure = true };
	const struct ladder_before none = { 0 };
	char words[LADDER_TRIES + 1][LADDER_WORDS], lots[LADDER_WORDS + 50];
	struct ladder l;

	(void)state;
	memset(lots, 'x', sizeof lots);
	ladder_start(&l, mechs, COUNT(mechs), &none, words);
	assert_string_equal(ladder_words(&l, SASL_PLAIN), "");
	assert_true(ladder_next(&l, &offer));
	ladder_over(&l, LADDER_UNABLE, SPAN("no ticket"));
	assert_true(ladder_next(&l, &offer));
	ladder_over(&l, LADDER_REFUSED, SPAN("-ERR \x1b[31m"));
	assert_true(ladder_next(&l, &offer));
	ladder_over(&l, LADDER_REFUSED, (struct span){ 0 });
	assert_true(ladder_next(&l, &offer));
	ladder_over(&l, LADDER_WRONG, (struct span){ lots, sizeof lots });
	assert_string_equal(ladder_words(&l, SASL_SCRAM_SHA_256), "no ticket");
	assert_string_equal(ladder_words(&l, SASL_SCRAM_SHA_1), "-ERR ?[31m");
	assert_string_equal(ladder_words(&l, SASL_CRAM_MD5), "");
	assert_int_equal(strlen(ladder_words(&l, SASL_PLAIN)), LADDER_WORDS - 1);
	assert_string_equal(ladder_words(&l, SASL_EXTERNAL), "");
}

static void what_shows_the_credentials(void **state)
{
	(void)state;
	assert_true(ladder_shown(SASL_PLAIN, 0, true) && ladder_shown(SASL_XOAUTH2, 0, true) && ladder_shown(SASL_EXTERNAL, 0, true));
	assert_false(ladder_shown(SASL_PLAIN, 0, false));
	assert_false(ladder_shown(SASL_SCRAM_SHA_1, 0, true));	/* a name alone */
	assert_true(ladder_shown(SASL_SCRAM_SHA_1, 1, true) && ladder_shown(SASL_CRAM_MD5, 1, true) && ladder_shown(SASL_LOGIN, 1, true));
}

static void where_the_proof_is_out(void **state)
{
	static const struct { enum sasl_mech mech; unsigned first; } all[] = {
		{ SASL_SCRAM_SHA_256_PLUS, 2 }, { SASL_SCRAM_SHA_1, 2 }, { SASL_NTLM, 2 }, { SASL_LOGIN, 2 }, { SASL_DIGEST_MD5, 1 }, { SASL_CRAM_MD5, 1 },
		{ SASL_PLAIN, 1 }, { SASL_OAUTHBEARER, 1 }, { SASL_EXTERNAL, 1 }, { SASL_GSSAPI, 1 },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(all); n++) {
		assert_false(ladder_proof_out(all[n].mech, all[n].first - 1));
		assert_true(ladder_proof_out(all[n].mech, all[n].first));
	}
}

static void weaker_is_what_comes_behind(void **state)
{
	(void)state;
	assert_int_equal(ladder_weaker_than(SASL_USER), 0);
	assert_int_equal(ladder_weaker_than(SASL_LOGIN), 1u << SASL_USER);
	assert_int_equal(ladder_weaker_than(SASL_EXTERNAL), (1u << SASL_MECHS) - 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_has_its_row), cmocka_unit_test(words_are_kept), cmocka_unit_test(what_shows_the_credentials),
		cmocka_unit_test(where_the_proof_is_out), cmocka_unit_test(weaker_is_what_comes_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
