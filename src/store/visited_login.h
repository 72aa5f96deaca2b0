/* SPDX-License-Identifier: Apache-2.0
 *
 * How a connection logged in, beyond the process that did: one small record a name.  Mechanisms are numbers here, those of
 * enum sasl_mech, which are never given another meaning; VISITED_NO_MECH is none.
 *
 * As with visited.h it is never waited for, what cannot be kept is logged, damaged records count as not there, and
 * visited_forget forgets it, too.  For the store's own thread. */
#pragma once

#include "store/visited.h"

enum { VISITED_NO_MECH = 255 };

struct visited_login {
	uint8_t worked;			/* the last login was by this one, */
	uint32_t refused;		/* after the server had refused these (bits), and not for the credentials */
	uint8_t unproved;		/* by this one the server could not prove who it is, and no login was good since; */
	int64_t unproved_at;		/* that was then */
	uint8_t sum[VISITED_SUM];	/* of the settings with which all of that was */
};

void visited_login_note(struct store *s, const char *name, const struct visited_login *l);
bool visited_login_get(struct store *s, const char *name, struct visited_login *l);
