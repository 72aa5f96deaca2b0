/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting another store in the place of a state directory's, so that a kill at
 * any instant leaves the one or the other.
 *
 *     STATE/store.restoring/new/data.mdb     the new store, whole and durable, and
 *     STATE/store.restoring/new/secret.key   its key, if it comes with one
 *     STATE/store.restoring/data.mdb         a second link to the old store,
 *     STATE/store.restoring/secret.key       and to the old key
 *     STATE/store.before-restore-TIME/       what store.restoring is called at the end, if there was an old one
 * The one rename of new/data.mdb to STATE/store/data.mdb decides.  As long as new/data.mdb is there nothing has
 * happened, and settling throws the new store away; once it is not, settling does what is left to do: the key, the
 * name.  Each step may be done again.  So whoever opens the state directory's store settles first: store_open does.
 *
 * All of this holds run.lock.  Errors: ERR_LOCAL. */
#pragma once

#include "base/err.h"

#define SETTLE_STAGE "store.restoring"
#define SETTLE_NEW SETTLE_STAGE "/new"

enum { SETTLE_ASIDE_MAX = 64 };

enum settled {
	SETTLED_NOTHING,	/* there was nothing to settle, or nothing to tell */
	SETTLED_BACK,		/* a restore had not come to its end: as if it never was */
	SETTLED_ON		/* it had: what was left to do is done */
};

/* `aside`: the name, in the state directory, of what was replaced; "" = nothing was. */
[[nodiscard]] bool settle(const char *state, enum settled *what, char aside[SETTLE_ASIDE_MAX], struct err *e);
/* Decides: the new store, which must be whole and durable in its stage, becomes the store, in the directory STATE/store,
 * which is there.  To be settled then. */
[[nodiscard]] bool settle_decide(const char *state, struct err *e);
