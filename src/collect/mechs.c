/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/mechs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collect/schedule_inside.h"
#include "collect/visit.h"

enum { CONNECTIONS_MAX = 2 };

static unsigned bit(enum sasl_mech mech)
{
	return 1u << mech;
}

/* ---- what is remembered */

static void sum_of(const struct connection *with, struct store *store, uint8_t sum[VISITED_SUM])
{
	uint8_t key[VISITED_KEY];

	visited_key(store, key);
	schedule_sum(with, key, sum);
	wipe(key, sizeof key);
}

/* The key is made when it is needed first: not where there is nothing to compare. */
bool login_recall(struct store *store, const struct connection *with, struct visited_login *login)
{
	uint8_t sum[VISITED_SUM];

	if (!visited_login_get(store, with->name, login))
		return false;
	sum_of(with, store, sum);
	return memcmp(login->sum, sum, sizeof sum) == 0;
}

static void recall(struct visit *v)
{
	struct visited_login *kept = &v->ladder.kept;
	struct store *store = collector_vault(v->collector);	/* a test may have no other */

	v->ladder.recalled = true;
	if (!(store ? login_recall(store, v->with, kept) : collector_recalled(v->collector, v, kept)))
		*kept = (struct visited_login){ .worked = VISITED_NO_MECH, .unproved = VISITED_NO_MECH };
	if (kept->worked >= SASL_MECHS)
		kept->worked = VISITED_NO_MECH;
	if (kept->unproved >= SASL_MECHS)
		kept->unproved = VISITED_NO_MECH;
}

static void keep(struct visit *v)
{
	struct store *store = collector_store(v->collector);

	if (!store || v->what == VISIT_TEST)
		return;
	sum_of(v->with, store, v->ladder.kept.sum);
	visited_login_note(store, v->with->name, &v->ladder.kept);
}

/* Nobody in between can have a say in what the server offers. */
static bool server_verified(const struct connection *with)
{
	const struct tls_keys *tls = &with->tls;

	return tls->mode != MODE_NONE && tls->required && (tls->pin || (tls->verify_server && tls->verify_host));
}

static void settle_before(struct visit *v)
{
	struct visit_mechs *l = &v->ladder;

	if (!l->recalled)
		recall(v);
	l->before.weaker = l->kept.unproved == VISITED_NO_MECH ? 0 : ladder_weaker_than((enum sasl_mech)l->kept.unproved);
	l->before.below = l->kept.worked == VISITED_NO_MECH || server_verified(v->with) ? 0 : ladder_weaker_than((enum sasl_mech)l->kept.worked);
}

/* ---- in which order */

static void add(struct visit *v, enum sasl_mech mech)
{
	assert(v->mech_count < SASL_MECHS);
	v->mechs[v->mech_count++] = mech;
}

/* What was refused before the one that worked comes behind it. */
static void add_refused(struct visit *v, unsigned *late)
{
	for (enum sasl_mech m = 0; m < SASL_MECHS; m++)
		if (*late & bit(m))
			add(v, m);
	*late = 0;
}

/* auto lists what could work; what it takes for that may be missing all the same. */
static bool hopeless(const struct connection *with, enum sasl_mech m)
{
	return (with->auth_auto && m == SASL_EXTERNAL && !with->tls.certificate) || (with->auth_auto && m == SASL_GSSAPI && with->password.kind != SECRET_ASK) ||
	       (with->password.kind == SECRET_ASK && !sasl_mech_keyless(m));
}

void mechs_settle(struct visit *v)
{
	const struct connection *with = v->with;
	unsigned late = 0;

	settle_before(v);
	v->ladder.remembered = false;
	if (v->what == VISIT_TEST && !v->ladder.words)
		v->ladder.words = calloc(SASL_MECHS, sizeof *v->ladder.words);
	v->mech_count = 0;
	for (size_t n = 0; n < with->auth_count; n++) {
		enum sasl_mech m = (enum sasl_mech)with->auth[n];

		if (hopeless(with, m))
			continue;
		if (with->auth_auto && sasl_mech_disputed(m, span_of(with->user), buf_span(&v->password))) {
			v->ladder.disputed |= bit(m);
			continue;
		}
		if (with->auth_auto && v->ladder.kept.worked != m && (v->ladder.kept.refused & bit(m)))
			late |= bit(m);
		else
			add(v, m);
		if (v->ladder.kept.worked == m)
			add_refused(v, &late);
	}
	add_refused(v, &late);
}

