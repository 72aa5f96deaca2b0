/* SPDX-License-Identifier: Apache-2.0
 *
 * A message that a client hands in for delivery (XTND XMIT): who it is for, and the header
 * that goes on (PRODUCT 3).
 *
 *     submitted_read(s, head, all, &e)            head: the message, or its first octets
 *     write submitted_added(s, …)                 Date and Message-ID, when missing: on top
 *     for (at = …; submitted_next(s, &at, &kept);)
 *         write kept                              the header without what must not go on
 *     write what follows s->header in the message
 *
 * Recipients are the addresses of To, Cc and Bcc; or, where there is a Resent-To, Resent-Cc or
 * Resent-Bcc, of these alone (RFC 5322 3.6.6), and then only those of the latest resending,
 * which is on top: it ends where a second Resent-From or Resent-Date begins, or at a Received
 * or Return-Path below it. Each once, in whatever case it is written again, in the order in which they
 * stand; a word alone has no domain.  Something there that is no address is an error: nobody is left out silently.
 * Taken out are all Bcc and Resent-Bcc fields, Return-Path (RFC 5321 4.4: the last server's) and
 * lines of mbox that begin "From ". All else stays as it is, octet for octet.
 *
 * Errors are ERR_PEER, and their texts can be told to the client: no recipient, more than
 * SUBMITTED_RECIPIENTS, something in one of the fields above that is no address (wire/addresses.h; the text names the field),
 * a header of more than SUBMITTED_HEADER octets, a CR in it without an LF, or a line that is
 * no field: whoever reads such a message may take what follows for header or for body, and a Bcc
 * in it would be shown to all. Nothing is allocated; `struct submitted` is large (some 34 KB).
 * The work is linear in the header. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "wire/addresses.h"

enum { SUBMITTED_RECIPIENTS = 100, SUBMITTED_HEADER = 256 * 1024, SUBMITTED_ADDED = 512 };

struct submitted {
	struct span fields, end;	/* of the header, borrowed; the empty line, if there is one */
	size_t header;			/* octets of both: where the body begins */
	size_t count;			/* recipients */
	uint32_t received;		/* Received fields: how many servers had it already */
	bool has_date, has_message_id;
	struct address recipients[SUBMITTED_RECIPIENTS];
};

/* `all`: head is the whole message. Else it should have SUBMITTED_HEADER octets, or the end of the header in it. */
[[nodiscard]] bool submitted_read(struct submitted *s, struct span head, bool all, struct err *e);
/* The fields that are missing, into `out` (nothing when none is): Date is `now` (seconds since 1970) in UTC, Message-ID
 * is <id@host>; both are the caller's, of atoms and dots. False: `out` has no room; SUBMITTED_ADDED octets
 * are enough when id and host have 400 together. */
[[nodiscard]] bool submitted_added(const struct submitted *s, int64_t now, const char *id, const char *host, struct buf *out);
/* The next run of octets that go on, the empty line last; *at begins as 0. The message has not moved. */
bool submitted_next(const struct submitted *s, size_t *at, struct span *kept);
