/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of addresses: the value of To, Cc, X-Real-To … (RFC 5322 section 3.4,
 * with the obsolete forms of 4.4), taken apart in one pass.
 *
 *     struct span list = field.value;          (as header_next gives it, folds and all)
 *     while (addresses_next(&list, &address))
 *         use(address.text);
 *
 * Yielded is each addr-spec: display names, comments, folds, the names of groups and
 * routes (<@a,@b:anna@c>) are passed over; blanks and comments around '.' and '@' are
 * taken out, quoted words unquoted ("anna k"@c → anna k@c); nothing is decoded
 * (RFC 2047) and no case is folded. Octets above 127 are letters (RFC 6532).
 * ';' parts like ',' also outside of groups: so people write it.
 * A word alone ("anna", <anna>) is a local part without a domain: `local` == `len`.
 * Dots that follow or double others in a local part (anna..k.@c) are real and taken.
 *
 * What is no address (two words side by side, an empty label or part, a control octet, an
 * unclosed quote, comment or '<', more than ADDRESS_MAX octets) is skipped, up to the next
 * ',' or ';' that is in no quotes and no comment; the others of the list are still found.
 *
 * The text has no octet below 0x20 and no DEL, so that it is a C string; a local part that
 * was quoted may have blanks, '@', '"', '/' … in it: the domain is what follows `local` + 1,
 * and who builds a path, a command or an SMTP line looks first. Nothing is allocated, and
 * the work is linear in the list. */
#pragma once

#include "base/span.h"

enum { ADDRESS_MAX = 320 };		/* 64 octets, '@', 255 (RFC 5321 4.5.3.1) */

struct address {
	size_t local, len;		/* octets of the local part; of all */
	char text[ADDRESS_MAX + 1];
};

/* *list becomes what follows. False: there are no more. */
bool addresses_next(struct span *list, struct address *address);

/* The same, and BAD for what is skipped there; what is between two commas and empty, or a comment, and the end of
 * a group, are nothing. */
enum addresses_what { ADDRESSES_END, ADDRESSES_ONE, ADDRESSES_BAD };
enum addresses_what addresses_any(struct span *list, struct address *address);

static inline bool address_has_domain(const struct address *a)
{
	return a->local < a->len;
}
