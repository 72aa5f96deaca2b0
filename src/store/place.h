/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a box lies: in the embedded store, or in a Maildir.
 *
 * What says so, the first that says anything: what the source of users has for this account (`own`, a
 * path), the account's setting, its domain's, the store's default (store_maildirs: the key
 * pop3.maildir, told by whoever opens the store, and again after a reload).  A setting is a template
 * (wire/template.h), or "none": in the store, whatever else is said.
 * INBOX is the Maildir itself, another box a folder of it (Maildir++): anna/lists/info is
 * PATH/.lists.info, its name in modified UTF-7; a "." in a part of such a name is refused.
 *
 * A box that lies in a Maildir is not opened in the store (mailbox_open, incoming_new: ERR_CONFIG, the text
 * says where it lies), so that nothing is ever delivered where nobody looks.  What the store has of it
 * from before stays, unseen; therefore a setting that would hide mail is refused (ERR_CONFIG, the
 * text says what to do), or, while some is coming in, ERR_BUSY.  The default cannot be refused: place_hidden
 * tells which mail it hides.
 *
 * place_find, place_get, place_hidden: any thread.  The others: the store's, and all but store_maildirs block. */
#pragma once

#include <limits.h>

#include "store/mailbox.h"
#include "store/maildir.h"
#include "wire/template.h"

enum place_kind { PLACE_STORE, PLACE_MAILDIR };

struct place {
	enum place_kind kind;
	char path[PATH_MAX];	/* PLACE_MAILDIR: absolute, one spelling; "" in the store */
	size_t account_len;	/* of it, the account's Maildir; what follows is "/.FOLDER", or nothing */
};

/* `box` is ACCOUNT/BOX.  The account need not be in the store.  ERR_CONFIG: a name that makes no path
 * (place.c's and template.h's rules); ERR_LOCAL: a damaged setting. */
[[nodiscard]] bool place_find(struct store *s, const char *box, const char *own, struct place *place, struct err *e);

/* The store's default; NULL or "" = none.  Copied. */
void store_maildirs(struct store *s, const char *text);

/* What an account or, as "@client1.com", a domain has set: "" = nothing, "none" or a template.  `who` as account_name has it. */
void place_get(struct store *s, const char *who, char text[TEMPLATE_MAX + 1]);
/* `text`: "default" = nothing, "none", or a template; that of a domain needs %u or %n. */
[[nodiscard]] bool place_set_account(struct store *s, const char *name, const char *text, struct err *e);
[[nodiscard]] bool place_set_domain(struct store *s, const char *name, const char *text, struct err *e);

/* Walks the boxes of the store that have mail and lie in a Maildir; start with name[0] = 0. */
bool place_hidden(struct store *s, char name[MAILBOX_NAME_MAX + 1]);

/* Its path, for who opens it: no link is followed in it. */
struct below place_below(const struct place *place);
/* The Maildir of a place, for delivery; `box` as place_find had it.  It is made when it is missing, the account's first, then
 * the folder; but for an account that the store does not know the account's Maildir must be there (ERR_CONFIG).  Blocks (jobs). */
[[nodiscard]] bool place_open(struct store *s, const char *box, const struct place *place, struct maildir **m, struct err *e);
/* The same where the account is known to be good. */
[[nodiscard]] bool place_make(const struct place *place, struct maildir **m, struct err *e);

/* Whole mailboxes into a Maildir and out of it, as mailbox_import and mailbox_export (exchange.h) for those of the store; for
 * commands: what root brings belongs to the Maildir's owner (of a new one: the owner of `state`).  Both block. */
[[nodiscard]] bool place_import(const struct place *place, const char *state, const char *source, uint64_t *count, struct err *e);
[[nodiscard]] bool place_export(const struct place *place, const char *state, const char *target, uint64_t *count, struct err *e);
