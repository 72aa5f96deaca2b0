/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes that lie in Maildirs, as `postrider mailbox` has them: the API says where they lie, and what is to be
 * done there is done with files, here, by whoever runs the command. */
#pragma once

#include "main/cli.h"
#include "store/place.h"

/* Where ACCOUNT/BOX lies; `known`: the store knows the account. */
[[nodiscard]] bool maildirs_find(struct cli *cli, const char *name, struct place *place, bool *known, struct err *e);
/* Calls print for each mailbox of this kind: "mailbox", "maildir", "messages" (null when it cannot be read: then "why"). */
[[nodiscard]] bool maildirs_list(struct cli *cli, void (*print)(json_t *row), struct err *e);
/* Calls print for each message: "number", "file", "octets", "arrived", "seen", "from", "subject". */
[[nodiscard]] bool maildirs_show(const struct place *place, void (*print)(json_t *row), struct err *e);
