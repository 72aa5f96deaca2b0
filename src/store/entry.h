/* SPDX-License-Identifier: Apache-2.0
 *
 * A ledger's entry at rest, and how ids are made (PRODUCT 2.3). */
#pragma once

#include "store/ledger.h"

enum { ENTRY_MAX = 136 + LEDGER_UID_MAX + LEDGER_ERROR_MAX + LEDGER_TARGETS_MAX * (10 + LEDGER_PLACE_MAX) };

/* All but the id, which is the key.  Texts that are too long are cut. */
struct span entry_pack(char value[ENTRY_MAX], const struct ledger_entry *entry);
/* The id becomes zero.  False: damaged, *entry is then anything. */
[[nodiscard]] bool entry_unpack(struct span value, struct ledger_entry *entry);
