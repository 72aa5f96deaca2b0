/* SPDX-License-Identifier: Apache-2.0
 *
 * The message that tells a postmaster that another one could not be delivered (on_refused = return), or who submitted it: multipart/report
 * (RFC 6522) with a delivery status (RFC 3464) and the other message's header, or all of it, as a function of facts.
 *
 *     bounce_write(&facts, &out)	the whole message, lines end with CRLF
 * With `whole`, `out` ends where the other message is to stand: its octets follow as they are, the caller's to add, and behind them
 *     bounce_end(&facts, &out)
 * It is sent with the null sender, BOUNCE_SENDER, so that nothing can come back for it; and nobody makes a bounce of a
 * message whose own sender is null (RFC 5321 6.1): bounce_allowed.
 *
 * Texts are NUL-terminated; those that others said (diagnostic, recipients) may hold anything and are cut and made safe
 * here; host, id, from and to are the caller's own: host and id of letters, digits, '.' and '-'.  The header of the other message is
 * shown as it is, but for lines of more than BOUNCE_LINE octets, which are cut, NULs and lone CRs, which become '?', lines that begin with "--", and what is
 * beyond BOUNCE_HEADER.  `out` needs bounce_size at most. */
#pragma once

#include "base/buf.h"

enum { BOUNCE_LINE = 998, BOUNCE_HEADER = 32 * 1024, BOUNCE_RECIPIENTS = 100, BOUNCE_TEXT = 400 };

#define BOUNCE_SENDER ""

struct bounce_failed {
	const char *recipient;
	const char *status;		/* "5.1.1"; of another form: 5.0.0 */
	const char *diagnostic;		/* what the target said; NULL or "" = nothing */
};

struct bounce_facts {
	const char *host;		/* who reports */
	const char *id;			/* of this message, unique and not to be guessed */
	const char *from, *to;		/* "MAILER-DAEMON@host", "postmaster@example.org" */
	int64_t now, arrived;		/* seconds since 1970; arrived 0: not known */
	const char *connection, *target;	/* where it came from (NULL: its sender handed it in), where it did not get */
	const char *sender;		/* of the other message */
	const struct bounce_failed *failed;
	size_t failed_count;		/* at most BOUNCE_RECIPIENTS are named */
	struct span header;		/* of the other message, or the message; borrowed */
	bool whole;			/* the other message goes with it; `header` does not count */
};

static inline bool bounce_allowed(const char *sender)
{
	return *sender && strcmp(sender, "<>") != 0;
}
/* Octets that are always enough. */
size_t bounce_size(const struct bounce_facts *f);
/* False: no room. */
[[nodiscard]] bool bounce_write(const struct bounce_facts *f, struct buf *out);
[[nodiscard]] bool bounce_end(const struct bounce_facts *f, struct buf *out);
