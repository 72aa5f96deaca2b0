/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories and descriptors: what several files of this room need of the
 * file system.  Errors: ERR_LOCAL with path and errno; ERR_CONFIG for a place
 * that cannot hold a store. */
#pragma once

#include "base/err.h"

/* Makes the directory and missing parents (0700), durably; one that is there is good. */
[[nodiscard]] bool disk_directory(const char *path, struct err *e);
/* Writes all of it. */
[[nodiscard]] bool disk_write(int fd, struct span octets);
/* Are there DISK_SPARE octets on this path's disk, or is it not to be known?  What is large is not begun, or not gone on with,
 * without: the last of the room is for the small commits that say what became of all that is under way. */
enum { DISK_SPARE = 16 * 1024 * 1024 };
bool disk_has_spare(const char *path);
/* Makes the names in a directory durable. */
[[nodiscard]] bool disk_sync_directory(const char *path, struct err *e);
/* By the type that statfs(2) tells: file systems that other machines write to,
 * where neither a lock nor a shared mapping can be trusted. */
bool disk_is_network(uint64_t type);
[[nodiscard]] bool disk_refuse_network(const char *path, struct err *e);
