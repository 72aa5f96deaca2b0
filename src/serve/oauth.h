/* SPDX-License-Identifier: Apache-2.0
 *
 * The endpoint for tokens, from the settings (section oauth of pop3): its files are read here, at the start, by a
 * reload, and by `check`.
 * Errors: ERR_CONFIG, with the place of that section; ERR_LOCAL. */
#pragma once

#include "config/settings_pop3.h"
#include "serve/introspect.h"
#include "store/store.h"

/* `store`: where a client_secret vault:NAME is; NULL: nobody looks for that one.  *out: for introspect_take; NULL when there is no such section. */
[[nodiscard]] bool oauth_read(const struct pop3_settings *p, struct store *store, struct introspect_endpoint **out, struct err *e);
[[nodiscard]] bool oauth_check(const struct pop3_settings *p, struct err *e);