/* ---- what came of it */

static void take_fates(struct visit *v, const struct ladder *l)
{
	for (enum sasl_mech m = 0; m < SASL_MECHS; m++) {
		const char *words = ladder_words(l, m);

		if (l->fates[m] != LADDER_UNASKED)
			v->ladder.fates[m] = l->fates[m];
		if (v->ladder.words && *words)
			(void)snprintf(v->ladder.words[m], LADDER_WORDS, "%s", words);
	}
}

static void remember(struct visit *v, const struct ladder *l)
{
	struct visited_login *kept = &v->ladder.kept;
	/* What was refused then and not tried now, since another one worked, would still be refused. */
	uint32_t refused = l->refused | (kept->worked == l->now ? kept->refused : 0);
	bool same = kept->worked == l->now && kept->refused == refused && kept->unproved == VISITED_NO_MECH;

	refused &= ~bit(l->now);
	if (kept->worked != VISITED_NO_MECH && l->now > kept->worked && !sasl_mech_bearer(l->now) && v->what != VISIT_TEST)
		log_warn(&v->tag, "logged in by %s, since %s, by which the last login was, is not to be had any more", sasl_mech_name(l->now),
			sasl_mech_name((enum sasl_mech)kept->worked));
	*kept = (struct visited_login){ .worked = (uint8_t)l->now, .refused = refused, .unproved = VISITED_NO_MECH };
	if (!same)
		keep(v);
}

void mechs_look(struct visit *v)
{
	const struct ladder *l = v->talk->ladder(v);

	if (v->ladder.remembered || !v->ladder.recalled || !l || !l->count || l->fates[l->now] != LADDER_WORKED)
		return;
	v->ladder.remembered = true;
	v->ladder.connections = 0;
	take_fates(v, l);
	if (collector_store(v->collector))
		remember(v, l);
}

static void doubt(struct visit *v, enum sasl_mech mech)
{
	v->ladder.kept.unproved = (uint8_t)mech;
	v->ladder.kept.unproved_at = clock_now_s();
	keep(v);
}

void mechs_unproved(struct visit *v, struct span challenge, const struct err *why)
{
	bool ends = why->kind == ERR_AUTH;
	/* RFC 5802 section 7: channel-bindings-dont-match, channel-binding-not-supported; and that we said there was none */
	bool binding = span_starts(challenge, SPAN("e=channel-binding")) || span_starts(challenge, SPAN("e=server-does-support-channel-binding"));
	bool told = span_starts(challenge, SPAN("e=")) && !binding;

	if (ends)		/* whatever it says or does not say to our cancelling */
		v->ladder.unproved = *why;
	if (ends && !told)
		doubt(v, v->talk->ladder(v)->now);
	v->talk->sasl_cancel(v, ends, why);
}

/* It was tried, and the connection is gone.  A deadline is another matter: there the server may not have seen it. */
static void not_answered(struct visit *v, const struct ladder *l)
{
	size_t len = strlen(v->why.text);

	v->ladder.fates[l->now] = LADDER_UNANSWERED;
	v->ladder.unanswered = l->shown && !v->ladder.fresh && !(v->conn && conn_timed_out(v->conn));
	if (v->ladder.unanswered)
		(void)snprintf(v->why.text + len, sizeof v->why.text - len, "; that may be its way to refuse the login: check %s", sasl_mech_check(l->now));
}

void mechs_over(struct visit *v)
{
	const struct ladder *l = v->talk->ladder(v);

	v->ladder.brought = l && l->count && (l->brought || l->under_way);
	v->ladder.unanswered = false;
	if (!l || !l->count)
		return;
	take_fates(v, l);
	v->ladder.fresh = l->refused & ~v->ladder.before.refused;
	v->ladder.before.refused = l->refused;
	v->ladder.before.tries = l->tries - l->under_way;	/* what was not answered is no try */
	if (l->under_way && v->why.kind == ERR_NET)
		not_answered(v, l);
	if (v->ladder.unproved.kind && v->why.kind && v->why.kind != ERR_AUTH) {
		v->why = v->ladder.unproved;
		(void)err_in(&v->why, "%s:%u", v->with->host, v->conn_settings.port);
	}
	if (l->fates[l->now] == LADDER_FALSE_PROOF && !v->ladder.unproved.kind)	/* the session saw it, before our client was asked */
		doubt(v, l->now);
	/* A server that sees another binding than ours says no more than that. */
	if (v->why.kind == ERR_AUTH && sasl_mech_plus(l->now) && l->fates[l->now] == LADDER_WRONG)
		doubt(v, l->now);
}

