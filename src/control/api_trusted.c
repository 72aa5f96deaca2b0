/* SPDX-License-Identifier: Apache-2.0
 * Operations on certificates that are trusted.  Of these the console may have trust.trusted, trust.accept and
 * trust.revoke: what holds for every server (trust.import), or says what one offered (trust.offer), is for those alone who
 * come through the control socket. */
#include "base/clock.h"
#include "base/text.h"
#include "control/api_trust.h"
#include "control/json.h"
#include "store/trusted.h"

static void changed(const struct api_call *c)
{
	if (c->api->running && c->api->hooks.trust_changed)
		c->api->hooks.trust_changed(c->api->hooks.user);
}

/* ---- what is trusted */

static const char *kind_name(enum trusted_kind kind)
{
	switch (kind) {
	case TRUSTED_KEY:
		return "key";
	case TRUSTED_AUTHORITY:
		return "authority";
	case TRUSTED_IMPORTED:
		return "imported";
	}
	return "?";
}

static json_t *trusted_json(const struct trusted *one, struct span pem, bool with_pem, int64_t now)
{
	json_t *row = json_pack("{s:s, s:s, s:o, s:o, s:s}", "state", one->kind == TRUSTED_IMPORTED ? "imported" : "accepted", "kind", kind_name(one->kind),
		"name", json_text(one->name), "since", when_json(one->since), "sha256", one->sha256);
	struct certificates all;
	struct arena a = { 0 };
	struct err e;

	if (row && one->kind != TRUSTED_IMPORTED) {
		(void)json_object_set_new(row, "host", json_text(one->host));
		(void)json_object_set_new(row, "port", json_number(one->port));
	}
	if (row && certificates_read(&a, pem, &all, &e))
		(void)json_object_set_new(row, "certificate", certificate_json(&all.list[0], with_pem, now));
	arena_end(&a);
	return row;
}

/* The cursor is the key of the last row. */
static bool list(struct api_call *c, struct err *e)
{
	struct trusted one;
	struct page p;
	struct buf pem;
	bool good;

	if (!page_start(&p, c, one.at, sizeof one.at, e))
		return false;
	buf_start(&pem, TRUSTED_PEM_MAX);
	while (page_room(&p) && trusted_each(c->api->store, &one, &pem))
		page_add(&p, trusted_json(&one, buf_span(&pem), call_flag(c, "pem"), clock_now_s()));
	good = page_end(&p, one.at, e);
	buf_end(&pem);
	return good;
}

/* ---- accepted, of what a server offered */

static const struct certificate *find(const struct certificates *all, const char *sha256)
{
	for (size_t n = 0; n < all->count; n++)
		if (strcmp(all->list[n].sha256, sha256) == 0)
			return &all->list[n];
	return NULL;
}

static bool keep(struct api_call *c, const struct trust_entry *offer, const struct certificate *found, struct err *e)
{
	bool authority = call_flag(c, "authority");
	const struct trusted_new n = { .kind = authority ? TRUSTED_AUTHORITY : TRUSTED_KEY, .host = offer->host, .port = offer->port,
		.sha256 = found->sha256, .pem = span_of(found->pem), .beside = call_flag(c, "beside"), .now = clock_now_s() };

	if (authority && !found->authority)
		return err_set(e, ERR_CONFIG, "\"%.100s\" is no authority: it may not sign others", found->subject);
	if (!trusted_add(c->api->store, &n, e))
		return false;
	changed(c);
	return call_answer(c, json_pack("{s:o, s:s, s:s}", "subject", json_text(found->subject), "sha256", found->sha256, "key_sha256", found->key_sha256), e);
}

static bool accept_one(struct api_call *c, struct err *e)
{
	const char *host = call_text(c, "host"), *sha256 = call_text(c, "sha256");
	uint16_t port = (uint16_t)call_number(c, "port", 0);
	const struct certificate *found;
	struct certificates chain;
	struct trust_entry offer;
	struct arena a = { 0 };
	struct buf pem;
	bool good;

	if (!trust_get(c->api->store, host, port, &offer))
		return err_set(e, ERR_CONFIG, "nothing that %.200s:%u offered was refused", host, port);
	buf_start(&pem, TRUST_CHAIN_MAX);
	good = trust_chain(c->api->store, offer.name, &pem, e) && certificates_read(&a, buf_span(&pem), &chain, e);
	if (good) {
		found = find(&chain, sha256);
		good = found ? keep(c, &offer, found, e) : err_set(e, ERR_CONFIG, "what %.200s offered has no certificate with this SHA-256 (any more); look again: "
			"postrider trust show %.200s", offer.name, offer.name);
	}
	buf_end(&pem);
	arena_end(&a);
	return good;
}

