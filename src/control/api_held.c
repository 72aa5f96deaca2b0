/* SPDX-License-Identifier: Apache-2.0
 * Operations on held messages, submitted ones and connections': a running instance tries them, now when it is asked to. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control/json.h"
#include "control/operation.h"
#include "store/held_ledger.h"

enum { STATES = HELD_QUARANTINED + 1 };

static const char *const state_names[STATES] = { [HELD_WAITING] = "waiting", [HELD_FAILED] = "failed", [HELD_QUARANTINED] = "quarantined" };

static json_t *held_json(const struct held_info *h)
{
	char id[HELD_ID_TEXT];

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "id", held_id_text(h->id, id),
		"state", state_names[h->state], "connection", json_text(h->origin.connection), "account", json_text(h->account),
		"target", json_text(h->target), "uid", json_text(h->origin.uid), "sender", json_text(h->sender),
		"recipients", json_number(h->recipient_count), "octets", json_number(h->size), "since", json_moment(h->made), "released", h->released,
		"attempts", json_number(h->attempts), "tried", json_moment(h->tried),
		"next", json_moment(h->state == HELD_WAITING ? h->next : 0), "why", json_text(h->why));
}

/* STATES: it is not asked for. */
static bool state_of(struct api_call *c, unsigned *state, struct err *e)
{
	const char *given = call_text(c, "state");

	for (*state = 0; given && *state < STATES; ++*state)
		if (strcmp(state_names[*state], given) == 0)
			return true;
	*state = STATES;
	return !given || err_set(e, ERR_CONFIG, "state is waiting, failed or quarantined");
}

