/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the importer of mbsync's configuration: what its two files share, the
 * words and sections (import_mbsync.c) and the channels (import_mbsync_channel.c).
 *
 * A channel begins with the global settings that stand above it. */
#pragma once

#include "config/import_target.h"

enum mbsync_kind { MBSYNC_IMAP_ACCOUNT, MBSYNC_IMAP_STORE, MBSYNC_MAILDIR_STORE, MBSYNC_CHANNEL, MBSYNC_GROUP };

enum mbsync_own { MBSYNC_HOST = 1, MBSYNC_PASSCMD, MBSYNC_AUTH, MBSYNC_CRAM, MBSYNC_TLS, MBSYNC_IMAPS, MBSYNC_REQUIRE, MBSYNC_VERSIONS, MBSYNC_SYSTEM,
	MBSYNC_CERTIFICATES, MBSYNC_ACCOUNT, MBSYNC_PATH, MBSYNC_INBOX, MBSYNC_SUBFOLDERS, MBSYNC_FLATTEN, MBSYNC_MAXSIZE, MBSYNC_FAR, MBSYNC_NEAR,
	MBSYNC_PATTERN, MBSYNC_SYNC, MBSYNC_CREATE };

struct mbsync_object {
	struct mbsync_object *next;
	enum mbsync_kind kind;
	const char *name;
	struct import_items items;
	uint32_t line;
};

struct mbsync {
	struct import *in;
	struct import_items global;
	struct mbsync_object *objects, **last, *now;
};

extern const struct import_row mbsync_rows[];

/* NULL when there is none of that name. */
struct mbsync_object *mbsync_object(const struct mbsync *m, enum mbsync_kind kind, struct span name);
/* The connections of a channel; false when there are too many. */
[[nodiscard]] bool mbsync_channel(struct mbsync *m, const struct mbsync_object *channel, struct err *e);
