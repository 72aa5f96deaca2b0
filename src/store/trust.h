/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates that were not trusted: what servers offered, kept for people to look at.
 *
 * One entry a HOST:PORT (host in lower case, an IPv6 address in brackets), at
 * most TRUST_HOSTS_MAX of them: when a new one comes, the one that was not
 * seen for the longest goes.  What people accepted is kept apart (trusted.h): another chain
 * of such a server is an offer like any other.  An entry belongs to one chain, which is PEM, the
 * server's own certificate first, at most TRUST_CHAIN_MAX octets.  The same
 * chain again counts (`times`, `last_seen`, the newest reason); another chain
 * begins anew with times = 1.  Texts in a chain are a
 * stranger's, and nobody proved to have its keys.
 *
 * trust_note never waits: it copies, and the entry is durable soon; store_close
 * waits for it.  Notes are committed one after another.  What cannot be kept (the
 * disk is full) is logged, and nothing else comes of it.  It must be called on
 * the store's own thread, as everything; whoever reads sees what is durable.
 * Damaged entries count as not there: that trusts nobody. */
#pragma once

#include "base/buf.h"
#include "store/store.h"

enum {
	TRUST_HOSTS_MAX = 1000,
	TRUST_CHAIN_MAX = 64 * 1024,
	TRUST_HOST_MAX = 255,
	TRUST_NAME_MAX = TRUST_HOST_MAX + 8,	/* "[", "]", ":65535" */
};

struct trust_entry {
	char name[TRUST_NAME_MAX + 1];	/* "pop.example.org:995", "[2001:db8::1]:995" */
	char host[TRUST_HOST_MAX + 1];	/* without brackets */
	uint16_t port;
	int64_t first_seen, last_seen;	/* seconds since 1970, of this chain */
	uint32_t times;
	char reason[sizeof(((struct err *)0)->text)];	/* why it was not trusted, when last seen */
};

/* A host that is too long, or a chain that is empty or too long, is not kept. */
void trust_note(struct store *s, const char *host, uint16_t port, struct span chain, const char *reason);
/* Behind an error of its server: where to look.  Whole or not at all: a name that is cut would mislead. */
void trust_hint(struct err *e, const char *host, uint16_t port);
/* Walks entries in the order of their names; start with entry->name[0] = 0. */
bool trust_each(struct store *s, struct trust_entry *entry);
bool trust_get(struct store *s, const char *host, uint16_t port, struct trust_entry *entry);
/* The chain of an entry is added to `chain`.  ERR_CONFIG: there is no such entry; ERR_LOCAL: it does not fit. */
[[nodiscard]] bool trust_chain(struct store *s, const char *name, struct buf *chain, struct err *e);
