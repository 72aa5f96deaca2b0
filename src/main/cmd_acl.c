/* SPDX-License-Identifier: Apache-2.0
 * postrider acl: rights to other users' mailboxes */
#include <stdio.h>

#include "main/commands.h"
#include "main/say.h"

static void print_line(const json_t *row)
{
	(void)printf("%s  %s  %s\n", json_member_text(row, "mailbox"), json_member_text(row, "who"), json_member_text(row, "rights"));
}

/* A mailbox, and behind it who, and the rights; NULL, and said why, for what is not UTF-8. */
static json_t *words(const struct cli *cli)
{
	static const char *const names[] = { "who", "rights" };
	json_t *args = over_args(cli, "mailbox", cli->args[1]);

	for (size_t n = 2; n < cli->arg_count && args; n++)
		if (json_object_set_new(args, names[n - 2], json_string(cli->args[n])) != 0) {
			json_decref(args);
			args = NULL;
			(void)cli_usage(cli, "%s: its %s is not UTF-8", cli->args[0], names[n - 2]);
		}
	return args;
}

static int list(struct cli *cli)
{
	json_t *args = cli->arg_count > 1 ? words(cli) : NULL;

	if (cli->arg_count > 1 && !args)
		return EXIT_USAGE;
	return over_list(cli, "acl.list", args, print_line);
}

static int set(struct cli *cli)
{
	json_t *args = words(cli);

	if (args && cli_option(cli, "any-user"))
		(void)json_object_set_new(args, "any_user", json_true());
	return over_do(cli, "acl.set", args, "%s may %s in %s", cli->args[2], cli->args[3], cli->args[1]);
}

static int remove_rights(struct cli *cli)
{
	return over_do(cli, "acl.remove", words(cli), "%s has no rights of its own in %s any more", cli->args[2], cli->args[1]);
}

static const struct verb verbs[] = {
	{ "list", 0, 1, "one mailbox, or none", list }, { "remove", 2, 2, "a mailbox and an account", remove_rights },
	{ "set", 3, 3, "a mailbox, an account and the rights", set }, { .name = NULL },
};

static int run(struct cli *cli)
{
	return over_verbs(cli, verbs, "set BOX WHO RIGHTS, list [BOX] or remove BOX WHO");
}

const struct command cmd_acl = {
	.name = "acl", .usage = "set ACCOUNT/BOX WHO RIGHTS | list [ACCOUNT/BOX] | remove ACCOUNT/BOX WHO", .run = run,
	.does = "rights to other users' mailboxes", .options = { { "any-user", false }, { NULL, false } },
	.help = "WHO is an account, or \"anyone\": everybody who can log in.  RIGHTS are letters of RFC 4314:\n"
		"  l  may know that the mailbox is there       s  what is read becomes seen\n"
		"  r  may read it                              t  may delete messages\n"
		"as in: postrider acl set boss/INBOX anna lrst.  They are in place of what WHO had there before.  anna then opens it\n"
		"as user ~boss/INBOX#anna.  The account of a mailbox has all rights, always.  The mailbox need not be there yet.\n"
		"  --any-user  the accounts may be known to another user source only (passwd-file, PAM)\n",
};
