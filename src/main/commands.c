/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of commands, in the order of PRODUCT section 1.  A new command is
 * a new file and a new row. */
#include "main/cli.h"
#include "main/commands.h"



const struct command *const commands[] = {
	&cmd_run, &cmd_collect, &cmd_check, &cmd_test, &cmd_trust, &cmd_status, &cmd_history, &cmd_held, &cmd_retry, &cmd_rescan,
	&cmd_baseline, &cmd_service, &cmd_domain, &cmd_account, &cmd_mailbox, &cmd_acl, &cmd_route, &cmd_alert,
	&cmd_block, &cmd_secret, &cmd_oauth, &cmd_import, &cmd_backup, &cmd_restore, NULL,
};
