/* SPDX-License-Identifier: Apache-2.0
 * Operations on routes. */
#include <strings.h>

#include "control/json.h"
#include "control/operation.h"
#include "store/route.h"

static json_t *row_of(const char *address, const char *account)
{
	return json_pack("{s:o, s:o}", "address", json_text(address), "account", json_text(account));
}

static bool list(struct api_call *c, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1], account[ACCOUNT_NAME_MAX + 1];
	struct page p;

	if (!page_start(&p, c, address, sizeof address, e))
		return false;
	while (page_room(&p) && route_each(c->api->store, address, account))
		page_add(&p, row_of(address, account));
	return page_end(&p, address, e);
}

static bool take_address(const struct api_call *c, char address[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	return account_name(call_text(c, "address"), c->api->main_domain, address, e);
}

static unsigned how(const struct api_call *c, const char *address)
{
	const char *at = strchr(address, '@'), *main_domain = c->api->main_domain;

	return at && main_domain && strcasecmp(at + 1, main_domain) == 0 ? ACCOUNT_ANY_DOMAIN : 0;
}

static bool add(struct api_call *c, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1], account[ACCOUNT_NAME_MAX + 1];

	return take_address(c, address, e) && call_account(c, account, e) && route_add(c->api->store, address, account, how(c, address), e) &&
	       call_answer(c, row_of(address, account), e);
}

static bool remove_route(struct api_call *c, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1];

	return take_address(c, address, e) && route_remove(c->api->store, address, e) &&
	       call_answer(c, json_pack("{s:o}", "address", json_text(address)), e);
}

#define ADDRESS { "address", ARG_TEXT, true, 1024 }

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_add[] = { ADDRESS, { "account", ARG_TEXT, true, 1024 }, ARGS_END };
static const struct arg args_address[] = { ADDRESS, ARGS_END };

const struct operation api_routes[] = {
	{ .name = "route.add", .args = args_add, .run = add },
	{ .name = "route.list", .quiet = true, .args = args_page, .run = list },
	{ .name = "route.remove", .args = args_address, .run = remove_route },
	{ .name = NULL },
};
