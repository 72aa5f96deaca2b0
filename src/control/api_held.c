/* SPDX-License-Identifier: Apache-2.0
 * Operations on held messages: a running instance tries them, now when it is asked to. */
#include <stdio.h>

#include "base/clock.h"
#include "control/json.h"
#include "control/operation.h"
#include "store/held.h"

static json_t *held_json(const struct held_info *h)
{
	char id[HELD_ID_TEXT];

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", held_id_text(h->id, id),
		"state", h->state == HELD_FAILED ? "failed" : "waiting", "account", json_text(h->account), "target", json_text(h->target),
		"sender", json_text(h->sender), "recipients", json_number(h->recipient_count), "octets", json_number(h->size),
		"since", json_moment(h->made), "attempts", json_number(h->attempts), "tried", json_moment(h->tried),
		"next", json_moment(h->state == HELD_FAILED ? 0 : h->next), "why", json_text(h->why));
}

static bool list(struct api_call *c, struct err *e)
{
	char cursor[HELD_ID_TEXT];
	struct held_info info = { .id = 0 };
	struct page p;

	if (!page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	if (*cursor && !held_id_read(cursor, &info.id)) {
		json_decref(p.rows);
		return err_set(e, ERR_CONFIG, "after is not what an answer's next said");
	}
	while (page_room(&p) && held_next(c->api->store, &info))
		page_add(&p, held_json(&info));
	return page_end(&p, held_id_text(info.id, cursor), e);
}

static bool id_of(struct api_call *c, uint64_t *id, struct err *e)
{
	const char *given = call_text(c, "id");

	return held_id_read(given, id) || err_set(e, ERR_CONFIG, "%.60s is no held message: postrider held list", given);
}

static bool named(struct api_call *c, uint64_t id, struct err *e)
{
	char text[HELD_ID_TEXT];

	return call_answer(c, json_pack("{s:s, s:b}", "id", held_id_text(id, text), "running", c->api->hooks.held_retry != NULL), e);
}

static bool retry(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	uint64_t id;

	if (!id_of(c, &id, e) || !held_again(c->api->store, id, clock_now_s(), e))
		return false;
	if (h->held_retry)
		h->held_retry(h->user);
	return named(c, id, e);
}

static bool remove_held(struct api_call *c, struct err *e)
{
	uint64_t id;

	return id_of(c, &id, e) && held_remove(c->api->store, id, e) && named(c, id, e);
}

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_id[] = { { "id", ARG_TEXT, true, 64 }, ARGS_END };

const struct operation api_held[] = {
	{ .name = "held.list", .quiet = true, .args = args_page, .run = list },
	{ .name = "held.remove", .args = args_id, .run = remove_held },
	{ .name = "held.retry", .args = args_id, .run = retry },
	{ .name = NULL },
};
