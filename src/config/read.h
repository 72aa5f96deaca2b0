/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the configuration: file, URL form, command line.
 *
 * settings_read reads `path` (libConfuse syntax) with the checks that
 * libConfuse lacks, and collects every error of meaning in one run into
 * `report` (one "FILE:LINE: what is wrong; what to write instead" a line, in
 * order of lines); false when there was any.  Errors of syntax end the reading.
 * Passwords are not resolved here.
 * settings_none gives the defaults (no file): for the URL form.
 * settings_url adds one connection from `URL --to TARGET --KEY VALUE…`:
 * its name is the URL without password, normalised; `after` = keep unless
 * given.  Keys are those of PRODUCT 2.1 from the same table ("tls.mode").
 * settings_end gives everything back and wipes secrets. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"

struct key_value {
	const char *key, *value;
};

/* The default path: $XDG_CONFIG_HOME/postrider/postrider.conf, as root /etc/postrider/postrider.conf. */
const char *settings_default_path(char *out, size_t size);
[[nodiscard]] bool settings_read(const char *path, struct settings *s, struct buf *report);
void settings_none(struct settings *s);
[[nodiscard]] bool settings_url(struct settings *s, const char *url, const char *to, const struct key_value *keys, size_t count, struct buf *report);
/* Is `key` one of 2.1 (for the command line)?  `takes_value` false never happens today. */
bool settings_is_key(const char *key);
void settings_end(struct settings *s);
