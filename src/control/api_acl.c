/* SPDX-License-Identifier: Apache-2.0
 * Operations on rights to mailboxes. */
#include <stdio.h>

#include "control/json.h"
#include "control/operation.h"
#include "store/acl.h"

enum { ACL_CURSOR = MAILBOX_NAME_MAX + 1 + ACCOUNT_NAME_MAX + 1 };

static json_t *row_of(const char *box, const char *who, unsigned rights)
{
	char text[ACL_TEXT];

	return json_pack("{s:o, s:o, s:s}", "mailbox", json_text(box), "who", json_text(who), "rights", acl_text(rights, text));
}

/* A cursor is the mailbox, and in a line of its own who: no name has a line end. */
static bool read_cursor(char cursor[ACL_CURSOR], char box[MAILBOX_NAME_MAX + 1], char who[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	char *end = strchr(cursor, '\n');

	box[0] = who[0] = '\0';
	if (!*cursor)
		return true;
	if (!end || end - cursor > MAILBOX_NAME_MAX || strlen(end + 1) > ACCOUNT_NAME_MAX)
		return err_set(e, ERR_CONFIG, "after is not what an answer's next said");
	(void)snprintf(box, MAILBOX_NAME_MAX + 1, "%.*s", (int)(end - cursor), cursor);
	(void)snprintf(who, ACCOUNT_NAME_MAX + 1, "%s", end + 1);
	return true;
}

/* Of one mailbox, or of all. */
static bool list(struct api_call *c, struct err *e)
{
	char cursor[ACL_CURSOR], given[MAILBOX_NAME_MAX + 1], only[MAILBOX_NAME_MAX + 1] = "", box[MAILBOX_NAME_MAX + 1], who[ACCOUNT_NAME_MAX + 1];
	bool one = call_has(c, "mailbox");
	unsigned rights;
	struct page p;

	if (one && (!call_mailbox(c, given, e) || !mailbox_name(given, only, e)))
		return false;
	if (!page_start(&p, c, cursor, sizeof cursor, e))
		return false;
	if (!read_cursor(cursor, box, who, e)) {
		json_decref(p.rows);
		return false;
	}
	if (one)
		memcpy(box, only, sizeof box);
	while (page_room(&p) && (one ? acl_next(c->api->store, box, who, &rights) : acl_each(c->api->store, box, who, &rights)))
		page_add(&p, row_of(box, who, rights));
	(void)snprintf(cursor, sizeof cursor, "%s\n%s", box, who);
	return page_end(&p, cursor, e);
}

/* The mailbox and who, by the rules for names. */
static bool take_names(struct api_call *c, char box[MAILBOX_NAME_MAX + 1], char who[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	char given[MAILBOX_NAME_MAX + 1];

	return call_mailbox(c, given, e) && mailbox_name(given, box, e) && acl_who(call_text(c, "who"), c->api->main_domain, who, e);
}

static bool set(struct api_call *c, struct err *e)
{
	char box[MAILBOX_NAME_MAX + 1], who[ACCOUNT_NAME_MAX + 1];
	unsigned rights, how = call_flag(c, "any_user") ? ACL_ANY_USER : 0;

	if (!acl_letters(call_text(c, "rights"), &rights))
		return err_set(e, ERR_CONFIG, "rights: %.80s is not out of l (lookup), r (read), s (seen), t (delete); acl remove takes all away",
			call_text(c, "rights"));
	return take_names(c, box, who, e) && acl_set(c->api->store, box, who, rights, how, e) && call_answer(c, row_of(box, who, rights), e);
}

static bool remove_rights(struct api_call *c, struct err *e)
{
	char box[MAILBOX_NAME_MAX + 1], who[ACCOUNT_NAME_MAX + 1];

	return take_names(c, box, who, e) && acl_set(c->api->store, box, who, 0, 0, e) && call_answer(c, row_of(box, who, 0), e);
}

#define WHO { "who", ARG_TEXT, true, 1024 }

static const struct arg args_list[] = { { "mailbox", ARG_TEXT, false, 1024 }, ARGS_PAGE, ARGS_END };
static const struct arg args_remove[] = { ARG_MAILBOX, WHO, ARGS_END };
static const struct arg args_set[] = { ARG_MAILBOX, WHO, { "rights", ARG_TEXT, true, 80 }, { "any_user", ARG_FLAG, false, 0 }, ARGS_END };

const struct operation api_acls[] = {
	{ .name = "acl.list", .quiet = true, .args = args_list, .run = list },
	{ .name = "acl.remove", .args = args_remove, .run = remove_rights },
	{ .name = "acl.set", .args = args_set, .run = set },
	{ .name = NULL },
};
