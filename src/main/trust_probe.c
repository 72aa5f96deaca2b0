/* SPDX-License-Identifier: Apache-2.0 */
#include "main/trust_probe.h"

#include <stdlib.h>
#include <unistd.h>

#include "collect/trusting.h"
#include "control/json.h"

struct trust_offer {
	struct trust_offer *next;
	char *host, *chain, *reason;
	uint16_t port;
};

/* The API of whoever has the store, for a moment. */
static bool open_ask(struct cli *cli, struct ask **ask, struct err *e)
{
	if (access(cli->settings.state, F_OK) != 0)
		return err_errno(e, ERR_LOCAL, "state %s", cli->settings.state);
	return ask_open(&(struct ask_with){ .state = cli->settings.state, .store_map = cli->settings.store_map,
		.main_domain = cli->settings.main_domain, .maildirs = cli_maildirs(cli), .what = "postrider test" }, ask, e);
}

/* Without one nobody accepted anything, and reading makes none. */
static bool store_there(struct cli *cli)
{
	struct buf path;
	bool there;

	buf_start(&path, strlen(cli->settings.state) + sizeof "/store");
	there = buf_printf(&path, "%s/store", cli->settings.state) && buf_terminate(&path) && access(path.at, F_OK) == 0;
	buf_end(&path);
	return there;
}

static bool take_row(void *user, json_t *row)
{
	struct tls_trust_set *set = user;
	const char *kind = json_member_text(row, "kind"), *pem = json_member_text(json_object_get(row, "certificate"), "pem");
	const char *host = json_member_text(row, "host");
	bool imported = strcmp(kind, "imported") == 0;

	if (imported || *host)
		(void)!tls_trust_add(set, &(struct tls_trusted){ .kind = strcmp(kind, "key") == 0 ? TLS_TRUST_KEY : TLS_TRUST_AUTHORITY,
			.host = imported ? NULL : host, .port = (uint16_t)json_member_number(row, "port"), .pem = span_of(pem) });
	return true;
}

/* Of a running instance; what cannot be had trusts nobody. */
static void load_over(struct trust_probe *t, struct ask *ask)
{
	struct tls_trust_set *set = tls_trust_set_new();

	if (!set || !ask_rows(ask, "trust.trusted", json_pack("{s:b}", "pem", true), take_row, set, &t->why))
		tls_trust_set_free(&set);
	tls_trust_put(t->trust, &set);
}

bool trust_probe_begin(struct trust_probe *t, struct cli *cli, struct tls_contexts *contexts, void (*look)(void *user, struct store *store),
	void *user, struct err *e)
{
	struct store *still;
	struct ask *ask = NULL;

	*t = (struct trust_probe){ .cli = cli, .trust = tls_trust_new(e) };
	if (!t->trust)
		return false;
	tls_contexts_trust(contexts, t->trust);
	if (cli->store) {
		trusting_load(cli->store, t->trust);
		look(user, cli->store);
	} else if (!store_there(cli)) {
		return true;
	} else if (store_look(cli->settings.state, &still, &t->why)) {
		trusting_load(still, t->trust);
		look(user, still);
		store_close(&still);
	} else if (open_ask(cli, &ask, &t->why)) {
		t->why.kind = ERR_NONE;
		if (ask_store(ask)) {
			trusting_load(ask_store(ask), t->trust);
			look(user, ask_store(ask));
		} else {
			load_over(t, ask);
		}
		ask_close(&ask);
	}
	return true;
}

bool trust_probe_keeps(const struct trust_probe *t)
{
	return t->cli->store || access(t->cli->settings.state, F_OK) == 0;
}

static void free_offer(struct trust_offer *o)
{
	free(o->host);
	free(o->chain);
	free(o->reason);
	free(o);
}

void trust_probe_offered(struct trust_probe *t, const char *host, uint16_t port, const struct conn_offered *offered)
{
	struct trust_offer *o = calloc(1, sizeof *o);

	if (!o)
		return;
	*o = (struct trust_offer){ .next = t->offers, .host = strdup(host), .chain = strndup(offered->chain.at, offered->chain.len),
		.reason = strdup(offered->reason), .port = port };
	if (o->host && o->chain && o->reason)
		t->offers = o;
	else
		free_offer(o);
}

static bool keep(struct store *s, struct ask *ask, const struct trust_offer *o, struct err *e)
{
	json_t *reply;

	if (s) {
		trust_note(s, o->host, o->port, span_of(o->chain), o->reason);
		return true;
	}
	if (!ask_call(ask, "trust.offer", json_pack("{s:s, s:i, s:s, s:o}", "host", o->host, "port", (int)o->port, "chain", o->chain, "reason",
		json_text(o->reason)), &reply, e))
		return false;
	json_decref(reply);
	return true;
}

void trust_probe_end(struct trust_probe *t)
{
	struct ask *ask = NULL;
	struct err e;
	bool good = !t->offers || t->cli->store || open_ask(t->cli, &ask, &e);
	struct store *s = t->cli->store ? t->cli->store : ask ? ask_store(ask) : NULL;

	if (t->offers && t->why.kind)
		(void)cli_usage(t->cli, "what was accepted could not be read: %s", t->why.text);
	for (struct trust_offer *o; (o = t->offers); free_offer(o)) {
		good = good && keep(s, ask, o, &e);
		t->offers = o->next;
		if (!good && !t->offers)
			(void)cli_usage(t->cli, "what was offered could not be kept for `postrider trust`: %s", e.text);
	}
	if (ask)
		ask_close(&ask);
	tls_trust_free(&t->trust);
}
