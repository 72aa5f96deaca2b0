/* SPDX-License-Identifier: Apache-2.0
 * Operations on accounts and their aliases. */
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "control/json.h"
#include "control/operation.h"
#include "store/alias.h"
#include "store/quota.h"
#include "wire/base64.h"

enum { PASSWORD_MAX = 4096, NAME_MAX_GIVEN = 1024 };

static json_t *account_json(struct store *s, const struct account_info *info)
{
	json_t *row = json_pack("{s:o, s:o, s:b, s:b, s:b}", "account", json_text(info->name), "made", json_moment(info->made),
		"can_login", info->can_login, "recoverable", info->recoverable, "scram_sha1", info->scram_sha1);

	if (row) {
		limits_json(row, &info->limits);
		place_json(row, s, info->name);
	}
	return row;
}

static bool list(struct api_call *c, struct err *e)
{
	struct account_info info;
	struct page p;

	if (!page_start(&p, c, info.name, sizeof info.name, e))
		return false;
	while (page_room(&p) && account_each(c->api->store, &info))
		page_add(&p, account_json(c->api->store, &info));
	return page_end(&p, info.name, e);
}

static bool find(struct api_call *c, struct account_info *info, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];

	if (!call_account(c, name, e))
		return false;
	return account_find(c->api->store, name, info) ||
	       err_set(e, ERR_CONFIG, "there is no account %.200s; make it first: postrider account add %.200s", name, name);
}

/* Where its INBOX lies; null: in the store, or (then it says why) nowhere. */
static void path_json(json_t *row, struct store *s, const char *name)
{
	char box[ACCOUNT_NAME_MAX + sizeof "/INBOX"];
	struct place place;
	struct err e;

	(void)snprintf(box, sizeof box, "%s/INBOX", name);
	if (!place_find(s, box, NULL, &place, &e))
		(void)json_object_set_new(row, "path_wrong", json_text(e.text));
	(void)json_object_set_new(row, "path", *place.path ? json_text(place.path) : json_null());
}

static bool show(struct api_call *c, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1] = "", account[ACCOUNT_NAME_MAX + 1];
	struct account_info info;
	json_t *row, *aliases;
	uint64_t quota;

	if (!find(c, &info, e))
		return false;
	row = account_json(c->api->store, &info);
	path_json(row, c->api->store, info.name);
	quota = quota_in_force(c->api->store, info.name);
	(void)json_object_set_new(row, "quota_in_force", quota ? json_number(quota) : json_null());
	(void)json_object_set_new(row, "usage", json_number(quota_usage(c->api->store, info.name)));
	aliases = json_array();
	while (alias_each(c->api->store, address, account))
		if (strcmp(account, info.name) == 0)
			(void)json_array_append_new(aliases, json_text(address));
	(void)json_object_set_new(row, "aliases", aliases);
	return call_answer(c, row, e);
}

static bool named(struct api_call *c, const char *name, struct err *e)
{
	return call_answer(c, json_pack("{s:o}", "account", json_text(name)), e);
}

static unsigned how(const struct api_call *c, const char *name)
{
	const char *at = strchr(name, '@'), *main_domain = c->api->main_domain;
	unsigned flags = call_flag(c, "recoverable") ? ACCOUNT_RECOVERABLE : 0;

	flags |= call_flag(c, "scram_sha1") ? ACCOUNT_SCRAM_SHA1 : 0;
	return flags | (at && main_domain && strcasecmp(at + 1, main_domain) == 0 ? ACCOUNT_ANY_DOMAIN : 0);
}

typedef bool keep_password(struct store *s, const char *name, struct span password, unsigned how, struct err *e);

