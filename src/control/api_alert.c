/* SPDX-License-Identifier: Apache-2.0
 * Operations on alerts. */
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "control/json.h"
#include "control/operation.h"
#include "store/alert.h"
#include "store/alias.h"
#include "store/domain.h"

enum { NAME_GIVEN = 1024, TEXT_GIVEN = 4096 };

static const char *const scopes[] = { "account", "domain", "server", "quota" };

static json_t *alert_json(const struct alert *a)
{
	json_t *row = json_pack("{s:o, s:s, s:o, s:o}", "id", json_number(a->id), "scope", scopes[a->scope], "made", json_moment(a->made),
		"text", json_text(a->text));

	if (row && *a->of)
		(void)json_object_set_new(row, scopes[a->scope], json_text(a->of));
	return row;
}

static bool list(struct api_call *c, struct err *e)
{
	struct alert a = { .id = 0 };
	char cursor[32];
	struct page p;

	if (!page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	if (*cursor && !span_number(span_of(cursor), UINT64_MAX, &a.id)) {
		json_decref(p.rows);
		return err_set(e, ERR_CONFIG, "after is not what an answer's next said");
	}
	while (page_room(&p) && alert_each(c->api->store, &a))
		page_add(&p, alert_json(&a));
	(void)snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)a.id);
	return page_end(&p, cursor, e);
}

/* An alias's alert is its account's.  *known is false for one that only another source may have. */
static bool find_account(struct api_call *c, char of[ACCOUNT_NAME_MAX + 1], bool *known, struct err *e)
{
	if (!call_account(c, of, e))
		return false;
	*known = account_resolve(c->api->store, span_of(call_text(c, "account")), c->api->main_domain, NULL, of);
	return true;
}

static bool known_domain(struct api_call *c, const char *name)
{
	char account[ACCOUNT_NAME_MAX + 3];
	struct err e;

	(void)snprintf(account, sizeof account, "x@%s", name);
	return domain_must(c->api->store, account, &e) || (c->api->main_domain && strcasecmp(c->api->main_domain, name) == 0);
}

static bool add(struct api_call *c, struct err *e)
{
	const char *domain = call_text(c, "domain");
	struct alert a = { .scope = ALERT_SERVER, .made = clock_now_s() };
	bool known = true;

	if (call_has(c, "account") + (domain != NULL) + call_flag(c, "server") != 1)
		return err_set(e, ERR_CONFIG, "an alert is for one of account, domain, server");
	if (domain) {
		a.scope = ALERT_DOMAIN;
		if (!domain_name(domain, a.of, e))
			return false;
		known = known_domain(c, a.of);
	} else if (call_has(c, "account")) {
		a.scope = ALERT_ACCOUNT;
		if (!find_account(c, a.of, &known, e))
			return false;
	}
	return alert_add(c->api->store, a.scope, a.of, call_text(c, "text"), a.made, &a.id, e) &&
	       call_answer(c, json_pack("{s:o, s:s, s:o, s:b}", "id", json_number(a.id), "scope", scopes[a.scope], "of", json_text(a.of), "known", known), e);
}

static bool remove_alert(struct api_call *c, struct err *e)
{
	uint64_t id = call_number(c, "id", 0);

	return alert_remove(c->api->store, id, e) && call_answer(c, json_pack("{s:o}", "id", json_number(id)), e);
}

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_add[] = {
	{ "account", ARG_TEXT, false, NAME_GIVEN }, { "domain", ARG_TEXT, false, NAME_GIVEN }, { "server", ARG_FLAG, false, 0 },
	{ "text", ARG_TEXT, true, TEXT_GIVEN }, ARGS_END,
};
static const struct arg args_id[] = { { "id", ARG_NUMBER, true, INT64_MAX }, ARGS_END };

const struct operation api_alerts[] = {
	{ .name = "alert.add", .args = args_add, .run = add },
	{ .name = "alert.list", .quiet = true, .args = args_page, .run = list },
	{ .name = "alert.remove", .args = args_id, .run = remove_alert },
	{ .name = NULL },
};