bool mechs_again(struct visit *v)
{
	return v->ladder.fresh && v->ladder.before.tries < LADDER_TRIES && v->ladder.connections++ < CONNECTIONS_MAX;
}

void mechs_forgive(struct visit *v)
{
	v->ladder.before.refused = v->ladder.before.tries = v->ladder.connections = 0;
}

void mechs_end(struct visit *v)
{
	free(v->ladder.words);
	v->ladder.words = NULL;
}

/* ---- telling */

/* Why auto has it not in its list, as config has it (list_auto). */
static enum mech_reason not_listed(const struct connection *with, enum sasl_mech m)
{
	if (!sasl_mech_built(m))
		return (enum mech_reason)LADDER_NOT_BUILT;
	if (m == SASL_EXTERNAL)
		return MECH_NO_CERTIFICATE;
	if (sasl_mech_bearer(m) && !with->has_oauth)
		return MECH_NO_OAUTH;
	if (with->has_oauth)
		return MECH_OAUTH;
	if (m == SASL_GSSAPI)
		return MECH_ONLY_NAMED;
	return with->password.kind == SECRET_NONE || with->password.kind == SECRET_ASK ? MECH_NO_PASSWORD : MECH_ONLY_NAMED;
}

static struct visit_mech row(const struct visit *v, enum sasl_mech m, unsigned why)
{
	static const struct { const char *name, *text; } more[] = {
		{ "no_certificate", "no tls.certificate" }, { "no_oauth", "no oauth section" }, { "oauth", "the login is by access tokens, as section oauth says" },
		{ "no_password", "no password" }, { "only_named", "only where auth names it" },
		{ "disputed", "servers disagree on letters beyond ASCII in it: only where auth names it" },
	};
	static_assert(COUNT(more) == MECH_REASONS - LADDER_FATES, "words for each reason");
	const char *name = m == SASL_USER && v->with->protocol == PROTOCOL_IMAP ? "USER (LOGIN of IMAP)" : sasl_mech_name(m);

	if (why >= LADDER_FATES)
		return (struct visit_mech){ name, more[why - LADDER_FATES].name, more[why - LADDER_FATES].text };
	return (struct visit_mech){ name, ladder_fate_name((enum ladder_fate)why), ladder_fate_text((enum ladder_fate)why) };
}

/* Words that were said tell more than ours. */
static const char *with_words(struct visit *v, enum sasl_mech m, const char *text)
{
	enum ladder_fate fate = (enum ladder_fate)v->ladder.fates[m];
	char both[2 * LADDER_WORDS], *words = v->ladder.words ? v->ladder.words[m] : NULL;

	if (!words || !*words)
		return text;
	secret_hide(v, words);
	if (fate == LADDER_UNABLE || fate == LADDER_FALSE_PROOF)
		return words;
	if (!span_starts(span_of(words), span_of(text))) {	/* once */
		(void)snprintf(both, sizeof both, "%s: %s", text, words);
		(void)snprintf(words, LADDER_WORDS, "%.*s", LADDER_WORDS - 1, both);
	}
	return words;
}

static bool listed(const struct visit *v, enum sasl_mech m)
{
	for (size_t n = 0; n < v->mech_count; n++)
		if (v->mechs[n] == m)
			return true;
	return false;
}

size_t mechs_tell(struct visit *v, struct visit_mech rows[SASL_MECHS])
{
	const struct connection *with = v->with;
	bool imap = with->protocol == PROTOCOL_IMAP;
	size_t count = 0;

	for (enum sasl_mech m = 0; with->auth_auto && m < SASL_MECHS; m++)
		if (!listed(v, m) && !(imap && m == SASL_APOP))
			rows[count++] = row(v, m, v->ladder.disputed & bit(m) ? MECH_DISPUTED : not_listed(with, m));
	for (size_t n = 0; n < v->mech_count; n++) {
		enum sasl_mech m = v->mechs[n];

		if (v->ladder.fates[m] == LADDER_UNASKED || (imap && m == SASL_APOP && with->auth_auto))
			continue;
		rows[count] = row(v, m, v->ladder.fates[m]);
		rows[count].text = with_words(v, m, rows[count].text);
		count++;
	}
	return count;
}
