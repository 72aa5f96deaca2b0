/* SPDX-License-Identifier: Apache-2.0
 * Messages that come behind a request, or behind an answer. */
#include <stdlib.h>

#include "base/clock.h"
#include "control/json.h"
#include "control/operation.h"

/* mailbox.append: the answer comes when the message is durable. */

static bool append(struct api_call *c, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	struct mailbox *box;

	if (!call_mailbox(c, name, e) || !mailbox_open(c->api->store, name, true, &box, e))
		return false;
	c->mine = incoming_new(box, e);
	c->later = c->mine;
	return c->mine;
}

static bool append_take(struct api_call *c, struct span octets, struct err *e)
{
	return incoming_add(c->mine, octets, e);
}

static bool append_full(const struct api_call *c)
{
	return c->mine && incoming_full(c->mine);
}

static bool append_took(struct api_call *c, struct err *e)
{
	struct incoming *in = c->mine;
	bool good = call_answer(c, json_pack("{s:o}", "octets", json_number(incoming_size(in))), e);

	if (!good)
		return false;
	c->mine = NULL;
	incoming_finish(&in, NULL, (int64_t)call_number(c, "arrived", (uint64_t)clock_now_s()), call_flag(c, "seen") ? MAILBOX_SEEN : 0, call_ticket(c));
	return true;
}

static void append_end(struct api_call *c)
{
	struct incoming *in = c->mine;

	incoming_abort(&in);
	c->mine = NULL;
}

/* mailbox.message */

struct reading {
	struct mailbox *box;
	struct mailbox_reading at;
};

static uint64_t number_of(const char *uid)
{
	uint64_t n = 0;

	for (; *uid; uid++)
		n = n << 4 | (uint64_t)(*uid <= '9' ? *uid - '0' : *uid - 'a' + 10);
	return n;
}

/* One that was removed after it was listed is no error, but gone. */
static bool message(struct api_call *c, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];
	const char *uid = call_text(c, "uid");
	struct reading *r;
	bool there;

	if (!call_mailbox(c, name, e))
		return false;
	if (strlen(uid) != MAILBOX_UID_TEXT - 1 || strspn(uid, "0123456789abcdef") != MAILBOX_UID_TEXT - 1)
		return err_set(e, ERR_CONFIG, "uid is not one of mailbox.messages");
	r = c->mine = calloc(1, sizeof *r);
	if (!r)
		return err_set(e, ERR_LOCAL, "out of memory");
	if (!mailbox_open(c->api->store, name, false, &r->box, e))
		return false;
	there = mailbox_read_start(r->box, number_of(uid), &r->at, e);
	c->octets = r->at.left;
	return call_answer(c, json_pack("{s:o, s:b}", "octets", json_number(r->at.left), "gone", !there), e);
}

static bool add_octets(void *out, struct span octets)
{
	return buf_add(out, octets);
}

static bool message_give(struct api_call *c, struct buf *out, struct err *e)
{
	struct reading *r = c->mine;

	return mailbox_read_piece(r->box, &r->at, add_octets, out, e);
}

static void message_end(struct api_call *c)
{
	free(c->mine);
	c->mine = NULL;
}

static const struct arg args_append[] = { ARG_MAILBOX, { "arrived", ARG_NUMBER, false, (uint64_t)1 << 40 }, { "seen", ARG_FLAG, false, 0 }, ARGS_END };
static const struct arg args_message[] = { ARG_MAILBOX, { "uid", ARG_TEXT, true, MAILBOX_UID_TEXT - 1 }, ARGS_END };

const struct operation api_messages[] = {
	{ .name = "mailbox.append", .quiet = true, .together = true, .args = args_append, .run = append, .take = append_take, .took = append_took, .full = append_full, .end = append_end },
	{ .name = "mailbox.message", .quiet = true, .args = args_message, .run = message, .give = message_give, .end = message_end },
	{ .name = NULL },
};
