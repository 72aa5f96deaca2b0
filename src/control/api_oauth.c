/* SPDX-License-Identifier: Apache-2.0
 * The operation oauth.keep: a connection's refresh token, from whoever got it (`postrider oauth login`), into the vault.
 * oauth.device.*: a running instance gets one itself, by a device code, since the client's secret is in its vault. */
#include <stdio.h>

#include "control/json.h"
#include "control/operation.h"
#include "store/vault.h"
#include "wire/oauth.h"

/* It waited for somebody to log in. */
static bool visit_again(const struct api_hooks *h, const char *connection)
{
	struct schedule_shown shown = { .name = NULL };	/* the name that is borrowed stays until a reload */
	uint64_t id;
	struct err e;

	while (h->schedule_each && h->schedule_each(h->user, shown.name, &shown))
		if (strcmp(shown.name, connection) == 0)
			return shown.enabled && !shown.running && shown.class == SCHEDULE_FATAL && h->visit_start &&
			       h->visit_start(h->user, connection, VISIT_COLLECT, &id, &e);
	return false;
}

/* Our own request may bring another one at any moment, which would take this one's place. */
static bool keep_token(const struct api *api, const char *connection, struct span token, json_t **kept, struct err *e)
{
	const struct api_hooks *h = &api->hooks;
	char name[VAULT_NAME_MAX + 1];

	if (!oauth_token_good(token))
		return err_set(e, ERR_CONFIG, "that is no refresh token: it is empty, too long, or has characters that no token has");
	if (snprintf(name, sizeof name, VAULT_TOKENS "%s", connection) >= (int)sizeof name)
		return err_set(e, ERR_CONFIG, "the name of the connection is too long for the vault: at most %zu octets", sizeof name - sizeof VAULT_TOKENS);
	if (h->tokens_changing && h->tokens_changing(h->user, connection))
		return err_set(e, ERR_BUSY, "the running instance asks for a token of %s just now", connection);
	if (!vault_set(api->store, name, token, e))
		return false;
	if (h->tokens_changed)
		h->tokens_changed(h->user, connection);
	*kept = json_pack("{s:b, s:b}", "running", h->tokens_changed != NULL, "visited", visit_again(h, connection));
	return true;
}

static bool keep(struct api_call *c, struct err *e)
{
	json_t *kept;

	return keep_token(c->api, call_text(c, "connection"), span_of(call_text(c, "refresh_token")), &kept, e) && call_answer(c, kept, e);
}

/* ---- by the instance */

static bool device_start(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	uint64_t id;

	return call_running(c, h->device_start, e) && h->device_start(h->user, call_text(c, "connection"), &id, e) &&
	       call_answer(c, json_pack("{s:I}", "id", (json_int_t)id), e);
}

/* What came of it: the token goes into the vault, and nowhere else; ERR_BUSY: not yet, ask again. */
static bool device_over(struct api_call *c, uint64_t id, const struct device_logins_shown *shown, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	json_t *kept = NULL;
	bool good;

	if (shown->why->kind) {
		*e = *shown->why;
		good = false;
	} else {
		good = keep_token(c->api, shown->connection, shown->refresh, &kept, e);
	}
	if (good || e->kind != ERR_BUSY)
		h->device_stop(h->user, id);
	if (!good)
		return false;
	(void)json_object_set_new(kept, "state", json_string("kept"));
	return call_answer(c, kept, e);
}

static bool device_show(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	uint64_t id = call_number(c, "id", 0);
	struct device_logins_shown shown;

	if (!call_running(c, h->device_show, e))
		return false;
	if (!h->device_show(h->user, id, &shown))
		return err_set(e, ERR_CONFIG, "there is no such login any more; another one for the same connection takes its place");
	switch (shown.state) {
	case DEVICE_LOGINS_ASKING:
		return call_answer(c, json_pack("{s:s}", "state", "asking"), e);
	case DEVICE_LOGINS_WAITING:
		return call_answer(c, json_pack("{s:s, s:o, s:o, s:o, s:I}", "state", "waiting", "uri", json_text(shown.uri), "code", json_text(shown.code),
			"complete", shown.complete ? json_text(shown.complete) : json_null(), "lasts_s", (json_int_t)shown.lasts_s), e);
	case DEVICE_LOGINS_ENDED:
		return device_over(c, id, &shown, e);
	}
	return false;
}

static bool device_stop(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;

	if (!call_running(c, h->device_stop, e))
		return false;
	h->device_stop(h->user, call_number(c, "id", 0));
	return call_answer(c, json_object(), e);
}

static const struct arg args_keep[] = {
	{ "connection", ARG_TEXT, true, SETTINGS_NAME_MAX * 4 }, { "refresh_token", ARG_TEXT, true, OAUTH_TOKEN_MAX }, ARGS_END
};

static const struct arg args_device[] = { { "connection", ARG_TEXT, true, SETTINGS_NAME_MAX * 4 }, ARGS_END };
static const struct arg args_id[] = { { "id", ARG_NUMBER, true, INT64_MAX }, ARGS_END };

const struct operation api_tokens[] = {
	{ .name = "oauth.keep", .args = args_keep, .run = keep },
	{ .name = "oauth.device.start", .args = args_device, .run = device_start },
	{ .name = "oauth.device.show", .args = args_id, .run = device_show, .quiet = true },
	{ .name = "oauth.device.stop", .args = args_id, .run = device_stop, .quiet = true },
	{ .name = NULL },
};
