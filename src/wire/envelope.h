/* SPDX-License-Identifier: Apache-2.0
 *
 * The envelope of a message that lay in a mailbox, where it has none any more (PRODUCT 2.1, `envelope`): whom
 * a catch-all's message is for, out of its header; and whether it went this way before.
 *
 *     envelope_read(&v, header, &rules)
 *     if (v.what == ENVELOPE_DELIVER) {
 *         envelope_mark(&v, connection, host, mark);
 *         if (envelope_guard(&v, header, mark))
 *             write envelope_added(&v, mark, ENVELOPE_REAL_TO, &out) on top, then the message
 *     }
 *
 * Recipients, by what gives any first:
 *   - `recipients` of the rules: these, whatever the header says;
 *   - each of `headers`, in their order: of the fields of that name those that stand uppermost, one directly below
 *     the other, and have an address that counts: what is further down is of an earlier host's delivery.  An address
 *     counts when it is in source_domain; all do when there is none.  A word alone is in source_domain, else in
 *     target_domain, else it does not count.  Fields with a mark of ours are passed over;
 *   - only with source_domain: all addresses in it of all To, Cc and Bcc fields; there a word alone does not count.
 * What was found goes to target_domain, if that is set, in place of its own domain.  Each once, in whatever
 * case it is written again; domains are compared without case.
 * Nothing found: no_recipient.  ENVELOPE_REFUSED is as if a target had refused for good (on_refused decides): more
 * than ENVELOPE_RECIPIENTS, or a loop.
 *
 * The mark tells this connection and these recipients; a message that comes back by the same connection to the same
 * ones is a loop (the same message to others is none: who forwards mail may do so through here twice), and so is
 * one with more than ENVELOPE_HOPS Received fields.
 *
 * What goes out of here on top ends with the mark: whoever reads it later (a routed view, the next catch-all) can tell the
 * X-Real-To fields that were added here, above it, from any that the message brought along, below it.
 *
 * The sender is what the first Return-Path says: whoever delivered the message wrote it (RFC 5321 4.4).
 *
 * `header`: the message, or as much of its beginning as the caller has.  Recipients are C strings without controls;
 * their local parts are unquoted (wire/addresses.h): envelope_path writes one as SMTP and header fields want it.
 * Nothing is allocated; `struct envelope` is large (some 34 KB).  The work is linear in the header, for each of `headers`. */
#pragma once

#include "base/buf.h"
#include "wire/addresses.h"
#include "wire/envelope_rules.h"
#include "wire/header.h"

#define ENVELOPE_REAL_TO "X-Real-To"

enum { ENVELOPE_RECIPIENTS = 100, ENVELOPE_HOPS = 50, ENVELOPE_MARK = 320, ENVELOPE_PATH = 2 * ADDRESS_MAX + 2 };

struct envelope {
	enum envelope_what what;
	size_t count;			/* 0, unless DELIVER */
	const char *found;		/* DELIVER: "recipients", "no_recipient", or the field as the rules, or "To, Cc, Bcc", name it; borrowed of them */
	char why[ENVELOPE_WHY];		/* not DELIVER: in words */
	struct address recipients[ENVELOPE_RECIPIENTS];
};

void envelope_read(struct envelope *v, struct span header, const struct envelope_rules *rules);
/* postrider.HEX@host; a host of more than 255 octets is cut. */
void envelope_mark(const struct envelope *v, const char *connection, const char *host, char mark[ENVELOPE_MARK]);
/* False: a loop; *v is REFUSED then and says why. */
bool envelope_guard(struct envelope *v, struct span header, const char *mark);
/* `real_to`: ADDRESS for each recipient when that is not NULL, then "Delivered-To: MARK".  False: no room. */
[[nodiscard]] bool envelope_added(const struct envelope *v, const char *mark, const char *real_to, struct buf *out);
/* anna k@c → "anna k"@c; at most ENVELOPE_PATH octets.  False: no room. */
[[nodiscard]] bool envelope_path(const struct address *a, struct buf *out);
/* Is the field "Delivered-To" with a mark, whoever's? */
bool envelope_is_mark(const struct header_field *field);
/* False, and *sender empty: <>, no such field, or something that is not one address with a domain. */
bool envelope_sender(struct span header, struct address *sender);
