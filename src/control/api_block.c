/* SPDX-License-Identifier: Apache-2.0
 * Operations on blocks: those by hand are kept in the store; a running instance tells those in force. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control/json.h"
#include "control/operation.h"
#include "store/block.h"

enum { LIVE_PAGE = 100, NETWORK_GIVEN = 128 };
#define FOR_S_MAX ((uint64_t)1 << 40)

static json_t *block_json(const char *network, bool by_hand, int64_t since, int64_t until, uint64_t hits, const char *why)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "network", network, "by", by_hand ? "hand" : "failed logins",
		"since", json_moment(since), "until", json_moment(until), "hits", json_number(hits), "why", json_text(why));
}

static bool list_store(struct page *p, struct api_call *c, const char *after, struct err *e)
{
	struct block_info info = { .network = "" };

	(void)snprintf(info.network, sizeof info.network, "%s", after);
	while (page_room(p) && block_each(c->api->store, clock_now_s(), &info))
		page_add(p, block_json(info.network, true, info.since, info.until, 0, info.why));
	return page_end(p, info.network, e);
}

/* False: there is nothing in force, and *p is as before. */
static bool list_live(struct page *p, struct api_call *c, uint64_t *cursor)
{
	const struct api_hooks *h = &c->api->hooks;
	struct hooks_block *rows = calloc(LIVE_PAGE, sizeof *rows);
	size_t count = 0;
	bool live = rows && h->blocks;

	while (live && page_room(p)) {
		live = h->blocks(h->user, cursor, rows, p->left < LIVE_PAGE ? p->left : LIVE_PAGE, &count);
		for (size_t n = 0; live && n < count; n++) {
			const struct hooks_block *b = &rows[n];
			char text[NETWORK_TEXT];

			page_add(p, block_json(network_text(&b->network, text), b->by_hand, b->since, b->until, b->hits, b->why));
		}
		if (!count)
			break;
	}
	free(rows);
	return live;
}

/* A cursor is a network of the store's, or a number of a running instance's. */
static bool list(struct api_call *c, struct err *e)
{
	char cursor[NETWORK_GIVEN];
	uint64_t live = 0;
	struct page p;

	if (!page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	if (strchr(cursor, '/') || (*cursor && !span_number(span_of(cursor), UINT64_MAX, &live)) || !list_live(&p, c, &live))
		return list_store(&p, c, strchr(cursor, '/') ? cursor : "", e);
	(void)snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)live);
	return page_end(&p, cursor, e);
}

static bool network_of(struct api_call *c, struct network *n, char text[NETWORK_TEXT], struct err *e)
{
	const char *given = call_text(c, "network");

	if (!network_parse(given, n))
		return err_set(e, ERR_CONFIG, "%.60s is no network: write an address, or like 192.0.2.0/24 with zeros behind the prefix", given);
	(void)network_text(n, text);
	return true;
}

static bool named(struct api_call *c, const char *network, struct err *e)
{
	return call_answer(c, json_pack("{s:s}", "network", network), e);
}

static bool add(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	const char *why = call_text(c, "why");
	uint64_t for_s = call_number(c, "for_s", 0);
	struct hooks_block b = { .since = clock_now_s(), .by_hand = true };
	char text[NETWORK_TEXT];

	if (!network_of(c, &b.network, text, e))
		return false;
	if (call_has(c, "for_s") && !for_s)
		return err_set(e, ERR_CONFIG, "a block for no time would be none; without a time it is for ever");
	b.until = for_s ? b.since + (int64_t)for_s : 0;
	(void)snprintf(b.why, sizeof b.why, "%s", why ? why : "");
	if (!block_add(c->api->store, text, b.until, b.why, b.since, e))
		return false;
	if (h->block_add && !h->block_add(h->user, &b, e))
		return err_in(e, "block of %s is kept, but holds after a restart only", text);
	return named(c, text, e);
}

static bool remove_block(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	char text[NETWORK_TEXT];
	struct network n;
	struct err why;
	bool kept;

	if (!network_of(c, &n, text, e))
		return false;
	kept = block_remove(c->api->store, text, clock_now_s(), &why);
	if (!kept && why.kind != ERR_CONFIG) {
		*e = why;
		return false;
	}
	if (!(h->block_remove && h->block_remove(h->user, &n)) && !kept)
		return err_set(e, ERR_CONFIG, "nothing of %s is blocked: postrider block list", text);
	return named(c, text, e);
}

#define NETWORK { "network", ARG_TEXT, true, NETWORK_GIVEN }

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_add[] = {
	NETWORK, { "for_s", ARG_NUMBER, false, FOR_S_MAX }, { "why", ARG_TEXT, false, BLOCK_WHY_MAX }, ARGS_END,
};
static const struct arg args_network[] = { NETWORK, ARGS_END };

const struct operation api_blocks[] = {
	{ .name = "block.add", .args = args_add, .run = add },
	{ .name = "block.list", .quiet = true, .args = args_page, .run = list },
	{ .name = "block.remove", .args = args_network, .run = remove_block },
	{ .name = NULL },
};
