/* SPDX-License-Identifier: Apache-2.0
 * The operation oauth.keep: a connection's refresh token, from whoever got it (`postrider oauth login`), into the vault. */
#include <stdio.h>

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
static bool keep(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	const char *connection = call_text(c, "connection"), *token = call_text(c, "refresh_token");
	char name[VAULT_NAME_MAX + 1];

	if (!oauth_token_good(span_of(token)))
		return err_set(e, ERR_CONFIG, "that is no refresh token: it is empty, too long, or has characters that no token has");
	if (snprintf(name, sizeof name, VAULT_TOKENS "%s", connection) >= (int)sizeof name)
		return err_set(e, ERR_CONFIG, "the name of the connection is too long for the vault: at most %zu octets", sizeof name - sizeof VAULT_TOKENS);
	if (h->tokens_changing && h->tokens_changing(h->user, connection))
		return err_set(e, ERR_BUSY, "the running instance asks for a token of %s just now", connection);
	if (!vault_set(c->api->store, name, span_of(token), e))
		return false;
	if (h->tokens_changed)
		h->tokens_changed(h->user, connection);
	return call_answer(c, json_pack("{s:b, s:b}", "running", h->tokens_changed != NULL, "visited", visit_again(h, connection)), e);
}

static const struct arg args_keep[] = {
	{ "connection", ARG_TEXT, true, SETTINGS_NAME_MAX * 4 }, { "refresh_token", ARG_TEXT, true, OAUTH_TOKEN_MAX }, ARGS_END
};

const struct operation api_tokens[] = {
	{ .name = "oauth.keep", .args = args_keep, .run = keep },
	{ .name = NULL },
};
