/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths as people write them, and where things are by default.
 *
 * A path comes out absolute: ~/ is the user's home, a relative one starts at
 * the folder of the file it stands in, from the command line at the current
 * folder.  Repeated and closing slashes and . go away, .. stays (a link may
 * be before it); so one spelling gives one text. */
#pragma once

#include "base/arena.h"

enum { SETTINGS_PATH_MAX = 4096 };

/* `file`: the configuration file, or NULL for the current folder. */
const char *path_absolute(struct arena *a, const char *file, const char *path);
/* $HOME, else what the system knows of us; "/" when it knows nothing. */
const char *path_home(void);
/* /var/lib/postrider as root, else ~/.local/state/postrider */
const char *path_state(struct arena *a);
