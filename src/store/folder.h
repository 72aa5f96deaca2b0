/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders of files (PRODUCT 2.2): a message is a few files of one name, BASE.eml, BASE.txt …, and the index BASE.json, which
 * comes last: who takes files out of a folder waits for it, and then all others are there, whole.
 *
 *     folder_open         makes the folder (0700) when missing, and .tmp in it
 *     folder_begin        a BASE that nobody has, PREFIX.YYYY-MM-DD.HHMMSS[#n] in UTC, and a working folder of its own in .tmp
 *     folder_create, folder_finish   BASE.SUFFIX in it, once for each file; fsync.  The one with the suffix FOLDER_INDEX must be among them
 *     folder_written      their names are durable too
 *     folder_sync_tmp     and the working folder's, once a group
 *     … the caller makes `placing NAME` durable …
 *     folder_place        all files but the index go into the folder; fsync; the index; fsync; the working folder goes; fsync.  Of a group:
 *         folder_place_files each, folder_sync, folder_place_index each, folder_sync, folder_placed each, folder_sync_tmp
 *     … the caller makes `accepted` durable …
 * After a crash: folder_place_again for a NAME that was durable: what is not in .tmp any more has been placed before, whatever
 * somebody did with it since; an intent so old that it may have been swept asks folder_has.  folder_sweep removes what a crash left in .tmp
 * without a `placing`: only working folders with that tag.
 * NAME is BASE_TAG, shorter than MAILDIR_NAME_MAX, and no path.
 *
 * Several threads, processes and machines may fill one folder at once: a BASE is theirs who make its working folder, and no file
 * is ever replaced.  All block (jobs); one `struct folder` belongs to one thread.  Errors: ERR_LOCAL with path and errno. */
#pragma once

#include "store/maildir.h"

enum { FOLDER_PREFIX_MAX = 64, FOLDER_SUFFIX_MAX = 128, FOLDER_FILE_MAX = 256 };
#define FOLDER_INDEX "json"

struct folder;

[[nodiscard]] bool folder_open(const char *path, struct folder **f, struct err *e);
void folder_close(struct folder **f);
/* `prefix`: at most FOLDER_PREFIX_MAX octets, no slash, no dot in front (asserted). */
[[nodiscard]] bool folder_begin(struct folder *f, const uint8_t tag[8], const char *prefix, int64_t now, char name[MAILDIR_NAME_MAX], struct err *e);
/* BASE.SUFFIX, into `file`, for reading and writing; `suffix` has no slash.  -1: it failed. */
[[nodiscard]] int folder_create(struct folder *f, const char *suffix, char file[FOLDER_FILE_MAX], struct err *e);
/* fsync, and close, also when it fails. */
[[nodiscard]] bool folder_finish(struct folder *f, int fd, struct err *e);
[[nodiscard]] bool folder_written(struct folder *f, struct err *e);
[[nodiscard]] bool folder_sync_tmp(struct folder *f, struct err *e);
/* What folder_begin began, with all its files, is forgotten. */
void folder_abandon(struct folder *f, const char *name);
[[nodiscard]] bool folder_place(struct folder *f, const char *name, struct err *e);
[[nodiscard]] bool folder_place_files(struct folder *f, const char *name, struct err *e);
[[nodiscard]] bool folder_place_index(struct folder *f, const char *name, struct err *e);
void folder_placed(struct folder *f, const char *name);
[[nodiscard]] bool folder_sync(struct folder *f, struct err *e);
[[nodiscard]] bool folder_place_again(struct folder *f, const char *name, struct err *e);
bool folder_waits(struct folder *f, const char *name);	/* its index is in .tmp */
bool folder_has(struct folder *f, const char *name);	/* its index is in the folder */
/* Has NAME this tag? */
bool folder_is_of(const char *name, const uint8_t tag[8]);
/* Removes working folders of `tag` for which keep(user, name) is false, and empty ones, whose a crash left nothing to tell. */
void folder_sweep(struct folder *f, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user);
