/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom a message is for at one target, and what goes out before it (PRODUCT 2.1, envelope).
 *
 *     if (routing_wanted(sink)) … routing_of(sink, spool, &r, &e) → by r.what → routing_end(&r)
 *
 * The target's own envelope counts, else the connection's.  Without any: a command, a folder, a mailbox gets the message as it
 * is, for nobody in particular (recipient_count 0).  The sender is what the message's Return-Path says, "" if that is missing,
 * empty or no address.
 *
 * The lead ends with the mark of the loop guard; before it, for a mailbox or a Maildir, is an X-Real-To for each recipient.
 * In a mailbox of ours these alone say whom the message is for: whatever X-Real-To the message brought along counts for
 * nobody there (store/routed.h).
 *
 * Looked at are the fields that are whole within ROUTING_HEADER_MAX octets of the message itself, not of what spool_lead put
 * before it: for another target, as it may be.  Blocks only as reading a spool does.  Errors: ERR_LOCAL (disk, memory). */
#pragma once

#include "config/settings.h"
#include "store/spool.h"

struct sink;

enum { ROUTING_HEADER_MAX = 256 * 1024 };

struct routing {
	enum envelope_what what;
	char why[ENVELOPE_WHY];		/* not DELIVER */
	const char *sender;		/* all of it in one allocation of its own: */
	const char *const *recipients;	/* as SMTP wants them (envelope_path), C strings */
	size_t recipient_count;
	struct span lead;		/* lines that go out before the message; empty without envelope */
	void *memory;
};

/* There is an envelope section that counts for it. */
bool routing_wanted(const struct sink *k);
/* On false there is nothing to end. */
[[nodiscard]] bool routing_of(const struct sink *k, const struct spool *message, struct routing *r, struct err *e);
void routing_end(struct routing *r);

/* The same without a visit: of a message of that connection, for that target. */
const struct envelope_rules *routing_rules(const struct connection *c, const struct target *t);	/* NULL: no section counts */
[[nodiscard]] bool routing_between(const struct connection *c, const struct target *t, const struct spool *message, struct routing *r, struct err *e);
