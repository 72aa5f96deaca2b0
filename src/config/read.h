/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the configuration: file, URL form, command line.
 *
 * settings_read reads `path` (libConfuse syntax) with the checks that
 * libConfuse lacks, then the files *.conf of connections_dir (default:
 * connections.d beside it, if that is there) for more targets and connections.
 * A path that is relative is meant from the file it stands in.  Every error of
 * meaning is collected in one run into `report`, one "FILE:LINE: what is wrong;
 * what to write instead" a line, in order of files and lines; errors of syntax
 * end the reading.  False when there was any, and then *s holds nothing.
 * Passwords are not resolved here; a connection without any has SECRET_ASK,
 * unless a client certificate is all it needs.
 * Not for two threads at once: libConfuse keeps its state in globals.
 * settings_none gives the defaults (no file): for the URL form.
 * settings_url adds one connection, the last of *s, from `URL --to TARGET --KEY
 * VALUE…`: its name is the URL, normalised; `after` = keep unless given;
 * pop3:// is in clear unless tls.mode says else.  `to` may be NULL.  Keys are
 * those of PRODUCT 2.1 from the same table ("tls.mode"), lists with commas; of
 * two equal ones the last counts.  A password in the URL or as a value is
 * refused.  Warnings join those of *s.  On false that connection is of no use.
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
/* Is `key` one of 2.1 (for the command line)?  Each of them takes a value. */
bool settings_is_key(const char *key);
void settings_end(struct settings *s);
