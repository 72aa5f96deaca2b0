/* SPDX-License-Identifier: Apache-2.0
 *
 * Import into a mailbox, a function for each form (exchange.h): `path` is what
 * follows the colon; what became durable is added to *count.  Lone LF line ends become CRLF.  While one runs, nothing
 * else of the store may be under way: it takes all answers. */
#pragma once

#include "store/box.h"
#include "store/exchange.h"

[[nodiscard]] bool import_maildir(struct mailbox *box, const char *path, uint64_t *count, struct err *e);
[[nodiscard]] bool import_mbox(struct mailbox *box, const char *path, uint64_t *count, struct err *e);
[[nodiscard]] bool import_eml(struct mailbox *box, const char *path, uint64_t *count, struct err *e);
