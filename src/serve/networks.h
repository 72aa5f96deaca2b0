/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of networks, from the settings: `trusted` of a listener, `except`.
 *
 * The settings hold texts that are well-formed already; these are what
 * networks_have asks. */
#pragma once

#include "base/arena.h"
#include "config/settings.h"
#include "net/network.h"

struct networks {
	const struct network *at;
	size_t count;
};

/* The array lives in the arena.  ERR_CONFIG: one of the texts is no network, which the settings do not let pass. */
[[nodiscard]] bool networks_read(struct arena *a, const struct texts *texts, struct networks *out, struct err *e);
