/* SPDX-License-Identifier: Apache-2.0
 * The operation collect.schedule: when each connection is visited next, and how it went. */
#include <stdio.h>

#include "control/json.h"
#include "control/operation.h"
#include "store/held.h"

/* Somebody should look: what failed will not mend itself, it is late, or messages wait that nobody tries any more. */
static bool needs_somebody(const struct schedule_shown *s, const struct held_sums *held)
{
	return (s->enabled && s->class == SCHEDULE_FATAL) || s->late || held->failed;
}

static json_t *row_of(const struct api_hooks *h, struct store *store, const struct schedule_shown *s)
{
	int64_t expires = h->token_expires ? h->token_expires(h->user, s->name) : 0;
	struct held_sums held;

	held_sums_of(store, s->name, &held);
	return json_pack("{s:o, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "connection", json_text(s->name),
		"enabled", s->enabled, "running", s->running, "done", s->once_done, "next", json_moment(s->next == SCHEDULE_NEVER ? 0 : s->next),
		"backoff_until", json_moment(s->backoff_until), "last", json_moment(s->visited), "last_success", json_moment(s->success),
		"failures", json_number(s->failures), "error_class", schedule_class_name(s->class), "error_kind", err_kind_name(s->why.kind),
		"error", json_text(s->why.kind ? s->why.text : ""), "held", json_number(held.waiting), "failed", json_number(held.failed),
		"quarantined", json_number(held.quarantined), "token_expires", json_moment(expires),
		"lag", json_number((uint64_t)s->lag), "idle", json_moment(s->idle_since), "idle_alive", json_moment(s->alive), "attention", needs_somebody(s, &held));
}

/* In the order of the configuration; after a reload a list goes on behind the same name, or has ended. */
static bool schedule(struct api_call *c, struct err *e)
{
	const struct api_hooks *h = &c->api->hooks;
	char cursor[4 * SETTINGS_NAME_MAX + 1];
	struct schedule_shown shown;
	struct page p;

	if (!call_running(c, h->schedule_each, e) || !page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	while (page_room(&p) && h->schedule_each(h->user, *cursor ? cursor : NULL, &shown)) {
		page_add(&p, row_of(h, c->api->store, &shown));
		(void)snprintf(cursor, sizeof cursor, "%s", shown.name);
	}
	return page_end(&p, cursor, e);
}

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };

const struct operation api_schedules[] = {
	{ .name = "collect.schedule", .quiet = true, .args = args_page, .run = schedule },
	{ .name = NULL },
};
