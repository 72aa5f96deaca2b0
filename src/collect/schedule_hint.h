/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server said about coming back later, found in the text of an error (err_peer's words; ours are not
 * looked at): response codes ([SYS/TEMP], [LOGIN-DELAY], [UNAVAILABLE], [LIMIT]), "try again in 5 minutes", and
 * what the large providers write instead (VIOLATIONS.md).
 *
 * An error that says that credentials were refused is a hint only where the words leave no doubt: "invalid
 * password, please try again" is none. */
#pragma once

#include "base/err.h"

enum { HINT_MAX_S = 24 * 3600 };

struct hint {
	bool said;		/* there are words of the server's: it is there */
	bool throttled;		/* it asks us to come later */
	bool crowded;		/* there are too many sessions */
	bool host;		/* all connections from this machine, not this account's alone */
	int64_t delay_s;	/* for how long, at most HINT_MAX_S; 0 = it did not say */
};

struct hint hint_read(const struct err *why);
