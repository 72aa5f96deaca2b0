/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificate of the POP3 service, from its settings.
 *
 * certificates_get opens the files that section pop3 names (certificate, key,
 * ca_certificates), as the service will use them: *out is what its listeners take,
 * to be put back with tls_server_put, or NULL when there is no certificate, which is
 * good too.  A reload calls it again; on false nothing has changed.
 * Errors begin with the place of the section: "FILE:LINE: certificate: …".
 * certificates_check is the same for `check`, with nothing left behind. */
#pragma once

#include "config/settings_pop3.h"
#include "net/tls_server.h"

[[nodiscard]] bool certificates_get(struct tls_contexts *all, const struct pop3_settings *p, struct tls_server **out, struct err *e);
[[nodiscard]] bool certificates_check(const struct pop3_settings *p, struct err *e);
