/* SPDX-License-Identifier: Apache-2.0
 *
 * The helper for PAM begun: by `run`, while it still is root if it ever was, and once more when it has ended.
 *
 *     pam_begin(&settings, &h, &e)           before privileges_drop and all threads; h.fd is -1 when no users are PAM's
 *     pam_begin_again(NULL, &h, &e)          serve/pam.h's `start`: the same, without waiting for its first word
 * The helper is our own binary, told by PAM_HELPER_OPTION; pam_begin_helper is what that becomes.
 * pam_begin waits until the helper says that it is there, 5 s at most, and tells the log of services that have no
 * file: PAM judges those by its service "other".
 * For tests the variable POSTRIDER_PAM_CONFDIR names a folder with the services' files instead of /etc/pam.d.
 * Errors: ERR_LOCAL; ERR_CONFIG: this build has no PAM. */
#pragma once

#include "config/settings_pop3.h"
#include "serve/pam.h"

[[nodiscard]] bool pam_begin(const struct settings *s, struct pam_helper *h, struct err *e);
[[nodiscard]] bool pam_begin_again(void *context, struct pam_helper *h, struct err *e);
/* For `check`, too: warns of services that have no file. */
void pam_begin_check(const struct settings *s);
/* Do these settings want the helper? */
bool pam_begin_wants(const struct settings *s);
/* The process that was told so, with its words: returns its exit status. */
int pam_begin_helper(int argc, char **argv);
