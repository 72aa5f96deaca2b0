/* SPDX-License-Identifier: Apache-2.0
 * Octets behind an answer, wherever the store is. */
#include "control/ask_inside.h"

static bool give_all(struct api_call *c, ask_take *take, void *user, struct err *e)
{
	struct buf piece;
	bool good = true;

	buf_start(&piece, API_PIECE);
	while (good && api_octets(c)) {
		good = api_give(c, &piece, e) && take(user, buf_span(&piece), e);
		buf_drop(&piece, piece.len);
	}
	buf_end(&piece);
	return good;
}

static bool octets_here(struct ask *a, const char *op, json_t *args, ask_take *take, void *user, struct err *e)
{
	struct api_call *c = ask_here(a, op, args, -1);
	const struct err *why = api_error(c);
	bool good = !why;

	if (why)
		*e = *why;
	else
		good = give_all(c, take, user, e);
	api_end(&c);
	return good;
}

struct taking {
	ask_take *take;
	void *user;
	bool good;
	struct err e;
};

static bool take_piece(void *user, struct span octets)
{
	struct taking *t = user;

	t->good = t->good && t->take(t->user, octets, &t->e);
	return true;		/* what is not wanted is passed over: more may be asked */
}

bool ask_octets(struct ask *a, const char *op, json_t *args, ask_take *take, void *user, struct err *e)
{
	struct taking t = { take, user, .good = true };
	uint64_t octets;
	json_t *reply;

	if (a->api)
		return octets_here(a, op, args, take, user, e);
	if (!ask_send(a, op, args, 0, -1, e) || !ask_receive(a, &reply, &octets, e))
		return false;
	json_decref(reply);
	if (!local_take(a->socket, octets, take_piece, &t, e))
		return err_in(e, "%s", op);
	if (!t.good)
		*e = t.e;
	return t.good;
}