/* As text, or as base64 of octets that are none. */
static bool with_password(struct api_call *c, keep_password *keep, struct err *e)
{
	const char *text = call_text(c, "password"), *coded = call_text(c, "password_base64");
	char name[ACCOUNT_NAME_MAX + 1], octets[PASSWORD_MAX];
	struct buf decoded;
	bool good = false;

	buf_lend(&decoded, octets, sizeof octets);
	if (!call_account(c, name, e))
		return false;
	if (text && coded)
		return err_set(e, ERR_CONFIG, "either password or password_base64");
	if (coded && !base64_decode(span_of(coded), &decoded))
		(void)err_set(e, ERR_CONFIG, "password_base64 is no base64, or too long");
	else
		good = keep(c->api->store, name, coded ? buf_span(&decoded) : text ? span_of(text) : SPAN(""), how(c, name), e);
	wipe(octets, sizeof octets);
	return good && named(c, name, e);
}

static bool add(struct api_call *c, struct err *e)
{
	return with_password(c, account_add, e);
}

static bool passwd(struct api_call *c, struct err *e)
{
	return with_password(c, account_passwd, e);
}

static bool set(struct api_call *c, struct err *e)
{
	const char *maildir = call_text(c, "maildir");
	struct account_info info;

	if (!find(c, &info, e) || (maildir && !place_set_account(c->api->store, info.name, maildir, e)))
		return false;
	call_limits(c, &info.limits);
	return account_set(c->api->store, info.name, &info.limits, e) && named(c, info.name, e);
}

static bool alias(struct api_call *c, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1];
	struct account_info info;

	return find(c, &info, e) && account_name(call_text(c, "address"), c->api->main_domain, address, e) &&
	       alias_add(c->api->store, address, info.name, e) && named(c, info.name, e);
}

static bool unalias(struct api_call *c, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1], other[ACCOUNT_NAME_MAX + 1] = "", account[ACCOUNT_NAME_MAX + 1];
	struct account_info info;

	if (!find(c, &info, e) || !account_name(call_text(c, "address"), c->api->main_domain, address, e))
		return false;
	while (alias_each(c->api->store, other, account))
		if (strcmp(other, address) == 0 && strcmp(account, info.name) == 0)
			return alias_remove(c->api->store, address, e) && named(c, info.name, e);
	return err_set(e, ERR_CONFIG, "%.200s is no alias of %.200s", address, info.name);
}

static bool remove_account(struct api_call *c, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];

	return call_account(c, name, e) && account_remove(c->api->store, name, call_flag(c, "with_mailboxes"), clock_now_s(), e) &&
	       named(c, name, e);
}

#define ACCOUNT { "account", ARG_TEXT, true, NAME_MAX_GIVEN }

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_name[] = { ACCOUNT, ARGS_END };
static const struct arg args_password[] = {
	ACCOUNT, { "password", ARG_TEXT, false, PASSWORD_MAX }, { "password_base64", ARG_TEXT, false, 4 * PASSWORD_MAX / 3 + 4 },
	{ "recoverable", ARG_FLAG, false, 0 }, { "scram_sha1", ARG_FLAG, false, 0 }, ARGS_END,
};
static const struct arg args_set[] = { ACCOUNT, ARG_MAILDIR, ARGS_LIMITS, ARGS_END };
static const struct arg args_alias[] = { ACCOUNT, { "address", ARG_TEXT, true, NAME_MAX_GIVEN }, ARGS_END };
static const struct arg args_remove[] = { ACCOUNT, { "with_mailboxes", ARG_FLAG, false, 0 }, ARGS_END };

const struct operation api_accounts[] = {
	{ .name = "account.add", .args = args_password, .run = add },
	{ .name = "account.alias", .args = args_alias, .run = alias },
	{ .name = "account.list", .quiet = true, .args = args_page, .run = list },
	{ .name = "account.passwd", .args = args_password, .run = passwd },
	{ .name = "account.remove", .args = args_remove, .run = remove_account },
	{ .name = "account.set", .args = args_set, .run = set },
	{ .name = "account.show", .quiet = true, .args = args_name, .run = show },
	{ .name = "account.unalias", .args = args_alias, .run = unalias },
	{ .name = NULL },
};
