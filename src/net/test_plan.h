/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a visitor's plan for TLS, and our side of its visit.
 *
 *     plans_set_up, plans_tear_down		a group's fixtures: certificates, contexts
 *     plan_visit(&c, plan_server(NULL), CONN_TLS_IMPLICIT, timeout, plan_converses, &plan)
 * plan_converses handshakes as planned, waits for a line, says QUIT, and notes what it
 * saw.  Our side greets, does STLS, answers, and ends at QUIT; what it knows of
 * the session is noted too, so that both can be compared. */
#pragma once

#include <stdatomic.h>

#include "net/test_pki.h"
#include "net/test_visitor.h"
#include "net/tls_server.h"

enum { PLAN_LINE = 200, PLAN_PATIENCE_MS = 60000 };

struct plan {
	int version;			/* the newest it speaks; 0 = any */
	const struct pki *certificate;	/* its own */
	bool verifies;
	const char *ciphers, *groups;	/* that it knows */
	const char *alpn;		/* as lengths and names */
	SSL_SESSION *session, *got;
	bool resumed, wrong;
	char binding[64], ours[64];	/* the visitor's, and what our side says */
	size_t binding_len, ours_len;
	size_t taken, sent, queued;
	atomic_bool starved;
};

extern struct pki plan_authority, plan_self, plan_other, plan_anna, plan_stranger;
extern const char *plan_ca;		/* the file of the authority */

SSL_CTX *plan_context(const struct plan *p);	/* a visitor's; p NULL: nothing special */
struct tls_server *plan_server(const char *ca);	/* our side's, with the certificate of now */
void plan_write(const struct pki *p);		/* that certificate becomes the one of now */
void plan_talk(struct server_peer *peer, struct plan *p);	/* after the handshake */
void plan_converses(struct server_peer *peer, void *plan);
size_t plan_turn(struct client *c, struct span in);
void plan_visit(struct client *c, struct tls_server *t, enum conn_tls tls, uint32_t timeout_ms,
	void (*talks)(struct server_peer *p, void *user), struct plan *p);
int plans_set_up(void **state);
int plans_tear_down(void **state);
