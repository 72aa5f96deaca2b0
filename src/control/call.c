/* SPDX-License-Identifier: Apache-2.0
 * What the functions of operations find in a call, and how they answer it. */
#include <assert.h>

#include "control/json.h"
#include "control/operation.h"

const char *call_text(const struct api_call *c, const char *name)
{
	return json_string_value(json_object_get(c->args, name));
}

uint64_t call_number(const struct api_call *c, const char *name, uint64_t otherwise)
{
	const json_t *value = json_object_get(c->args, name);

	return json_is_integer(value) ? (uint64_t)json_integer_value(value) : otherwise;
}

bool call_flag(const struct api_call *c, const char *name)
{
	return json_is_true(json_object_get(c->args, name));
}

bool call_has(const struct api_call *c, const char *name)
{
	return json_object_get(c->args, name);
}

bool call_account(const struct api_call *c, char name[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	return account_name(call_text(c, "account"), c->api->main_domain, name, e);
}

uint64_t call_ticket(struct api_call *c)
{
	assert(!c->ticket && !c->done);
	c->ticket = API_TICKETS | (++c->api->last_ticket & ~((uint64_t)0xff << 56));
	return c->ticket;
}

bool call_answer(struct api_call *c, json_t *answer, struct err *e)
{
	if (!answer)
		return err_set(e, ERR_LOCAL, "the answer cannot be made: out of memory, or too much for a row");
	c->answer = answer;
	c->done = !c->later;
	return true;
}

bool call_running(const struct api_call *c, bool built, struct err *e)
{
	if (c->api->running)
		return built || err_set(e, ERR_LOCAL, "%s is not built yet", c->op->name);
	return err_set(e, ERR_LOCAL, "postrider is not running (state %s); start it: postrider run", store_state(c->api->store));
}

/* "quota" and "max_sessions", null for what is not the account's or domain's own. */
void call_limits(const struct api_call *c, struct account_limits *limits)
{
	if (call_has(c, "quota"))
		limits->quota = call_number(c, "quota", ACCOUNT_QUOTA_DEFAULT);
	if (call_has(c, "max_sessions"))
		limits->max_sessions = (uint32_t)call_number(c, "max_sessions", ACCOUNT_SESSIONS_DEFAULT);
}

void place_json(json_t *row, struct store *s, const char *who)
{
	char text[TEMPLATE_MAX + 1];

	place_get(s, who, text);
	(void)json_object_set_new(row, "maildir", *text ? json_text(text) : json_null());
}

void limits_json(json_t *row, const struct account_limits *limits)
{
	(void)json_object_set_new(row, "quota", limits->quota == ACCOUNT_QUOTA_DEFAULT ? json_null() : json_number(limits->quota));
	(void)json_object_set_new(row, "max_sessions",
		limits->max_sessions == ACCOUNT_SESSIONS_DEFAULT ? json_null() : json_number(limits->max_sessions));
}
