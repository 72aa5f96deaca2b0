/* SPDX-License-Identifier: Apache-2.0 */
#include "control/operation.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "control/json.h"

static const struct operation *const tables[] = {
	api_accounts, api_alerts, api_domains, api_mailboxes, api_messages, api_histories, api_certificates, api_trusted, api_services, api_blocks, api_backups, api_visits,
	api_acls, api_routes, api_held, api_schedules, api_secrets, api_tokens,
};

static void must(bool there)
{
	if (there)
		return;
	log_error(NULL, "control: out of memory");
	abort();
}

static void set_main_domain(struct api *api, const char *main_domain)
{
	free(api->main_domain);
	api->main_domain = main_domain && *main_domain ? strdup(main_domain) : NULL;
	must(api->main_domain || !main_domain || !*main_domain);
}

struct api *api_new(const struct api_with *with, struct err *e)
{
	struct api *api = calloc(1, sizeof *api);

	if (!api) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	json_wiping();
	api->store = with->store;
	api->running = with->hooks;
	if (with->hooks)
		api->hooks = *with->hooks;
	set_main_domain(api, with->main_domain);
	return api;
}

void api_free(struct api **out)
{
	struct api *api = *out;

	if (!api)
		return;
	*out = NULL;
	while (api->calls) {
		struct api_call *c = api->calls;

		api_end(&c);
	}
	free(api->main_domain);
	free(api);
}

void api_reload(struct api *api, const char *main_domain)
{
	set_main_domain(api, main_domain);
}

static const struct operation *find(const char *name)
{
	for (size_t n = 0; n < COUNT(tables); n++)
		for (const struct operation *op = tables[n]; op->name; op++)
			if (strcmp(op->name, name) == 0)
				return op;
	return NULL;
}

static bool check(struct api_call *c, const char *name, struct err *e)
{
	if (!c->op) {
		(void)err_set(e, ERR_CONFIG, "no operation is called so");
		return err_said(e, "the request", span_of(name));
	}
	if (!args_check(c->op->args, c->args, e))
		return false;
	if (c->wants && !c->op->take)
		return err_set(e, ERR_CONFIG, "no octets belong behind its request");
	if (c->who.fd >= 0 && !c->op->takes_fd)
		return err_set(e, ERR_CONFIG, "no descriptor belongs to its request");
	if (c->who.fd < 0 && c->op->takes_fd)
		return err_set(e, ERR_CONFIG, "its request must come with a descriptor");
	return true;
}

static void failed(struct api_call *c, const struct err *why)
{
	json_decref(c->answer);
	c->answer = NULL;
	c->why = *why;
	c->done = true;
}

/* After the last octet, of which there may be none. */
static void all_taken(struct api_call *c)
{
	struct err e;

	if (!c->done && c->op->took && !c->op->took(c, &e))
		failed(c, &e);
	assert(c->done || c->ticket);
}

struct api_call *api_ask(struct api *api, const char *op, json_t *args, const struct api_asker *who)
{
	struct api_call *c = calloc(1, sizeof *c);
	struct err e;

	must(c);
	*c = (struct api_call){ .api = api, .op = find(op), .who = *who, .wants = who->octets, .next = api->calls, .at = &api->calls };
	if (c->next)
		c->next->at = &c->next;
	api->calls = c;
	c->args = args ? json_incref(args) : json_object();
	must(c->args);
	if (!check(c, op, &e)) {
		(void)err_in(&e, "%.*s", REQUEST_OP_MAX, c->op ? op : "operation");
		failed(c, &e);
	} else if (!c->op->run(c, &e)) {
		failed(c, &e);
	} else if (!c->wants) {
		all_taken(c);
	}
	return c;
}

bool api_together(const char *name)
{
	const struct operation *op = find(name);

	return op && op->together;
}

bool api_done(const struct api_call *c)
{
	return c->done;
}

bool api_notable(const struct api_call *c)
{
	return c->op && !c->op->quiet;
}

const json_t *api_reply(const struct api_call *c)
{
	assert(c->done);
	return c->answer;
}

const struct err *api_error(const struct api_call *c)
{
	assert(c->done);
	return c->answer ? NULL : &c->why;
}

void api_end(struct api_call **out)
{
	struct api_call *c = *out;

	if (!c)
		return;
	*out = NULL;
	if (c->op && c->op->end)
		c->op->end(c);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	if (c->who.fd >= 0)
		(void)close(c->who.fd);
	json_decref(c->args);
	json_decref(c->answer);
	free(c);
}

uint64_t api_wants(const struct api_call *c)
{
	return c->wants;
}

void api_take(struct api_call *c, struct span octets)
{
	struct err e;

	assert(octets.len <= c->wants);
	c->wants -= octets.len;
	if (!c->done && !c->op->take(c, octets, &e))
		failed(c, &e);
	if (!c->wants)
		all_taken(c);
}

bool api_full(const struct api_call *c)
{
	return !c->done && c->op->full && c->op->full(c);
}

uint64_t api_octets(const struct api_call *c)
{
	return c->done && c->answer ? c->octets : 0;
}

bool api_give(struct api_call *c, struct buf *out, struct err *e)
{
	size_t before = out->len;

	assert(c->done && c->answer && c->octets);
	if (!c->op->give(c, out, e))
		return false;
	assert(out->len > before && out->len - before <= c->octets);
	c->octets -= out->len - before;
	return true;
}

void api_answered(struct api *api, const struct store_done *done)
{
	struct api_call *c = api->calls;
	struct err e;

	while (c && c->ticket != done->ticket)
		c = c->next;
	if (!c)
		return;		/* it was broken off */
	c->ticket = 0;
	if (!done->good)
		failed(c, &done->why);
	else if (c->op->did && !c->op->did(c, &e))
		failed(c, &e);
	else
		c->done = true;
	c->who.answered(c->who.user, c);
}
