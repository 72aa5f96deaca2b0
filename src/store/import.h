/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading what is to be imported, a function for each form (exchange.h): `path` is what
 * follows the colon.  Lone LF line ends become CRLF. */
#pragma once

#include "store/exchange.h"

[[nodiscard]] bool import_maildir(const char *path, const struct exchange_to *to, struct err *e);
[[nodiscard]] bool import_mbox(const char *path, const struct exchange_to *to, struct err *e);
[[nodiscard]] bool import_eml(const char *path, const struct exchange_to *to, struct err *e);
