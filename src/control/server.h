/* SPDX-License-Identifier: Apache-2.0
 *
 * The control socket of a running instance: STATE/control, mode 0600, for root
 * and our own uid; requests and replies are lines (request.h), answered in order.
 *
 *     s = control_server_new(loop, api, state, &e) … control_server_free(&s)
 * Between them, whoever drains store_next calls control_server_turn afterwards, so that what
 * waits for room in the store goes on.  It is freed before its API and its loop, and not from within a
 * call of its own (a hook).  A client may send its next requests before it
 * has the answers to those before.  Each begins when those before are answered, but for
 * appends, of which CONTROL_WINDOW are under way at most; the rest waits in the socket.  A request that cannot be read is answered, and then
 * the client is sent away, since what follows it cannot be told.
 *
 * What changes something is logged (its name and the client's process, never its arguments).
 * Errors: ERR_BUSY (another process listens there), ERR_LOCAL. */
#pragma once

#include "control/api.h"
#include "net/loop.h"

enum { CONTROL_CLIENTS = 32, CONTROL_WINDOW = 64 };

struct control_server;

[[nodiscard]] struct control_server *control_server_new(struct loop *l, struct api *api, const char *state, struct err *e);
void control_server_turn(struct control_server *s);	/* NULL: nothing to do */
void control_server_free(struct control_server **s);
