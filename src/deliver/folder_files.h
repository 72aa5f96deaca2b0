/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of one message in a folder (store/folder.h): the message, what a template and its parts make of it, and the
 * index.  For whoever delivers into folders, in steps of its own:
 *
 *     folder_open                of the target's path
 *     folder_files_write         all of them, durable in .tmp once folder_sync_tmp is done; `name` is theirs
 *     … the caller makes `placing NAME` durable …
 *     folder_place, …, folder_place_again, folder_waits, folder_has, folder_sweep   as store/folder.h has them
 *
 * Of the ask the target, the message, sender, recipients and facts count.  A sender of NULL is the one of the message's
 * Return-Path, "" without any.  S/MIME is taken off when the target has keys for it; `state` as for spool_new.
 * Blocks (jobs); any number of threads, each with a `struct folder` of its own.  False: nothing of it is left in .tmp. */
#pragma once

#include "deliver/deliver.h"
#include "store/folder.h"

[[nodiscard]] bool folder_files_write(struct folder *f, const struct deliver_ask *ask, const char *state, const uint8_t tag[8],
	char name[MAILDIR_NAME_MAX], struct err *e);
