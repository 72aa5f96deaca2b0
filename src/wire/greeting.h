/* SPDX-License-Identifier: Apache-2.0
 *
 * What kind of server is this?  Told by the first octets that it says.
 *
 * For words to people whose `port`, `protocol` or `tls.mode` is a wrong one: the
 * octets may break off anywhere, and what is not clear from them is unknown. */
#pragma once

#include "base/span.h"

enum greeting {
	GREETING_UNKNOWN,
	GREETING_POP3,
	GREETING_IMAP,
	GREETING_SMTP,	/* or FTP: both begin with "220" */
	GREETING_HTTP,
	GREETING_SSH,
	GREETING_TLS,	/* a record of TLS: an alert, or a handshake */
};

enum greeting greeting_of(struct span first);
const char *greeting_name(enum greeting g);	/* "an IMAP server" */
