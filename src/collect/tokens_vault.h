/* SPDX-License-Identifier: Apache-2.0
 *
 * Access tokens over the vault of a store: where refresh tokens are kept (store/vault.h). */
#pragma once

#include "collect/tokens.h"
#include "store/store.h"

/* As tokens_new; `s` outlives the loop.  NULL: there is no store, and tokens come by client credentials only. */
[[nodiscard]] struct tokens *tokens_vault(struct loop *l, struct store *s, struct err *e);
