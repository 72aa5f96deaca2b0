/* SPDX-License-Identifier: Apache-2.0
 *
 * What people accepted and imported, handed from the store to those who judge certificates: net does not
 * know the store.
 *
 *     trust = tls_trust_new(&e); tls_contexts_trust(contexts, trust); trusting_load(store, trust)
 * and trusting_load again whenever the store's changed; collector_distrust, relay_distrust then end what is
 * under way to servers that lost it. */
#pragma once

#include "net/tls_trust.h"
#include "store/trusted.h"

/* Without memory nobody is trusted; what cannot be read trusts nobody: both are logged. */
void trusting_load(struct store *s, struct tls_trust *trust);
/* One of them into a set; false: it cannot be read. */
[[nodiscard]] bool trusting_add(struct tls_trust_set *set, const struct trusted *one, struct span pem);
