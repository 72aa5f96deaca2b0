/* SPDX-License-Identifier: Apache-2.0 */
#include "main/secrets.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/settings_pop3.h"
#include "control/json.h"

static bool use_at(const struct settings *s, size_t n, struct secret_use *use)
{
	const struct secret *secret;

	if (n < s->connection_count) {
		secret = &s->connections[n]->password;
		*use = (struct secret_use){ .kind = "connection", .of = s->connections[n]->name };
	} else if (n - s->connection_count < s->target_count) {
		secret = &s->targets[n - s->connection_count]->password;
		*use = (struct secret_use){ .kind = "target", .of = s->targets[n - s->connection_count]->name };
	} else {
		if (!s->pop3)
			return false;
		secret = &s->pop3->oauth.client_secret;
		*use = (struct secret_use){ .kind = "pop3", .of = "oauth.client_secret" };
	}
	use->name = secret->text;
	return secret->kind == SECRET_VAULT;
}

bool secret_use_next(const struct settings *s, size_t *n, struct secret_use *use)
{
	while (*n <= s->connection_count + s->target_count)
		if (use_at(s, (*n)++, use))
			return true;
	return false;
}

/* Of somebody else's, files that we make in there would be ours. */
static bool store_is_ours(const struct settings *s)
{
	char path[4096];
	struct stat st;

	return strcmp(s->store, "lmdb") == 0 && snprintf(path, sizeof path, "%s/store/data.mdb", s->state) < (int)sizeof path &&
	       stat(path, &st) == 0 && st.st_uid == geteuid();
}

static bool note(void *user, json_t *row)
{
	return json_object_set_new(user, json_member_text(row, "secret"), json_true()) == 0;
}

/* Whoever else has the store is no error of the configuration's. */
static bool look(struct cli *cli)
{
	const struct settings *s = &cli->settings;
	struct err e;

	return ask_open(&(struct ask_with){ .state = s->state, .store_map = s->store_map, .main_domain = s->main_domain, .maildirs = cli_maildirs(cli),
		.what = "postrider check" }, &cli->ask, &e);
}

void secrets_check(struct cli *cli)
{
	const struct settings *s = &cli->settings;
	struct secret_use use;
	json_t *there;
	size_t n = 0;
	struct err e;

	if (!secret_use_next(s, &n, &use) || !store_is_ours(s) || !look(cli))
		return;
	there = json_object();
	if (there && ask_rows(cli->ask, "secret.list", NULL, note, there, &e))
		for (n = 0; secret_use_next(s, &n, &use);)
			if (!json_object_get(there, use.name))
				log_warn(NULL, "%s %s: there is no secret %s in the vault: postrider secret set '%s'", use.kind, use.of, use.name, use.name);
	json_decref(there);
}
