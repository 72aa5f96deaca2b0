/* SPDX-License-Identifier: Apache-2.0
 * Operations on certificates that servers offered and that were not trusted. */
#include "base/clock.h"
#include "base/text.h"
#include "control/json.h"
#include "control/api_trust.h"
#include "store/trust.h"

struct offer {			/* an entry, and its chain as texts */
	struct trust_entry entry;
	struct arena arena;
	struct certificates chain;	/* count 0: it cannot be read */
};

static void offer_load(struct store *s, struct offer *o)
{
	struct buf pem;
	struct err e;

	buf_start(&pem, TRUST_CHAIN_MAX);
	if (!trust_chain(s, o->entry.name, &pem, &e) || !certificates_read(&o->arena, buf_span(&pem), &o->chain, &e))
		o->chain.count = 0;
	buf_end(&pem);
	text_clean(o->entry.name, strlen(o->entry.name));
	text_clean(o->entry.reason, strlen(o->entry.reason));
}

json_t *when_json(int64_t moment)
{
	char text[MOMENT_TEXT];

	return moment == CERTIFICATE_NO_TIME ? json_null() : json_string(moment_text(moment, text));
}

/* What list and show have in common. */
static json_t *entry_json(const struct trust_entry *entry)
{
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "host", json_text(entry->host), "port", json_number(entry->port),
		"state", "offered", "first_seen", when_json(entry->first_seen), "last_seen", when_json(entry->last_seen),
		"times", json_number(entry->times), "reason", json_text(entry->reason));
}

json_t *certificate_json(const struct certificate *c, bool pem, int64_t now)
{
	json_t *names = json_array();
	json_t *one;

	for (size_t i = 0; i < c->name_count; i++)
		(void)json_array_append_new(names, json_text(c->names[i]));
	one = json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:b, s:b, s:s, s:s}",
		"subject", json_text(c->subject), "issuer", json_text(c->issuer), "names", names, "names_left", json_number(c->names_left),
		"names_broken", c->names_broken, "serial", json_text(c->serial), "not_before", when_json(c->not_before),
		"not_after", when_json(c->not_after), "expired", certificate_expired(c, now), "early", certificate_early(c, now),
		"key_type", json_text(c->key_type), "key_bits", json_number(c->key_bits), "key_group", json_text(c->key_group),
		"signature", json_text(c->signature), "authority", c->authority, "self_issued", c->self_issued, "sha256", c->sha256,
		"key_sha256", c->key_sha256);
	if (pem && one)
		(void)json_object_set_new(one, "pem", json_string(c->pem));
	return one;
}

static json_t *list_json(const struct offer *o)
{
	const struct certificate *c = o->chain.list;
	json_t *row = entry_json(&o->entry);

	if (row && o->chain.count) {
		(void)json_object_set_new(row, "subject", json_text(c->subject));
		(void)json_object_set_new(row, "issuer", json_text(c->issuer));
		(void)json_object_set_new(row, "key_sha256", json_string(c->key_sha256));
	}
	return row;
}

static json_t *show_json(const struct offer *o, bool pem, int64_t now)
{
	json_t *row = entry_json(&o->entry), *chain = json_array();

	for (size_t i = 0; i < o->chain.count; i++)
		(void)json_array_append_new(chain, certificate_json(&o->chain.list[i], pem, now));
	if (row)
		(void)json_object_set_new(row, "certificates", chain);
	return row;
}

static bool list(struct api_call *c, struct err *e)
{
	struct trust_entry entry;
	struct page p;

	if (!page_start(&p, c, entry.name, sizeof entry.name, e))
		return false;
	while (page_room(&p) && trust_each(c->api->store, &entry)) {
		struct offer o = { .entry = entry };

		offer_load(c->api->store, &o);
		page_add(&p, list_json(&o));
		arena_end(&o.arena);
	}
	return page_end(&p, entry.name, e);
}

static bool show(struct api_call *c, struct err *e)
{
	const char *host = call_text(c, "host");
	uint64_t port = call_number(c, "port", 0);
	struct trust_entry entry;
	struct page p;

	if (!page_start(&p, c, entry.name, sizeof entry.name, e))
		return false;
	while (page_room(&p) && trust_each(c->api->store, &entry)) {
		struct offer o = { .entry = entry };

		if (strcmp(entry.host, host) != 0 || (port && entry.port != port))
			continue;
		offer_load(c->api->store, &o);
		page_add(&p, show_json(&o, call_flag(c, "pem"), clock_now_s()));
		arena_end(&o.arena);
	}
	return page_end(&p, entry.name, e);
}

static const struct arg args_list[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_show[] = {
	{ "host", ARG_TEXT, true, TRUST_HOST_MAX }, { "port", ARG_NUMBER, false, UINT16_MAX }, { "pem", ARG_FLAG, false, 0 }, ARGS_PAGE, ARGS_END,
};

const struct operation api_certificates[] = {
	{ .name = "trust.list", .quiet = true, .args = args_list, .run = list },
	{ .name = "trust.show", .quiet = true, .args = args_show, .run = show },
	{ .name = NULL },
};