static bool list(struct api_call *c, struct err *e)
{
	const char *connection = call_text(c, "connection");
	char cursor[HELD_ID_TEXT];
	struct held_info info = { .id = 0 };
	unsigned state;
	struct page p;

	if (!state_of(c, &state, e) || !page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	if (*cursor && !held_id_read(cursor, &info.id)) {
		json_decref(p.rows);
		return err_set(e, ERR_CONFIG, "after is not what an answer's next said");
	}
	while (page_room(&p) && (connection ? held_next_of(c->api->store, connection, &info) : held_next(c->api->store, &info)))
		if (state == STATES || info.state == state)
			page_add(&p, held_json(&info));
		else
			p.left--;	/* a page must not take long */
	return page_end(&p, held_id_text(info.id, cursor), e);
}

/* Connections of which something is held, and why the oldest of it is. */
static bool connections(struct api_call *c, struct err *e)
{
	char cursor[LEDGER_CONNECTION_MAX + 1];
	struct held_sums s;
	struct page p;

	if (!page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	while (page_room(&p) && held_each_connection(c->api->store, cursor, &s)) {
		struct held_info oldest = { .id = 0 };

		if (!held_next_of(c->api->store, cursor, &oldest))
			oldest = (struct held_info){ .id = 0 };
		page_add(&p, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "connection", json_text(cursor), "held", json_number(s.waiting),
			"failed", json_number(s.failed), "quarantined", json_number(s.quarantined), "octets", json_number(s.octets),
			"quarantined_octets", json_number(s.quarantined_octets), "since", json_moment(oldest.made), "why", json_text(oldest.why)));
	}
	return page_end(&p, cursor, e);
}

static bool find(struct api_call *c, struct held_info *info, struct err *e)
{
	const char *given = call_text(c, "id");
	uint64_t id;

	if (!held_id_read(given, &id))
		return err_set(e, ERR_CONFIG, "%.60s is no held message: postrider held list", given);
	return held_get(c->api->store, id, info) || err_set(e, ERR_CONFIG, "there is no held message %s: postrider held list", given);
}

/* ---- a look at one */

static bool add_octets(void *out, struct span octets)
{
	return buf_add(out, octets);
}

/* What of the first piece is its header, with the empty line's LF. */
static size_t header_of(struct span octets)
{
	for (size_t n = 0; n < octets.len; n++) {
		struct span rest = span_from(octets, n);

		if (span_starts(rest, SPAN("\n\n")))
			return n + 1;
		if (span_starts(rest, SPAN("\n\r\n")))
			return n + 1;
	}
	return octets.len;
}

static json_t *header_json(struct store *s, uint64_t id, struct err *e)
{
	struct buf octets;
	json_t *text = NULL;

	buf_start(&octets, MAILBOX_PIECE + 1);
	if (held_piece(s, id, 0, add_octets, &octets, e)) {
		octets.len = header_of(buf_span(&octets));
		for (size_t n = 0; n < octets.len; n++)
			if (!octets.at[n])
				octets.at[n] = '?';
		if (buf_terminate(&octets))
			text = json_text(octets.at);
		if (!text)
			(void)err_set(e, ERR_LOCAL, "out of memory");
	}
	buf_end(&octets);
	return text;
}

static json_t *recipients_json(struct store *s, uint64_t id, struct err *e)
{
	const char **names;
	size_t count;
	json_t *all;

	if (!held_recipients(s, id, &names, &count, e))
		return NULL;
	all = json_array();
	for (size_t n = 0; n < count; n++)
		(void)json_array_append_new(all, json_text(names[n]));
	free(names);
	if (!all)
		(void)err_set(e, ERR_LOCAL, "out of memory");
	return all;
}

static bool show(struct api_call *c, struct err *e)
{
	struct held_info info;
	json_t *to, *header, *row;

	if (!find(c, &info, e))
		return false;
	to = recipients_json(c->api->store, info.id, e);
	header = to ? header_json(c->api->store, info.id, e) : NULL;
	if (!header) {
		json_decref(to);
		return false;
	}
	row = held_json(&info);
	(void)json_object_set_new(row, "to", to);
	(void)json_object_set_new(row, "header", header);
	(void)json_object_set_new(row, "place", json_text(info.place));
	return call_answer(c, row, e);
}

/* Its octets come behind the answer, a piece at a time. */
struct reading {
	uint64_t id;
	uint32_t piece;
};

static bool message(struct api_call *c, struct err *e)
{
	struct held_info info;
	struct reading *r;

	if (!find(c, &info, e))
		return false;
	r = c->mine = calloc(1, sizeof *r);
	if (!r)
		return err_set(e, ERR_LOCAL, "out of memory");
	r->id = info.id;
	c->octets = info.size;
	return call_answer(c, json_pack("{s:o}", "octets", json_number(info.size)), e);
}

static bool message_give(struct api_call *c, struct buf *out, struct err *e)
{
	struct reading *r = c->mine;
	size_t before = out->len;

	if (!held_piece(c->api->store, r->id, r->piece++, add_octets, out, e))
		return false;
	return out->len > before || err_set(e, ERR_LOCAL, "held message: it is not as long as it was");
}

static void message_end(struct api_call *c)
{
	free(c->mine);
	c->mine = NULL;
}

/* ---- what people decide */

static bool kick(struct api_call *c, const char *connection)
{
	const struct api_hooks *h = &c->api->hooks;

	if (*connection ? !h->held_kick : !h->held_retry)
		return false;
	if (*connection)
		h->held_kick(h->user, connection);
	else
		h->held_retry(h->user);
	return true;
}

static bool again(struct api_call *c, const struct held_info *info, struct err *e)
{
	char text[HELD_ID_TEXT];

	if (!held_again(c->api->store, info->id, clock_now_s(), e))
		return false;
	return call_answer(c, json_pack("{s:s, s:o, s:b}", "id", held_id_text(info->id, text), "connection", json_text(info->origin.connection),
		"running", kick(c, info->origin.connection)), e);
}

static bool retry(struct api_call *c, struct err *e)
{
	struct held_info info;

	if (!find(c, &info, e))
		return false;
	if (info.state == HELD_QUARANTINED)
		return err_set(e, ERR_CONFIG, "%s is quarantined: %.100s; to try it again: postrider held release %s", call_text(c, "id"), info.why,
			call_text(c, "id"));
	return again(c, &info, e);
}

static bool release(struct api_call *c, struct err *e)
{
	struct held_info info;

	if (!find(c, &info, e))
		return false;
	if (info.state != HELD_QUARANTINED)
		return err_set(e, ERR_CONFIG, "%s is not quarantined, but %s: postrider held retry %s", call_text(c, "id"), state_names[info.state],
			call_text(c, "id"));
	return again(c, &info, e);
}

/* Not while a visit may be trying it.  Its ledger says first that its target will not get it: a crash between leaves a copy
 * that nothing waits for, not an entry that waits for what is not there. */
struct removal {
	struct store_lock *lock;
	uint64_t id;
};

static bool removed(struct api_call *c, uint64_t id, struct err *e)
{
	char text[HELD_ID_TEXT];

	return held_remove(c->api->store, id, e) && call_answer(c, json_pack("{s:s}", "id", held_id_text(id, text)), e);
}

static bool remove_held(struct api_call *c, struct err *e)
{
	struct ledger_entry entry;
	struct held_info info;
	struct removal *r;
	struct ledger *l;

	if (!find(c, &info, e))
		return false;
	if (!*info.origin.connection)
		return removed(c, info.id, e);
	r = c->mine = calloc(1, sizeof *r);
	if (!r)
		return err_set(e, ERR_LOCAL, "out of memory");
	r->id = info.id;
	if (!store_lock_take(c->api->store, info.origin.connection, &r->lock, e))
		return false;
	if (!held_mentioned(c->api->store, &info, &l, &entry))
		return removed(c, info.id, e);
	c->later = true;
	held_unmention(l, &entry, info.id, call_ticket(c));
	return true;
}

static bool removal_did(struct api_call *c, struct err *e)
{
	const struct removal *r = c->mine;

	return removed(c, r->id, e);
}

static void removal_end(struct api_call *c)
{
	struct removal *r = c->mine;

	if (r)
		store_lock_drop(&r->lock);
	free(r);
	c->mine = NULL;
}

static const struct arg args_page[] = { ARGS_PAGE, ARGS_END };
static const struct arg args_list[] = { { "connection", ARG_TEXT, false, LEDGER_CONNECTION_MAX }, { "state", ARG_TEXT, false, 16 }, ARGS_PAGE, ARGS_END };
static const struct arg args_id[] = { { "id", ARG_TEXT, true, 64 }, ARGS_END };

const struct operation api_held[] = {
	{ .name = "held.connections", .quiet = true, .args = args_page, .run = connections },
	{ .name = "held.list", .quiet = true, .args = args_list, .run = list },
	{ .name = "held.message", .quiet = true, .args = args_id, .run = message, .give = message_give, .end = message_end },
	{ .name = "held.release", .args = args_id, .run = release },
	{ .name = "held.remove", .args = args_id, .run = remove_held, .did = removal_did, .end = removal_end },
	{ .name = "held.retry", .args = args_id, .run = retry },
	{ .name = "held.show", .quiet = true, .args = args_id, .run = show },
	{ .name = NULL },
};
