/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a server that compresses when it is asked, and a client that asks.
 *
 * Both end of the same case: struct act says what the server does behind its
 * answer (ACT_ANSWER), act_run runs it with a client whose turns begin with
 * act_begin.  act_set_up and act_tear_down make and drop what TLS wants. */
#pragma once

#include "net/test_client.h"
#include "net/test_server.h"

enum { ACT_LINE = 200, ACT_PATIENCE_MS = 60000 };

#define ACT_ANSWER "P1 OK\r\n"

struct act {
	bool tls;
	size_t cut;			/* what is sent leaves in pieces of so many octets */
	void (*talk)(struct server_peer *p, struct act *a);	/* compressed */
	const char *raw;		/* behind the answer, as it is */
	size_t got;			/* octets that the client sent */
	bool wrong, in_order;
	struct peer_zip zip;
};

void act_serves(struct server_peer *p, void *user);	/* a server's talk; `user` is the act */
/* Asks when greeted; true when it was answered and compression began.  `used` is what turn returns. */
bool act_begin(struct client *c, struct span in, size_t *used);
size_t act_listens(struct client *c, struct span in);	/* a turn that only gathers */
void act_open_clear(struct client *c, const struct server *server, size_t (*on_turn)(struct client *c, struct span in));
void act_run(struct act *a, struct client *c, size_t (*on_turn)(struct client *c, struct span in));
int act_set_up(void **state);
int act_tear_down(void **state);
