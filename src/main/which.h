/* SPDX-License-Identifier: Apache-2.0
 *
 * Which connections a command line means: NAME… of the configuration, or a URL
 * with keys as options and its password from an option or the terminal.
 *
 * Each reads the settings and returns EXIT_GOOD, or says what is wrong and
 * returns what the command is to return.  What they give lives in the settings. */
#pragma once

#include "main/cli.h"

bool which_is_url(const char *word);
/* `to`: the target, or NULL when nothing is to be delivered. */
[[nodiscard]] int which_url(struct cli *cli, const char *url, const char *to, const struct connection **which);
/* The arguments, each once; without any, all that are enabled.  `disabled_too`: a
 * disabled one may be named. */
[[nodiscard]] int which_named(struct cli *cli, bool disabled_too, const struct connection ***which, size_t *count);
