/* SPDX-License-Identifier: Apache-2.0
 * Operations on the vault.  They take secrets, and none answers one: what secret.export answers is encrypted. */
#include "control/json.h"
#include "control/operation.h"
#include "store/vault.h"
#include "wire/base64.h"

enum { CODED_MAX = 4 * VAULT_SECRET_MAX / 3 + 4 };

static bool list(struct api_call *c, struct err *e)
{
	struct vault_info info;
	struct page p;

	if (!page_start(&p, c, info.name, sizeof info.name, e))
		return false;
	while (page_room(&p) && vault_each(c->api->store, &info))
		page_add(&p, json_pack("{s:o, s:o}", "secret", json_text(info.name), "set", json_moment(info.set)));
	return page_end(&p, info.name, e);
}

static bool named(struct api_call *c, struct err *e)
{
	return call_answer(c, json_pack("{s:o}", "secret", json_text(call_text(c, "secret"))), e);
}

/* As text, or as base64 of octets that are none. */
static bool set_value(struct api_call *c, const char *text, const char *coded, struct err *e)
{
	struct buf octets;
	bool good;

	if (text)
		return vault_set(c->api->store, call_text(c, "secret"), span_of(text), e);
	buf_start(&octets, VAULT_SECRET_MAX);
	if (!buf_room(&octets, VAULT_SECRET_MAX))
		good = err_set(e, ERR_LOCAL, "out of memory");
	else if (!base64_decode(span_of(coded), &octets))
		good = err_set(e, ERR_CONFIG, "value_base64 is no base64, or too long");
	else
		good = vault_set(c->api->store, call_text(c, "secret"), buf_span(&octets), e);
	buf_wipe(&octets);
	return good;
}

static bool set(struct api_call *c, struct err *e)
{
	const char *text = call_text(c, "value"), *coded = call_text(c, "value_base64");

	if (!text == !coded)
		return err_set(e, ERR_CONFIG, "either value or value_base64");
	if (span_starts(span_of(call_text(c, "secret")), SPAN(VAULT_TOKENS)))
		return err_set(e, ERR_CONFIG, "names that begin with " VAULT_TOKENS " are those of tokens: postrider oauth login CONNECTION");
	return set_value(c, text, coded, e) && named(c, e);
}

static bool remove_secret(struct api_call *c, struct err *e)
{
	return vault_remove(c->api->store, call_text(c, "secret"), e) && named(c, e);
}

/* Exactly so many octets. */
static bool octets_of(const struct api_call *c, const char *name, uint8_t *out, size_t size, struct err *e)
{
	struct buf b;

	buf_lend(&b, (char *)out, size);
	return (base64_decode(span_of(call_text(c, name)), &b) && b.len == size) || err_set(e, ERR_CONFIG, "%s is no base64 of %zu octets", name, size);
}

static bool export(struct api_call *c, struct err *e)
{
	uint8_t wrap[VAULT_WRAP], wrapped[VAULT_WRAPPED];
	char coded[4 * VAULT_WRAPPED / 3 + 8];
	struct buf b;
	bool good = octets_of(c, "wrap_base64", wrap, sizeof wrap, e) && vault_export(c->api->store, wrap, wrapped, e);

	wipe(wrap, sizeof wrap);
	buf_lend(&b, coded, sizeof coded);
	return good && (base64_encode((struct span){ (const char *)wrapped, sizeof wrapped }, &b) || err_set(e, ERR_LOCAL, "out of memory")) &&
	       call_answer(c, json_pack("{s:s#}", "wrapped_base64", b.at, (int)b.len), e);
}

static bool import(struct api_call *c, struct err *e)
{
	uint8_t wrap[VAULT_WRAP], wrapped[VAULT_WRAPPED];
	bool good = octets_of(c, "wrap_base64", wrap, sizeof wrap, e) && octets_of(c, "wrapped_base64", wrapped, sizeof wrapped, e) &&
		    vault_import(c->api->store, wrap, wrapped, e);

	wipe(wrap, sizeof wrap);
	return good && call_answer(c, json_object(), e);
}

#define SECRET { "secret", ARG_TEXT, true, VAULT_NAME_MAX }
#define WRAP { "wrap_base64", ARG_TEXT, true, 64 }

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_name[] = { SECRET, ARGS_END };
static const struct arg args_set[] = { SECRET, { "value", ARG_TEXT, false, VAULT_SECRET_MAX }, { "value_base64", ARG_TEXT, false, CODED_MAX }, ARGS_END };
static const struct arg args_export[] = { WRAP, ARGS_END };
static const struct arg args_import[] = { WRAP, { "wrapped_base64", ARG_TEXT, true, 4 * VAULT_WRAPPED / 3 + 4 }, ARGS_END };

const struct operation api_secrets[] = {
	{ .name = "secret.export", .args = args_export, .run = export },
	{ .name = "secret.import", .args = args_import, .run = import },
	{ .name = "secret.list", .quiet = true, .args = args_page, .run = list },
	{ .name = "secret.remove", .args = args_name, .run = remove_secret },
	{ .name = "secret.set", .args = args_set, .run = set },
	{ .name = NULL },
};
