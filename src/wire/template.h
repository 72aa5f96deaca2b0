/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths with a user's name in them: "/var/mail/%d/%n".
 *
 *     %u  the whole name     %n  its local part     %d  its domain     %%  a percent sign
 * A template begins with '/', has at most TEMPLATE_MAX octets, no control octets, no part that
 * is "." or "..", and does not lie in /proc, /sys or /dev; doubled and closing slashes go away in the expansion.
 * Names come from the network: one with a value that is empty, begins with '.', or has '/' or a control
 * octet is refused, whatever the template does with it; so no name leads out of its place, nor into
 * somebody else's Maildir++ folder.  Errors: ERR_CONFIG. */
#pragma once

#include "base/err.h"

enum { TEMPLATE_MAX = 1023 };

/* `many`: it is for more than one user, so it needs %u or %n. */
[[nodiscard]] bool template_check(const char *text, bool many, struct err *e);
/* NUL-terminated; at most `size` - 1 octets. */
[[nodiscard]] bool template_expand(const char *text, const char *name, char *path, size_t size, struct err *e);
/* A path that is none of these but is used as they are: the same rules, "%" is itself. */
[[nodiscard]] bool template_path(const char *given, char *path, size_t size, struct err *e);
