/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/named.h"

#include <stdio.h>

#include "store/alias.h"

static bool last_hash(struct span given, size_t *at)
{
	for (size_t n = given.len; n > 0; n--)
		if (given.at[n - 1] == '#') {
			*at = n - 1;
			return true;
		}
	return false;
}

bool named_split(struct span given, struct named *out)
{
	struct span box;
	size_t at, slash;

	*out = (struct named){ .user = given };
	if (!last_hash(given, &at))
		return true;
	out->user = span_from(given, at + 1);
	box = (struct span){ given.at, at };
	if (span_starts(box, SPAN("~"))) {
		slash = span_find(box, '/');
		out->owner = (struct span){ box.at + 1, slash - 1 };
		box = span_from(box, slash + 1);
		if (!out->owner.len || out->owner.len > ACCOUNT_NAME_MAX)
			return false;
	}
	out->box = box;
	return out->user.len && box.len && box.len <= MAILBOX_NAME_MAX && !span_has_control((struct span){ given.at, at });
}

/* The account whose mailbox it is; "": there is none such. */
static void find_owner(struct store *s, struct span given, const char *account, char owner[ACCOUNT_NAME_MAX + 1])
{
	const char *domain = strchr(account, '@');

	/* Where the account is not in the store, another user source's, it is whom the rights name. */
	(void)account_resolve(s, given, domain ? domain + 1 : NULL, NULL, owner);
}

bool named_box(struct store *s, const struct named *n, const char *account, char box[MAILBOX_NAME_MAX + 1], unsigned *rights, struct err *e)
{
	char owner[ACCOUNT_NAME_MAX + 1], given[ACCOUNT_NAME_MAX + 1 + MAILBOX_NAME_MAX + 1];
	struct err ignored;

	*rights = 0;
	if (n->owner.len)
		find_owner(s, n->owner, account, owner);
	else
		(void)snprintf(owner, sizeof owner, "%s", account);
	(void)snprintf(given, sizeof given, "%s/%.*s", owner, n->box.len ? (int)n->box.len : 5, n->box.len ? n->box.at : "INBOX");
	if (mailbox_name(given, box, &ignored))
		*rights = acl_rights(s, box, account);
	if (*rights & ACL_READ)
		return true;
	return err_set(e, ERR_AUTH, "%s", *rights & ACL_LOOKUP ? NAMED_UNREADABLE : NAMED_REFUSED);
}

bool named_there(struct store *s, const char *box)
{
	return strcmp(box + strcspn(box, "/"), "/INBOX") == 0 || mailbox_there(s, box);
}
