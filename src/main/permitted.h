/* SPDX-License-Identifier: Apache-2.0
 *
 * What the user of `run_as` may do with our files, asked before root is given up.
 *
 * A child becomes that user, groups and all, and tries; so access lists, file systems
 * and folders on the way count as they will.  Of the kinds of privileges only
 * PRIVILEGES_BECOME has something to ask; for the others all is good.  Before threads start. */
#pragma once

#include "config/settings.h"
#include "main/privileges.h"

/* The state directory and what `run` uses in it can be read and written; backups and stores kept aside need not be.  Made (0700,
 * the user's) when its parent is there and it is not.  ERR_CONFIG, with the chown to do. */
[[nodiscard]] bool permitted_state(const struct privileges *p, const char *state, struct err *e);
/* Warns of each file of the settings that the user could not read again at a reload: the
 * configuration, certificates and keys, password files.  Returns how many. */
size_t permitted_files(const struct privileges *p, const struct settings *s);
