/* SPDX-License-Identifier: Apache-2.0
 *
 * `postrider test` and trust: what people accepted counts for it as for a visit, and what a server offers that is
 * not trusted is kept as a visit's would be.
 *
 *     trust_probe_begin(&t, cli, contexts, look, user, &e) … trust_probe_offered as collector_with.offered, with &t … trust_probe_end(&t)
 * At the beginning the store is looked at for a moment (store_look), which leaves it as it is; at the end, where there is something
 * to keep, it is opened for a moment.  Where somebody has it, whoever runs is asked.  It is never open while the test talks to servers, unless
 * cli->store is there.  A state that does not exist is not made.  At the beginning `look` may read what else it wants from
 * the store; it is not called where there is none, or somebody else has it. */
#pragma once

#include "main/cli.h"
#include "net/conn.h"
#include "net/tls_trust.h"

struct trust_offer;

struct trust_probe {
	struct cli *cli;
	struct tls_trust *trust;
	struct trust_offer *offers;
	struct err why;			/* what was accepted could not be read; ERR_NONE: it was */
};

[[nodiscard]] bool trust_probe_begin(struct trust_probe *t, struct cli *cli, struct tls_contexts *contexts, void (*look)(void *user, struct store *store),
	void *user, struct err *e);
/* Is there a place to keep offers in?  Else nobody is to hear that they were kept. */
bool trust_probe_keeps(const struct trust_probe *t);
void trust_probe_offered(struct trust_probe *t, const char *host, uint16_t port, const struct conn_offered *offered);
/* After all contexts. */
void trust_probe_end(struct trust_probe *t);
