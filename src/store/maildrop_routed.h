/* SPDX-License-Identifier: Apache-2.0
 *
 * Routed views: of a mailbox, only the messages for one address (PRODUCT 3, routed names).
 *
 * A message is for an address when a field called route_header lists it: all of it, or its
 * local part alone, in any case; several such fields, and lists in them, count as one.
 * The store keeps these addresses in its index as messages are appended, so that a view costs
 * the walk over the index that maildrop_open makes, once more, and a look at each message that
 * lists anybody. Of messages that were appended while another name was looked for, that
 * list very many, or lie in a Maildir, the headers are read, 256 KiB at most, and what they say is remembered
 * (routed_known.h; not of those that list very many): the first view of such a box is slow, later ones are not.
 *
 * In a job: it may wait for the disk. The records that remain keep their unique-ids; numbers are
 * those of the view. Errors are maildrop_open's. */
#pragma once

#include "store/maildrop.h"

/* The name of the fields that are looked for, from now on: said by who opens the store, and again when it
 * changes (store.h's thread; a name that was never said before blocks for one commit). X-Real-To before. */
[[nodiscard]] bool store_route_header(struct store *s, const char *name, struct err *e);

/* `box` is ACCOUNT/BOX of the embedded store: maildrop_open and maildrop_route. */
[[nodiscard]] bool maildrop_open_routed(struct store *s, const char *box, const char *address, struct maildrop **drop, struct err *e);
/* Leaves in a maildrop, just opened and lent to nobody, what is for the address. Also one that lies in a Maildir
 * (mdir.h): what its headers say is remembered by the names of its files. What cannot be read is not in the view. On
 * false it is as it was. */
[[nodiscard]] bool maildrop_route(struct store *s, struct maildrop *drop, const char *address, struct err *e);
