/* SPDX-License-Identifier: Apache-2.0
 * Operations on domains. */
#include <stdio.h>

#include "control/json.h"
#include "control/operation.h"
#include "store/domain.h"

static json_t *domain_json(struct store *s, const struct domain_info *info)
{
	char who[DOMAIN_NAME_MAX + 2];
	json_t *row = json_pack("{s:o, s:o, s:o}", "domain", json_text(info->name), "made", json_moment(info->made),
		"address", *info->address ? json_text(info->address) : json_null());

	(void)snprintf(who, sizeof who, "@%s", info->name);
	if (row) {
		limits_json(row, &info->limits);
		place_json(row, s, who);
	}
	return row;
}

static bool list(struct api_call *c, struct err *e)
{
	struct domain_info info;
	struct page p;

	if (!page_start(&p, c, info.name, sizeof info.name, e))
		return false;
	while (page_room(&p) && domain_each(c->api->store, &info))
		page_add(&p, domain_json(c->api->store, &info));
	return page_end(&p, info.name, e);
}

static bool show(struct api_call *c, struct err *e)
{
	struct domain_info info;
	json_t *row;

	if (!domain_find(c->api->store, call_text(c, "domain"), &info, e))
		return false;
	row = domain_json(c->api->store, &info);
	(void)json_object_set_new(row, "accounts", json_number(info.accounts));
	return call_answer(c, row, e);
}

static bool named(struct api_call *c, const char *name, struct err *e)
{
	return call_answer(c, json_pack("{s:o}", "domain", json_text(name)), e);
}

static bool add(struct api_call *c, struct err *e)
{
	const char *name = call_text(c, "domain");

	return domain_add(c->api->store, name, e) && named(c, name, e);
}

static bool remove_domain(struct api_call *c, struct err *e)
{
	const char *name = call_text(c, "domain");

	return domain_remove(c->api->store, name, e) && named(c, name, e);
}

/* "none" takes it away. */
static bool take_address(const struct api_call *c, struct domain_info *info, struct err *e)
{
	const char *given = call_text(c, "address");
	char text[ADDRESS_TEXT];
	union address a;

	if (!given)
		return true;
	info->address[0] = '\0';
	if (strcmp(given, "none") == 0)
		return true;
	if (!address_parse(given, 0, &a) || strlen(address_text(&a, false, text)) > DOMAIN_ADDRESS_MAX)
		return err_set(e, ERR_CONFIG, "address: %.80s is not an address such as 192.0.2.1 or 2001:db8::1", given);
	memcpy(info->address, text, strlen(text) + 1);
	return true;
}

static bool set(struct api_call *c, struct err *e)
{
	const char *maildir = call_text(c, "maildir");
	struct domain_info info;

	if (!domain_find(c->api->store, call_text(c, "domain"), &info, e) || !take_address(c, &info, e) ||
	    (maildir && !place_set_domain(c->api->store, info.name, maildir, e)))
		return false;
	call_limits(c, &info.limits);
	return domain_set(c->api->store, &info, e) && named(c, info.name, e);
}

#define DOMAIN { "domain", ARG_TEXT, true, 1024 }

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_name[] = { DOMAIN, ARGS_END };
static const struct arg args_set[] = { DOMAIN, { "address", ARG_TEXT, false, 1024 }, ARG_MAILDIR, ARGS_LIMITS, ARGS_END };

const struct operation api_domains[] = {
	{ .name = "domain.add", .args = args_name, .run = add },
	{ .name = "domain.list", .quiet = true, .args = args_page, .run = list },
	{ .name = "domain.remove", .args = args_name, .run = remove_domain },
	{ .name = "domain.set", .args = args_set, .run = set },
	{ .name = "domain.show", .quiet = true, .args = args_name, .run = show },
	{ .name = NULL },
};
