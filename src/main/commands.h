/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that are built, one file each; commands.c is their table. */
#pragma once

#include "main/cli.h"

extern const struct command cmd_run, cmd_collect, cmd_baseline, cmd_check, cmd_held, cmd_history, cmd_retry, cmd_rescan, cmd_account, cmd_alert, cmd_block, cmd_domain, cmd_mailbox,
	cmd_service, cmd_status, cmd_test, cmd_trust, cmd_backup, cmd_restore, cmd_acl, cmd_route, cmd_import, cmd_oauth, cmd_secret;