static bool revoke(struct api_call *c, struct err *e)
{
	size_t count;

	if (!trusted_revoke(c->api->store, call_text(c, "host"), (uint16_t)call_number(c, "port", 0), &count, e))
		return false;
	if (count)
		changed(c);
	return call_answer(c, json_pack("{s:o}", "count", json_number(count)), e);
}

/* ---- for every server */

static bool import(struct api_call *c, struct err *e)
{
	const char *pem = call_text(c, "pem");
	struct certificates all;
	struct arena a = { 0 };
	bool good = certificates_read(&a, span_of(pem), &all, e);

	good = good && ((all.count == 1 && !all.more) || err_set(e, ERR_CONFIG, "one certificate at a time"));
	good = good && (all.list[0].authority || err_set(e, ERR_CONFIG, "\"%.100s\" is no authority: it may not sign others", all.list[0].subject));
	good = good && trusted_add(c->api->store, &(struct trusted_new){ .kind = TRUSTED_IMPORTED, .name = call_text(c, "name"), .sha256 = all.list[0].sha256,
		.pem = span_of(all.list[0].pem), .now = clock_now_s() }, e);
	if (good) {
		changed(c);
		good = call_answer(c, json_pack("{s:o, s:s}", "subject", json_text(all.list[0].subject), "sha256", all.list[0].sha256), e);
	}
	arena_end(&a);
	return good;
}

static bool forget(struct api_call *c, struct err *e)
{
	bool by_name = call_has(c, "name");
	size_t count;

	if (by_name == call_has(c, "sha256"))
		return err_set(e, ERR_CONFIG, "trust.forget takes either name or sha256");
	if (by_name ? !trusted_forget(c->api->store, call_text(c, "name"), &count, e) : !trusted_forget_sha256(c->api->store, call_text(c, "sha256"), &count, e))
		return false;
	if (count)
		changed(c);
	return call_answer(c, json_pack("{s:o}", "count", json_number(count)), e);
}

/* ---- a test's server: kept as a visit's would be */

static bool offer(struct api_call *c, struct err *e)
{
	trust_note(c->api->store, call_text(c, "host"), (uint16_t)call_number(c, "port", 0), span_of(call_text(c, "chain")), call_text(c, "reason"));
	return call_answer(c, json_object(), e);
}

#define ARG_HOST { "host", ARG_TEXT, true, TRUST_HOST_MAX }
#define ARG_SHA256(must) { "sha256", ARG_TEXT, must, TRUSTED_SHA256 }

static const struct arg args_list[] = { ARGS_PAGE, { "pem", ARG_FLAG, false, 0 }, ARGS_END };
static const struct arg args_accept[] = {
	ARG_HOST, { "port", ARG_NUMBER, true, UINT16_MAX }, ARG_SHA256(true), { "authority", ARG_FLAG, false, 0 }, { "beside", ARG_FLAG, false, 0 }, ARGS_END,
};
static const struct arg args_revoke[] = { ARG_HOST, { "port", ARG_NUMBER, false, UINT16_MAX }, ARGS_END };
static const struct arg args_import[] = {
	{ "name", ARG_TEXT, true, TRUSTED_IMPORT_NAME_MAX }, { "pem", ARG_TEXT, true, TRUSTED_PEM_MAX }, ARGS_END,
};
static const struct arg args_forget[] = { { "name", ARG_TEXT, false, TRUSTED_IMPORT_NAME_MAX }, ARG_SHA256(false), ARGS_END };
static const struct arg args_offer[] = {
	ARG_HOST, { "port", ARG_NUMBER, true, UINT16_MAX }, { "chain", ARG_TEXT, true, TRUST_CHAIN_MAX },
	{ "reason", ARG_TEXT, true, sizeof(((struct err *)0)->text) }, ARGS_END,
};

const struct operation api_trusted[] = {
	{ .name = "trust.trusted", .quiet = true, .args = args_list, .run = list },
	{ .name = "trust.accept", .args = args_accept, .run = accept_one },
	{ .name = "trust.revoke", .args = args_revoke, .run = revoke },
	{ .name = "trust.import", .args = args_import, .run = import },
	{ .name = "trust.forget", .args = args_forget, .run = forget },
	{ .name = "trust.offer", .args = args_offer, .run = offer },
	{ .name = NULL },
};
